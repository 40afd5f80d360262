/* The scale from the weights as they stand, the largest magnitude on the last integer (eq. 5):
 *
 *   s = max|w| / qmax,  q = rne(w / s),  dw = dy; with a scale from outside, where w is not clamped (eq. 6)
 *
 * Binary (Rastegari et al., XNOR-Net, 2016; the cut is that of Courbariaux et al., BinaryConnect, 2015):
 *
 *   s = mean|w|,  q = sign(w), that of 0 being +1,  dw = dy where |w| <= 1, else 0 */
#include "../qat.h"
#include "../qparams.h"

#include <math.h>

/* qmax is odd, so half a step beyond it is rounded away from it. */
static double mask(const rung_format *format, float *g, const float *w, const int8_t *q, int64_t n, float scale) {
  int32_t qmin, qmax;
  (void)q;
  rung_format_range(format, &qmin, &qmax);
  const float inverse = 1 / scale, end = (float)qmax + 0.5f;
  for (int64_t i = 0; i < n; i++) g[i] = fabsf(w[i] * inverse) < end ? g[i] : 0;
  return 0;
}

static double cut(const rung_format *format, float *g, const float *w, const int8_t *q, int64_t n, float scale) {
  (void)format, (void)q, (void)scale;
  for (int64_t i = 0; i < n; i++) g[i] = fabsf(w[i]) > 1 ? 0 : g[i];
  return 0;
}

const weight_method max_weights = {.name = "max",
                                   .least_bits = 1,
                                   .most_bits = 8,
                                   .scale = qparams_weight_scale,
                                   .quantize = qparams_quantize_weights,
                                   .backward = mask,
                                   .masks_given = true};

const weight_method binary_weights = {.name = "binary",
                                      .least_bits = 1,
                                      .most_bits = 1,
                                      .scale = qparams_weight_scale,
                                      .quantize = qparams_quantize_weights,
                                      .backward = cut};
