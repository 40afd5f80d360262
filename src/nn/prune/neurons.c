/* Whole neurons of hidden layers, those whose weights have the smallest L1 norm (Li et al., Pruning Filters for
 * Efficient ConvNets, 2017); behind the layer a batch norm scales them, and its factor counts: score_j = sum_k |w[j,k]|
 * times  |scale_j| / sqrt(running variance_j + epsilon). */
#include "prune.h"

#include <math.h>

/* ---- Hidden layers ---------------------------------------------------------------------------------------------- */

rung_node *prune_reader(const rung_node *node) {
  rung_node *reader = NULL;
  int count = 0;
  for (int i = node->index + 1; i < rung_graph_node_count(node->graph); i++) {
    rung_node *at = rung_graph_node(node->graph, i);
    for (int k = 0; k < RUNG_MAX_INPUTS; k++) {
      if (at->input[k] != node) continue;
      count++;
      reader = k == 0 ? at : NULL;
    }
  }
  return count == 1 ? reader : NULL;
}

/* Input k, where there is one, is a parameter, and nothing else reads it. */
static bool owns(const rung_node *node, int k) {
  const rung_node *parameter = node->input[k];
  int count = 0;
  if (!parameter) return true;
  for (int i = parameter->index + 1; i < rung_graph_node_count(node->graph); i++)
    for (int input = 0; input < RUNG_MAX_INPUTS; input++)
      count += rung_graph_node(node->graph, i)->input[input] == parameter;
  return rung_node_is_parameter(parameter) && count == 1;
}

static bool owns_parameters(const rung_node *node) {
  for (int k = 1; k < node->op->input_count; k++)
    if (!owns(node, k)) return false;
  return true;
}

static bool keeps_apart(const rung_node *node) {
  if (node->op == &rung_op_batch_norm) return owns_parameters(node);
  return node->op->elementwise && node->op->input_count == 1 &&
         rung_shape_equal(&node->value.shape, &node->input[0]->value.shape);
}

rung_node *prune_next(const rung_node *linear) {
  rung_node *at = owns_parameters(linear) ? prune_reader(linear) : NULL;
  while (at && keeps_apart(at)) at = prune_reader(at);
  return at && at->op == &rung_op_linear && owns(at, 1) ? at : NULL;
}

/* ---- Pruning ---------------------------------------------------------------------------------------------------- */

static rung_status prepare(pruner *self) {
  int hidden = 0;
  for (int l = 0; l < self->count; l++) {
    const rung_node *linear = self->layer[l].linear, *next = prune_next(linear);
    if (!next) continue;
    hidden++;
    if (linear->input[2] && !prune_mask(self->model, linear->input[2])) return RUNG_ERROR_MEMORY;
    for (const rung_node *at = prune_reader(linear); at != next; at = prune_reader(at))
      if (at->op == &rung_op_batch_norm && !prune_mask(self->model, at->input[2])) return RUNG_ERROR_MEMORY;
  }
  if (hidden > 0) return RUNG_OK;
  return rung_fail(RUNG_ERROR_UNSUPPORTED,
                   "prune: no hidden layer: expected one whose neurons reach one other linear layer alone");
}

static bool is_pruned(const prune_layer *layer, int64_t j) {
  return memchr(layer->keep + j * layer->in, 1, (size_t)layer->in) == NULL;
}

static void find_scores(const prune_layer *layer, double *score) {
  const rung_node *norm = prune_reader(layer->linear);
  if (norm->op != &rung_op_batch_norm) norm = NULL;
  for (int64_t j = 0; j < layer->out; j++) {
    double sum = 0;
    for (int64_t k = 0; k < layer->in; k++) sum += fabs((double)layer->weight[j * layer->in + k]);
    if (norm) {
      const float *scale = norm->input[1]->value.data, *variance = norm->input[4]->value.data;
      sum *= fabs((double)scale[j]) / sqrt((double)variance[j] + (double)rung_batch_norm_epsilon(norm));
    }
    score[j] = is_pruned(layer, j) ? -1 : sum;
  }
}

/* Neuron j of the layer: all that makes it, and all that the next layer reads of it. */
static void mark_neuron(pruner *self, const prune_layer *layer, rung_node *next, int64_t j) {
  const int64_t next_out = next->input[1]->value.shape.extent[0];
  uint8_t *column = prune_mask(self->model, next->input[1]);
  memset(layer->keep + j * layer->in, 0, (size_t)layer->in);
  for (int64_t o = 0; o < next_out; o++) column[o * layer->out + j] = 0;
  if (layer->linear->input[2]) prune_mask(self->model, layer->linear->input[2])[j] = 0;
  for (const rung_node *at = prune_reader(layer->linear); at != next; at = prune_reader(at)) {
    if (at->op != &rung_op_batch_norm) continue;
    prune_mask(self->model, at->input[2])[j] = 0;
    ((float *)at->input[3]->value.data)[j] = 0; /* the mean of zeros: its output is 0 outside training too */
  }
}

static void mark_layer(pruner *self, const prune_layer *layer, rung_node *next, double sparsity) {
  int64_t count = prune_count(sparsity, layer->out);
  if (count == layer->out) count--;
  find_scores(layer, self->score);
  for (int64_t j = 0; j < layer->out; j++) {
    int64_t smaller = 0; /* or equal, and before it */
    for (int64_t k = 0; k < layer->out; k++)
      smaller += self->score[k] < self->score[j] || (self->score[k] == self->score[j] && k < j);
    if (smaller < count) mark_neuron(self, layer, next, j);
  }
}

static void mark(pruner *self, double sparsity) {
  for (int l = 0; l < self->count; l++) {
    rung_node *next = prune_next(self->layer[l].linear);
    if (next) mark_layer(self, &self->layer[l], next, sparsity);
  }
}

const prune_kind neuron_pruning = {.name = "neurons", .prepare = prepare, .mark = mark};
