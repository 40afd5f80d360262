/* QAT with ternary weights. */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  rung_scheme with = *scheme;
  with.weights = RUNG_WEIGHTS_TERNARY;
  rung_status status = trial_quantize(t, model, &with);
  return status == RUNG_OK ? trial_fit(t, model) : status;
}

const technique technique_ternary = {
    .name = "ternary", .help = "ternary weight networks (Li and Liu, 2016)", .settings = "w2a8, w2a4", .run = run};
