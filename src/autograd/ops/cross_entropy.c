/* cross_entropy, with the softmax within: logits x [n, classes], label t i32 [n] -> y, a scalar.
 *
 * forward   p[i][j] = exp(x[i][j] - max_i) / sum_k exp(x[i][k] - max_i),  max_i = max_k x[i][k]
 *           y = (sum_i -log p[i][t[i]]) / n
 * backward  dx[i][j] += (p[i][j] - [j = t[i]]) dy / n
 *
 * With a teacher (rung_cross_entropy_distill), in training, each row's loss and slope go on to distillation.c.
 *
 * A label outside 0 .. classes-1 makes its row's loss NaN, and so the value; the row then has no gradient. */
#include "distillation.h"

#include <math.h>

static rung_status infer(rung_node *node) {
  rung_status status = loss_check_label(node, "logits label");
  return status == RUNG_OK ? loss_infer(node) : status;
}

/* Rows begin .. end-1, whose labels are good. */
static void rows_forward(const rung_node *node, int64_t begin, int64_t end) {
  const loss_state *state = node->state;
  const int32_t *label = node->input[1]->value.data;
  int64_t classes = op_row_size(node->input[0]);
  rung_kernels_active()->cross_entropy(state->row + begin, state->slope + begin * classes,
                                       op_value(node->input[0]) + begin * classes, label + begin, end - begin, classes);
  for (int64_t i = begin; i < end; i++) state->slope[i * classes + label[i]] -= 1;
}

static void forward(rung_node *node, const rung_replay *replay) {
  const loss_state *state = node->state;
  const int32_t *label = node->input[1]->value.data;
  int64_t begin, end, n = op_rows(node->input[0]), classes = op_row_size(node->input[0]);
  rung_slice(n, 1, replay->ith, replay->nth, &begin, &end);
  for (int64_t i = begin; i < end; i++) {
    int64_t good = i;
    while (good < end && label[good] >= 0 && label[good] < classes) good++;
    rows_forward(node, i, good);
    if (state->distills && replay->training) distillation_rows(node, i, good);
    if ((i = good) == end) break;
    state->row[i] = NAN;
    for (int64_t j = 0; j < classes; j++) state->slope[i * classes + j] = 0;
  }
  op_reduce(node, replay, state->row, n, (float)n);
}

static void backward(rung_node *node, const rung_replay *replay) {
  loss_backward(node, replay, 0, *op_gradient(node) / (float)op_rows(node->input[0]));
}

const rung_op rung_op_cross_entropy = {
    .name = "cross_entropy", .input_count = 2, .infer = infer, .forward = forward, .backward = backward};

rung_node *rung_cross_entropy(rung_node *logits, rung_node *label) {
  return logits && label ? rung_record(&rung_op_cross_entropy, (rung_node *[]){logits, label}, NULL, 0) : NULL;
}
