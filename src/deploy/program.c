/* A program's making and end: its layers checked, their arrays copied, their weights packed for the host. */
#include "program.h"

#include <string.h>

rung_program *program_new(int layers) {
  rung_arena *arena = rung_arena_new();
  rung_program *program = arena ? rung_arena_array(arena, 1, sizeof *program) : NULL;
  if (!program) {
    rung_arena_free(arena);
    return NULL;
  }
  program->arena = arena;
  program->layer = rung_arena_array(arena, (size_t)layers, sizeof *program->layer);
  program->buffer = rung_arena_array(arena, (size_t)layers + 1, sizeof *program->buffer);
  if (program->layer && program->buffer) return program;
  rung_arena_free(arena);
  return NULL;
}

rung_status program_set_table(rung_program *program, const rung_input_table *table) {
  program->table = rung_arena_array(program->arena, 1, sizeof *table);
  if (program->table) *program->table = *table;
  return program->table ? RUNG_OK : RUNG_ERROR_MEMORY;
}

void rung_program_free(rung_program *program) {
  if (program) rung_arena_free(program->arena);
}

static void *copy(rung_arena *arena, const void *from, size_t count, size_t size) {
  void *to = rung_arena_array(arena, count, size);
  if (to && count) memcpy(to, from, count * size);
  return to;
}

static rung_status copy_arrays(rung_integer_layer *integers, rung_arena *arena) {
  size_t out = (size_t)integers->out, scales = out * (size_t)integers->groups;
  integers->weight = copy(arena, integers->weight, out * (size_t)integers->in, 1);
  integers->weight_scale = copy(arena, integers->weight_scale, scales, sizeof(float));
  integers->bias = copy(arena, integers->bias, scales, sizeof(int32_t));
  integers->multiplier = copy(arena, integers->multiplier, scales, sizeof(int32_t));
  integers->shift = copy(arena, integers->shift, out, sizeof(int32_t));
  bool grouped = integers->group > 0;
  integers->bias64 = grouped ? copy(arena, integers->bias64, out, sizeof(int64_t)) : NULL;
  bool have = integers->weight && integers->weight_scale && integers->bias && integers->multiplier && integers->shift &&
              (!grouped || integers->bias64);
  return have ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static rung_status make_product(program_layer *layer, rung_arena *arena) {
  const rung_integer_layer *integers = &layer->instruction.integers;
  bool logits = integers->output_type == RUNG_I32;
  layer->product = (rung_qgemm){.n = integers->out,
                                .k = integers->in,
                                .a_type = integers->input_type,
                                .a_stride = integers->in,
                                .group = integers->group,
                                .bias = integers->bias,
                                .bias64 = integers->bias64,
                                .multiplier = integers->multiplier,
                                .shift = integers->shift,
                                .weight_bits = integers->weight_format.bits,
                                .epilogue = logits ? RUNG_EPILOGUE_REQUANTIZE_32 : RUNG_EPILOGUE_REQUANTIZE_8,
                                .y_type = integers->output_type,
                                .y_stride = integers->out,
                                .zero_point = integers->output_zero_point,
                                .qmin = integers->qmin,
                                .qmax = integers->qmax,
                                .binary = integers->binary};
  size_t bytes = rung_qgemm_packed_size(integers->out, integers->in, integers->group);
  layer->product.packed = rung_arena_allocate(arena, bytes);
  if (!layer->product.packed) return RUNG_ERROR_MEMORY;
  rung_qgemm_pack(&layer->product, integers->weight, 0, integers->out);
  return RUNG_OK;
}

static rung_status finish_layer(rung_program *program, int index, const char *what) {
  program_layer *layer = &program->layer[index];
  rung_instruction *instruction = &layer->instruction;
  rung_status status = program_check_layer(layer, what);
  if (status == RUNG_OK) status = copy_arrays(&instruction->integers, program->arena);
  if (status == RUNG_OK) status = make_product(layer, program->arena);
  instruction->name = layer->name;
  instruction->kind = RUNG_INSTRUCTION_LINEAR;
  instruction->input = index;
  instruction->output = index + 1;
  instruction->macs = instruction->integers.in * instruction->integers.out;
  return status;
}

rung_status program_finish(rung_program *program, const char *what) {
  for (int i = 0; i < program->count; i++) {
    rung_status status = finish_layer(program, i, what);
    if (status != RUNG_OK) return status;
  }
  return program_plan(program);
}
