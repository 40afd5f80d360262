/* QuantizeLinear and DequantizeLinear. Of an activation: a range, and the value stays what it was. Of a constant: the
 * integers of a weight or bias, which are read with their grid. */
#include "import.h"

#include <math.h>
#include <string.h>

/* ---- The grid ---------------------------------------------------------------------------------------------------- */

/* Where the scale of element i of `tensor` lies. */
static int64_t scale_index(const import_tensor *tensor, const import_grid *grid, int64_t i) {
  if (grid->axis < 0) return 0;
  int64_t inner = 1, extent = tensor->shape.extent[grid->axis];
  for (int k = grid->axis + 1; k < tensor->shape.rank; k++) inner *= tensor->shape.extent[k];
  int64_t along = i / inner % extent;
  if (grid->block == 0) return along;
  return (i / (inner * extent) * grid->scale.shape.extent[grid->axis] + along / grid->block) * inner + i % inner;
}

static bool are_scales(const import_tensor *scale) {
  for (int64_t i = 0; i < scale->count; i++) {
    float s = import_real(scale, i);
    if (!(s >= 0x1p-126f && s < INFINITY)) return false;
  }
  return true;
}

/* Sets axis and block: one scale for all of `shape`, one for each slice along the axis, or one for each block. */
static rung_status place_scales(import_node *node, const rung_shape *shape, import_grid *grid) {
  int64_t axis = import_attribute_int(node, "axis", 1), block = import_attribute_int(node, "block_size", 0);
  const rung_shape *scale = &grid->scale.shape;
  grid->axis = -1;
  if (grid->scale.count == 1) return RUNG_OK;
  if (axis < 0) axis += shape->rank;
  bool fits = axis >= 0 && axis < shape->rank && block >= 0;
  if (fits && block == 0) fits = scale->rank == 1 && scale->extent[0] == shape->extent[axis];
  if (fits && block > 0) {
    fits = scale->rank == shape->rank;
    for (int k = 0; fits && k < shape->rank; k++)
      fits = scale->extent[k] == (k == axis ? (shape->extent[k] - 1) / block + 1 : shape->extent[k]);
  }
  if (!fits) return import_refuse(node, "its scales do not fit the tensor, its axis and block size");
  grid->axis = (int)axis;
  grid->block = block;
  return RUNG_OK;
}

/* Of inputs 1 and 2; `type` is that of the integers where no zero point tells it. */
static rung_status read_grid(import_node *node, const rung_shape *shape, int32_t type, import_grid *grid) {
  const import_tensor *scale = import_known(node, 1, true);
  if (!scale) return rung_error_status();
  *grid = (import_grid){.scale = *scale, .type = type};
  if (import_has_input(node, 2)) {
    const import_tensor *zero_point = import_known(node, 2, false);
    if (!zero_point) return rung_error_status();
    if (zero_point->count != scale->count) return import_refuse(node, "it has not as many zero points as scales");
    grid->zero_point = *zero_point;
    grid->type = zero_point->proto->data_type;
  }
  if (!are_scales(scale)) return import_refuse(node, "a scale is not a positive, normal number");
  return place_scales(node, shape, grid);
}

float import_scale(const import_value *value, int64_t i) {
  return import_real(&value->grid.scale, scale_index(&value->tensor, &value->grid, i));
}

float import_dequantized(const import_value *value, int64_t i) {
  const import_grid *grid = &value->grid;
  if (!grid->type) return import_real(&value->tensor, i);
  int64_t at = scale_index(&value->tensor, grid, i);
  int64_t zero = grid->zero_point.proto ? import_integer(&grid->zero_point, at) : 0;
  return import_real(&grid->scale, at) * (float)(import_integer(&value->tensor, i) - zero);
}

/* ---- QuantizeLinear ---------------------------------------------------------------------------------------------- */

/* NULL with a message. */
static import_range *note_range(import_node *node, rung_node *of, const import_grid *grid) {
  import_range *range = rung_arena_allocate(node->in->arena, sizeof *range);
  if (!range) return NULL;
  *range = (import_range){.node = of, .grid = *grid, .by = node->proto->output[0], .next = node->in->ranges};
  node->in->ranges = range;
  return range;
}

/* Whether what the quantized value comes to is the graph's output. */
static bool ends_graph(const import *in, const char *name) {
  for (size_t i = 0; i < in->graph->n_node; i++) {
    const Onnx__NodeProto *reader = in->graph->node[i];
    if (reader->n_input > 0 && strcmp(reader->input[0], name) == 0)
      return reader->n_output > 0 && import_is_output(in, reader->output[0]);
  }
  return import_is_output(in, name);
}

/* Where the zero point is the least of the integers, they clamp at 0: tools leave out a ReLU that stood there. */
static bool clamps_at_zero(const import_grid *grid) {
  int bits;
  bool is_signed;
  const int64_t zero = grid->zero_point.proto ? import_integer(&grid->zero_point, 0) : 0;
  return import_type_is_integer(grid->type, &bits, &is_signed) && zero == -((int64_t)is_signed << (bits - 1));
}

static rung_status quantize_activation(import_node *node, rung_node *x, import_grid grid) {
  if (grid.axis >= 0)
    return import_refuse(node, "an activation has %lld scales, expected one", (long long)grid.scale.count);
  if (ends_graph(node->in, node->proto->output[0])) /* logits: Rung keeps them in 32 bits, finer than any 8 */
    return import_output_value(node, &(import_value){.node = x, .grid = grid});
  if (clamps_at_zero(&grid) && (x->op == &rung_op_linear || x->op == &rung_op_batch_norm)) {
    x = rung_relu(x);
    if (!x) return import_blame(node, rung_error_status());
  }
  import_range *range = note_range(node, x, &grid);
  if (!range) return RUNG_ERROR_MEMORY;
  return import_output_value(node, &(import_value){.node = x, .grid = grid, .range = range});
}

