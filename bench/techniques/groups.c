/* Integers with a scale for every 32 inputs of a channel. Beside it: one scale a channel. */
#include "technique.h"

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  rung_scheme with = *scheme;
  with.weight_granularity = RUNG_PER_GROUP;
  with.weight_group = 32;
  return trial_quantize(t, model, &with);
}

const technique technique_groups = {.name = "groups",
                                    .help =
                                        "integers in groups of 32 inputs, each with a scale; beside it: a channel's",
                                    .settings = "w4a8, w3a8, w2a8",
                                    .rounds = true,
                                    .run = run};
