/* NPY (numpy.lib.format): a magic, a version, the length of a header, the header, then the elements.
 *
 * The header is a literal of Python's: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }. */
#include <rung/io.h>

#include "atomic.h"
#include "stream.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define MAGIC          "\x93NUMPY"
#define MAGIC_SIZE     6
#define LARGEST_HEADER 10000 /* bytes: what numpy itself reads from a file that it does not trust */
#define ALIGNMENT      64    /* of the elements in a file that is written */

typedef struct npy_header {
  char kind; /* b, i, u or f */
  int size;  /* bytes an element: 1, 2, 4 or 8 */
  bool big_endian;
  rung_shape shape;
} npy_header;

static uint64_t read_unsigned(const unsigned char *bytes, int size, bool big_endian) {
  uint64_t value = 0;
  for (int i = 0; i < size; i++) value |= (uint64_t)bytes[big_endian ? size - 1 - i : i] << 8 * i;
  return value;
}

/* ---- The header ------------------------------------------------------------------------------------------------- */

typedef struct literal {
  const char *path, *next;
} literal;

static void skip_spaces(literal *text) {
  while (*text->next == ' ' || *text->next == '\n') text->next++;
}

static bool take(literal *text, const char *word) {
  skip_spaces(text);
  size_t length = strlen(word);
  if (strncmp(text->next, word, length) != 0) return false;
  text->next += length;
  return true;
}

/* 'string' or "string" without escapes. */
static bool take_string(literal *text, char *string, size_t size) {
  skip_spaces(text);
  char quote = *text->next;
  const char *end = quote == '\'' || quote == '"' ? strchr(text->next + 1, quote) : NULL;
  if (end == NULL || (size_t)(end - text->next) > size) return false;
  size_t length = (size_t)(end - text->next) - 1;
  memcpy(string, text->next + 1, length);
  string[length] = '\0';
  text->next = end + 1;
  return true;
}

static bool take_extent(literal *text, int64_t *extent) {
  const char *begin = text->next;
  for (*extent = 0; *text->next >= '0' && *text->next <= '9'; text->next++) {
    if (*extent > INT64_MAX / 10 - 1) return false;
    *extent = 10 * *extent + (*text->next - '0');
  }
  if (text->next == begin) return false;
  (void)take(text, "L"); /* of a long of Python 2 */
  return true;
}

static rung_status take_shape(literal *text, rung_shape *shape) {
  bool good = take(text, "(");
  while (good && !take(text, ")")) {
    if (shape->rank == RUNG_MAX_RANK)
      return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: more than %d dimensions", text->path, RUNG_MAX_RANK);
    good = take_extent(text, &shape->extent[shape->rank++]);
    bool comma = good && take(text, ",");
    skip_spaces(text);
    good = good && (comma || (*text->next == ')' && shape->rank > 1));
  }
  return good ? RUNG_OK
              : rung_fail(RUNG_ERROR_FORMAT, "%s: shape %.40s, expected a tuple of integers", text->path, text->next);
}

static bool is_supported(char kind, char size) {
  static const char *const sizes[] = {"b1", "i1248", "u1248", "f248"};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    if (kind == sizes[i][0]) return size != '\0' && strchr(sizes[i] + 1, size) != NULL;
  return false;
}

/* '<f4': byte order (| of a single byte; = is the writer's, and numpy never writes it), kind, size. */
static rung_status take_descr(literal *text, npy_header *header) {
  char descr[8];
  skip_spaces(text);
  const char *begin = text->next;
  if (!take_string(text, descr, sizeof descr) || strlen(descr) != 3 || strchr("<>|", descr[0]) == NULL ||
      !is_supported(descr[1], descr[2]) || (descr[0] == '|' && descr[2] != '1'))
    return rung_fail(RUNG_ERROR_UNSUPPORTED,
                     "%s: elements of type %.20s, expected '|b1', or < or > and one of i1 i2 i4 "
                     "i8 u1 u2 u4 u8 f2 f4 f8",
                     text->path, begin);
  header->big_endian = descr[0] == '>';
  header->kind = descr[1];
  header->size = descr[2] - '0';
  return RUNG_OK;
}

static rung_status take_order(literal *text) {
  if (take(text, "False")) return RUNG_OK;
  if (take(text, "True"))
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: in Fortran's order, expected C's: save numpy.ascontiguousarray(x)",
                     text->path);
  return rung_fail(RUNG_ERROR_FORMAT, "%s: fortran_order is %.20s, expected False", text->path, text->next);
}

static rung_status take_entry(literal *text, const char *key, npy_header *header, int *seen) {
  static const char *const keys[] = {"descr", "fortran_order", "shape"};
  for (int i = 0; i < 3; i++) {
    if (strcmp(key, keys[i]) != 0 || (*seen & 1 << i) != 0) continue;
    *seen |= 1 << i;
    return i == 0 ? take_descr(text, header) : i == 1 ? take_order(text) : take_shape(text, &header->shape);
  }
  return rung_fail(RUNG_ERROR_FORMAT, "%s: '%s' in the header, expected descr, fortran_order and shape, once each",
                   text->path, key);
}

