/* Quantization-aware training with the FP32 network as teacher, at the defaults of rung_fit_options. `qat` at the same
 * setting is the same student without one. */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  rung_model *teacher = rung_model_copy(model, NULL);
  rung_status status = teacher ? trial_quantize(t, model, scheme) : rung_error_status();
  if (status == RUNG_OK)
    status = rung_fit(model, t->train,
                      &(rung_fit_options){.epochs = t->qat_epochs, .rate = t->qat_rate, .teacher = teacher});
  rung_model_free(teacher);
  return status;
}

const technique technique_distill = {.name = "distill",
                                     .help = "qat with the FP32 network as teacher (Hinton et al., 2015)",
                                     .settings = "w4a4, w3a8, w2a8",
                                     .run = run};
