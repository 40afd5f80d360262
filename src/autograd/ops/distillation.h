/* What a cross entropy learns from beside its labels, while it has a teacher. */
#ifndef RUNG_OPS_DISTILLATION_H
#define RUNG_OPS_DISTILLATION_H

#include "loss.h"

/* Turns the losses and slopes of rows begin .. end-1, whose labels are good, into those of a distillation. */
void distillation_rows(const rung_node *cross_entropy, int64_t begin, int64_t end);

#endif
