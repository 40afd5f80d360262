/* Copies of a model, whole or without some rows and columns of its parameters. */
#ifndef RUNG_COPY_H
#define RUNG_COPY_H

#include "model.h"

/* What stays of each parameter, by its index in the graph: 1 where the row (the first extent) or the column (the
 * second) stays. NULL: all of them. */
typedef struct copy_selection {
  const uint8_t **rows, **columns;
} copy_selection;

/* rung_model_copy of what is selected (NULL: all). What is left must fit together. */
rung_model *model_copy(const rung_model *model, const rung_model_options *options, const copy_selection *selection);

#endif
