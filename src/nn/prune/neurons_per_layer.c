/* Whole neurons, of each hidden layer the same share: those whose weights have the smallest L1 norm (Li et al., Pruning
 * Filters for Efficient ConvNets, 2017). */
#include "prune.h"

static void mark_layer(pruner *self, const prune_layer *layer, double sparsity) {
  const int64_t neurons = prune_neurons_of(layer, self->neuron), count = prune_count(sparsity, neurons);
  prune_sort(self->neuron, neurons);
  for (int64_t i = 0; i < count && i < neurons - 1; i++) prune_neuron_away(self, &self->neuron[i]);
}

static void mark(pruner *self, double sparsity) {
  for (int l = 0; l < self->count; l++) mark_layer(self, &self->layer[l], sparsity);
}

const prune_kind neuron_per_layer_pruning = {
    .name = "neurons-per-layer", .prepare = prune_prepare_hidden, .mark = mark};
