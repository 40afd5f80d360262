/* The smallest of many weights, by counting: the bits of a magnitude order as it does, so four passes over the weights,
 * each counting one byte of those that match in the bytes before, find the key of any rank. Nothing is allocated, and
 * the order is total: key, layer, index. */
#include "prune.h"

#include <math.h>

enum { DIGIT = 8, DIGITS = 1 << DIGIT };

int64_t prune_count(double sparsity, int64_t count) {
  const int64_t pruned = (int64_t)rint(sparsity * (double)count);
  return pruned < 0 ? 0 : pruned < count ? pruned : count;
}

static void count_digits(const prune_layer *layer, int shift, uint32_t prefix, int64_t count[DIGITS]) {
  for (int64_t i = 0; i < layer->out * layer->in; i++) {
    const uint64_t key = prune_key(layer->weight[i], layer->keep[i]);
    if (key >> (shift + DIGIT) == prefix) count[key >> shift & (DIGITS - 1)]++;
  }
}

/* The key of rank `rank` (0 is the smallest), and how many keys are smaller. */
static uint32_t find_key(const prune_layer *layers, int layer_count, int64_t rank, int64_t *below) {
  uint32_t prefix = 0;
  *below = 0;
  for (int shift = 32 - DIGIT; shift >= 0; shift -= DIGIT) {
    int64_t count[DIGITS] = {0};
    uint32_t digit = 0;
    for (int l = 0; l < layer_count; l++) count_digits(&layers[l], shift, prefix, count);
    while (*below + count[digit] <= rank) *below += count[digit++];
    prefix = prefix << DIGIT | digit;
  }
  return prefix;
}

void prune_smallest(const prune_layer *layers, int layer_count, int64_t count) {
  int64_t equals;
  if (count == 0) return;
  const uint32_t last = find_key(layers, layer_count, count - 1, &equals);
  equals = count - equals; /* of those with the last key so many go */
  for (int l = 0; l < layer_count; l++)
    for (int64_t i = 0; i < layers[l].out * layers[l].in; i++) {
      const uint32_t key = prune_key(layers[l].weight[i], layers[l].keep[i]);
      if (key < last || (key == last && equals-- > 0)) layers[l].keep[i] = 0;
    }
}