static rung_status parse_header(literal *text, npy_header *header) {
  int seen = 0;
  bool good = take(text, "{"), closed = false;
  while (good && !(closed = take(text, "}"))) {
    char key[16];
    good = take_string(text, key, sizeof key) && take(text, ":");
    rung_status status = good ? take_entry(text, key, header, &seen) : RUNG_OK;
    if (status != RUNG_OK) return status;
    skip_spaces(text);
    good = good && (take(text, ",") || *text->next == '}');
  }
  skip_spaces(text);
  if (closed && seen == 7 && *text->next == '\0') return RUNG_OK;
  return rung_fail(RUNG_ERROR_FORMAT,
                   "%s: header at '%.20s', expected {'descr': ..., 'fortran_order': ..., 'shape': ...}", text->path,
                   text->next);
}

/* Reads magic, version and header; *bytes: the size of the elements that must follow. */
static rung_status read_header(rung_stream *stream, npy_header *header, size_t *before, size_t *bytes) {
  unsigned char start[MAGIC_SIZE + 2], length_bytes[4];
  rung_status status = rung_stream_read_exactly(stream, start, sizeof start, "NPY header");
  if (status != RUNG_OK) return status;
  if (memcmp(start, MAGIC, MAGIC_SIZE) != 0)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: not an NPY file: expected it to begin with \\x93NUMPY", stream->path);
  if (start[MAGIC_SIZE] < 1 || start[MAGIC_SIZE] > 3 || start[MAGIC_SIZE + 1] != 0)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: NPY version %d.%d, expected 1.0, 2.0 or 3.0", stream->path,
                     start[MAGIC_SIZE], start[MAGIC_SIZE + 1]);
  int width = start[MAGIC_SIZE] == 1 ? 2 : 4;
  status = rung_stream_read_exactly(stream, length_bytes, (size_t)width, "NPY header");
  if (status != RUNG_OK) return status;
  size_t length = (size_t)read_unsigned(length_bytes, width, false);
  char text[LARGEST_HEADER + 1];
  if (length > LARGEST_HEADER)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: NPY header of %zu bytes, expected at most %d", stream->path, length,
                     LARGEST_HEADER);
  status = rung_stream_read_exactly(stream, text, length, "NPY header");
  if (status != RUNG_OK) return status;
  text[length] = '\0';
  if (strlen(text) != length) return rung_fail(RUNG_ERROR_FORMAT, "%s: a zero byte in the header", stream->path);
  status = parse_header(&(literal){.path = stream->path, .next = text}, header);
  int64_t count = 0;
  if (status == RUNG_OK && (rung_shape_count(&header->shape, &count) != RUNG_OK ||
                            !rung_size_multiply((size_t)count, (size_t)header->size, bytes)))
    return rung_fail(RUNG_ERROR_FORMAT, "%s: %s", stream->path, rung_error());
  *before = sizeof start + (size_t)width + length;
  return status;
}

/* ---- The elements ----------------------------------------------------------------------------------------------- */

static rung_status read_elements(rung_stream *stream, size_t before, size_t bytes, void **elements) {
  size_t held = 0, got = 0;
  if (stream->inflater == NULL && (size_t)stream->size - before != bytes)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: holds %zu bytes after its header, expected %zu", stream->path,
                     (size_t)stream->size - before, bytes);
  rung_status status = rung_stream_read_rest(stream, bytes, elements, &held);
  if (status != RUNG_OK) return status;
  unsigned char beyond;
  status = rung_stream_read(stream, &beyond, 1, &got);
  if (status == RUNG_OK && held + got != bytes)
    status = rung_fail(RUNG_ERROR_FORMAT, "%s: holds %s%zu bytes after its header, expected %zu", stream->path,
                       got > 0 ? "more than " : "", held, bytes);
  if (status == RUNG_OK) return status;
  rung_release(*elements);
  *elements = NULL;
  return status;
}

static rung_dtype dtype_of(const npy_header *header) {
  if (header->kind == 'f') return RUNG_F32;
  if (header->size == 1) return header->kind == 'u' ? RUNG_U8 : RUNG_I8;
  return RUNG_I32;
}

/* Infinite where it was, or where it is finite and no f32. */
static float read_float(const npy_header *header, uint64_t bits) {
  float value;
  double wide;
  uint32_t narrow = (uint32_t)bits;
  if (header->size == 2) return rung_float_decode(RUNG_F16, narrow);
  memcpy(&value, &narrow, sizeof value);
  memcpy(&wide, &bits, sizeof wide);
  return header->size == 4 ? value : (float)wide;
}

/* False where the value does not fit. The shifts sign-extend what is narrower than 64 bits. */
static bool read_integer(const npy_header *header, uint64_t bits, int32_t *value) {
  int unused = 64 - 8 * header->size;
  int64_t wide = (int64_t)(bits << unused) >> unused;
  if (header->kind == 'u' && bits > INT32_MAX) return false;
  if (header->kind == 'u') wide = (int64_t)bits;
  *value = (int32_t)wide;
  return wide >= INT32_MIN && wide <= INT32_MAX;
}

