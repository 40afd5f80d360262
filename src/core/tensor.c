/* Shapes and tensors. */
#include "rung/core.h"

#include <stdio.h>

rung_status rung_shape_count(const rung_shape *shape, int64_t *count) {
  const int64_t largest = (SIZE_MAX < INT64_MAX ? (int64_t)SIZE_MAX : INT64_MAX) / 4;
  if (shape->rank < 0 || shape->rank > RUNG_MAX_RANK) {
    return rung_fail(RUNG_ERROR_SHAPE, "shape of rank %d, wanted 0 .. %d", shape->rank, RUNG_MAX_RANK);
  }
  int64_t product = 1;
  for (int i = 0; i < shape->rank; i++) {
    char text[RUNG_SHAPE_TEXT];
    int64_t extent = shape->extent[i];
    if (extent < 1) {
      return rung_fail(RUNG_ERROR_SHAPE, "shape %s: extent %d is %lld, wanted at least 1",
                       rung_shape_format(shape, text, sizeof text), i, (long long)extent);
    }
    if (extent > largest / product) {
      return rung_fail(RUNG_ERROR_SHAPE, "shape %s: the number of elements overflows",
                       rung_shape_format(shape, text, sizeof text));
    }
    product *= extent;
  }
  *count = product;
  return RUNG_OK;
}

bool rung_shape_equal(const rung_shape *a, const rung_shape *b) {
  if (a->rank != b->rank) return false;
  for (int i = 0; i < a->rank; i++) {
    if (a->extent[i] != b->extent[i]) return false;
  }
  return true;
}

const char *rung_shape_format(const rung_shape *shape, char *text, size_t size) {
  size_t length = 0;
  for (int i = 0; i < shape->rank && i < RUNG_MAX_RANK && length < size; i++) {
    int written = snprintf(text + length, size - length, "%s%lld", i == 0 ? "[" : ", ", (long long)shape->extent[i]);
    length += (size_t)written;
  }
  if (length < size) snprintf(text + length, size - length, shape->rank > 0 ? "]" : "[]");
  return text;
}

int64_t rung_tensor_count(const rung_tensor *tensor) {
  int64_t count = 1;
  for (int i = 0; i < tensor->shape.rank; i++) count *= tensor->shape.extent[i];
  return count;
}
