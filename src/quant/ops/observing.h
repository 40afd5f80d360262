/* What the operations share that quantize an activation: whose quantizer, and when it observes. */
#ifndef RUNG_OBSERVING_H
#define RUNG_OBSERVING_H

#include <rung/quant.h>

/* The attributes of such an operation. */
typedef struct observing {
  rung_quantizer *quantizer; /* borrowed */
  rung_ranges ranges;
} observing;

/* Whether this replay's values are to be observed: in training; a histogram with delayed ranges, which the values cost
 * more to bring to than a range, sees every 8th step's. */
bool observing_is_due(const rung_quantizer *quantizer, rung_ranges ranges, const rung_replay *replay);
/* A quantizer is there, and the input is f32. */
rung_status observing_check(const rung_node *node);
/* Before the team quantizes: current ranges take in the whole input first, on member 0, while the others wait. Whether
 * the quantizer may have moved. */
bool observing_forward(const rung_node *node, const rung_replay *replay);
/* After the replay: delayed ranges take in what passed, for the next step. */
void observing_settle(rung_node *node, const rung_replay *replay);

#endif
