/* Pruning, as the options describe it. */
#ifndef CLI_PRUNING_H
#define CLI_PRUNING_H

#include "session.h"

/* --prune-method, --prune-epochs and --prune go together. */
rung_status pruning_check(const session *asked);

/* What a fit of `model` on `examples` examples is to prune; zero if nothing. The options are checked. */
rung_prune_schedule pruning_schedule(const session *asked, const rung_model *model, int64_t examples);

/* In place of a model that was trained with --prune-method neurons, the one without them. */
rung_status pruning_remove(const session *asked, rung_model **model);

/* How many weights are pruned, as a line and as JSON; nothing if none is. */
void pruning_tell(session *asked, const rung_model *model);

#endif
