/* QAT with learned clips of activations. */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  rung_scheme with = *scheme;
  with.activations = RUNG_ACTIVATIONS_PACT;
  rung_status status = trial_quantize(t, model, &with);
  return status == RUNG_OK ? trial_fit(t, model) : status;
}

const technique technique_pact = {
    .name = "pact", .help = "parameterized clipping (Choi et al., 2018)", .settings = "w4a4, w3a3, w2a2", .run = run};
