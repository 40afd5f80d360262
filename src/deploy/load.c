/* A program from a file. Nothing in it is believed: shapes are those of the tensors that are there, and every layer
 * passes the checks of check.c, bounds computed anew, before it is run. */
#include "program.h"
#include "program_file.h"

#include <stdio.h>
#include <string.h>

#define MOST_LAYERS   1024
#define LEAST_TENSORS 6 /* of an instruction */

typedef struct program_reader {
  const char *path;
  const rung_safetensors *file;
  rung_program *program;
  const float *scale; /* of the buffers */
  const int32_t *zero_point, *range;
} program_reader;

bool program_name_is_good(const char *name) {
  size_t length = 0;
  for (; name[length]; length++)
    if ((unsigned char)name[length] < ' ' || name[length] == 0x7f) return false;
  return length > 0 && length < PROGRAM_NAME_SIZE;
}

/* ---- Lines of text ---------------------------------------------------------------------------------------------- */

static rung_status bad_line(const program_reader *reader, const char *key, int line, const char *expected) {
  return rung_fail(RUNG_ERROR_FORMAT, "%s: metadata '%s', line %d: expected %s", reader->path, key, line + 1, expected);
}

static int count_lines(const char *text) {
  int lines = 0;
  for (; *text; text++) lines += *text == '\n';
  return lines;
}

/* A word and the space behind it. */
static bool take_word(const char **at, const char *word) {
  size_t length = strlen(word);
  if (strncmp(*at, word, length) != 0 || (*at)[length] != ' ') return false;
  *at += length + 1;
  return true;
}

/* A number of 0 .. 2^40 and one character, a space or a line's end, behind it. */
static bool take_number(const char **at, int64_t *number) {
  const char *digit = *at;
  int64_t value = 0;
  if (*digit < '0' || *digit > '9') return false;
  for (; *digit >= '0' && *digit <= '9'; digit++) {
    value = 10 * value + (*digit - '0');
    if (value > (int64_t)1 << 40) return false;
  }
  if (*digit != ' ' && *digit != '\n') return false;
  *number = value;
  *at = digit + 1;
  return true;
}

/* "u8 784": the type and count of buffer `index`, in the layers on its sides. */
static rung_status read_buffer_line(const program_reader *reader, const char **at, int index) {
  static const rung_dtype types[] = {RUNG_U8, RUNG_I8, RUNG_I32};
  const bool logits = index == reader->program->count;
  rung_dtype type = RUNG_DTYPE_COUNT;
  int64_t count;
  for (int i = 0; i < 3 && type == RUNG_DTYPE_COUNT; i++)
    if (take_word(at, rung_dtype_name(types[i]))) type = types[i];
  const bool binary = type == RUNG_DTYPE_COUNT && take_word(at, PROGRAM_SIGN);
  if (binary) type = RUNG_I8;
  bool good = type != RUNG_DTYPE_COUNT && (type == RUNG_I32) == logits && take_number(at, &count) &&
              (*at)[-1] == '\n' && count >= 1;
  if (!good) return bad_line(reader, PROGRAM_BUFFERS, index, logits ? "i32 COUNT" : "u8, i8 or " PROGRAM_SIGN " COUNT");
  if (index > 0) {
    rung_integer_layer *writes = &reader->program->layer[index - 1].instruction.integers;
    writes->output_type = type;
    writes->binary = binary;
    writes->out = count;
    writes->output_scale = reader->scale[index];
    writes->output_zero_point = reader->zero_point[index];
  }
  if (logits) return RUNG_OK;
  rung_integer_layer *reads = &reader->program->layer[index].instruction.integers;
  reads->input_type = type;
  reads->in = count;
  reads->input_scale = reader->scale[index];
  reads->input_zero_point = reader->zero_point[index];
  reads->input_qmin = reader->range[2 * index];
  reads->input_qmax = reader->range[2 * index + 1];
  reads->input_binary = binary;
  return RUNG_OK;
}

