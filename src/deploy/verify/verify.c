/* Running one model in all the ways there are, in step: each execution computes the same block of examples, then the
 * block is counted. */
#include "verify.h"
#include "child.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const execution_kind *const kinds[RUNG_EXECUTION_COUNT] = {[RUNG_EXECUTION_FLOAT] = &execution_float,
                                                                  [RUNG_EXECUTION_SIMULATED] = &execution_simulated,
                                                                  [RUNG_EXECUTION_EVALUATION] = &execution_evaluation,
                                                                  [RUNG_EXECUTION_TRAINING] = &execution_training,
                                                                  [RUNG_EXECUTION_PROGRAM] = &execution_program,
                                                                  [RUNG_EXECUTION_EMITTED] = &execution_emitted,
                                                                  [RUNG_EXECUTION_ONNX] = &execution_onnx};

const execution_kind *verify_kind(rung_execution execution) {
  return kinds[execution];
}

const char *rung_execution_name(rung_execution execution) {
  return (int)execution >= 0 && execution < RUNG_EXECUTION_COUNT ? kinds[execution]->name : "?";
}

rung_status rung_execution_parse(const char *name, rung_execution *execution) {
  for (rung_execution e = 0; e < RUNG_EXECUTION_COUNT; e++)
    if (strcmp(name, kinds[e]->name) == 0) {
      *execution = e;
      return RUNG_OK;
    }
  return rung_fail(RUNG_ERROR_ARGUMENT,
                   "execution '%s': expected fp32, simulated, evaluation, training, program, emitted or onnx", name);
}

rung_status execution_give_up(verify_execution *execution, rung_outcome outcome, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(execution->result->reason, REASON_SIZE, format, arguments);
  va_end(arguments);
  execution->result->outcome = outcome;
  return RUNG_OK;
}

rung_status verify_folder(verify_run *run) {
  return run->folder ? RUNG_OK : folder_make(run->arena, &run->folder);
}

/* ---- Onto the grid ---------------------------------------------------------------------------------------------- */

void verify_widen(int32_t *q, rung_dtype type, const void *from, int64_t n) {
  if (type == RUNG_I32) memcpy(q, from, (size_t)n * sizeof *q);
  if (type == RUNG_I8)
    for (int64_t i = 0; i < n; i++) q[i] = ((const int8_t *)from)[i];
  if (type == RUNG_U8)
    for (int64_t i = 0; i < n; i++) q[i] = ((const uint8_t *)from)[i];
}

void verify_put_on_grid(int32_t *q, const rung_integer_layer *layer, const float *x, int64_t n) {
  const bool logits = layer->output_type == RUNG_I32;
  const double low = logits ? INT32_MIN : layer->qmin, high = logits ? INT32_MAX : layer->qmax;
  const double zero_point = logits ? 0 : layer->output_zero_point;
  const float inverse = 1 / layer->output_scale;
  for (int64_t i = 0; i < n; i++) {
    double k = (double)rintf(x[i] * inverse) + zero_point;
    q[i] = (int32_t)(k < low ? low : k < high ? k : high);
  }
}

/* ---- The run ---------------------------------------------------------------------------------------------------- */

