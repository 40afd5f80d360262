/* Shapes that a file computes: Shape, Gather, Concat, Squeeze and Unsqueeze, of integers that are known beforehand but
 * for the batch. */
#include "import.h"

#define MOST_ELEMENTS 64 /* of a shape under construction: far more than any needs */

/* Input `index` as integers that could be a shape's, all of them along one axis or a single one. */
static const import_tensor *known_shape(import_node *node, int index) {
  const import_tensor *tensor = import_known(node, index, false);
  if (!tensor || (tensor->shape.rank <= 1 && tensor->count <= MOST_ELEMENTS)) return tensor;
  import_refuse(node, "'%.80s' is no shape: expected at most %d integers along one axis", node->input[index]->name,
                MOST_ELEMENTS);
  return NULL;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high) {
  return x < low ? low : x > high ? high : x;
}

rung_status import_shape(import_node *node) {
  rung_node *x = import_input(node, 0);
  if (!x) return rung_error_status();
  const int64_t rank = x->value.shape.rank;
  int64_t start = import_attribute_int(node, "start", 0), end = import_attribute_int(node, "end", rank), *element;
  start = clamp(start < 0 ? start + rank : start, 0, rank);
  end = clamp(end < 0 ? end + rank : end, 0, rank);
  if (start >= end) return import_refuse(node, "it takes no extent of %lld", (long long)rank);
  Onnx__TensorProto *proto = import_tensor_new(node->in, end - start, &element);
  for (int64_t i = start; proto && i < end; i++) element[i - start] = i == 0 ? IMPORT_BATCH : x->value.shape.extent[i];
  return import_output_tensor(node, proto);
}

rung_status import_gather(import_node *node) {
  const import_tensor *data = known_shape(node, 0), *indices = data ? known_shape(node, 1) : NULL;
  if (!indices) return rung_error_status();
  if (import_attribute_int(node, "axis", 0) != 0 || data->shape.rank != 1)
    return import_refuse(node, "expected axis 0 of a shape");
  int64_t *element;
  Onnx__TensorProto *proto = import_tensor_new(node->in, indices->count, &element);
  if (!proto) return RUNG_ERROR_MEMORY;
  for (int64_t i = 0; i < indices->count; i++) {
    int64_t index = import_integer(indices, i);
    if (index < -data->count || index >= data->count)
      return import_refuse(node, "index %lld of a shape of rank %lld", (long long)index, (long long)data->count);
    element[i] = import_integer(data, index < 0 ? index + data->count : index);
  }
  proto->n_dims = (size_t)indices->shape.rank;
  return import_output_tensor(node, proto);
}

rung_status import_concat(import_node *node) {
  if (import_attribute_int(node, "axis", 0) != 0 || !import_has_input(node, 0))
    return import_refuse(node, "expected shapes, along axis 0");
  int64_t count = 0, *element;
  for (int k = 0; k < node->inputs; k++) {
    const import_tensor *part = known_shape(node, k);
    if (!part) return rung_error_status();
    count += part->count;
  }
  Onnx__TensorProto *proto = import_tensor_new(node->in, count, &element);
  for (int k = 0; proto && k < node->inputs; k++)
    for (int64_t i = 0; i < node->input[k]->tensor.count; i++) *element++ = import_integer(&node->input[k]->tensor, i);
  return import_output_tensor(node, proto);
}

/* One integer, from or to a shape of rank 1. */
static rung_status with_rank(import_node *node, int rank) {
  const import_tensor *tensor = known_shape(node, 0);
  if (!tensor) return rung_error_status();
  import_attribute(node, "axes"); /* an input since opset 13; of one element there is no choice */
  if (tensor->count != 1) return import_refuse(node, "expected one extent of a shape");
  int64_t *element;
  Onnx__TensorProto *proto = import_tensor_new(node->in, 1, &element);
  if (!proto) return RUNG_ERROR_MEMORY;
  *element = import_integer(tensor, 0);
  proto->n_dims = (size_t)rank;
  return import_output_tensor(node, proto);
}

rung_status import_squeeze(import_node *node) {
  return with_rank(node, 0);
}
rung_status import_unsqueeze(import_node *node) {
  return with_rank(node, 1);
}
