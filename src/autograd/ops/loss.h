/* The pattern of the losses: each row i has its loss, and a "slope" for each of its elements, to which the gradient is
 * proportional; the value is the sum of the rows' losses over a divisor. */
#ifndef RUNG_OPS_LOSS_H
#define RUNG_OPS_LOSS_H

#include "op.h"

typedef struct loss_state {
  float *row;                /* [batch], of each row its loss */
  float *slope;              /* of the shape of input 0 */
  bool distills;             /* cross_entropy, in training: distillation.c; `soft` is then there */
  struct distillation *soft; /* its own */
} loss_state;

static inline rung_status loss_infer(rung_node *node) {
  op_infer_scalar(node);
  loss_state *state = node->state = rung_node_allocate(node, 1, sizeof *state);
  if (!state) return RUNG_ERROR_MEMORY;
  state->row = rung_node_allocate(node, (size_t)op_rows(node->input[0]), sizeof(float));
  state->slope = rung_node_allocate(node, (size_t)rung_tensor_count(&node->input[0]->value), sizeof(float));
  return state->row && state->slope ? RUNG_OK : RUNG_ERROR_MEMORY;
}

/* The shapes of a loss of scores [n, classes] against labels i32 [n]. */
static inline rung_status loss_check_label(const rung_node *node, const char *names) {
  const rung_node *scores = node->input[0], *label = node->input[1];
  const rung_shape *shape = &scores->value.shape;
  rung_status status = op_expect_f32(node, 0);
  if (status != RUNG_OK) return status;
  if (label->value.type != RUNG_I32)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: '%s' is %s, expected i32 labels", node->op->name, label->name,
                     rung_dtype_name(label->value.type));
  if (shape->rank != 2 || label->value.shape.rank != 1 || shape->extent[0] != label->value.shape.extent[0])
    return op_refuse(node, names, "[n, classes] and [n]");
  return scores->batched ? RUNG_OK : op_expect_unbatched(node, 1);
}

/* dx += alpha slope, where x is input `index`: this member's slice. */
static inline void loss_backward(const rung_node *node, const rung_replay *replay, int index, float alpha) {
  const rung_node *x = node->input[index];
  if (!rung_node_wants_gradient(x)) return;
  const loss_state *state = node->state;
  int64_t begin, end;
  rung_node_slice(x, replay, &begin, &end);
  rung_kernels_active()->scale_add(op_gradient(x) + begin, state->slope + begin, alpha, end - begin,
                                   node->accumulate[index]);
}

#endif
