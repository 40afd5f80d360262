/* Where data and parameters enter a graph: ops without inputs. */
#include "graph.h"

#include <string.h>

enum { PREFETCHED = 4 }; /* examples */

/* An input, label or target: rows of a bound source, gathered into the node's own memory, or borrowed where they lie in
 * order and need no conversion. */
typedef struct input_state {
  rung_tensor source; /* data NULL: not bound */
  void *own;          /* [batch, ...] of the widest representation */
  bool in_place;      /* this replay reads the source itself */
  int64_t row;        /* elements of an example */
} input_state;

typedef struct leaf_attributes {
  rung_shape shape;
  rung_dtype type;
} leaf_attributes;

static rung_status infer_input(rung_node *node) {
  const leaf_attributes *attributes = node->attributes;
  if (attributes->shape.rank + 1 > RUNG_MAX_RANK)
    return rung_fail(RUNG_ERROR_SHAPE, "%s: an example has rank %d, expected at most %d", node->name,
                     attributes->shape.rank, RUNG_MAX_RANK - 1);
  node->batched = true;
  node->value.type = attributes->type;
  node->value.shape = (rung_shape){.rank = attributes->shape.rank + 1, .extent = {node->graph->batch}};
  for (int i = 0; i < attributes->shape.rank; i++) node->value.shape.extent[i + 1] = attributes->shape.extent[i];
  int64_t count;
  rung_status status = rung_shape_count(&node->value.shape, &count);
  if (status != RUNG_OK) return status;
  input_state *state = node->state = rung_node_allocate(node, 1, sizeof *state);
  if (!state) return RUNG_ERROR_MEMORY;
  state->row = count / node->graph->batch;
  state->own = node->value.data = rung_node_allocate(node, (size_t)count, rung_dtype_size(attributes->type));
  return state->own ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static void dequantize(float *to, const rung_tensor *source, int64_t offset, int64_t n) {
  const rung_kernels *kernels = rung_kernels_active();
  if (source->type == RUNG_U8)
    kernels->dequantize_u8(to, (const uint8_t *)source->data + offset, n, source->scale, source->zero_point);
  else
    kernels->dequantize_i8(to, (const int8_t *)source->data + offset, n, source->scale, source->zero_point);
}

/* Where example i of this replay lies in the source, in elements. */
static int64_t source_offset(const input_state *state, const rung_replay_options *options, int64_t i) {
  return (options->rows ? options->rows[options->first + i] : options->first + i) * state->row;
}

/* Examples drawn at random lie where no hardware looks ahead: their lines are asked for some examples early. */
static void prefetch(const input_state *state, int64_t offset) {
  const char *from = (const char *)state->source.data + (size_t)offset * rung_dtype_size(state->source.type);
  for (size_t i = 0; i < (size_t)state->row * rung_dtype_size(state->source.type); i += RUNG_ALIGNMENT)
    __builtin_prefetch(from + i);
}

static void forward_input(rung_node *node, const rung_replay *replay) {
  const input_state *state = node->state;
  if (state->in_place) return;
  const rung_replay_options *options = node->graph->current;
  size_t size = rung_dtype_size(node->value.type);
  int64_t begin, end;
  rung_slice(options->count, 1, replay->ith, replay->nth, &begin, &end);
  for (int64_t i = begin; i < end; i++) {
    if (i + PREFETCHED < end) prefetch(state, source_offset(state, options, i + PREFETCHED));
    int64_t offset = source_offset(state, options, i);
    char *to = (char *)state->own + (size_t)(i * state->row) * size;
    if (node->value.type == state->source.type)
      memcpy(to, (const char *)state->source.data + (size_t)offset * size, (size_t)state->row * size);
    else
      dequantize((float *)(void *)to, &state->source, offset, state->row);
  }
}

static const rung_op input_op = {.name = "input", .infer = infer_input, .forward = forward_input};

static rung_status infer_parameter(rung_node *node) {
  const leaf_attributes *attributes = node->attributes;
  node->value.type = RUNG_F32;
  node->value.shape = attributes->shape;
  node->trainable = true;
  return RUNG_OK;
}

static void forward_parameter(rung_node *node, const rung_replay *replay) {
  (void)node;
  (void)replay;
}

static const rung_op parameter_op = {.name = "parameter", .infer = infer_parameter, .forward = forward_parameter};

static rung_status infer_shared(rung_node *node) {
  const rung_node *original = *(rung_node *const *)node->attributes;
  node->value = original->value;
  node->gradient = original->gradient;
  node->trainable = original->trainable;
  node->undecayed = original->undecayed;
  return RUNG_OK;
}

static const rung_op shared_op = {.name = "parameter", .infer = infer_shared, .forward = forward_parameter};

bool leaf_is_input(const rung_node *node) {
  return node->op == &input_op;
}
bool leaf_is_parameter(const rung_node *node) {
  return node->op == &parameter_op || node->op == &shared_op;
}
bool rung_node_is_parameter(const rung_node *node) {
  return leaf_is_parameter(node);
}
bool rung_node_is_input(const rung_node *node) {
  return leaf_is_input(node);
}

rung_node *rung_graph_input(rung_graph *graph, const char *name, rung_shape shape) {
  leaf_attributes attributes = {.shape = shape, .type = RUNG_F32};
  return rung_record_leaf(graph, &input_op, name, &attributes, sizeof attributes);
}

rung_node *rung_graph_label(rung_graph *graph, const char *name) {
  leaf_attributes attributes = {.type = RUNG_I32};
  return rung_record_leaf(graph, &input_op, name, &attributes, sizeof attributes);
}

rung_node *rung_graph_parameter(rung_graph *graph, const char *name, rung_shape shape) {
  leaf_attributes attributes = {.shape = shape};
  return rung_record_leaf(graph, &parameter_op, name, &attributes, sizeof attributes);
}

rung_node *rung_graph_share(rung_graph *graph, rung_node *parameter) {
  if (!graph || !parameter) return NULL;
  rung_node *existing = rung_graph_find(graph, parameter->name);
  if (existing && existing->value.data == parameter->value.data) return existing;
  return rung_record_leaf(graph, &shared_op, parameter->name, &parameter, sizeof(rung_node *));
}

void rung_node_set_trainable(rung_node *parameter, bool trainable) {
  if (!parameter || !leaf_is_parameter(parameter)) return;
  parameter->trainable = trainable;
  parameter->graph->planned = -1;
}

void rung_node_set_decays(rung_node *parameter, bool decays) {
  if (parameter && leaf_is_parameter(parameter)) parameter->undecayed = !decays;
}

static rung_status bind_mismatch(const rung_node *leaf, const rung_tensor *source) {
  char have[RUNG_SHAPE_TEXT], want[RUNG_SHAPE_TEXT];
  return rung_fail(RUNG_ERROR_SHAPE, "%s: the data is %s %s, the network wants %s %s (the first extent is free)",
                   leaf->name, rung_dtype_name(source->type), rung_shape_format(&source->shape, have, sizeof have),
                   leaf->value.type == RUNG_I32 ? "i32" : "f32",
                   rung_shape_format(&leaf->value.shape, want, sizeof want));
}

rung_status rung_graph_bind(rung_node *leaf, const rung_tensor *source) {
  if (!leaf || !leaf_is_input(leaf))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: not an input, label or target", leaf ? leaf->name : "bind");
  int64_t count;
  rung_status status = rung_shape_count(&source->shape, &count);
  if (status != RUNG_OK) return status;
  input_state *state = leaf->state;
  bool label = ((const leaf_attributes *)leaf->attributes)->type == RUNG_I32;
  bool fits =
      label ? source->type == RUNG_I32 : source->type == RUNG_F32 || source->type == RUNG_U8 || source->type == RUNG_I8;
  if (!fits || source->shape.rank < 1 || count / source->shape.extent[0] != state->row)
    return bind_mismatch(leaf, source);
  state->source = *source;
  leaf->graph->planned = -1; /* whether the input stays in integers depends on the source */
  return RUNG_OK;
}

const rung_tensor *rung_graph_bound(const rung_node *leaf) {
  if (!leaf_is_input(leaf)) return NULL;
  const input_state *state = leaf->state;
  return state->source.data ? &state->source : NULL;
}

rung_status leaf_settle_type(rung_node *node, bool integers_welcome) {
  input_state *state = node->state;
  const leaf_attributes *attributes = node->attributes;
  bool stays = integers_welcome && state->source.data && state->source.type != RUNG_F32;
  node->value.type = attributes->type == RUNG_F32 && stays ? state->source.type : attributes->type;
  node->value.scale = state->source.scale;
  node->value.zero_point = state->source.zero_point;
  return RUNG_OK;
}

rung_status leaf_prepare(rung_node *node, const rung_replay_options *options) {
  input_state *state = node->state;
  if (!state->source.data) return rung_fail(RUNG_ERROR_STATE, "%s: no data is bound to it", node->name);
  int64_t have = state->source.shape.extent[0];
  if (!options->rows && (options->first < 0 || options->first > have - options->count))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: examples %lld..%lld asked for, the data has %lld", node->name,
                     (long long)options->first, (long long)(options->first + options->count - 1), (long long)have);
  for (int64_t i = 0; options->rows && i < options->count; i++)
    if (options->rows[options->first + i] >= have)
      return rung_fail(RUNG_ERROR_ARGUMENT, "%s: example %u asked for, the data has %lld", node->name,
                       options->rows[options->first + i], (long long)have);
  state->in_place = !options->rows && node->value.type == state->source.type;
  size_t offset = (size_t)(options->first * state->row) * rung_dtype_size(node->value.type);
  node->value.data = state->in_place ? (char *)state->source.data + offset : state->own;
  return RUNG_OK;
}
