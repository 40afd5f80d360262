/* Pictures to train on that are another dataset's, moved. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dataset.h"

static rung_status check_pictures(const rung_dataset *dataset) {
  char text[RUNG_SHAPE_TEXT];
  const rung_shape *shape = &dataset->inputs.shape;
  if (shape->rank >= 3) return RUNG_OK;
  return rung_fail(RUNG_ERROR_SHAPE, "%s: inputs are %s, expected pictures [count, ..., height, width]", dataset->name,
                   rung_shape_format(shape, text, sizeof text));
}

rung_dataset *rung_dataset_movable(const rung_dataset *parent) {
  if (check_pictures(parent) != RUNG_OK) return NULL;
  const size_t size = (size_t)rung_tensor_count(&parent->inputs) * rung_dtype_size(parent->inputs.type);
  rung_dataset_storage *storage = rung_allocate(sizeof *storage);
  rung_dataset *dataset = storage != NULL ? rung_dataset_view(parent, 0, parent->count) : NULL;
  if (dataset != NULL) storage->inputs.data = rung_allocate(size);
  if (dataset == NULL || storage->inputs.data == NULL) {
    rung_dataset_free(dataset);
    rung_dataset_storage_free(storage);
    return NULL;
  }
  dataset->owned = storage;
  dataset->inputs.data = memcpy(storage->inputs.data, parent->inputs.data, size);
  return dataset;
}

/* One channel of one picture: [height, width] items of `size` bytes. What comes in at the border has all bytes `fill`.
 */
typedef struct plane {
  int64_t height, width;
  size_t size;
  int fill;
} plane;

static void move_plane(const plane *p, unsigned char *to, const unsigned char *from, int64_t down, int64_t right) {
  const size_t row = (size_t)p->width * p->size;
  const size_t gap = (size_t)(llabs(right) < p->width ? llabs(right) : p->width) * p->size;
  for (int64_t y = 0; y < p->height; y++, to += row) {
    const int64_t source = y - down;
    memset(to, p->fill, row);
    if (source < 0 || source >= p->height) continue;
    const unsigned char *begin = from + (size_t)source * row;
    memcpy(right > 0 ? to + gap : to, right > 0 ? begin : begin + gap, row - gap);
  }
}

rung_status rung_dataset_move(rung_dataset *movable, const rung_dataset *parent, int most, rung_rng *rng) {
  const rung_tensor *from = &parent->inputs, *to = &movable->inputs;
  rung_status status = check_pictures(parent);
  if (status != RUNG_OK) return status;
  if (movable->owned == NULL || to->data == from->data || to->type != from->type ||
      !rung_shape_equal(&to->shape, &from->shape))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: expected what rung_dataset_movable made of '%s'", movable->name,
                     parent->name);
  if (most < 0 || most > INT16_MAX)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: pictures moved by up to %d, expected 0..%d", parent->name, most,
                     INT16_MAX);
  const int rank = from->shape.rank;
  const plane p = {.height = from->shape.extent[rank - 2],
                   .width = from->shape.extent[rank - 1],
                   .size = rung_dtype_size(from->type),
                   .fill = from->type == RUNG_U8 ? from->zero_point : 0};
  const size_t picture = (size_t)(rung_tensor_count(from) / parent->count) * p.size;
  const size_t step = (size_t)(p.height * p.width) * p.size;
  for (int64_t i = 0; i < parent->count; i++) {
    const int64_t down = rung_rng_below(rng, 2 * (uint32_t)most + 1) - (int64_t)most;
    const int64_t right = rung_rng_below(rng, 2 * (uint32_t)most + 1) - (int64_t)most;
    for (size_t at = (size_t)i * picture; at < (size_t)(i + 1) * picture; at += step)
      move_plane(&p, (unsigned char *)to->data + at, (const unsigned char *)from->data + at, down, right);
  }
  return RUNG_OK;
}
