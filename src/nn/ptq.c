/* Post-training quantization of a model: what each layer reads is taken from the float network and from the integer
 * one, layer by layer, and given to the methods (rung/quant/ptq.h). */
#include "model.h"

#include <rung/nn/ptq.h>

#include <string.h>

#define PTQ_STREAM UINT64_C(0x707471) /* "ptq" */

typedef struct quantizing {
  rung_model *model;
  const rung_dataset *dataset;
  const rung_ptq_options *options;
  int64_t examples;
  rung_ptq_layer *layers;
  int count;
  float **saved_weight, **saved_bias; /* [count]: the float network's, while layers are rounded */
  float *x, *x_float;                 /* of the present layer */
} quantizing;

/* ---- What a layer reads ----------------------------------------------------------------------------------------- */

static void copy_reals(const rung_tensor *value, int64_t count, float *to) {
  const rung_kernels *kernels = rung_kernels_active();
  if (value->type == RUNG_U8)
    kernels->dequantize_u8(to, value->data, count, value->scale, value->zero_point);
  else if (value->type == RUNG_I8)
    kernels->dequantize_i8(to, value->data, count, value->scale, value->zero_point);
  else
    memcpy(to, value->data, (size_t)count * sizeof(float));
}

/* What `node` of the form's graph gives on the first n examples, to [n, in]. */
static rung_status capture(const quantizing *q, rung_form form, const rung_node *node, const rung_ptq_layer *layer,
                           float *to) {
  rung_graph *graph;
  rung_status status = rung_model_use(q->model, form);
  if (status == RUNG_OK) status = model_bind(q->model, q->dataset, &graph);
  if (status != RUNG_OK) return status;
  const int64_t batch = rung_graph_batch(graph);
  for (int64_t first = 0; first < layer->n; first += batch) {
    const int64_t count = layer->n - first < batch ? layer->n - first : batch;
    status = rung_graph_replay(graph, &(rung_replay_options){.count = count, .first = first, .last = node});
    if (status != RUNG_OK) return status;
    copy_reals(&node->value, count * layer->in, to + first * layer->in);
  }
  return RUNG_OK;
}

static rung_status capture_float(const quantizing *q, rung_ptq_layer *layer) {
  layer->x_float = q->x_float;
  return capture(q, RUNG_FORM_FLOAT, layer->node->input[0], layer, q->x_float);
}

static rung_status capture_quantized(const quantizing *q, rung_ptq_layer *layer) {
  const rung_node *node =
      rung_quantization_node(q->model->quantization, RUNG_ARITHMETIC_INTEGER, layer->node->input[0]);
  layer->x = q->x;
  return capture(q, RUNG_FORM_INTEGER, node, layer, q->x);
}

static void release_inputs(quantizing *q, rung_ptq_layer *layer) {
  rung_release(q->x);
  rung_release(q->x_float);
  q->x = q->x_float = NULL;
  layer->x = layer->x_float = NULL;
}

/* Memory for what the layer reads, of as many examples as it may have. */
static rung_status allocate_inputs(quantizing *q, rung_ptq_layer *layer) {
  const int64_t most = RUNG_PTQ_INPUT_BYTES / (2 * (int64_t)sizeof(float)) / layer->in;
  layer->n = q->examples < most ? q->examples : most;
  if (layer->n < 1)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "ptq: %s: %lld inputs, expected at most %lld", layer->name,
                     (long long)layer->in, (long long)(RUNG_PTQ_INPUT_BYTES / (2 * (int64_t)sizeof(float))));
  if (layer->n < q->examples && q->options->note)
    q->options->note(q->options->context, layer->name, "its inputs are taken of fewer examples, to bound memory");
  const size_t bytes = (size_t)(layer->n * layer->in) * sizeof(float);
  q->x = rung_allocate(bytes);
  q->x_float = rung_allocate(bytes);
  return q->x && q->x_float ? RUNG_OK : RUNG_ERROR_MEMORY;
}

/* ---- Transforms ------------------------------------------------------------------------------------------------- */

static rung_status transform_layers(quantizing *q, rung_ptq_method method) {
  rung_status status = RUNG_OK;
  for (int l = 0; l < q->count && status == RUNG_OK; l++) {
    rung_ptq_layer *layer = &q->layers[l];
    status = allocate_inputs(q, layer);
    if (status == RUNG_OK) status = capture_float(q, layer);
    if (status == RUNG_OK) status = rung_ptq_transform_layer(layer, method, q->options);
    release_inputs(q, layer);
  }
  return status;
}

static bool any_transform(const rung_ptq_options *options) {
  for (int method = 0; method < RUNG_PTQ_METHOD_COUNT; method++)
    if (options->methods >> method & 1 && rung_ptq_method_phase((rung_ptq_method)method) == RUNG_PTQ_TRANSFORM)
      return true;
  return false;
}

static rung_status transform(quantizing *q) {
  if (!any_transform(q->options)) return RUNG_OK;
  rung_status status = rung_ptq_transform_network(q->layers, q->count, q->options);
  for (int method = 0; method < RUNG_PTQ_METHOD_COUNT && status == RUNG_OK; method++)
    if (rung_ptq_transforms_layers(q->options, (rung_ptq_method)method))
      status = transform_layers(q, (rung_ptq_method)method);
  return status == RUNG_OK ? rung_calibrate(q->model, q->dataset, q->examples) : status;
}

