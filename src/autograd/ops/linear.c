/* linear: x [n, in] (an example of any shape counts as its elements), weight w [out, in], bias b [out] or none ->
 * y [n, out].
 *
 * forward   y[i][j] = sum_k x[i][k] w[j][k] + b[j]
 * backward  dx[i][k] += sum_j dy[i][j] w[j][k]
 *           dw[j][k] += sum_i dy[i][j] x[i][k]
 *           db[j]    += sum_i dy[i][j]
 *
 * x may be in integers: the products read it in any representation. */
#include "op.h"

enum { x_input, weight_input, bias_input };

static rung_gemm product(const rung_node *node) {
  const rung_node *x = node->input[x_input], *weight = node->input[weight_input], *bias = node->input[bias_input];
  return (rung_gemm){.m = op_rows(node),
                     .n = op_row_size(node),
                     .k = op_row_size(x),
                     .a = rung_tensor_matrix(&x->value, false),
                     .b = rung_tensor_matrix(&weight->value, true),
                     .c = op_value(node),
                     .c_stride = op_row_size(node),
                     .bias = bias ? op_value(bias) : NULL};
}

static rung_gemm product_for_x(const rung_node *node) {
  const rung_node *x = node->input[x_input];
  return (rung_gemm){.m = op_rows(node),
                     .n = op_row_size(x),
                     .k = op_row_size(node),
                     .a = rung_tensor_matrix(&node->gradient, false),
                     .b = rung_tensor_matrix(&node->input[weight_input]->value, false),
                     .c = op_gradient(x),
                     .c_stride = op_row_size(x),
                     .accumulate = node->accumulate[x_input]};
}

static rung_gemm product_for_weight(const rung_node *node) {
  const rung_node *x = node->input[x_input];
  return (rung_gemm){.m = op_row_size(node),
                     .n = op_row_size(x),
                     .k = op_rows(node),
                     .a = rung_tensor_matrix(&node->gradient, true),
                     .b = rung_tensor_matrix(&x->value, false),
                     .c = op_gradient(node->input[weight_input]),
                     .c_stride = op_row_size(x),
                     .accumulate = node->accumulate[weight_input]};
}

static rung_status check(const rung_node *node) {
  static const char names[] = "x weight bias";
  const rung_tensor *x = &node->input[x_input]->value, *weight = &node->input[weight_input]->value;
  if (x->type != RUNG_U8 && x->type != RUNG_I8 && op_expect_f32(node, x_input) != RUNG_OK) return RUNG_ERROR_ARGUMENT;
  for (int i = weight_input; i <= bias_input; i++) {
    rung_status status = op_expect_f32(node, i);
    if (status == RUNG_OK) status = op_expect_unbatched(node, i);
    if (status != RUNG_OK) return status;
  }
  long long in = op_row_size(node->input[x_input]), out = op_rows(node->input[weight_input]);
  if (x->shape.rank < 1) return op_refuse(node, names, "x [n, in]");
  if (weight->shape.rank != 2 || weight->shape.extent[1] != in) return op_refuse(node, names, "weight [out, %lld]", in);
  const rung_node *bias = node->input[bias_input];
  if (bias && (bias->value.shape.rank != 1 || bias->value.shape.extent[0] != out))
    return op_refuse(node, names, "bias [%lld]", out);
  return RUNG_OK;
}

static rung_status infer(rung_node *node) {
  rung_status status = check(node);
  if (status != RUNG_OK) return status;
  node->value.type = RUNG_F32;
  node->value.shape = RUNG_SHAPE(op_rows(node->input[x_input]), op_rows(node->input[weight_input]));
  const rung_gemm gemm[] = {product(node), product_for_x(node)}, weight = product_for_weight(node);
  op_reserve_products(node, gemm, 2);
  op_reserve(node, rung_node_weight_scratch(&weight));
  return RUNG_OK;
}

static void forward(rung_node *node, const rung_replay *replay) {
  const rung_gemm gemm = product(node);
  op_run_product(&gemm, replay);
}

static void backward(rung_node *node, const rung_replay *replay) {
  if (!rung_node_wants_gradient(node->input[x_input])) return;
  const rung_gemm gemm = product_for_x(node);
  op_run_product(&gemm, replay);
}

static void backward_weights(rung_node *node, const rung_replay *replay) {
  if (rung_node_wants_gradient(node->input[weight_input])) {
    const rung_gemm gemm = product_for_weight(node);
    rung_node_weight_product(node, weight_input, &gemm, replay);
  }
  if (rung_node_wants_gradient(node->input[bias_input])) rung_node_weight_row_sum(node, bias_input, replay);
}

const rung_op rung_op_linear = {.name = "linear",
                                .input_count = 3,
                                .infer = infer,
                                .forward = forward,
                                .backward = backward,
                                .backward_weights = backward_weights,
                                .weights = 1 << weight_input | 1 << bias_input,
                                .reads_integers = true};

rung_node *rung_linear_with(rung_node *x, rung_node *weight, rung_node *bias) {
  return x && weight ? rung_record(&rung_op_linear, (rung_node *[]){x, weight, bias}, NULL, 0) : NULL;
}
