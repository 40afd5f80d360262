/* 8-bit Adam (Dettmers et al., "8-bit optimizers via block-wise quantization", 2022; docs/quantization.md, eq. 56): its
 * two moments are codes of the dynamic map, signed and unsigned, in blocks of 256 with a scale each. A block is
 * decoded, moved as Adam moves it, and encoded again. Small parameters keep their moments in f32. Weight decay is
 * decoupled.
 *
 * A second moment far below its block's largest becomes 0 before the first moment does, and the quotient of the two
 * then knows no limit. So a step is held to what Adam's own never exceeds, by the inequality of Cauchy and Schwarz:
 *   |m'| / sqrt(v') <= (1 - beta1) / sqrt((1 - beta2) (1 - beta1^2 / beta2)) sqrt(1 - beta2^t) / (1 - beta1^t)  (eq.
 * 57) */
#include "adam.h"

#include <math.h>
#include <string.h>

static float longest_step(const optimizer_step *step) {
  const double beta1 = (double)step->options->momentum, beta2 = (double)step->options->beta2;
  const double sum = 1 - beta1 * beta1 / beta2; /* of the ratios of the two averages' weights, from the newest on */
  if (sum <= 0) return INFINITY;
  return (float)((double)step->rate * (1 - beta1) / sqrt((1 - beta2) * sum) * sqrt(1 - step->beta2_power) /
                 (1 - step->beta1_power));
}

/* weight within `longest` of what decay makes of before. NaN stays NaN. */
static void hold(float *weight, const float *before, int64_t n, float decay, float longest) {
  for (int64_t i = 0; i < n; i++) {
    const float from = decay * before[i], low = from - longest, high = from + longest;
    weight[i] = weight[i] < low ? low : weight[i] > high ? high : weight[i];
  }
}

static void update_block(const optimizer_step *step, float *weight, const float *gradient, const optimizer_state slot[],
                         int64_t begin, int64_t n, const rung_adam_step *by) {
  float moment[2][RUNG_DYNAMIC_BLOCK], before[RUNG_DYNAMIC_BLOCK];
  for (int k = 0; k < 2; k++)
    rung_dynamic_decode(&step->map[k], slot[k].code + begin, slot[k].absmax + begin / RUNG_DYNAMIC_BLOCK, n, moment[k]);
  memcpy(before, weight + begin, (size_t)n * sizeof *before);
  rung_kernels_active()->adam(weight + begin, gradient + begin, moment[0], moment[1], n, by);
  hold(weight + begin, before, n, 1 - step->rate * by->decoupled_decay, longest_step(step));
  for (int k = 0; k < 2; k++)
    rung_dynamic_encode(&step->map[k], moment[k], n, slot[k].code + begin, slot[k].absmax + begin / RUNG_DYNAMIC_BLOCK);
}

static void update(const optimizer_step *step, float *weight, const float *gradient, const optimizer_state slot[],
                   int64_t n) {
  rung_adam_step by = adam_step(step);
  by.decoupled_decay = step->options->weight_decay;
  if (slot[0].value) {
    rung_kernels_active()->adam(weight, gradient, slot[0].value, slot[1].value, n, &by);
    return;
  }
  for (int64_t i = 0; i < n; i += RUNG_DYNAMIC_BLOCK)
    update_block(step, weight, gradient, slot, i, n - i < RUNG_DYNAMIC_BLOCK ? n - i : RUNG_DYNAMIC_BLOCK, &by);
}

const optimizer_kind adam8bit_optimizer = {.name = "adam8bit",
                                           .slots = 2,
                                           .slot = {{"exp_avg", true}, {"exp_avg_sq", false}},
                                           .quantized_from = 4096,
                                           .update = update};
