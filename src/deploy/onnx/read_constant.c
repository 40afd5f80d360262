/* Constant, Identity and Cast: what a name stands for, under another one. */
#include "import.h"

/* A tensor of the import's own around elements of the file: `count` of them, or one scalar. */
static Onnx__TensorProto *wrap(import_node *node, int32_t type, size_t count, bool scalar) {
  Onnx__TensorProto *proto = rung_arena_allocate(node->in->arena, sizeof *proto);
  int64_t *dims = rung_arena_array(node->in->arena, 1, sizeof *dims);
  if (!proto || !dims) return NULL;
  onnx__tensor_proto__init(proto);
  dims[0] = (int64_t)count;
  proto->dims = dims;
  proto->n_dims = scalar ? 0 : 1;
  proto->data_type = type;
  return proto;
}

static rung_status output_floats(import_node *node, float *values, size_t count, bool scalar) {
  Onnx__TensorProto *proto = wrap(node, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, count, scalar);
  if (!proto) return RUNG_ERROR_MEMORY;
  proto->float_data = values;
  proto->n_float_data = count;
  return import_output_tensor(node, proto);
}

static rung_status output_ints(import_node *node, int64_t *values, size_t count, bool scalar) {
  Onnx__TensorProto *proto = wrap(node, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, count, scalar);
  if (!proto) return RUNG_ERROR_MEMORY;
  proto->int64_data = values;
  proto->n_int64_data = count;
  return import_output_tensor(node, proto);
}

rung_status import_constant(import_node *node) {
  const Onnx__AttributeProto *value = import_attribute(node, "value");
  if (value && value->t) return import_output_tensor(node, value->t);
  Onnx__AttributeProto *number; /* read only, for all that the message's type says */
  if ((number = (Onnx__AttributeProto *)import_attribute(node, "value_float")))
    return output_floats(node, &number->f, 1, true);
  if ((number = (Onnx__AttributeProto *)import_attribute(node, "value_floats")))
    return output_floats(node, number->floats, number->n_floats, false);
  if ((number = (Onnx__AttributeProto *)import_attribute(node, "value_int")))
    return output_ints(node, &number->i, 1, true);
  if ((number = (Onnx__AttributeProto *)import_attribute(node, "value_ints")))
    return output_ints(node, number->ints, number->n_ints, false);
  return import_refuse(node, "it holds neither a tensor nor numbers");
}

rung_status import_identity(import_node *node) {
  if (!import_has_input(node, 0)) return import_refuse(node, "input 0 is missing");
  import_value *value = node->input[0];
  if (node->proto->n_output > 0 && import_readers(node->in, node->proto->output[0]) != 1) {
    rung_status status = import_linear_record(node, value);
    if (status != RUNG_OK) return status;
  }
  return import_output_value(node, value);
}

static bool is_real_type(int64_t type) {
  return type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT || type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE ||
         type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 || type == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16;
}

/* Reals are f32 here whatever the file calls them, shapes are 64 bits wide. */
rung_status import_cast(import_node *node) {
  int64_t to = import_attribute_int(node, "to", 0);
  import_attribute_int(node, "saturate", 1);
  if (!import_has_input(node, 0)) return import_refuse(node, "input 0 is missing");
  const import_value *value = node->input[0];
  bool real = value->node || value->linear || import_is_real(&value->tensor);
  bool wide = to == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 || to == ONNX__TENSOR_PROTO__DATA_TYPE__INT32;
  if ((real && is_real_type(to) && !value->grid.type) || (!real && wide)) return import_identity(node);
  return import_refuse(node, "a cast to element type %lld, expected reals to reals, or the integers of a shape",
                       (long long)to);
}
