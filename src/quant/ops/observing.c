#include "observing.h"

static void observe(const rung_node *node) {
  const observing *attributes = node->attributes;
  const rung_tensor *x = &node->input[0]->value;
  (void)rung_quantizer_observe(attributes->quantizer, x->data, rung_tensor_count(x));
}

enum { HISTOGRAM_STEPS = 8 };

bool observing_is_due(const rung_quantizer *quantizer, rung_ranges ranges, const rung_replay *replay) {
  if (!replay->training || quantizer->state == RUNG_QUANTIZER_FROZEN) return false;
  if (quantizer->method != RUNG_ACTIVATIONS_OBSERVED) return false;
  return ranges == RUNG_RANGES_CURRENT || rung_observer_needs_range_only(quantizer->observer) ||
         replay->step % HISTOGRAM_STEPS == 0;
}

rung_status observing_check(const rung_node *node) {
  const observing *attributes = node->attributes;
  const rung_node *x = node->input[0];
  if (!attributes->quantizer) return rung_fail(RUNG_ERROR_ARGUMENT, "%s: no quantizer", node->name);
  if (x->value.type != RUNG_F32)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: '%s' is %s, expected f32", node->name, x->name,
                     rung_dtype_name(x->value.type));
  return RUNG_OK;
}

bool observing_forward(const rung_node *node, const rung_replay *replay) {
  const observing *attributes = node->attributes;
  if (attributes->ranges != RUNG_RANGES_CURRENT) return false;
  if (!observing_is_due(attributes->quantizer, attributes->ranges, replay)) return false;
  rung_team_barrier(replay->team);
  if (replay->ith == 0) observe(node);
  rung_team_barrier(replay->team);
  return true;
}

void observing_settle(rung_node *node, const rung_replay *replay) {
  const observing *attributes = node->attributes;
  if (attributes->ranges == RUNG_RANGES_DELAYED && observing_is_due(attributes->quantizer, attributes->ranges, replay))
    observe(node);
}
