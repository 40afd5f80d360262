/* multiply: a, and b of the same shape, or b [d] on a [..., d].
 *
 * forward   y[i][j] = a[i][j] b[i][j],  or a[i][j] b[j]
 * backward  da[i][j] += dy[i][j] b[i][j],  or dy[i][j] b[j]
 *           db[i][j] += dy[i][j] a[i][j],  or db[j] += sum_i dy[i][j] a[i][j] */
#include "binary.h"

static void forward(rung_node *node, const rung_replay *replay) {
  binary_apply(node, replay, op_value(node), op_value(node->input[0]), op_value(node->input[1]),
               rung_kernels_active()->multiply);
}

/* The gradient of input `index` is dy times the other input. */
static void pass(const rung_node *node, const rung_replay *replay, int index) {
  const rung_kernels *kernels = rung_kernels_active();
  binary_apply(node, replay, op_gradient(node->input[index]), op_gradient(node), op_value(node->input[1 - index]),
               node->accumulate[index] ? kernels->multiply_add : kernels->multiply);
}

static void backward(rung_node *node, const rung_replay *replay) {
  if (rung_node_wants_gradient(node->input[0])) pass(node, replay, 0);
  if (!rung_node_wants_gradient(node->input[1])) return;
  if (!binary_broadcasts(node)) {
    pass(node, replay, 1);
    return;
  }
  int64_t begin, end, width = op_rows(node->input[1]);
  op_columns(width, replay, &begin, &end);
  rung_kernels_active()->column_dot(op_gradient(node->input[1]) + begin, op_gradient(node) + begin,
                                    op_value(node->input[0]) + begin, rung_tensor_count(&node->value) / width,
                                    end - begin, width, node->accumulate[1]);
}

const rung_op rung_op_multiply = {
    .name = "multiply", .input_count = 2, .infer = binary_infer, .forward = forward, .backward = backward};

rung_node *rung_multiply(rung_node *a, rung_node *b) {
  return a && b ? rung_record(&rung_op_multiply, (rung_node *[]){a, b}, NULL, 0) : NULL;
}
