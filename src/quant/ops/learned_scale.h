/* What the operations share whose output's scale is learned (docs/low-bit.md): an input `parameter` [1], and the
 * quantizer that follows it. */
#ifndef RUNG_LEARNED_SCALE_H
#define RUNG_LEARNED_SCALE_H

#include "../qat.h"

typedef struct learned_scale {
  rung_node *node; /* whose scale it is; NULL: nothing is learned, and nothing below does anything */
  int input;       /* which of its inputs the parameter is */
  rung_quantizer *quantizer;
  double *sum;      /* what the rows, or blocks of LEARNED_BLOCK elements, of a gradient add */
  int64_t features; /* elements of an example */
  float before;     /* the parameter before the step */
} learned_scale;

enum { LEARNED_BLOCK = RUNG_ALIGNMENT };

/* Of `node`, whose value has its shape, if that input is there; `sums` as many as there are rows or blocks. */
rung_status learned_plan(learned_scale *learned, rung_node *node, int input, rung_quantizer *quantizer, int64_t sums);
/* Whether the parameter is trained. */
bool learned_trains(const learned_scale *learned);
/* In `prepare`: the first step's start, and the quantizer's scale from the parameter. */
void learned_begin(learned_scale *learned, const rung_replay *replay);
/* The gradient g [n] of the output becomes that of the real values x [n] that were quantized; the scale's part is kept
 * as sum number `index`. */
void learned_backward(learned_scale *learned, float *g, const float *x, int64_t n, int64_t index);
/* All of an operation that is elementwise, its input 0 being x: this member's blocks, and the gradient on to x. */
void learned_pass(learned_scale *learned, const rung_replay *replay);
int64_t learned_blocks(const rung_node *node);
/* In `backward_weights`, when every member has done its learned_backward: the gradient from `sums` of them. */
void learned_hand_over(learned_scale *learned, const rung_replay *replay, int64_t sums);
/* In `settle`: the parameter stays positive; a step takes at most half of it away. */
void learned_settle(learned_scale *learned);

#endif
