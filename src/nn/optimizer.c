/* What all optimizers share: options and their defaults, state, clipping, and the split over the team.
 *
 * Clipping needs the 2-norm of all gradients together. Its squares are summed in chunks of a fixed size, which the
 * members share out, and every member then adds up all chunks in order: the same bits for any size of team.
 *
 * Where a slot is quantized, the weights of a block share a scale and are moved together. Gradients come by the rows of
 * the weight; where those would cut a block, the gradient is stored, and the weight moved after the backward pass. */
#include "optimizer.h"
#include "schedule.h"

#include <math.h>

enum { CHUNK = 4096 };
#define GRAIN (RUNG_ALIGNMENT / (int64_t)sizeof(float)) /* no cache line is written by two members */

typedef struct target {
  const rung_node *parameter;
  float *weight;
  float *gradient;
  const uint8_t *keep; /* NULL: all */
  optimizer_state slot[OPTIMIZER_MAX_SLOTS];
  int64_t count;
  bool quantized;
  bool whole; /* gradients that come by rows hold whole blocks */
} target;

struct optimizer {
  const optimizer_kind *kind;
  rung_fit_options options; /* the defaults filled in */
  rung_fit_options bare;    /* the same without weight decay */
  rung_team *team;
  optimizer_step step;
  target *targets;
  int target_count;
  target **of_node; /* [nodes of the graph]; NULL where not trained */
  char *state;
  rung_dynamic_map map[OPTIMIZER_MAX_SLOTS];
  float *squares; /* [chunk_count]: each chunk's sum of squares */
  int64_t chunk_count;
};

#define OPTIMIZER_ENTRY(kind, structure) [kind] = &structure,
static const optimizer_kind *const kinds[RUNG_OPTIMIZER_KIND_COUNT] = {OPTIMIZER_LIST(OPTIMIZER_ENTRY)};

const char *rung_optimizer_name(rung_optimizer_kind kind) {
  return (int)kind >= 0 && kind < RUNG_OPTIMIZER_KIND_COUNT ? kinds[kind]->name : "unknown";
}

/* ---- Options ---------------------------------------------------------------------------------------------------- */

static rung_status check_range(const char *name, float value, float below) {
  if (value >= 0 && value < below) return RUNG_OK;
  if (isinf(below))
    return rung_fail(RUNG_ERROR_ARGUMENT, "fit: %s %g, expected a number that is 0 or more", name, (double)value);
  return rung_fail(RUNG_ERROR_ARGUMENT, "fit: %s %g, expected 0 or more and less than %g", name, (double)value,
                   (double)below);
}

static rung_status check_options(const rung_fit_options *options) {
  if ((int)options->optimizer < 0 || options->optimizer >= RUNG_OPTIMIZER_KIND_COUNT)
    return rung_fail(RUNG_ERROR_ARGUMENT, "fit: optimizer %d, expected 0 .. %d", (int)options->optimizer,
                     RUNG_OPTIMIZER_KIND_COUNT - 1);
  const struct {
    const char *name;
    float value, below;
  } ranges[] = {{"momentum", options->momentum, 1},
                {"beta2", options->beta2, 1},
                {"epsilon", options->epsilon, INFINITY},
                {"weight_decay", options->weight_decay, INFINITY},
                {"clip_norm", options->clip_norm, INFINITY}};
  for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
    rung_status status = check_range(ranges[i].name, ranges[i].value, ranges[i].below);
    if (status != RUNG_OK) return status;
  }
  if (options->nesterov && (options->optimizer != RUNG_OPTIMIZER_SGD || options->momentum == 0))
    return rung_fail(RUNG_ERROR_ARGUMENT, "fit: nesterov with %s and momentum %g, expected sgd and a momentum above 0",
                     rung_optimizer_name(options->optimizer), (double)options->momentum);
  return schedule_check(&options->schedule);
}

rung_fit_options optimizer_with_defaults(const rung_fit_options *options) {
  rung_fit_options filled = *options;
  if (options->momentum == 0 && options->optimizer != RUNG_OPTIMIZER_SGD) filled.momentum = 0.9f;
  if (options->beta2 == 0) filled.beta2 = 0.999f;
  if (options->epsilon == 0) filled.epsilon = 1e-8f;
  return filled;
}

/* ---- State ------------------------------------------------------------------------------------------------------ */

static bool is_trained(const rung_node *node) {
  return rung_node_is_parameter(node) && rung_node_wants_gradient(node);
}

static int64_t chunks_of(int64_t count) {
  return count / CHUNK + (count % CHUNK != 0);
}

static int64_t blocks_of(int64_t count) {
  return count / RUNG_DYNAMIC_BLOCK + (count % RUNG_DYNAMIC_BLOCK != 0);
}

static bool is_quantized(const optimizer *self, int64_t count) {
  return self->kind->quantized_from > 0 && count >= self->kind->quantized_from;
}

