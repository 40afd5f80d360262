/* Cross-layer equalization: what scales of a whole tensor suffer from. */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  return trial_ptq(t, model, scheme, 1u << RUNG_PTQ_CLE);
}

const technique technique_cle = {
    .name = "cle",
    .help = "cross-layer equalization (Nagel et al., 2019)",
    .settings = "w8a8 per-tensor, w4a8 per-tensor, w3a8 per-tensor, w8a8 per-tensor outliers, w3a8",
    .run = run};
