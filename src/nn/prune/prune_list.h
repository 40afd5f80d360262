/* Every way to prune: PRUNE_LIST(ROW) expands ROW(method, structure) once for each. Adding one: docs/adding.md. */
#ifndef RUNG_PRUNE_LIST_H
#define RUNG_PRUNE_LIST_H

#define PRUNE_LIST(ROW)                                                                                                \
  ROW(RUNG_PRUNE_MAGNITUDE, magnitude_pruning)                                                                         \
  ROW(RUNG_PRUNE_PER_LAYER, per_layer_pruning)                                                                         \
  ROW(RUNG_PRUNE_N_M, n_m_pruning)                                                                                     \
  ROW(RUNG_PRUNE_NEURONS, neuron_pruning)                                                                              \
  ROW(RUNG_PRUNE_NEURONS_PER_LAYER, neuron_per_layer_pruning)

#endif
