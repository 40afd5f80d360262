/* Quantization-aware training with the FP32 network as teacher. `qat` at the same setting is the same student without
 * one. */
#include "technique.h"

/* Chosen on a sixth of the training set, held out; docs/distillation.md. */
static const float temperature = 2, alpha = 0.5f;

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  rung_model *teacher = rung_model_copy(model, NULL);
  rung_status status = teacher ? trial_quantize(t, model, scheme) : rung_error_status();
  const rung_fit_options options = {
      .epochs = t->qat_epochs, .rate = t->qat_rate, .teacher = teacher, .temperature = temperature, .alpha = alpha};
  if (status == RUNG_OK) status = rung_fit(model, t->train, &options);
  rung_model_free(teacher);
  return status;
}

const technique technique_distill = {
    .name = "distill",
    .help = "qat with the FP32 network as teacher (Hinton et al., 2015); beside it: qat, the same without",
    .settings = "w4a4, w3a8, w2a8",
    .run = run};
