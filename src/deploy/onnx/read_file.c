/* From a file's bytes to its messages. protobuf-c does the unpacking, which recurses with the messages and allocates as
 * they ask; so the depth is looked at first, and what it may allocate is bounded by the file's size. */
#include "import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_BYTES   INT32_MAX /* of a message, by protobuf's own rules */
#define MOST_DEPTH   16        /* of messages in messages: a tensor in an attribute of a subgraph's node is the 8th */
#define VARINT_BYTES 10        /* at most, for 64 bits */

/* ---- How deep ---------------------------------------------------------------------------------------------------- */

typedef struct span {
  const uint8_t *at, *end;
} span;

static bool read_varint(span *wire, int most, uint64_t *value) {
  *value = 0;
  for (int i = 0; i < most && wire->at < wire->end; i++) {
    uint8_t byte = *wire->at++;
    *value |= (uint64_t)(byte & 0x7f) << (7 * i);
    if (byte < 0x80) return true;
  }
  return false;
}

static bool skip(span *wire, uint64_t bytes) {
  if (bytes > (uint64_t)(wire->end - wire->at)) return false;
  wire->at += bytes;
  return true;
}

/* Whether the wire holds whole fields, with messages of `type` nested no deeper than `depth` more levels. Tags and
 * lengths take 5 bytes at most in protobuf-c too, so what it walks is what is walked here. */
static bool is_shallow(const ProtobufCMessageDescriptor *type, span wire, int depth) {
  while (wire.at < wire.end) {
    uint64_t tag, length, unused;
    if (!read_varint(&wire, 5, &tag)) return false;
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
    switch (tag & 7) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
      if (!read_varint(&wire, VARINT_BYTES, &unused)) return false;
      break;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
      if (!skip(&wire, 8)) return false;
      break;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
      if (!skip(&wire, 4)) return false;
      break;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED: {
      if (!read_varint(&wire, 5, &length)) return false;
      const uint8_t *begin = wire.at;
      if (!skip(&wire, length)) return false;
      if (!field || field->type != PROTOBUF_C_TYPE_MESSAGE) break;
      if (depth == 0 || !is_shallow(field->descriptor, (span){begin, wire.at}, depth - 1)) return false;
      break;
    }
    default: return false;
    }
  }
  return true;
}

/* ---- How much ---------------------------------------------------------------------------------------------------- */

typedef struct budget {
  size_t left;    /* bytes */
  bool no_memory; /* what was in the budget could not be had */
} budget;

static void *allocate(void *of, size_t bytes) {
  budget *asked = of;
  if (bytes > asked->left) return NULL;
  asked->left -= bytes;
  void *memory = malloc(bytes);
  asked->no_memory |= !memory;
  return memory;
}

static void release(void *of, void *memory) {
  (void)of; /* what was given back is not given out again: repeated copies count */
  free(memory);
}

static Onnx__ModelProto *unpack(const char *path, const uint8_t *bytes, size_t size) {
  if (!is_shallow(&onnx__model_proto__descriptor, (span){bytes, bytes + size}, MOST_DEPTH)) {
    rung_fail(RUNG_ERROR_FORMAT, "%s: no ONNX file: damaged, or nested more than %d messages deep", path, MOST_DEPTH);
    return NULL;
  }
  budget memory = {.left = IMPORT_MEMORY_BASE + IMPORT_MEMORY_TIMES * size};
  ProtobufCAllocator allocator = {.alloc = allocate, .free = release, .allocator_data = &memory};
  Onnx__ModelProto *message = onnx__model_proto__unpack(&allocator, size, bytes);
  if (!message && memory.no_memory)
    rung_fail(RUNG_ERROR_MEMORY, "%s: no memory for its messages", path);
  else if (!message)
    rung_fail(RUNG_ERROR_FORMAT, "%s: no ONNX file: damaged, or made of more small messages than its size allows",
              path);
  return message;
}

void import_message_free(Onnx__ModelProto *message) {
  ProtobufCAllocator allocator = {.alloc = allocate, .free = release};
  onnx__model_proto__free_unpacked(message, message ? &allocator : NULL);
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */

static rung_status file_size(const char *path, FILE *file, size_t *size) {
  struct stat about;
  if (fstat(fileno(file), &about) != 0)
    return rung_fail(RUNG_ERROR_IO, "%s: cannot be read: %s", path, strerror(errno));
  if (!S_ISREG(about.st_mode)) return rung_fail(RUNG_ERROR_IO, "%s: not a regular file", path);
  if (about.st_size < 1 || about.st_size > MOST_BYTES)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: %lld bytes, expected a file of 1 byte to 2 GiB", path,
                     (long long)about.st_size);
  *size = (size_t)about.st_size;
  return RUNG_OK;
}

uint8_t *import_file_read(const char *path, size_t *size) {
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* nobody may be at the other end of a pipe */
  FILE *file = descriptor >= 0 ? fdopen(descriptor, "rb") : NULL;
  if (!file) {
    rung_fail(RUNG_ERROR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    if (descriptor >= 0) close(descriptor);
    return NULL;
  }
  uint8_t *bytes = file_size(path, file, size) == RUNG_OK ? rung_allocate(*size) : NULL;
  if (bytes && fread(bytes, 1, *size, file) != *size) {
    rung_fail(RUNG_ERROR_IO, "%s: cannot be read: %s", path, ferror(file) ? strerror(errno) : "it ends early");
    rung_release(bytes);
    bytes = NULL;
  }
  fclose(file);
  return bytes;
}

Onnx__ModelProto *import_message_read(const char *path, size_t *size) {
  uint8_t *bytes = import_file_read(path, size);
  if (!bytes) return NULL;
  Onnx__ModelProto *message = unpack(path, bytes, *size);
  rung_release(bytes);
  return message;
}
