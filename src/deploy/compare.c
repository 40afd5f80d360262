/* Holding a program against the model it came from: value by value, over a whole dataset. */
#include "program.h"

#include <math.h>
#include <string.h>

/* One pass: the model's graph of `form` replays a batch, then the program runs it and every layer is compared. */
typedef struct comparison {
  const rung_program *program;
  rung_model *model;
  rung_form form;
  const char *input; /* the dataset's, in integers */
  const rung_node *
      *node; /* [layers]: what stands for each layer's output in the graph of that form; NULL: not compared */
  rung_agreement *agreement;
} comparison;

static void compare_integers(rung_agreement *agreement, rung_dtype type, const void *a, const void *b, int64_t n) {
  int64_t differ = 0;
  if (type == RUNG_I32)
    for (int64_t i = 0; i < n; i++) differ += ((const int32_t *)a)[i] != ((const int32_t *)b)[i];
  else
    for (int64_t i = 0; i < n; i++) differ += ((const uint8_t *)a)[i] != ((const uint8_t *)b)[i];
  agreement->differ_evaluation += differ;
  if (type == RUNG_I32)
    agreement->logits += n;
  else
    agreement->activations += n;
}

/* x [n] lies on the grid of the layer: back to its integers, which is exact, and held against q. */
static void compare_simulated(rung_agreement *agreement, const rung_integer_layer *layer, const void *q, const float *x,
                              int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    int32_t integer = layer->output_type == RUNG_I8 ? ((const int8_t *)q)[i] : ((const uint8_t *)q)[i];
    int64_t step = (int64_t)rintf(x[i] / layer->output_scale) + layer->output_zero_point - integer;
    if (step < 0) step = -step;
    agreement->differ_simulation += step != 0;
    if (step > agreement->largest_step) agreement->largest_step = step;
  }
}

static void compare_layer(void *context, int index, rung_dtype type, const void *output, int64_t count, int64_t out) {
  const comparison *at = context;
  const rung_node *node = at->node[index];
  if (!node) return;
  if (at->form == RUNG_FORM_INTEGER)
    compare_integers(at->agreement, type, output, node->value.data, count * out);
  else if (type != RUNG_I32)
    compare_simulated(at->agreement, &at->program->layer[index].instruction.integers, output, node->value.data,
                      count * out);
}

/* The last node of the float graph for which the layer stands is the one whose simulation is on its grid. */
static const rung_node *simulated_node(const rung_model *model, const rung_node *layer) {
  const rung_quantization *quantization = rung_model_quantization(model);
  rung_graph *graph = rung_model_graph(model);
  const rung_node *found = NULL;
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (rung_quantization_node(quantization, RUNG_ARITHMETIC_INTEGER, node) == layer)
      found = rung_quantization_node(quantization, RUNG_ARITHMETIC_SIMULATED, node);
  }
  return found;
}

/* The model's layer that was frozen as layer `index`, where the model still has such a one. */
static const rung_node *model_layer(const comparison *at, int index) {
  const program_layer *layer = &at->program->layer[index];
  const rung_integer_layer *integers = &layer->instruction.integers;
  rung_graph *graph = rung_quantization_graph(rung_model_quantization(at->model), RUNG_ARITHMETIC_INTEGER);
  const rung_node *node = rung_graph_node(graph, layer->node);
  bool same = node && node->input[1] && strcmp(node->input[1]->name, layer->parameter) == 0 &&
              node->value.type == integers->output_type && node->value.shape.rank == 2 &&
              node->value.shape.extent[1] == integers->out;
  if (!same) rung_fail(RUNG_ERROR_ARGUMENT, "compare: the model has no layer '%s' as it was frozen", layer->parameter);
  return same ? node : NULL;
}

