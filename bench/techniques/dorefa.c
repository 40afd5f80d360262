/* QAT with tanh-normalized weights and activations in 0 .. 1. */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  rung_scheme with = *scheme;
  with.weights = RUNG_WEIGHTS_DOREFA;
  with.activations = RUNG_ACTIVATIONS_UNIT;
  rung_status status = trial_quantize(t, model, &with);
  return status == RUNG_OK ? trial_fit(t, model) : status;
}

const technique technique_dorefa = {
    .name = "dorefa", .help = "DoReFa-Net (Zhou et al., 2016)", .settings = "w4a4, w2a2, w1a2", .run = run};
