/* Quantized graphs, as they are made, asked and told. */
#include "quantization.h"
#include "fold.h"
#include "ops/quantized_ops.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static rung_status check_bound(const rung_graph *graph) {
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (rung_node_is_input(node) && !rung_graph_bound(node))
      return rung_fail(RUNG_ERROR_STATE,
                       "quantize: no data is bound to '%s'; what its numbers are decides how it is read", node->name);
  }
  return RUNG_OK;
}

static rung_status allocate(rung_quantization *quantization, rung_graph *graph) {
  const size_t nodes = (size_t)rung_graph_node_count(graph);
  quantization->source = graph;
  quantization->quantizer = calloc(nodes, sizeof(rung_quantizer *));
  quantization->grid = calloc(nodes, sizeof(rung_quantizer *));
  quantization->weight_scale = calloc(nodes, sizeof(rung_node *));
  quantization->activation_scale = calloc(nodes, sizeof(rung_node *));
  if (!quantization->quantizer || !quantization->grid || !quantization->weight_scale || !quantization->activation_scale)
    return rung_fail(RUNG_ERROR_MEMORY, "quantize: no memory");
  quantization->given = rung_graph_new(&(rung_graph_options){.team = rung_graph_team(graph)});
  quantization->learned = rung_graph_new(&(rung_graph_options){.team = rung_graph_team(graph)});
  return quantization->given && quantization->learned ? RUNG_OK : RUNG_ERROR_MEMORY;
}

rung_quantization *rung_quantization_new(rung_graph *graph, const rung_scheme *scheme) {
  if (rung_scheme_check(scheme) != RUNG_OK || rung_graph_status(graph) != RUNG_OK || check_bound(graph) != RUNG_OK ||
      rung_scheme_check_names(scheme, graph) != RUNG_OK)
    return NULL;
  rung_quantization *quantization = calloc(1, sizeof *quantization);
  if (!quantization) {
    rung_fail(RUNG_ERROR_MEMORY, "quantize: no memory");
    return NULL;
  }
  quantization->scheme = *scheme;
  rung_status status = allocate(quantization, graph);
  if (status == RUNG_OK && scheme->batch_norm == RUNG_BATCH_NORM_FOLD) fold_batch_norms(graph);
  if (status == RUNG_OK) status = quantization_lower(quantization, RUNG_ARITHMETIC_INTEGER);
  if (status == RUNG_OK) status = quantization_lower(quantization, RUNG_ARITHMETIC_SIMULATED);
  quantization->scheme.layers = NULL; /* the caller's, and read */
  quantization->scheme.layer_count = 0;
  if (status == RUNG_OK) return quantization;
  rung_quantization_free(quantization);
  return NULL;
}

void rung_quantization_free(rung_quantization *quantization) {
  if (!quantization) return;
  for (int i = 0; quantization->quantizer && i < rung_graph_node_count(quantization->source); i++)
    rung_quantizer_free(quantization->quantizer[i]);
  for (int a = 0; a < 2; a++) {
    rung_graph_free(quantization->graph[a]);
    free(quantization->images[a]);
  }
  rung_graph_free(quantization->given);
  rung_graph_free(quantization->learned);
  free(quantization->weight_scale);
  for (int i = 0; quantization->grid && i < rung_graph_node_count(quantization->source); i++)
    rung_quantizer_free(quantization->grid[i]);
  free(quantization->grid);
  free(quantization->activation_scale);
  free(quantization->quantizer);
  free(quantization);
}

rung_graph *rung_quantization_graph(const rung_quantization *quantization, rung_arithmetic arithmetic) {
  return quantization->graph[arithmetic];
}

rung_node *rung_quantization_node(const rung_quantization *quantization, rung_arithmetic arithmetic,
                                  const rung_node *node) {
  const image *im = &quantization->images[arithmetic][node->index];
  return im->grid ? im->grid : im->exact;
}

int rung_quantization_quantizer_count(const rung_quantization *quantization) {
  int count = 0;
  for (int i = 0; i < rung_graph_node_count(quantization->source); i++) count += quantization->quantizer[i] != NULL;
  return count;
}