static bool is_unique(const rung_program *program, int index) {
  for (int i = 0; i < index; i++)
    if (strcmp(program->layer[i].name, program->layer[index].name) == 0) return false;
  return true;
}

/* "linear 0 1 8 0 fc1" */
static rung_status read_instruction_line(const program_reader *reader, const char **at, int index) {
  program_layer *layer = &reader->program->layer[index];
  rung_integer_layer *integers = &layer->instruction.integers;
  int64_t input, output, bits, group;
  bool good = take_word(at, "linear") && take_number(at, &input) && take_number(at, &output) &&
              take_number(at, &bits) && take_number(at, &group) && (*at)[-1] == ' ' && input == index &&
              output == index + 1 && bits >= 1 && bits <= 8 && group >= 0 && group % 4 == 0;
  size_t length = good ? strcspn(*at, "\n") : 0;
  if (!good || length == 0 || length >= sizeof layer->name - strlen(".weight"))
    return bad_line(reader, PROGRAM_INSTRUCTIONS, index,
                    "linear INPUT OUTPUT BITS GROUP NAME, with buffers in order, 1..8 bits, groups of 4 n");
  snprintf(layer->name, sizeof layer->name, "%.*s", (int)length, *at);
  snprintf(layer->parameter, sizeof layer->parameter, "%.*s.weight", (int)length, *at);
  if (!program_name_is_good(layer->name) || !is_unique(reader->program, index))
    return bad_line(reader, PROGRAM_INSTRUCTIONS, index, "a name of its own, without control characters");
  *at += length + 1;
  const bool symmetric = bits == 1 || bits == 8; /* of the others some methods use -2^(bits-1) */
  integers->weight_format = (rung_format){.bits = (int)bits, .is_signed = true, .symmetric = symmetric};
  integers->group = group;
  integers->groups = group ? (integers->in + group - 1) / group : 1;
  return RUNG_OK;
}

/* ---- Tensors ---------------------------------------------------------------------------------------------------- */

static const void *read_tensor(const program_reader *reader, const char *name, rung_dtype type, rung_shape shape) {
  const rung_tensor *tensor = rung_safetensors_expect(reader->file, name, type, &shape);
  return tensor ? tensor->data : NULL;
}

static const void *read_part(const program_reader *reader, const program_layer *layer, const char *part,
                             rung_dtype type, rung_shape shape) {
  char name[PROGRAM_TENSOR_NAME];
  snprintf(name, sizeof name, "%s.%s", layer->name, part);
  return read_tensor(reader, name, type, shape);
}

static rung_status join_words(const program_reader *reader, rung_integer_layer *layer, const int32_t *words) {
  int64_t *bias64 = rung_arena_array(reader->program->arena, (size_t)layer->out, sizeof *bias64);
  if (!bias64) return RUNG_ERROR_MEMORY;
  for (int64_t j = 0; j < layer->out; j++)
    bias64[j] = (int64_t)((uint64_t)(uint32_t)words[2 * j + 1] << 32 | (uint32_t)words[2 * j]);
  layer->bias64 = bias64;
  return RUNG_OK;
}

static rung_status read_layer(const program_reader *reader, int index) {
  program_layer *at = &reader->program->layer[index];
  rung_integer_layer *layer = &at->instruction.integers;
  const rung_shape scales = RUNG_SHAPE(layer->out, layer->groups);
  const int32_t *clamp, *words = NULL;
  bool have = (layer->weight = read_part(reader, at, "weight", RUNG_I8, RUNG_SHAPE(layer->out, layer->in))) &&
              (layer->weight_scale = read_part(reader, at, "weight_scale", RUNG_F32, scales)) &&
              (layer->bias = read_part(reader, at, "bias", RUNG_I32, scales)) &&
              (layer->multiplier = read_part(reader, at, "multiplier", RUNG_I32, scales)) &&
              (layer->shift = read_part(reader, at, "shift", RUNG_I32, RUNG_SHAPE(layer->out))) &&
              (clamp = read_part(reader, at, "clamp", RUNG_I32, RUNG_SHAPE(2))) &&
              (!layer->group || (words = read_part(reader, at, "bias64", RUNG_I32, RUNG_SHAPE(layer->out, 2))));
  if (!have) return rung_error_status();
  layer->qmin = clamp[0];
  layer->qmax = clamp[1];
  return words ? join_words(reader, layer, words) : RUNG_OK;
}

