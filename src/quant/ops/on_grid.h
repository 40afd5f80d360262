/* What fake_quantize and quantize share: f32 activations in, on their grid out, and the gradient through that, by a
 * mask or, where the scale is learned, as its method has it (qat/). */
#ifndef RUNG_ON_GRID_H
#define RUNG_ON_GRID_H

#include "learned_scale.h"
#include "observing.h"

enum { x_input, parameter_input };

typedef struct on_grid_state {
  uint8_t *mask; /* a bit an element; NULL: x wants no gradient, or the scale is learned */
  learned_scale learned;
} on_grid_state;

/* Checks the operands; sets the shape, and the state, whose mask the forward pass fills. */
rung_status on_grid_infer(rung_node *node);
void on_grid_prepare(rung_node *node, const rung_replay *replay);
void on_grid_backward(rung_node *node, const rung_replay *replay);
void on_grid_backward_weights(rung_node *node, const rung_replay *replay);
void on_grid_settle(rung_node *node, const rung_replay *replay);

#endif
