/* The integer copy of a linear layer: weights, biases and multipliers in the form that the integer product takes, made
 * from the FP32 shadows. A team makes it together, each member its own output channels. */
#ifndef RUNG_INTEGER_WEIGHTS_H
#define RUNG_INTEGER_WEIGHTS_H

#include "oscillation.h"
#include "weight_grid.h"

typedef struct integer_weights {
  weight_grid grid;
  rung_format format;
  rung_granularity granularity;
  int64_t in, out, group, groups; /* group 0 and groups 1 without groups */
  int8_t *q;                      /* [out, in] */
  float *scale;                   /* [out, groups] */
  float *threshold;               /* [out, groups], or NULL: as in weight_grid_scales */
  int32_t *sum, *magnitude;       /* [out, groups]: sum of q and of |q| */
  int32_t *bias, *multiplier;     /* [out, groups] */
  int32_t *shift;                 /* [out] */
  int64_t *bias64;                /* [out], with groups */
  void *packed;
  oscillation *oscillation; /* NULL until it is watched */
} integer_weights;

/* The input as the layer sees it, and the scale of what it puts out. */
typedef struct integer_scales {
  float input, output;
  int32_t input_zero_point;
} integer_scales;

/* Plans the memory in the node's graph; all before `groups` is set. */
rung_status integer_weights_plan(integer_weights *weights, rung_node *node);
/* Whether a step of training lies between the shadows and those that were quantized before: then it is seen which
 * integers oscillate. */
typedef enum integer_weights_of { WEIGHTS_OF_THE_SAME_STEP, WEIGHTS_OF_A_STEP } integer_weights_of;

/* Quantizes and packs channels begin .. end-1, each by itself: not per tensor. Multiples of RUNG_QGEMM_GRAIN, as in
 * rung_qgemm_pack. */
void integer_weights_quantize_channels(integer_weights *weights, const float *shadow, int64_t begin, int64_t end,
                                       integer_weights_of of);
/* The same of this member's channels. Per tensor, the team meets at a barrier inside. */
void integer_weights_quantize(integer_weights *weights, const float *shadow, const rung_replay *replay,
                              integer_weights_of of);
/* Channels begin .. end-1 of `to`, sign(gain[j]) q and |gain[j]| scale of `from`: what a factor behind the layer merges
 * into (eq. 31). */
void integer_weights_merge(integer_weights *to, const integer_weights *from, const float *gain, int64_t begin,
                           int64_t end);
/* Biases (eq. 12, with the zero point's part of eq. 11 folded in) and multipliers (eq. 7) of this member's channels.
 * `bias` may be NULL. */
void integer_weights_scale(integer_weights *weights, const float *bias, const integer_scales *scales,
                           const rung_replay *replay);
/* The common scale of logits (eq. 10), from the weights of all channels. */
float integer_weights_logit_scale(const integer_weights *weights, float input_scale, int32_t input_magnitude);
/* From here on it is seen which of the integers, made by now, oscillate; `now` is borrowed. */
rung_status integer_weights_watch(integer_weights *weights, rung_node *node, const rung_oscillation_options *now);
/* The weights and the fixed part of the epilogue, as an integer product takes them. */
void integer_weights_operand(const integer_weights *weights, rung_qgemm *gemm);
/* The weights' part of what a frozen program is made of. */
void integer_weights_view(const integer_weights *weights, rung_integer_layer *layer);
/* The weights as an operand of the backward pass. */
rung_matrix integer_weights_matrix(const integer_weights *weights);

#endif
