/* N:M (Mishra et al., Accelerating Sparse Deep Neural Networks, 2021): of every m neighbouring inputs of an output the
 * n largest weights stay. */
#include "prune.h"

static void mark_block(const float *weight, uint8_t *keep, int n, int m) {
  uint32_t key[PRUNE_MAX_M];
  for (int i = 0; i < m; i++) key[i] = prune_key(weight[i], keep[i]);
  for (int i = 0; i < m; i++) {
    int smaller = 0; /* or equal, and before it */
    for (int k = 0; k < m; k++) smaller += key[k] < key[i] || (key[k] == key[i] && k < i);
    if (smaller < m - n) keep[i] = 0;
  }
}

static void mark(pruner *self, double sparsity) {
  (void)sparsity;
  const int n = self->schedule.to.n, m = self->schedule.to.m;
  for (int l = 0; l < self->count; l++) {
    const prune_layer *layer = &self->layer[l];
    for (int64_t j = 0; j < layer->out; j++)
      for (int64_t k = 0; k < layer->in; k += m) {
        const int64_t at = j * layer->in + k, left = layer->in - k;
        mark_block(layer->weight + at, layer->keep + at, n, left < m ? (int)left : m);
      }
  }
}

const prune_kind n_m_pruning = {.name = "n:m", .at_once = true, .mark = mark};
