/* The JSON header of a safetensors file:
 *
 *   {"__metadata__": {KEY: STRING, ...}, NAME: {"dtype": "F32", "shape": [2, 3], "data_offsets": [BEGIN, END]}, ...}
 *
 * cJSON reads more than JSON and more than this format allows, so the text is looked through before it is parsed. */
#include "safetensors.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const safetensors_dtype dtypes[] = {
    {"F32", 32, RUNG_F32},
    {"F16", 16, RUNG_F16},
    {"BF16", 16, RUNG_BF16},
    {"F8_E4M3", 8, RUNG_E4M3},
    {"F8_E5M2", 8, RUNG_E5M2},
    {"I32", 32, RUNG_I32},
    {"I8", 8, RUNG_I8},
    {"U8", 8, RUNG_U8},
    {"BOOL", 8, RUNG_DTYPE_COUNT},
    {"I16", 16, RUNG_DTYPE_COUNT},
    {"U16", 16, RUNG_DTYPE_COUNT},
    {"U32", 32, RUNG_DTYPE_COUNT},
    {"I64", 64, RUNG_DTYPE_COUNT},
    {"U64", 64, RUNG_DTYPE_COUNT},
    {"F64", 64, RUNG_DTYPE_COUNT},
    {"C64", 64, RUNG_DTYPE_COUNT},
    {"F8_E8M0", 8, RUNG_DTYPE_COUNT},
    {"F8_E4M3FNUZ", 8, RUNG_DTYPE_COUNT},
    {"F8_E5M2FNUZ", 8, RUNG_DTYPE_COUNT},
    {"F6_E2M3", 6, RUNG_DTYPE_COUNT},
    {"F6_E3M2", 6, RUNG_DTYPE_COUNT},
    {"F4", 4, RUNG_DTYPE_COUNT},
};
enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

const safetensors_dtype *safetensors_dtype_of(rung_dtype type) {
  for (int i = 0; i < DTYPES; i++)
    if (dtypes[i].type == type) return &dtypes[i];
  return NULL;
}

#ifdef RUNG_HAVE_CJSON

#include <cjson/cJSON.h>

enum {
  LARGEST_DEPTH = 3, /* the header, an entry, a shape */
  LARGEST_RANK = 32  /* of a tensor that is not read; with the depth it bounds what parsing may need */
};

/* ---- The text, before cJSON sees it ----------------------------------------------------------------------------- */

/* The end of the string whose first character is at `at`; 0 if it holds what JSON forbids, or a NUL, which would end a
 * C string early. */
