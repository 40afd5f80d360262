/* The integer operations, among themselves. */
#ifndef RUNG_QUANTIZED_OPS_H
#define RUNG_QUANTIZED_OPS_H

#include "../oscillation.h"

extern const rung_op quantized_linear_op, quantize_op;
/* Makes the integer copy from the shadows again at the next replay. */
void quantized_linear_refresh(rung_node *node);
/* Makes it now, this member's part. */
void quantized_linear_make(rung_node *node, const rung_replay *replay);
/* Begins to watch which of its integers, which are made, oscillate. */
rung_status quantized_linear_watch(rung_node *node, const rung_oscillation_options *now);
const oscillation *quantized_linear_oscillation(const rung_node *node); /* NULL: not watched */

/* In merged_linear.c, as the three above. */
extern const rung_op merged_linear_op;
void merged_linear_refresh(rung_node *node);
void merged_linear_make(rung_node *node, const rung_replay *replay);
/* The quantized_linear that gives it accumulators. */
const rung_node *merged_linear_source(const rung_node *node);
/* What rung_integer_layer_view tells of its output and weights; false where they are stale. */
bool merged_linear_view(const rung_node *node, rung_integer_layer *layer);

/* The integers pass unchanged. */
extern const rung_op quantized_reshape_op, quantized_dropout_op;
rung_node *quantized_reshape(rung_node *x, rung_shape example);
rung_node *quantized_dropout(rung_node *x, float probability);

/* In requantize_input.c. */
const rung_quantizer *requantized_by(const rung_node *node);
/* Scale and zero point for all that integers of a type can be, rescaled (`rescale` may be NULL): of `bits` bits, signed
 * and symmetric where that has negative numbers. NULL with a message. */
rung_quantizer *requantize_input_grid(const rung_tensor *integers, const rung_node *rescale, int bits,
                                      const char *name);

/* What made the integers of a node's value; NULL where they came as such, or it has none. */
const rung_quantizer *quantized_by(const rung_node *node);
/* The integers that a node's value can hold: its quantizer's range, or its type's. */
void quantized_range(const rung_node *node, int32_t *qmin, int32_t *qmax);

#endif