rung_quantizer *rung_quantization_quantizer(const rung_quantization *quantization, int index) {
  for (int i = 0; i < rung_graph_node_count(quantization->source); i++)
    if (quantization->quantizer[i] && index-- == 0) return quantization->quantizer[i];
  return NULL;
}

rung_quantizer *rung_quantization_quantizer_of(const rung_quantization *quantization, const rung_node *node) {
  return quantization->quantizer[node->index];
}

rung_graph *rung_quantization_given(const rung_quantization *quantization) {
  return quantization->given;
}

rung_graph *rung_quantization_learned(const rung_quantization *quantization) {
  return quantization->learned;
}

static rung_node *weight_scale_of(const rung_quantization *quantization, const rung_node *linear) {
  const bool good = linear && linear->op == &rung_op_linear && linear->graph == quantization->source;
  return good ? quantization->weight_scale[linear->input[1]->index] : NULL;
}

rung_status rung_quantization_set_weight_scale(rung_quantization *quantization, const rung_node *linear,
                                               const float *scale) {
  rung_node *operand = weight_scale_of(quantization, linear);
  if (!operand)
    return rung_fail(RUNG_ERROR_ARGUMENT, "weight scale: '%s' is no linear layer of the float graph",
                     linear ? linear->name : "NULL");
  const int64_t count = rung_tensor_count(&operand->value);
  for (int64_t i = 0; scale && i < count; i++)
    if (!(scale[i] >= FLT_MIN && scale[i] <= FLT_MAX))
      return rung_fail(RUNG_ERROR_ARGUMENT, "%s: value %lld is %g, expected a positive, normal number", operand->name,
                       (long long)i, (double)scale[i]);
  if (scale)
    memcpy(operand->value.data, scale, (size_t)count * sizeof(float));
  else
    memset(operand->value.data, 0, (size_t)count * sizeof(float));
  rung_quantization_refresh(quantization);
  return RUNG_OK;
}

const rung_tensor *rung_quantization_weight_scale(const rung_quantization *quantization, const rung_node *linear) {
  const rung_node *operand = weight_scale_of(quantization, linear);
  return operand ? &operand->value : NULL;
}

void rung_quantization_refresh(rung_quantization *quantization) {
  rung_graph *graph = quantization->graph[RUNG_ARITHMETIC_INTEGER];
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    rung_node *node = rung_graph_node(graph, i);
    if (node->op == &quantized_linear_op) quantized_linear_refresh(node);
    if (node->op == &merged_linear_op) merged_linear_refresh(node);
  }
}

static void make_integers(void *context, int ith, int nth) {
  rung_graph *graph = context;
  const rung_replay replay = {.ith = ith, .nth = nth, .team = rung_graph_team(graph)};
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    rung_node *node = rung_graph_node(graph, i);
    rung_team_barrier(replay.team);
    if (ith == 0 && node->op->prepare) node->op->prepare(node, &replay);
    rung_team_barrier(replay.team);
    if (node->op == &quantized_linear_op) quantized_linear_make(node, &replay);
    if (node->op == &merged_linear_op) merged_linear_make(node, &replay);
  }
}

void rung_quantization_make_integers(rung_quantization *quantization) {
  rung_graph *graph = quantization->graph[RUNG_ARITHMETIC_INTEGER];
  rung_team_run(rung_graph_team(graph), make_integers, graph);
}

rung_status rung_quantization_observe(rung_quantization *quantization) {
  for (int i = 0; i < rung_graph_node_count(quantization->source); i++) {
    if (!quantization->quantizer[i]) continue;
    const rung_tensor *value = &rung_graph_node(quantization->source, i)->value;
    rung_status status = rung_quantizer_observe(quantization->quantizer[i], value->data, rung_tensor_count(value));
    if (status != RUNG_OK) return status;
  }
  rung_quantization_refresh(quantization);
  return RUNG_OK;
}

void rung_quantization_set_state(rung_quantization *quantization, rung_quantizer_state state) {
  for (int i = 0; i < rung_graph_node_count(quantization->source); i++)
    if (quantization->quantizer[i]) quantization->quantizer[i]->state = state;
}
