#include "level.h"
#include "vector/bytes.h"
#include "vector/map.h"

#include <math.h>

#define BLOCK 4 /* vectors of columns that are summed side by side */

static inline lanes lanes_fma(lanes a, lanes b, lanes sum) {
  for (int p = 0; p < PARTS; p++) sum.part[p] = vf_fma(a.part[p], b.part[p], sum.part[p]);
  return sum;
}

float RUNG_AT_LEVEL(sum)(const float *x, int64_t n) {
  lanes sum = lanes_set(0.0f);
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) sum = lanes_add(sum, lanes_load(x + i));
  if (i < n) sum = lanes_add(sum, lanes_load_part(x + i, n - i, 0.0f));
  return lanes_tree(sum);
}

float RUNG_AT_LEVEL(dot)(const float *a, const float *b, int64_t n) {
  lanes sum = lanes_set(0.0f);
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) sum = lanes_fma(lanes_load(a + i), lanes_load(b + i), sum);
  if (i < n) sum = lanes_fma(lanes_load_part(a + i, n - i, 0.0f), lanes_load_part(b + i, n - i, 0.0f), sum);
  return lanes_tree(sum);
}

typedef struct range {
  lanes low, high;
  vi nan[PARTS]; /* lanes that met one */
} range;

/* The new element comes first: vf_min and vf_max give the second where either is NaN. */
static inline range range_extend(range r, lanes x) {
  for (int p = 0; p < PARTS; p++) {
    r.low.part[p] = vf_min(x.part[p], r.low.part[p]);
    r.high.part[p] = vf_max(x.part[p], r.high.part[p]);
    r.nan[p] |= x.part[p] != x.part[p];
  }
  return r;
}

void RUNG_AT_LEVEL(min_max)(const float *x, int64_t n, float *min, float *max, bool *has_nan) {
  range r = {lanes_set(INFINITY), lanes_set(-INFINITY), {{0}}};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) r = range_extend(r, lanes_load(x + i));
  if (i < n) r = range_extend(r, lanes_load_part(x + i, n - i, x[i]));
  uint32_t nan = 0;
  for (int p = 0; p < PARTS; p++) {
    nan |= vi_bits(r.nan[p]);
    r.low.part[p] = -r.low.part[p];
  }
  *min = -lanes_max(r.low) + 0.0f;
  *max = lanes_max(r.high) + 0.0f;
  *has_nan = nan != 0;
}

float RUNG_AT_LEVEL(max_abs)(const float *x, int64_t n) {
  const vi magnitude = vi_set(INT32_MAX);
  vf most[BLOCK] = {{0}}; /* apart, so that none waits for the one before */
  int64_t i = 0;
  for (; i + BLOCK * VW <= n; i += BLOCK * VW)
    for (int v = 0; v < BLOCK; v++) most[v] = vf_max((vf)((vi)vf_load(x + i + v * VW) & magnitude), most[v]);
  for (; i + VW <= n; i += VW) most[0] = vf_max((vf)((vi)vf_load(x + i) & magnitude), most[0]);
  if (i < n) most[0] = vf_max((vf)((vi)vf_load_part(x + i, n - i) & magnitude), most[0]);
  vf all = vf_max(vf_max(most[0], most[1]), vf_max(most[2], most[3]));
  float result = 0.0f;
  for (int l = 0; l < VW; l++) result = all[l] > result ? all[l] : result;
  return result;
}

typedef struct byte_sums {
  vi plain, magnitude;
} byte_sums;

#if defined(__AVX512VNNI__)

enum { BYTES = 4 * VW }; /* that are added up at a time */
typedef int8_t vbytes __attribute__((vector_size(BYTES)));
typedef uint8_t vubytes __attribute__((vector_size(BYTES))); /* |-128| is 128 */

static inline byte_sums add_bytes(byte_sums sums, const int8_t *q) {
  const vi ones = vi_set(0x01010101);
  vbytes x;
  memcpy(&x, q, sizeof x);
  vbytes sign = x < 0;
  return (byte_sums){vi_dot_bytes(sums.plain, ones, (vi)x),
                     vi_dot_bytes(sums.magnitude, (vi)((vubytes)(x ^ sign) - (vubytes)sign), ones)};
}

#else

enum { BYTES = LANES };

static inline byte_sums add_bytes(byte_sums sums, const int8_t *q) {
  lanes_int x = bytes_load_i8(q);
  for (int p = 0; p < PARTS; p++) {
    sums.plain += x.part[p];
    sums.magnitude += vi_max(x.part[p], -x.part[p]);
  }
  return sums;
}

#endif

static inline int32_t sum_lanes(vi x) {
  int32_t lane[VW];
  vi_store(lane, x);
  for (int half = VW / 2; half > 0; half /= 2)
    for (int l = 0; l < half; l++) lane[l] += lane[l + half];
  return lane[0];
}

void RUNG_AT_LEVEL(sum_i8)(const int8_t *q, int64_t n, int32_t *sum, int32_t *magnitude) {
  byte_sums sums = {{0}, {0}};
  int64_t i = 0;
  for (; i + BYTES <= n; i += BYTES) sums = add_bytes(sums, q + i);
  if (i < n) {
    int8_t last[BYTES] = {0};
    memcpy(last, q + i, (size_t)(n - i));
    sums = add_bytes(sums, last);
  }
  *sum = sum_lanes(sums.plain);
  *magnitude = sum_lanes(sums.magnitude);
}

/* The sums, or with b the dots, of `vectors` vectors of columns, `count` columns each. */
ALWAYS_INLINE void column_block(float *y, const float *a, const float *b, int64_t rows, int64_t stride, bool accumulate,
                                int vectors, int64_t count) {
  vf sum[BLOCK];
  for (int v = 0; v < vectors; v++) {
    sum[v] = vf_set(0.0f);
    if (accumulate) sum[v] = vf_load_first(y + v * VW, count);
  }
  for (int64_t i = 0; i < rows; i++)
    for (int v = 0; v < vectors; v++) {
      vf x = vf_load_first(a + i * stride + v * VW, count);
      if (b)
        sum[v] = vf_fma(x, vf_load_first(b + i * stride + v * VW, count), sum[v]);
      else
        sum[v] += x;
    }
  for (int v = 0; v < vectors; v++) vf_store_first(y + v * VW, sum[v], count);
}

ALWAYS_INLINE void each_column(float *y, const float *a, const float *b, int64_t rows, int64_t columns, int64_t stride,
                               bool accumulate) {
  int64_t j = 0;
  for (; j + BLOCK * VW <= columns; j += BLOCK * VW)
    column_block(y + j, a + j, b ? b + j : NULL, rows, stride, accumulate, BLOCK, VW);
  for (; j + VW <= columns; j += VW) column_block(y + j, a + j, b ? b + j : NULL, rows, stride, accumulate, 1, VW);
  if (j < columns) column_block(y + j, a + j, b ? b + j : NULL, rows, stride, accumulate, 1, columns - j);
}

void RUNG_AT_LEVEL(column_sum)(float *y, const float *x, int64_t rows, int64_t columns, int64_t stride,
                               bool accumulate) {
  each_column(y, x, NULL, rows, columns, stride, accumulate);
}

void RUNG_AT_LEVEL(column_dot)(float *y, const float *a, const float *b, int64_t rows, int64_t columns, int64_t stride,
                               bool accumulate) {
  each_column(y, a, b, rows, columns, stride, accumulate);
}
