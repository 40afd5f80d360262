/* IDX: magic 0 0 TYPE RANK, RANK big-endian u32 extents, then the elements, big-endian. */
#include <rung/io.h>

#include "stream.h"

#include <string.h>

static uint32_t big_endian(const unsigned char bytes[4]) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool dtype_of(unsigned char code, rung_dtype *type) {
  switch (code) {
  case 0x08: *type = RUNG_U8; return true;
  case 0x09: *type = RUNG_I8; return true;
  case 0x0c: *type = RUNG_I32; return true;
  case 0x0d: *type = RUNG_F32; return true;
  default: return false;
  }
}

/* Fills type and shape of *tensor, and *bytes, the size of the elements that must follow. */
static rung_status read_header(rung_stream *stream, rung_tensor *tensor, size_t *bytes) {
  unsigned char magic[4], extents[4 * RUNG_MAX_RANK];
  rung_status status = rung_stream_read_exactly(stream, magic, sizeof magic, "IDX header");
  if (status != RUNG_OK) return status;
  if (magic[0] != 0 || magic[1] != 0)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: not an IDX file: begins with 0x%02x%02x, expected 0x0000", stream->path,
                     magic[0], magic[1]);
  if (!dtype_of(magic[2], &tensor->type))
    return rung_fail(RUNG_ERROR_FORMAT, "%s: IDX type 0x%02x, expected 0x08 (u8), 0x09 (i8), 0x0c (i32) or 0x0d (f32)",
                     stream->path, magic[2]);
  if (magic[3] < 1 || magic[3] > RUNG_MAX_RANK)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: IDX rank %d, expected 1..%d", stream->path, magic[3], RUNG_MAX_RANK);
  tensor->shape.rank = magic[3];
  status = rung_stream_read_exactly(stream, extents, 4 * (size_t)magic[3], "IDX header");
  if (status != RUNG_OK) return status;
  for (int i = 0; i < tensor->shape.rank; i++) tensor->shape.extent[i] = big_endian(extents + 4 * i);

  int64_t count = 0;
  char text[RUNG_SHAPE_TEXT];
  if (rung_shape_count(&tensor->shape, &count) != RUNG_OK ||
      !rung_size_multiply((size_t)count, rung_dtype_size(tensor->type), bytes))
    return rung_fail(RUNG_ERROR_FORMAT, "%s: extents %s, expected each >= 1 and a product that fits", stream->path,
                     rung_shape_format(&tensor->shape, text, sizeof text));
  return RUNG_OK;
}

static rung_status wrong_size(const rung_stream *stream, const rung_tensor *tensor, size_t bytes, const char *more,
                              size_t held) {
  char text[RUNG_SHAPE_TEXT];
  return rung_fail(RUNG_ERROR_FORMAT, "%s: holds %s%zu bytes after its header, expected %zu for %s of %s", stream->path,
                   more, held, bytes, rung_shape_format(&tensor->shape, text, sizeof text),
                   rung_dtype_name(tensor->type));
}

/* Reads the elements into tensor->data, which may hold memory after a failure too. */
static rung_status read_elements(rung_stream *stream, rung_tensor *tensor, size_t bytes) {
  size_t held = 0, got = 0;
  if (stream->inflater == NULL) { /* the truth is known before anything is allocated */
    held = (size_t)stream->size - 4 - 4 * (size_t)tensor->shape.rank;
    if (held != bytes) return wrong_size(stream, tensor, bytes, "", held);
  }
  rung_status status = rung_stream_read_rest(stream, bytes, &tensor->data, &held);
  if (status != RUNG_OK) return status;
  if (held < bytes) return wrong_size(stream, tensor, bytes, "", held);
  unsigned char beyond;
  status = rung_stream_read(stream, &beyond, 1, &got);
  if (status == RUNG_OK && got > 0) return wrong_size(stream, tensor, bytes, "more than ", bytes);
  return status;
}

static void to_host_order(rung_tensor *tensor) {
  if (rung_dtype_size(tensor->type) != 4) return;
  unsigned char *element = tensor->data;
  for (int64_t i = rung_tensor_count(tensor); i > 0; i--, element += 4) {
    uint32_t value = big_endian(element);
    memcpy(element, &value, sizeof value);
  }
}

rung_status rung_idx_read(const char *path, rung_tensor *tensor) {
  *tensor = (rung_tensor){0};
  rung_stream stream;
  rung_status status = rung_stream_open(&stream, path);
  if (status != RUNG_OK) return status;
  size_t bytes = 0;
  status = read_header(&stream, tensor, &bytes);
  if (status == RUNG_OK) status = read_elements(&stream, tensor, bytes);
  rung_stream_close(&stream);
  if (status != RUNG_OK) {
    rung_idx_free(tensor);
    return status;
  }
  to_host_order(tensor);
  if (tensor->type != RUNG_F32) tensor->scale = 1.0f;
  return RUNG_OK;
}

void rung_idx_free(rung_tensor *tensor) {
  if (tensor == NULL) return;
  rung_release(tensor->data);
  *tensor = (rung_tensor){0};
}
