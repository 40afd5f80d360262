/* The batch norm layer: scale, shift and running statistics of its own. */
#include "layer.h"

rung_batch_norm_options rung_batch_norm_defaults(void) {
  return (rung_batch_norm_options){.momentum = 0.1f, .epsilon = 1e-5f};
}

rung_node *rung_batch_norm_init(rung_node *x, const char *name, const rung_batch_norm_options *options) {
  if (!x) return NULL;
  if (!name)
    return rung_graph_fail(x->graph, rung_fail(RUNG_ERROR_ARGUMENT, "batch_norm: the name is NULL, expected a string"));
  rung_batch_norm_options by = rung_batch_norm_defaults();
  if (options && options->momentum != 0) by.momentum = options->momentum;
  if (options && options->epsilon != 0) by.epsilon = options->epsilon;
  const rung_shape shape = RUNG_SHAPE(options && options->whole ? 1 : layer_columns(x));
  rung_node *scale = layer_parameter(x->graph, name, "weight", shape, 1);
  rung_node *shift = layer_parameter(x->graph, name, "bias", shape, 0);
  rung_node *mean = layer_parameter(x->graph, name, "running_mean", shape, 0);
  rung_node *variance = layer_parameter(x->graph, name, "running_var", shape, 1);
  return rung_batch_norm_with(x, scale, shift, mean, variance, by.momentum, by.epsilon);
}

rung_node *rung_batch_norm(rung_node *x, const char *name) {
  return rung_batch_norm_init(x, name, NULL);
}
