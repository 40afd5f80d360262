/* The tensors of a file: many element types, each in raw bytes, here or in another file, or in a typed field. Elements
 * are read one by one where they lie, so a tensor takes no memory beside the file's own. */
#include "import.h"

#include <limits.h>
#include <math.h>
#include <string.h>

typedef struct element_type {
  int32_t type; /* TensorProto.data_type */
  int bits;
  bool is_real, is_signed;
} element_type;

static const element_type types[] = {{ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 32, true, true},
                                     {ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, 64, true, true},
                                     {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, 16, true, true},
                                     {ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16, 16, true, true},
                                     {ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, 8, false, false},
                                     {ONNX__TENSOR_PROTO__DATA_TYPE__INT64, 64, false, true},
                                     {ONNX__TENSOR_PROTO__DATA_TYPE__INT32, 32, false, true},
                                     {ONNX__TENSOR_PROTO__DATA_TYPE__INT16, 16, false, true},
                                     {ONNX__TENSOR_PROTO__DATA_TYPE__INT8, 8, false, true},
                                     {IMPORT_INT4, 4, false, true},
                                     {IMPORT_INT2, 2, false, true},
                                     {ONNX__TENSOR_PROTO__DATA_TYPE__UINT32, 32, false, false},
                                     {ONNX__TENSOR_PROTO__DATA_TYPE__UINT16, 16, false, false},
                                     {ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, 8, false, false},
                                     {IMPORT_UINT4, 4, false, false},
                                     {IMPORT_UINT2, 2, false, false}};

static const element_type *find_type(int32_t type) {
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
    if (types[i].type == type) return &types[i];
  return NULL;
}

bool import_type_is_integer(int32_t type, int *bits, bool *is_signed) {
  const element_type *found = find_type(type);
  if (!found || found->is_real) return false;
  *bits = found->bits;
  *is_signed = found->is_signed;
  return true;
}

bool import_is_real(const import_tensor *tensor) {
  const element_type *type = tensor->proto ? find_type(tensor->proto->data_type) : NULL;
  return type && type->is_real;
}

bool import_is_integer(const import_tensor *tensor) {
  const element_type *type = tensor->proto ? find_type(tensor->proto->data_type) : NULL;
  return type && !type->is_real;
}

/* ---- Checking ---------------------------------------------------------------------------------------------------- */

/* Elements in the typed field; below 8 bits several share one. */
static size_t typed_count(const Onnx__TensorProto *proto) {
  switch (proto->data_type) {
  case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT: return proto->n_float_data;
  case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE: return proto->n_double_data;
  case ONNX__TENSOR_PROTO__DATA_TYPE__INT64: return proto->n_int64_data;
  case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32: return proto->n_uint64_data;
  default: return proto->n_int32_data;
  }
}

static rung_status find_data(import *in, const char *name, import_tensor *tensor) {
  const Onnx__TensorProto *proto = tensor->proto;
  const element_type *type = find_type(proto->data_type);
  size_t bits = (size_t)tensor->count * (size_t)type->bits, bytes = (bits + 7) / 8, have = proto->raw_data.len;
  rung_status status = RUNG_OK;
  if (import_is_external(proto))
    status = import_external(in, proto, &tensor->raw, &have);
  else if (proto->has_raw_data)
    tensor->raw = proto->raw_data.data;
  else if (typed_count(proto) != (type->bits < 8 ? bytes : (size_t)tensor->count))
    return rung_fail(RUNG_ERROR_FORMAT, "%s: tensor '%s' has %zu elements in the field of its type, expected %zu",
                     in->path, name, typed_count(proto), type->bits < 8 ? bytes : (size_t)tensor->count);
  else
    return RUNG_OK;
  if (status == RUNG_OK && have != bytes)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: tensor '%s' has %zu bytes of data, expected %zu", in->path, name, have,
                     bytes);
  return status;
}

