/* AdamW (Loshchilov and Hutter, 2019): w -= rate decay w, then Adam's step on the bare gradient. */
#include "adam.h"

static void update(const optimizer_step *step, float *weight, const float *gradient, const optimizer_state slot[],
                   int64_t n) {
  rung_adam_step by = adam_step(step);
  by.decoupled_decay = step->options->weight_decay;
  rung_kernels_active()->adam(weight, gradient, slot[0].value, slot[1].value, n, &by);
}

const optimizer_kind adamw_optimizer = {
    .name = "adamw", .slots = 2, .slot = {{"exp_avg", true}, {"exp_avg_sq", false}}, .update = update};
