#include "fold.h"

#include <math.h>

static int readers(const rung_node *node, rung_node **last) {
  int count = 0;
  for (int i = node->index + 1; i < rung_graph_node_count(node->graph); i++) {
    rung_node *reader = rung_graph_node(node->graph, i);
    for (int k = 0; k < RUNG_MAX_INPUTS; k++)
      if (reader->input[k] == node) {
        *last = reader;
        count++;
      }
  }
  return count;
}

/* A parameter is this node's alone. */
static bool owns(const rung_node *node, int input) {
  rung_node *reader = NULL;
  return rung_node_is_parameter(node->input[input]) && readers(node->input[input], &reader) == 1;
}

/* The batch norm that has a place in the linear layer, folded already or not. NULL: there is none. */
static rung_node *norm_behind(const rung_node *linear) {
  rung_node *norm = NULL;
  if (linear->op != &rung_op_linear || readers(linear, &norm) != 1 || norm->op != &rung_op_batch_norm) return NULL;
  if (rung_tensor_count(&norm->input[1]->value) != linear->value.shape.extent[1]) return NULL; /* a whole one */
  bool owned = norm->input[0] == linear && owns(linear, 1) && (!linear->input[2] || owns(linear, 2));
  for (int k = 1; k < norm->op->input_count; k++) owned = owned && owns(norm, k);
  return owned ? norm : NULL;
}

static bool is_identity(const rung_node *shift_only) {
  const rung_node *shift = shift_only->input[2];
  for (int64_t j = 0; j < rung_tensor_count(&shift->value); j++)
    if (((const float *)shift->value.data)[j] != 0) return false;
  return !shift->trainable;
}

/* Told by what folding leaves: a batch norm that somebody else froze is no identity. */
bool fold_is_folded(const rung_node *node) {
  if (!rung_batch_norm_is_shift(node)) return false;
  return is_identity(node) || (!node->input[0]->input[2] && norm_behind(node->input[0]) == node);
}

rung_node *fold_bias(const rung_node *linear) {
  if (linear->input[2]) return linear->input[2];
  rung_node *norm = norm_behind(linear);
  return norm && fold_is_folded(norm) ? norm->input[2] : NULL;
}

static void fold(const rung_node *linear, rung_node *norm) {
  float *weight = linear->input[1]->value.data, *bias = linear->input[2] ? linear->input[2]->value.data : NULL;
  float *scale = norm->input[1]->value.data, *shift = norm->input[2]->value.data;
  float *mean = norm->input[3]->value.data;
  const float *variance = norm->input[4]->value.data;
  int64_t out = linear->input[1]->value.shape.extent[0], in = linear->input[1]->value.shape.extent[1];
  for (int64_t j = 0; j < out; j++) {
    float deviation = sqrtf(variance[j] + rung_batch_norm_epsilon(norm)), gain = scale[j] / deviation;
    for (int64_t k = 0; k < in; k++) weight[j * in + k] *= gain;
    float folded = fmaf((bias ? bias[j] : 0) - mean[j], gain, shift[j]);
    if (bias) bias[j] = folded;
    shift[j] = bias ? 0 : folded;
    scale[j] = deviation;
    mean[j] = 0;
  }
  rung_node_set_trainable(norm->input[1], false);
  if (bias) rung_node_set_trainable(norm->input[2], false);
}

void fold_batch_norms(rung_graph *graph) {
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *linear = rung_graph_node(graph, i);
    rung_node *norm = norm_behind(linear);
    if (norm && !fold_is_folded(norm)) fold(linear, norm);
  }
}
