/* safetensors: the header's length (u64), a JSON header, then the tensors' elements, all little-endian. */
#include <rung/io.h>

#include "atomic.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_HEADER   100000000 /* bytes: what the format's reference reader accepts */
#define HEADER_ALIGNMENT 8
#define LARGEST_ELEMENT  4 /* bytes */

static const char *const dtype_names[RUNG_DTYPE_COUNT] = {
    [RUNG_F32] = "F32",      [RUNG_F16] = "F16", [RUNG_BF16] = "BF16", [RUNG_E4M3] = "F8_E4M3",
    [RUNG_E5M2] = "F8_E5M2", [RUNG_I32] = "I32", [RUNG_I8] = "I8",     [RUNG_U8] = "U8",
};

/* ---- What is refused -------------------------------------------------------------------------------------------- */

/* The bytes of the UTF-8 sequence at `text` (RFC 3629: shortest form, no surrogates, up to U+10FFFF); 0 if it is none.
 */
static int utf8_length(const unsigned char *text) {
  if (text[0] < 0x80) return 1;
  int length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
  if (text[0] < 0xc2 || text[0] > 0xf4) return 0;
  for (int i = 1; i < length; i++)
    if ((text[i] & 0xc0) != 0x80) return 0;
  if (text[0] == 0xe0 && text[1] < 0xa0) return 0;
  if (text[0] == 0xed && text[1] > 0x9f) return 0;
  if (text[0] == 0xf0 && text[1] < 0x90) return 0;
  if (text[0] == 0xf4 && text[1] > 0x8f) return 0;
  return length;
}

static bool is_utf8(const char *name) {
  const unsigned char *text = (const unsigned char *)name;
  while (*text != '\0') {
    int length = utf8_length(text);
    if (length == 0) return false;
    text += length;
  }
  return true;
}

static rung_status check_name(const char *path, const rung_named_tensor *tensors, int index) {
  const char *name = tensors[index].name;
  if (name == NULL) return rung_fail(RUNG_ERROR_ARGUMENT, "%s: tensor %d has no name", path, index);
  if (!is_utf8(name))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: the name of tensor %d is not UTF-8, as JSON must be", path, index);
  if (strcmp(name, "__metadata__") == 0)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: tensor %d is named '%s', which the format reserves", path, index, name);
  for (int i = 0; i < index; i++)
    if (strcmp(name, tensors[i].name) == 0)
      return rung_fail(RUNG_ERROR_ARGUMENT, "%s: tensors %d and %d are both named '%s', expected unique names", path, i,
                       index, name);
  return RUNG_OK;
}

static size_t byte_count(const rung_tensor *tensor) {
  return (size_t)rung_tensor_count(tensor) * rung_dtype_size(tensor->type);
}

static rung_status check_tensors(const char *path, const rung_named_tensor *tensors, int count) {
  if (path == NULL || count < 0 || (tensors == NULL && count > 0))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: %d tensors, expected a path, and tensors in a number of 0 or more",
                     path != NULL ? path : "no path", count);
  size_t total = 0;
  for (int i = 0; i < count; i++) {
    rung_status status = check_name(path, tensors, i);
    if (status != RUNG_OK) return status;
    const rung_tensor *tensor = &tensors[i].tensor;
    const char *name = tensors[i].name;
    int64_t elements;
    if ((unsigned)tensor->type >= RUNG_DTYPE_COUNT)
      return rung_fail(RUNG_ERROR_ARGUMENT, "%s: tensor '%s' has type %d, expected 0..%d", path, name,
                       (int)tensor->type, RUNG_DTYPE_COUNT - 1);
    if (rung_shape_count(&tensor->shape, &elements) != RUNG_OK)
      return rung_fail(RUNG_ERROR_SHAPE, "%s: tensor '%s': %s", path, name, rung_error());
    if (tensor->data == NULL) return rung_fail(RUNG_ERROR_ARGUMENT, "%s: tensor '%s' has no data", path, name);
    if (!rung_size_add(total, byte_count(tensor), &total))
      return rung_fail(RUNG_ERROR_SHAPE, "%s: tensor '%s': the size of the file overflows", path, name);
  }
  return RUNG_OK;
}

/* ---- The header ------------------------------------------------------------------------------------------------- */

static void write_string(FILE *json, const char *text) {
  fputc('"', json);
  for (; *text != '\0'; text++) {
    if (*text == '"' || *text == '\\') {
      fprintf(json, "\\%c", *text);
    } else if ((unsigned char)*text < 0x20) {
      fprintf(json, "\\u%04x", (unsigned)*text);
    } else {
      fputc(*text, json);
    }
  }
  fputc('"', json);
}

