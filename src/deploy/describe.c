/* What a program is, in numbers. */
#include "program.h"

/* Weights at their own bits; a bias, a multiplier (4 bytes each) and a shift (1 byte) a channel, or group of one. */
static int64_t layer_bytes(const rung_integer_layer *layer) {
  int64_t weights = (layer->in * layer->out * layer->weight_format.bits + 7) / 8;
  int64_t bytes = weights + layer->out * layer->groups * 8 + layer->out;
  return layer->group ? bytes + layer->out * 8 : bytes;
}

rung_program_info rung_program_describe(const rung_program *program) {
  const rung_integer_layer *first = &program->layer[0].integers, *last = &program->layer[program->count - 1].integers;
  rung_program_info info = {.layers = program->count,
                            .inputs = first->in,
                            .outputs = last->out,
                            .input_type = first->input_type,
                            .input_scale = first->input_scale,
                            .input_zero_point = first->input_zero_point,
                            .logit_scale = last->output_scale};
  for (int i = 0; i < program->count; i++) {
    const rung_integer_layer *layer = &program->layer[i].integers;
    info.weight_bytes += layer_bytes(layer);
    info.macs += layer->in * layer->out;
  }
  return info;
}

rung_status rung_program_bound(const rung_program *program, int index, int64_t *magnitude, int *bits) {
  if (index < 0 || index >= program->count)
    return rung_fail(RUNG_ERROR_ARGUMENT, "program: layer %d, expected 0..%d", index, program->count - 1);
  *magnitude = program->layer[index].bound;
  *bits = 1;
  while (*magnitude >= (int64_t)1 << (*bits - 1)) (*bits)++;
  return RUNG_OK;
}
