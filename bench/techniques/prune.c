/* 90 % of the weights pruned while the FP32 network trains on, then quantization-aware training of what is left. `qat`
 * at the same setting is the dense network. */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  const rung_fit_options sparse = {.epochs = t->epochs, .rate = t->rate, .prune = {.to = {.sparsity = 0.9f}}};
  rung_status status = rung_fit(model, t->train, &sparse);
  if (status == RUNG_OK) status = trial_quantize(t, model, scheme);
  return status == RUNG_OK ? trial_fit(t, model) : status;
}

const technique technique_prune = {.name = "prune",
                                   .help = "90 % of the weights pruned (Zhu and Gupta, 2017), then qat",
                                   .settings = "w8a8, w4a4",
                                   .run = run};
