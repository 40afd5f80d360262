/* Empirical bias correction (Nagel et al., Data-free quantization through weight equalization and bias correction,
 * 2019, section 4.2): rounding shifts the mean of a layer's output, which the layers behind it feel most. Over the
 * calibration examples,
 *
 *   b[j] += mean (W x_float)[j] - mean (W_q x)[j] = sum_k W[j,k] mean x_float[k] - W_q[j,k] mean x[k],         (eq. 44)
 *
 * W_q the weight as it was rounded to, x what the layer reads in the quantized network, corrected so far. */
#include "ptq.h"

static void column_means(const float *x, int64_t rows, int64_t columns, double *mean) {
  for (int64_t k = 0; k < columns; k++) mean[k] = 0;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < columns; k++) mean[k] += (double)x[i * columns + k];
  for (int64_t k = 0; k < columns; k++) mean[k] /= (double)rows;
}

static rung_status check(const rung_ptq_layer *layer) {
  rung_status status = rung_ptq_check_layer(layer, true);
  if (status != RUNG_OK) return status;
  if (!layer->bias) return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s has no bias to be corrected", layer->name);
  if (!layer->x_float || !layer->weight_float)
    return rung_fail(RUNG_ERROR_ARGUMENT,
                     "ptq: %s: what it computed in float is not known, expected x_float and "
                     "weight_float",
                     layer->name);
  return RUNG_OK;
}

rung_status rung_ptq_correct_bias(rung_ptq_layer *layer) {
  rung_status status = check(layer);
  if (status != RUNG_OK) return status;
  const int64_t in = layer->in;
  double *mean = rung_allocate(2 * (size_t)in * sizeof(double)), *mean_float = mean + in;
  if (!mean) return RUNG_ERROR_MEMORY;
  column_means(layer->x, layer->n, in, mean);
  column_means(layer->x_float, layer->n, in, mean_float);
  for (int64_t j = 0; j < layer->out; j++) {
    const float *w = layer->weight + j * in, *w_float = layer->weight_float + j * in;
    double shift = 0;
    for (int64_t k = 0; k < in; k++) shift += (double)w_float[k] * mean_float[k] - (double)w[k] * mean[k];
    layer->bias[j] = (float)((double)layer->bias[j] + shift);
  }
  rung_release(mean);
  return RUNG_OK;
}

static rung_status correct(rung_ptq_layer *layer, const rung_ptq_options *options) {
  (void)options;
  return rung_ptq_correct_bias(layer);
}

const ptq_method bias_correction_method = {.name = "bias-correction", .phase = RUNG_PTQ_CORRECTION, .correct = correct};