/* A float weight that the file quantizes on the spot (eq. 2). */
static rung_status quantize_constant(import_node *node, const import_tensor *tensor, const import_grid *grid) {
  int bits;
  bool is_signed;
  import_type_is_integer(grid->type, &bits, &is_signed);
  const float low = is_signed ? -ldexpf(1, bits - 1) : 0, high = ldexpf(1, is_signed ? bits - 1 : bits) - 1;
  if (import_count(node->in, tensor->count) != RUNG_OK) return import_blame(node, rung_error_status());
  int64_t *element;
  Onnx__TensorProto *proto = import_tensor_new(node->in, tensor->count, &element);
  if (!proto) return RUNG_ERROR_MEMORY;
  for (int64_t i = 0; i < tensor->count; i++) {
    int64_t at = scale_index(tensor, grid, i);
    int64_t zero = grid->zero_point.proto ? import_integer(&grid->zero_point, at) : 0;
    float q = rintf(import_real(tensor, i) / import_real(&grid->scale, at)) + (float)zero;
    if (isnan(q)) return import_refuse(node, "'%.80s' holds a NaN", node->input[0]->name);
    element[i] = (int64_t)fminf(fmaxf(q, low), high);
  }
  proto->name = tensor->proto->name;
  import_value value = {.tensor = {.proto = proto, .shape = tensor->shape, .count = tensor->count}, .grid = *grid};
  return import_output_value(node, &value);
}

rung_status import_quantize_linear(import_node *node) {
  const int64_t type = import_attribute_int(node, "output_dtype", 0);
  import_attribute_int(node, "saturate", 1);
  import_attribute_int(node, "precision", 0);
  if (!import_has_input(node, 0) || node->proto->n_output == 0) return import_refuse(node, "input 0 is missing");
  import_value *value = node->input[0];
  bool known = !value->node && !value->linear && !value->grid.type && import_is_real(&value->tensor);
  rung_node *x = known ? NULL : import_input(node, 0);
  if (!known && !x) return rung_error_status();
  import_grid grid;
  rung_status status = read_grid(node, known ? &value->tensor.shape : &x->value.shape,
                                 type ? (int32_t)type : ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, &grid);
  if (status != RUNG_OK) return status;
  int bits;
  bool is_signed;
  if (!import_type_is_integer(grid.type, &bits, &is_signed) || bits > 8)
    return import_refuse(node, "its integers are of element type %d, expected at most 8 bits", grid.type);
  return known ? quantize_constant(node, &value->tensor, &grid) : quantize_activation(node, x, grid);
}

/* ---- DequantizeLinear -------------------------------------------------------------------------------------------- */

static bool same_grid(const import_grid *a, const import_grid *b) {
  if (a->scale.count != b->scale.count || a->axis != b->axis || a->block != b->block || a->type != b->type)
    return false;
  for (int64_t i = 0; i < a->scale.count; i++) {
    int64_t za = a->zero_point.proto ? import_integer(&a->zero_point, i) : 0;
    int64_t zb = b->zero_point.proto ? import_integer(&b->zero_point, i) : 0;
    if (import_real(&a->scale, i) != import_real(&b->scale, i) || za != zb) return false;
  }
  return true;
}

static rung_status dequantize_activation(import_node *node, const import_value *value, const import_grid *grid) {
  if (!value->grid.scale.proto) { /* the graph's input, in integers */
    if (grid->axis >= 0)
      return import_refuse(node, "an activation has %lld scales, expected one", (long long)grid->scale.count);
    if (!note_range(node, value->node, grid)) return RUNG_ERROR_MEMORY;
  } else if (!same_grid(grid, &value->grid)) {
    return import_refuse(node, "its scale and zero point are not those that '%.80s' was quantized with", value->name);
  }
  return import_output_value(node, &(import_value){.node = value->node});
}

rung_status import_dequantize_linear(import_node *node) {
  import_attribute_int(node, "output_dtype", 0);
  if (!import_has_input(node, 0) || node->proto->n_output == 0) return import_refuse(node, "input 0 is missing");
  const import_value *value = node->input[0];
  bool integers = value->grid.type ? !value->dequantized : !value->node && import_is_integer(&value->tensor);
  if (!integers || value->linear) return import_refuse(node, "input '%.80s' is not integers", value->name);
  const int32_t type = value->grid.type ? value->grid.type : value->tensor.proto->data_type;
  import_grid grid;
  rung_status status = read_grid(node, value->node ? &value->node->value.shape : &value->tensor.shape, type, &grid);
  if (status != RUNG_OK) return status;
  int bits;
  bool is_signed;
  if (!import_type_is_integer(type, &bits, &is_signed) || bits > 32)
    return import_refuse(node, "its integers are of element type %d, expected at most 32 bits", type);
  if (grid.type != type) return import_refuse(node, "its zero point is not of the type of its integers");
  if (value->node) return dequantize_activation(node, value, &grid);
  if (value->grid.type && !same_grid(&grid, &value->grid))
    return import_refuse(node, "its scale and zero point are not those that '%.80s' was quantized with", value->name);
  return import_output_value(node, &(import_value){.tensor = value->tensor, .grid = grid, .dequantized = true});
}
