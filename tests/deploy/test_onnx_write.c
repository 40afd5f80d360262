/* ONNX files as they are written, read back by protobuf-c, and computed by plain loops in f64. What ONNX Runtime makes
 * of them is tested in onnx/. */
#include "deploy_model.h"

#include "io/scratch.h"

#ifdef RUNG_HAVE_ONNX
#include <onnx/onnx.pb-c.h>

enum { FLOAT = 1, UINT8 = 2, INT8 = 3, INT32 = 6, INT64 = 7, INT4 = 22, EXAMPLES = 40, MOST_VALUES = 96 };

/* ---- A file read back ------------------------------------------------------------------------------------------- */

static Onnx__ModelProto *read_file(const char *path) {
  size_t size;
  unsigned char *bytes = scratch_read(path, &size);
  Onnx__ModelProto *file = onnx__model_proto__unpack(NULL, size, bytes);
  free(bytes);
  ck_assert_ptr_nonnull(file);
  return file;
}

static Onnx__ModelProto *export_program(const rung_program *program, const rung_onnx_options *options) {
  const char *path = scratch_path("program.onnx");
  expect_ok(rung_program_export_onnx(program, path, options));
  return read_file(path);
}

static Onnx__ModelProto *export_model(const rung_model *model) {
  const char *path = scratch_path("model.onnx");
  expect_ok(rung_model_export_onnx(model, path));
  return read_file(path);
}

static void release(Onnx__ModelProto *file) {
  onnx__model_proto__free_unpacked(file, NULL);
}

static const Onnx__TensorProto *initializer(const Onnx__GraphProto *graph, const char *name) {
  for (size_t i = 0; i < graph->n_initializer; i++)
    if (strcmp(graph->initializer[i]->name, name) == 0) return graph->initializer[i];
  return NULL;
}

static const Onnx__TensorProto *find(const Onnx__GraphProto *graph, const char *name, int type, int64_t rows,
                                     int64_t columns) {
  const Onnx__TensorProto *tensor = initializer(graph, name);
  ck_assert_msg(tensor != NULL, "no initializer '%s'", name);
  ck_assert_int_eq(tensor->data_type, type);
  ck_assert_int_eq((int)tensor->n_dims, (rows > 0) + (columns > 0));
  if (rows) ck_assert_int_eq(tensor->dims[0], rows);
  if (columns) ck_assert_int_eq(tensor->dims[1], columns);
  return tensor;
}

static int64_t elements_of(const Onnx__TensorProto *tensor) {
  int64_t count = 1;
  for (size_t i = 0; i < tensor->n_dims; i++) count *= tensor->dims[i];
  return count;
}

/* Element i, whatever its type. */
static double element(const Onnx__TensorProto *tensor, int64_t i) {
  const uint8_t *raw = tensor->raw_data.data;
  switch (tensor->data_type) {
  case FLOAT: ENSURE((int64_t)tensor->n_float_data == elements_of(tensor)); return tensor->float_data[i];
  case INT32: ENSURE((int64_t)tensor->n_int32_data == elements_of(tensor)); return tensor->int32_data[i];
  case INT64: ENSURE((int64_t)tensor->n_int64_data == elements_of(tensor)); return (double)tensor->int64_data[i];
  case INT4:
    ENSURE((int64_t)tensor->raw_data.len == (elements_of(tensor) + 1) / 2);
    return (raw[i / 2] >> i % 2 * 4 & 0xf) - ((raw[i / 2] >> i % 2 * 4 & 8) << 1);
  default: ENSURE((int64_t)tensor->raw_data.len == elements_of(tensor));
  }
  return tensor->data_type == INT8 ? (int8_t)raw[i] : raw[i];
}

static const Onnx__NodeProto *maker(const Onnx__GraphProto *graph, const char *value) {
  for (size_t i = 0; i < graph->n_node; i++)
    if (strcmp(graph->node[i]->output[0], value) == 0) return graph->node[i];
  ck_abort_msg("nothing computes '%s'", value);
}

static const Onnx__AttributeProto *attribute(const Onnx__NodeProto *node, const char *name) {
  for (size_t i = 0; i < node->n_attribute; i++)
    if (strcmp(node->attribute[i]->name, name) == 0) return node->attribute[i];
  return NULL;
}

/* The graph's operations, in order, with spaces between. */
static const char *operations(const Onnx__GraphProto *graph) {
  static char text[2048];
  size_t length = 0;
  text[0] = '\0';
  for (size_t i = 0; i < graph->n_node; i++)
    length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", i ? " " : "", graph->node[i]->op_type);
  return text;
}

