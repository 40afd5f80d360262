#include "level.h"

#include <math.h>

void RUNG_AT_LEVEL(add)(float *y, const float *a, const float *b, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

void RUNG_AT_LEVEL(multiply)(float *y, const float *a, const float *b, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = a[i] * b[i];
}

void RUNG_AT_LEVEL(multiply_add)(float *y, const float *a, const float *b, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = fmaf(a[i], b[i], y[i]);
}

void RUNG_AT_LEVEL(scale_add)(float *y, const float *x, float alpha, int64_t n, bool accumulate) {
  for (int64_t i = 0; i < n; i++) y[i] = accumulate ? fmaf(alpha, x[i], y[i]) : alpha * x[i];
}

void RUNG_AT_LEVEL(mask_apply)(float *dx, const float *dy, const uint8_t *mask, int64_t n, bool accumulate) {
  for (int64_t i = 0; i < n; i++) {
    float gradient = mask[i / 8] >> i % 8 & 1 ? dy[i] : 0.0f;
    dx[i] = accumulate ? dx[i] + gradient : gradient;
  }
}
