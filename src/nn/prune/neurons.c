/* Whole neurons of all hidden layers together, those whose weights have the smallest L1 norm (Li et al., Pruning
 * Filters for Efficient ConvNets, 2017) beside the others of their layer (Molchanov et al., Pruning Convolutional
 * Neural Networks for Resource Efficient Inference, 2017): over the root of their mean square. */
#include "prune.h"

#include <math.h>

/* What is pruned already has no part in it. */
static void normalize(prune_neuron *neurons, int64_t count) {
  double squares = 0;
  int64_t left = 0;
  for (int64_t j = 0; j < count; j++) {
    if (neurons[j].score < 0) continue;
    squares += neurons[j].score * neurons[j].score;
    left++;
  }
  if (!(squares > 0)) return;
  const double size = sqrt(squares / (double)left);
  for (int64_t j = 0; j < count; j++)
    if (neurons[j].score >= 0) neurons[j].score /= size;
}

static void mark(pruner *self, double sparsity) {
  int64_t count = 0;
  for (int l = 0; l < self->count; l++) {
    const int64_t of_layer = prune_neurons_of(&self->layer[l], self->neuron + count);
    normalize(self->neuron + count, of_layer);
    count += of_layer;
  }
  prune_worst(self, self->neuron, count, sparsity);
}

const prune_kind neuron_pruning = {.name = "neurons", .prepare = prune_prepare_hidden, .mark = mark};
