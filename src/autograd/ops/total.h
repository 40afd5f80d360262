/* The pattern of y = (sum of all of x) / divisor. The state is each row's part of the sum. */
#ifndef RUNG_OPS_TOTAL_H
#define RUNG_OPS_TOTAL_H

#include "op.h"

static inline rung_status total_infer(rung_node *node) {
  op_infer_scalar(node);
  rung_status status = op_expect_f32(node, 0);
  if (status != RUNG_OK) return status;
  node->state = rung_node_allocate(node, (size_t)op_rows(node->input[0]), sizeof(float));
  return node->state ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static inline void total_forward(rung_node *node, const rung_replay *replay, float divisor) {
  const rung_node *x = node->input[0];
  float *parts = node->state;
  int64_t begin, end, rows = op_rows(x), size = op_row_size(x);
  rung_slice(rows, 1, replay->ith, replay->nth, &begin, &end);
  for (int64_t i = begin; i < end; i++) parts[i] = rung_kernels_active()->sum(op_value(x) + i * size, size);
  op_reduce(node, replay, parts, rows, divisor);
}

static inline void total_backward(rung_node *node, const rung_replay *replay, float divisor) {
  const rung_node *x = node->input[0];
  if (!rung_node_wants_gradient(x)) return;
  const float share = *op_gradient(node) / divisor;
  float *dx = op_gradient(x);
  int64_t begin, end;
  rung_node_slice(x, replay, &begin, &end);
  for (int64_t i = begin; i < end; i++) dx[i] = node->accumulate[0] ? dx[i] + share : share;
}

#endif
