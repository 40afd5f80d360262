/* relu6, element by element.
 *
 * forward   y[i] = min(max(x[i], 0), 6)
 * backward  dx[i] += 0 < x[i] < 6 ? dy[i] : 0 */
#include "unary.h"

static void forward(rung_node *node, const rung_replay *replay) {
  unary_forward(node, replay, rung_kernels_active()->relu6);
}

static void backward(rung_node *node, const rung_replay *replay) {
  unary_backward(node, replay, node->input[0], rung_kernels_active()->relu6_backward);
}

const rung_op rung_op_relu6 = {.name = "relu6",
                               .input_count = 1,
                               .infer = unary_infer,
                               .forward = forward,
                               .backward = backward,
                               .elementwise = true};

rung_node *rung_relu6(rung_node *x) {
  return rung_record(&rung_op_relu6, &x, NULL, 0);
}
