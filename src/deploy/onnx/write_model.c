/* A model's float graph as an ONNX file: a node an operation, an initializer a parameter. What makes a loss of the
 * scores, and dropout, stay behind. */
#include <rung/deploy.h>

#ifdef RUNG_HAVE_ONNX
#include "export.h"

#include <string.h>

enum { OPSET = 13, GELU_OPSET = 20 };

/* A value is named after its node; that of a dropout is its input's. */
typedef struct model_writer {
  export_file file;
  const rung_graph *graph;
  const rung_node *output;
  const char **value; /* [nodes]: the names; NULL: not needed for the output */
} model_writer;

static const char *value_of(const model_writer *writer, const rung_node *node) {
  return writer->value[node->index];
}

/* Of a batched node. */
static rung_shape example_shape(const rung_node *node) {
  rung_shape shape = {.rank = node->value.shape.rank - 1};
  for (int i = 0; i < shape.rank; i++) shape.extent[i] = node->value.shape.extent[i + 1];
  return shape;
}

/* ---- Operations ------------------------------------------------------------------------------------------------- */

/* The node's own inputs, in its order, are the ONNX node's. */
static void write_plain(model_writer *writer, const rung_node *node, const char *op) {
  const char *inputs[RUNG_MAX_INPUTS + 1] = {NULL};
  for (int i = 0; i < node->op->input_count; i++) inputs[i] = value_of(writer, node->input[i]);
  export_node(&writer->file, op, inputs, value_of(writer, node));
}

/* Gemm takes matrices alone. */
static const char *write_flat(model_writer *writer, const rung_node *x, const char *reader) {
  if (x->value.shape.rank == 2) return value_of(writer, x);
  const char *flat = export_name(&writer->file, "%s.flat", reader);
  export_node(&writer->file, "Flatten", INPUTS(value_of(writer, x)), flat);
  export_attribute_int(&writer->file, "axis", 1);
  return flat;
}

static void write_linear(model_writer *writer, const rung_node *node, const char *op) {
  const char *y = value_of(writer, node), *x = write_flat(writer, node->input[0], y);
  const char *bias = node->input[2] ? value_of(writer, node->input[2]) : NULL;
  export_node(&writer->file, op, INPUTS(x, value_of(writer, node->input[1]), bias), y);
  export_attribute_int(&writer->file, "transB", 1);
}

static void write_relu6(model_writer *writer, const rung_node *node, const char *op) {
  export_file *file = &writer->file;
  const char *y = value_of(writer, node);
  const char *min = export_float(file, export_name(file, "%s.min", y), 0);
  const char *max = export_float(file, export_name(file, "%s.max", y), 6);
  export_node(file, op, INPUTS(value_of(writer, node->input[0]), min, max), y);
}

static void write_rescale(model_writer *writer, const rung_node *node, const char *op) {
  export_file *file = &writer->file;
  const char *y = value_of(writer, node), *scaled = export_name(file, "%s.scaled", y);
  const char *scale = export_float(file, export_name(file, "%s.scale", y), rung_rescale_scale(node));
  const char *offset = export_float(file, export_name(file, "%s.offset", y), rung_rescale_offset(node));
  export_node(file, op, INPUTS(value_of(writer, node->input[0]), scale), scaled);
  export_node(file, "Add", INPUTS(scaled, offset), y);
}

/* A number for each column, as BatchNormalization wants them, of one for all. */
static const char *write_repeated(export_file *file, const rung_node *norm, const rung_node *parameter) {
  const int64_t columns = norm->value.shape.extent[1];
  float *value = export_array(file, (size_t)columns, sizeof *value);
  for (int64_t j = 0; j < columns && value; j++) value[j] = *(const float *)parameter->value.data;
  return export_floats(file, export_name(file, "%s.columns", parameter->name), RUNG_SHAPE(columns), value);
}

static void write_batch_norm(model_writer *writer, const rung_node *node, const char *op) {
  const char *inputs[RUNG_MAX_INPUTS + 1] = {value_of(writer, node->input[0])};
  for (int i = 1; i < node->op->input_count; i++) {
    const rung_node *parameter = node->input[i];
    const bool whole = rung_tensor_count(&parameter->value) != node->value.shape.extent[1];
    inputs[i] = whole ? write_repeated(&writer->file, node, parameter) : value_of(writer, parameter);
  }
  export_node(&writer->file, op, inputs, value_of(writer, node));
  export_attribute_float(&writer->file, "epsilon", rung_batch_norm_epsilon(node));
}

/* To [0, shape...]: 0 keeps the extent that stands there, the batch. */
static void write_reshape(model_writer *writer, const rung_node *node, const char *op) {
  export_file *file = &writer->file;
  const rung_shape shape = example_shape(node);
  int64_t extent[RUNG_MAX_RANK] = {0};
  for (int i = 0; i < shape.rank; i++) extent[i + 1] = shape.extent[i];
  const char *y = value_of(writer, node), *to = export_name(file, "%s.shape", y);
  export_int64s(file, to, RUNG_SHAPE(shape.rank + 1), extent);
  export_node(file, op, INPUTS(value_of(writer, node->input[0]), to), y);
}

