#include "level.h"

#include <math.h>

static float flush(float moment) {
  return fabsf(moment) < 0x1p-126f ? 0.0f : moment;
}

/* torch.optim.SGD: m = momentum m + g, with m = 0 before the first step; the step is m, or g + momentum m (Nesterov).
 */
void RUNG_AT_LEVEL(sgd)(float *weight, const float *gradient, float *momentum, int64_t n, const rung_sgd_step *step) {
  for (int64_t i = 0; i < n; i++) {
    float g = fmaf(step->weight_decay, weight[i], gradient[i] * step->gradient_scale);
    if (step->momentum != 0.0f) {
      momentum[i] = flush(fmaf(step->momentum, momentum[i], g));
      g = step->nesterov ? fmaf(step->momentum, momentum[i], g) : momentum[i];
    }
    weight[i] = fmaf(-step->rate, g, weight[i]);
  }
}

/* torch.optim.Adam and AdamW: w -= rate m' / (sqrt(v') + epsilon), m' and v' the moments corrected for their start at
 * 0; AdamW first takes w -= rate decay w. */
void RUNG_AT_LEVEL(adam)(float *weight, const float *gradient, float *moment1, float *moment2, int64_t n,
                         const rung_adam_step *step) {
  for (int64_t i = 0; i < n; i++) {
    float w = weight[i];
    float g = fmaf(step->weight_decay, w, gradient[i] * step->gradient_scale);
    float m = flush(fmaf(step->beta1, moment1[i], (1.0f - step->beta1) * g));
    float v = flush(fmaf(step->beta2, moment2[i], (1.0f - step->beta2) * g * g));
    float denominator = sqrtf(v * step->correction2) + step->epsilon;
    w = fmaf(-(step->rate * step->decoupled_decay), w, w);
    weight[i] = fmaf(-(step->rate * step->correction1), m / denominator, w);
    moment1[i] = m;
    moment2[i] = v;
  }
}
