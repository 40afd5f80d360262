#include "fold.h"

#include <math.h>

static int readers(const rung_graph *graph, const rung_node *node) {
  int count = 0;
  for (int i = node->index + 1; i < rung_graph_node_count(graph); i++)
    for (int k = 0; k < RUNG_MAX_INPUTS; k++) count += rung_graph_node(graph, i)->input[k] == node;
  return count;
}

static bool can_fold(const rung_graph *graph, const rung_node *norm) {
  const rung_node *linear = norm->op == &rung_op_batch_norm ? norm->input[0] : NULL;
  if (!linear || linear->op != &rung_op_linear || readers(graph, linear) != 1 || !linear->input[2]) return false;
  for (int k = 1; k < 3; k++)
    if (!rung_node_is_parameter(linear->input[k]) || readers(graph, linear->input[k]) != 1) return false;
  return !fold_is_folded(norm);
}

/* Told by what folding leaves: a batch norm that somebody else froze is no identity. */
bool fold_is_folded(const rung_node *node) {
  if (node->op != &rung_op_batch_norm || node->input[1]->trainable || node->input[2]->trainable) return false;
  const float *scale = node->input[1]->value.data, *shift = node->input[2]->value.data;
  const float *mean = node->input[3]->value.data, *variance = node->input[4]->value.data;
  for (int64_t j = 0; j < rung_tensor_count(&node->input[1]->value); j++)
    if (scale[j] != sqrtf(variance[j] + rung_batch_norm_epsilon(node)) || shift[j] != 0 || mean[j] != 0) return false;
  return true;
}

static void fold(rung_node *norm) {
  const rung_node *linear = norm->input[0];
  float *weight = linear->input[1]->value.data, *bias = linear->input[2]->value.data;
  float *scale = norm->input[1]->value.data, *shift = norm->input[2]->value.data;
  float *mean = norm->input[3]->value.data;
  const float *variance = norm->input[4]->value.data;
  int64_t out = linear->input[1]->value.shape.extent[0], in = linear->input[1]->value.shape.extent[1];
  for (int64_t j = 0; j < out; j++) {
    float deviation = sqrtf(variance[j] + rung_batch_norm_epsilon(norm)), gain = scale[j] / deviation;
    for (int64_t k = 0; k < in; k++) weight[j * in + k] *= gain;
    bias[j] = fmaf(bias[j] - mean[j], gain, shift[j]);
    scale[j] = deviation;
    shift[j] = mean[j] = 0;
  }
  rung_node_set_trainable(norm->input[1], false);
  rung_node_set_trainable(norm->input[2], false);
}

void fold_batch_norms(rung_graph *graph) {
  for (int i = 0; i < rung_graph_node_count(graph); i++)
    if (can_fold(graph, rung_graph_node(graph, i))) fold(rung_graph_node(graph, i));
}
