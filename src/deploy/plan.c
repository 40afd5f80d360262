/* Where a program's buffers lie: those that are never alive together share scratch. The largest buffers choose first,
 * each takes the lowest place that is free for the whole of its life (greedy by size; Pisarchyk and Lee, Efficient
 * Memory Management for Deep Neural Net Inference, 2020).
 *
 * A linear layer reads every input for each of its outputs, so its output never lies on its input. */
#include "program.h"

#define PLACE_ALIGNMENT 4 /* bytes: whole words for the machines that read four inputs at a time */

static int64_t bytes_of(const rung_buffer *buffer) {
  int64_t bytes = buffer->count * (int64_t)rung_dtype_size(buffer->type);
  return (bytes + PLACE_ALIGNMENT - 1) / PLACE_ALIGNMENT * PLACE_ALIGNMENT;
}

/* The lowest offset at which `buffer` meets none of those already placed that live while it does. */
static int64_t lowest_free(const rung_buffer *all, int count, const rung_buffer *buffer, const bool *placed) {
  int64_t offset = 0;
  for (bool moved = true; moved;) {
    moved = false;
    for (int i = 0; i < count; i++) {
      const rung_buffer *other = &all[i];
      bool alive_together = placed[i] && other->first <= buffer->last && buffer->first <= other->last;
      if (!alive_together || offset + bytes_of(buffer) <= other->offset) continue;
      if (offset >= other->offset + bytes_of(other)) continue;
      offset = other->offset + bytes_of(other);
      moved = true;
    }
  }
  return offset;
}

static int largest_unplaced(const rung_buffer *all, int count, const bool *placed) {
  int largest = -1;
  for (int i = 0; i < count; i++) {
    if (all[i].place != RUNG_PLACE_SCRATCH || placed[i]) continue;
    if (largest < 0 || bytes_of(&all[i]) > bytes_of(&all[largest])) largest = i;
  }
  return largest;
}

static void describe_buffers(rung_program *program) {
  for (int i = 0; i < program->count; i++) {
    const rung_integer_layer *layer = &program->layer[i].instruction.integers;
    bool logits = layer->output_type == RUNG_I32;
    program->buffer[i] = (rung_buffer){.place = i || program->table ? RUNG_PLACE_SCRATCH : RUNG_PLACE_INPUT,
                                       .type = layer->input_type,
                                       .count = layer->in,
                                       .scale = layer->input_scale,
                                       .zero_point = layer->input_zero_point,
                                       .qmin = layer->input_qmin,
                                       .qmax = layer->input_qmax,
                                       .binary = layer->input_binary,
                                       .first = i - 1,
                                       .last = i};
    program->buffer[i + 1] = (rung_buffer){.place = RUNG_PLACE_LOGITS,
                                           .type = layer->output_type,
                                           .count = layer->out,
                                           .scale = layer->output_scale,
                                           .zero_point = layer->output_zero_point,
                                           .qmin = logits ? INT32_MIN : layer->qmin,
                                           .qmax = logits ? INT32_MAX : layer->qmax,
                                           .binary = layer->binary,
                                           .first = i,
                                           .last = program->count};
  }
}

rung_status program_place(rung_buffer *buffer, int count, int64_t *scratch) {
  bool *placed = rung_allocate((size_t)count);
  if (!placed) return RUNG_ERROR_MEMORY;
  for (int next; (next = largest_unplaced(buffer, count, placed)) >= 0; placed[next] = true) {
    rung_buffer *at = &buffer[next];
    at->offset = lowest_free(buffer, count, at, placed);
    if (at->offset + bytes_of(at) > *scratch) *scratch = at->offset + bytes_of(at);
  }
  rung_release(placed);
  return RUNG_OK;
}

rung_status program_plan(rung_program *program) {
  describe_buffers(program);
  return program_place(program->buffer, program->count + 1, &program->scratch);
}
