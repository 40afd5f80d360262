/* The 8-bit dynamic map and block-wise quantization with it (Dettmers et al., "8-bit optimizers via block-wise
 * quantization", 2022; eq. 54). */
#include <rung/quant/formats.h>

#include <rung/kernels.h>

#include <float.h>
#include <math.h>

enum { DECADES = 7 };

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
}

/* How many bounds lie below x, by halving. */
static uint8_t nearest(const rung_dynamic_map *map, float x) {
  int code = 0;
  for (int half = 128; half > 0; half /= 2) code += x > map->bound[code + half - 1] ? half : 0;
  return (uint8_t)code;
}

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
