/* quantized_reshape and quantized_dropout: operations that integers pass without arithmetic, x [n, ...].
 *
 * reshape   q_y = q_x, s_y = s_x, z_y = z_x; dx = dy. The value is the input's memory.
 * dropout   in training, with keep-probability 1 - p: q_y = q_x where kept, z_x where dropped (the real 0), and the
 *           1 / (1 - p) goes into the scale, s_y = s_x / (1 - p): no integer changes. Otherwise as reshape.
 *           dx = dy / (1 - p) where kept, else 0. */
#include "quantized_ops.h"

#include <math.h>

typedef struct pass_attributes {
  rung_shape example;
  float probability;
} pass_attributes;

typedef struct dropout_state {
  void *own;     /* [batch, ...], the dropped integers */
  uint8_t *mask; /* one bit an element: kept */
} dropout_state;

static rung_status infer_pass(rung_node *node) {
  const rung_node *x = node->input[0];
  const pass_attributes *attributes = node->attributes;
  if (x->value.type != RUNG_U8 && x->value.type != RUNG_I8)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: '%s' is %s, expected u8 or i8", node->op->name, x->name,
                     rung_dtype_name(x->value.type));
  node->value = x->value;
  if (attributes->example.rank == 0) return RUNG_OK;
  rung_shape *shape = &node->value.shape;
  *shape = (rung_shape){.rank = attributes->example.rank + 1, .extent = {x->value.shape.extent[0]}};
  for (int i = 0; i < attributes->example.rank; i++) shape->extent[i + 1] = attributes->example.extent[i];
  return RUNG_OK;
}

static void prepare_reshape(rung_node *node, const rung_replay *replay) {
  (void)replay;
  const rung_tensor *x = &node->input[0]->value;
  node->value.type = x->type;
  node->value.data = x->data;
  node->value.scale = x->scale;
  node->value.zero_point = x->zero_point;
}

/* The scale may have moved with this very batch (current ranges); readers wait for the whole of this node. */
static void forward_reshape(rung_node *node, const rung_replay *replay) {
  if (replay->ith == 0) prepare_reshape(node, replay);
}

static void backward_reshape(rung_node *node, const rung_replay *replay) {
  rung_node *x = node->input[0];
  if (!rung_node_wants_gradient(x)) return;
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  rung_kernels_active()->scale_add((float *)x->gradient.data + begin, (const float *)node->gradient.data + begin, 1,
                                   end - begin, node->accumulate[0]);
}

const rung_op quantized_reshape_op = {.name = "quantized_reshape",
                                      .input_count = 1,
                                      .infer = infer_pass,
                                      .prepare = prepare_reshape,
                                      .forward = forward_reshape,
                                      .backward = backward_reshape,
                                      .reads_integers = true};

static rung_status infer_dropout(rung_node *node) {
  rung_status status = infer_pass(node);
  if (status != RUNG_OK) return status;
  size_t count = (size_t)rung_tensor_count(&node->value);
  dropout_state *state = node->state = rung_node_allocate(node, 1, sizeof *state);
  if (!state) return RUNG_ERROR_MEMORY;
  state->own = rung_node_allocate(node, count, 1);
  state->mask = rung_node_allocate(node, (count + 7) / 8, 1);
  return state->own && state->mask ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static void prepare_dropout(rung_node *node, const rung_replay *replay) {
  prepare_reshape(node, replay);
  if (!replay->drops) return;
  node->value.data = ((const dropout_state *)node->state)->own;
  node->value.scale /= 1 - ((const pass_attributes *)node->attributes)->probability;
}

/* Element i is kept where the i-th number of this node's and step's stream is not below p: what that makes of elements
 * i .. i + 7, of which there are `count`. */
static uint8_t drop_eight(const rung_rng *rng, uint32_t limit, int64_t i, int64_t count, const uint8_t *x, uint8_t zero,
                          uint8_t *y) {
  uint32_t random[8];
  rung_rng_block(rng, (uint64_t)(i / 4), random);
  rung_rng_block(rng, (uint64_t)(i / 4 + 1), random + 4);
  unsigned bits = 0;
  for (int k = 0; k < 8; k++) bits |= (unsigned)(random[k] >= limit) << k;
  for (int64_t k = 0; k < count; k++) y[k] = bits >> k & 1 ? x[k] : zero;
  return (uint8_t)bits;
}

static void forward_dropout(rung_node *node, const rung_replay *replay) {
  if (replay->ith == 0) prepare_dropout(node, replay);
  if (!replay->drops) return;
  const dropout_state *state = node->state;
  const rung_tensor *x = &node->input[0]->value;
  const rung_rng parent = rung_graph_rng(node->graph), stream = rung_rng_split(&parent, (uint64_t)node->index);
  const rung_rng rng = rung_rng_split(&stream, replay->step);
  const uint32_t limit = (uint32_t)ceil(((const pass_attributes *)node->attributes)->probability * 0x1p32);
  const uint8_t *from = x->data, zero = (uint8_t)x->zero_point;
  uint8_t *to = state->own;
  int64_t begin, end, i;
  rung_node_slice(node, replay, &begin, &end);
  for (i = begin; i + 8 <= end; i += 8) state->mask[i / 8] = drop_eight(&rng, limit, i, 8, from + i, zero, to + i);
  if (i < end) state->mask[i / 8] = drop_eight(&rng, limit, i, end - i, from + i, zero, to + i);
}

static void backward_dropout(rung_node *node, const rung_replay *replay) {
  rung_node *x = node->input[0];
  if (!rung_node_wants_gradient(x)) return;
  if (!replay->drops) {
    backward_reshape(node, replay);
    return;
  }
  const dropout_state *state = node->state;
  const rung_kernels *kernels = rung_kernels_active();
  float *dy = node->gradient.data, *dx = x->gradient.data;
  float gain = 1 / (1 - ((const pass_attributes *)node->attributes)->probability);
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  kernels->mask_apply(dy + begin, dy + begin, state->mask + begin / 8, end - begin, false);
  kernels->scale_add(dx + begin, dy + begin, gain, end - begin, node->accumulate[0]);
}

const rung_op quantized_dropout_op = {.name = "quantized_dropout",
                                      .input_count = 1,
                                      .infer = infer_dropout,
                                      .prepare = prepare_dropout,
                                      .forward = forward_dropout,
                                      .backward = backward_dropout,
                                      .reads_integers = true};

static rung_node *record_pass(const rung_op *op, rung_node *x, const pass_attributes *attributes) {
  return rung_record(op, (rung_node *[]){x}, attributes, sizeof *attributes);
}

rung_node *quantized_reshape(rung_node *x, rung_shape example) {
  return record_pass(&quantized_reshape_op, x, &(pass_attributes){.example = example});
}

rung_node *quantized_dropout(rung_node *x, float probability) {
  return record_pass(&quantized_dropout_op, x, &(pass_attributes){.probability = probability});
}

bool rung_node_passes_integers(const rung_node *node) {
  return node->op == &quantized_reshape_op || node->op == &quantized_dropout_op;
}