static size_t string_end(const char *text, size_t size, size_t at) {
  for (; at < size && text[at] != '"'; at++) {
    if ((unsigned char)text[at] < 0x20) return 0;
    if (text[at] != '\\') continue;
    if (size - at > 5 && memcmp(text + at + 1, "u0000", 5) == 0) return 0;
    at++;
  }
  return at < size ? at : 0;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* All that may stand outside strings: brackets, commas, colons, white space, and numbers of digits alone. */
static bool is_allowed(const char *text, size_t size, size_t at) {
  if (!is_digit(text[at])) return text[at] != '\0' && strchr("{}[],: \t\r\n", text[at]) != NULL;
  bool leading_zero = text[at] == '0' && !is_digit(text[at - 1]) && at + 1 < size && is_digit(text[at + 1]);
  return !leading_zero;
}

static rung_status check_text(const char *path, const char *text, size_t size) {
  if (size == 0 || text[0] != '{')
    return rung_fail(RUNG_ERROR_FORMAT, "%s: not a safetensors file: the header does not begin with '{'", path);
  if (!rung_utf8_valid(text, size)) return rung_fail(RUNG_ERROR_FORMAT, "%s: the header is not UTF-8", path);
  int depth = 0, elements = 0;
  for (size_t at = 0; at < size; at++) {
    if (text[at] == '{' || text[at] == '[') depth++, elements = 0;
    if (text[at] == '}' || text[at] == ']') depth--;
    if (text[at] == ',' && depth == LARGEST_DEPTH) elements++;
    if (depth > LARGEST_DEPTH || elements >= LARGEST_RANK)
      return rung_fail(RUNG_ERROR_FORMAT, "%s: header, byte %zu: brackets in brackets, or a list, beyond the format's",
                       path, at);
    if (text[at] == '"') {
      size_t end = string_end(text, size, at + 1);
      if (end == 0)
        return rung_fail(RUNG_ERROR_FORMAT, "%s: header, byte %zu: a string that JSON does not allow", path, at);
      at = end;
    } else if (!is_allowed(text, size, at)) {
      return rung_fail(RUNG_ERROR_FORMAT, "%s: header, byte %zu: expected the JSON of a safetensors header", path, at);
    }
  }
  return RUNG_OK;
}

/* Behind the object only the spaces of its padding may follow. */
static cJSON *parse_text(const char *path, const char *text, size_t size) {
  if (check_text(path, text, size) != RUNG_OK) return NULL;
  const char *end = text;
  errno = 0; /* which a failed malloc sets: cJSON does not tell that from a wrong text */
  cJSON *json = cJSON_ParseWithLengthOpts(text, size, &end, false);
  bool no_memory = json == NULL && errno == ENOMEM;
  size_t at = (size_t)(end - text);
  if (json != NULL) at += strspn(end, " \t\r\n"); /* the text ends in '\0' */
  if (json != NULL && at == size) return json;
  cJSON_Delete(json);
  if (no_memory)
    rung_fail(RUNG_ERROR_MEMORY, "%s: no memory for the header", path);
  else
    rung_fail(RUNG_ERROR_FORMAT, "%s: header, byte %zu: expected the JSON of a safetensors header", path, at);
  return NULL;
}

/* ---- One tensor ------------------------------------------------------------------------------------------------- */

static int member_count(const cJSON *json) {
  int count = 0;
  for (const cJSON *item = json->child; item != NULL; item = item->next) count++;
  return count;
}

/* A list of non-negative integers, below 2^53 so that a double holds them. */
static bool read_integers(const cJSON *list, int least, int most, uint64_t *integers, int *count) {
  if (!cJSON_IsArray(list)) return false;
  *count = member_count(list);
  if (*count < least || *count > most) return false;
  for (const cJSON *item = list->child; item != NULL; item = item->next) {
    if (!cJSON_IsNumber(item) || item->valuedouble >= 0x1p53) return false;
    *integers++ = (uint64_t)item->valuedouble;
  }
  return true;
}

/* The bytes of elements of this type and shape; false where there is no such number. */
static bool bytes_of(const safetensors_dtype *dtype, const uint64_t *extents, int rank, uint64_t *bytes) {
  uint64_t bits = (uint64_t)dtype->bits;
  for (int i = 0; i < rank; i++)
    if (__builtin_mul_overflow(bits, extents[i], &bits)) return false;
  *bytes = bits / 8;
  return bits % 8 == 0;
}

/* A shape with an extent of 0, or of too high a rank, is good safetensors but no shape of Rung's. */
static bool set_shape(rung_shape *shape, const uint64_t *extents, int rank) {
  if (rank > RUNG_MAX_RANK) return false;
  shape->rank = rank;
  for (int i = 0; i < rank; i++) {
    if (extents[i] == 0) return false;
    shape->extent[i] = (int64_t)extents[i];
  }
  int64_t count;
  return rung_shape_count(shape, &count) == RUNG_OK;
}

static const safetensors_dtype *find_dtype(const cJSON *json) {
  for (int i = 0; cJSON_IsString(json) && i < DTYPES; i++)
    if (strcmp(json->valuestring, dtypes[i].name) == 0) return &dtypes[i];
  return NULL;
}

static rung_status read_entry(const char *path, const cJSON *json, uint64_t data_size, safetensors_entry *entry) {
  const char *name = json->string;
  const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(json, "dtype");
  const cJSON *shape = cJSON_GetObjectItemCaseSensitive(json, "shape");
  const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(json, "data_offsets");
  uint64_t extents[LARGEST_RANK], ends[2], bytes;
  int rank, two;
  if (!cJSON_IsObject(json) || member_count(json) != 3 || !cJSON_IsString(dtype))
    return rung_fail(RUNG_ERROR_FORMAT, "%s: tensor '%s': expected \"dtype\", \"shape\" and \"data_offsets\"", path,
                     name);
  entry->dtype = find_dtype(dtype);
  if (entry->dtype == NULL)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: tensor '%s' has dtype '%s', which the format does not know", path, name,
                     dtype->valuestring);
  if (!read_integers(shape, 0, LARGEST_RANK, extents, &rank))
    return rung_fail(RUNG_ERROR_FORMAT, "%s: tensor '%s': expected a shape of at most %d integers", path, name,
                     LARGEST_RANK);
  if (!read_integers(offsets, 2, 2, ends, &two) || ends[0] > ends[1] || ends[1] > data_size)
    return rung_fail(RUNG_ERROR_FORMAT,
                     "%s: tensor '%s': expected data_offsets in ascending order within the data of %" PRIu64 " bytes",
                     path, name, data_size);
  if (!bytes_of(entry->dtype, extents, rank, &bytes) || bytes != ends[1] - ends[0])
    return rung_fail(RUNG_ERROR_FORMAT,
                     "%s: tensor '%s': its data_offsets span %" PRIu64 " bytes, which is not its shape in %s", path,
                     name, ends[1] - ends[0], entry->dtype->name);
  entry->begin = ends[0];
  entry->end = ends[1];
  entry->named.tensor.type = entry->dtype->type;
  entry->readable = entry->dtype->type != RUNG_DTYPE_COUNT && set_shape(&entry->named.tensor.shape, extents, rank);
  return RUNG_OK;
}