static void expect_value(const Onnx__ValueInfoProto *value, const char *name, int type, int rank, const int *extent) {
  const Onnx__TypeProto__Tensor *tensor = value->type->tensor_type;
  ck_assert_str_eq(value->name, name);
  ck_assert_int_eq(tensor->elem_type, type);
  ck_assert_int_eq((int)tensor->shape->n_dim, rank + 1);
  ck_assert_int_eq(tensor->shape->dim[0]->value_case, ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM);
  ck_assert_str_eq(tensor->shape->dim[0]->dim_param, "batch");
  for (int i = 0; i < rank; i++) ck_assert_int_eq(tensor->shape->dim[i + 1]->dim_value, extent[i]);
}

static void expect_header(const Onnx__ModelProto *file, int opset, int format) {
  ck_assert_int_eq(file->ir_version, format);
  ck_assert_int_eq((int)file->n_opset_import, 1);
  ck_assert_str_eq(file->opset_import[0]->domain, "");
  ck_assert_int_eq(file->opset_import[0]->version, opset);
  ck_assert_str_eq(file->producer_name, "rung");
  ck_assert_uint_gt(strlen(file->producer_version), 0);
}

/* ---- A QDQ file computed ---------------------------------------------------------------------------------------- */

/* A value of the graph: real or integer, all in f64. */
typedef struct value {
  const char *name;
  int64_t rows, columns;
  double *x;
} value;

typedef struct computation {
  const Onnx__GraphProto *graph;
  int count;
  value values[MOST_VALUES];
} computation;

static value *add_value(computation *at, const char *name, int64_t rows, int64_t columns) {
  ck_assert_int_lt(at->count, MOST_VALUES);
  value *made = &at->values[at->count++];
  *made = (value){name, rows, columns, malloc((size_t)(rows * columns) * sizeof(double))};
  ck_assert_ptr_nonnull(made->x);
  return made;
}

static const value *get(const computation *at, const char *name) {
  for (int i = 0; i < at->count; i++)
    if (strcmp(at->values[i].name, name) == 0) return &at->values[i];
  ck_abort_msg("no value '%s'", name);
}

static void add_initializers(computation *at) {
  for (size_t i = 0; i < at->graph->n_initializer; i++) {
    const Onnx__TensorProto *tensor = at->graph->initializer[i];
    int64_t columns = tensor->n_dims == 2 ? tensor->dims[1] : 1, rows = elements_of(tensor) / columns;
    value *made = add_value(at, tensor->name, rows, columns);
    for (int64_t k = 0; k < rows * columns; k++) made->x[k] = element(tensor, k);
  }
}

/* The scale or zero point of element k: one for all, one a row, or one a block of a row. */
static double parameter_of(const Onnx__NodeProto *node, const value *x, const value *parameters, int64_t k) {
  const Onnx__AttributeProto *block = attribute(node, "block_size");
  if (block) return parameters->x[k / x->columns * parameters->columns + k % x->columns / block->i];
  return parameters->x[parameters->rows > 1 ? k / x->columns : 0];
}

static double quantized(const computation *at, const Onnx__NodeProto *node, double x) {
  const Onnx__TensorProto *zero_point = initializer(at->graph, node->input[2]);
  double q = rint(x / get(at, node->input[1])->x[0]) + element(zero_point, 0);
  double low = zero_point->data_type == INT8 ? -128 : 0;
  return q < low ? low : q > low + 255 ? low + 255 : q;
}

static double clipped(const computation *at, const Onnx__NodeProto *node, double x) {
  double low = get(at, node->input[1])->x[0], high = get(at, node->input[2])->x[0];
  return x < low ? low : x > high ? high : x;
}

static void compute_gemm(computation *at, const Onnx__NodeProto *node) {
  const value *x = get(at, node->input[0]), *w = get(at, node->input[1]), *b = get(at, node->input[2]);
  ck_assert_int_eq(attribute(node, "transB")->i, 1);
  ck_assert_int_eq(x->columns, w->columns);
  value *y = add_value(at, node->output[0], x->rows, w->rows);
  for (int64_t i = 0; i < x->rows; i++)
    for (int64_t j = 0; j < w->rows; j++) {
      double sum = b->x[j];
      for (int64_t k = 0; k < x->columns; k++) sum += x->x[i * x->columns + k] * w->x[j * w->columns + k];
      y->x[i * w->rows + j] = sum;
    }
}

