/* QAT in which weights that oscillate are frozen (docs/oscillation.md). */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  rung_status status = trial_quantize(t, model, scheme);
  if (status != RUNG_OK) return status;
  return rung_fit(model, t->train,
                  &(rung_fit_options){.epochs = t->qat_epochs, .rate = t->qat_rate, .oscillation = {.freeze = 0.01f}});
}

const technique technique_oscillation = {.name = "oscillation",
                                         .help = "iterative freezing of oscillating weights (Nagel et al., 2022)",
                                         .settings = "w3a8, w2a8, w2a4",
                                         .run = run};
