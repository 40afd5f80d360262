/* Quantization-aware training with scales from the weights' maxima, as examples/mnist/mnist_mlp.c does it. */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  rung_status status = trial_quantize(t, model, scheme);
  return status == RUNG_OK ? trial_fit(t, model) : status;
}

const technique technique_qat = {.name = "qat",
                                 .help = "quantization-aware training by the straight-through estimator",
                                 .settings = "w8a8, w4a8, w4a4, w3a8, w2a8",
                                 .run = run};
