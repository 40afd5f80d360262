/* What Adam and AdamW share: all but where the weight decay goes. */
#ifndef RUNG_ADAM_H
#define RUNG_ADAM_H

#include "optimizer.h"

static inline rung_adam_step adam_step(const optimizer_step *step) {
  return (rung_adam_step){.rate = step->rate,
                          .beta1 = step->options->momentum,
                          .beta2 = step->options->beta2,
                          .epsilon = step->options->epsilon,
                          .correction1 = (float)(1 / (1 - step->beta1_power)),
                          .correction2 = (float)(1 / (1 - step->beta2_power)),
                          .gradient_scale = step->gradient_scale};
}

#endif
