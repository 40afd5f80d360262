/* Questions about the outcome. */
#include "verify.h"

#include <math.h>

static const rung_execution_summary nothing = {.reason = "", .correct = -1};

static bool is_execution(rung_execution execution) {
  return (int)execution >= 0 && execution < RUNG_EXECUTION_COUNT;
}

static bool ran(const rung_verification *verification, rung_execution execution) {
  return is_execution(execution) && verification->execution[execution].outcome == RUNG_OUTCOME_RAN;
}

void rung_verification_free(rung_verification *verification) {
  if (verification) rung_arena_free(verification->arena);
}
int64_t rung_verification_examples(const rung_verification *verification) {
  return verification->examples;
}
int rung_verification_layers(const rung_verification *verification) {
  return verification->layers;
}
const char *rung_verification_layer(const rung_verification *verification, int layer) {
  return layer >= 0 && layer < verification->layers ? verification->name[layer] : "";
}

rung_execution_summary rung_verification_summary(const rung_verification *verification, rung_execution execution) {
  if (!is_execution(execution)) return nothing;
  const execution_result *result = &verification->execution[execution];
  if (result->outcome != RUNG_OUTCOME_RAN)
    return (rung_execution_summary){.outcome = result->outcome, .reason = result->reason, .correct = -1};
  rung_execution_summary summary = {.outcome = result->outcome,
                                    .reason = result->reason,
                                    .agree = result->agree,
                                    .correct = verification->labelled ? result->correct : -1};
  for (int i = 0; i + 1 < verification->layers; i++) {
    summary.differ += result->layer[i].differ;
    if (result->layer[i].largest > summary.largest) summary.largest = result->layer[i].largest;
  }
  summary.differ_logits = result->layer[verification->layers - 1].differ;
  return summary;
}

rung_layer_agreement rung_verification_at(const rung_verification *verification, rung_execution execution, int layer) {
  if (!ran(verification, execution) || layer < 0 || layer >= verification->layers)
    return (rung_layer_agreement){.sqnr = NAN};
  const execution_result *result = &verification->execution[execution];
  rung_layer_agreement agreement = result->layer[layer];
  agreement.sqnr = NAN;
  if (result->outcome == RUNG_OUTCOME_RAN && verification->execution[RUNG_EXECUTION_FLOAT].outcome == RUNG_OUTCOME_RAN)
    agreement.sqnr =
        result->noise[layer] > 0 ? 10 * log10(verification->signal[layer] / result->noise[layer]) : INFINITY;
  return agreement;
}

bool rung_verification_first(const rung_verification *verification, rung_execution a, rung_execution b,
                             rung_difference *difference) {
  if (!ran(verification, a) || !ran(verification, b)) return false;
  const rung_execution low = a < b ? a : b, high = a < b ? b : a;
  if (!verification->found[low][high]) return false;
  *difference = verification->first[low][high];
  if (a > b) {
    const rung_difference other = *difference;
    for (int i = 0; i < 2; i++) {
      difference->value[i] = other.value[1 - i];
      difference->before[i] = other.before[1 - i];
    }
  }
  return true;
}

bool rung_verification_exact(const rung_verification *verification) {
  for (rung_execution e = 0; e < RUNG_EXECUTION_COUNT; e++) {
    const rung_execution_summary summary = rung_verification_summary(verification, e);
    if (!verify_kind(e)->exact) continue;
    if (summary.outcome == RUNG_OUTCOME_FAILED || summary.differ > 0 || summary.differ_logits > 0) return false;
  }
  return true;
}

bool rung_verification_within_a_step(const rung_verification *verification) {
  for (rung_execution e = 0; e < RUNG_EXECUTION_COUNT; e++) {
    const rung_execution_summary summary = rung_verification_summary(verification, e);
    if (verify_kind(e)->simulates && (summary.outcome == RUNG_OUTCOME_FAILED || summary.largest > 1)) return false;
  }
  return true;
}
