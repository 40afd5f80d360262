/* Every way in which a weight and an activation come by their scales: LIST(ROW) expands ROW(kind, structure) once for
 * each. Adding one: docs/adding.md. */
#ifndef RUNG_QAT_LIST_H
#define RUNG_QAT_LIST_H

#define WEIGHT_METHOD_LIST(ROW)                                                                                        \
  ROW(RUNG_WEIGHTS_MAX, max_weights)                                                                                   \
  ROW(RUNG_WEIGHTS_LSQ, lsq_weights)                                                                                   \
  ROW(RUNG_WEIGHTS_DOREFA, dorefa_weights)                                                                             \
  ROW(RUNG_WEIGHTS_TERNARY, ternary_weights)                                                                           \
  ROW(RUNG_WEIGHTS_UNIT, unit_weights)

#define ACTIVATION_METHOD_LIST(ROW)                                                                                    \
  ROW(RUNG_ACTIVATIONS_OBSERVED, observed_activations)                                                                 \
  ROW(RUNG_ACTIVATIONS_LSQ, lsq_activations)                                                                           \
  ROW(RUNG_ACTIVATIONS_PACT, pact_activations)                                                                         \
  ROW(RUNG_ACTIVATIONS_UNIT, unit_activations)

#endif
