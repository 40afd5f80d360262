/* A program into a file. */
#include "program.h"
#include "program_file.h"

#include <stdio.h>
#include <string.h>

#define MOST_TENSORS 7 /* of an instruction */

typedef struct program_writer {
  const rung_program *program;
  rung_arena *arena;
  rung_named_tensor *tensor;
  int count;
  bool failed; /* an allocation was refused */
} program_writer;

static void *take(program_writer *writer, size_t count, size_t size) {
  void *memory = rung_arena_array(writer->arena, count, size);
  writer->failed = writer->failed || !memory;
  return memory;
}

static void add(program_writer *writer, const char *name, rung_dtype type, rung_shape shape, const void *data) {
  char *copy = rung_arena_string(writer->arena, name);
  writer->failed = writer->failed || !copy || !data;
  writer->tensor[writer->count++] = (rung_named_tensor){
      .name = copy, .tensor = {.type = type, .shape = shape, .data = (void *)(uintptr_t)data, .scale = 1}};
}

static void add_part(program_writer *writer, const char *layer, const char *part, rung_dtype type, rung_shape shape,
                     const void *data) {
  char name[PROGRAM_TENSOR_NAME];
  snprintf(name, sizeof name, "%s.%s", layer, part);
  add(writer, name, type, shape, data);
}

/* The format of tensors that Rung writes has no int64: low and high words. */
static int32_t *words_of(program_writer *writer, const rung_integer_layer *layer) {
  int32_t *words = take(writer, (size_t)layer->out, 2 * sizeof *words);
  for (int64_t j = 0; j < layer->out && words; j++) {
    words[2 * j] = (int32_t)(layer->bias64[j] & UINT32_MAX);
    words[2 * j + 1] = (int32_t)(layer->bias64[j] >> 32);
  }
  return words;
}

static void add_layer(program_writer *writer, const rung_instruction *instruction) {
  const rung_integer_layer *layer = &instruction->integers;
  const char *name = instruction->name;
  const rung_shape scales = RUNG_SHAPE(layer->out, layer->groups);
  int32_t *clamp = take(writer, 2, sizeof *clamp);
  if (clamp) {
    clamp[0] = layer->qmin;
    clamp[1] = layer->qmax;
  }
  add_part(writer, name, "weight", RUNG_I8, RUNG_SHAPE(layer->out, layer->in), layer->weight);
  add_part(writer, name, "weight_scale", RUNG_F32, scales, layer->weight_scale);
  add_part(writer, name, "bias", RUNG_I32, scales, layer->bias);
  add_part(writer, name, "multiplier", RUNG_I32, scales, layer->multiplier);
  add_part(writer, name, "shift", RUNG_I32, RUNG_SHAPE(layer->out), layer->shift);
  add_part(writer, name, "clamp", RUNG_I32, RUNG_SHAPE(2), clamp);
  if (layer->group) add_part(writer, name, "bias64", RUNG_I32, RUNG_SHAPE(layer->out, 2), words_of(writer, layer));
}

static void add_buffers(program_writer *writer) {
  const size_t count = (size_t)writer->program->count + 1;
  float *scale = take(writer, count, sizeof *scale);
  int32_t *zero_point = take(writer, count, sizeof *zero_point), *range = take(writer, count, 2 * sizeof *range);
  for (size_t i = 0; i < count && !writer->failed; i++) {
    const rung_buffer *buffer = &writer->program->buffer[i];
    scale[i] = buffer->scale;
    zero_point[i] = buffer->zero_point;
    range[2 * i] = buffer->qmin;
    range[2 * i + 1] = buffer->qmax;
  }
  add(writer, PROGRAM_SCALE, RUNG_F32, RUNG_SHAPE((int64_t)count), scale);
  add(writer, PROGRAM_ZERO_POINT, RUNG_I32, RUNG_SHAPE((int64_t)count), zero_point);
  add(writer, PROGRAM_RANGE, RUNG_I32, RUNG_SHAPE((int64_t)count, 2), range);
}

#define LINE 160 /* bytes enough for a line of text: a name of 63 and four numbers */

