/* The smallest weights of all layers together (Han et al., Learning both Weights and Connections, 2015). */
#include "prune.h"

static void mark(pruner *self, double sparsity) {
  int64_t weights = 0;
  for (int l = 0; l < self->count; l++) weights += self->layer[l].out * self->layer[l].in;
  prune_smallest(self->layer, self->count, prune_count(sparsity, weights));
}

const prune_kind magnitude_pruning = {.name = "magnitude", .mark = mark};
