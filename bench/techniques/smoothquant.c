/* SmoothQuant: outliers of activations moved into weights. */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  return trial_ptq(t, model, scheme, 1u << RUNG_PTQ_SMOOTHQUANT);
}

const technique technique_smoothquant = {.name = "smoothquant",
                                         .help = "SmoothQuant, alpha 0.5 (Xiao et al., 2023)",
                                         .settings = "w8a8, w4a8, w8a8 outliers, w4a8 outliers, w8a6 outliers",
                                         .run = run};
