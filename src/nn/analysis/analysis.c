/* Analysis: the reference in f32, the network in simulated and in integer arithmetic over the same examples, and what
 * becomes of each value on the way. */
#include "analysis.h"

#include <math.h>
#include <string.h>

/* A layer, while blocks of its output come by. */
typedef struct layer_watch {
  const rung_node *real, *integer; /* its output, behind its clamp: the reference's, and in the integer graph */
  rung_integer_layer integers;
  double signal, noise;
  int32_t *first; /* [out]: the first example's integer */
  bool *moved;    /* [out]: another example had another one */
} layer_watch;

struct rung_analysis {
  rung_arena *arena;
  rung_model *reference; /* the model itself, or one alike, node by node */
  int64_t examples;
  int layers, activations;
  rung_layer_analysis *layer;
  rung_activation_analysis *activation;
  layer_watch *layer_watch;
  activation_watch *activation_watch;
};

/* ---- What there is to measure ----------------------------------------------------------------------------------- */

/* "fc1" of "fc1.weight". */
static const char *layer_name(rung_arena *arena, const char *weight) {
  char *name = rung_arena_string(arena, weight);
  char *end = name ? strrchr(name, '.') : NULL;
  if (end && strcmp(end, ".weight") == 0) *end = '\0';
  return name;
}

/* The last node of the float graph for which `integer` stands: behind the clamp that is fused into it. */
static const rung_node *real_of(const rung_model *model, const rung_node *integer) {
  const rung_node *found = NULL, *node;
  for (int i = 0; (node = rung_graph_node(model->graph, i)) != NULL; i++)
    if (rung_quantization_node(model->quantization, RUNG_ARITHMETIC_INTEGER, node) == integer) found = node;
  return found;
}

/* What was seen of the integers while they trained. */
static void put_oscillation(rung_layer_analysis *layer, const rung_model *model, const rung_node *linear) {
  if (!rung_quantization_oscillation_state(model->quantization, linear).code) return;
  const rung_oscillation seen = rung_quantization_oscillation(model->quantization, linear);
  layer->flips = seen.flips;
  layer->oscillating = seen.oscillating;
  layer->frozen = seen.frozen;
}

static rung_status watch_layer(rung_analysis *analysis, const rung_model *model, const rung_node *linear) {
  layer_watch *watch = &analysis->layer_watch[analysis->layers];
  rung_layer_analysis *layer = &analysis->layer[analysis->layers];
  watch->integer = rung_quantization_node(model->quantization, RUNG_ARITHMETIC_INTEGER, linear);
  rung_status status = rung_integer_layer_view(watch->integer, &watch->integers);
  if (status != RUNG_OK) return status;
  const rung_integer_layer *integers = &watch->integers;
  const rung_graph *reference = analysis->reference->graph;
  watch->real = rung_graph_node(reference, real_of(model, watch->integer)->index);
  watch->first = rung_arena_array(analysis->arena, (size_t)integers->out, sizeof *watch->first);
  watch->moved = rung_arena_array(analysis->arena, (size_t)integers->out, sizeof *watch->moved);
  *layer = (rung_layer_analysis){.name = layer_name(analysis->arena, linear->input[1]->name),
                                 .in = integers->in,
                                 .out = integers->out,
                                 .activation = -1,
                                 .flips = -1,
                                 .oscillating = -1,
                                 .frozen = -1};
  put_oscillation(layer, model, linear);
  if (!layer->name || !watch->first || !watch->moved) return RUNG_ERROR_MEMORY;
  analysis->layers++;
  const rung_node *weight = rung_graph_node(reference, linear->input[1]->index);
  return analyze_weights(analysis->arena, integers, weight->value.data, &layer->weights);
}

/* The layer whose output `node` is, behind its clamp; NULL: none. */
static rung_layer_analysis *layer_of(const rung_analysis *analysis, const rung_node *node) {
  for (int i = 0; i < analysis->layers; i++)
    if (analysis->layer_watch[i].real->index == node->index) return &analysis->layer[i];
  return NULL;
}

static rung_status watch_activation(rung_analysis *analysis, const rung_model *model, const rung_node *node,
                                    const rung_quantizer *quantizer) {
  rung_layer_analysis *layer = layer_of(analysis, node);
  activation_watch *watch = &analysis->activation_watch[analysis->activations];
  const rung_node *rounded = rung_quantization_node(model->quantization, RUNG_ARITHMETIC_SIMULATED, node);
  *watch = (activation_watch){.node = rounded->input[0], .quantizer = quantizer};
  analysis->activation[analysis->activations].name = layer ? layer->name : node->name;
  if (layer) layer->activation = analysis->activations;
  analysis->activations++;
  return activation_open(watch);
}

