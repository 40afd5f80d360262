/* What all ways to prune share: options, the masks of a model, and the schedule of a fit. */
#include "prune.h"

#include <math.h>

#define PRUNE_ENTRY(method, structure) [method] = &structure,
static const prune_kind *const kinds[RUNG_PRUNE_METHOD_COUNT] = {PRUNE_LIST(PRUNE_ENTRY)};

const char *rung_prune_method_name(rung_prune_method method) {
  return (int)method >= 0 && method < RUNG_PRUNE_METHOD_COUNT ? kinds[method]->name : "unknown";
}

/* ---- Options ---------------------------------------------------------------------------------------------------- */

/* One or two digits at *text, which moves behind them; 0 if there are none. */
static int read_count(const char **text) {
  int count = 0;
  for (int digits = 0; digits < 2 && **text >= '0' && **text <= '9'; digits++) count = 10 * count + *(*text)++ - '0';
  return count;
}

rung_status rung_prune_parse(const char *text, rung_prune_options *options) {
  const char *at = text;
  const int n = read_count(&at), m = *at == ':' ? at++, read_count(&at) : 0;
  if (n > 0 && m > n && m <= PRUNE_MAX_M && *at == '\0') {
    options->method = RUNG_PRUNE_N_M;
    options->n = n;
    options->m = m;
    return RUNG_OK;
  }
  for (int i = 0; i < RUNG_PRUNE_METHOD_COUNT; i++)
    if (i != RUNG_PRUNE_N_M && strcmp(text, kinds[i]->name) == 0) {
      options->method = (rung_prune_method)i;
      return RUNG_OK;
    }
  return rung_fail(RUNG_ERROR_ARGUMENT,
                   "prune method '%s': expected magnitude, per-layer, neurons, neurons-per-layer or N:M (2:4), M to %d",
                   text, PRUNE_MAX_M);
}

static rung_status check_share(const char *name, float share, bool may_be_0) {
  if ((share > 0 || (may_be_0 && share == 0)) && share < 1) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "prune: %s %g, expected %s 0 and less than 1", name, (double)share,
                   may_be_0 ? "at least" : "more than");
}

static rung_status check_options(const rung_prune_schedule *schedule) {
  const rung_prune_options *to = &schedule->to;
  if ((int)to->method < 0 || to->method >= RUNG_PRUNE_METHOD_COUNT)
    return rung_fail(RUNG_ERROR_ARGUMENT, "prune: method %d, expected 0 .. %d", (int)to->method,
                     RUNG_PRUNE_METHOD_COUNT - 1);
  if (schedule->begin < 0 || schedule->steps < 0 || schedule->every < 0)
    return rung_fail(RUNG_ERROR_ARGUMENT, "prune: begin %lld, steps %lld, every %lld, expected 0 or more",
                     (long long)schedule->begin, (long long)schedule->steps, (long long)schedule->every);
  if (to->method == RUNG_PRUNE_N_M) {
    const bool fits = (to->n == 0 && to->m == 0) || (to->n >= 1 && to->n < to->m && to->m <= PRUNE_MAX_M);
    return fits ? RUNG_OK
                : rung_fail(RUNG_ERROR_ARGUMENT, "prune: %d:%d, expected N:M with 1 <= N < M <= %d", to->n, to->m,
                            PRUNE_MAX_M);
  }
  rung_status status = check_share("sparsity", to->sparsity, false);
  if (status == RUNG_OK) status = check_share("initial", schedule->initial, true);
  if (status == RUNG_OK && schedule->initial > to->sparsity)
    status = rung_fail(RUNG_ERROR_ARGUMENT, "prune: initial %g, expected at most the sparsity %g",
                       (double)schedule->initial, (double)to->sparsity);
  return status;
}

static bool has_zero(const rung_scheme *scheme) {
  return rung_scheme_weight_format(scheme).bits > 1 && scheme->weights != RUNG_WEIGHTS_DOREFA;
}

rung_status prune_check_scheme(const rung_scheme *scheme) {
  rung_scheme of = *scheme;
  const char *name = NULL;
  for (int i = 0; i < scheme->layer_count && has_zero(&of); i++) {
    name = scheme->layers[i].name;
    of = rung_scheme_of_layer(scheme, name);
  }
  if (has_zero(&of)) return RUNG_OK;
  return rung_fail(RUNG_ERROR_UNSUPPORTED,
                   "prune: %d-bit %s weights%s%s have no 0 for a pruned one, expected 2 bits or more, and not dorefa",
                   rung_scheme_weight_format(&of).bits, rung_weight_method_name(of.weights), name ? " of " : "",
                   name ? name : "");
}

