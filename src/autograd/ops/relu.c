/* relu, element by element.
 *
 * forward   y[i] = max(x[i], 0)
 * backward  dx[i] += x[i] > 0 ? dy[i] : 0 */
#include "unary.h"

static void forward(rung_node *node, const rung_replay *replay) {
  unary_forward(node, replay, rung_kernels_active()->relu);
}

static void backward(rung_node *node, const rung_replay *replay) {
  unary_backward(node, replay, node->input[0], rung_kernels_active()->relu_backward);
}

const rung_op rung_op_relu = {.name = "relu",
                              .input_count = 1,
                              .infer = unary_infer,
                              .forward = forward,
                              .backward = backward,
                              .elementwise = true};

rung_node *rung_relu(rung_node *x) {
  return rung_record(&rung_op_relu, &x, NULL, 0);
}
