/* Ternary weight networks (Li and Liu, 2016), over the weights that share a scale:
 *
 *   t = 0.7 mean|w|,  s = mean of |w| over |w| > t,  q = sign(w) where |w| > t, else 0,  dw = dy                 (eq.
 * 27) */
#include "../qat.h"
#include "../qparams.h"

#include <math.h>

static float threshold_of(const float *w, int64_t n) {
  return (float)(0.7 * qparams_mean_magnitude(w, n));
}

static float scale_of(const rung_format *format, const float *w, int64_t n) {
  const float threshold = threshold_of(w, n);
  double sum[QAT_LANES] = {0}, count[QAT_LANES] = {0};
  (void)format;
  QAT_ADD(sum, n, i, fabsf(w[i]) > threshold ? (double)fabsf(w[i]) : 0)
  QAT_ADD(count, n, i, fabsf(w[i]) > threshold)
  const double above = qat_sum(count);
  return above > 0 ? qparams_normal_scale((float)(qat_sum(sum) / above)) : 1;
}

static void quantize(const rung_format *format, const float *w, int64_t n, float scale, float threshold, int8_t *q) {
  (void)format, (void)scale;
  for (int64_t i = 0; i < n; i++) q[i] = (int8_t)((w[i] > threshold) - (w[i] < -threshold));
}

const weight_method ternary_weights = {.name = "ternary",
                                       .least_bits = 2,
                                       .most_bits = 2,
                                       .scale = scale_of,
                                       .threshold = threshold_of,
                                       .quantize = quantize};
