/* What layers share: their parameters. */
#ifndef RUNG_LAYER_H
#define RUNG_LAYER_H

#include <rung/nn.h>

#include <stdio.h>
#include <string.h>

/* Elements of an example: x [n, ...] seen as [n, columns]. */
static inline int64_t layer_columns(const rung_node *x) {
  return rung_tensor_matrix(&x->value, false).stride;
}

/* The parameter "LAYER.PART", every element of it `value`. */
static inline rung_node *layer_parameter(rung_graph *graph, const char *layer, const char *part, rung_shape shape,
                                         float value) {
  size_t size = strlen(layer) + strlen(part) + sizeof ".";
  char *name = rung_arena_allocate(rung_graph_arena(graph), size);
  if (!name) return rung_graph_fail(graph, RUNG_ERROR_MEMORY);
  snprintf(name, size, "%s.%s", layer, part);
  rung_node *parameter = rung_graph_parameter(graph, name, shape);
  if (!parameter) return NULL;
  float *element = parameter->value.data;
  for (int64_t i = 0; i < rung_tensor_count(&parameter->value); i++) element[i] = value;
  return parameter;
}

#endif
