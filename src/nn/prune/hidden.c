/* Hidden layers, and their neurons: which there are, what they are worth, and what goes with one. */
#include "prune.h"

#include <math.h>
#include <stdlib.h>

/* ---- Which layers ----------------------------------------------------------------------------------------------- */

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

rung_status prune_prepare_hidden(pruner *self) {
  int64_t most = 0;
  for (int l = 0; l < self->count; l++) {
    const rung_node *linear = self->layer[l].linear, *next = prune_next(linear);
    if (!next) continue;
    most += self->layer[l].out;
    if (linear->input[2] && !prune_mask(self->model, linear->input[2])) return RUNG_ERROR_MEMORY;
    for (const rung_node *at = prune_reader(linear); at != next; at = prune_reader(at))
      if (at->op == &rung_op_batch_norm && !prune_mask(self->model, at->input[2])) return RUNG_ERROR_MEMORY;
  }
  if (most == 0)
    return rung_fail(RUNG_ERROR_UNSUPPORTED,
                     "prune: no hidden layer: expected one whose neurons reach one other linear layer alone");
  self->neuron = rung_allocate((size_t)most * sizeof *self->neuron);
  return self->neuron ? RUNG_OK : RUNG_ERROR_MEMORY;
}

/* ---- What they are worth ---------------------------------------------------------------------------------------- */

static bool is_pruned(const prune_layer *layer, int64_t j) {
  return memchr(layer->keep + j * layer->in, 1, (size_t)layer->in) == NULL;
}

static double score_of(const prune_layer *layer, const rung_node *norm, int64_t j) {
  double sum = 0;
  for (int64_t k = 0; k < layer->in; k++) sum += fabs((double)layer->weight[j * layer->in + k]);
  if (!norm) return sum;
  const float *scale = norm->input[1]->value.data, *variance = norm->input[4]->value.data;
  return sum * fabs((double)scale[j]) / sqrt((double)variance[j] + (double)rung_batch_norm_epsilon(norm));
}

int64_t prune_neurons_of(const prune_layer *layer, prune_neuron *neurons) {
  if (!prune_next(layer->linear)) return 0;
  const rung_node *norm = prune_reader(layer->linear);
  if (norm->op != &rung_op_batch_norm) norm = NULL;
  for (int64_t j = 0; j < layer->out; j++)
    neurons[j] = (prune_neuron){layer, j, is_pruned(layer, j) ? -1 : score_of(layer, norm, j)};
  return layer->out;
}

static int compare(const void *a, const void *b) {
  const prune_neuron *x = a, *y = b;
  if (x->score != y->score) return x->score < y->score ? -1 : 1;
  if (x->layer != y->layer) return x->layer < y->layer ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index;
}

void prune_sort(prune_neuron *neurons, int64_t count) {
  qsort(neurons, (size_t)count, sizeof *neurons, compare);
}

/* ---- Pruning them ----------------------------------------------------------------------------------------------- */

void prune_neuron_away(pruner *self, const prune_neuron *neuron) {
  const prune_layer *layer = neuron->layer;
  const int64_t j = neuron->index;
  const rung_node *next = prune_next(layer->linear);
  uint8_t *column = prune_mask(self->model, next->input[1]);
  memset(layer->keep + j * layer->in, 0, (size_t)layer->in);
  for (int64_t o = 0; o < next->input[1]->value.shape.extent[0]; o++) column[o * layer->out + j] = 0;
  if (layer->linear->input[2]) prune_mask(self->model, layer->linear->input[2])[j] = 0;
  for (const rung_node *at = prune_reader(layer->linear); at != next; at = prune_reader(at)) {
    if (at->op != &rung_op_batch_norm) continue;
    prune_mask(self->model, at->input[2])[j] = 0;
    ((float *)at->input[3]->value.data)[j] = 0; /* the mean of zeros: its output is 0 outside training too */
  }
}
