#include "level.h"
#include "vector/bytes.h"
#include "vector/coefficients.h"
#include "vector/map.h"

#include <math.h>

typedef uint32_t vu __attribute__((vector_size(4 * VW), may_alias));

static inline vu vu_set(uint32_t x) {
  return (vu)vi_set((int32_t)x);
}

/* 16 lanes that exist, or the `count` (< 16) that do, the others 0. */
ALWAYS_INLINE lanes load_lanes(const float *x, int64_t count) {
  return count == LANES ? lanes_load(x) : lanes_load_part(x, count, 0.0f);
}

/* The masked gradient of row i, columns j .. j + count - 1. */
ALWAYS_INLINE lanes load_masked(const rung_gradient *gradient, int64_t i, int64_t j, int64_t count) {
  lanes g = load_lanes(gradient->g + i * gradient->stride + j, count);
  if (!gradient->mask) return g;
  const uint8_t *byte = gradient->mask + i * gradient->mask_stride + j / 8;
  uint32_t bits = byte[0];
  if (count > 8) bits |= (uint32_t)byte[1] << 8;
  vi lane_bit;
  for (int l = 0; l < VW; l++) lane_bit[l] = 1 << l;
  for (int p = 0; p < PARTS; p++)
    g.part[p] = (vf)((vi)g.part[p] & ((vi_set((int32_t)(bits >> p * VW)) & lane_bit) != vi_set(0)));
  return g;
}

static inline lanes lanes_multiply(lanes a, lanes b) {
  for (int p = 0; p < PARTS; p++) a.part[p] *= b.part[p];
  return a;
}

static inline lanes extend_max(lanes max, lanes x) {
  for (int p = 0; p < PARTS; p++) max.part[p] = vf_max((vf)((vi)x.part[p] & vi_set(0x7fffffff)), max.part[p]);
  return max;
}

typedef struct range {
  lanes max, max_scaled;
} range;

ALWAYS_INLINE void extend_range(range *of, const rung_gradient *gradient, int64_t j, int64_t count, float *column_sum,
                                bool accumulate) {
  lanes scale = lanes_set(1.0f), sum = lanes_set(0.0f);
  if (gradient->column_scale) scale = load_lanes(gradient->column_scale + j, count);
  if (column_sum && accumulate) sum = load_lanes(column_sum + j, count);
  range r = *of;
  for (int64_t i = 0; i < gradient->rows; i++) {
    lanes g = load_masked(gradient, i, j, count);
    r.max = extend_max(r.max, g);
    r.max_scaled = extend_max(r.max_scaled, lanes_multiply(g, scale));
    sum = lanes_add(sum, g);
  }
  *of = r;
  if (column_sum) lanes_store_part(column_sum + j, sum, count);
}

void RUNG_AT_LEVEL(gradient_range)(const rung_gradient *gradient, float *max, float *max_scaled, float *column_sum,
                                   bool accumulate) {
  range r = {lanes_set(0.0f), lanes_set(0.0f)};
  int64_t j = 0;
  for (; j + LANES <= gradient->columns; j += LANES) extend_range(&r, gradient, j, LANES, column_sum, accumulate);
  if (j < gradient->columns) extend_range(&r, gradient, j, gradient->columns - j, column_sum, accumulate);
  *max = lanes_max(r.max);
  *max_scaled = lanes_max(r.max_scaled);
}

/* The bits of columns `column` + lane (rung_gradient_bits). */
static inline vu random_bits(uint64_t row_key, vu column) {
  vu x = column ^ vu_set((uint32_t)row_key);
  x = (x ^ x >> 16) * vu_set(0x85ebca6bu);
  x ^= vu_set((uint32_t)(row_key >> 32));
  x = (x ^ x >> 13) * vu_set(0xc2b2ae35u);
  return x ^ x >> 16;
}

/* floor(clamp(x / scale) + random 2^-15) in the low byte; `steps` is 2^15 / scale. ROUND_MAGIC takes the value in units
 * of 2^-15, which stays below 2^22, to an integer in the low bits; a shift is the floor. */
ALWAYS_INLINE vi quantize(vf x, float steps, vu random) {
  const float most = 127.0f * 32768.0f;
  vf v = vf_min(vf_max(x * vf_set(steps), vf_set(-most)), vf_set(most));
  return ((vi)(v + vf_set(ROUND_MAGIC)) - vi_set(ROUND_MAGIC_BITS) + (vi)random) >> 15;
}

ALWAYS_INLINE void store_codes(int8_t *q, lanes_int codes, int64_t count) {
  if (count == LANES) {
    bytes_store(q, codes);
    return;
  }
  uint8_t last[LANES];
  bytes_store(last, codes);
  memcpy(q, last, (size_t)count);
}

/* Row i, columns j .. j + count - 1. */
ALWAYS_INLINE void quantize_lanes(const rung_gradient *gradient, const rung_gradient_codes *to, uint64_t row_key,
                                  int64_t i, int64_t j, int64_t count) {
  lanes g = load_masked(gradient, i, j, count), h = g;
  if (gradient->column_scale) h = lanes_multiply(g, load_lanes(gradient->column_scale + j, count));
  lanes_int q, q_scaled;
  for (int p = 0; p < PARTS; p++) {
    vu column;
    for (int l = 0; l < VW; l++) column[l] = (uint32_t)(p * VW + l);
    vu bits = random_bits(row_key, column + vu_set((uint32_t)(to->first_column + j)));
    q.part[p] = quantize(g.part[p], to->inverse_scale * 32768.0f, bits >> 17);
    q_scaled.part[p] = quantize(h.part[p], to->inverse_scale_scaled * 32768.0f, bits & vu_set(0x7fff));
  }
  if (to->q) store_codes(to->q + i * to->q_stride + j, q, count);
  if (to->q_scaled) store_codes(to->q_scaled + i * to->q_scaled_stride + j, q_scaled, count);
}

void RUNG_AT_LEVEL(gradient_quantize)(const rung_gradient *gradient, const rung_gradient_codes *to) {
  const rung_gradient from = *gradient; /* copies, which the bytes that are stored cannot change */
  const rung_gradient_codes codes = *to;
  for (int64_t i = 0; i < from.rows; i++) {
    uint64_t row_key = rung_gradient_row_key(codes.key, codes.first_row + i);
    int64_t j = 0;
    for (; j + LANES <= from.columns; j += LANES) quantize_lanes(&from, &codes, row_key, i, j, LANES);
    if (j < from.columns) quantize_lanes(&from, &codes, row_key, i, j, from.columns - j);
  }
}
