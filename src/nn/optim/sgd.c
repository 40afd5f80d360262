/* Stochastic gradient descent, g the gradient with the decay's L2 penalty in it:
 *   m = momentum m + g,  w -= rate m,  or with Nesterov's momentum  w -= rate (g + momentum m) */
#include "optimizer.h"

static void update(const optimizer_step *step, float *weight, const float *gradient, const optimizer_state slot[],
                   int64_t n) {
  const rung_sgd_step by = {.rate = step->rate,
                            .momentum = step->options->momentum,
                            .weight_decay = step->options->weight_decay,
                            .gradient_scale = step->gradient_scale,
                            .nesterov = step->options->nesterov};
  rung_kernels_active()->sgd(weight, gradient, slot[0].value, n, &by);
}

const optimizer_kind sgd_optimizer = {.name = "sgd", .slots = 1, .slot = {{"momentum_buffer", true}}, .update = update};