/* ---- The whole header ------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) {
  return strcmp(((const safetensors_entry *)a)->named.name, ((const safetensors_entry *)b)->named.name);
}

static int by_place(const void *a, const void *b) {
  const safetensors_entry *one = a, *other = b;
  if (one->begin != other->begin) return one->begin < other->begin ? -1 : 1;
  return one->end < other->end ? -1 : one->end > other->end;
}

static int by_key(const void *a, const void *b) {
  return strcmp(((const rung_metadata *)a)->key, ((const rung_metadata *)b)->key);
}

/* Names are unique; the data begin where the tensor before ends, from the first byte to the last. */
static rung_status check_entries(const char *path, safetensors_header *header, uint64_t data_size) {
  safetensors_entry *entries = header->entries;
  const size_t count = (size_t)header->count;
  if (count > 0) qsort(entries, count, sizeof *entries, by_name);
  for (size_t i = 1; i < count; i++)
    if (strcmp(entries[i].named.name, entries[i - 1].named.name) == 0)
      return rung_fail(RUNG_ERROR_FORMAT, "%s: two tensors are named '%s'", path, entries[i].named.name);
  if (count > 0) qsort(entries, count, sizeof *entries, by_place);
  uint64_t end = 0;
  for (size_t i = 0; i < count; end = entries[i++].end)
    if (entries[i].begin != end)
      return rung_fail(RUNG_ERROR_FORMAT, "%s: tensor '%s' begins at byte %" PRIu64 " of the data, expected %" PRIu64,
                       path, entries[i].named.name, entries[i].begin, end);
  if (end != data_size)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: the tensors end at byte %" PRIu64 " of the data, which has %" PRIu64, path,
                     end, data_size);
  return RUNG_OK;
}

static rung_status read_metadata(const char *path, const cJSON *json, rung_arena *arena, safetensors_header *header) {
  if (header->metadata != NULL || !cJSON_IsObject(json))
    return rung_fail(RUNG_ERROR_FORMAT, "%s: expected one %s, an object", path, SAFETENSORS_METADATA);
  header->metadata = rung_arena_array(arena, (size_t)member_count(json), sizeof *header->metadata);
  if (header->metadata == NULL) return RUNG_ERROR_MEMORY;
  for (const cJSON *item = json->child; item != NULL; item = item->next) {
    if (!cJSON_IsString(item))
      return rung_fail(RUNG_ERROR_FORMAT, "%s: metadata '%s': expected a string", path, item->string);
    rung_metadata *pair = &header->metadata[header->metadata_count++];
    pair->key = rung_arena_string(arena, item->string);
    pair->value = rung_arena_string(arena, item->valuestring);
    if (pair->key == NULL || pair->value == NULL) return RUNG_ERROR_MEMORY;
  }
  const size_t count = (size_t)header->metadata_count;
  if (count > 0) qsort(header->metadata, count, sizeof *header->metadata, by_key);
  for (size_t i = 1; i < count; i++)
    if (by_key(&header->metadata[i], &header->metadata[i - 1]) == 0)
      return rung_fail(RUNG_ERROR_FORMAT, "%s: two metadata are named '%s'", path, header->metadata[i].key);
  return RUNG_OK;
}