static rung_status find(rung_analysis *analysis, const rung_model *model) {
  const size_t nodes = (size_t)rung_graph_node_count(model->graph);
  analysis->layer = rung_arena_array(analysis->arena, nodes, sizeof *analysis->layer);
  analysis->layer_watch = rung_arena_array(analysis->arena, nodes, sizeof *analysis->layer_watch);
  analysis->activation = rung_arena_array(analysis->arena, nodes, sizeof *analysis->activation);
  analysis->activation_watch = rung_arena_array(analysis->arena, nodes, sizeof *analysis->activation_watch);
  if (!analysis->layer || !analysis->layer_watch || !analysis->activation || !analysis->activation_watch)
    return RUNG_ERROR_MEMORY;
  rung_status status = RUNG_OK;
  const rung_node *node;
  for (int i = 0; (node = rung_graph_node(model->graph, i)) != NULL && status == RUNG_OK; i++)
    if (node->op == &rung_op_linear) status = watch_layer(analysis, model, node);
  for (int i = 0; (node = rung_graph_node(model->graph, i)) != NULL && status == RUNG_OK; i++) {
    const rung_quantizer *quantizer = rung_quantization_quantizer_of(model->quantization, node);
    if (quantizer) status = watch_activation(analysis, model, node, quantizer);
  }
  return status;
}

/* ---- Running ---------------------------------------------------------------------------------------------------- */

static int32_t integer_at(const rung_tensor *value, int64_t i) {
  if (value->type == RUNG_U8) return ((const uint8_t *)value->data)[i];
  return value->type == RUNG_I8 ? ((const int8_t *)value->data)[i] : ((const int32_t *)value->data)[i];
}

/* A block of the layer's output, [count, out] in both graphs; it begins with example `begin`. */
static void add_output(layer_watch *watch, int64_t begin) {
  const rung_integer_layer *layer = &watch->integers;
  const rung_tensor *value = &watch->integer->value;
  const float *x = watch->real->value.data;
  const int32_t zero_point = layer->output_type == RUNG_I32 ? 0 : layer->output_zero_point;
  for (int64_t i = 0; i < rung_tensor_count(value); i++) {
    const int64_t j = i % layer->out;
    const int32_t q = integer_at(value, i);
    const double off = (double)layer->output_scale * ((double)q - zero_point) - (double)x[i];
    watch->signal += (double)x[i] * (double)x[i];
    watch->noise += off * off;
    if (begin == 0 && i < layer->out) watch->first[j] = q;
    watch->moved[j] |= q != watch->first[j];
  }
}

static rung_graph *bound(rung_model *model, rung_form form, const rung_dataset *dataset) {
  return rung_model_use(model, form) == RUNG_OK ? rung_model_bind(model, dataset) : NULL;
}

static rung_status run(rung_analysis *analysis, rung_model *model, const rung_dataset *dataset) {
  rung_graph *graphs[RUNG_FORM_SIMULATED + 1];
  int64_t batch = INT64_MAX;
  for (rung_form form = RUNG_FORM_FLOAT; form <= RUNG_FORM_SIMULATED; form++) {
    graphs[form] = bound(form == RUNG_FORM_FLOAT ? analysis->reference : model, form, dataset);
    if (!graphs[form]) return rung_error_status();
    if (rung_graph_batch(graphs[form]) < batch) batch = rung_graph_batch(graphs[form]);
  }
  for (int64_t first = 0; first < analysis->examples; first += batch) {
    const int64_t left = analysis->examples - first;
    const rung_replay_options block = {.count = left < batch ? left : batch, .first = first};
    rung_status status = RUNG_OK;
    for (rung_form form = RUNG_FORM_FLOAT; form <= RUNG_FORM_SIMULATED && status == RUNG_OK; form++)
      status = rung_graph_replay(graphs[form], &block);
    for (int i = 0; i < analysis->activations && status == RUNG_OK; i++)
      status = activation_add(&analysis->activation_watch[i]);
    if (status != RUNG_OK) return status;
    for (int i = 0; i < analysis->layers; i++) add_output(&analysis->layer_watch[i], first);
  }
  return RUNG_OK;
}

static rung_status settle(rung_analysis *analysis) {
  for (int i = 0; i < analysis->layers; i++) {
    const layer_watch *watch = &analysis->layer_watch[i];
    analysis->layer[i].sqnr = analysis_decibel(watch->signal, watch->noise);
    for (int64_t j = 0; j < analysis->layer[i].out; j++) analysis->layer[i].dead += !watch->moved[j];
  }
  rung_status status = RUNG_OK;
  for (int i = 0; i < analysis->activations && status == RUNG_OK; i++)
    status = activation_settle(analysis->arena, &analysis->activation_watch[i], &analysis->activation[i].values);
  return status;
}

/* ---- The public face -------------------------------------------------------------------------------------------- */

/* Its batch norms are folded as the model's were: by making a quantization of it, which is not kept. */
static rung_status prepare_reference(const rung_model *model, rung_model *reference, const rung_dataset *dataset) {
  rung_status status = rung_model_check_finite(reference);
  if (status != RUNG_OK || reference == model) return status;
  rung_graph *graph = bound(reference, RUNG_FORM_FLOAT, dataset);
  rung_quantization *folded = graph ? rung_quantization_new(graph, &model->scheme) : NULL;
  if (!folded) return rung_error_status();
  rung_quantization_free(folded);
  rung_model_touch(reference);
  return RUNG_OK;
}

