#include "pruning.h"

#include "json.h"

#include <inttypes.h>

static rung_prune_options options_of(const session *asked) {
  rung_prune_options how = {.sparsity = REAL_OF(asked, PRUNE)};
  rung_prune_parse(TEXT_OF(asked, PRUNE_METHOD), &how);
  return how;
}

rung_status pruning_check(const session *asked) {
  rung_prune_options how;
  const char *method = TEXT_OF(asked, PRUNE_METHOD);
  if (rung_prune_parse(method, &how) != RUNG_OK) return rung_fail(RUNG_ERROR_ARGUMENT, "--%s", rung_error());
  const bool by_count = how.method == RUNG_PRUNE_N_M;
  if (by_count && (GIVEN(asked, PRUNE) || GIVEN(asked, PRUNE_EPOCHS)))
    return rung_fail(RUNG_ERROR_ARGUMENT, "--%s: not with --prune-method %s, which says how much, and prunes at once",
                     GIVEN(asked, PRUNE) ? "prune" : "prune-epochs", method);
  if (!by_count && !GIVEN(asked, PRUNE) && (GIVEN(asked, PRUNE_METHOD) || GIVEN(asked, PRUNE_EPOCHS)))
    return rung_fail(RUNG_ERROR_ARGUMENT, "--%s: goes with --prune only",
                     GIVEN(asked, PRUNE_METHOD) ? "prune-method" : "prune-epochs");
  if (GIVEN(asked, PRUNE_EPOCHS) && WHOLE_OF(asked, PRUNE_EPOCHS) >= WHOLE_OF(asked, EPOCHS))
    return rung_fail(RUNG_ERROR_ARGUMENT, "--prune-epochs %" PRId64 ": expected fewer than --epochs, %" PRId64,
                     WHOLE_OF(asked, PRUNE_EPOCHS), WHOLE_OF(asked, EPOCHS));
  return RUNG_OK;
}

rung_prune_schedule pruning_schedule(const session *asked, const rung_model *model, int64_t examples) {
  rung_prune_schedule by = {.to = options_of(asked)};
  const int64_t batch = rung_graph_batch(rung_model_graph(model)), epochs = WHOLE_OF(asked, PRUNE_EPOCHS);
  by.steps = epochs * ((examples + batch - 1) / batch);
  if (GIVEN(asked, PRUNE_EPOCHS) && epochs == 0) by.initial = by.to.sparsity;
  return by;
}

rung_status pruning_remove(const session *asked, rung_model **model) {
  const rung_prune_method method = options_of(asked).method;
  const bool neurons = method == RUNG_PRUNE_NEURONS || method == RUNG_PRUNE_NEURONS_PER_LAYER;
  if (!GIVEN(asked, PRUNE) || !neurons) return RUNG_OK;
  rung_model *smaller = rung_model_without_pruned(*model, NULL);
  if (!smaller) return rung_error_status();
  rung_model_free(*model);
  *model = smaller;
  return RUNG_OK;
}

void pruning_tell(session *asked, const rung_model *model) {
  int64_t weights;
  const int64_t pruned = rung_model_pruned(model, &weights);
  if (pruned == 0) return;
  report_say(&asked->report, "pruned: %" PRId64 " of %" PRId64 " weights (%.2f %%)\n", pruned, weights,
             100 * (double)pruned / (double)weights);
  json_whole(asked->report.object, "pruned", pruned);
  json_number(asked->report.object, "sparsity", (double)pruned / (double)weights);
}
