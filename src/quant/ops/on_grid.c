#include "on_grid.h"

rung_status on_grid_infer(rung_node *node) {
  rung_status status = observing_check(node);
  if (status != RUNG_OK) return status;
  node->value.shape = node->input[x_input]->value.shape;
  on_grid_state *state = node->state = rung_node_allocate(node, 1, sizeof *state);
  if (!state) return RUNG_ERROR_MEMORY;
  rung_quantizer *quantizer = ((const observing *)node->attributes)->quantizer;
  status = learned_plan(&state->learned, node, parameter_input, quantizer, learned_blocks(node));
  if (status != RUNG_OK || state->learned.node || !rung_node_wants_gradient(node->input[x_input])) return status;
  state->mask = rung_node_allocate(node, (size_t)(rung_tensor_count(&node->value) + 7) / 8, 1);
  return state->mask ? RUNG_OK : RUNG_ERROR_MEMORY;
}

void on_grid_prepare(rung_node *node, const rung_replay *replay) {
  learned_begin(&((on_grid_state *)node->state)->learned, replay);
}

void on_grid_backward(rung_node *node, const rung_replay *replay) {
  rung_node *x = node->input[x_input];
  on_grid_state *state = node->state;
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  if (state->learned.node) {
    learned_pass(&state->learned, replay);
  } else if (rung_node_wants_gradient(x)) {
    rung_kernels_active()->mask_apply((float *)x->gradient.data + begin, (const float *)node->gradient.data + begin,
                                      state->mask + begin / 8, end - begin, node->accumulate[x_input]);
  }
}

void on_grid_backward_weights(rung_node *node, const rung_replay *replay) {
  learned_hand_over(&((on_grid_state *)node->state)->learned, replay, learned_blocks(node));
}

void on_grid_settle(rung_node *node, const rung_replay *replay) {
  observing_settle(node, replay);
  learned_settle(&((on_grid_state *)node->state)->learned);
}
