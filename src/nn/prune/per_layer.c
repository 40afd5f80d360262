/* The smallest weights of each layer, of each the same share. */
#include "prune.h"

static void mark(pruner *self, double sparsity) {
  for (int l = 0; l < self->count; l++)
    prune_smallest(&self->layer[l], 1, prune_count(sparsity, self->layer[l].out * self->layer[l].in));
}

const prune_kind per_layer_pruning = {.name = "per-layer", .mark = mark};
