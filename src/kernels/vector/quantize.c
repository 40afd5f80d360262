#include "level.h"
#include "vector/bytes.h"
#include "vector/coefficients.h"
#include "vector/map.h"

/* What quantizes a vector. The bounds are those of rne(x / s), before the zero point. */
typedef struct quantizer {
  float inverse_scale, low, high;
} quantizer;

/* x / s clamped and rounded, as the float that holds the integer in its low bits, off by ROUND_MAGIC. */
static inline vf rounded_magic(vf x, quantizer by) {
  vf v = vf_min(vf_max(x * vf_set(by.inverse_scale), vf_set(by.low)), vf_set(by.high));
  return v + vf_set(ROUND_MAGIC);
}

/* The low byte of ROUND_MAGIC_BITS is 0, so that the low byte of each lane is q, signed or not. */
static inline lanes_int quantize_lanes(lanes x, quantizer by, int32_t zero_point) {
  lanes_int q;
  for (int p = 0; p < PARTS; p++) q.part[p] = (vi)rounded_magic(x.part[p], by) + vi_set(zero_point);
  return q;
}

ALWAYS_INLINE void quantize_bytes(uint8_t *q, const float *x, int64_t n, float inverse_scale, int32_t zero_point,
                                  int32_t qmin, int32_t qmax) {
  const quantizer by = {inverse_scale, (float)(qmin - zero_point), (float)(qmax - zero_point)};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) bytes_store(q + i, quantize_lanes(lanes_load(x + i), by, zero_point));
  if (i == n) return;
  uint8_t last[LANES];
  bytes_store(last, quantize_lanes(lanes_load_part(x + i, n - i, 0.0f), by, zero_point));
  memcpy(q + i, last, (size_t)(n - i));
}

void RUNG_AT_LEVEL(quantize_u8)(uint8_t *q, const float *x, int64_t n, float inverse_scale, int32_t zero_point,
                                int32_t qmin, int32_t qmax) {
  quantize_bytes(q, x, n, inverse_scale, zero_point, qmin, qmax);
}

void RUNG_AT_LEVEL(quantize_i8)(int8_t *q, const float *x, int64_t n, float inverse_scale, int32_t zero_point,
                                int32_t qmin, int32_t qmax) {
  quantize_bytes((uint8_t *)q, x, n, inverse_scale, zero_point, qmin, qmax);
}

static inline lanes dequantize_lanes(lanes_int q, float scale, int32_t zero_point) {
  lanes x;
  for (int p = 0; p < PARTS; p++) x.part[p] = vf_set(scale) * vi_to_float(q.part[p] - vi_set(zero_point));
  return x;
}

ALWAYS_INLINE void dequantize_bytes(float *x, const uint8_t *q, int64_t n, float scale, int32_t zero_point,
                                    lanes_int (*load)(const void *)) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) lanes_store(x + i, dequantize_lanes(load(q + i), scale, zero_point));
  if (i == n) return;
  uint8_t last[LANES] = {0};
  memcpy(last, q + i, (size_t)(n - i));
  lanes_store_part(x + i, dequantize_lanes(load(last), scale, zero_point), n - i);
}

void RUNG_AT_LEVEL(dequantize_u8)(float *x, const uint8_t *q, int64_t n, float scale, int32_t zero_point) {
  dequantize_bytes(x, q, n, scale, zero_point, bytes_load_u8);
}

void RUNG_AT_LEVEL(dequantize_i8)(float *x, const int8_t *q, int64_t n, float scale, int32_t zero_point) {
  dequantize_bytes(x, (const uint8_t *)q, n, scale, zero_point, bytes_load_i8);
}

/* x becomes scale * clamp(k), k = rne(x / s) cut off one step beyond the range; returns the lanes with k inside it. */
static inline uint32_t fake_quantize_lanes(lanes *x, float scale, quantizer by) {
  const quantizer beyond = {by.inverse_scale, by.low - 1.0f, by.high + 1.0f};
  const vf low = vf_set(by.low), high = vf_set(by.high);
  uint32_t inside = 0;
  for (int p = 0; p < PARTS; p++) {
    vf k = rounded_magic(x->part[p], beyond) - vf_set(ROUND_MAGIC);
    inside |= vi_bits((k >= low) & (k <= high)) << p * VW;
    x->part[p] = vf_set(scale) * vf_min(vf_max(k, low), high);
  }
  return inside;
}

void RUNG_AT_LEVEL(fake_quantize)(float *y, uint8_t *mask, const float *x, int64_t n, float scale, float inverse_scale,
                                  int32_t zero_point, int32_t qmin, int32_t qmax) {
  const quantizer by = {inverse_scale, (float)(qmin - zero_point), (float)(qmax - zero_point)};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    lanes v = lanes_load(x + i);
    uint32_t inside = fake_quantize_lanes(&v, scale, by);
    lanes_store(y + i, v);
    if (mask) bits_store(mask + i / 8, inside);
  }
  if (i == n) return;
  lanes v = lanes_load_part(x + i, n - i, 0.0f);
  uint32_t inside = fake_quantize_lanes(&v, scale, by) & ((1u << (n - i)) - 1);
  lanes_store_part(y + i, v, n - i);
  if (!mask) return;
  mask[i / 8] = (uint8_t)inside;
  if (n - i > 8) mask[i / 8 + 1] = (uint8_t)(inside >> 8);
}
