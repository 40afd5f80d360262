/* The 8-bit dynamic map and block-wise quantization with it (Dettmers et al., "8-bit optimizers via block-wise
 * quantization", 2022; eq. 54). */
#include <rung/quant/formats.h>

#include <rung/kernels.h>

#include <float.h>
#include <math.h>
#include <string.h>

enum { DECADES = 7 };

/* ---- The code nearest to a number ------------------------------------------------------------------------------- */

/* Numbers of one sign that agree in the exponent and in 7 bits of the fraction have a place; those below 2^-23 share
 * one. Bounds are so far apart that no place has two within. */
#define SMALLEST (UINT32_C(0x34000000) >> 16) /* 2^-23 */

static inline uint32_t place_of(uint32_t bits) {
  const uint32_t magnitude = bits >> 16 & 0x7FFF;
  return magnitude < SMALLEST ? 0 : magnitude - SMALLEST + 1;
}

/* How many bounds lie below x. */
static inline uint8_t nearest(const rung_dynamic_map *map, float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint8_t code = map->first[bits >> 31][place_of(bits)];
  return (uint8_t)(code + (x > map->bound[code]));
}

/* From each place's least number: without a sign its first, with one its last. */
static void fill_places(rung_dynamic_map *map) {
  for (uint32_t sign = 0; sign < 2; sign++)
    for (uint32_t place = 0; place < RUNG_DYNAMIC_PLACES; place++) {
      const uint32_t first = place > 0 ? (place - 1 + SMALLEST) << 16 : 0, next = (place + SMALLEST) << 16;
      const uint32_t bits = sign ? UINT32_C(1) << 31 | (next - 1) : first;
      float x;
      memcpy(&x, &bits, sizeof x);
      int code = 0;
      while (x > map->bound[code]) code++;
      map->first[sign][place] = (uint8_t)code;
    }
}

/* ---- The map ---------------------------------------------------------------------------------------------------- */

/* The bounds of `parts` equal parts of [0.1, 1], from the nearer end, in f32. */
static float bound(int i, int parts) {
  const float step = (1.0f - 0.1f) / (float)parts;
  return i < (parts + 1) / 2 ? fmaf(step, (float)i, 0.1f) : fmaf(-step, (float)(parts - i), 1.0f);
}

static void sort(float *x, int n) {
  for (int i = 1; i < n; i++) {
    const float value = x[i];
    int k = i;
    for (; k > 0 && x[k - 1] > value; k--) x[k] = x[k - 1];
    x[k] = value;
  }
}

/* Decade 10^e, e = -6 .. 0, has the means of 2^(e+6) parts, or 2^(e+7) unsigned. */
void rung_dynamic_map_make(rung_dynamic_map *map, bool is_signed) {
  static const float power[DECADES] = {1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 1e-1f, 1};
  int count = 0;
  for (int e = 0; e < DECADES; e++) {
    const int parts = 1 << (e + !is_signed);
    for (int i = 0; i < parts; i++) {
      const float mean = power[e] * ((bound(i, parts) + bound(i + 1, parts)) / 2);
      map->value[count++] = mean;
      if (is_signed) map->value[count++] = -mean;
    }
  }
  map->value[count++] = 0;
  map->value[count++] = 1;
  sort(map->value, count);
  for (int i = 0; i + 1 < count; i++) map->bound[i] = (map->value[i] + map->value[i + 1]) / 2;
  map->bound[count - 1] = INFINITY;
  fill_places(map);
}

/* ---- Blocks ----------------------------------------------------------------------------------------------------- */

/* A block of zeros, or as good as that, has no reciprocal. */
static float encode_block(const rung_dynamic_map *map, const float *x, int64_t n, uint8_t *code) {
  const float absmax = rung_kernels_active()->max_abs(x, n), inverse = absmax < FLT_MIN ? 0 : 1 / absmax;
  for (int64_t i = 0; i < n; i++) code[i] = nearest(map, x[i] * inverse);
  return absmax;
}

void rung_dynamic_encode(const rung_dynamic_map *map, const float *x, int64_t n, uint8_t *code, float *absmax) {
  for (int64_t i = 0; i < n; i += RUNG_DYNAMIC_BLOCK)
    absmax[i / RUNG_DYNAMIC_BLOCK] =
        encode_block(map, x + i, n - i < RUNG_DYNAMIC_BLOCK ? n - i : RUNG_DYNAMIC_BLOCK, code + i);
}

void rung_dynamic_decode(const rung_dynamic_map *map, const uint8_t *code, const float *absmax, int64_t n, float *x) {
  for (int64_t i = 0; i < n; i++) x[i] = map->value[code[i]] * absmax[i / RUNG_DYNAMIC_BLOCK];
}
