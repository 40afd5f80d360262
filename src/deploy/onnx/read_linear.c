/* Gemm, MatMul and Add: linear layers. A product without a bias waits until it is known what reads it: an Add of a
 * constant is its bias. */
#include "import.h"

#include <string.h>

typedef struct import_linear {
  rung_node *x;
  const import_value *weight;
  bool transposed; /* the weight is [in, out] */
  float alpha;
} import_linear;

/* ---- Weights and biases ------------------------------------------------------------------------------------------ */

static bool is_weight(const import_value *value) {
  if (!value || value->node || value->tensor.shape.rank != 2) return false;
  return value->grid.type ? value->dequantized : import_is_real(&value->tensor);
}

/* Named as PyTorch names them, by the weight or the bias; else by number. */
static const char *layer_name(import *in, const import_value *weight, const import_value *bias) {
  const char *const names[] = {weight->name, import_text(weight->tensor.proto->name), bias ? bias->name : "",
                               bias ? import_text(bias->tensor.proto->name) : ""};
  for (int i = 0; i < 4; i++) {
    const char *layer = import_layer_name(in, names[i], i < 2 ? "weight" : "bias");
    if (layer) return layer;
  }
  return import_layer_number(in, "linear");
}

static void fill_weight(rung_node *parameter, const import_linear *linear) {
  const int64_t out = parameter->value.shape.extent[0], columns = parameter->value.shape.extent[1];
  float *w = parameter->value.data;
  for (int64_t j = 0; j < out; j++)
    for (int64_t k = 0; k < columns; k++)
      w[j * columns + k] =
          linear->alpha * import_dequantized(linear->weight, linear->transposed ? k * out + j : j * columns + k);
}

static void fill_bias(rung_node *parameter, const import_value *bias, float beta) {
  float *b = parameter->value.data;
  for (int64_t j = 0; j < parameter->value.shape.extent[0]; j++)
    b[j] = beta * import_dequantized(bias, bias->tensor.count == 1 ? 0 : j);
}

/* [out], [1, ..., out] or one number for all. */
static bool is_bias(const import_value *value, int64_t out) {
  if (!value || value->node || value->linear) return false;
  const import_tensor *tensor = &value->tensor;
  bool real = value->grid.type ? value->dequantized : import_is_real(tensor);
  int last = tensor->shape.rank - 1;
  return real && (tensor->count == 1 || (tensor->count == out && tensor->shape.extent[last] == out));
}

/* ---- Recording --------------------------------------------------------------------------------------------------- */

static rung_status check_product(import_node *node, const import_linear *linear) {
  const rung_shape *x = &linear->x->value.shape, *w = &linear->weight->tensor.shape;
  int64_t columns = w->extent[linear->transposed ? 0 : 1];
  char have[RUNG_SHAPE_TEXT];
  if (x->rank != 2 || x->extent[1] != columns)
    return import_refuse(node, "its input is %s, expected [batch, %lld] for its weight",
                         rung_shape_format(x, have, sizeof have), (long long)columns);
  if (linear->weight->grid.type && linear->alpha != 1)
    return import_refuse(node, "alpha is %g, expected 1 with a quantized weight", (double)linear->alpha);
  return RUNG_OK;
}

static rung_status note_quantized(import_node *node, const import_linear *linear, const import_value *bias,
                                  const rung_node *layer) {
  import *in = node->in;
  if (!linear->weight->grid.type) {
    in->float_layers++;
    return RUNG_OK;
  }
  import_weight *weight = rung_arena_allocate(in->arena, sizeof *weight);
  if (!weight) return RUNG_ERROR_MEMORY;
  *weight =
      (import_weight){.layer = layer, .value = linear->weight, .transposed = linear->transposed, .next = in->weights};
  if (bias && bias->grid.type) weight->bias = bias;
  in->weights = weight;
  return RUNG_OK;
}

/* The linear layer; NULL with a message. `bias` NULL: without one. */
static rung_node *record(import_node *node, const import_linear *linear, const import_value *bias, float beta) {
  if (check_product(node, linear) != RUNG_OK) return NULL;
  const rung_shape *w = &linear->weight->tensor.shape;
  int64_t columns = w->extent[linear->transposed ? 0 : 1], out = w->extent[linear->transposed ? 1 : 0];
  const char *layer = layer_name(node->in, linear->weight, bias);
  rung_node *weight = import_parameter(node->in, layer, "weight", RUNG_SHAPE(out, columns));
  rung_node *shift = bias ? import_parameter(node->in, layer, "bias", RUNG_SHAPE(out)) : NULL;
  if (!weight || (bias && !shift)) return NULL;
  fill_weight(weight, linear);
  if (bias) fill_bias(shift, bias, beta);
  rung_node *recorded = rung_linear_with(linear->x, weight, shift);
  return recorded && note_quantized(node, linear, bias, recorded) == RUNG_OK ? recorded : NULL;
}

