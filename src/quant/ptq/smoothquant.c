/* SmoothQuant (Xiao et al., SmoothQuant: accurate and efficient post-training quantization for large language models,
 * 2023): a few input channels far larger than the others waste the activations' integers. With
 *
 *   s[j] = max|x_j|^alpha / max|w_j|^(1 - alpha)                                                               (eq. 41)
 *
 * the layer before gives x_j / s[j], and column j of the weight is multiplied by s[j]. As in the paper's code the
 * maximum of a column is at least 1e-5, and so is s. A channel that is always 0 stays as it is. */
#include "ptq.h"

#include <math.h>

#define LEAST 1e-5f

static float input_max(const rung_ptq_layer *layer, int64_t j) {
  float largest = 0;
  for (int64_t i = 0; i < layer->n; i++) largest = fmaxf(largest, fabsf(layer->x_float[i * layer->in + j]));
  return largest;
}

static rung_status check(const rung_smooth_options *options) {
  if (options->alpha >= 0 && options->alpha <= 1) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "ptq: smoothquant alpha %g, expected 0..1", (double)options->alpha);
}

rung_status rung_ptq_smooth(rung_ptq_layer *layer, const rung_smooth_options *options) {
  const rung_smooth_options asked = options ? *options : (rung_smooth_options){0};
  rung_status status = check(&asked);
  if (status == RUNG_OK) status = ptq_check_pair(layer);
  if (status != RUNG_OK) return status;
  if (layer->n < 1 || !layer->x_float)
    return rung_fail(RUNG_ERROR_ARGUMENT, "ptq: %s: no calibration examples, expected 1 or more", layer->name);
  const float alpha = asked.alpha > 0 ? asked.alpha : 0.5f;
  for (int64_t j = 0; j < layer->in; j++) {
    const float x = input_max(layer, j), w = fmaxf(ptq_column_max(layer, j), LEAST);
    if (x == 0) continue;
    const float s = ptq_power(x, alpha) / ptq_power(w, 1 - alpha);
    if (isnormal(s)) ptq_move_scale(layer, j, fmaxf(s, LEAST));
  }
  return RUNG_OK;
}

static rung_status check_options(const rung_ptq_options *options) {
  return check(&options->smooth);
}

static rung_status transform(rung_ptq_layer *layer, const rung_ptq_options *options) {
  return rung_ptq_smooth(layer, &options->smooth);
}

const ptq_method smoothquant_method = {
    .name = "smoothquant", .phase = RUNG_PTQ_TRANSFORM, .check = check_options, .transform_layer = transform};
