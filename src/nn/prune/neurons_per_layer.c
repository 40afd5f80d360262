/* Whole neurons, of each hidden layer the same share: those whose weights have the smallest L1 norm (Li et al., Pruning
 * Filters for Efficient ConvNets, 2017). */
#include "prune.h"

static void mark(pruner *self, double sparsity) {
  for (int l = 0; l < self->count; l++)
    prune_worst(self, self->neuron, prune_neurons_of(&self->layer[l], self->neuron), sparsity);
}

const prune_kind neuron_per_layer_pruning = {
    .name = "neurons-per-layer", .prepare = prune_prepare_hidden, .mark = mark};