static void compute_node(computation *at, const Onnx__NodeProto *node) {
  const char *op = node->op_type;
  if (strcmp(op, "Gemm") == 0) {
    compute_gemm(at, node);
    return;
  }
  const value *x = get(at, node->input[0]);
  value *y = add_value(at, node->output[0], x->rows, x->columns);
  for (int64_t k = 0; k < x->rows * x->columns; k++)
    if (strcmp(op, "QuantizeLinear") == 0)
      y->x[k] = quantized(at, node, x->x[k]);
    else if (strcmp(op, "DequantizeLinear") == 0)
      y->x[k] = (x->x[k] - parameter_of(node, x, get(at, node->input[2]), k)) *
                parameter_of(node, x, get(at, node->input[1]), k);
    else if (strcmp(op, "Clip") == 0)
      y->x[k] = clipped(at, node, x->x[k]);
    else if (strcmp(op, "Relu") == 0)
      y->x[k] = x->x[k] > 0 ? x->x[k] : 0;
    else if (strcmp(op, "Flatten") == 0)
      y->x[k] = x->x[k];
    else
      ck_abort_msg("operation %s", op);
}

/* All values of the file, its input the first examples of `data`. */
static void compute(computation *at, const Onnx__ModelProto *file, const rung_dataset *data) {
  *at = (computation){.graph = file->graph};
  add_initializers(at);
  value *image = add_value(at, file->graph->input[0]->name, EXAMPLES, 784);
  for (int64_t i = 0; i < EXAMPLES * 784; i++)
    image->x[i] = (double)(((const uint8_t *)data->inputs.data)[i]) * data->inputs.scale;
  for (size_t i = 0; i < file->graph->n_node; i++) compute_node(at, file->graph->node[i]);
}

static void computation_free(computation *at) {
  for (int i = 0; i < at->count; i++) free(at->values[i].x);
}

/* ---- Programs --------------------------------------------------------------------------------------------------- */

static const struct scheme_case {
  rung_scheme scheme;
  int opset, weight_type, activation_type;
} scheme_cases[] = {
    {{0}, 13, INT8, UINT8},
    {{.weight_bits = 5, .activation_bits = 6}, 13, INT8, UINT8},
    {{.weight_bits = 4, .activation_bits = 4}, 21, INT4, UINT8},
    {{.weight_bits = 2, .activation_bits = 3}, 21, INT4, UINT8},
    {{.weight_bits = 1}, 21, INT4, UINT8},
    {{.weight_granularity = RUNG_PER_TENSOR}, 13, INT8, UINT8},
    {{.activation_signed = true}, 13, INT8, INT8},
    {{.activation_signed = true, .activation_symmetric = true}, 13, INT8, INT8},
    {{.weight_bits = 4, .activation_bits = 4, .activation_signed = true}, 21, INT4, INT8},
    {{.weight_granularity = RUNG_PER_GROUP, .weight_group = 48}, 21, INT8, UINT8},
    {{.weight_bits = 4, .weight_granularity = RUNG_PER_GROUP, .weight_group = 20}, 21, INT4, UINT8},
};

/* The layers that the file's integers and logits are held against as the program runs. */
typedef struct holding {
  const computation *at;
  const rung_program *program;
  int64_t differ, negative;
} holding;

static void hold(void *context, int index, rung_dtype type, const void *output, int64_t count, int64_t out) {
  holding *held = context;
  const rung_integer_layer *layer = &rung_program_instruction(held->program, index)->integers;
  const char *name = type == RUNG_I32 ? "logits" : rung_program_instruction(held->program, index)->name;
  const value *have = get(held->at, name);
  ck_assert_int_eq(have->rows, count);
  ck_assert_int_eq(have->columns, out);
  for (int64_t i = 0; i < count * out; i++) {
    double want = type == RUNG_I32  ? ((const int32_t *)output)[i]
                  : type == RUNG_I8 ? ((const int8_t *)output)[i]
                                    : ((const uint8_t *)output)[i];
    if (type == RUNG_I32)
      ENSURE(fabs(have->x[i] / layer->output_scale - want) <= 0.5 + 1e-6 * fabs(want));
    else
      held->differ += have->x[i] != want;
  }
}

