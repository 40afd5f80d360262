#include "level.h"
#include "vector/map.h"

static inline vf add(vf a, vf b) {
  return a + b;
}

static inline vf multiply(vf a, vf b) {
  return a * b;
}

void RUNG_AT_LEVEL(add)(float *y, const float *a, const float *b, int64_t n) {
  map_binary(y, a, b, n, add);
}

void RUNG_AT_LEVEL(multiply)(float *y, const float *a, const float *b, int64_t n) {
  map_binary(y, a, b, n, multiply);
}

void RUNG_AT_LEVEL(multiply_add)(float *y, const float *a, const float *b, int64_t n) {
  map_ternary(y, a, b, y, n, vf_fma);
}

ALWAYS_INLINE void scale_add(float *y, const float *x, vf alpha, int64_t count, bool accumulate) {
  vf v = vf_load_first(x, count);
  if (accumulate)
    v = vf_fma(alpha, v, vf_load_first(y, count));
  else
    v = alpha * v;
  vf_store_first(y, v, count);
}

void RUNG_AT_LEVEL(scale_add)(float *y, const float *x, float alpha, int64_t n, bool accumulate) {
  int64_t i = 0;
  for (; i + VW <= n; i += VW) scale_add(y + i, x + i, vf_set(alpha), VW, accumulate);
  if (i < n) scale_add(y + i, x + i, vf_set(alpha), n - i, accumulate);
}

/* dy where the lane's bit of `bits` is set, else 0. */
ALWAYS_INLINE void mask_apply(float *dx, const float *dy, uint32_t bits, int64_t count, bool accumulate) {
  vi lane_bit;
  for (int l = 0; l < VW; l++) lane_bit[l] = 1 << l;
  vi set = (vi_set((int32_t)bits) & lane_bit) != vi_set(0);
  vf gradient = (vf)((vi)vf_load_first(dy, count) & set);
  if (accumulate) gradient += vf_load_first(dx, count);
  vf_store_first(dx, gradient, count);
}

void RUNG_AT_LEVEL(mask_apply)(float *dx, const float *dy, const uint8_t *mask, int64_t n, bool accumulate) {
  int64_t i = 0;
  for (; i + VW <= n; i += VW) {
    uint32_t bits = mask[i / 8];
    if (VW > 8) bits |= (uint32_t)mask[i / 8 + 1] << 8;
    mask_apply(dx + i, dy + i, bits >> i % 8, VW, accumulate);
  }
  if (i == n) return;
  uint32_t bits = mask[i / 8];
  if (n - i > 8) bits |= (uint32_t)mask[i / 8 + 1] << 8;
  mask_apply(dx + i, dy + i, bits >> i % 8, n - i, accumulate);
}
