/* Building the messages of an ONNX file (onnx.proto), and writing them. The messages are protobuf-c's structs, made by
 * hand: all in the file's arena, so that none is released by itself. */
#include <rung/deploy.h>

#ifdef RUNG_HAVE_ONNX
#include "export.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LARGEST_MESSAGE INT32_MAX /* bytes that protobuf's readers take */
#define BATCH           "batch"   /* what the open extent is called */

/* ---- Pieces ----------------------------------------------------------------------------------------------------- */

void *export_array(export_file *file, size_t count, size_t size) {
  void *made = file->status == RUNG_OK ? rung_arena_array(file->arena, count, size) : NULL;
  if (!made && file->status == RUNG_OK) file->status = RUNG_ERROR_MEMORY;
  return made;
}

static void *make_message(export_file *file, const ProtobufCMessageDescriptor *descriptor) {
  void *message = export_array(file, 1, descriptor->sizeof_message);
  if (message) protobuf_c_message_init(descriptor, message);
  return message;
}

/* Puts `item` behind the *count pointers of a message's list, which is moved whenever its size is a power of two. */
static void append(export_file *file, void *list, size_t *count, const void *item) {
  const void ***items = list;
  if ((*count & (*count - 1)) == 0) {
    const void **longer = export_array(file, *count ? 2 * *count : 1, sizeof *longer);
    if (longer && *count) memcpy(longer, *items, *count * sizeof *longer);
    if (longer) *items = longer;
  }
  if (file->status == RUNG_OK) (*items)[(*count)++] = item;
}

const char *export_name(export_file *file, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  char *name = export_array(file, (size_t)length + 1, 1);
  if (!name) return "";
  va_start(arguments, format);
  vsnprintf(name, (size_t)length + 1, format, arguments);
  va_end(arguments);
  return name;
}

/* The fields of protobuf-c's messages are not const; they are read only. */
static char *text(export_file *file, const char *string) {
  return (char *)export_name(file, "%s", string);
}

/* ---- The model -------------------------------------------------------------------------------------------------- */

/* The version of the file format that came with an operator set ("Versioning" in ONNX's documentation). */
static int64_t format_version(int opset) {
  return opset >= 21 ? 10 : opset >= 20 ? 9 : 7;
}

void export_begin(export_file *file, const char *graph_name, int opset) {
  *file = (export_file){.arena = rung_arena_new()};
  if (!file->arena) file->status = RUNG_ERROR_MEMORY;
  Onnx__ModelProto *model = make_message(file, &onnx__model_proto__descriptor);
  Onnx__GraphProto *graph = make_message(file, &onnx__graph_proto__descriptor);
  Onnx__OperatorSetIdProto *operators = make_message(file, &onnx__operator_set_id_proto__descriptor);
  if (file->status != RUNG_OK) return;
  operators->domain = text(file, ""); /* the standard one */
  operators->has_version = true;
  operators->version = opset;
  append(file, &model->opset_import, &model->n_opset_import, operators);
  model->has_ir_version = true;
  model->ir_version = format_version(opset);
  model->producer_name = text(file, "rung");
  model->producer_version = text(file, RUNG_VERSION);
  model->graph = graph;
  graph->name = text(file, graph_name);
  file->model = model;
}

/* Every name stands for one value: an input's, an initializer's, or what a node computes. */
static rung_status check_names(export_file *file, const char *path) {
  const Onnx__GraphProto *graph = file->model->graph;
  const char **names = export_array(file, graph->n_input + graph->n_initializer + graph->n_node, sizeof *names);
  size_t count = 0;
  if (!names) return file->status;
  for (size_t i = 0; i < graph->n_input; i++) names[count++] = graph->input[i]->name;
  for (size_t i = 0; i < graph->n_initializer; i++) names[count++] = graph->initializer[i]->name;
  for (size_t i = 0; i < graph->n_node; i++) names[count++] = graph->node[i]->output[0];
  for (size_t i = 0; i < count; i++)
    for (size_t j = 0; j < i; j++)
      if (strcmp(names[i], names[j]) == 0)
        return rung_fail(RUNG_ERROR_ARGUMENT, "%s: two values would be named '%s'", path, names[i]);
  return RUNG_OK;
}

