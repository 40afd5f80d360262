/* quantized_linear from the inside: quantized_linear.c records it and runs it forward, quantized_linear_backward.c has
 * its gradients. */
#ifndef RUNG_QUANTIZED_LINEAR_H
#define RUNG_QUANTIZED_LINEAR_H

#include "../integer_weights.h"
#include "learned_scale.h"

enum { x_input, weight_input, bias_input, scale_input, output_scale_input };

/* The gradient of the output as int8, times one scale: g, and h[i,j] = g[i,j] s_w[j]. */
typedef struct gradient_codes {
  int8_t *g, *h;       /* [batch, out]; h NULL with groups */
  float *column_scale; /* [out]: s_w, 0 where all of a channel's weights are */
  float *most;         /* [members, 2]: the largest |g| and |h| that each has seen */
  float *column_sum;   /* [out]: of g before it was rounded */
  float g_scale, h_scale;
} gradient_codes;

typedef struct linear_state {
  rung_quantized_linear_options options;
  integer_weights weights;
  bool quantized;                 /* the integer weights are those of the present shadows */
  bool fresh;                     /* and their biases and multipliers those of the present scales */
  int32_t qmin, qmax;             /* the output's clamp */
  uint8_t *mask;                  /* [batch, mask_stride] */
  int64_t mask_stride;            /* bytes */
  int32_t *acc_min, *acc_max;     /* [out] of the last replay that observed them */
  float *low, *high;              /* [out]: the same as reals */
  int32_t *acc;                   /* [batch, out], for observers that need every value, and for accumulators; or NULL */
  float *real;                    /* [batch, out]: acc as reals, after the clamp, for observers; or NULL */
  gradient_codes codes;           /* RUNG_BACKWARD_INT8 */
  learned_scale learned;          /* the output's */
  float *before, *scale_gradient; /* learned weight scales: the operand before the step; [out, groups] */
} linear_state;

/* The integers that an output quantized so can have behind the clamp: ReLU raises qmin to the zero point, ReLU6 lowers
 * qmax to where 6 falls. */
void quantized_clamp(const rung_quantizer *output, rung_clamp clamp, int32_t *qmin, int32_t *qmax);
/* The largest |q - zero point| of a layer's input. */
int32_t quantized_magnitude(const rung_node *x);

/* RUNG_BACKWARD_INT8, in quantized_linear_int8.c. */
rung_status int8_backward_plan(rung_node *node);
size_t int8_backward_scratch(const rung_node *node, rung_gemm_take *take);
/* Makes the codes; the team meets at barriers inside. */
void int8_backward_quantize(rung_node *node, const rung_replay *replay);
void int8_backward_input(rung_node *node, const rung_replay *replay);
/* With `take` and its context as in rung_gemm. */
void int8_backward_weight(rung_node *node, const rung_replay *replay, rung_gemm_take *take, void *context);

void quantized_linear_backward(rung_node *node, const rung_replay *replay);
void quantized_linear_backward_weights(rung_node *node, const rung_replay *replay);
/* Scratch bytes that both need. */
size_t quantized_linear_backward_scratch(const rung_node *node);
/* Whether a replay that trains leaves the weights' integers made from the new shadows. */
bool quantized_linear_requantizes(const rung_node *node, const rung_replay *replay);

#endif
