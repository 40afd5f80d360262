/* A program beside the model it came from, in a few numbers, and beside a dataset's labels. */
#include "program.h"

static rung_status check_given(const char *what, const void *program, const void *dataset) {
  if (!program) return rung_fail(RUNG_ERROR_ARGUMENT, "%s: the program is NULL", what);
  if (!dataset) return rung_fail(RUNG_ERROR_ARGUMENT, "%s: the dataset is NULL", what);
  return RUNG_OK;
}

rung_status rung_program_compare(const rung_program *program, rung_model *model, const rung_dataset *dataset,
                                 rung_agreement *agreement) {
  *agreement = (rung_agreement){0};
  rung_status status = check_given("compare", program, dataset);
  if (status != RUNG_OK) return status;
  rung_verification *verification =
      rung_verify(model, dataset,
                  &(rung_verify_options){
                      .program = program,
                      .executions = 1u << RUNG_EXECUTION_EVALUATION | 1u << RUNG_EXECUTION_SIMULATED,
                  });
  if (!verification) return rung_error_status();
  const rung_execution_summary evaluation = rung_verification_summary(verification, RUNG_EXECUTION_EVALUATION);
  const rung_execution_summary simulation = rung_verification_summary(verification, RUNG_EXECUTION_SIMULATED);
  for (int i = 0; i < program->count; i++) {
    int64_t values = rung_verification_at(verification, RUNG_EXECUTION_EVALUATION, i).values;
    *(i + 1 < program->count ? &agreement->activations : &agreement->logits) += values;
  }
  agreement->differ_evaluation = evaluation.differ + evaluation.differ_logits;
  agreement->differ_simulation = simulation.differ;
  agreement->largest_step = simulation.largest;
  rung_verification_free(verification);
  return RUNG_OK;
}

rung_status rung_program_evaluate(const rung_program *program, const rung_dataset *dataset, rung_metrics *metrics) {
  *metrics = (rung_metrics){0};
  rung_status status = check_given("evaluate", program, dataset);
  if (status != RUNG_OK) return status;
  if (!dataset->labels) return rung_fail(RUNG_ERROR_ARGUMENT, "%s: has no labels to evaluate against", dataset->name);
  void *owned;
  const void *input = program_inputs(program, dataset, &owned);
  if (!input) return rung_error_status();
  int64_t out = program->buffer[program->count].count, correct = 0;
  int32_t *logits = rung_allocate((size_t)(dataset->count * out) * sizeof *logits);
  status = logits ? rung_run(program, input, logits, dataset->count) : RUNG_ERROR_MEMORY;
  for (int64_t i = 0; i < dataset->count && status == RUNG_OK; i++) {
    int64_t best = 0;
    for (int64_t j = 1; j < out; j++)
      if (logits[i * out + j] > logits[i * out + best]) best = j;
    correct += best == dataset->labels[i];
  }
  rung_release(logits);
  rung_release(owned);
  *metrics = (rung_metrics){.accuracy = (double)correct / (double)dataset->count, .examples = dataset->count};
  return status;
}
