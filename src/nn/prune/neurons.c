/* Whole neurons of all hidden layers together, one by one, each time the one whose loss costs least for the weights
 * that it frees. Its score is the L1 norm of its weights (Li et al., Pruning Filters for Efficient ConvNets, 2017);
 * beside the mean of its layer, so that layers compare (Molchanov et al., Pruning Convolutional Neural Networks for
 * Resource Efficient Inference, 2017); and squared, as a loss near its minimum rises with the square of what is taken
 * away. */
#include "prune.h"

/* Sorts the layer's neurons. Returns how many are pruned already. */
static int64_t line_up(prune_layer *layer, prune_neuron *neurons) {
  const int64_t count = prune_neurons_of(layer, neurons);
  int64_t gone = 0;
  prune_sort(neurons, count);
  while (gone < count && neurons[gone].score < 0) gone++;
  layer->worst = neurons + gone;
  layer->left = count - gone;
  layer->sum = 0;
  for (int64_t j = gone; j < count; j++) layer->sum += neurons[j].score;
  return gone;
}

/* The weights that go with a neuron of the layer: its row, and the next layer's column. */
static double weights_of(const prune_layer *layer) {
  const rung_node *next = prune_next(layer->linear);
  return (double)(layer->in + next->input[1]->value.shape.extent[0]);
}

/* Eq. 62b of the layer's worst neuron. The mean counts what is pruned as 0: the fewer a layer has left, the more each
 * of them is worth. */
static double worth(const prune_layer *layer) {
  if (layer->worst->score == 0) return 0;
  const double beside = layer->worst->score * (double)layer->out / layer->sum;
  return beside * beside / weights_of(layer);
}

/* The layer that loses its worst neuron next; NULL if all have but one. */
static prune_layer *cheapest(const pruner *self) {
  prune_layer *found = NULL;
  for (int l = 0; l < self->count; l++) {
    prune_layer *layer = &self->layer[l];
    if (layer->left > 1 && (!found || worth(layer) < worth(found))) found = layer;
  }
  return found;
}

static void mark(pruner *self, double sparsity) {
  int64_t neurons = 0, gone = 0;
  for (int l = 0; l < self->count; l++) {
    prune_layer *layer = &self->layer[l];
    const int64_t already = line_up(layer, self->neuron + neurons);
    gone += already;
    neurons += already + layer->left;
  }
  prune_layer *layer;
  for (int64_t count = prune_count(sparsity, neurons) - gone; count > 0 && (layer = cheapest(self)); count--) {
    layer->sum -= layer->worst->score;
    layer->left--;
    prune_neuron_away(self, layer->worst++);
  }
}

const prune_kind neuron_pruning = {.name = "neurons", .prepare = prune_prepare_hidden, .mark = mark};
