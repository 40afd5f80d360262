/* What is remembered of the integers of one layer's weights from step to step: which of them hop to and fro. */
#ifndef RUNG_OSCILLATION_H
#define RUNG_OSCILLATION_H

#include <rung/quant.h>

typedef struct oscillation {
  const rung_oscillation_options *now; /* shared by the layers; borrowed */
  rung_oscillation_state state;
  int64_t out, in, group, groups; /* group: the weights that share a scale */
  int32_t qmin, qmax;
  bool binary; /* no 0 between -1 and 1 */
} oscillation;

/* Memory in the node's graph, for weights [out, in] whose integers are `q` now. NULL without memory. */
oscillation *oscillation_new(rung_node *node, const oscillation *shape, const int8_t *q);
/* Rows begin .. end-1 of q [out, in] as the shadows give them after a step: counts what flipped, freezes what
 * oscillates too often, and holds what is frozen. */
void oscillation_step(oscillation *self, int8_t *q, int64_t begin, int64_t end);
/* Only holds what is frozen. */
void oscillation_hold(const oscillation *self, int8_t *q, int64_t begin, int64_t end);
/* Whether oscillation_gradient does anything. */
bool oscillation_has_gradient(const oscillation *self);
/* Adds to the gradient of rows begin .. end-1, which starts at `gradient`, that of the damping; that of a frozen weight
 * is 0. */
void oscillation_gradient(const oscillation *self, float *gradient, const int8_t *q, const float *shadow,
                          const float *scale, int64_t begin, int64_t end);
/* Counts of all weights. */
rung_oscillation oscillation_count(const oscillation *self);

#endif
