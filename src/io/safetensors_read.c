/* Reading safetensors: all of the file, each tensor into memory of its own, so that it is aligned whatever its offset.
 */
#include "safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct rung_safetensors {
  rung_arena *arena; /* of all that follows, and of the structure itself */
  const char *path;
  safetensors_header header;
};

/* ---- Bytes ------------------------------------------------------------------------------------------------------ */

static rung_status read_bytes(const char *path, FILE *file, void *bytes, size_t size) {
  if (fread(bytes, 1, size, file) == size) return RUNG_OK;
  return rung_fail(RUNG_ERROR_IO, "%s: cannot be read: %s", path, ferror(file) ? strerror(errno) : "it ends early");
}

static void swap_bytes(unsigned char *bytes, size_t count, size_t size) {
  for (size_t i = 0; i < count; i++, bytes += size)
    for (size_t k = 0; k < size / 2; k++) {
      unsigned char byte = bytes[k];
      bytes[k] = bytes[size - 1 - k];
      bytes[size - 1 - k] = byte;
    }
}

/* The sizes of header and data, which together with the 8 bytes of the first number are the file. */
static rung_status read_sizes(const char *path, FILE *file, uint64_t *header_size, uint64_t *data_size) {
  struct stat about;
  if (fstat(fileno(file), &about) != 0)
    return rung_fail(RUNG_ERROR_IO, "%s: cannot be read: %s", path, strerror(errno));
  if (!S_ISREG(about.st_mode)) return rung_fail(RUNG_ERROR_IO, "%s: not a regular file", path);
  const uint64_t size = (uint64_t)about.st_size;
  unsigned char number[8];
  if (size < sizeof number)
    return rung_fail(RUNG_ERROR_FORMAT,
                     "%s: not a safetensors file: %" PRIu64 " bytes, expected 8 at least, the length of the header",
                     path, size);
  rung_status status = read_bytes(path, file, number, sizeof number);
  *header_size = 0;
  for (int i = 7; i >= 0; i--) *header_size = *header_size << 8 | number[i];
  if (status == RUNG_OK && (*header_size > size - sizeof number || *header_size > SAFETENSORS_LARGEST_HEADER))
    return rung_fail(RUNG_ERROR_FORMAT,
                     "%s: not a safetensors file: a header of %" PRIu64
                     " bytes, expected at most %d and what follows in the file, %" PRIu64,
                     path, *header_size, SAFETENSORS_LARGEST_HEADER, size - sizeof number);
  *data_size = size - sizeof number - *header_size;
  return status;
}

/* ---- The file --------------------------------------------------------------------------------------------------- */

static rung_status read_header(rung_safetensors *self, FILE *file) {
  uint64_t header_size = 0, data_size = 0;
  rung_status status = read_sizes(self->path, file, &header_size, &data_size);
  if (status != RUNG_OK) return status;
  char *text = rung_allocate((size_t)header_size + 1); /* zeroed: it ends in '\0' */
  if (text == NULL) return RUNG_ERROR_MEMORY;
  status = read_bytes(self->path, file, text, (size_t)header_size);
  if (status == RUNG_OK)
    status = safetensors_header_parse(self->path, text, (size_t)header_size, data_size, self->arena, &self->header);
  rung_release(text);
  return status;
}

/* Entries are in the order of the data and without holes, so that the file is read from front to back. */
static rung_status read_tensor(rung_safetensors *self, safetensors_entry *entry, FILE *file) {
  const size_t size = (size_t)(entry->end - entry->begin);
  rung_tensor *tensor = &entry->named.tensor;
  if (!entry->readable) {
    if (fseeko(file, (off_t)size, SEEK_CUR) == 0) return RUNG_OK;
    return rung_fail(RUNG_ERROR_IO, "%s: cannot be read: %s", self->path, strerror(errno));
  }
  tensor->data = rung_arena_allocate(self->arena, size);
  if (tensor->data == NULL) return RUNG_ERROR_MEMORY;
  tensor->scale = 1;
  rung_status status = read_bytes(self->path, file, tensor->data, size);
  if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
    swap_bytes(tensor->data, (size_t)rung_tensor_count(tensor), rung_dtype_size(tensor->type));
  return status;
}