/* Every network and scheme: the file, computed as ONNX says, gives the program's integers and logits. */
START_TEST(the_file_computes_the_program) {
  const struct scheme_case *of = &scheme_cases[_i % LENGTH(scheme_cases)];
  pictures data = pictures_load(128, EXAMPLES);
  rung_model *model = calibrated((network)(_i / LENGTH(scheme_cases)), data.train, &of->scheme);
  rung_program *program = freeze(model);
  Onnx__ModelProto *file = export_program(program, &(rung_onnx_options){.trace = true});
  computation at;
  compute(&at, file, data.test);
  holding held = {.at = &at, .program = program};
  int32_t logits[EXAMPLES * 10];
  void *scratch = rung_allocate(rung_program_scratch(program, EXAMPLES));
  expect_ok(rung_program_trace(program, data.test->inputs.data, logits, EXAMPLES, scratch, hold, &held));
  ck_assert_int_eq(held.differ, 0);
  computation_free(&at);
  rung_release(scratch);
  release(file);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

static void expect_weight(const Onnx__GraphProto *graph, const char *name, const rung_integer_layer *layer, int type) {
  char text[64];
  const int64_t groups = layer->groups > 1 ? layer->groups : 0;
  snprintf(text, sizeof text, "%s.weight", name);
  const Onnx__TensorProto *weight = find(graph, text, type, layer->out, layer->in);
  for (int64_t i = 0; i < layer->out * layer->in; i++) ENSURE(element(weight, i) == layer->weight[i]);
  snprintf(text, sizeof text, "%s.weight.scale", name);
  const Onnx__TensorProto *scale = find(graph, text, FLOAT, layer->out, groups);
  for (int64_t i = 0; i < layer->out * layer->groups; i++) ENSURE(element(scale, i) == layer->weight_scale[i]);
  snprintf(text, sizeof text, "%s.weight.zero_point", name);
  const Onnx__TensorProto *zero_point = find(graph, text, type, layer->out, groups);
  for (int64_t i = 0; i < layer->out * layer->groups; i++) ENSURE(element(zero_point, i) == 0);
}

static void expect_bias(const Onnx__GraphProto *graph, const char *name, const rung_integer_layer *layer) {
  char text[64];
  snprintf(text, sizeof text, "%s.bias", name);
  const Onnx__TensorProto *bias = find(graph, text, layer->group ? FLOAT : INT32, layer->out, 0);
  if (layer->group) return;
  snprintf(text, sizeof text, "%s.bias.scale", name);
  const Onnx__TensorProto *scale = find(graph, text, FLOAT, layer->out, 0);
  snprintf(text, sizeof text, "%s.bias.zero_point", name);
  const Onnx__TensorProto *zero_point = find(graph, text, INT32, layer->out, 0);
  for (int64_t j = 0; j < layer->out; j++) {
    int64_t sum = 0;
    for (int64_t k = 0; k < layer->in; k++) sum += layer->weight[j * layer->in + k];
    ENSURE(element(bias, j) == (double)(layer->bias[j] + layer->input_zero_point * sum));
    ENSURE(element(scale, j) == layer->input_scale * layer->weight_scale[j] && element(zero_point, j) == 0);
  }
}

/* Weights, scales and biases are the program's to the bit, in the types that the scheme promises. */
START_TEST(the_file_holds_the_programs_integers) {
  const struct scheme_case *of = &scheme_cases[_i];
  const int picture[] = {28, 28}, width = 10;
  pictures data = pictures_load(128, 64);
  rung_model *model = calibrated(NETWORK_DEEP, data.train, &of->scheme);
  rung_program *program = freeze(model);
  Onnx__ModelProto *file = export_program(program, NULL);
  expect_header(file, of->opset, of->opset == 21 ? 10 : 7);
  ck_assert(file->graph->n_input == 1 && file->graph->n_output == 1);
  expect_value(file->graph->input[0], "image", FLOAT, 2, picture);
  expect_value(file->graph->output[0], "logits", FLOAT, 1, &width);
  for (int i = 0; i < rung_program_count(program); i++) {
    const rung_instruction *layer = rung_program_instruction(program, i);
    expect_weight(file->graph, layer->name, &layer->integers, of->weight_type);
    expect_bias(file->graph, layer->name, &layer->integers);
    if (layer->integers.output_type == RUNG_I32) continue;
    const char *q = maker(file->graph, layer->name)->input[0];
    bool clips = strcmp(maker(file->graph, layer->name)->op_type, "Clip") == 0;
    const Onnx__NodeProto *quantize = maker(file->graph, clips ? q : layer->name);
    ck_assert_str_eq(quantize->op_type, "QuantizeLinear");
    const Onnx__TensorProto *scale = find(file->graph, quantize->input[1], FLOAT, 0, 0);
    const Onnx__TensorProto *zero_point = find(file->graph, quantize->input[2], of->activation_type, 0, 0);
    ck_assert(element(scale, 0) == layer->integers.output_scale);
    ck_assert(element(zero_point, 0) == layer->integers.output_zero_point);
  }
  release(file);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

START_TEST(a_trace_puts_out_every_layer) {
  static const char *const names[] = {"logits", "fc1", "fc3", "fc4"};
  const int width[] = {10, HIDDEN, 70, 9};
  pictures data = pictures_load(128, 64);
  const rung_scheme scheme = {.activation_signed = _i};
  rung_model *model = calibrated(NETWORK_DEEP, data.train, &scheme);
  rung_program *program = freeze(model);
  Onnx__ModelProto *file = export_program(program, &(rung_onnx_options){.trace = true});
  ck_assert_int_eq((int)file->graph->n_output, LENGTH(names));
  for (int i = 0; i < LENGTH(names); i++)
    expect_value(file->graph->output[i], names[i], i == 0 ? FLOAT : _i ? INT8 : UINT8, 1, &width[i]);
  release(file);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* An 8-bit layer is what exporters write and runtimes look for; a narrower range is one Clip of integers more. */
START_TEST(a_layer_is_the_usual_pattern) {
  static const struct {
    network network;
    rung_scheme scheme;
    const char *operations;
    int low, high; /* of the Clip */
  } cases[] = {
      {NETWORK_RELU,
       {0},
       "Flatten QuantizeLinear DequantizeLinear DequantizeLinear DequantizeLinear Gemm Relu QuantizeLinear "
       "DequantizeLinear DequantizeLinear DequantizeLinear Gemm",
       0,
       0},
      {NETWORK_RELU,
       {.activation_bits = 5},
       "Flatten QuantizeLinear DequantizeLinear DequantizeLinear DequantizeLinear Gemm Relu QuantizeLinear Clip "
       "DequantizeLinear DequantizeLinear DequantizeLinear Gemm",
       0,
       31},
      {NETWORK_NO_ACTIVATION,
       {.activation_signed = true, .activation_symmetric = true},
       "Flatten QuantizeLinear DequantizeLinear DequantizeLinear DequantizeLinear Gemm QuantizeLinear Clip "
       "DequantizeLinear DequantizeLinear DequantizeLinear Gemm",
       -127,
       127},
      {NETWORK_RELU,
       {.weight_granularity = RUNG_PER_GROUP, .weight_group = 16},
       "Flatten QuantizeLinear DequantizeLinear DequantizeLinear Gemm Relu QuantizeLinear DequantizeLinear "
       "DequantizeLinear Gemm",
       0,
       0},
  };
  pictures data = pictures_load(128, 64);
  rung_model *model = calibrated(cases[_i].network, data.train, &cases[_i].scheme);
  rung_program *program = freeze(model);
  Onnx__ModelProto *file = export_program(program, NULL);
  ck_assert_str_eq(operations(file->graph), cases[_i].operations);
  const int type = cases[_i].scheme.activation_signed ? INT8 : UINT8;
  if (cases[_i].high) {
    ck_assert(element(find(file->graph, "fc1.min", type, 0, 0), 0) == cases[_i].low);
    ck_assert(element(find(file->graph, "fc1.max", type, 0, 0), 0) == cases[_i].high);
  }
  release(file);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

START_TEST(an_opset_can_be_asked_for) {
  pictures data = pictures_load(128, 64);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &(rung_scheme){.weight_bits = 4});
  rung_program *program = freeze(model);
  Onnx__ModelProto *file = export_program(program, &(rung_onnx_options){.opset = 13});
  expect_header(file, 13, 7);
  expect_weight(file->graph, "fc1", &rung_program_instruction(program, 0)->integers, INT8);
  release(file);
  const char *path = scratch_path("refused.onnx");
  ck_assert_int_eq(rung_program_export_onnx(program, path, &(rung_onnx_options){.opset = 17}), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), "onnx: opset 17, expected 13 or 21");
  rung_program_free(program);
  calibrate(model, data.train, &(rung_scheme){.weight_granularity = RUNG_PER_GROUP, .weight_group = 16});
  program = freeze(model);
  ck_assert_int_eq(rung_program_export_onnx(program, path, &(rung_onnx_options){.opset = 13}), RUNG_ERROR_UNSUPPORTED);
  ck_assert_str_eq(rung_error(), "onnx: fc1 has a scale a group, which opset 13 lacks, expected opset 21");
  ck_assert_int_ne(access(path, F_OK), 0);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* ---- Float models ----------------------------------------------------------------------------------------------- */

static rung_node *every_operation(rung_node *x) {
  rung_node *mix = rung_graph_parameter(x->graph, "mix", RUNG_SHAPE(12, 12));
  rung_node *gain = rung_graph_parameter(x->graph, "gain", RUNG_SHAPE(12));
  rung_node *h = rung_batch_norm(rung_linear_init(x, "fc1", 12, &(rung_linear_options){.no_bias = true}), "bn1");
  rung_node *side = rung_matmul(rung_tanh(h), mix);
  h = rung_add(rung_gelu(h), side);
  side = rung_multiply(rung_relu(h), gain);
  h = rung_multiply(rung_sigmoid(h), side);
  h = rung_dropout(rung_relu6(rung_reshape(h, RUNG_SHAPE(3, 4))), 0.1f);
  return rung_dropout(rung_linear(h, "fc2", 10), 0.1f);
}

static rung_model *every_model(void) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 4, .threads = 1, .seed = 2});
  rung_loss_cross_entropy(every_operation(rung_input(model, "image", RUNG_SHAPE(28, 28))));
  expect_ok(rung_model_status(model));
  return model;
}

