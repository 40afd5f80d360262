#include "level.h"

#include <math.h>

static float masked(const rung_gradient *gradient, int64_t i, int64_t j) {
  if (gradient->mask && !(gradient->mask[i * gradient->mask_stride + j / 8] >> j % 8 & 1)) return 0.0f;
  return gradient->g[i * gradient->stride + j];
}

static float scaled(const rung_gradient *gradient, float g, int64_t j) {
  return gradient->column_scale ? g * gradient->column_scale[j] : g;
}

void RUNG_AT_LEVEL(gradient_range)(const rung_gradient *gradient, float *max, float *max_scaled, float *column_sum,
                                   bool accumulate) {
  *max = *max_scaled = 0.0f;
  for (int64_t j = 0; j < gradient->columns; j++) {
    float sum = column_sum && accumulate ? column_sum[j] : 0.0f;
    for (int64_t i = 0; i < gradient->rows; i++) {
      float g = masked(gradient, i, j), h = fabsf(scaled(gradient, g, j));
      *max = fabsf(g) > *max ? fabsf(g) : *max;
      *max_scaled = h > *max_scaled ? h : *max_scaled;
      sum += g;
    }
    if (column_sum) column_sum[j] = sum;
  }
}

/* In units of 2^-15: 15 random bits are added below the point before the fraction is cut off. */
static int8_t quantize(float x, float inverse_scale, uint32_t random) {
  const float most = 127.0f * 32768.0f;
  float v = x * (inverse_scale * 32768.0f);
  v = v > -most ? v : -most;
  v = v < most ? v : most;
  return (int8_t)(((int32_t)rintf(v) + (int32_t)random) >> 15);
}

void RUNG_AT_LEVEL(gradient_quantize)(const rung_gradient *gradient, const rung_gradient_codes *to) {
  for (int64_t i = 0; i < gradient->rows; i++) {
    uint64_t key = rung_gradient_row_key(to->key, to->first_row + i);
    for (int64_t j = 0; j < gradient->columns; j++) {
      uint32_t bits = rung_gradient_bits(key, (uint32_t)(to->first_column + j));
      float g = masked(gradient, i, j);
      if (to->q) to->q[i * to->q_stride + j] = quantize(g, to->inverse_scale, bits >> 17);
      if (to->q_scaled)
        to->q_scaled[i * to->q_scaled_stride + j] =
            quantize(scaled(gradient, g, j), to->inverse_scale_scaled, bits & 0x7fff);
    }
  }
}