static rung_status read_file(rung_safetensors *self) {
  FILE *file = fopen(self->path, "rb");
  if (file == NULL) return rung_fail(RUNG_ERROR_IO, "%s: cannot be opened: %s", self->path, strerror(errno));
  rung_status status = read_header(self, file);
  for (int i = 0; i < self->header.count && status == RUNG_OK; i++)
    status = read_tensor(self, &self->header.entries[i], file);
  fclose(file);
  return status;
}

rung_safetensors *rung_safetensors_open(const char *path) {
  if (path == NULL) {
    rung_fail(RUNG_ERROR_ARGUMENT, "safetensors: the path is NULL");
    return NULL;
  }
  rung_arena *arena = rung_arena_new();
  if (arena == NULL) return NULL;
  rung_safetensors *self = rung_arena_allocate(arena, sizeof *self);
  if (self != NULL) {
    self->arena = arena;
    self->path = rung_arena_string(arena, path);
  }
  if (self != NULL && self->path != NULL && read_file(self) == RUNG_OK) return self;
  rung_arena_free(arena);
  return NULL;
}

void rung_safetensors_free(rung_safetensors *self) {
  if (self != NULL) rung_arena_free(self->arena);
}

/* ---- Looking ---------------------------------------------------------------------------------------------------- */

int rung_safetensors_count(const rung_safetensors *self) {
  return self->header.count;
}

/* The message for one that was not read. */
static void name_unreadable(const rung_safetensors *self, const safetensors_entry *entry) {
  rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: tensor '%s' is %s%s, which Rung does not read", self->path, entry->named.name,
            entry->dtype->name, entry->dtype->type == RUNG_DTYPE_COUNT ? "" : " of an empty shape or a high rank");
}

rung_named_tensor rung_safetensors_tensor(const rung_safetensors *self, int index) {
  if (index < 0 || index >= self->header.count) return (rung_named_tensor){0};
  const safetensors_entry *entry = &self->header.entries[index];
  if (!entry->readable) name_unreadable(self, entry);
  return entry->named;
}

static const safetensors_entry *find_entry(const rung_safetensors *self, const char *name) {
  for (int i = 0; i < self->header.count; i++)
    if (strcmp(self->header.entries[i].named.name, name) == 0) return &self->header.entries[i];
  return NULL;
}

const rung_tensor *rung_safetensors_find(const rung_safetensors *self, const char *name) {
  const safetensors_entry *entry = find_entry(self, name);
  return entry != NULL ? &entry->named.tensor : NULL;
}

const rung_tensor *rung_safetensors_expect(const rung_safetensors *self, const char *name, rung_dtype type,
                                           const rung_shape *shape) {
  char have[RUNG_SHAPE_TEXT], want[RUNG_SHAPE_TEXT];
  const safetensors_entry *entry = find_entry(self, name);
  const rung_tensor *tensor = entry != NULL ? &entry->named.tensor : NULL;
  if (tensor == NULL) {
    rung_fail(RUNG_ERROR_FORMAT, "%s: it has no tensor '%s'", self->path, name);
  } else if (!entry->readable) {
    name_unreadable(self, entry);
  } else if (tensor->type != type) {
    rung_fail(RUNG_ERROR_FORMAT, "%s: tensor '%s' is %s, expected %s", self->path, name, rung_dtype_name(tensor->type),
              rung_dtype_name(type));
  } else if (!rung_shape_equal(&tensor->shape, shape)) {
    rung_fail(RUNG_ERROR_SHAPE, "%s: tensor '%s' is %s, expected %s", self->path, name,
              rung_shape_format(&tensor->shape, have, sizeof have), rung_shape_format(shape, want, sizeof want));
  } else {
    return tensor;
  }
  return NULL;
}

const char *rung_safetensors_metadata(const rung_safetensors *self, const char *key) {
  for (int i = 0; i < self->header.metadata_count; i++)
    if (strcmp(self->header.metadata[i].key, key) == 0) return self->header.metadata[i].value;
  return NULL;
}

int rung_safetensors_metadata_count(const rung_safetensors *self) {
  return self->header.metadata_count;
}

rung_metadata rung_safetensors_metadata_at(const rung_safetensors *self, int index) {
  return index >= 0 && index < self->header.metadata_count ? self->header.metadata[index] : (rung_metadata){0};
}
