/* PACT, a learned clip of activations (Choi et al., 2018): alpha is the value of the last integer, s = alpha / qmax.
 *
 *   start     alpha = the end of the calibrated range
 *   forward   y = s q,  q = rne(clamp(x, low, alpha) / s),  low = 0, of signed activations -alpha                (eq.
 * 23) backward  dx = dy where low < x < alpha, else 0 dalpha = sum dy (where x >= alpha; -dy where x <= -alpha of
 * signed ones) + lambda alpha             (eq. 24)
 *
 * the last term the gradient of the penalty lambda alpha^2 / 2. */
#include "../qat.h"

static float calibrate(const rung_format *format, double mean_magnitude, float observed) {
  (void)format, (void)mean_magnitude;
  return observed;
}

static float parameter(float scale, int32_t qmax) {
  return scale * (float)qmax;
}

static float scale(float alpha, int32_t qmax) {
  return alpha / (float)qmax;
}

static inline double term(float *g, float x, float low, float high, float below) {
  const float of_alpha = x >= high ? 1 : x <= low ? below : 0, sum = *g * of_alpha;
  *g = low < x && x < high ? *g : 0;
  return (double)sum;
}

static double backward(float *g, const float *x, int64_t n, const activation_grid *grid) {
  const float high = grid->scale * (float)grid->qmax, low = grid->qmin < 0 ? -high : 0, below = grid->qmin < 0 ? -1 : 0;
  double lane[QAT_LANES] = {0};
  QAT_ADD(lane, n, i, term(&g[i], x[i], low, high, below))
  return qat_sum(lane);
}

static double gradient(double sum, float alpha, int64_t features, int32_t qmax, float clip_decay) {
  (void)features, (void)qmax;
  return sum + (double)clip_decay * (double)alpha;
}

const activation_method pact_activations = {.name = "pact",
                                            .calibrate = calibrate,
                                            .parameter = parameter,
                                            .scale = scale,
                                            .backward = backward,
                                            .gradient = gradient};
