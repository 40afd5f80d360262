/* Integer weights that an accumulator of few bits can sum (A2Q: Colbert et al., Accumulator-Aware Quantization with
 * Guaranteed Overflow Avoidance, ICCV 2023). */
#ifndef RUNG_ACCUMULATOR_H
#define RUNG_ACCUMULATOR_H

#include <rung/core.h>

/* The most that the magnitudes of a channel's integers may sum to, so that with inputs of magnitude up to `input` no
 * sum of products, in any order, leaves a signed integer of `bits` (eq. 68). 0 bits: no limit, INT32_MAX. */
int32_t accumulator_limit(int bits, int32_t input);
/* Brings the magnitudes of q [n] down until they sum to `limit` or less: each loses the same, none goes below 0, which
 * is the nearest point of the L1 ball (Duchi et al., Efficient Projections onto the l1-Ball, 2008), on integers. What
 * that leaves of the limit goes back, 1 each, to the largest, the first of equals (eq. 69). */
void accumulator_shrink(int8_t *q, int64_t n, int32_t limit);

#endif