bool prune_is_wanted(const rung_prune_schedule *schedule) {
  return schedule->to.sparsity != 0 || schedule->to.method != RUNG_PRUNE_MAGNITUDE;
}

/* ---- The masks of a model --------------------------------------------------------------------------------------- */

const uint8_t *model_mask(const rung_model *model, const rung_node *parameter) {
  const rung_node *own = rung_graph_find(model->graph, parameter->name);
  return own && own->index < model->mask_count ? model->mask[own->index] : NULL;
}

uint8_t *prune_mask(rung_model *model, const rung_node *parameter) {
  const int nodes = rung_graph_node_count(model->graph), index = parameter->index;
  if (nodes > model->mask_count) {
    uint8_t **more = rung_allocate((size_t)nodes * sizeof *more);
    if (!more) return NULL;
    for (int i = 0; i < nodes; i++) more[i] = i < model->mask_count ? model->mask[i] : NULL;
    rung_release(model->mask);
    model->mask = more;
    model->mask_count = nodes;
  }
  if (model->mask[index]) return model->mask[index];
  const size_t count = (size_t)rung_tensor_count(&parameter->value);
  model->mask[index] = rung_allocate(count);
  if (model->mask[index]) memset(model->mask[index], 1, count);
  return model->mask[index];
}

void model_apply_masks(rung_model *model) {
  for (int i = 0; i < model->mask_count; i++) {
    if (!model->mask[i]) continue;
    const rung_tensor *value = &rung_graph_node(model->graph, i)->value;
    float *weight = value->data;
    for (int64_t k = 0; k < rung_tensor_count(value); k++)
      if (!model->mask[i][k]) weight[k] = 0;
  }
}

void model_free_masks(rung_model *model) {
  for (int i = 0; i < model->mask_count; i++) rung_release(model->mask[i]);
  rung_release(model->mask);
  model->mask = NULL;
  model->mask_count = 0;
}

void rung_unprune(rung_model *model) {
  model_free_masks(model);
}

const uint8_t *rung_model_mask(const rung_model *model, int index) {
  const rung_parameter parameter = rung_model_parameter(model, index);
  return parameter.name ? model_mask(model, rung_graph_find(model->graph, parameter.name)) : NULL;
}

/* ---- A pruning -------------------------------------------------------------------------------------------------- */

/* Whether this linear layer is the first one with its weight, a parameter. */
static bool has_weight(const rung_node *linear) {
  if (linear->op != &rung_op_linear || !rung_node_is_parameter(linear->input[1])) return false;
  for (int i = 0; i < linear->index; i++) {
    const rung_node *before = rung_graph_node(linear->graph, i);
    if (before->op == &rung_op_linear && before->input[1] == linear->input[1]) return false;
  }
  return true;
}

int64_t rung_model_pruned(const rung_model *model, int64_t *weights) {
  int64_t pruned = 0, all = 0;
  for (int i = 0; i < rung_graph_node_count(model->graph); i++) {
    const rung_node *linear = rung_graph_node(model->graph, i);
    if (!has_weight(linear)) continue;
    const int64_t count = rung_tensor_count(&linear->input[1]->value);
    const uint8_t *keep = model_mask(model, linear->input[1]);
    for (int64_t k = 0; keep && k < count; k++) pruned += !keep[k];
    all += count;
  }
  if (weights) *weights = all;
  return pruned;
}

static bool is_asked_for(const rung_prune_options *options, const rung_node *linear) {
  char name[RUNG_LAYER_NAME];
  return !options->layer || strcmp(rung_layer_name(linear->input[1], name, sizeof name), options->layer) == 0;
}

