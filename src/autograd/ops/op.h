/* What the operations share: reading tensors as rows, and refusing operands that do not fit. */
#ifndef RUNG_OPS_OP_H
#define RUNG_OPS_OP_H

#include "op_list.h"

static inline float *op_value(const rung_node *node) {
  return node->value.data;
}

static inline float *op_gradient(const rung_node *node) {
  return node->gradient.data;
}

/* The outermost extent (1 of a scalar), and the elements of what it counts. */
static inline int64_t op_rows(const rung_node *node) {
  return node->value.shape.rank ? node->value.shape.extent[0] : 1;
}

static inline int64_t op_row_size(const rung_node *node) {
  return rung_tensor_count(&node->value) / op_rows(node);
}

/* This member's share of `count` columns, in whole cache lines of f32. */
static inline void op_columns(int64_t count, const rung_replay *replay, int64_t *begin, int64_t *end) {
  rung_slice(count, RUNG_ALIGNMENT / (int64_t)sizeof(float), replay->ith, replay->nth, begin, end);
}

/* RUNG_OK if input `index`, where there is one, is f32. */
rung_status op_expect_f32(const rung_node *node, int index);
/* RUNG_OK if input `index`, where there is one, has no batch: its extents are the same in every replay. */
rung_status op_expect_unbatched(const rung_node *node, int index);
/* "linear: x is [64, 784], weight is [256, 100]; expected ...": the shapes of the inputs that are there, called by
 * `names` (separated by spaces), then the format. */
rung_status op_refuse(const rung_node *node, const char *names, const char *expected, ...)
    __attribute__((format(printf, 3, 4)));

static inline void op_reserve(rung_node *node, size_t bytes) {
  if (bytes > node->scratch_bytes) node->scratch_bytes = bytes;
}
/* The node needs scratch for these products. */
void op_reserve_products(rung_node *node, const rung_gemm *gemm, int count);
static inline void op_run_product(const rung_gemm *gemm, const rung_replay *replay) {
  rung_gemm_run(gemm, replay->scratch, replay->ith, replay->nth);
}

/* Makes the node's value an f32 scalar, free of the batch. */
static inline void op_infer_scalar(rung_node *node) {
  node->value.type = RUNG_F32;
  node->batched = false;
}

/* The value, a scalar, becomes the sum of parts[0 .. rows-1], which the members have just written, over `divisor`. To
 * be called by every member. */
static inline void op_reduce(rung_node *node, const rung_replay *replay, const float *parts, int64_t rows,
                             float divisor) {
  rung_team_barrier(replay->team);
  if (replay->ith == 0) *op_value(node) = rung_kernels_active()->sum(parts, rows) / divisor;
}

#endif