static rung_status write_file(export_file *file, const char *path) {
  size_t size = onnx__model_proto__get_packed_size(file->model);
  if (size > LARGEST_MESSAGE)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: the model takes %zu bytes, an ONNX file holds at most %d", path, size,
                     LARGEST_MESSAGE);
  uint8_t *bytes = rung_allocate(size);
  if (!bytes) return RUNG_ERROR_MEMORY;
  onnx__model_proto__pack(file->model, bytes);
  rung_status status = rung_file_write(path, bytes, size);
  rung_release(bytes);
  return status;
}

rung_status export_end(export_file *file, const char *path) {
  rung_status status = file->status;
  if (status == RUNG_OK) status = check_names(file, path);
  if (status == RUNG_OK) status = write_file(file, path);
  rung_arena_free(file->arena);
  return status;
}

/* ---- Inputs and outputs ----------------------------------------------------------------------------------------- */

static Onnx__TensorShapeProto *make_shape(export_file *file, const rung_shape *example) {
  Onnx__TensorShapeProto *shape = make_message(file, &onnx__tensor_shape_proto__descriptor);
  for (int i = -1; i < example->rank && shape; i++) {
    Onnx__TensorShapeProto__Dimension *extent = make_message(file, &onnx__tensor_shape_proto__dimension__descriptor);
    if (!extent) break;
    if (i < 0) {
      extent->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
      extent->dim_param = text(file, BATCH);
    } else {
      extent->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
      extent->dim_value = example->extent[i];
    }
    append(file, &shape->dim, &shape->n_dim, extent);
  }
  return shape;
}

static Onnx__ValueInfoProto *make_value(export_file *file, const char *name, int32_t type, const rung_shape *example) {
  Onnx__TypeProto__Tensor *tensor = make_message(file, &onnx__type_proto__tensor__descriptor);
  Onnx__TypeProto *of = make_message(file, &onnx__type_proto__descriptor);
  Onnx__ValueInfoProto *value = make_message(file, &onnx__value_info_proto__descriptor);
  if (!value) return NULL;
  tensor->has_elem_type = true;
  tensor->elem_type = type;
  tensor->shape = make_shape(file, example);
  of->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
  of->tensor_type = tensor;
  value->name = text(file, name);
  value->type = of;
  return value;
}

void export_input(export_file *file, const char *name, int32_t type, const rung_shape *example) {
  Onnx__ValueInfoProto *value = make_value(file, name, type, example);
  if (value) append(file, &file->model->graph->input, &file->model->graph->n_input, value);
}

