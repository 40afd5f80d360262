/* sigmoid, element by element.
 *
 * forward   y[i] = 1 / (1 + e^-x[i])
 * backward  dx[i] += dy[i] y[i] (1 - y[i]) */
#include "unary.h"

static void forward(rung_node *node, const rung_replay *replay) {
  unary_forward(node, replay, rung_kernels_active()->sigmoid);
}

static void backward(rung_node *node, const rung_replay *replay) {
  unary_backward(node, replay, node, rung_kernels_active()->sigmoid_backward);
}

const rung_op rung_op_sigmoid = {.name = "sigmoid",
                                 .input_count = 1,
                                 .infer = unary_infer,
                                 .forward = forward,
                                 .backward = backward,
                                 .elementwise = true};

rung_node *rung_sigmoid(rung_node *x) {
  return rung_record(&rung_op_sigmoid, &x, NULL, 0);
}
