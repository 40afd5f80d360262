/* QAT for accumulators of 16 bits (docs/accumulators.md). */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  rung_scheme with = *scheme;
  with.accumulator_bits = 16;
  rung_status status = trial_quantize(t, model, &with);
  return status == RUNG_OK ? trial_fit(t, model) : status;
}

const technique technique_accumulator = {.name = "accumulator",
                                         .help = "accumulators of 16 bits (Colbert et al., 2023)",
                                         .settings = "w4a4, w2a4",
                                         .run = run};