static bool is_infinite(const npy_header *header, uint64_t bits) {
  return header->size == 8 ? (bits << 1) == UINT64_C(0x7ff) << 53 : true;
}

/* Elements of the file become those of the tensor. In place (in == out) where they do not become wider. */
static rung_status convert(const char *path, const npy_header *header, const unsigned char *in, int64_t count,
                           void *out) {
  float *floats = out;
  int32_t *integers = out;
  for (int64_t i = 0; i < count; i++, in += header->size) {
    uint64_t bits = read_unsigned(in, header->size, header->big_endian);
    if (header->kind == 'f') {
      floats[i] = read_float(header, bits);
      if (isinf(floats[i]) && !is_infinite(header, bits))
        return rung_fail(RUNG_ERROR_NUMERIC, "%s: element %" PRId64 " fits no f32", path, i);
    } else if (!read_integer(header, bits, &integers[i])) {
      return rung_fail(RUNG_ERROR_NUMERIC, "%s: element %" PRId64 " fits no i32", path, i);
    }
  }
  return RUNG_OK;
}

static rung_status to_tensor(const char *path, const npy_header *header, rung_tensor *tensor, void *elements) {
  int64_t count = rung_tensor_count(tensor);
  tensor->data = elements;
  if (header->size == 1) return RUNG_OK;
  if (header->size == 2) {
    tensor->data = rung_allocate((size_t)count * sizeof(float));
    if (tensor->data == NULL) {
      rung_release(elements);
      return RUNG_ERROR_MEMORY;
    }
  }
  rung_status status = convert(path, header, elements, count, tensor->data);
  if (tensor->data != elements) rung_release(elements);
  return status;
}

rung_status rung_npy_read(const char *path, rung_tensor *tensor) {
  *tensor = (rung_tensor){0};
  rung_stream stream;
  rung_status status = rung_stream_open(&stream, path);
  if (status != RUNG_OK) return status;
  npy_header header = {0};
  void *elements = NULL;
  size_t before = 0, bytes = 0;
  status = read_header(&stream, &header, &before, &bytes);
  if (status == RUNG_OK) status = read_elements(&stream, before, bytes, &elements);
  rung_stream_close(&stream);
  if (status != RUNG_OK) return status;
  tensor->type = dtype_of(&header);
  tensor->shape = header.shape;
  if (tensor->type != RUNG_F32) tensor->scale = 1.0f;
  status = to_tensor(path, &header, tensor, elements);
  if (status != RUNG_OK) rung_npy_free(tensor);
  return status;
}

void rung_npy_free(rung_tensor *tensor) {
  if (tensor == NULL) return;
  rung_release(tensor->data);
  *tensor = (rung_tensor){0};
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

/* The header's text, padded so that the elements are aligned, and ended by a line end; its length. */
static size_t make_header(const char *descr, const rung_shape *shape, char text[4 * ALIGNMENT]) {
  size_t size = 4 * ALIGNMENT, before = MAGIC_SIZE + 4;
  size_t length = (size_t)snprintf(text, size, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
  for (int i = 0; i < shape->rank; i++)
    length += (size_t)snprintf(text + length, size - length, "%s%" PRId64, i > 0 ? ", " : "", shape->extent[i]);
  length += (size_t)snprintf(text + length, size - length, "%s), }", shape->rank == 1 ? "," : "");
  while ((before + length + 1) % ALIGNMENT != 0) text[length++] = ' ';
  text[length++] = '\n';
  return length;
}

static rung_status write_file(rung_atomic_file *file, const char *descr, const rung_tensor *tensor) {
  char text[4 * ALIGNMENT];
  size_t length = make_header(descr, &tensor->shape, text);
  const unsigned char start[] = {
      0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)length, (unsigned char)(length >> 8)};
  rung_status status = rung_atomic_write(file, start, sizeof start);
  if (status == RUNG_OK) status = rung_atomic_write(file, text, length);
  return status == RUNG_OK ? rung_atomic_write_elements(file, tensor) : status;
}

rung_status rung_npy_write(const char *path, const rung_tensor *tensor) {
  static const char *const descrs[RUNG_DTYPE_COUNT] = {
      [RUNG_F32] = "<f4", [RUNG_F16] = "<f2", [RUNG_I32] = "<i4", [RUNG_I8] = "|i1", [RUNG_U8] = "|u1"};
  int64_t count;
  if (path == NULL || tensor == NULL || tensor->data == NULL)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: expected a path and a tensor with data", path ? path : "no path");
  if ((unsigned)tensor->type >= RUNG_DTYPE_COUNT || descrs[tensor->type] == NULL)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: type %s, which NPY lacks, expected f32, f16, i32, i8 or u8", path,
                     (unsigned)tensor->type < RUNG_DTYPE_COUNT ? rung_dtype_name(tensor->type) : "?");
  rung_status status = rung_shape_count(&tensor->shape, &count);
  if (status != RUNG_OK) return rung_fail(status, "%s: %s", path, rung_error());
  rung_atomic_file file;
  status = rung_atomic_open(&file, path);
  if (status != RUNG_OK) return status;
  return rung_atomic_close(&file, write_file(&file, descrs[tensor->type], tensor));
}