static rung_status read_buffers(program_reader *reader) {
  const int64_t count = reader->program->count + 1;
  reader->scale = read_tensor(reader, PROGRAM_SCALE, RUNG_F32, RUNG_SHAPE(count));
  reader->zero_point = reader->scale ? read_tensor(reader, PROGRAM_ZERO_POINT, RUNG_I32, RUNG_SHAPE(count)) : NULL;
  reader->range = reader->zero_point ? read_tensor(reader, PROGRAM_RANGE, RUNG_I32, RUNG_SHAPE(count, 2)) : NULL;
  return reader->range ? RUNG_OK : rung_error_status();
}

/* What the table gives is the first layer's input, and within the range that its bound was computed for. */
static rung_status check_table(const program_reader *reader, const rung_input_table *table) {
  const rung_integer_layer *first = &reader->program->layer[0].instruction.integers;
  for (int k = 0; k < 256; k++) {
    const int32_t q = first->input_type == RUNG_I8 ? (int8_t)table->q[k] : table->q[k];
    if (first->input_binary && q == 0)
      return rung_fail(RUNG_ERROR_NUMERIC, "%s: tensor '" PROGRAM_TABLE_Q "': value %d is 0, expected -1 or 1",
                       reader->path, k);
    if (q < first->input_qmin || q > first->input_qmax)
      return rung_fail(RUNG_ERROR_NUMERIC, "%s: tensor '" PROGRAM_TABLE_Q "': value %d is %d, expected %d..%d",
                       reader->path, k, q, first->input_qmin, first->input_qmax);
  }
  return RUNG_OK;
}

static rung_status read_table(program_reader *reader) {
  const char *type = rung_safetensors_metadata(reader->file, PROGRAM_TABLE);
  if (!type) return RUNG_OK;
  rung_input_table table = {.type = strcmp(type, "i8") == 0 ? RUNG_I8 : RUNG_U8};
  if (table.type == RUNG_U8 && strcmp(type, "u8") != 0) return bad_line(reader, PROGRAM_TABLE, 0, "u8 or i8");
  const uint8_t *q = read_tensor(reader, PROGRAM_TABLE_Q, RUNG_U8, RUNG_SHAPE(256));
  const float *scale = q ? read_tensor(reader, PROGRAM_TABLE_SCALE, RUNG_F32, RUNG_SHAPE(1)) : NULL;
  const int32_t *zero_point = scale ? read_tensor(reader, PROGRAM_TABLE_ZERO, RUNG_I32, RUNG_SHAPE(1)) : NULL;
  if (!zero_point) return rung_error_status();
  memcpy(table.q, q, sizeof table.q);
  table.scale = *scale;
  table.zero_point = *zero_point;
  rung_status status = check_table(reader, &table);
  return status == RUNG_OK ? program_set_table(reader->program, &table) : status;
}

/* "2 28 28 image", if the file says. */
static rung_status read_input(const program_reader *reader) {
  rung_program *program = reader->program;
  const char *at = rung_safetensors_metadata(reader->file, PROGRAM_INPUT);
  if (!at) return RUNG_OK;
  int64_t rank = 0, count = 0;
  bool good = take_number(&at, &rank) && rank < RUNG_MAX_RANK;
  for (int i = 0; i < rank && good; i++) good = take_number(&at, &program->input_shape.extent[i]);
  program->input_shape.rank = good ? (int)rank : 0;
  good = good && rung_shape_count(&program->input_shape, &count) == RUNG_OK &&
         count == program->layer[0].instruction.integers.in && program_name_is_good(at);
  if (!good) return bad_line(reader, PROGRAM_INPUT, 0, "RANK EXTENT... NAME, with the inputs of the first instruction");
  snprintf(program->input_name, sizeof program->input_name, "%s", at);
  return RUNG_OK;
}

