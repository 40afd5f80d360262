/* The history of a model from the inside. */
#ifndef RUNG_HISTORY_H
#define RUNG_HISTORY_H

#include "model.h"

/* Room for `more` epochs, so that adding them takes no memory. */
rung_status history_reserve(rung_model *model, int more);
/* The epoch that `progress` ends; there is room. */
void history_add(rung_model *model, const rung_progress *progress);

#endif
