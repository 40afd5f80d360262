/* Adam (Kingma and Ba, 2015), g the gradient with the decay's L2 penalty in it:
 *   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
 *   w -= rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon) */
#include "adam.h"

static void update(const optimizer_step *step, float *weight, const float *gradient, const optimizer_state slot[],
                   int64_t n) {
  rung_adam_step by = adam_step(step);
  by.weight_decay = step->options->weight_decay;
  rung_kernels_active()->adam(weight, gradient, slot[0].value, slot[1].value, n, &by);
}

const optimizer_kind adam_optimizer = {
    .name = "adam", .slots = 2, .slot = {{"exp_avg", true}, {"exp_avg_sq", false}}, .update = update};