rung_status import_linear_record(import_node *node, import_value *value) {
  if (!value->linear || value->node) return RUNG_OK;
  value->node = record(node, value->linear, NULL, 1);
  return value->node ? RUNG_OK : import_blame(node, rung_error_status());
}

/* Waits if one other node reads it, which may bring a bias. */
static rung_status output_product(import_node *node, const import_linear *linear) {
  if (node->proto->n_output == 0 || import_readers(node->in, node->proto->output[0]) != 1)
    return import_output_node(node, record(node, linear, NULL, 1));
  rung_status status = check_product(node, linear);
  import_linear *kept = status == RUNG_OK ? rung_arena_allocate(node->in->arena, sizeof *kept) : NULL;
  if (!kept) return status == RUNG_OK ? RUNG_ERROR_MEMORY : status;
  *kept = *linear;
  return import_output_value(node, &(import_value){.linear = kept});
}

/* ---- The nodes --------------------------------------------------------------------------------------------------- */

static rung_status read_operands(import_node *node, import_linear *linear) {
  linear->x = import_input(node, 0);
  if (!linear->x) return rung_error_status();
  linear->weight = import_has_input(node, 1) ? node->input[1] : NULL;
  if (!is_weight(linear->weight))
    return import_refuse(
        node, "its second input is no constant matrix of reals; products of two activations are no layer in Rung");
  return RUNG_OK;
}

rung_status import_gemm(import_node *node) {
  import_linear linear = {.transposed = import_attribute_int(node, "transB", 0) == 0,
                          .alpha = import_attribute_float(node, "alpha", 1)};
  float beta = import_attribute_float(node, "beta", 1);
  if (import_attribute_int(node, "transA", 0) != 0) return import_refuse(node, "transA is set, expected 0");
  rung_status status = read_operands(node, &linear);
  if (status != RUNG_OK) return status;
  if (!import_has_input(node, 2)) return output_product(node, &linear);
  const import_value *bias = node->input[2];
  int64_t out = linear.weight->tensor.shape.extent[linear.transposed ? 1 : 0];
  if (!is_bias(bias, out))
    return import_refuse(node, "its bias '%.80s' is not a constant of %lld reals", bias->name, (long long)out);
  return import_output_node(node, record(node, &linear, bias, beta));
}

rung_status import_matmul(import_node *node) {
  import_linear linear = {.transposed = true, .alpha = 1};
  rung_status status = read_operands(node, &linear);
  return status == RUNG_OK ? output_product(node, &linear) : status;
}

/* A constant that is added to something else than a product: learned, as all constants of a file are. */
static rung_status add_constant(import_node *node, int known) {
  rung_node *x = import_input(node, 1 - known);
  if (!x) return rung_error_status();
  const import_value *constant = node->input[known];
  int64_t columns = x->value.shape.extent[x->value.shape.rank - 1];
  if (!is_bias(constant, columns))
    return import_refuse(node, "'%.80s' is not a constant of %lld reals, the last extent of what it is added to",
                         constant->name, (long long)columns);
  const char *layer = import_layer_name(node->in, constant->name, "bias");
  rung_node *shift =
      import_parameter(node->in, layer ? layer : import_layer_number(node->in, "add"), "bias", RUNG_SHAPE(columns));
  if (!shift) return import_blame(node, rung_error_status());
  fill_bias(shift, constant, 1);
  return import_output_node(node, rung_add(x, shift));
}

static bool is_constant(const import_node *node, int index) {
  return import_has_input(node, index) && !node->input[index]->node && !node->input[index]->linear;
}

rung_status import_add(import_node *node) {
  int known = is_constant(node, 0) ? 0 : 1;
  if (import_gelu_add(node, known)) return import_gelu_output(node, node->input[1 - known], STAGE_ERF_1);
  if (!is_constant(node, known)) {
    rung_node *a = import_input(node, 0), *b = a ? import_input(node, 1) : NULL;
    return b ? import_output_node(node, rung_add(a, b)) : rung_error_status();
  }
  const import_value *other = import_has_input(node, 1 - known) ? node->input[1 - known] : NULL;
  if (!other || !other->linear || other->node) return add_constant(node, known);
  int64_t out = other->linear->weight->tensor.shape.extent[other->linear->transposed ? 1 : 0];
  if (!is_bias(node->input[known], out)) return add_constant(node, known);
  return import_output_node(node, record(node, other->linear, node->input[known], 1));
}
