#include "level.h"
#include "vector/map.h"

ALWAYS_INLINE void sgd(float *weight, const float *gradient, float *momentum, int64_t count, rung_sgd_step step) {
  vf w = vf_load_first(weight, count);
  vf g = vf_fma(vf_set(step.weight_decay), w, vf_load_first(gradient, count) * vf_set(step.gradient_scale));
  if (step.momentum != 0.0f) {
    vf m = vf_flush(vf_fma(vf_set(step.momentum), vf_load_first(momentum, count), g));
    vf_store_first(momentum, m, count);
    g = step.nesterov ? vf_fma(vf_set(step.momentum), m, g) : m;
  }
  vf_store_first(weight, vf_fma(vf_set(-step.rate), g, w), count);
}

void RUNG_AT_LEVEL(sgd)(float *weight, const float *gradient, float *momentum, int64_t n, const rung_sgd_step *step) {
  const rung_sgd_step by = *step; /* a copy, which no store to the arrays can change */
  int64_t i = 0;
  for (; i + VW <= n; i += VW) sgd(weight + i, gradient + i, momentum ? momentum + i : NULL, VW, by);
  if (i < n) sgd(weight + i, gradient + i, momentum ? momentum + i : NULL, n - i, by);
}

ALWAYS_INLINE void adam(float *weight, const float *gradient, float *moment1, float *moment2, int64_t count,
                        rung_adam_step step) {
  vf w = vf_load_first(weight, count);
  vf g = vf_fma(vf_set(step.weight_decay), w, vf_load_first(gradient, count) * vf_set(step.gradient_scale));
  vf m = vf_flush(vf_fma(vf_set(step.beta1), vf_load_first(moment1, count), vf_set(1.0f - step.beta1) * g));
  vf v = vf_flush(vf_fma(vf_set(step.beta2), vf_load_first(moment2, count), vf_set(1.0f - step.beta2) * g * g));
  vf denominator = vf_sqrt(v * vf_set(step.correction2)) + vf_set(step.epsilon);
  w = vf_fma(vf_set(-(step.rate * step.decoupled_decay)), w, w);
  vf_store_first(weight, vf_fma(vf_set(-(step.rate * step.correction1)), m / denominator, w), count);
  vf_store_first(moment1, m, count);
  vf_store_first(moment2, v, count);
}

void RUNG_AT_LEVEL(adam)(float *weight, const float *gradient, float *moment1, float *moment2, int64_t n,
                         const rung_adam_step *step) {
  const rung_adam_step by = *step; /* a copy, which no store to the arrays can change */
  int64_t i = 0;
  for (; i + VW <= n; i += VW) adam(weight + i, gradient + i, moment1 + i, moment2 + i, VW, by);
  if (i < n) adam(weight + i, gradient + i, moment1 + i, moment2 + i, n - i, by);
}
