#include "memory_use.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  SCALE = 4,
  SCALES_A_BLOCK = 256,
  LEAST_IN_8_BITS = 4096
}; /* bytes; scales that share an f32 where they are quantized too */

static int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

#define FLOAT_FORMAT(called, wide)                                                                                     \
  { .name = called, .bits = wide, .is_float = true }
static const memory_format formats[] = {FLOAT_FORMAT("fp32", 32),
                                        FLOAT_FORMAT("fp16", 16),
                                        FLOAT_FORMAT("bf16", 16),
                                        FLOAT_FORMAT("fp8", 8),
                                        {.name = "int8", .bits = 8},
                                        {.name = "int6", .bits = 6},
                                        {.name = "int4", .bits = 4},
                                        {.name = "int3", .bits = 3},
                                        {.name = "int2", .bits = 2},
                                        {.name = "int1", .bits = 1},
                                        {.name = "nf4", .bits = 4, .block = 64, .double_quantized = true}};
enum { FORMATS = sizeof formats / sizeof *formats };

static rung_status unknown_format(const char *text) {
  return rung_fail(RUNG_ERROR_ARGUMENT,
                   "'%s': expected fp32, fp16, bf16, fp8, int8, int6, int4, int3, int2, int1 or nf4, the integers and "
                   "nf4 also with -gN behind, a scale for every N (1..65536)",
                   text);
}

rung_status memory_parse_format(const char *text, memory_format *format) {
  const size_t length = strcspn(text, "-");
  for (int i = 0; i < FORMATS; i++) {
    if (strlen(formats[i].name) != length || strncmp(text, formats[i].name, length) != 0) continue;
    *format = formats[i];
    if (!text[length]) return RUNG_OK;
    char *end;
    const long block = strncmp(text + length, "-g", 2) == 0 ? strtol(text + length + 2, &end, 10) : 0;
    if (format->is_float || block < 1 || block > 65536 || *end) return unknown_format(text);
    format->block = block;
    format->double_quantized = false;
    snprintf(format->name, sizeof format->name, "%.*s-g%ld", (int)length, text, block);
    return RUNG_OK;
  }
  return unknown_format(text);
}

/* A number and its unit, one of `units`: powers of `base` from the first on, the empty one being 1. */
static bool read_number(const char *text, const char *const *units, int count, double base, double *number) {
  char *end;
  *number = strtod(text, &end);
  if (end == text || !(*number > 0)) return false;
  double by = 1;
  for (int i = 0; i < count; i++, by *= base)
    if (strcmp(end, units[i]) == 0) {
      *number *= by;
      return true;
    }
  return false;
}

rung_status memory_parse_count(const char *text, int64_t *count) {
  static const char *const units[] = {"", "K", "M", "B", "T"};
  double number;
  if (read_number(text, units, 5, 1e3, &number) && number >= 1 && number <= 1e15 && number == rint(number)) {
    *count = (int64_t)number;
    return RUNG_OK;
  }
  return rung_fail(RUNG_ERROR_ARGUMENT, "'%s': expected a whole number of parameters up to 1000T: 7B, 6.7B, 350M",
                   text);
}

rung_status memory_parse_bytes(const char *text, int64_t *bytes) {
  static const char *const decimal[] = {"", "kB", "MB", "GB", "TB"}, *const binary[] = {"", "KiB", "MiB", "GiB", "TiB"};
  double number;
  if ((read_number(text, decimal, 5, 1e3, &number) || read_number(text, binary, 5, 1024, &number)) && number >= 1 &&
      number <= 1e18) {
    *bytes = (int64_t)number;
    return RUNG_OK;
  }
  return rung_fail(RUNG_ERROR_ARGUMENT, "'%s': expected a size: 16GB (10^9 bytes), 16GiB (2^30), 512kB", text);
}

const char *memory_training_name(memory_training training) {
  static const char *const names[MEMORY_TRAINING_COUNT] = {NULL, "adam", "adam8bit", "sgd"};
  return training < MEMORY_TRAINING_COUNT ? names[training] : NULL;
}

/* ---- Counting --------------------------------------------------------------------------------------------------- */

static int64_t codes(int64_t count, int bits) {
  return divide_up(count * bits, 8);
}

static int64_t scales(const memory_format *format, const memory_tensor *tensor) {
  if (format->is_float) return 0;
  if (!format->block) return tensor->rows * SCALE;
  const int64_t rows = tensor->rows && !format->double_quantized ? tensor->rows : 1; /* NF4's blocks run on over rows */
  const int64_t blocks = rows * divide_up(tensor->count / rows, format->block);
  return format->double_quantized ? blocks + divide_up(blocks, SCALES_A_BLOCK) * SCALE : blocks * SCALE;
}

static int64_t optimizer_bytes(memory_training training, int64_t count) {
  switch (training) {
  case MEMORY_ADAM: return 8 * count;
  case MEMORY_ADAM8BIT:
    return count < LEAST_IN_8_BITS ? 8 * count : 2 * (count + divide_up(count, SCALES_A_BLOCK) * SCALE);
  case MEMORY_SGD: return 4 * count;
  default: return 0;
  }
}

static void add_tensor(const memory_question *question, const memory_format *format, const memory_tensor *tensor,
                       memory_bytes *bytes) {
  const bool in_format = format->is_float || tensor->is_weight;
  const int bits = in_format ? format->bits : 32;
  bytes->weights += codes(tensor->count, bits) + (in_format ? scales(format, tensor) : 0);
  if (question->training == MEMORY_INFERENCE || !tensor->is_trained) return;
  const bool is_float = format->is_float || !in_format;
  if (bits != 32 && !(is_float && question->no_master)) bytes->master += 4 * tensor->count;
  bytes->gradients += codes(tensor->count, is_float ? (bits < 16 ? 16 : bits) : 32);
  bytes->optimizer += optimizer_bytes(question->training, tensor->count);
}

static bool cache_bytes(const memory_cache *cache, int64_t number, int64_t *bytes) {
  const int64_t factors[] = {2, cache->layers, cache->width, cache->context, cache->batch};
  *bytes = number;
  for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
    if (__builtin_mul_overflow(*bytes, factors[i], bytes)) return false;
  return true;
}

rung_status memory_count(const memory_question *question, const memory_format *format, memory_bytes *bytes) {
  *bytes = (memory_bytes){0};
  for (int i = 0; i < question->count; i++) add_tensor(question, format, &question->tensors[i], bytes);
  bytes->total = bytes->weights + bytes->master + bytes->gradients + bytes->optimizer;
  if (cache_bytes(&question->cache, format->bits == 32 ? 4 : 2, &bytes->cache) &&
      !__builtin_add_overflow(bytes->total, bytes->cache, &bytes->total))
    return RUNG_OK;
  return rung_fail(RUNG_ERROR_NUMERIC, "the cache of keys and values takes more than 2^63 bytes");
}
