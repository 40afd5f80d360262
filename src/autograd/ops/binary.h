/* The pattern of y = f(a, b) with b of a's shape, or b [d] for every last row of a [..., d].
 *
 * These ops are not `elementwise`: the gradient of a b [d] sums over rows that other members wrote. */
#ifndef RUNG_OPS_BINARY_H
#define RUNG_OPS_BINARY_H

#include "op.h"

static inline bool binary_broadcasts(const rung_node *node) {
  return node->input[1]->value.shape.rank < node->input[0]->value.shape.rank;
}

static inline rung_status binary_infer(rung_node *node) {
  const rung_node *a = node->input[0], *b = node->input[1];
  const rung_shape *of_a = &a->value.shape, *of_b = &b->value.shape;
  for (int i = 0; i < 2; i++) {
    rung_status status = op_expect_f32(node, i);
    if (status != RUNG_OK) return status;
  }
  bool row = of_b->rank == 1 && of_a->rank > 1 && of_a->extent[of_a->rank - 1] == of_b->extent[0];
  if (!row && !rung_shape_equal(of_a, of_b)) return op_refuse(node, "a b", "one shape, or b [d] for a [..., d]");
  if (row || !a->batched) {
    rung_status status = op_expect_unbatched(node, 1);
    if (status != RUNG_OK) return status;
  }
  if (!row && !b->batched && op_expect_unbatched(node, 0) != RUNG_OK) return RUNG_ERROR_SHAPE;
  node->value.type = RUNG_F32;
  node->value.shape = *of_a;
  return RUNG_OK;
}

/* y = f(p, q), where p has node's shape and q is b, or has b's shape: this member's slice, or its rows. */
static inline void binary_apply(const rung_node *node, const rung_replay *replay, float *y, const float *p,
                                const float *q, void (*function)(float *y, const float *a, const float *b, int64_t n)) {
  int64_t begin, end;
  if (!binary_broadcasts(node)) {
    rung_node_slice(node, replay, &begin, &end);
    function(y + begin, p + begin, q + begin, end - begin);
    return;
  }
  int64_t width = node->input[1]->value.shape.extent[0];
  rung_slice(rung_tensor_count(&node->value) / width, 1, replay->ith, replay->nth, &begin, &end);
  for (int64_t i = begin; i < end; i++) function(y + i * width, p + i * width, q, width);
}

#endif
