/* The teacher of a fit: what it says to every example, once and for all. It is in evaluation form, and examples do not
 * change from epoch to epoch, so that asking it again would give the same bits for more time. */
#ifndef RUNG_TEACHER_H
#define RUNG_TEACHER_H

#include "model.h"

typedef struct teacher {
  float *logits; /* [examples, classes]; NULL: there is no teacher */
  uint64_t hash; /* FNV-1a of the bits of all logits; 0 without a teacher */
} teacher;

/* The fit's options with the defaults of distillation filled in. */
rung_fit_options teacher_with_defaults(const rung_fit_options *options);
/* Asks the teacher of `options` (defaults filled in), if there is one, about all of the dataset. */
rung_status teacher_ask(teacher *self, const rung_model *student, const rung_dataset *dataset,
                        const rung_fit_options *options);
/* From here on the student's loss, in its present form, listens to it; and no more. */
rung_status teacher_begin(const teacher *self, const rung_model *student, const rung_dataset *dataset,
                          const rung_fit_options *options);
void teacher_end(teacher *self, const rung_model *student);

#endif
