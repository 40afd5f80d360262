/* LSQ, a learned step size (Esser et al., ICLR 2020). v the values that share a step s, of N features (weights that
 * share it; elements of an example), integers qmin .. qmax:
 *
 *   start     s = 2 mean|v| / sqrt(qmax); of binary weights mean|v|, where their squared error is least       (eq. 21)
 *   forward   y = s q,  q = rne(clamp(v / s, qmin, qmax))                                                    (eq. 20)
 *   backward  dv = dy where qmin < v / s < qmax, else 0
 *             ds = g sum dy (q - v / s inside; q outside),  g = 1 / sqrt(N qmax)                             (eq. 22)
 *
 * Binary weights are s sign(v), so ds is the sum of dy q, and dv = dy where |v| <= 1 (as in max.c). */
#include "../qat.h"
#include "../qparams.h"

#include <math.h>

static float start(double mean_magnitude, int32_t qmax) {
  return qparams_normal_scale((float)(2 * mean_magnitude / sqrt((double)qmax)));
}

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

static float weight_scale(const rung_format *format, const float *w, int64_t n) {
  int32_t qmin, qmax;
  rung_format_range(format, &qmin, &qmax);
  const double mean = qparams_mean_magnitude(w, n);
  return format->bits == 1 ? qparams_normal_scale((float)mean) : start(mean, qmax);
}

static double binary_backward(float *g, const float *w, const int8_t *q, int64_t n) {
  double lane[QAT_LANES] = {0};
  QAT_ADD(lane, n, i, (double)(g[i] * (float)q[i]))
  for (int64_t i = 0; i < n; i++) g[i] = fabsf(w[i]) > 1 ? 0 : g[i];
  return qat_sum(lane);
}

/* Outside of the range q is its end already. */
static inline double weight_term(float *g, float v, float q, float low, float high) {
  const bool inside = low < v && v < high;
  const float term = *g * (q - (inside ? v : 0));
  *g = inside ? *g : 0;
  return (double)term;
}

static double weight_backward(const rung_format *format, float *g, const float *w, const int8_t *q, int64_t n,
                              float scale) {
  int32_t qmin, qmax;
  rung_format_range(format, &qmin, &qmax);
  const float low = (float)qmin, high = (float)qmax, inverse = 1 / scale;
  double lane[QAT_LANES] = {0};
  if (format->bits == 1) return binary_backward(g, w, q, n);
  QAT_ADD(lane, n, i, weight_term(&g[i], w[i] * inverse, (float)q[i], low, high))
  return qat_sum(lane);
}

const weight_method lsq_weights = {.name = "lsq",
                                   .least_bits = 1,
                                   .most_bits = 8,
                                   .learns = true,
                                   .scale = weight_scale,
                                   .quantize = qparams_quantize_weights,
                                   .backward = weight_backward};

/* ---- Activations ------------------------------------------------------------------------------------------------ */

static float calibrate(const rung_format *format, double mean_magnitude, float observed) {
  int32_t qmin, qmax;
  (void)observed;
  rung_format_range(format, &qmin, &qmax);
  return mean_magnitude > 0 ? start(mean_magnitude, qmax) : 1;
}

static float step(float value, int32_t qmax) {
  (void)qmax;
  return value;
}

static inline double term(float *g, float v, float low, float high) {
  const float most = 0x1.8p23f; /* x + most - most is x, rounded to nearest even */
  const bool inside = low < v && v < high;
  const float of_step = inside ? (v + most) - most - v : v <= low ? low : high, sum = *g * of_step;
  *g = inside ? *g : 0;
  return (double)sum;
}

static double backward(float *g, const float *x, int64_t n, const activation_grid *grid) {
  const float low = (float)grid->qmin, high = (float)grid->qmax, inverse = 1 / grid->scale;
  double lane[QAT_LANES] = {0};
  QAT_ADD(lane, n, i, term(&g[i], x[i] * inverse, low, high))
  return qat_sum(lane);
}

static double gradient(double sum, float parameter, int64_t features, int32_t qmax, float clip_decay) {
  (void)parameter, (void)clip_decay;
  return sum / sqrt((double)features * qmax);
}

const activation_method lsq_activations = {.name = "lsq",
                                           .calibrate = calibrate,
                                           .parameter = step,
                                           .scale = step,
                                           .backward = backward,
                                           .gradient = gradient};