START_TEST(every_operation_has_its_counterpart) {
  rung_model *model = every_model();
  Onnx__ModelProto *file = export_model(model);
  const Onnx__GraphProto *graph = file->graph;
  const int picture[] = {28, 28}, width = 10;
  expect_header(file, 20, 9);
  expect_value(graph->input[0], "image", FLOAT, 2, picture);
  expect_value(graph->output[0], "logits", FLOAT, 1, &width);
  ck_assert(graph->n_input == 1 && graph->n_output == 1);
  ck_assert_str_eq(operations(graph),
                   "Flatten Gemm BatchNormalization Tanh MatMul Gelu Add Relu Mul Sigmoid Mul Reshape "
                   "Clip Flatten Gemm");
  for (size_t i = 0; i < graph->n_node; i++) {
    const Onnx__NodeProto *node = graph->node[i];
    if (strcmp(node->op_type, "Gemm") == 0) ck_assert_int_eq(attribute(node, "transB")->i, 1);
    if (strcmp(node->op_type, "BatchNormalization") == 0) ck_assert(attribute(node, "epsilon")->f == 1e-5f);
    if (strcmp(node->op_type, "Clip") == 0)
      ck_assert(element(find(graph, node->input[1], FLOAT, 0, 0), 0) == 0 &&
                element(find(graph, node->input[2], FLOAT, 0, 0), 0) == 6);
    if (strcmp(node->op_type, "Reshape") == 0) {
      const Onnx__TensorProto *shape = find(graph, node->input[1], INT64, 3, 0);
      ck_assert(element(shape, 0) == 0 && element(shape, 1) == 3 && element(shape, 2) == 4);
    }
  }
  release(file);
  rung_model_free(model);
}
END_TEST