static char *buffer_lines(program_writer *writer) {
  const size_t size = ((size_t)writer->program->count + 1) * LINE;
  char *text = take(writer, size, 1), *end = text;
  for (int i = 0; i <= writer->program->count && text; i++) {
    const rung_buffer *buffer = &writer->program->buffer[i];
    end += snprintf(end, LINE, "%s %lld\n", buffer->binary ? PROGRAM_SIGN : rung_dtype_name(buffer->type),
                    (long long)buffer->count);
  }
  return text;
}

static char *instruction_lines(program_writer *writer) {
  const size_t size = (size_t)writer->program->count * LINE;
  char *text = take(writer, size, 1), *end = text;
  for (int i = 0; i < writer->program->count && text; i++) {
    const rung_instruction *at = &writer->program->layer[i].instruction;
    end += snprintf(end, LINE, "%s %d %d %d %lld %s\n", rung_instruction_name(at->kind), at->input, at->output,
                    at->integers.weight_format.bits, (long long)at->integers.group, at->name);
  }
  return text;
}

static char *input_line(program_writer *writer) {
  const rung_shape *shape = &writer->program->input_shape;
  const size_t size = LINE + (size_t)shape->rank * 24;
  char *text = take(writer, size, 1), *end = text;
  if (!text) return NULL;
  end += snprintf(end, size, "%d ", shape->rank);
  for (int i = 0; i < shape->rank; i++)
    end += snprintf(end, size - (size_t)(end - text), "%lld ", (long long)shape->extent[i]);
  snprintf(end, size - (size_t)(end - text), "%s", writer->program->input_name);
  return text;
}

static void add_table(program_writer *writer, const rung_input_table *table) {
  add(writer, PROGRAM_TABLE_Q, RUNG_U8, RUNG_SHAPE(256), table->q);
  add(writer, PROGRAM_TABLE_SCALE, RUNG_F32, RUNG_SHAPE(1), &table->scale);
  add(writer, PROGRAM_TABLE_ZERO, RUNG_I32, RUNG_SHAPE(1), &table->zero_point);
}

static rung_status write_program(program_writer *writer, const char *path) {
  const rung_input_table *table = writer->program->table;
  add_buffers(writer);
  if (table) add_table(writer, table);
  for (int i = 0; i < writer->program->count; i++) add_layer(writer, &writer->program->layer[i].instruction);
  rung_metadata metadata[8] = {{PROGRAM_KEY, PROGRAM_VALUE},
                               {PROGRAM_VERSION_KEY, PROGRAM_VERSION},
                               {PROGRAM_TAKES_KEY, writer->program->real_inputs ? "reals" : "integers"},
                               {PROGRAM_BUFFERS, buffer_lines(writer)},
                               {PROGRAM_INSTRUCTIONS, instruction_lines(writer)}};
  int count = 5;
  if (writer->program->input_name[0]) metadata[count++] = (rung_metadata){PROGRAM_INPUT, input_line(writer)};
  if (table) metadata[count++] = (rung_metadata){PROGRAM_TABLE, rung_dtype_name(table->type)};
  if (writer->failed) return RUNG_ERROR_MEMORY;
  return rung_safetensors_write_with(path, writer->tensor, writer->count, metadata, count);
}

rung_status rung_program_save(const rung_program *program, const char *path) {
  if (!program) return rung_fail(RUNG_ERROR_ARGUMENT, "save: the program is NULL");
  for (int i = 0; i < program->count; i++)
    if (!program_name_is_good(program->layer[i].name))
      return rung_fail(RUNG_ERROR_ARGUMENT, "%s: layer %d has a name with a control character", path, i);
  if (program->input_name[0] && !program_name_is_good(program->input_name))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: the input has a name with a control character", path);
  program_writer writer = {.program = program, .arena = rung_arena_new()};
  if (!writer.arena) return RUNG_ERROR_MEMORY;
  writer.tensor = take(&writer, (size_t)program->count * MOST_TENSORS + 6, sizeof *writer.tensor);
  rung_status status = writer.tensor ? write_program(&writer, path) : RUNG_ERROR_MEMORY;
  rung_arena_free(writer.arena);
  return status;
}