/* Each array starts on a cache line. The sizes fit: the weight, which is as large, is in memory. */
static size_t padded(size_t bytes) {
  return (bytes + RUNG_ALIGNMENT - 1) / RUNG_ALIGNMENT * RUNG_ALIGNMENT;
}

static void *carve(char **memory, size_t bytes) {
  void *piece = *memory;
  *memory += padded(bytes);
  return piece;
}

/* Bytes of a parameter's slots. */
static size_t state_bytes(const optimizer *self, int64_t count) {
  const size_t blocks = (size_t)blocks_of(count), slots = (size_t)self->kind->slots;
  if (!is_quantized(self, count)) return slots * padded((size_t)count * sizeof(float));
  return slots * (padded((size_t)count) + padded(blocks * sizeof(float)));
}

static rung_status allocate(optimizer *self, const rung_graph *graph) {
  size_t bytes = 0;
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (!is_trained(node)) continue;
    int64_t count = rung_tensor_count(&node->value);
    self->target_count++;
    self->chunk_count += chunks_of(count);
    if (!rung_size_add(bytes, state_bytes(self, count), &bytes))
      return rung_fail(RUNG_ERROR_MEMORY, "fit: the size of the optimizer's state overflows");
  }
  if (self->target_count == 0)
    return rung_fail(RUNG_ERROR_STATE, "fit: nothing to train: the network has no trainable parameter");
  self->targets = rung_allocate((size_t)self->target_count * sizeof(target));
  self->of_node = rung_allocate((size_t)rung_graph_node_count(graph) * sizeof *self->of_node);
  self->state = rung_allocate(bytes);
  self->squares = rung_allocate((size_t)self->chunk_count * sizeof(float));
  return self->targets && self->of_node && self->state && self->squares ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static void assign_slots(const optimizer *self, target *to, char **memory) {
  const size_t count = (size_t)to->count, blocks = (size_t)blocks_of(to->count);
  for (int k = 0; k < self->kind->slots; k++) {
    optimizer_state *slot = &to->slot[k];
    if (to->quantized) {
      slot->code = carve(memory, count);
      slot->absmax = carve(memory, blocks * sizeof(float));
    } else {
      slot->value = carve(memory, count * sizeof(float));
    }
  }
}

/* Rows come RUNG_GEMM_GRAIN at a time; what is no matrix comes in pieces of other sizes. */
static bool rows_hold_blocks(const rung_tensor *weight) {
  return weight->shape.rank == 2 && RUNG_GEMM_GRAIN * weight->shape.extent[1] % RUNG_DYNAMIC_BLOCK == 0;
}

static void assign(optimizer *self, const rung_graph *graph) {
  target *next = self->targets;
  char *memory = self->state;
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (!is_trained(node)) continue;
    *next = (target){.parameter = node,
                     .weight = node->value.data,
                     .gradient = node->gradient.data,
                     .count = rung_tensor_count(&node->value)};
    next->quantized = is_quantized(self, next->count);
    next->whole = !next->quantized || rows_hold_blocks(&node->value);
    assign_slots(self, next, &memory);
    self->of_node[i] = next++;
  }
}

/* What the codes of quantized slots stand for. A scale of 0 makes any code 0. */
static void make_maps(optimizer *self) {
  if (self->kind->quantized_from == 0) return;
  for (int k = 0; k < self->kind->slots; k++) rung_dynamic_map_make(&self->map[k], self->kind->slot[k].is_signed);
  self->step.map = self->map;
}

optimizer *optimizer_new(rung_graph *graph, const rung_fit_options *options) {
  if (check_options(options) != RUNG_OK) return NULL;
  optimizer *self = rung_allocate(sizeof *self);
  if (!self) return NULL;
  self->kind = kinds[options->optimizer];
  self->options = self->bare = optimizer_with_defaults(options);
  self->bare.weight_decay = 0;
  self->team = rung_graph_team(graph);
  self->step = (optimizer_step){.options = &self->options, .gradient_scale = 1, .beta1_power = 1, .beta2_power = 1};
  if (allocate(self, graph) != RUNG_OK) {
    optimizer_free(self);
    return NULL;
  }
  assign(self, graph);
  make_maps(self);
  return self;
}

void optimizer_free(optimizer *self) {
  if (!self) return;
  rung_release(self->targets);
  rung_release(self->of_node);
  rung_release(self->state);
  rung_release(self->squares);
  rung_release(self);
}