START_TEST(parameters_are_the_models) {
  rung_model *model = every_model();
  Onnx__ModelProto *file = export_model(model);
  for (int i = 0; i < rung_model_parameter_count(model); i++) {
    const rung_parameter parameter = rung_model_parameter(model, i);
    const Onnx__TensorProto *tensor = find(file->graph, parameter.name, FLOAT, parameter.shape.extent[0],
                                           parameter.shape.rank == 2 ? parameter.shape.extent[1] : 0);
    ck_assert_mem_eq(tensor->float_data, parameter.value, (size_t)elements_of(tensor) * sizeof(float));
  }
  release(file);
  rung_model_free(model);
}
END_TEST

/* Without a gelu the older set is enough; without a loss the last node is the output. */
START_TEST(a_model_without_a_loss_is_its_last_node) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 4, .threads = 1});
  rung_tanh(rung_linear(rung_input(model, "x", RUNG_SHAPE(5)), "fc1", 3));
  Onnx__ModelProto *file = export_model(model);
  const int width = 3;
  expect_header(file, 13, 7);
  expect_value(file->graph->output[0], "logits", FLOAT, 1, &width);
  ck_assert_str_eq(operations(file->graph), "Gemm Tanh");
  release(file);
  rung_model_free(model);
}
END_TEST

/* ---- And back --------------------------------------------------------------------------------------------------- */

/* The logits of a model in its present form, to be freed. */
static float *model_logits(rung_model *model, const rung_dataset *data) {
  rung_graph *graph = rung_model_bind(model, data);
  ck_assert_msg(graph != NULL, "%s", rung_error());
  expect_ok(rung_graph_replay(graph, &(rung_replay_options){.count = EXAMPLES}));
  const rung_node *scores = rung_graph_node(graph, rung_graph_node_count(graph) - 1)->input[0];
  float *logits = malloc(EXAMPLES * 10 * sizeof *logits);
  ck_assert_ptr_nonnull(logits);
  memcpy(logits, scores->value.data, EXAMPLES * 10 * sizeof *logits);
  return logits;
}

/* A float network that is written and read again is the same to the last bit; also when its batch norms are folded. */
START_TEST(a_written_model_can_be_read) {
  const bool folded = _i >= NETWORK_END;
  pictures data = pictures_load(128, 64);
  rung_model *model = network_new((network)(folded ? NETWORK_NO_BIAS_NORM - (_i - NETWORK_END) : _i), 1);
  fit(model, data.train, 1, 2e-3f);
  if (folded) calibrate(model, data.train, &scheme_cases[0].scheme);
  expect_ok(rung_model_use(model, RUNG_FORM_FLOAT));
  const char *path = scratch_path("model.onnx");
  expect_ok(rung_model_export_onnx(model, path));
  rung_model *again = rung_model_import_onnx(path, &(rung_model_options){.batch = BATCH, .threads = 1});
  ck_assert_msg(again != NULL, "%s", rung_error());
  float *before = model_logits(model, data.test), *after = model_logits(again, data.test);
  ck_assert_mem_eq(before, after, EXAMPLES * 10 * sizeof *before);
  free(before);
  free(after);
  rung_model_free(model);
  rung_model_free(again);
  pictures_free(&data);
}
END_TEST

