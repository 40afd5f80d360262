/* Round to nearest with the clip that has the least squared error. */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  return trial_ptq(t, model, scheme, 1u << RUNG_PTQ_MSE);
}

const technique technique_mse = {.name = "mse",
                                 .help = "the clip with the least squared error of the weights",
                                 .settings = "w4a8, w3a8, w2a8, w4a8 per-tensor, w3a8 per-tensor",
                                 .rounds = true,
                                 .run = run};
