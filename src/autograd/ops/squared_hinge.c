/* squared_hinge: scores x [n, classes], label t i32 [n] -> y, a scalar. With s[i][j] = +1 where j = t[i], else -1:
 *
 * forward   y = (sum_i sum_j m[i][j]^2) / (n classes),  m[i][j] = max(0, 1 - s[i][j] x[i][j])
 * backward  dx[i][j] += -2 s[i][j] m[i][j] dy / (n classes)
 *
 * A label outside 0 .. classes-1 makes its row's loss NaN, and so the value; the row then has no gradient. */
#include "loss.h"

#include <math.h>

static rung_status infer(rung_node *node) {
  rung_status status = loss_check_label(node, "scores label");
  return status == RUNG_OK ? loss_infer(node) : status;
}

/* slope[j] = -s[j] m[j]; returns the sum of m[j]^2. */
static float row_forward(float *slope, const float *x, int64_t label, int64_t classes) {
  for (int64_t j = 0; j < classes; j++) {
    float sign = j == label ? 1 : -1, margin = 1 - sign * x[j];
    slope[j] = margin <= 0 ? 0 : -sign * margin; /* a NaN stays */
  }
  return rung_kernels_active()->dot(slope, slope, classes);
}

static void forward(rung_node *node, const rung_replay *replay) {
  const loss_state *state = node->state;
  const int32_t *label = node->input[1]->value.data;
  const float *x = op_value(node->input[0]);
  int64_t begin, end, n = op_rows(node->input[0]), classes = op_row_size(node->input[0]);
  rung_slice(n, 1, replay->ith, replay->nth, &begin, &end);
  for (int64_t i = begin; i < end; i++) {
    float *slope = state->slope + i * classes;
    state->row[i] = row_forward(slope, x + i * classes, label[i], classes);
    if (label[i] >= 0 && label[i] < classes) continue;
    state->row[i] = NAN;
    for (int64_t j = 0; j < classes; j++) slope[j] = 0;
  }
  op_reduce(node, replay, state->row, n, (float)(n * classes));
}

static void backward(rung_node *node, const rung_replay *replay) {
  loss_backward(node, replay, 0, 2 * *op_gradient(node) / (float)rung_tensor_count(&node->input[0]->value));
}

const rung_op rung_op_squared_hinge = {
    .name = "squared_hinge", .input_count = 2, .infer = infer, .forward = forward, .backward = backward};

rung_node *rung_squared_hinge(rung_node *scores, rung_node *label) {
  return scores && label ? rung_record(&rung_op_squared_hinge, (rung_node *[]){scores, label}, NULL, 0) : NULL;
}
