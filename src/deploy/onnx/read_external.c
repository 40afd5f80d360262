/* External data: the bytes of tensors in files beside the model, as PyTorch's newer exporter writes them. A file that
 * an enemy wrote may name nothing outside its folder; each file is read once, whole. */
#include "import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct import_file {
  const char *name; /* in the model's folder */
  uint8_t *bytes;
  size_t size;
  struct import_file *next;
};

/* NULL: the tensor does not say. */
static const char *entry(const Onnx__TensorProto *proto, const char *key) {
  for (size_t i = 0; i < proto->n_external_data; i++)
    if (strcmp(import_text(proto->external_data[i]->key), key) == 0) return import_text(proto->external_data[i]->value);
  return NULL;
}

/* A whole number of bytes, `otherwise` if the tensor does not say; SIZE_MAX where it is none, or larger than any file.
 */
static size_t entry_bytes(const Onnx__TensorProto *proto, const char *key, size_t otherwise) {
  enum { MOST_DIGITS = 18 };
  const char *text = entry(proto, key);
  if (!text) return otherwise;
  size_t digits = strspn(text, "0123456789");
  return digits > 0 && digits <= MOST_DIGITS && text[digits] == '\0' ? (size_t)strtoull(text, NULL, 10) : SIZE_MAX;
}

static bool is_plain_name(const char *name) {
  return *name && !strchr(name, '/') && !strchr(name, '\\') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* The path of `name` beside the model. NULL with a message: no memory, or the model lies in no folder: a file without a
 * name, that was opened as /proc/self/fd/3. */
static char *beside(import *in, const char *name) {
  struct stat about;
  if (stat(in->path, &about) != 0 || about.st_nlink == 0) {
    rung_fail(RUNG_ERROR_IO, "%s: cannot be opened: the model is in no folder", name);
    return NULL;
  }
  const char *slash = strrchr(in->path, '/');
  size_t folder = slash ? (size_t)(slash + 1 - in->path) : 0, size = folder + strlen(name) + 1;
  char *path = rung_arena_allocate(in->arena, size);
  if (path) snprintf(path, size, "%.*s%s", (int)folder, in->path, name);
  return path;
}

/* The file of that name, read if it was not yet. NULL with a message. */
static struct import_file *open_file(import *in, const char *name) {
  for (struct import_file *file = in->files; file; file = file->next)
    if (strcmp(file->name, name) == 0) return file;
  struct import_file *file = rung_arena_allocate(in->arena, sizeof *file);
  const char *path = file ? beside(in, name) : NULL;
  if (!path) return NULL;
  *file = (struct import_file){.name = name, .next = in->files};
  file->bytes = import_file_read(path, &file->size);
  if (!file->bytes) return NULL;
  in->bytes += file->size;
  return in->files = file;
}

bool import_is_external(const Onnx__TensorProto *proto) {
  return proto->n_external_data > 0 || proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

rung_status import_external(import *in, const Onnx__TensorProto *proto, const uint8_t **bytes, size_t *size) {
  const char *tensor = import_text(proto->name), *location = entry(proto, "location");
  if (!location || !is_plain_name(location))
    return rung_fail(RUNG_ERROR_FORMAT,
                     "%s: tensor '%.120s': its data lies in '%.120s', expected a file in the model's folder", in->path,
                     tensor, location ? location : "");
  const struct import_file *file = open_file(in, location);
  if (!file) return rung_fail(rung_error_status(), "%s: tensor '%.120s': %s", in->path, tensor, rung_error());
  size_t offset = entry_bytes(proto, "offset", 0);
  size_t length = entry_bytes(proto, "length", offset <= file->size ? file->size - offset : 0);
  if (offset > file->size || length > file->size - offset)
    return rung_fail(
        RUNG_ERROR_FORMAT,
        "%s: tensor '%.120s': offset '%.20s' and length '%.20s', expected within the %zu bytes of '%.120s'", in->path,
        tensor, import_text(entry(proto, "offset")), import_text(entry(proto, "length")), file->size, location);
  *bytes = file->bytes + offset;
  *size = length;
  return RUNG_OK;
}

void import_files_free(import *in) {
  for (struct import_file *file = in->files; file; file = file->next) rung_release(file->bytes);
}
