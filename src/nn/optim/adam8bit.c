/* 8-bit Adam (Dettmers et al., "8-bit optimizers via block-wise quantization", 2022; docs/quantization.md, eq. 56): its
 * two moments are codes of the dynamic map, signed and unsigned, in blocks of 256 with a scale each. A block is
 * decoded, moved as Adam moves it, and encoded again. Small parameters keep their moments in f32. Weight decay is
 * decoupled. */
#include "adam.h"

static void update_block(const optimizer_step *step, float *weight, const float *gradient, const optimizer_state slot[],
                         int64_t begin, int64_t n, const rung_adam_step *by) {
  float moment[2][RUNG_DYNAMIC_BLOCK];
  for (int k = 0; k < 2; k++)
    rung_dynamic_decode(&step->map[k], slot[k].code + begin, slot[k].absmax + begin / RUNG_DYNAMIC_BLOCK, n, moment[k]);
  rung_kernels_active()->adam(weight + begin, gradient + begin, moment[0], moment[1], n, by);
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
