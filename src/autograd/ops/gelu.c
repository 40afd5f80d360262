/* gelu, element by element.
 *
 * forward   y[i] = x[i] P(x[i]),  P(x) = (1 + erf(x / sqrt 2)) / 2, the normal distribution
 * backward  dx[i] += dy[i] (P(x[i]) + x[i] p(x[i])),  p = P' */
#include "unary.h"

static void forward(rung_node *node, const rung_replay *replay) {
  unary_forward(node, replay, rung_kernels_active()->gelu);
}

static void backward(rung_node *node, const rung_replay *replay) {
  unary_backward(node, replay, node->input[0], rung_kernels_active()->gelu_backward);
}

const rung_op rung_op_gelu = {.name = "gelu",
                              .input_count = 1,
                              .infer = unary_infer,
                              .forward = forward,
                              .backward = backward,
                              .elementwise = true};

rung_node *rung_gelu(rung_node *x) {
  return rung_record(&rung_op_gelu, &x, NULL, 0);
}