/* Every operation that has a counterpart. A sum or mean over the batch has none that would make a network's output. */
static const struct {
  const rung_op *op;
  const char *name;
  void (*write)(model_writer *writer, const rung_node *node, const char *op);
} written_ops[] = {
    {&rung_op_linear, "Gemm", write_linear},      {&rung_op_matmul, "MatMul", write_plain},
    {&rung_op_add, "Add", write_plain},           {&rung_op_multiply, "Mul", write_plain},
    {&rung_op_relu, "Relu", write_plain},         {&rung_op_relu6, "Clip", write_relu6},
    {&rung_op_sigmoid, "Sigmoid", write_plain},   {&rung_op_tanh, "Tanh", write_plain},
    {&rung_op_gelu, "Gelu", write_plain},         {&rung_op_batch_norm, "BatchNormalization", write_batch_norm},
    {&rung_op_reshape, "Reshape", write_reshape}, {&rung_op_rescale, "Mul", write_rescale},
};

static rung_status write_operation(model_writer *writer, const rung_node *node) {
  for (size_t i = 0; i < sizeof written_ops / sizeof written_ops[0]; i++)
    if (written_ops[i].op == node->op) {
      written_ops[i].write(writer, node, written_ops[i].name);
      return RUNG_OK;
    }
  return rung_fail(RUNG_ERROR_UNSUPPORTED, "onnx: '%s': there is no counterpart to the operation '%s'", node->name,
                   node->op->name);
}

/* ---- The graph -------------------------------------------------------------------------------------------------- */

static bool is_leaf(const rung_node *node) {
  return rung_node_is_input(node) || rung_node_is_parameter(node);
}

static bool is_loss(const rung_node *node) {
  return node->op == &rung_op_cross_entropy || node->op == &rung_op_squared_hinge || node->op == &rung_op_squared_error;
}

/* What the network computes: what its loss looks at or, without one, what was recorded last. */
static rung_status find_output(model_writer *writer) {
  const rung_node *node = rung_graph_node(writer->graph, rung_graph_node_count(writer->graph) - 1);
  if (node && is_loss(node)) node = node->input[0];
  while (node && node->op == &rung_op_dropout) node = node->input[0];
  if (!node || is_leaf(node) || !node->batched || node->value.shape.rank == 0)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "onnx: the model computes no output from an input");
  writer->output = node;
  return RUNG_OK;
}

/* Marks what the output is computed from by its name. Inputs of a node stand before it. */
static rung_status name_values(model_writer *writer) {
  const int count = writer->output->index + 1;
  writer->value = rung_arena_array(writer->file.arena, (size_t)count, sizeof *writer->value);
  if (!writer->value) return RUNG_ERROR_MEMORY;
  writer->value[writer->output->index] = "logits";
  for (int n = count - 1; n >= 0; n--) {
    const rung_node *node = rung_graph_node(writer->graph, n);
    for (int i = 0; i < node->op->input_count && writer->value[n]; i++)
      if (node->input[i] && !writer->value[node->input[i]->index])
        writer->value[node->input[i]->index] = node->input[i]->name;
  }
  for (int n = 0; n < count; n++) {
    const rung_node *node = rung_graph_node(writer->graph, n);
    if (writer->value[n] && node->op == &rung_op_dropout) writer->value[n] = value_of(writer, node->input[0]);
  }
  return RUNG_OK;
}

static rung_status write_value(model_writer *writer, const rung_node *node) {
  if (rung_node_is_parameter(node)) {
    export_floats(&writer->file, node->name, node->value.shape, node->value.data);
  } else if (rung_node_is_input(node)) {
    const rung_shape example = example_shape(node);
    export_input(&writer->file, node->name, EXPORT_FLOAT, &example);
  } else if (node->op != &rung_op_dropout) {
    return write_operation(writer, node);
  }
  return RUNG_OK;
}

static rung_status write_graph(model_writer *writer) {
  rung_status status = name_values(writer);
  for (int n = 0; n <= writer->output->index && status == RUNG_OK; n++)
    if (writer->value[n]) status = write_value(writer, rung_graph_node(writer->graph, n));
  const rung_shape example = example_shape(writer->output);
  export_output(&writer->file, "logits", EXPORT_FLOAT, &example);
  return status;
}

/* The first set that has all that is used. */
static int opset_needed(const rung_graph *graph) {
  for (int n = 0; n < rung_graph_node_count(graph); n++)
    if (rung_graph_node(graph, n)->op == &rung_op_gelu) return GELU_OPSET;
  return OPSET;
}

rung_status rung_model_export_onnx(const rung_model *model, const char *path) {
  rung_status status = rung_model_status(model);
  if (status != RUNG_OK) return status;
  if (!path) return rung_fail(RUNG_ERROR_ARGUMENT, "onnx: the path is NULL");
  model_writer writer = {.graph = rung_model_graph(model)};
  status = find_output(&writer);
  if (status == RUNG_OK) status = rung_model_check_finite(model);
  if (status != RUNG_OK) return status;
  export_begin(&writer.file, "model", opset_needed(writer.graph));
  if (writer.file.status == RUNG_OK) status = write_graph(&writer);
  if (status != RUNG_OK) writer.file.status = status; /* where it is RUNG_OK, that of the file may be another */
  return export_end(&writer.file, path);
}

#endif