rung_status import_tensor_view(import *in, const Onnx__TensorProto *proto, import_tensor *tensor) {
  const char *path = in->path, *name = proto->name && *proto->name ? proto->name : "constant";
  if (!find_type(proto->data_type))
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: tensor '%s' has element type %d, expected a float or integer type",
                     path, name, proto->data_type);
  if (proto->segment)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: tensor '%s' comes in segments, expected it whole", path, name);
  *tensor = (import_tensor){.proto = proto, .shape.rank = (int)proto->n_dims};
  if (proto->n_dims > RUNG_MAX_RANK)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: tensor '%s' has rank %zu, expected at most %d", path, name,
                     proto->n_dims, RUNG_MAX_RANK);
  for (size_t i = 0; i < proto->n_dims; i++) tensor->shape.extent[i] = proto->dims[i];
  if (rung_shape_count(&tensor->shape, &tensor->count) != RUNG_OK || tensor->count > INT64_MAX / 64)
    return rung_fail(RUNG_ERROR_SHAPE, "%s: tensor '%s': its extents are not all positive, or too many elements", path,
                     name);
  return find_data(in, name, tensor);
}

/* ---- Elements ---------------------------------------------------------------------------------------------------- */

static uint64_t raw_bits(const uint8_t *data, int bits, int64_t i) {
  if (bits < 8) return (uint64_t)data[i * bits / 8] >> (i * bits % 8) & ((1u << bits) - 1);
  uint64_t value = 0;
  for (int byte = 0; byte < bits / 8; byte++) value |= (uint64_t)data[i * (bits / 8) + byte] << (8 * byte);
  return value;
}

/* The element's bits, the lowest of the result. */
static uint64_t bits_of(const import_tensor *tensor, const element_type *type, int64_t i) {
  const Onnx__TensorProto *proto = tensor->proto;
  if (tensor->raw) return raw_bits(tensor->raw, type->bits, i);
  uint32_t word;
  uint64_t wide;
  switch (proto->data_type) {
  case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT: memcpy(&word, &proto->float_data[i], sizeof word); return word;
  case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE: memcpy(&wide, &proto->double_data[i], sizeof wide); return wide;
  case ONNX__TENSOR_PROTO__DATA_TYPE__INT64: return (uint64_t)proto->int64_data[i];
  case ONNX__TENSOR_PROTO__DATA_TYPE__UINT32: return proto->uint64_data[i];
  default: break;
  }
  if (type->bits >= 8) return (uint32_t)proto->int32_data[i];
  int64_t each = 8 / type->bits; /* packed as in raw data, a byte in each int32 */
  return (uint32_t)proto->int32_data[i / each] >> (i % each * type->bits) & ((1u << type->bits) - 1);
}

int64_t import_integer(const import_tensor *tensor, int64_t i) {
  const element_type *type = find_type(tensor->proto->data_type);
  uint64_t bits = bits_of(tensor, type, i), sign = (uint64_t)1 << (type->bits - 1);
  if (type->bits < 64) bits &= ((uint64_t)1 << type->bits) - 1;
  if (!type->is_signed || !(bits & sign)) return (int64_t)bits;
  return (int64_t)(bits - sign) - (int64_t)(sign - 1) - 1;
}

float import_real(const import_tensor *tensor, int64_t i) {
  const element_type *type = find_type(tensor->proto->data_type);
  uint64_t bits = bits_of(tensor, type, i);
  uint32_t word = (uint32_t)bits;
  float single;
  double wide;
  switch (type->type) {
  case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT: memcpy(&single, &word, sizeof single); return single;
  case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE: memcpy(&wide, &bits, sizeof wide); return (float)wide;
  case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16: return rung_float_decode(RUNG_F16, word & 0xffff);
  case ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16: return rung_float_decode(RUNG_BF16, word & 0xffff);
  default: return (float)import_integer(tensor, i);
  }
}

bool import_tensor_is(const import_tensor *tensor, float x) {
  return import_is_real(tensor) && tensor->count == 1 && import_real(tensor, 0) == x;
}

/* ---- Tensors of the import's own --------------------------------------------------------------------------------- */

Onnx__TensorProto *import_tensor_new(import *in, int64_t count, int64_t **elements) {
  Onnx__TensorProto *proto = rung_arena_allocate(in->arena, sizeof *proto);
  int64_t *dims = rung_arena_array(in->arena, 1, sizeof *dims);
  *elements = rung_arena_array(in->arena, (size_t)count, sizeof **elements);
  if (!proto || !dims || !*elements) return NULL;
  onnx__tensor_proto__init(proto);
  dims[0] = count;
  proto->dims = dims;
  proto->n_dims = 1;
  proto->has_data_type = true;
  proto->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
  proto->int64_data = *elements;
  proto->n_int64_data = (size_t)count;
  return proto;
}
