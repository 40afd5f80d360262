/* What the operations share that quantize an activation: whose quantizer, and when it observes. */
#ifndef RUNG_OBSERVING_H
#define RUNG_OBSERVING_H

#include <rung/quant.h>

/* The attributes of such an operation. */
typedef struct observing {
  rung_quantizer *quantizer; /* borrowed */
  rung_ranges ranges;
} observing;

/* A quantizer is there, and the input is f32. */
rung_status observing_check(const rung_node *node);
/* Before the team quantizes: current ranges take in the whole input first, on member 0, while the others wait. Whether
 * the quantizer may have moved. */
bool observing_forward(const rung_node *node, const rung_replay *replay);
/* After the replay: delayed ranges take in what passed, for the next step. */
void observing_settle(rung_node *node, const rung_replay *replay);

#endif
