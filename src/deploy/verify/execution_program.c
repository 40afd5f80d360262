/* The integer program: what all other executions are held against. */
#include "verify.h"

typedef struct program_state {
  int32_t *logits;
  void *scratch;
} program_state;

static rung_status open_program(verify_execution *execution) {
  verify_run *run = execution->in;
  program_state *state = execution->state = rung_arena_array(run->arena, 1, sizeof *state);
  if (!state) return RUNG_ERROR_MEMORY;
  int64_t outputs = verify_layer(run, run->program->count - 1)->out;
  state->logits = rung_arena_array(run->arena, (size_t)(run->block * outputs), sizeof(int32_t));
  state->scratch = rung_arena_allocate(run->arena, rung_program_scratch(run->program, run->block));
  return state->logits && state->scratch ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static void take_layer(void *context, int layer, rung_dtype type, const void *output, int64_t count, int64_t out) {
  const verify_execution *execution = context;
  verify_widen(execution->layer[layer].q, type, output, count * out);
}

static rung_status run_program(verify_execution *execution) {
  const verify_run *run = execution->in;
  const program_state *state = execution->state;
  return rung_program_trace(run->program, run->input, state->logits, run->count, state->scratch, take_layer, execution);
}

const execution_kind execution_program = {.name = "program", .exact = true, .open = open_program, .run = run_program};
