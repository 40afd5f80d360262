/* exp, log, tanh, erf, the logistic function and the normal tail on a vector: operation for operation those of
 * ref/functions.h, which says why. */
#ifndef RUNG_VECTOR_FUNCTIONS_H
#define RUNG_VECTOR_FUNCTIONS_H

#include "simd.h"
#include "vector/coefficients.h"

#include <math.h>

typedef uint32_t vu __attribute__((vector_size(4 * VW), may_alias));

static inline vf vf_abs(vf x) {
  return (vf)((vi)x & vi_set(0x7fffffff));
}
static inline vf vf_copy_sign(vf magnitude, vf sign) {
  return (vf)((vi)magnitude | ((vi)sign & vi_set(INT32_MIN)));
} /* magnitude >= 0 */
static inline vf vf_at_most(float limit, vf x) {
  return vf_min(vf_set(limit), x);
} /* NaN stays */
static inline vf vf_at_least(float limit, vf x) {
  return vf_max(vf_set(limit), x);
}
static inline vf vf_power_of_2(vi k) {
  return (vf)((vu)(k + 127) << 23);
}

static inline __attribute__((always_inline)) vf vf_polynomial(const float *coefficients, int count, vf x) {
  vf y = vf_set(coefficients[0]);
  for (int i = 1; i < count; i++) y = vf_fma(y, x, vf_set(coefficients[i]));
  return y;
}

static inline vf vf_reduced_expm1(vf x, vi *k) {
  vf t = vf_fma(x, vf_set(LOG2_E), vf_set(ROUND_MAGIC));
  vf n = t - vf_set(ROUND_MAGIC);
  vf r = vf_fma(n, vf_set(-LN2_LOW), vf_fma(n, vf_set(-LN2_HIGH), x));
  *k = (vi)t - vi_set(ROUND_MAGIC_BITS);
  return vf_fma(r * r, vf_polynomial(exp_polynomial, COUNT_OF(exp_polynomial), r), r);
}

/* 2^k as two factors, each a normal number for every k that can come: the product is rounded once, be it infinite or
 * subnormal. */
static inline vf vf_exp(vf x) {
  vi k;
  vf p = vf_reduced_expm1(vf_at_least(EXP_MIN, vf_at_most(EXP_MAX, x)), &k);
  vi half = k >> 1;
  return (p + vf_set(1.0f)) * vf_power_of_2(half) * vf_power_of_2(k - half);
}

/* A subnormal is made normal first. With the bits of sqrt(1/2) taken off, the exponent field is k and the fraction
 * field that of 1 + f. */
static inline vf vf_log(vf x) {
  vi subnormal = x < vf_set(0x1p-126f);
  vi bits = (vi)vf_select(subnormal, x * vf_set(0x1p23f), x);
  vi k = (vi)((vu)bits - 0x3f3504f3u) >> 23;
  vf f = (vf)((vu)bits - ((vu)k << 23)) - vf_set(1.0f);
  vf n = vi_to_float(k - (subnormal & vi_set(23)));
  vf y = vf_fma(f * f, vf_polynomial(log_polynomial, COUNT_OF(log_polynomial), f), f);
  y = vf_fma(n, vf_set(LN2_HIGH), vf_fma(n, vf_set(LN2_LOW), y));
  vf special = vf_select(x == vf_set(0.0f), vf_set(-INFINITY), vf_select(x > vf_set(0.0f), x, vf_set(NAN)));
  return vf_select((x > vf_set(0.0f)) & (x < vf_set(INFINITY)), y, special);
}

static inline vf vf_tanh(vf x) {
  vi k;
  vf p = vf_reduced_expm1(vf_at_most(TANH_MAX, vf_abs(x)) * vf_set(2.0f), &k);
  vf power = vf_power_of_2(k);
  vf e = vf_fma(power, p, power - vf_set(1.0f));
  return vf_copy_sign(e / (e + vf_set(2.0f)), x);
}

static inline vf vf_erf(vf x) {
  vf a = vf_abs(x);
  vf small = vf_fma(x, vf_polynomial(erf_small_polynomial, COUNT_OF(erf_small_polynomial), x * x), x);
  vf g = vf_polynomial(erf_large_polynomial, COUNT_OF(erf_large_polynomial), vf_at_most(ERF_MAX, a));
  vf large = vf_copy_sign(vf_set(1.0f) - vf_exp(g), x);
  return vf_select(a < vf_set(1.0f), small, large);
}

static inline vf vf_sigmoid(vf x) {
  vf one = vf_set(1.0f), e = vf_exp(-vf_abs(x));
  return vf_select(x < vf_set(0.0f), e, one) / (one + e);
}

static inline void vf_normal_tail(vf a, vf *gauss, vf *ratio) {
  vf inverse = vf_set(1.0f) / (a + vf_set(TAIL_SHIFT));
  vf t = a * inverse;
  *ratio = inverse * vf_polynomial(tail_polynomial, COUNT_OF(tail_polynomial), t);
  vf square = a * a, error = vf_fma(a, a, -square);
  vf e = vf_exp(vf_set(-0.5f) * square);
  *gauss = vf_fma(e, vf_set(-0.5f) * error, e);
}

#endif
