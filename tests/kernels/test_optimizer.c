/* One step of SGD and Adam after another against PyTorch's, and what the steps must have in common. */
#include "harness.h"

#include <math.h>
#include <rung/kernels.h>

#include "golden/optimizer.h"

static const struct {
  const char *name;
  const float (*want)[golden_count]; /* [steps] */
  float momentum, weight_decay, decoupled_decay;
  bool nesterov, adam;
} optimizers[] = {
    {"sgd", golden_sgd, 0.0f, 0.0f, 0.0f, false, false},
    {"sgd_decay", golden_sgd_decay, 0.0f, 0.01f, 0.0f, false, false},
    {"sgd_momentum", golden_sgd_momentum, 0.9f, 0.01f, 0.0f, false, false},
    {"sgd_nesterov", golden_sgd_nesterov, 0.9f, 0.0f, 0.0f, true, false},
    {"adam", golden_adam, 0.0f, 0.0f, 0.0f, false, true},
    {"adam_decay", golden_adam_decay, 0.0f, 0.01f, 0.0f, false, true},
    {"adamw", golden_adamw, 0.0f, 0.0f, 0.01f, false, true},
};
enum { case_count = (int)(sizeof optimizers / sizeof optimizers[0]) };

static rung_adam_step adam_step(int t) {
  const float beta1 = 0.9f, beta2 = 0.999f;
  return (rung_adam_step){.rate = 0.1f,
                          .beta1 = beta1,
                          .beta2 = beta2,
                          .epsilon = 1e-8f,
                          .correction1 = (float)(1.0 / (1.0 - pow((double)beta1, t))),
                          .correction2 = (float)(1.0 / (1.0 - pow((double)beta2, t))),
                          .gradient_scale = 1.0f};
}

START_TEST(steps_are_pytorch_s) {
  const rung_kernels *k = rung_kernels_active();
  float weight[golden_count], first[golden_count] = {0}, second[golden_count] = {0};
  memcpy(weight, golden_start, sizeof weight);
  for (int t = 0; t < golden_steps; t++) {
    if (optimizers[_i].adam) {
      rung_adam_step step = adam_step(t + 1);
      step.weight_decay = optimizers[_i].weight_decay;
      step.decoupled_decay = optimizers[_i].decoupled_decay;
      k->adam(weight, golden_gradients[t], first, second, golden_count, &step);
    } else {
      const rung_sgd_step step = {0.1f, optimizers[_i].momentum, optimizers[_i].weight_decay, 1.0f,
                                  optimizers[_i].nesterov};
      k->sgd(weight, golden_gradients[t], optimizers[_i].momentum != 0.0f ? first : NULL, golden_count, &step);
    }
    for (int i = 0; i < golden_count; i++) {
      float want = optimizers[_i].want[t][i], tolerance = 1e-6f * fmaxf(1.0f, fabsf(want));
      ck_assert_msg(fabsf(weight[i] - want) <= tolerance, "%s, step %d, weight %d: %.9g, not %.9g", optimizers[_i].name,
                    t, i, (double)weight[i], (double)want);
    }
  }
}
END_TEST

/* Scaling the gradients by a power of two before, or by gradient_scale, is the same to the bit. */
START_TEST(gradient_scale_is_a_scaled_gradient) {
  const rung_kernels *k = rung_kernels_active();
  float scaled[golden_count], a[golden_count], b[golden_count], state[4][golden_count] = {{0}};
  for (int i = 0; i < golden_count; i++) scaled[i] = golden_gradients[0][i] * 0.25f;
  memcpy(a, golden_start, sizeof a);
  memcpy(b, golden_start, sizeof b);
  rung_adam_step step = adam_step(1);
  k->adam(a, scaled, state[0], state[1], golden_count, &step);
  step.gradient_scale = 0.25f;
  k->adam(b, golden_gradients[0], state[2], state[3], golden_count, &step);
  ck_assert_mem_eq(a, b, sizeof a);
  k->sgd(a, scaled, NULL, golden_count, &(rung_sgd_step){.rate = 1.0f, .gradient_scale = 1.0f});
  k->sgd(b, golden_gradients[0], NULL, golden_count, &(rung_sgd_step){.rate = 1.0f, .gradient_scale = 0.25f});
  ck_assert_mem_eq(a, b, sizeof a);
}
END_TEST

/* Without a gradient ever, epsilon keeps 0 / 0 away. */
START_TEST(adam_without_gradient_stays) {
  const float zero[golden_count] = {0};
  float weight[golden_count], first[golden_count] = {0}, second[golden_count] = {0};
  memcpy(weight, golden_start, sizeof weight);
  const rung_adam_step step = adam_step(1);
  rung_kernels_active()->adam(weight, zero, first, second, golden_count, &step);
  ck_assert_mem_eq(weight, golden_start, sizeof weight);
}
END_TEST

/* Moments that no gradient feeds decay to 0, and are never subnormal on the way; a NaN stays one. */
START_TEST(moments_end_at_zero) {
  const rung_kernels *k = rung_kernels_active();
  const float zero[golden_count] = {0};
  float weight[golden_count] = {0}, first[golden_count], second[golden_count], momentum[golden_count];
  for (int i = 0; i < golden_count; i++) first[i] = momentum[i] = i % 2 ? 1e-30f : -1e-30f, second[i] = 1e-35f;
  rung_adam_step step = adam_step(1);
  step.beta2 = 0.9f;
  for (int t = 0; t < 200; t++) {
    k->adam(weight, zero, first, second, golden_count, &step);
    k->sgd(weight, zero, momentum, golden_count, &(rung_sgd_step){.rate = 1, .momentum = 0.9f, .gradient_scale = 1});
    for (int i = 0; i < golden_count; i++)
      ENSURE(fpclassify(first[i]) != FP_SUBNORMAL && fpclassify(second[i]) != FP_SUBNORMAL &&
             fpclassify(momentum[i]) != FP_SUBNORMAL);
  }
  for (int i = 0; i < golden_count; i++) ENSURE(first[i] == 0 && second[i] == 0 && momentum[i] == 0);
  first[0] = NAN;
  k->adam(weight, zero, first, second, golden_count, &step);
  ck_assert(isnan(first[0]));
}
END_TEST

TEST_MAIN(CASES(steps_are_pytorch_s, case_count), CASE(gradient_scale_is_a_scaled_gradient),
          CASE(adam_without_gradient_stays), CASE(moments_end_at_zero))
