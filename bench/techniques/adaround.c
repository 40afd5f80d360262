/* AdaRound, by its defaults. */
#include "technique.h"

#include <rung/nn/ptq.h>

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  const rung_ptq_options options = {.methods = 1u << RUNG_PTQ_ADAROUND, .adaround = {.steps = t->quick ? 20 : 0}};
  rung_status status = rung_quantize(model, scheme);
  return status == RUNG_OK ? rung_ptq(model, t->train, t->examples, &options) : status;
}

const technique technique_adaround = {.name = "adaround",
                                      .help = "AdaRound, 10,000 steps a layer (Nagel et al., 2020)",
                                      .settings = "w4a8 per-tensor, w3a8 per-tensor, w2a8 per-tensor, w4a8, w3a8, w2a8",
                                      .rounds = true,
                                      .run = run};
