/* quantized_linear from the inside: quantized_linear.c records it and runs it forward, quantized_linear_backward.c has
 * its gradients. */
#ifndef RUNG_QUANTIZED_LINEAR_H
#define RUNG_QUANTIZED_LINEAR_H

#include "../integer_weights.h"

enum { x_input, weight_input, bias_input };

typedef struct linear_state {
  rung_quantized_linear_options options;
  integer_weights weights;
  bool quantized;             /* the integer weights are those of the present shadows */
  bool fresh;                 /* and their biases and multipliers those of the present scales */
  int32_t qmin, qmax;         /* the output's clamp */
  uint8_t *mask;              /* [batch, mask_stride] */
  int64_t mask_stride;        /* bytes */
  int32_t *acc_min, *acc_max; /* [out] of the last replay that observed them */
  int32_t *acc; /* [batch, out], for observers that need every value; allocated with `real` or not at all */
  float *real;  /* [batch, out]: acc as reals, after the clamp */
} linear_state;

void quantized_linear_backward(rung_node *node, const rung_replay *replay);
void quantized_linear_backward_weights(rung_node *node, const rung_replay *replay);
/* Scratch bytes that both need. */
size_t quantized_linear_backward_scratch(const rung_node *node);
/* Whether a replay that trains leaves the weights' integers made from the new shadows. */
bool quantized_linear_requantizes(const rung_node *node, const rung_replay *replay);

#endif
