/* QAT by Adam with its moments in 8 bits. `qat` at the same setting has them in f32. */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  rung_status status = trial_quantize(t, model, scheme);
  const rung_fit_options options = {.epochs = t->qat_epochs, .rate = t->qat_rate, .optimizer = RUNG_OPTIMIZER_ADAM8BIT};
  return status == RUNG_OK ? rung_fit(model, t->train, &options) : status;
}

const technique technique_adam8bit = {.name = "adam8bit",
                                      .help = "qat by 8-bit Adam (Dettmers et al., 2022); beside it: qat",
                                      .settings = "w8a8, w4a8, w4a4, w3a8, w2a8",
                                      .run = run};
