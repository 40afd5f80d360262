/* sum: x of any shape -> y, a scalar.
 *
 * forward   y = sum_i part[i],  part[i] = sum_j x[i][j], each member its own rows i
 * backward  dx[i][j] += dy */
#include "total.h"

static void forward(rung_node *node, const rung_replay *replay) {
  total_forward(node, replay, 1);
}

static void backward(rung_node *node, const rung_replay *replay) {
  total_backward(node, replay, 1);
}

const rung_op rung_op_sum = {
    .name = "sum", .input_count = 1, .infer = total_infer, .forward = forward, .backward = backward};

rung_node *rung_sum(rung_node *x) {
  return rung_record(&rung_op_sum, &x, NULL, 0);
}
