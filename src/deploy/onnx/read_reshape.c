/* Flatten and Reshape: of an example; the batch stays the first extent. */
#include "import.h"

static rung_shape example_shape(const rung_node *x) {
  rung_shape shape = {.rank = x->value.shape.rank - 1};
  for (int i = 0; i < shape.rank; i++) shape.extent[i] = x->value.shape.extent[i + 1];
  return shape;
}

static rung_status output_reshaped(import_node *node, rung_node *x, rung_shape shape) {
  const rung_shape have = example_shape(x);
  return import_output_node(node, rung_shape_equal(&have, &shape) ? x : rung_reshape(x, shape));
}

rung_status import_flatten(import_node *node) {
  int64_t axis = import_attribute_int(node, "axis", 1);
  rung_node *x = import_input(node, 0);
  if (!x) return rung_error_status();
  if (axis != 1 && axis != 1 - x->value.shape.rank)
    return import_refuse(node, "axis %lld, expected 1: all but the batch", (long long)axis);
  return output_reshaped(node, x, RUNG_SHAPE(rung_tensor_count(&x->value) / x->value.shape.extent[0]));
}

/* Whether the first extent of a target shape stands for the batch: by name, as "what is left" or "as it was", or as the
 * number that the file's input has there. */
static bool is_batch(const import_node *node, int64_t extent, bool zero_is_copy) {
  return extent == IMPORT_BATCH || extent == -1 || (extent == 0 && zero_is_copy) ||
         (extent > 0 && extent == node->in->fixed_batch);
}

/* The example's shape from a target [batch, ...], of which one extent may be -1: what is left. */
static rung_status resolve(import_node *node, const rung_node *x, const import_tensor *target, bool zero_is_copy,
                           rung_shape *shape) {
  *shape = (rung_shape){.rank = (int)target->count - 1};
  const int64_t count = rung_tensor_count(&x->value) / x->value.shape.extent[0];
  int64_t known = 1;
  int left = -1;
  for (int i = 0; i < shape->rank; i++) {
    int64_t extent = import_integer(target, i + 1);
    if (extent == 0 && zero_is_copy && i + 1 < x->value.shape.rank) extent = x->value.shape.extent[i + 1];
    if (extent == -1 && left < 0 && import_integer(target, 0) != -1) {
      left = i;
      continue;
    }
    if (extent < 1 || extent > count / known)
      return import_refuse(node, "extent %d of its shape is %lld, in an example of %lld numbers", i + 1,
                           (long long)extent, (long long)count);
    shape->extent[i] = extent;
    known *= extent;
  }
  if (left >= 0) shape->extent[left] = count / known;
  if (left >= 0) known *= shape->extent[left];
  if (known != count)
    return import_refuse(node, "its shape holds %lld numbers an example, expected %lld", (long long)known,
                         (long long)count);
  return RUNG_OK;
}

rung_status import_reshape(import_node *node) {
  bool zero_is_copy = import_attribute_int(node, "allowzero", 0) == 0;
  rung_node *x = import_input(node, 0);
  const import_tensor *target = x ? import_known(node, 1, false) : NULL;
  if (!target) return rung_error_status();
  if (target->shape.rank != 1 || target->count < 2 || target->count > RUNG_MAX_RANK)
    return import_refuse(node, "its shape has %lld extents, expected 2 to %d: the batch first",
                         (long long)target->count, RUNG_MAX_RANK);
  if (!is_batch(node, import_integer(target, 0), zero_is_copy))
    return import_refuse(node, "the first extent of its shape is %lld, expected the batch",
                         (long long)import_integer(target, 0));
  rung_shape shape;
  rung_status status = resolve(node, x, target, zero_is_copy, &shape);
  return status == RUNG_OK ? output_reshaped(node, x, shape) : status;
}
