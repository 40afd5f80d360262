#include "level.h"

#include <math.h>
#include <string.h>

/* rne(x / s) clamped to [low, high]. Clamping first comes to the same, rounding being monotone and the bounds integers,
 * and leaves nothing that int could not hold. */
static int32_t steps(float x, float inverse_scale, float low, float high) {
  float v = x * inverse_scale;
  v = v > low ? v : low;
  v = v < high ? v : high;
  return (int32_t)rintf(v);
}

static int32_t quantize(float x, float inverse_scale, int32_t zero_point, int32_t qmin, int32_t qmax) {
  return steps(x, inverse_scale, (float)(qmin - zero_point), (float)(qmax - zero_point)) + zero_point;
}

void RUNG_AT_LEVEL(quantize_u8)(uint8_t *q, const float *x, int64_t n, float inverse_scale, int32_t zero_point,
                                int32_t qmin, int32_t qmax) {
  for (int64_t i = 0; i < n; i++) q[i] = (uint8_t)quantize(x[i], inverse_scale, zero_point, qmin, qmax);
}

void RUNG_AT_LEVEL(quantize_i8)(int8_t *q, const float *x, int64_t n, float inverse_scale, int32_t zero_point,
                                int32_t qmin, int32_t qmax) {
  for (int64_t i = 0; i < n; i++) q[i] = (int8_t)quantize(x[i], inverse_scale, zero_point, qmin, qmax);
}

void RUNG_AT_LEVEL(dequantize_u8)(float *x, const uint8_t *q, int64_t n, float scale, int32_t zero_point) {
  for (int64_t i = 0; i < n; i++) x[i] = scale * (float)(q[i] - zero_point);
}

void RUNG_AT_LEVEL(dequantize_i8)(float *x, const int8_t *q, int64_t n, float scale, int32_t zero_point) {
  for (int64_t i = 0; i < n; i++) x[i] = scale * (float)(q[i] - zero_point);
}

/* Clamped to one step beyond the range, to see which lie outside. */
void RUNG_AT_LEVEL(fake_quantize)(float *y, uint8_t *mask, const float *x, int64_t n, float scale, float inverse_scale,
                                  int32_t zero_point, int32_t qmin, int32_t qmax) {
  int32_t low = qmin - zero_point, high = qmax - zero_point;
  if (mask) memset(mask, 0, (size_t)((n + 7) / 8));
  for (int64_t i = 0; i < n; i++) {
    int32_t k = steps(x[i], inverse_scale, (float)(low - 1), (float)(high + 1));
    bool inside = low <= k && k <= high;
    if (mask && inside) mask[i / 8] |= (uint8_t)(1 << i % 8);
    y[i] = scale * (float)(k < low ? low : k > high ? high : k);
  }
}
