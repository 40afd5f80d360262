/* QAT with learned scales of weights and activations. */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  rung_scheme with = *scheme;
  with.weights = RUNG_WEIGHTS_LSQ;
  with.activations = RUNG_ACTIVATIONS_LSQ;
  rung_status status = trial_quantize(t, model, &with);
  return status == RUNG_OK ? trial_fit(t, model) : status;
}

const technique technique_lsq = {
    .name = "lsq", .help = "learned step sizes (Esser et al., 2020)", .settings = "w4a4, w3a3, w2a2, w1a2", .run = run};
