/* mean: x of any shape, N elements -> y, a scalar.
 *
 * forward   y = (sum_i part[i]) / N,  part[i] = sum_j x[i][j], each member its own rows i
 * backward  dx[i][j] += dy / N */
#include "total.h"

static void forward(rung_node *node, const rung_replay *replay) {
  total_forward(node, replay, (float)rung_tensor_count(&node->input[0]->value));
}

static void backward(rung_node *node, const rung_replay *replay) {
  total_backward(node, replay, (float)rung_tensor_count(&node->input[0]->value));
}

const rung_op rung_op_mean = {
    .name = "mean", .input_count = 1, .infer = total_infer, .forward = forward, .backward = backward};

rung_node *rung_mean(rung_node *x) {
  return rung_record(&rung_op_mean, &x, NULL, 0);
}
