/* GPTQ, columns in their order, and with the most active first. */
#include "technique.h"

#include <rung/nn/ptq.h>

static rung_status run_gptq(const trial *t, rung_model *model, const rung_scheme *scheme, bool act_order) {
  const rung_ptq_options options = {.methods = 1u << RUNG_PTQ_GPTQ, .gptq = {.act_order = act_order}};
  rung_status status = rung_quantize(model, scheme);
  return status == RUNG_OK ? rung_ptq(model, t->train, t->examples, &options) : status;
}

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  return run_gptq(t, model, scheme, false);
}

static rung_status run_act_order(const trial *t, rung_model *model, const rung_scheme *scheme,
                                 technique_result *result) {
  (void)result;
  return run_gptq(t, model, scheme, true);
}

#define SETTINGS "w4a8 per-tensor, w3a8 per-tensor, w2a8 per-tensor, w4a8, w3a8, w2a8, w3a8 group 32"

const technique technique_gptq = {
    .name = "gptq", .help = "GPTQ (Frantar et al., 2023)", .settings = SETTINGS, .rounds = true, .run = run};

const technique technique_gptq_act_order = {.name = "gptq-act-order",
                                            .help = "GPTQ, columns by descending diagonal of H",
                                            .settings = SETTINGS,
                                            .rounds = true,
                                            .run = run_act_order};
