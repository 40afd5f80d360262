#include "level.h"
#include "ref/functions.h"

static void put(float *dx, float gradient, bool accumulate) {
  *dx = accumulate ? *dx + gradient : gradient;
}

void RUNG_AT_LEVEL(sigmoid)(float *y, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = ref_sigmoid(x[i]);
}

void RUNG_AT_LEVEL(sigmoid_backward)(float *dx, const float *dy, const float *y, int64_t n, bool accumulate) {
  for (int64_t i = 0; i < n; i++) put(&dx[i], dy[i] * (y[i] * (1.0f - y[i])), accumulate);
}

void RUNG_AT_LEVEL(tanh_backward)(float *dx, const float *dy, const float *y, int64_t n, bool accumulate) {
  for (int64_t i = 0; i < n; i++) put(&dx[i], dy[i] * fmaf(-y[i], y[i], 1.0f), accumulate);
}

void RUNG_AT_LEVEL(relu)(float *y, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

void RUNG_AT_LEVEL(relu_backward)(float *dx, const float *dy, const float *x, int64_t n, bool accumulate) {
  for (int64_t i = 0; i < n; i++) put(&dx[i], x[i] > 0.0f ? dy[i] : 0.0f, accumulate);
}

void RUNG_AT_LEVEL(relu6)(float *y, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0.0f ? 0.0f : x[i] > 6.0f ? 6.0f : x[i];
}

void RUNG_AT_LEVEL(relu6_backward)(float *dx, const float *dy, const float *x, int64_t n, bool accumulate) {
  for (int64_t i = 0; i < n; i++) put(&dx[i], x[i] > 0.0f && x[i] < 6.0f ? dy[i] : 0.0f, accumulate);
}

/* x P(X < x) = max(x, 0) - |x| T(|x|), T the upper tail: no cancellation for x < 0, and one rounding at the end. */
void RUNG_AT_LEVEL(gelu)(float *y, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    float a = ref_at_most(TAIL_MAX, fabsf(x[i])), gauss, ratio;
    ref_normal_tail(a, &gauss, &ratio);
    y[i] = fmaf(-(a * ratio), gauss, x[i] < 0.0f ? 0.0f : x[i]);
  }
}

/* The derivative is P(X < x) + x p(x), p the density. With c = T(|x|) - |x| p(x) it is c for x < 0, else 1 - c. */
void RUNG_AT_LEVEL(gelu_backward)(float *dx, const float *dy, const float *x, int64_t n, bool accumulate) {
  for (int64_t i = 0; i < n; i++) {
    float a = ref_at_most(TAIL_MAX, fabsf(x[i])), gauss, ratio;
    ref_normal_tail(a, &gauss, &ratio);
    float c = gauss * fmaf(-INVERSE_SQRT_2PI, a, ratio);
    put(&dx[i], dy[i] * (x[i] < 0.0f ? c : 1.0f - c), accumulate);
  }
}
