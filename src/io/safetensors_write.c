/* Writing safetensors. */
#include "atomic.h"
#include "safetensors.h"
#include "utf8.h"

#include <string.h>

#define HEADER_ALIGNMENT 8
#define LARGEST_ELEMENT  4 /* bytes */

/* ---- What is refused -------------------------------------------------------------------------------------------- */

static rung_status check_name(const char *path, const rung_named_tensor *tensors, int index) {
  const char *name = tensors[index].name;
  if (name == NULL) return rung_fail(RUNG_ERROR_ARGUMENT, "%s: tensor %d has no name", path, index);
  if (!rung_utf8_valid(name, strlen(name)))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: the name of tensor %d is not UTF-8, as JSON must be", path, index);
  if (strcmp(name, SAFETENSORS_METADATA) == 0)
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

static rung_status check_tensor(const char *path, const char *name, const rung_tensor *tensor, size_t *total) {
  int64_t elements;
  if ((unsigned)tensor->type >= RUNG_DTYPE_COUNT)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: tensor '%s' has type %d, expected 0..%d", path, name, (int)tensor->type,
                     RUNG_DTYPE_COUNT - 1);
  if (rung_shape_count(&tensor->shape, &elements) != RUNG_OK)
    return rung_fail(RUNG_ERROR_SHAPE, "%s: tensor '%s': %s", path, name, rung_error());
  if (tensor->data == NULL) return rung_fail(RUNG_ERROR_ARGUMENT, "%s: tensor '%s' has no data", path, name);
  if (!rung_size_add(*total, byte_count(tensor), total) || *total > INT64_MAX)
    return rung_fail(RUNG_ERROR_SHAPE, "%s: tensor '%s': the size of the file overflows", path, name);
  return RUNG_OK;
}

static rung_status check_tensors(const char *path, const rung_named_tensor *tensors, int count) {
  if (path == NULL || count < 0 || (tensors == NULL && count > 0))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: %d tensors, expected a path, and tensors in a number of 0 or more",
                     path != NULL ? path : "no path", count);
  size_t total = 0;
  rung_status status = RUNG_OK;
  for (int i = 0; i < count && status == RUNG_OK; i++) {
    status = check_name(path, tensors, i);
    if (status == RUNG_OK) status = check_tensor(path, tensors[i].name, &tensors[i].tensor, &total);
  }
  return status;
}

static rung_status check_metadata(const char *path, const rung_metadata *metadata, int count) {
  if (count < 0 || (metadata == NULL && count > 0))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: %d metadata, expected pairs in a number of 0 or more", path, count);
  for (int i = 0; i < count; i++) {
    const char *key = metadata[i].key, *value = metadata[i].value;
    if (key == NULL || value == NULL || !rung_utf8_valid(key, strlen(key)) || !rung_utf8_valid(value, strlen(value)))
      return rung_fail(RUNG_ERROR_ARGUMENT, "%s: metadata %d: expected a key and a value in UTF-8", path, i);
    for (int k = 0; k < i; k++)
      if (strcmp(key, metadata[k].key) == 0)
        return rung_fail(RUNG_ERROR_ARGUMENT, "%s: metadata %d and %d are both named '%s', expected unique names", path,
                         k, i, key);
  }
  return RUNG_OK;
}

/* ---- The file --------------------------------------------------------------------------------------------------- */

/* The tensors in the order of the file. The widest elements come first, so that every tensor is aligned to its elements
 * without a hole: readers map the file and use it where it lies. */
static void order_tensors(const rung_named_tensor *tensors, int count, const rung_named_tensor **order) {
  for (size_t size = LARGEST_ELEMENT; size > 0; size /= 2)
    for (int i = 0; i < count; i++)
      if (rung_dtype_size(tensors[i].tensor.type) == size) *order++ = &tensors[i];
}

/* Padded by spaces, so that the data are aligned. */
static rung_status write_header(rung_atomic_file *file, const char *text) {
  static const char spaces[HEADER_ALIGNMENT] = "        ";
  const size_t length = strlen(text), padding = (HEADER_ALIGNMENT - length % HEADER_ALIGNMENT) % HEADER_ALIGNMENT;
  const size_t size = length + padding;
  if (size > SAFETENSORS_LARGEST_HEADER)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: a header of %zu bytes, expected at most %d", file->path, size,
                     SAFETENSORS_LARGEST_HEADER);
  unsigned char number[8];
  for (int i = 0; i < 8; i++) number[i] = (unsigned char)((uint64_t)size >> 8 * i);
  rung_status status = rung_atomic_write(file, number, sizeof number);
  if (status == RUNG_OK) status = rung_atomic_write(file, text, length);
  return status == RUNG_OK ? rung_atomic_write(file, spaces, padding) : status;
}

static rung_status write_file(const char *path, const char *header, const rung_named_tensor *const *order, int count) {
  rung_atomic_file file;
  rung_status status = rung_atomic_open(&file, path);
  if (status != RUNG_OK) return status;
  status = write_header(&file, header);
  for (int i = 0; i < count && status == RUNG_OK; i++) status = rung_atomic_write_elements(&file, &order[i]->tensor);
  return rung_atomic_close(&file, status);
}

rung_status rung_safetensors_write_with(const char *path, const rung_named_tensor *tensors, int count,
                                        const rung_metadata *metadata, int metadata_count) {
  rung_status status = check_tensors(path, tensors, count);
  if (status == RUNG_OK) status = check_metadata(path, metadata, metadata_count);
  if (status != RUNG_OK) return status;
  const rung_named_tensor **order = rung_allocate((size_t)count * sizeof(rung_named_tensor *));
  if (order == NULL) return RUNG_ERROR_MEMORY;
  order_tensors(tensors, count, order);
  char *header = safetensors_header_print(path, order, count, metadata, metadata_count);
  status = header != NULL ? write_file(path, header, order, count) : rung_error_status();
  safetensors_header_free(header);
  rung_release(order);
  return status;
}

rung_status rung_safetensors_write(const char *path, const rung_named_tensor *tensors, int count) {
  return rung_safetensors_write_with(path, tensors, count, NULL, 0);
}