static rung_status analyze(rung_analysis *analysis, rung_model *model, const rung_dataset *dataset) {
  rung_status status = rung_model_check_finite(model);
  if (status == RUNG_OK) status = prepare_reference(model, analysis->reference, dataset);
  if (status != RUNG_OK) return status;
  rung_quantization_refresh(model->quantization);
  rung_quantization_make_integers(model->quantization);
  status = find(analysis, model);
  if (status == RUNG_OK) status = run(analysis, model, dataset);
  return status == RUNG_OK ? settle(analysis) : status;
}

/* The same operations in the same order, on parameters of the same shapes. */
static bool are_alike(const rung_graph *graph, const rung_graph *other) {
  if (rung_graph_node_count(graph) != rung_graph_node_count(other)) return false;
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *a = rung_graph_node(graph, i), *b = rung_graph_node(other, i);
    if (a->op != b->op) return false;
    if (rung_node_is_parameter(a) && !rung_shape_equal(&a->value.shape, &b->value.shape)) return false;
  }
  return true;
}

static rung_status check_reference(const rung_model *model, const rung_model *reference) {
  rung_status status = rung_model_status(reference);
  if (status != RUNG_OK || reference == model) return status;
  if (reference->quantization)
    return rung_fail(RUNG_ERROR_ARGUMENT, "analyze: the reference is quantized, expected it in FP32");
  if (!are_alike(model->graph, reference->graph))
    return rung_fail(RUNG_ERROR_SHAPE,
                     "analyze: the reference is another network, expected the one that the model came "
                     "from, with the same layers and sizes");
  return RUNG_OK;
}

static rung_status check(const rung_model *model, const rung_dataset *dataset, int64_t examples) {
  rung_status status = rung_model_status(model);
  if (status != RUNG_OK) return status;
  if (!model->quantization)
    return rung_fail(RUNG_ERROR_STATE, "analyze: the model is not calibrated; call rung_quantize and rung_calibrate");
  if (model->scheme.weight_storage != RUNG_STORAGE_F32)
    return rung_fail(RUNG_ERROR_UNSUPPORTED,
                     "analyze: the weights are simulated in %s, which has no integer form; expected a scheme with "
                     "weight_bits",
                     rung_storage_name(model->scheme.weight_storage));
  if (!dataset || dataset->count < 1) return rung_fail(RUNG_ERROR_ARGUMENT, "analyze: the dataset is empty");
  if (examples < 0)
    return rung_fail(RUNG_ERROR_ARGUMENT, "analyze: %lld examples, expected 0 (all) or more", (long long)examples);
  return RUNG_OK;
}

rung_analysis *rung_analyze(rung_model *model, const rung_dataset *dataset, int64_t examples) {
  return rung_analyze_against(model, model, dataset, examples);
}

rung_analysis *rung_analyze_against(rung_model *model, rung_model *reference, const rung_dataset *dataset,
                                    int64_t examples) {
  if (check(model, dataset, examples) != RUNG_OK || check_reference(model, reference) != RUNG_OK) return NULL;
  rung_arena *arena = rung_arena_new();
  rung_analysis *analysis = arena ? rung_arena_array(arena, 1, sizeof *analysis) : NULL;
  if (!analysis) {
    rung_arena_free(arena);
    return NULL;
  }
  analysis->arena = arena;
  analysis->reference = reference;
  analysis->examples = examples == 0 || examples > dataset->count ? dataset->count : examples;
  const rung_form form = model->form;
  rung_status status = analyze(analysis, model, dataset);
  if (status == RUNG_OK) status = rung_model_use(model, form);
  if (status == RUNG_OK) return analysis;
  model->form = form;
  rung_analysis_free(analysis);
  return NULL;
}

void rung_analysis_free(rung_analysis *analysis) {
  if (!analysis) return;
  for (int i = 0; i < analysis->activations; i++) activation_close(&analysis->activation_watch[i]);
  rung_arena_free(analysis->arena);
}

int64_t rung_analysis_examples(const rung_analysis *analysis) {
  return analysis->examples;
}

int rung_analysis_layers(const rung_analysis *analysis) {
  return analysis->layers;
}

int rung_analysis_activations(const rung_analysis *analysis) {
  return analysis->activations;
}

static bool has(const char *what, int index, int count) {
  if (index >= 0 && index < count) return true;
  rung_fail(RUNG_ERROR_ARGUMENT, "analysis: %s %d, expected 0..%d", what, index, count - 1);
  return false;
}

const rung_layer_analysis *rung_analysis_layer(const rung_analysis *analysis, int index) {
  return has("layer", index, analysis->layers) ? &analysis->layer[index] : NULL;
}

const rung_activation_analysis *rung_analysis_activation(const rung_analysis *analysis, int index) {
  return has("activation", index, analysis->activations) ? &analysis->activation[index] : NULL;
}
