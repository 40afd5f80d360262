/* The batch norm layer: scale, shift and running statistics of its own. */
#include "layer.h"

#define MOMENTUM 0.1f
#define EPSILON  1e-5f

rung_node *rung_batch_norm(rung_node *x, const char *name) {
  if (!x) return NULL;
  if (!name)
    return rung_graph_fail(x->graph, rung_fail(RUNG_ERROR_ARGUMENT, "batch_norm: the name is NULL, expected a string"));
  const rung_shape shape = RUNG_SHAPE(layer_columns(x));
  rung_node *scale = layer_parameter(x->graph, name, "weight", shape, 1);
  rung_node *shift = layer_parameter(x->graph, name, "bias", shape, 0);
  rung_node *mean = layer_parameter(x->graph, name, "running_mean", shape, 0);
  rung_node *variance = layer_parameter(x->graph, name, "running_var", shape, 1);
  return rung_batch_norm_with(x, scale, shift, mean, variance, MOMENTUM, EPSILON);
}