static rung_status read_header(const char *path, const cJSON *json, uint64_t data_size, rung_arena *arena,
                               safetensors_header *header) {
  rung_status status = RUNG_OK;
  header->entries = rung_arena_array(arena, (size_t)member_count(json), sizeof *header->entries);
  if (header->entries == NULL) return RUNG_ERROR_MEMORY;
  for (const cJSON *item = json->child; item != NULL && status == RUNG_OK; item = item->next) {
    if (strcmp(item->string, SAFETENSORS_METADATA) == 0) {
      status = read_metadata(path, item, arena, header);
      continue;
    }
    safetensors_entry *entry = &header->entries[header->count++];
    status = read_entry(path, item, data_size, entry);
    entry->named.name = rung_arena_string(arena, item->string);
    if (status == RUNG_OK && entry->named.name == NULL) status = RUNG_ERROR_MEMORY;
  }
  return status == RUNG_OK ? check_entries(path, header, data_size) : status;
}

rung_status safetensors_header_parse(const char *path, const char *text, size_t size, uint64_t data_size,
                                     rung_arena *arena, safetensors_header *header) {
  *header = (safetensors_header){0};
  cJSON *json = parse_text(path, text, size);
  if (json == NULL) return rung_error_status();
  rung_status status = read_header(path, json, data_size, arena, header);
  cJSON_Delete(json);
  return status;
}

/* ---- Printing --------------------------------------------------------------------------------------------------- */

/* `item` becomes a member of `object`, or is deleted. */
static bool put(cJSON *object, const char *name, cJSON *item) {
  if (item != NULL && cJSON_AddItemToObject(object, name, item)) return true;
  cJSON_Delete(item);
  return false;
}

/* As its digits: cJSON would print a large number as a float. */
static cJSON *integers(const int64_t *values, int count) {
  char text[RUNG_SHAPE_TEXT];
  int length = 0;
  for (int i = 0; i < count; i++)
    length += snprintf(text + length, sizeof text - (size_t)length, "%c%" PRId64, i > 0 ? ',' : '[', values[i]);
  snprintf(text + length, sizeof text - (size_t)length, count > 0 ? "]" : "[]");
  return cJSON_CreateRaw(text);
}

static bool put_entry(cJSON *json, const rung_named_tensor *named, int64_t begin) {
  const rung_tensor *tensor = &named->tensor;
  const int64_t end = begin + rung_tensor_count(tensor) * (int64_t)rung_dtype_size(tensor->type);
  cJSON *entry = cJSON_CreateObject();
  bool good = put(entry, "dtype", cJSON_CreateString(safetensors_dtype_of(tensor->type)->name)) &&
              put(entry, "shape", integers(tensor->shape.extent, tensor->shape.rank)) &&
              put(entry, "data_offsets", integers((int64_t[]){begin, end}, 2));
  if (good) return put(json, named->name, entry);
  cJSON_Delete(entry);
  return false;
}

static bool put_metadata(cJSON *json, const rung_metadata *metadata, int count) {
  cJSON *object = cJSON_CreateObject();
  bool good = object != NULL;
  for (int i = 0; i < count && good; i++) good = put(object, metadata[i].key, cJSON_CreateString(metadata[i].value));
  if (good) return put(json, SAFETENSORS_METADATA, object);
  cJSON_Delete(object);
  return false;
}

char *safetensors_header_print(const char *path, const rung_named_tensor *const *order, int count,
                               const rung_metadata *metadata, int metadata_count) {
  cJSON *json = cJSON_CreateObject();
  bool good = json != NULL && (metadata_count == 0 || put_metadata(json, metadata, metadata_count));
  int64_t begin = 0;
  for (int i = 0; i < count && good; i++) {
    good = put_entry(json, order[i], begin);
    begin += rung_tensor_count(&order[i]->tensor) * (int64_t)rung_dtype_size(order[i]->tensor.type);
  }
  char *text = good ? cJSON_PrintUnformatted(json) : NULL;
  cJSON_Delete(json);
  if (text == NULL) rung_fail(RUNG_ERROR_MEMORY, "%s: no memory for the header", path);
  return text;
}

void safetensors_header_free(char *text) {
  cJSON_free(text);
}

#else

rung_status safetensors_header_parse(const char *path, const char *text, size_t size, uint64_t data_size,
                                     rung_arena *arena, safetensors_header *header) {
  (void)text, (void)size, (void)data_size, (void)arena, (void)header;
  return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: this build has no cJSON, which reads the header of safetensors", path);
}

char *safetensors_header_print(const char *path, const rung_named_tensor *const *order, int count,
                               const rung_metadata *metadata, int metadata_count) {
  (void)order, (void)count, (void)metadata, (void)metadata_count;
  rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: this build has no cJSON, which writes the header of safetensors", path);
  return NULL;
}

void safetensors_header_free(char *text) {
  (void)text;
}

#endif
