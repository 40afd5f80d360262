/* The clip with the least squared error: over the candidates a of a grid in [least, 1],
 *
 *   E(a) = sum_i (w_i - s q_i)^2,   s = a max|w| / qmax,   q_i = clamp(rne(w_i / s), -qmax, qmax),             (eq. 45)
 *
 * the largest a winning ties. The mean magnitude of binary weights has the least error already. */
#include "ptq.h"

#include <math.h>

static double squared_error(const float *w, int64_t n, float scale, int32_t qmax) {
  const float inverse = 1 / scale;
  double error = 0;
  for (int64_t i = 0; i < n; i++) {
    float q = fminf(fmaxf(rintf(w[i] * inverse), (float)-qmax), (float)qmax);
    double e = (double)w[i] - (double)(scale * q);
    error += e * e;
  }
  return error;
}

static float best_scale(const rung_format *format, const float *w, int64_t n, const rung_mse_options *options) {
  const float largest = rung_ptq_max_scale(format, w, n);
  int32_t qmin, qmax;
  rung_format_range(format, &qmin, &qmax);
  if (format->bits == 1) return largest;
  float best = largest;
  double least_error = INFINITY;
  for (int step = options->steps; step > 0; step--) {
    const float part = (float)step / (float)options->steps, scale = part * largest;
    if (part < options->least || !isnormal(scale)) break;
    double error = squared_error(w, n, scale, qmax);
    if (error >= least_error) continue;
    least_error = error;
    best = scale;
  }
  return best;
}

enum { STEPS = 100 };
#define LEAST 0.2f

float ptq_scale(const rung_format *format, const float *w, int64_t n, bool search) {
  if (!search) return rung_ptq_max_scale(format, w, n);
  return best_scale(format, w, n, &(rung_mse_options){.steps = STEPS, .least = LEAST});
}

void ptq_find_scales(rung_ptq_layer *layer, bool search) {
  for (int64_t s = 0; s < rung_ptq_scale_count(layer); s++) {
    int64_t n;
    const float *w = rung_ptq_scaled_weights(layer, s, &n);
    layer->scale[s] = ptq_scale(&layer->format, w, n, search);
  }
}

static rung_status check(const rung_mse_options *options) {
  if (options->steps < 0 || options->steps > 10000)
    return rung_fail(RUNG_ERROR_ARGUMENT, "ptq: mse steps %d, expected 1..10000", options->steps);
  if (!(options->least >= 0 && options->least <= 1))
    return rung_fail(RUNG_ERROR_ARGUMENT, "ptq: mse least %g, expected 0..1", (double)options->least);
  return RUNG_OK;
}

rung_status rung_ptq_mse(rung_ptq_layer *layer, const rung_mse_options *options) {
  rung_mse_options filled = options ? *options : (rung_mse_options){0};
  rung_status status = check(&filled);
  if (status == RUNG_OK) status = rung_ptq_check_layer(layer, false);
  if (status != RUNG_OK) return status;
  if (filled.steps == 0) filled.steps = STEPS;
  if (filled.least == 0) filled.least = LEAST;
  for (int64_t s = 0; s < rung_ptq_scale_count(layer); s++) {
    int64_t n;
    float *w = rung_ptq_scaled_weights(layer, s, &n);
    layer->scale[s] = best_scale(&layer->format, w, n, &filled);
    rung_ptq_round(&layer->format, w, n, layer->scale[s]);
  }
  return RUNG_OK;
}

static rung_status round_layer(rung_ptq_layer *layer, const rung_ptq_options *options) {
  return rung_ptq_mse(layer, &options->mse);
}

static rung_status check_options(const rung_ptq_options *options) {
  return check(&options->mse);
}

const ptq_method mse_method = {.name = "mse", .phase = RUNG_PTQ_ROUNDING, .round = round_layer, .check = check_options};
