/* tanh, element by element.
 *
 * forward   y[i] = tanh x[i]
 * backward  dx[i] += dy[i] (1 - y[i]^2) */
#include "unary.h"

static void forward(rung_node *node, const rung_replay *replay) {
  unary_forward(node, replay, rung_kernels_active()->tanh);
}

static void backward(rung_node *node, const rung_replay *replay) {
  unary_backward(node, replay, node, rung_kernels_active()->tanh_backward);
}

const rung_op rung_op_tanh = {.name = "tanh",
                              .input_count = 1,
                              .infer = unary_infer,
                              .forward = forward,
                              .backward = backward,
                              .elementwise = true};

rung_node *rung_tanh(rung_node *x) {
  return rung_record(&rung_op_tanh, &x, NULL, 0);
}