static rung_status compare_form(comparison *at, const rung_dataset *dataset, int32_t *logits, void *scratch) {
  rung_status status = rung_model_use(at->model, at->form);
  if (status != RUNG_OK) return status;
  rung_graph *graph = rung_model_bind(at->model, dataset);
  if (!graph) return rung_error_status();
  for (int i = 0; i < at->program->count; i++) {
    const rung_node *node = model_layer(at, i);
    if (!node) return RUNG_ERROR_ARGUMENT;
    at->node[i] = at->form == RUNG_FORM_INTEGER ? node : simulated_node(at->model, node);
  }
  int64_t batch = rung_graph_batch(graph), inputs = at->program->buffer[0].count;
  for (int64_t first = 0; first < dataset->count; first += batch) {
    int64_t count = dataset->count - first < batch ? dataset->count - first : batch;
    status = rung_graph_replay(graph, &(rung_replay_options){.count = count, .first = first});
    if (status == RUNG_OK)
      status = rung_program_trace(at->program, at->input + first * inputs, logits, count, scratch, compare_layer, at);
    if (status != RUNG_OK) return status;
  }
  return RUNG_OK;
}

static rung_status check_given(const char *what, const void *program, const void *dataset) {
  if (!program) return rung_fail(RUNG_ERROR_ARGUMENT, "%s: the program is NULL", what);
  if (!dataset) return rung_fail(RUNG_ERROR_ARGUMENT, "%s: the dataset is NULL", what);
  return RUNG_OK;
}

rung_status rung_program_compare(const rung_program *program, rung_model *model, const rung_dataset *dataset,
                                 rung_agreement *agreement) {
  *agreement = (rung_agreement){0};
  rung_status status = check_given("compare", program, dataset);
  if (status == RUNG_OK) status = rung_model_status(model);
  if (status != RUNG_OK) return status;
  int64_t batch = rung_graph_batch(rung_model_graph(model)), out = program->buffer[program->count].count;
  rung_arena *arena = rung_arena_new();
  if (!arena) return RUNG_ERROR_MEMORY;
  comparison at = {.program = program, .model = model, .agreement = agreement};
  at.node = rung_arena_array(arena, (size_t)program->count, sizeof *at.node);
  int32_t *logits = rung_arena_array(arena, (size_t)(batch * out), sizeof *logits);
  void *scratch = rung_arena_allocate(arena, rung_program_scratch(program, batch));
  void *owned = NULL;
  at.input = at.node && logits && scratch ? program_inputs(program, dataset, &owned) : NULL;
  rung_form before = rung_model_form(model);
  if (!at.input) status = rung_error_status();
  for (rung_form form = RUNG_FORM_INTEGER; form <= RUNG_FORM_SIMULATED && status == RUNG_OK; form++) {
    at.form = form;
    status = compare_form(&at, dataset, logits, scratch);
  }
  rung_release(owned);
  rung_arena_free(arena);
  rung_model_use(model, before);
  return status;
}

rung_status rung_program_evaluate(const rung_program *program, const rung_dataset *dataset, rung_metrics *metrics) {
  *metrics = (rung_metrics){0};
  rung_status status = check_given("evaluate", program, dataset);
  if (status != RUNG_OK) return status;
  if (!dataset->labels) return rung_fail(RUNG_ERROR_ARGUMENT, "%s: has no labels to evaluate against", dataset->name);
  void *owned;
  const void *input = program_inputs(program, dataset, &owned);
  if (!input) return rung_error_status();
  int64_t out = program->buffer[program->count].count, correct = 0;
  int32_t *logits = rung_allocate((size_t)(dataset->count * out) * sizeof *logits);
  status = logits ? rung_run(program, input, logits, dataset->count) : RUNG_ERROR_MEMORY;
  for (int64_t i = 0; i < dataset->count && status == RUNG_OK; i++) {
    int64_t best = 0;
    for (int64_t j = 1; j < out; j++)
      if (logits[i * out + j] > logits[i * out + best]) best = j;
    correct += best == dataset->labels[i];
  }
  rung_release(logits);
  rung_release(owned);
  *metrics = (rung_metrics){.accuracy = (double)correct / (double)dataset->count, .examples = dataset->count};
  return status;
}