static void write_entry(FILE *json, const rung_named_tensor *named, size_t begin) {
  const rung_tensor *tensor = &named->tensor;
  write_string(json, named->name);
  fprintf(json, ":{\"dtype\":\"%s\",\"shape\":[", dtype_names[tensor->type]);
  for (int i = 0; i < tensor->shape.rank; i++) fprintf(json, "%s%" PRId64, i > 0 ? "," : "", tensor->shape.extent[i]);
  fprintf(json, "],\"data_offsets\":[%zu,%zu]}", begin, begin + byte_count(tensor));
}

/* The tensors in the order of the file. The widest elements come first, so that every tensor is aligned to its elements
 * without a hole: readers map the file and use it where it lies. */
static void order_tensors(const rung_named_tensor *tensors, int count, const rung_named_tensor **order) {
  for (size_t size = LARGEST_ELEMENT; size > 0; size /= 2)
    for (int i = 0; i < count; i++)
      if (rung_dtype_size(tensors[i].tensor.type) == size) *order++ = &tensors[i];
}

/* The header, padded by spaces, in *text, which is to be freed whatever is returned. */
static rung_status make_header(const char *path, const rung_named_tensor *const *order, int count, char **text,
                               size_t *size) {
  FILE *json = open_memstream(text, size);
  if (json == NULL) return rung_fail(RUNG_ERROR_MEMORY, "%s: no memory for the header", path);
  size_t begin = 0;
  fputc('{', json);
  for (int i = 0; i < count; i++) {
    if (i > 0) fputc(',', json);
    write_entry(json, order[i], begin);
    begin += byte_count(&order[i]->tensor);
  }
  fputc('}', json);
  fflush(json);
  while (*size % HEADER_ALIGNMENT != 0) {
    if (fputc(' ', json) == EOF || fflush(json) != 0) break;
  }
  bool failed = ferror(json);
  if (fclose(json) != 0 || failed) return rung_fail(RUNG_ERROR_MEMORY, "%s: no memory for the header", path);
  if (*size > LARGEST_HEADER)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: a header of %zu bytes, expected at most %d", path, *size,
                     LARGEST_HEADER);
  return RUNG_OK;
}

/* ---- The file --------------------------------------------------------------------------------------------------- */

static rung_status write_header(rung_atomic_file *file, const char *text, size_t size) {
  unsigned char length[8];
  for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)size >> 8 * i);
  rung_status status = rung_atomic_write(file, length, sizeof length);
  return status == RUNG_OK ? rung_atomic_write(file, text, size) : status;
}

static rung_status write_elements(rung_atomic_file *file, const rung_tensor *tensor) {
  /* Byte i of a little-endian element is byte i ^ (size - 1) of a big-endian one: the size is a power of two. */
  const size_t flip = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? rung_dtype_size(tensor->type) - 1 : 0;
  const unsigned char *bytes = tensor->data;
  unsigned char chunk[1 << 14];
  rung_status status = RUNG_OK;
  for (size_t left = byte_count(tensor), part; left > 0 && status == RUNG_OK; left -= part, bytes += part) {
    part = left < sizeof chunk ? left : sizeof chunk;
    for (size_t i = 0; i < part; i++) chunk[i] = bytes[i ^ flip];
    status = rung_atomic_write(file, chunk, part);
  }
  return status;
}

static rung_status write_file(const char *path, const rung_named_tensor *const *order, int count) {
  char *header = NULL;
  size_t size = 0;
  rung_atomic_file file;
  rung_status status = make_header(path, order, count, &header, &size);
  if (status == RUNG_OK) status = rung_atomic_open(&file, path);
  if (status == RUNG_OK) {
    status = write_header(&file, header, size);
    for (int i = 0; i < count && status == RUNG_OK; i++) status = write_elements(&file, &order[i]->tensor);
    status = rung_atomic_close(&file, status);
  }
  free(header);
  return status;
}

rung_status rung_safetensors_write(const char *path, const rung_named_tensor *tensors, int count) {
  rung_status status = check_tensors(path, tensors, count);
  if (status != RUNG_OK) return status;
  const rung_named_tensor **order = rung_allocate((size_t)count * sizeof(rung_named_tensor *));
  if (order == NULL) return RUNG_ERROR_MEMORY;
  order_tensors(tensors, count, order);
  status = write_file(path, order, count);
  rung_release(order);
  return status;
}
