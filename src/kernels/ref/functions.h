/* exp, log, tanh, erf, the logistic function and the normal tail on one float: the definition that every vector level
 * equals to the bit. */
#ifndef RUNG_REF_FUNCTIONS_H
#define RUNG_REF_FUNCTIONS_H

#include "vector/coefficients.h"

#include <math.h>
#include <stdint.h>

static inline float ref_polynomial(const float *coefficients, int count, float x) {
  float y = coefficients[0];
  for (int i = 1; i < count; i++) y = fmaf(y, x, coefficients[i]);
  return y;
}

static inline float ref_at_most(float limit, float x) {
  return x > limit ? limit : x;
} /* NaN stays */

/* x = k ln 2 + r with |r| <= ln(2) / 2; returns e^r - 1. The product with 1/ln 2 is exact in double, so that k is
 * rounded once; x - k LN2_HIGH is exact. */
static inline float ref_reduced_expm1(float x, int *k) {
  float n = (float)rint((double)x * (double)LOG2_E);
  float r = fmaf(n, -LN2_LOW, fmaf(n, -LN2_HIGH, x));
  *k = (int)n;
  return fmaf(r * r, ref_polynomial(exp_polynomial, COUNT_OF(exp_polynomial), r), r);
}

static inline float ref_exp(float x) {
  if (isnan(x)) return x;
  int k;
  float p = ref_reduced_expm1(fmaxf(EXP_MIN, ref_at_most(EXP_MAX, x)), &k);
  return ldexpf(1.0f + p, k);
}

/* x = 2^k (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2); log x = k ln 2 + f + f^2 q(f). */
static inline float ref_log(float x) {
  if (x == 0.0f) return -INFINITY;
  if (!(x > 0.0f)) return NAN;
  if (isinf(x)) return x;
  int k;
  float m = frexpf(x, &k); /* in [1/2, 1) */
  if (m < SQRT_HALF) {
    m *= 2.0f;
    k--;
  }
  float f = m - 1.0f;
  float y = fmaf(f * f, ref_polynomial(log_polynomial, COUNT_OF(log_polynomial), f), f);
  return fmaf((float)k, LN2_HIGH, fmaf((float)k, LN2_LOW, y));
}

/* With e = e^2|x| - 1: tanh |x| = e / (e + 2). Where k = 0, e = p has lost nothing to the 1. */
static inline float ref_tanh(float x) {
  if (isnan(x)) return x;
  int k;
  float p = ref_reduced_expm1(2.0f * ref_at_most(TANH_MAX, fabsf(x)), &k);
  float power = ldexpf(1.0f, k);
  float e = fmaf(power, p, power - 1.0f);
  return copysignf(e / (e + 2.0f), x);
}

static inline float ref_erf(float x) {
  if (isnan(x)) return x;
  float a = fabsf(x);
  if (a < 1.0f) return fmaf(x, ref_polynomial(erf_small_polynomial, COUNT_OF(erf_small_polynomial), x * x), x);
  float g = ref_polynomial(erf_large_polynomial, COUNT_OF(erf_large_polynomial), ref_at_most(ERF_MAX, a));
  return copysignf(1.0f - ref_exp(g), x);
}

/* e^-|x| never overflows: 1 / (1 + e^-x) for x >= 0, e^x / (1 + e^x) for x < 0. */
static inline float ref_sigmoid(float x) {
  float e = ref_exp(-fabsf(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* The upper tail of the normal distribution at a >= 0 is *gauss times *ratio, *gauss = e^(-a^2 / 2). The square's
 * rounding error, which the exponential would magnify, is taken out of it again to first order. */
static inline void ref_normal_tail(float a, float *gauss, float *ratio) {
  float inverse = 1.0f / (a + TAIL_SHIFT);
  float t = a * inverse;
  *ratio = inverse * ref_polynomial(tail_polynomial, COUNT_OF(tail_polynomial), t);
  float square = a * a, error = fmaf(a, a, -square);
  float e = ref_exp(-0.5f * square);
  *gauss = fmaf(e, -0.5f * error, e);
}

#endif