/* And so is a program: what is read is a calibrated model, which freezes to the same integers. */
START_TEST(a_written_program_can_be_read) {
  pictures data = pictures_load(128, 64);
  rung_model *model = calibrated(NETWORK_DEEP, data.train, &scheme_cases[_i].scheme);
  rung_program *program = freeze(model);
  const char *path = scratch_path("program.onnx");
  expect_ok(rung_program_export_onnx(program, path, NULL));
  rung_model *again = rung_model_import_onnx(path, &(rung_model_options){.batch = BATCH, .threads = 1});
  ck_assert_msg(again != NULL, "%s", rung_error());
  rung_program *same = freeze(again);
  int32_t *before = logits_of(program, data.test, 64), *after = logits_of(same, data.test, 64);
  ck_assert_mem_eq(before, after, 64 * 10 * sizeof *before);
  free(before);
  free(after);
  rung_program_free(program);
  rung_program_free(same);
  rung_model_free(model);
  rung_model_free(again);
  pictures_free(&data);
}
END_TEST

/* A saved program still knows its input's name and shape; one that does not is given some. */
START_TEST(a_loaded_program_is_written_as_before) {
  pictures data = pictures_load(64, 64);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &scheme_cases[0].scheme);
  rung_program *program = freeze(model);
  expect_ok(rung_program_save(program, scratch_path("program.safetensors")));
  rung_program *loaded = rung_program_load(scratch_path("program.safetensors"));
  ck_assert_msg(loaded != NULL, "%s", rung_error());
  expect_ok(rung_program_export_onnx(program, scratch_path("before.onnx"), NULL));
  expect_ok(rung_program_export_onnx(loaded, scratch_path("after.onnx"), NULL));
  size_t before_size, after_size;
  unsigned char *before = scratch_read(scratch_path("before.onnx"), &before_size);
  unsigned char *after = scratch_read(scratch_path("after.onnx"), &after_size);
  ck_assert_uint_eq(before_size, after_size);
  ck_assert_mem_eq(before, after, before_size);
  free(before);
  free(after);
  loaded->input_name[0] = '\0';
  Onnx__ModelProto *file = export_program(loaded, NULL);
  expect_value(file->graph->input[0], "input", FLOAT, 1, &(int){784});
  release(file);
  rung_program_free(program);
  rung_program_free(loaded);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* ---- What is refused -------------------------------------------------------------------------------------------- */

static void expect_refused(const rung_model *model, rung_status status, const char *message) {
  const char *path = scratch_path("refused.onnx");
  char text[1200];
  ck_assert_int_eq(rung_model_export_onnx(model, path), status);
  snprintf(text, sizeof text, message, path);
  ck_assert_str_eq(rung_error(), text);
  ck_assert_int_ne(access(path, F_OK), 0);
}

START_TEST(an_operation_without_a_counterpart_is_named) {
  const rung_format format = {.bits = 8, .is_signed = true, .symmetric = true};
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 4, .threads = 1});
  rung_node *x = rung_input(model, "x", RUNG_SHAPE(5)), *weight = rung_graph_parameter(x->graph, "w", RUNG_SHAPE(3, 5));
  weight = rung_fake_quantize_weight(weight, &format, RUNG_PER_CHANNEL, 0);
  rung_loss_cross_entropy(rung_linear_with(x, weight, NULL));
  expect_ok(rung_model_status(model));
  char message[256];
  snprintf(message, sizeof message, "onnx: '%s': there is no counterpart to the operation '%s'", weight->name,
           weight->op->name);
  expect_refused(model, RUNG_ERROR_UNSUPPORTED, message);
  rung_model_free(model);
}
END_TEST

START_TEST(a_model_that_computes_nothing_is_refused) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 4, .threads = 1});
  expect_refused(model, RUNG_ERROR_UNSUPPORTED, "onnx: the model computes no output from an input");
  rung_node *x = rung_input(model, "x", RUNG_SHAPE(5));
  expect_refused(model, RUNG_ERROR_UNSUPPORTED, "onnx: the model computes no output from an input");
  rung_mean(rung_linear(x, "fc1", 3));
  expect_refused(model, RUNG_ERROR_UNSUPPORTED, "onnx: the model computes no output from an input");
  rung_model_free(model);
}
END_TEST

