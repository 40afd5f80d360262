/* Round-to-nearest: calibrated, not trained. What every other technique is held against. */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  return trial_quantize(t, model, scheme);
}

const technique technique_ptq = {.name = "ptq",
                                 .help = "round-to-nearest after calibration (RTN)",
                                 .settings = "w8a8, w4a8, w4a4, w3a8, w2a8",
                                 .rounds = true,
                                 .run = run};
