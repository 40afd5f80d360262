/* What a program is, as data. */
#include "program.h"

rung_program_info rung_program_describe(const rung_program *program) {
  const rung_buffer *input = &program->buffer[0], *logits = &program->buffer[program->count];
  rung_program_info info = {.layers = program->count,
                            .inputs = input->count,
                            .outputs = logits->count,
                            .input_type = input->type,
                            .input_scale = input->scale,
                            .input_zero_point = input->zero_point,
                            .logit_scale = logits->scale};
  if (program->table) {
    info.input_type = program->table->type;
    info.input_scale = program->table->scale;
    info.input_zero_point = program->table->zero_point;
  }
  for (int i = 0; i < program->count; i++) {
    info.weight_bytes += rung_integer_layer_bytes(&program->layer[i].instruction.integers);
    info.macs += program->layer[i].instruction.macs;
  }
  return info;
}

const char *rung_instruction_name(rung_instruction_kind kind) {
  static const char *const names[] = {[RUNG_INSTRUCTION_LINEAR] = "linear"};
  return (int)kind >= 0 && kind < RUNG_INSTRUCTION_KIND_COUNT ? names[kind] : "unknown";
}

int rung_program_count(const rung_program *program) {
  return program->count;
}

int rung_program_buffer_count(const rung_program *program) {
  return program->count + 1;
}

const rung_instruction *rung_program_instruction(const rung_program *program, int index) {
  if (index >= 0 && index < program->count) return &program->layer[index].instruction;
  rung_fail(RUNG_ERROR_ARGUMENT, "program: layer %d, expected 0..%d", index, program->count - 1);
  return NULL;
}

const rung_buffer *rung_program_buffer(const rung_program *program, int index) {
  if (index >= 0 && index <= program->count) return &program->buffer[index];
  rung_fail(RUNG_ERROR_ARGUMENT, "program: buffer %d, expected 0..%d", index, program->count);
  return NULL;
}

const rung_input_table *rung_program_input_table(const rung_program *program) {
  return program->table;
}

bool rung_program_takes_reals(const rung_program *program) {
  return program->real_inputs;
}

rung_status rung_program_bound(const rung_program *program, int index, int64_t *magnitude, int *bits) {
  const rung_instruction *instruction = rung_program_instruction(program, index);
  if (!instruction) return RUNG_ERROR_ARGUMENT;
  *magnitude = instruction->bound;
  *bits = instruction->bits;
  return RUNG_OK;
}
