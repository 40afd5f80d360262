/* Empirical bias correction behind rounding to nearest. */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  return trial_ptq(t, model, scheme, 1u << RUNG_PTQ_BIAS_CORRECTION);
}

const technique technique_bias_correction = {.name = "bias-correction",
                                             .help = "empirical bias correction (Nagel et al., 2019)",
                                             .settings = "w4a8 per-tensor, w3a8 per-tensor, w4a8, w3a8, w2a8",
                                             .run = run};