START_TEST(two_values_of_one_name_are_refused) {
  pictures data = pictures_load(64, 64);
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 4, .threads = 1});
  rung_node *x = rung_relu(rung_linear(rung_input(model, "image", RUNG_SHAPE(28, 28)), "logits", 6));
  rung_loss_cross_entropy(rung_linear(x, "fc2", 10));
  calibrate(model, data.train, &(rung_scheme){0});
  rung_program *program = freeze(model);
  const char *path = scratch_path("refused.onnx");
  char message[1200];
  snprintf(message, sizeof message, "%s: two values would be named 'logits'", path);
  ck_assert_int_eq(rung_program_export_onnx(program, path, NULL), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), message);
  ck_assert_int_ne(access(path, F_OK), 0);
  rung_program_free(program);
  rung_model_free(model);
  model = rung_model_new(&(rung_model_options){.batch = 4, .threads = 1});
  rung_linear(rung_input(model, "logits", RUNG_SHAPE(5)), "fc1", 3);
  expect_refused(model, RUNG_ERROR_ARGUMENT, "%s: two values would be named 'logits'");
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

START_TEST(what_is_no_number_is_refused) {
  rung_model *model = every_model();
  rung_model_parameter(model, 3).value[5] = INFINITY;
  char message[128];
  snprintf(message, sizeof message, "%s: value 5 is inf, expected a finite number",
           rung_model_parameter(model, 3).name);
  expect_refused(model, RUNG_ERROR_NUMERIC, message);
  rung_model_free(model);
}
END_TEST

START_TEST(what_is_missing_is_named) {
  rung_model *model = every_model();
  ck_assert_int_eq(rung_model_export_onnx(model, NULL), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), "onnx: the path is NULL");
  ck_assert_int_eq(rung_model_export_onnx(NULL, "x"), RUNG_ERROR_ARGUMENT);
  ck_assert_int_eq(rung_program_export_onnx(NULL, "x", NULL), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), "onnx: the program is NULL");
  ck_assert_int_eq(rung_model_export_onnx(model, scratch_path("folder/")), RUNG_ERROR_IO);
  rung_model_free(model);
}
END_TEST

/* A file that was there stays until the new one is whole; nothing else is left beside it. */
START_TEST(a_refused_model_leaves_the_file_that_was_there) {
  const char *path = scratch_write("alone/refused.onnx", "old", 3);
  rung_model *model = every_model();
  rung_model_parameter(model, 0).value[0] = NAN;
  ck_assert_int_eq(rung_model_export_onnx(model, path), RUNG_ERROR_NUMERIC);
  size_t size;
  unsigned char *bytes = scratch_read(path, &size);
  ck_assert(size == 3 && memcmp(bytes, "old", 3) == 0);
  free(bytes);
  rung_model_parameter(model, 0).value[0] = 0;
  expect_ok(rung_model_export_onnx(model, path));
  release(read_file(path));
  ck_assert_int_eq(remove(path), 0);
  ck_assert_int_eq(rmdir(scratch_path("alone")), 0);
  rung_model_free(model);
}
END_TEST

TEST_MAIN(CASES(the_file_computes_the_program, NETWORK_COUNT *LENGTH(scheme_cases)),
          CASES(the_file_holds_the_programs_integers, LENGTH(scheme_cases)), CASES(a_trace_puts_out_every_layer, 2),
          CASES(a_layer_is_the_usual_pattern, 4), CASE(an_opset_can_be_asked_for),
          CASE(every_operation_has_its_counterpart), CASE(parameters_are_the_models),
          CASE(a_model_without_a_loss_is_its_last_node), CASES(a_written_model_can_be_read, NETWORK_END + 2),
          CASES(a_written_program_can_be_read, LENGTH(scheme_cases)), CASE(a_loaded_program_is_written_as_before),
          CASE(an_operation_without_a_counterpart_is_named), CASE(a_model_that_computes_nothing_is_refused),
          CASE(two_values_of_one_name_are_refused), CASE(what_is_no_number_is_refused), CASE(what_is_missing_is_named),
          CASE(a_refused_model_leaves_the_file_that_was_there))

#else

static bool is_absent(rung_status status) {
  return status == RUNG_ERROR_UNSUPPORTED &&
         strcmp(rung_error(), "x.onnx: this build has no ONNX (protobuf-c and onnx.proto were not found)") == 0;
}

int main(void) {
  if (!is_absent(rung_model_export_onnx(NULL, "x.onnx")) || !is_absent(rung_program_export_onnx(NULL, "x.onnx", NULL)))
    return EXIT_FAILURE;
  test_skip("this build has no ONNX");
}

#endif
