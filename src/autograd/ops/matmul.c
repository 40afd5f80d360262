/* matmul: a [n, k], b [k, m] -> y [n, m].
 *
 * forward   y[i][j] = sum_l a[i][l] b[l][j]
 * backward  da[i][l] += sum_j dy[i][j] b[l][j]
 *           db[l][j] += sum_i a[i][l] dy[i][j] */
#include "op.h"

static rung_gemm product(const rung_node *node) {
  const rung_node *a = node->input[0], *b = node->input[1];
  return (rung_gemm){.m = op_rows(a),
                     .n = op_row_size(b),
                     .k = op_row_size(a),
                     .a = rung_tensor_matrix(&a->value, false),
                     .b = rung_tensor_matrix(&b->value, false),
                     .c = op_value(node),
                     .c_stride = op_row_size(b)};
}

static rung_gemm product_for_a(const rung_node *node) {
  const rung_node *a = node->input[0], *b = node->input[1];
  return (rung_gemm){.m = op_rows(a),
                     .n = op_row_size(a),
                     .k = op_row_size(b),
                     .a = rung_tensor_matrix(&node->gradient, false),
                     .b = rung_tensor_matrix(&b->value, true),
                     .c = op_gradient(a),
                     .c_stride = op_row_size(a),
                     .accumulate = node->accumulate[0]};
}

static rung_gemm product_for_b(const rung_node *node) {
  const rung_node *a = node->input[0], *b = node->input[1];
  return (rung_gemm){.m = op_row_size(a),
                     .n = op_row_size(b),
                     .k = op_rows(a),
                     .a = rung_tensor_matrix(&a->value, true),
                     .b = rung_tensor_matrix(&node->gradient, false),
                     .c = op_gradient(b),
                     .c_stride = op_row_size(b),
                     .accumulate = node->accumulate[1]};
}

static rung_status check(const rung_node *node) {
  for (int i = 0; i < 2; i++) {
    rung_status status = op_expect_f32(node, i);
    if (status != RUNG_OK) return status;
  }
  const rung_shape *a = &node->input[0]->value.shape, *b = &node->input[1]->value.shape;
  if (a->rank != 2 || b->rank != 2 || a->extent[1] != b->extent[0])
    return op_refuse(node, "a b", "a [n, k] and b [k, m]");
  return op_expect_unbatched(node, 1);
}

static rung_status infer(rung_node *node) {
  rung_status status = check(node);
  if (status != RUNG_OK) return status;
  node->value.type = RUNG_F32;
  node->value.shape = RUNG_SHAPE(op_rows(node->input[0]), op_row_size(node->input[1]));
  const rung_gemm gemm[] = {product(node), product_for_a(node), product_for_b(node)};
  op_reserve_products(node, gemm, 3);
  return RUNG_OK;
}

static void forward(rung_node *node, const rung_replay *replay) {
  const rung_gemm gemm = product(node);
  op_run_product(&gemm, replay);
}

static void backward(rung_node *node, const rung_replay *replay) {
  if (rung_node_wants_gradient(node->input[0])) {
    const rung_gemm gemm = product_for_a(node);
    op_run_product(&gemm, replay);
  }
  if (rung_node_wants_gradient(node->input[1])) {
    const rung_gemm gemm = product_for_b(node);
    op_run_product(&gemm, replay);
  }
}

const rung_op rung_op_matmul = {
    .name = "matmul", .input_count = 2, .infer = infer, .forward = forward, .backward = backward};

rung_node *rung_matmul(rung_node *a, rung_node *b) {
  return a && b ? rung_record(&rung_op_matmul, (rung_node *[]){a, b}, NULL, 0) : NULL;
}