void export_output(export_file *file, const char *name, int32_t type, const rung_shape *example) {
  Onnx__ValueInfoProto *value = make_value(file, name, type, example);
  if (value) append(file, &file->model->graph->output, &file->model->graph->n_output, value);
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------ */

const char *export_node(export_file *file, const char *op, const char *const *inputs, const char *output) {
  Onnx__NodeProto *node = make_message(file, &onnx__node_proto__descriptor);
  if (!node) return output;
  node->op_type = text(file, op);
  node->name = text(file, output);
  for (; *inputs; inputs++) append(file, &node->input, &node->n_input, text(file, *inputs));
  append(file, &node->output, &node->n_output, node->name);
  append(file, &file->model->graph->node, &file->model->graph->n_node, node);
  return output;
}

static Onnx__AttributeProto *add_attribute(export_file *file, const char *name,
                                           Onnx__AttributeProto__AttributeType type) {
  Onnx__AttributeProto *attribute = make_message(file, &onnx__attribute_proto__descriptor);
  if (!attribute) return NULL;
  attribute->name = text(file, name);
  attribute->has_type = true;
  attribute->type = type;
  const Onnx__GraphProto *graph = file->model->graph;
  Onnx__NodeProto *node = graph->node[graph->n_node - 1];
  append(file, &node->attribute, &node->n_attribute, attribute);
  return attribute;
}

void export_attribute_int(export_file *file, const char *name, int64_t value) {
  Onnx__AttributeProto *attribute = add_attribute(file, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
  if (!attribute) return;
  attribute->has_i = true;
  attribute->i = value;
}

void export_attribute_float(export_file *file, const char *name, float value) {
  Onnx__AttributeProto *attribute = add_attribute(file, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
  if (!attribute) return;
  attribute->has_f = true;
  attribute->f = value;
}

/* ---- Initializers ----------------------------------------------------------------------------------------------- */

/* Without its elements, whose number is *count. */
static Onnx__TensorProto *add_tensor(export_file *file, const char *name, int32_t type, const rung_shape *shape,
                                     size_t *count) {
  Onnx__TensorProto *tensor = make_message(file, &onnx__tensor_proto__descriptor);
  int64_t *extent = export_array(file, (size_t)shape->rank, sizeof *extent);
  if (!extent) return NULL;
  *count = 1;
  for (int i = 0; i < shape->rank; i++) *count *= (size_t)(extent[i] = shape->extent[i]);
  tensor->name = text(file, name);
  tensor->has_data_type = true;
  tensor->data_type = type;
  tensor->n_dims = (size_t)shape->rank;
  tensor->dims = extent;
  append(file, &file->model->graph->initializer, &file->model->graph->n_initializer, tensor);
  return tensor;
}

const char *export_floats(export_file *file, const char *name, rung_shape shape, const float *values) {
  size_t count;
  Onnx__TensorProto *tensor = add_tensor(file, name, EXPORT_FLOAT, &shape, &count);
  if (!tensor) return name;
  tensor->n_float_data = count;
  tensor->float_data = (float *)values;
  return name;
}

const char *export_int32s(export_file *file, const char *name, rung_shape shape, const int32_t *values) {
  size_t count;
  Onnx__TensorProto *tensor = add_tensor(file, name, EXPORT_INT32, &shape, &count);
  if (!tensor) return name;
  tensor->n_int32_data = count;
  tensor->int32_data = (int32_t *)values;
  return name;
}

const char *export_int64s(export_file *file, const char *name, rung_shape shape, const int64_t *values) {
  size_t count;
  Onnx__TensorProto *tensor = add_tensor(file, name, EXPORT_INT64, &shape, &count);
  if (!tensor) return name;
  tensor->int64_data = export_array(file, count, sizeof *values);
  if (!tensor->int64_data) return name;
  memcpy(tensor->int64_data, values, count * sizeof *values);
  tensor->n_int64_data = count;
  return name;
}

const char *export_integers(export_file *file, const char *name, int32_t type, rung_shape shape, const int8_t *values) {
  size_t count;
  Onnx__TensorProto *tensor = add_tensor(file, name, type, &shape, &count);
  if (!tensor) return name;
  const bool halves = type == EXPORT_INT4;
  size_t size = halves ? (count + 1) / 2 : count;
  uint8_t *bytes = export_array(file, size, 1);
  if (!bytes) return name;
  for (size_t i = 0; i < count && values; i++) {
    uint8_t bits = (uint8_t)values[i];
    if (halves)
      bytes[i / 2] |= (uint8_t)((bits & 0xf) << (i % 2 * 4));
    else
      bytes[i] = bits;
  }
  tensor->has_raw_data = true;
  tensor->raw_data = (ProtobufCBinaryData){.len = size, .data = bytes};
  return name;
}

const char *export_float(export_file *file, const char *name, float value) {
  float *kept = export_array(file, 1, sizeof *kept);
  if (kept) *kept = value;
  return export_floats(file, name, (rung_shape){0}, kept);
}

const char *export_integer(export_file *file, const char *name, int32_t type, int32_t value) {
  int8_t *kept = export_array(file, 1, sizeof *kept);
  if (kept) *kept = (int8_t)value;
  return export_integers(file, name, type, (rung_shape){0}, kept);
}

#endif
