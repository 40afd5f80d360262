/* Mixed precision: in as many bytes as the setting's bits take in every layer, bits for each layer by its sensitivity.
 */
#include "technique.h"

#include <rung/rung.h>

static rung_status count_bytes(const trial *t, const rung_scheme *scheme, int64_t *bytes) {
  rung_model *model = trial_load(t);
  rung_status status = model ? trial_quantize(t, model, scheme) : rung_error_status();
  rung_program *program = status == RUNG_OK ? rung_freeze(model) : NULL;
  if (program) *bytes = rung_program_describe(program).weight_bytes;
  rung_model_free(model);
  if (status == RUNG_OK && !program) status = rung_error_status();
  rung_program_free(program);
  return status;
}

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  int64_t bytes = 0, more = 0;
  rung_scheme next = *scheme;
  next.weight_bits++;
  (void)result;
  rung_status status = count_bytes(t, scheme, &bytes);
  if (status == RUNG_OK) status = count_bytes(t, &next, &more);
  if (status == RUNG_OK) status = rung_quantize(model, scheme);
  if (status == RUNG_OK) status = rung_mixed_precision(model, t->train, (bytes + more) / 2, NULL);
  return status == RUNG_OK ? rung_calibrate(model, t->train, t->examples) : status;
}

const technique technique_mixed = {.name = "mixed",
                                   .help = "bits for each layer by its sensitivity, half a bit a weight more than RTN",
                                   .settings = "w2a8, w3a8, w4a8, w3a8 per-tensor",
                                   .run = run};
