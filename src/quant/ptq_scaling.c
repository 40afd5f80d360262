/* What transforms share: moving a scale from a layer to the one before it. */
#include "ptq.h"

#include <math.h>

bool ptq_passes_scale(const rung_ptq_layer *layer) {
  return layer->before && layer->before->clamp != RUNG_CLAMP_RELU6;
}

rung_status ptq_check_pair(const rung_ptq_layer *layer) {
  const rung_ptq_layer *before = layer->before;
  if (!before)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "no layer before %s takes the inverse of its scales", layer->name);
  if (!ptq_passes_scale(layer))
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s reads %s through a ReLU6, which no scale passes", layer->name,
                     before->name);
  if (before->out != layer->in || layer->in < 1 || layer->out < 1 || !layer->weight || !before->weight)
    return rung_fail(RUNG_ERROR_SHAPE, "ptq: %s: takes %lld inputs, %s gives %lld", layer->name, (long long)layer->in,
                     before->name, (long long)before->out);
  return RUNG_OK;
}

void ptq_move_scale(rung_ptq_layer *layer, int64_t j, float s) {
  rung_ptq_layer *before = layer->before;
  for (int64_t i = 0; i < layer->out; i++) layer->weight[i * layer->in + j] *= s;
  for (int64_t k = 0; k < before->in; k++) before->weight[j * before->in + k] /= s;
  if (before->bias) before->bias[j] /= s;
}

float ptq_column_max(const rung_ptq_layer *layer, int64_t j) {
  float largest = 0;
  for (int64_t i = 0; i < layer->out; i++) largest = fmaxf(largest, fabsf(layer->weight[i * layer->in + j]));
  return largest;
}

float ptq_power(float base, float exponent) {
  const rung_kernels *kernels = rung_kernels_active();
  float logarithm, power;
  kernels->log(&logarithm, &base, 1);
  logarithm *= exponent;
  kernels->exp(&power, &logarithm, 1);
  return power;
}