void optimizer_set_mask(optimizer *self, const rung_node *parameter, const uint8_t *keep) {
  if (self->of_node[parameter->index]) self->of_node[parameter->index]->keep = keep;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------ */

void optimizer_begin(optimizer *self, float rate) {
  optimizer_step *step = &self->step;
  step->rate = rate;
  step->beta1_power *= (double)self->options.momentum;
  step->beta2_power *= (double)self->options.beta2;
}

/* By the same products as step by step. */
void optimizer_skip(optimizer *self, int64_t steps) {
  for (int64_t i = 0; i < steps; i++) optimizer_begin(self, 0);
}

/* Part 0 of a slot are its numbers or codes, part 1 the scales of codes. */
static optimizer_slot slot_part(const optimizer *self, const target *of, int k, int part) {
  const optimizer_state *slot = &of->slot[k];
  optimizer_slot found = {.name = self->kind->slot[k].name, .part = part ? "absmax" : "", .parameter = of->parameter};
  found.state = (rung_tensor){.type = RUNG_F32, .shape = of->parameter->value.shape, .data = slot->value};
  if (slot->code) found.state.type = RUNG_U8, found.state.data = slot->code;
  if (part)
    found.state = (rung_tensor){.type = RUNG_F32, .shape = RUNG_SHAPE(blocks_of(of->count)), .data = slot->absmax};
  return found;
}

bool optimizer_slot_at(const optimizer *self, int index, optimizer_slot *slot) {
  if (index < 0) return false;
  for (int t = 0; t < self->target_count; t++) {
    const int parts = self->targets[t].quantized ? 2 : 1, all = parts * self->kind->slots;
    if (index < all) {
      *slot = slot_part(self, &self->targets[t], index / parts, index % parts);
      return true;
    }
    index -= all;
  }
  return false;
}

static void clear_pruned(const target *at, float *numbers, int64_t begin, int64_t count) {
  for (int64_t i = 0; at->keep && i < count; i++) numbers[i] = at->keep[begin + i] ? numbers[i] : 0;
}

/* This member's share of the chunks, which are numbered through all parameters. */
static void sum_squares(optimizer *self, int ith, int nth) {
  const rung_kernels *kernels = rung_kernels_active();
  int64_t begin, end, first = 0;
  rung_slice(self->chunk_count, 1, ith, nth, &begin, &end);
  for (int t = 0; t < self->target_count; t++) {
    const target *at = &self->targets[t];
    const int64_t chunks = chunks_of(at->count), last = first + chunks < end ? first + chunks : end;
    for (int64_t chunk = first > begin ? first : begin; chunk < last; chunk++) {
      int64_t from = (chunk - first) * CHUNK, left = at->count - from;
      const int64_t count = left < CHUNK ? left : CHUNK;
      float *gradient = at->gradient + from;
      clear_pruned(at, gradient, from, count);
      self->squares[chunk] = kernels->dot(gradient, gradient, count);
    }
    first += chunks;
  }
}

/* min(1, clip_norm / norm). A norm that is not a number leaves the gradient as it is, for the caller to find. */
static float clipping_scale(const optimizer *self) {
  double sum = 0, limit = (double)self->options.clip_norm;
  for (int64_t chunk = 0; chunk < self->chunk_count; chunk++) sum += (double)self->squares[chunk];
  double norm = sqrt(sum);
  return norm > limit ? (float)(limit / norm) : 1;
}

/* Of a quantized parameter: from the beginning of a block to that of another, or the end. */
static void update_slice(const optimizer *self, const target *at, const optimizer_step *step, const float *gradient,
                         int64_t begin, int64_t end) {
  optimizer_state slot[OPTIMIZER_MAX_SLOTS];
  for (int k = 0; k < self->kind->slots; k++) {
    slot[k] = at->slot[k];
    if (at->quantized) {
      slot[k].code += begin;
      slot[k].absmax += begin / RUNG_DYNAMIC_BLOCK;
    } else {
      slot[k].value += begin;
    }
  }
  optimizer_step own = *step;
  if (at->parameter->undecayed) own.options = &self->bare;
  self->kind->update(&own, at->weight + begin, gradient, slot, end - begin);
  clear_pruned(at, at->weight + begin, begin, end - begin);
}

static void take(void *context, const rung_node *parameter, const float *gradient, int64_t begin, int64_t end) {
  const optimizer *self = context;
  update_slice(self, self->of_node[parameter->index], &self->step, gradient, begin, end);
}

static bool takes(const void *context, const rung_node *parameter) {
  const optimizer *self = context;
  return self->of_node[parameter->index]->whole;
}

rung_gradient_take *optimizer_take(const optimizer *self) {
  return self->options.clip_norm > 0 ? NULL : take;
}

rung_gradient_takes *optimizer_takes(const optimizer *self) {
  return self->kind->quantized_from > 0 ? takes : NULL;
}

void optimizer_update(void *context, int ith, int nth) {
  optimizer *self = context;
  optimizer_step step = self->step;
  if (self->options.clip_norm > 0) {
    sum_squares(self, ith, nth);
    rung_team_barrier(self->team);
    step.gradient_scale = clipping_scale(self);
  }
  for (int t = 0; t < self->target_count; t++) {
    const target *at = &self->targets[t];
    if (optimizer_take(self) && at->whole && rung_node_is_taken(at->parameter)) continue;
    int64_t begin, end;
    rung_slice(at->count, at->quantized ? RUNG_DYNAMIC_BLOCK : GRAIN, ith, nth, &begin, &end);
    update_slice(self, at, &step, at->gradient + begin, begin, end);
  }
}
