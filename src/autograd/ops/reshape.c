/* reshape: x [n, ...] -> y [n, shape...], the same elements in the same order.
 *
 * forward   y[i] = x[i]: the value is the input's memory, so there is nothing to do
 * backward  dx[i] += dy[i] */
#include "op.h"

static rung_status infer(rung_node *node) {
  const rung_node *x = node->input[0];
  const rung_shape *example = node->attributes;
  rung_status status = op_expect_f32(node, 0);
  if (status != RUNG_OK) return status;
  int64_t count;
  if (rung_shape_count(example, &count) != RUNG_OK) return RUNG_ERROR_SHAPE;
  char text[RUNG_SHAPE_TEXT];
  if (example->rank >= RUNG_MAX_RANK)
    return op_refuse(node, "x", "[n, ...] with at most %d extents in an example, not %s", RUNG_MAX_RANK - 1,
                     rung_shape_format(example, text, sizeof text));
  if (x->value.shape.rank < 1 || op_row_size(x) != count)
    return op_refuse(node, "x", "[n, ...] with the %lld elements of %s in an example", (long long)count,
                     rung_shape_format(example, text, sizeof text));
  node->value = x->value;
  node->value.shape = (rung_shape){.rank = example->rank + 1, .extent = {op_rows(x)}};
  for (int i = 0; i < example->rank; i++) node->value.shape.extent[i + 1] = example->extent[i];
  return RUNG_OK;
}

/* An input may lie elsewhere in every replay. */
static void prepare(rung_node *node, const rung_replay *replay) {
  (void)replay;
  node->value.data = node->input[0]->value.data;
}

static void forward(rung_node *node, const rung_replay *replay) {
  (void)node;
  (void)replay;
}

static void backward(rung_node *node, const rung_replay *replay) {
  if (!rung_node_wants_gradient(node->input[0])) return;
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  rung_kernels_active()->scale_add(op_gradient(node->input[0]) + begin, op_gradient(node) + begin, 1, end - begin,
                                   node->accumulate[0]);
}

const rung_op rung_op_reshape = {.name = "reshape",
                                 .input_count = 1,
                                 .infer = infer,
                                 .prepare = prepare,
                                 .forward = forward,
                                 .backward = backward,
                                 .elementwise = true};

rung_node *rung_reshape(rung_node *x, rung_shape shape) {
  return rung_record(&rung_op_reshape, &x, &shape, sizeof shape);
}
