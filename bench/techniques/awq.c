/* AWQ: scales by the activations, then clips. */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  return trial_ptq(t, model, scheme, 1u << RUNG_PTQ_AWQ);
}

const technique technique_awq = {.name = "awq",
                                 .help = "activation-aware scales and clips (Lin et al., 2024)",
                                 .settings = "w4a8, w3a8, w2a8, w3a8 group 32, w4a8 outliers, w3a8 outliers",
                                 .run = run};
