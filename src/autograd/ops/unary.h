/* The pattern of y[i] = f(x[i]), dx[i] = dy[i] f'(x[i]): an activation names its two kernels and what the second one
 * reads. */
#ifndef RUNG_OPS_UNARY_H
#define RUNG_OPS_UNARY_H

#include "op.h"

static inline rung_status unary_infer(rung_node *node) {
  node->value.type = RUNG_F32;
  node->value.shape = node->input[0]->value.shape;
  return op_expect_f32(node, 0);
}

static inline void unary_forward(rung_node *node, const rung_replay *replay,
                                 void (*function)(float *y, const float *x, int64_t n)) {
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  function(op_value(node) + begin, op_value(node->input[0]) + begin, end - begin);
}

/* `of` is the node in whose value the derivative is written: the input or the activation itself. */
static inline void unary_backward(rung_node *node, const rung_replay *replay, const rung_node *of,
                                  void (*derivative)(float *dx, const float *dy, const float *of, int64_t n,
                                                     bool accumulate)) {
  if (!rung_node_wants_gradient(node->input[0])) return;
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  derivative(op_gradient(node->input[0]) + begin, op_gradient(node) + begin, op_value(of) + begin, end - begin,
             node->accumulate[0]);
}

#endif