/* ---- Rounding --------------------------------------------------------------------------------------------------- */

static size_t weight_count(const rung_ptq_layer *layer) {
  return (size_t)(layer->out * layer->in);
}

static size_t bias_count(const rung_ptq_layer *layer) {
  return layer->bias ? (size_t)layer->out : 0;
}

/* In one block, which is saved_weight. */
static rung_status save_parameters(quantizing *q) {
  size_t numbers = 0, count = (size_t)q->count;
  for (int l = 0; l < q->count; l++) numbers += weight_count(&q->layers[l]) + bias_count(&q->layers[l]);
  q->saved_weight = rung_allocate(2 * count * sizeof(float *) + numbers * sizeof(float));
  if (!q->saved_weight) return RUNG_ERROR_MEMORY;
  q->saved_bias = q->saved_weight + count;
  float *at = (float *)(q->saved_bias + count);
  for (int l = 0; l < q->count; l++) {
    rung_ptq_layer *layer = &q->layers[l];
    layer->weight_float = q->saved_weight[l] = memcpy(at, layer->weight, weight_count(layer) * sizeof(float));
    at += weight_count(layer);
    q->saved_bias[l] = at;
    if (layer->bias) memcpy(at, layer->bias, bias_count(layer) * sizeof(float));
    at += bias_count(layer);
  }
  return RUNG_OK;
}

static void exchange(float *a, float *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const float kept = a[i];
    a[i] = b[i];
    b[i] = kept;
  }
}

/* The parameters of the first `count` layers against what was saved of them: back to the float network, or again to the
 * rounded one. */
static void exchange_parameters(const quantizing *q, int count) {
  for (int l = 0; l < count; l++) {
    exchange(q->layers[l].weight, q->saved_weight[l], weight_count(&q->layers[l]));
    exchange(q->layers[l].bias, q->saved_bias[l], bias_count(&q->layers[l]));
  }
}

static rung_status round_layer(quantizing *q, int l) {
  rung_ptq_layer *layer = &q->layers[l];
  const rung_rng parent = rung_rng_split(&q->model->rng, PTQ_STREAM);
  layer->rng = rung_rng_split(&parent, (uint64_t)l);
  rung_status status = allocate_inputs(q, layer);
  exchange_parameters(q, l);
  if (status == RUNG_OK) status = capture_float(q, layer);
  exchange_parameters(q, l);
  if (status == RUNG_OK) status = capture_quantized(q, layer);
  if (status == RUNG_OK) status = rung_ptq_round_layer(layer, q->options);
  if (status == RUNG_OK) status = rung_quantization_set_weight_scale(q->model->quantization, layer->node, layer->scale);
  release_inputs(q, layer);
  return status;
}

static rung_status round_layers(quantizing *q) {
  rung_status status = save_parameters(q);
  if (status != RUNG_OK) return status;
  for (int l = 0; l < q->count && status == RUNG_OK; l++) status = round_layer(q, l);
  if (status != RUNG_OK) exchange_parameters(q, q->count);
  return status;
}

/* ---- The verb --------------------------------------------------------------------------------------------------- */

static rung_status quantize(quantizing *q) {
  rung_model *model = q->model;
  const bool transforms = any_transform(q->options); /* then this calibration only folds batch norms */
  rung_status status = rung_calibrate(model, q->dataset, transforms ? 1 : q->examples);
  if (status != RUNG_OK) return status;
  if (q->examples == 0 || q->examples > q->dataset->count) q->examples = q->dataset->count;
  q->layers = rung_ptq_layers_new(model->graph, &model->scheme, &q->count);
  if (!q->layers) return rung_error_status();
  status = transform(q);
  if (status == RUNG_OK) status = round_layers(q);
  return status == RUNG_OK ? rung_model_use(model, RUNG_FORM_INTEGER) : status;
}

/* Other weight methods have scales, and integers, that come about in their own way. */
static rung_status check_weights(const rung_model *model) {
  if (!model->has_scheme || model->scheme.weights == RUNG_WEIGHTS_MAX) return RUNG_OK;
  return rung_fail(RUNG_ERROR_UNSUPPORTED, "ptq: weights '%s', expected '%s'",
                   rung_weight_method_name(model->scheme.weights), rung_weight_method_name(RUNG_WEIGHTS_MAX));
}

rung_status rung_ptq(rung_model *model, const rung_dataset *dataset, int64_t examples,
                     const rung_ptq_options *options) {
  const rung_ptq_options nearest = {0};
  quantizing q = {.model = model, .dataset = dataset, .options = options ? options : &nearest, .examples = examples};
  rung_status status = rung_ptq_check_options(q.options);
  if (status == RUNG_OK) status = rung_model_status(model);
  if (status == RUNG_OK) status = check_weights(model);
  if (status != RUNG_OK) return status;
  status = quantize(&q);
  rung_release(q.saved_weight);
  rung_release(q.layers);
  if (status == RUNG_OK) return RUNG_OK;
  rung_quantization_free(model->quantization); /* not quantized by half */
  model->quantization = NULL;
  model->form = RUNG_FORM_FLOAT;
  return status;
}