static rung_status plan_inputs(verify_run *run) {
  const rung_integer_layer *first = verify_layer(run, 0);
  rung_status status = rung_program_check(run->program, run->dataset);
  if (status != RUNG_OK) return status;
  size_t count = (size_t)(run->block * first->in);
  run->input_q = rung_arena_array(run->arena, count, sizeof *run->input_q);
  run->bytes = rung_arena_allocate(run->arena, count);
  return run->input_q && run->bytes ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static rung_status plan_result(verify_run *run) {
  rung_verification *result = run->result;
  const size_t layers = (size_t)run->program->count;
  result->layers = run->program->count;
  result->examples = run->dataset->count;
  if (run->options.examples > 0 && run->options.examples < result->examples) result->examples = run->options.examples;
  result->labelled = run->dataset->labels != NULL;
  result->name = rung_arena_array(result->arena, layers, sizeof *result->name);
  result->signal = rung_arena_array(result->arena, layers, sizeof *result->signal);
  if (!result->name || !result->signal) return RUNG_ERROR_MEMORY;
  for (int i = 0; i < result->layers; i++) {
    result->name[i] = rung_arena_string(result->arena, run->program->layer[i].name);
    if (!result->name[i]) return RUNG_ERROR_MEMORY;
  }
  for (int e = 0; e < RUNG_EXECUTION_COUNT; e++) {
    execution_result *of = &result->execution[e];
    of->layer = rung_arena_array(result->arena, layers, sizeof *of->layer);
    of->noise = rung_arena_array(result->arena, layers, sizeof *of->noise);
    if (!of->layer || !of->noise) return RUNG_ERROR_MEMORY;
  }
  return RUNG_OK;
}

static rung_status plan_values(verify_execution *execution) {
  verify_run *run = execution->in;
  execution->layer = rung_arena_array(run->arena, (size_t)run->program->count, sizeof *execution->layer);
  execution->strayed = rung_arena_array(run->arena, (size_t)run->block, sizeof *execution->strayed);
  if (!execution->layer || !execution->strayed) return RUNG_ERROR_MEMORY;
  for (int i = 0; i < run->program->count; i++) {
    size_t count = (size_t)(run->block * verify_layer(run, i)->out);
    execution->layer[i].q = rung_arena_array(run->arena, count, sizeof(int32_t));
    if (!execution->layer[i].q) return RUNG_ERROR_MEMORY;
  }
  return RUNG_OK;
}

static rung_status open_executions(verify_run *run) {
  const unsigned asked = run->options.executions ? run->options.executions : ~0u;
  rung_status status = RUNG_OK;
  for (rung_execution e = 0; e < RUNG_EXECUTION_COUNT && status == RUNG_OK; e++) {
    verify_execution *execution = &run->execution[e];
    if (!(asked >> e & 1) && e != RUNG_EXECUTION_PROGRAM) continue;
    execution->result->outcome = RUNG_OUTCOME_RAN; /* unless it gives up */
    status = plan_values(execution);
    if (status == RUNG_OK) status = execution->kind->open(execution);
  }
  return status;
}

static void close_executions(verify_run *run) {
  for (int e = RUNG_EXECUTION_COUNT - 1; e >= 0; e--) {
    verify_execution *execution = &run->execution[e];
    if (execution->state && execution->kind->close) execution->kind->close(execution);
  }
}

static rung_status take_inputs(verify_run *run) {
  const rung_integer_layer *first = verify_layer(run, 0);
  rung_status status = rung_program_take(run->program, run->dataset, run->first, run->count, run->bytes);
  run->input = run->bytes;
  if (status != RUNG_OK) return status;
  const int64_t n = run->count * first->in;
  const rung_input_table *table = run->program->table;
  verify_widen(run->input_q, table ? RUNG_U8 : first->input_type, run->input, n);
  for (int64_t i = 0; i < n && table; i++) {
    const uint8_t q = table->q[run->input_q[i]];
    run->input_q[i] = first->input_type == RUNG_I8 ? (int8_t)q : q;
  }
  return RUNG_OK;
}

static rung_status run_block(verify_run *run) {
  rung_status status = take_inputs(run);
  for (int e = 0; e < RUNG_EXECUTION_COUNT && status == RUNG_OK; e++)
    if (execution_ran(&run->execution[e])) status = run->execution[e].kind->run(&run->execution[e]);
  if (status != RUNG_OK) return status;
  verify_count(run);
  verify_find_first(run);
  return RUNG_OK;
}

static rung_status run_all(verify_run *run) {
  for (rung_execution e = 0; e < RUNG_EXECUTION_COUNT; e++)
    run->execution[e] =
        (verify_execution){.kind = kinds[e], .which = e, .in = run, .result = &run->result->execution[e]};
  run->block = rung_graph_batch(rung_model_graph(run->model));
  rung_status status = plan_result(run);
  if (status == RUNG_OK) status = plan_inputs(run);
  if (status == RUNG_OK) status = open_executions(run);
  for (run->first = 0; run->first < run->result->examples && status == RUNG_OK; run->first += run->block) {
    int64_t left = run->result->examples - run->first;
    run->count = left < run->block ? left : run->block;
    status = run_block(run);
  }
  close_executions(run);
  folder_remove(run->folder);
  return status;
}

static rung_verification *verification_new(void) {
  rung_arena *arena = rung_arena_new();
  rung_verification *verification = arena ? rung_arena_array(arena, 1, sizeof *verification) : NULL;
  if (verification)
    verification->arena = arena;
  else
    rung_arena_free(arena);
  return verification;
}

static rung_status check_given(rung_model *model, const rung_dataset *dataset, const rung_verify_options *options) {
  rung_status status = rung_model_status(model);
  if (status != RUNG_OK) return status;
  if (!dataset) return rung_fail(RUNG_ERROR_ARGUMENT, "verify: the dataset is NULL");
  if (dataset->count < 1) return rung_fail(RUNG_ERROR_ARGUMENT, "verify: the dataset is empty");
  if (options->examples < 0)
    return rung_fail(RUNG_ERROR_ARGUMENT, "verify: %lld examples, expected 0 (all) or more",
                     (long long)options->examples);
  if (!rung_model_quantization(model))
    return rung_fail(RUNG_ERROR_STATE, "verify: the model is not calibrated; call rung_quantize and rung_calibrate");
  return RUNG_OK;
}

rung_verification *rung_verify(rung_model *model, const rung_dataset *dataset, const rung_verify_options *options) {
  verify_run run = {.model = model, .dataset = dataset};
  if (options) run.options = *options;
  if (check_given(model, dataset, &run.options) != RUNG_OK) return NULL;
  rung_form before = rung_model_form(model);
  rung_program *frozen = run.options.program ? NULL : rung_freeze(model);
  run.program = frozen ? frozen : run.options.program;
  run.arena = rung_arena_new();
  run.result = verification_new();
  rung_status status = run.program && run.arena && run.result ? run_all(&run) : rung_error_status();
  if (status != RUNG_OK) {
    rung_verification_free(run.result);
    run.result = NULL;
  }
  rung_arena_free(run.arena);
  rung_program_free(frozen);
  rung_model_use(model, before);
  return run.result;
}
