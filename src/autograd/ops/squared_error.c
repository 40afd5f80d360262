/* squared_error: x, target t of the same shape, N elements -> y, a scalar.
 *
 * forward   y = (sum_i sum_j e[i][j]^2) / N,  e = x - t
 * backward  dx[i][j] += 2 e[i][j] dy / N
 *           dt[i][j] -= 2 e[i][j] dy / N */
#include "loss.h"

#include <string.h>

static rung_status infer(rung_node *node) {
  const rung_node *x = node->input[0], *target = node->input[1];
  for (int i = 0; i < 2; i++) {
    rung_status status = op_expect_f32(node, i);
    if (status != RUNG_OK) return status;
  }
  if (!rung_shape_equal(&x->value.shape, &target->value.shape)) return op_refuse(node, "x target", "one shape");
  if (x->batched != target->batched) return op_expect_unbatched(node, x->batched ? 0 : 1);
  return loss_infer(node);
}

static void forward(rung_node *node, const rung_replay *replay) {
  const rung_kernels *kernels = rung_kernels_active();
  const loss_state *state = node->state;
  const rung_node *x = node->input[0], *target = node->input[1];
  int64_t begin, end, rows = op_rows(x), size = op_row_size(x);
  rung_slice(rows, 1, replay->ith, replay->nth, &begin, &end);
  for (int64_t i = begin; i < end; i++) {
    float *error = state->slope + i * size;
    memcpy(error, op_value(x) + i * size, (size_t)size * sizeof(float));
    kernels->scale_add(error, op_value(target) + i * size, -1, size, true);
    state->row[i] = kernels->dot(error, error, size);
  }
  op_reduce(node, replay, state->row, rows, (float)(rows * size));
}

static void backward(rung_node *node, const rung_replay *replay) {
  const float alpha = 2 * *op_gradient(node) / (float)rung_tensor_count(&node->input[0]->value);
  loss_backward(node, replay, 0, alpha);
  loss_backward(node, replay, 1, -alpha);
}

const rung_op rung_op_squared_error = {
    .name = "squared_error", .input_count = 2, .infer = infer, .forward = forward, .backward = backward};

rung_node *rung_squared_error(rung_node *x, rung_node *target) {
  return x && target ? rung_record(&rung_op_squared_error, (rung_node *[]){x, target}, NULL, 0) : NULL;
}