/* ---- The file --------------------------------------------------------------------------------------------------- */

static rung_status check_kind(const program_reader *reader) {
  const char *kind = rung_safetensors_metadata(reader->file, PROGRAM_KEY);
  const char *version = rung_safetensors_metadata(reader->file, PROGRAM_VERSION_KEY);
  if (!kind || strcmp(kind, PROGRAM_VALUE) != 0)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: not a program: metadata '" PROGRAM_KEY "' is '%.40s', expected '%s'",
                     reader->path, kind ? kind : "", PROGRAM_VALUE);
  if (!version || strcmp(version, PROGRAM_VERSION) != 0)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: a program of version '%.40s', expected '%s'", reader->path,
                     version ? version : "", PROGRAM_VERSION);
  return RUNG_OK;
}

static rung_status read_program(program_reader *reader, const char *buffers, const char *instructions) {
  const int count = reader->program->count = count_lines(instructions);
  if (count < 1 || count_lines(buffers) != count + 1)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: %d instructions and %d buffers, expected one buffer more", reader->path,
                     count, count_lines(buffers));
  rung_status status = read_buffers(reader);
  for (int i = 0; i <= count && status == RUNG_OK; i++) status = read_buffer_line(reader, &buffers, i);
  for (int i = 0; i < count && status == RUNG_OK; i++) status = read_instruction_line(reader, &instructions, i);
  for (int i = 0; i < count && status == RUNG_OK; i++) status = read_layer(reader, i);
  if (status == RUNG_OK) status = read_input(reader);
  if (status == RUNG_OK) status = read_table(reader);
  return status == RUNG_OK ? program_finish(reader->program, reader->path) : status;
}

static rung_program *load(program_reader *reader) {
  if (check_kind(reader) != RUNG_OK) return NULL;
  const char *takes = rung_safetensors_metadata(reader->file, PROGRAM_TAKES_KEY);
  const char *buffers = rung_safetensors_metadata(reader->file, PROGRAM_BUFFERS);
  const char *instructions = rung_safetensors_metadata(reader->file, PROGRAM_INSTRUCTIONS);
  if (!takes || !buffers || !instructions) {
    rung_fail(RUNG_ERROR_FORMAT, "%s: lacks metadata '%s'", reader->path,
              !takes     ? PROGRAM_TAKES_KEY
              : !buffers ? PROGRAM_BUFFERS
                         : PROGRAM_INSTRUCTIONS);
    return NULL;
  }
  const int layers = count_lines(instructions);
  if (layers > MOST_LAYERS || layers > rung_safetensors_count(reader->file) / LEAST_TENSORS) {
    rung_fail(RUNG_ERROR_FORMAT, "%s: %d instructions, expected at most %d, each with its %d tensors", reader->path,
              layers, MOST_LAYERS, LEAST_TENSORS);
    return NULL;
  }
  reader->program = program_new(layers);
  if (!reader->program) return NULL;
  reader->program->real_inputs = strcmp(takes, "reals") == 0;
  if (read_program(reader, buffers, instructions) == RUNG_OK) return reader->program;
  rung_program_free(reader->program);
  return NULL;
}

rung_program *rung_program_load(const char *path) {
  rung_safetensors *file = rung_safetensors_open(path);
  if (!file) return NULL;
  program_reader reader = {.path = path, .file = file};
  rung_program *program = load(&reader);
  rung_safetensors_free(file);
  return program;
}