static rung_status find_layers(pruner *self) {
  rung_graph *graph = self->model->graph;
  self->layer = rung_allocate((size_t)rung_graph_node_count(graph) * sizeof *self->layer);
  if (!self->layer) return RUNG_ERROR_MEMORY;
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    rung_node *linear = rung_graph_node(graph, i);
    if (!has_weight(linear) || !is_asked_for(&self->schedule.to, linear)) continue;
    const rung_tensor *weight = &linear->input[1]->value;
    prune_layer *layer = &self->layer[self->count++];
    *layer = (prune_layer){.linear = linear,
                           .weight = weight->data,
                           .keep = prune_mask(self->model, linear->input[1]),
                           .out = weight->shape.extent[0],
                           .in = weight->shape.extent[1]};
    if (!layer->keep) return RUNG_ERROR_MEMORY;
  }
  if (self->count > 0) return RUNG_OK;
  const char *name = self->schedule.to.layer;
  return rung_fail(RUNG_ERROR_STATE, "prune: the model has no linear layer%s%s%s", name ? " '" : "", name ? name : "",
                   name ? "'" : "");
}

static const prune_kind *kind_of(const pruner *self) {
  return kinds[self->schedule.to.method];
}

static rung_status prepare(pruner *self) {
  rung_model *model = self->model;
  rung_prune_options *to = &self->schedule.to;
  rung_status status = check_options(&self->schedule);
  if (status == RUNG_OK) status = rung_model_status(model);
  if (status == RUNG_OK && model->has_scheme) status = prune_check_scheme(&model->scheme);
  if (status == RUNG_OK) status = rung_model_check_finite(model);
  if (status != RUNG_OK) return status;
  if (to->method == RUNG_PRUNE_N_M && to->m == 0) to->n = 2, to->m = 4;
  status = find_layers(self);
  return status == RUNG_OK && kind_of(self)->prepare ? kind_of(self)->prepare(self) : status;
}

pruner *pruner_new(rung_model *model, const rung_prune_schedule *schedule) {
  pruner *self = rung_allocate(sizeof *self);
  if (!self) return NULL;
  *self = (pruner){.model = model, .schedule = *schedule};
  if (prepare(self) == RUNG_OK) return self;
  pruner_free(self);
  return NULL;
}

void pruner_free(pruner *self) {
  if (!self) return;
  rung_release(self->layer);
  rung_release(self->neuron);
  rung_release(self);
}

void pruner_run(pruner *self, double sparsity) {
  kind_of(self)->mark(self, sparsity);
  rung_model_touch(self->model);
}

rung_status rung_prune(rung_model *model, const rung_prune_options *options) {
  const rung_prune_options defaults = {0};
  pruner *self = pruner_new(model, &(rung_prune_schedule){.to = options ? *options : defaults});
  if (!self) return rung_error_status();
  pruner_run(self, (double)self->schedule.to.sparsity);
  pruner_free(self);
  return RUNG_OK;
}

/* ---- Within a fit ----------------------------------------------------------------------------------------------- */

float rung_prune_sparsity(const rung_prune_schedule *schedule, int64_t step) {
  if (step < schedule->begin) return 0;
  if (step >= schedule->begin + schedule->steps) return schedule->to.sparsity;
  const double left = 1 - (double)(step - schedule->begin) / (double)schedule->steps;
  const double final = (double)schedule->to.sparsity;
  return (float)(final + ((double)schedule->initial - final) * left * left * left); /* eq. 61 */
}

pruner *pruner_of_fit(rung_model *model, const rung_prune_schedule *schedule, int64_t total) {
  rung_prune_schedule filled = *schedule;
  if (filled.to.layer) {
    rung_fail(RUNG_ERROR_ARGUMENT, "prune: layer '%s' in a fit, expected NULL: all layers", filled.to.layer);
    return NULL;
  }
  if (filled.steps == 0) filled.steps = total / 2;
  if (filled.every == 0) filled.every = 100;
  pruner *self = pruner_new(model, &filled);
  if (!self) return NULL;
  const int64_t end = filled.begin + (kind_of(self)->at_once ? 0 : filled.steps);
  if (filled.begin < total && filled.steps < total && end < total) return self;
  pruner_free(self);
  rung_fail(RUNG_ERROR_ARGUMENT, "prune: ends before step %lld of the fit, which has %lld", (long long)end,
            (long long)total);
  return NULL;
}

void pruner_step(pruner *self, int64_t step) {
  const rung_prune_schedule *by = &self->schedule;
  const int64_t past = step - by->begin;
  if (past < 0 || past > by->steps) return;
  if (past % by->every == 0 || past == by->steps) pruner_run(self, (double)rung_prune_sparsity(by, step));
}
