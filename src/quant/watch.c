/* Weights that oscillate: what a quantized graph is told, and tells, of them. */
#include "ops/quantized_ops.h"
#include "quantization.h"

#include <math.h>
#include <string.h>

/* The integer layer that keeps the weights of `linear` of the source, as a layer of its own or in front of a batch norm
 * that is merged; NULL where there is none. */
static rung_node *layer_of(const rung_quantization *quantization, const rung_node *linear) {
  rung_graph *graph = quantization->graph[RUNG_ARITHMETIC_INTEGER];
  rung_node *node;
  for (int i = 0; linear->op == &rung_op_linear && (node = rung_graph_node(graph, i)) != NULL; i++)
    if (node->op == &quantized_linear_op && strcmp(node->input[1]->name, linear->input[1]->name) == 0) return node;
  return NULL;
}

static rung_status check_share(const char *name, float value) {
  if (value >= 0 && value <= 1) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "oscillation: %s %g, expected 0 .. 1", name, (double)value);
}

static rung_status check_oscillation(const rung_oscillation_options *options) {
  if (!(options->damping >= 0) || isinf(options->damping))
    return rung_fail(RUNG_ERROR_ARGUMENT, "oscillation: damping %g, expected a number that is 0 or more",
                     (double)options->damping);
  rung_status status = check_share("freeze", options->freeze);
  return status == RUNG_OK ? check_share("momentum", options->momentum) : status;
}

rung_status rung_quantization_set_oscillation(rung_quantization *quantization,
                                              const rung_oscillation_options *options) {
  rung_graph *graph = quantization->graph[RUNG_ARITHMETIC_INTEGER];
  rung_oscillation_options *now = &quantization->oscillation;
  rung_status status = check_oscillation(options);
  if (status != RUNG_OK) return status;
  const bool first = !now->watch;
  *now = *options;
  now->watch |= options->damping > 0 || options->freeze > 0;
  if (options->momentum == 0) now->momentum = 0.01f;
  if (!now->watch || !first) return RUNG_OK;
  rung_quantization_make_integers(quantization);
  for (int i = 0; i < rung_graph_node_count(graph) && status == RUNG_OK; i++)
    if (rung_graph_node(graph, i)->op == &quantized_linear_op)
      status = quantized_linear_watch(rung_graph_node(graph, i), now);
  if (status != RUNG_OK) *now = (rung_oscillation_options){0};
  return status;
}

static const oscillation *oscillation_of(const rung_quantization *quantization, const rung_node *linear) {
  const rung_node *layer = layer_of(quantization, linear);
  return layer ? quantized_linear_oscillation(layer) : NULL;
}

rung_oscillation rung_quantization_oscillation(const rung_quantization *quantization, const rung_node *linear) {
  const oscillation *seen = oscillation_of(quantization, linear);
  return seen ? oscillation_count(seen) : (rung_oscillation){0};
}

rung_oscillation_state rung_quantization_oscillation_state(const rung_quantization *quantization,
                                                           const rung_node *linear) {
  const oscillation *seen = oscillation_of(quantization, linear);
  return seen ? seen->state : (rung_oscillation_state){0};
}
