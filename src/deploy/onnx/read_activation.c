/* Relu, Clip, Sigmoid and Tanh. */
#include "import.h"

#include <float.h>
#include <math.h>

static rung_status unary(import_node *node, rung_node *(*record)(rung_node *x)) {
  rung_node *x = import_input(node, 0);
  return x ? import_output_node(node, record(x)) : rung_error_status();
}

rung_status import_relu(import_node *node) {
  return unary(node, rung_relu);
}
rung_status import_sigmoid(import_node *node) {
  return unary(node, rung_sigmoid);
}
rung_status import_tanh(import_node *node) {
  return unary(node, rung_tanh);
}

/* A bound of a Clip: an attribute before opset 11, an input since. */
static rung_status read_bound(import_node *node, const char *attribute, int index, float otherwise, float *bound) {
  *bound = import_attribute_float(node, attribute, otherwise);
  if (!import_has_input(node, index)) return RUNG_OK;
  const import_tensor *tensor = import_known(node, index, true);
  if (!tensor) return rung_error_status();
  if (tensor->count != 1) return import_refuse(node, "its %simum is no single number", attribute);
  *bound = import_real(tensor, 0);
  return RUNG_OK;
}

/* Of integers behind a QuantizeLinear: fewer bits than their type has. */
static rung_status clip_integers(import_node *node, import_value *value) {
  const import_tensor *low = import_known(node, 1, false), *high = low ? import_known(node, 2, false) : NULL;
  if (!high) return rung_error_status();
  if (low->count != 1 || high->count != 1 || !value->range || value->range->clamped)
    return import_refuse(node, "its bounds are no single integers, or it is the second one");
  value->range->clamped = true;
  value->range->qmin = import_integer(low, 0);
  value->range->qmax = import_integer(high, 0);
  return import_output_value(node, value);
}

rung_status import_clip(import_node *node) {
  import_value *value = import_has_input(node, 0) ? node->input[0] : NULL;
  if (value && value->node && value->grid.type && !value->dequantized) return clip_integers(node, value);
  float low, high;
  rung_status status = read_bound(node, "min", 1, -INFINITY, &low);
  if (status == RUNG_OK) status = read_bound(node, "max", 2, INFINITY, &high);
  if (status != RUNG_OK) return status;
  if (low == 0 && high == 6) return unary(node, rung_relu6);
  if (low == 0 && high >= FLT_MAX) return unary(node, rung_relu);
  return import_refuse(node, "its bounds are %g and %g, expected 0 and 6 (ReLU6), or 0 and none (ReLU)", (double)low,
                       (double)high);
}
