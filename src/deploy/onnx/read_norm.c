/* BatchNormalization, as trained: the running statistics come in, and go on being parameters. */
#include "import.h"

#include <math.h>

enum { x_input, scale_input, shift_input, mean_input, variance_input };

static const char *const parts[] = {NULL, "weight", "bias", "running_mean", "running_var"};

static const char *layer_name(import_node *node) {
  for (int k = scale_input; k <= variance_input; k++) {
    const char *layer = import_layer_name(node->in, node->input[k]->name, parts[k]);
    if (layer) return layer;
  }
  return import_layer_number(node->in, "batch_norm");
}

static rung_status check(import_node *node, const rung_node *x) {
  char have[RUNG_SHAPE_TEXT];
  if (x->value.shape.rank != 2)
    return import_refuse(node, "its input is %s, expected [batch, d]",
                         rung_shape_format(&x->value.shape, have, sizeof have));
  for (int k = scale_input; k <= variance_input; k++) {
    const import_tensor *tensor = import_known(node, k, true);
    if (!tensor) return rung_error_status();
    if (tensor->count != x->value.shape.extent[1])
      return import_refuse(node, "'%.80s' has %lld numbers, expected %lld", node->input[k]->name,
                           (long long)tensor->count, (long long)x->value.shape.extent[1]);
  }
  return RUNG_OK;
}

rung_status import_batch_norm(import_node *node) {
  const float epsilon = import_attribute_float(node, "epsilon", 1e-5f);
  const float kept = import_attribute_float(node, "momentum", 0.9f); /* of the running statistics, by each batch */
  const float momentum = rintf((1 - kept) * 1e6f) / 1e6f;            /* 0.1f again, of a 0.9f */
  import_attribute_int(node, "spatial", 1);
  if (import_attribute_int(node, "training_mode", 0) != 0)
    return import_refuse(node, "it is in training mode; export the model in evaluation mode");
  rung_node *x = import_input(node, x_input), *parameter[variance_input + 1];
  if (!x || check(node, x) != RUNG_OK) return rung_error_status();
  const char *layer = layer_name(node);
  for (int k = scale_input; k <= variance_input; k++) {
    parameter[k] = import_parameter(node->in, layer, parts[k], RUNG_SHAPE(x->value.shape.extent[1]));
    if (!parameter[k]) return import_blame(node, rung_error_status());
    float *value = parameter[k]->value.data;
    for (int64_t j = 0; j < x->value.shape.extent[1]; j++) value[j] = import_real(&node->input[k]->tensor, j);
  }
  return import_output_node(node,
                            rung_batch_norm_with(x, parameter[scale_input], parameter[shift_input],
                                                 parameter[mean_input], parameter[variance_input], momentum, epsilon));
}
