/* Models: one set of parameters behind a float graph and, once quantized, the two quantized ones. */
#include "model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

rung_model *rung_model_new(const rung_model_options *options) {
  const rung_model_options defaults = {0};
  if (!options) options = &defaults;
  rung_model *model = calloc(1, sizeof *model);
  if (!model) {
    rung_fail(RUNG_ERROR_MEMORY, "model: no memory");
    return NULL;
  }
  model->rng = rung_rng_seed(options->seed);
  model->team = rung_team_new(options->threads);
  if (model->team)
    model->graph =
        rung_graph_new(&(rung_graph_options){.batch = options->batch, .team = model->team, .seed = options->seed});
  if (!model->graph) {
    rung_model_free(model);
    return NULL;
  }
  return model;
}

void rung_model_free(rung_model *model) {
  if (!model) return;
  rung_quantization_free(model->quantization);
  model_free_masks(model);
  rung_graph_free(model->graph);
  rung_team_free(model->team);
  rung_release(model->layers);
  rung_release(model->history);
  free(model);
}

rung_node *rung_input(rung_model *model, const char *name, rung_shape shape) {
  return model ? rung_graph_input(model->graph, name, shape) : NULL;
}

rung_node *rung_loss_cross_entropy(rung_node *logits) {
  return logits ? rung_cross_entropy(logits, rung_graph_label(logits->graph, "label")) : NULL;
}

rung_node *rung_loss_squared_hinge(rung_node *scores) {
  return scores ? rung_squared_hinge(scores, rung_graph_label(scores->graph, "label")) : NULL;
}

rung_node *rung_loss_squared_error(rung_node *prediction) {
  if (!prediction) return NULL;
  rung_shape example = {.rank = prediction->value.shape.rank - 1};
  for (int i = 0; i < example.rank; i++) example.extent[i] = prediction->value.shape.extent[i + 1];
  return rung_squared_error(prediction, rung_graph_input(prediction->graph, "target", example));
}

/* What could not be made has left its reason, which is told again. */
static rung_status missing(const char *what) {
  return rung_fail(RUNG_ERROR_ARGUMENT, "model: %s; the last failure before: %s", what,
                   *rung_error() ? rung_error() : "none");
}

rung_status rung_model_status(const rung_model *model) {
  if (!model) return missing("it is NULL");
  return rung_graph_status(model->graph);
}
rung_graph *rung_model_graph(const rung_model *model) {
  return model->graph;
}
rung_form rung_model_form(const rung_model *model) {
  return model->form;
}
rung_quantization *rung_model_quantization(const rung_model *model) {
  return model ? model->quantization : NULL;
}

/* ---- Parameters ------------------------------------------------------------------------------------------------- */

static rung_node *parameter_of(const rung_graph *graph, int index) {
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    rung_node *node = rung_graph_node(graph, i);
    if (rung_node_is_parameter(node) && index-- == 0) return node;
  }
  return NULL;
}

int rung_model_parameter_count(const rung_model *model) {
  int count = 0;
  while (parameter_of(model->graph, count)) count++;
  return count;
}

/* Those of the float graph, then the scales that the quantized ones have learned beside them. */
static rung_node *parameter_at(const rung_model *model, int index) {
  const int own = rung_model_parameter_count(model);
  if (index < own) return parameter_of(model->graph, index);
  return model->quantization ? parameter_of(rung_quantization_learned(model->quantization), index - own) : NULL;
}

rung_parameter rung_model_parameter(const rung_model *model, int index) {
  const rung_node *node = parameter_of(model->graph, index);
  if (!node) return (rung_parameter){0};
  return (rung_parameter){.name = node->name,
                          .shape = node->value.shape,
                          .value = node->value.data,
                          .gradient = node->gradient.data,
                          .trainable = node->trainable};
}

void rung_model_touch(rung_model *model) {
  model_apply_masks(model);
  if (model->quantization) rung_quantization_refresh(model->quantization);
}

uint64_t rung_model_hash(const rung_model *model) {
  uint64_t hash = 14695981039346656037u;
  const rung_node *node;
  for (int p = 0; (node = parameter_at(model, p)); p++) {
    const float *value = node->value.data;
    for (int64_t i = 0; i < rung_tensor_count(&node->value); i++) {
      uint32_t bits;
      memcpy(&bits, &value[i], sizeof bits);
      for (int shift = 0; shift < 32; shift += 8) hash = (hash ^ (bits >> shift & 0xff)) * 1099511628211u;
    }
  }
  return hash;
}

rung_status rung_model_check_finite(const rung_model *model) {
  const rung_node *node;
  for (int p = 0; (node = parameter_at(model, p)); p++) {
    const float *value = node->value.data;
    for (int64_t i = 0; i < rung_tensor_count(&node->value); i++)
      if (!isfinite(value[i]))
        return rung_fail(RUNG_ERROR_NUMERIC, "%s: value %lld is %g, expected a finite number", node->name, (long long)i,
                         (double)value[i]);
  }
  return RUNG_OK;
}

/* ---- The present form ------------------------------------------------------------------------------------------- */

static rung_arithmetic arithmetic_of(const rung_model *model) {
  return model->form == RUNG_FORM_INTEGER ? RUNG_ARITHMETIC_INTEGER : RUNG_ARITHMETIC_SIMULATED;
}

rung_graph *model_present_graph(const rung_model *model) {
  return model->form == RUNG_FORM_FLOAT ? model->graph
                                        : rung_quantization_graph(model->quantization, arithmetic_of(model));
}

rung_node *model_loss(const rung_model *model) {
  rung_graph *graph = model_present_graph(model);
  return rung_graph_node(graph, rung_graph_node_count(graph) - 1);
}

const rung_tensor *model_scores(const rung_model *model) {
  rung_node *scores = rung_graph_node(model->graph, rung_graph_node_count(model->graph) - 1)->input[0];
  if (model->form == RUNG_FORM_INTEGER)
    scores = rung_quantization_node(model->quantization, RUNG_ARITHMETIC_INTEGER, scores);
  else
    scores = model_loss(model)->input[0];
  return &scores->value;
}

const rung_tensor *model_labels(const rung_model *model) {
  const rung_node *labels = model_loss(model)->input[1];
  return labels->value.type == RUNG_I32 ? &labels->value : NULL;
}

int64_t model_count_correct(const rung_tensor *scores, const int32_t *labels) {
  int64_t correct = 0, classes = scores->shape.extent[1];
  for (int64_t i = 0; i < scores->shape.extent[0]; i++) {
    const float *real = (const float *)scores->data + i * classes;
    const int32_t *integer = (const int32_t *)scores->data + i * classes;
    int64_t best = 0;
    for (int64_t j = 1; j < classes; j++)
      if (scores->type == RUNG_F32 ? real[j] > real[best] : integer[j] > integer[best]) best = j;
    correct += best == labels[i];
  }
  return correct;
}

rung_status rung_model_use(rung_model *model, rung_form form) {
  rung_status status = rung_model_status(model);
  if (status != RUNG_OK) return status;
  if (form != RUNG_FORM_FLOAT && !model->quantization)
    return rung_fail(RUNG_ERROR_STATE,
                     "model: not calibrated; a quantized form needs rung_quantize and rung_calibrate");
  if (form == RUNG_FORM_INTEGER && model->scheme.weight_storage != RUNG_STORAGE_F32)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "model: its weights are simulated in %s, which has no integer form",
                     rung_storage_name(model->scheme.weight_storage));
  model->form = form;
  rung_model_touch(model); /* the other form may have trained */
  return RUNG_OK;
}

/* ---- Data ------------------------------------------------------------------------------------------------------- */

rung_status model_check_loss(const rung_model *model) {
  rung_status status = rung_model_status(model);
  if (status != RUNG_OK) return status;
  const rung_node *last = rung_graph_node(model->graph, rung_graph_node_count(model->graph) - 1);
  if (!last || last->value.shape.rank != 0 || !last->input[1] || !rung_node_is_input(last->input[1]))
    return rung_fail(RUNG_ERROR_STATE, "model: it does not end in a loss (rung_loss_cross_entropy and the like)");
  return RUNG_OK;
}

/* The integers of the first layer are those of the data that was calibrated on; others would mean other numbers. */
static rung_status check_calibrated(const rung_model *model, const rung_dataset *dataset) {
  const rung_tensor *have = &dataset->inputs, *want = &model->inputs;
  if (want->type == RUNG_F32) return RUNG_OK; /* integers are read as the reals that they stand for */
  if (have->type != want->type)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: inputs are %s, the model was calibrated on %s", dataset->name,
                     rung_dtype_name(have->type), rung_dtype_name(want->type));
  if (have->type != RUNG_F32 && (have->scale != want->scale || have->zero_point != want->zero_point))
    return rung_fail(RUNG_ERROR_ARGUMENT,
                     "%s: inputs have scale %g and zero point %d, the model was calibrated on %g and %d", dataset->name,
                     (double)have->scale, have->zero_point, (double)want->scale, want->zero_point);
  return RUNG_OK;
}

static rung_status check_dataset(const rung_model *model, const rung_dataset *dataset) {
  if (!dataset) return missing("the dataset is empty (NULL)");
  if (dataset->count < 1) return rung_fail(RUNG_ERROR_ARGUMENT, "model: the dataset is empty");
  const rung_tensor *labels = model_labels(model);
  if (labels && !dataset->labels)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: has targets, the model's loss wants labels", dataset->name);
  if (!labels && !dataset->targets.data)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: has labels, the model's loss wants targets", dataset->name);
  int64_t scores = model_scores(model)->shape.extent[1];
  if (labels && dataset->classes > scores)
    return rung_fail(RUNG_ERROR_SHAPE, "%s: has %d classes, the model gives %lld scores", dataset->name,
                     dataset->classes, (long long)scores);
  if (model->form != RUNG_FORM_FLOAT) return check_calibrated(model, dataset);
  return RUNG_OK;
}

static bool is_answer(const rung_model *model, const rung_node *leaf) {
  return model_loss(model)->input[1] == leaf;
}

/* Numbers an example; the first extent counts examples. 0 of a shape that is none, which binding refuses. */
static int64_t row_of(const rung_tensor *tensor) {
  int64_t count;
  if (tensor->shape.rank < 1 || rung_shape_count(&tensor->shape, &count) != RUNG_OK || count < 1) return 0;
  return count / tensor->shape.extent[0];
}

static rung_status check_row(const rung_dataset *dataset, const rung_tensor *have, const rung_node *leaf,
                             const char *what, const char *wants) {
  const int64_t row = row_of(have), wanted = row_of(&leaf->value);
  if (row == wanted || row == 0) return RUNG_OK;
  return rung_fail(RUNG_ERROR_SHAPE, "%s: %lld %s%s an example, the network %s %lld", dataset->name, (long long)row,
                   what, row == 1 ? "" : "s", wants, (long long)wanted);
}

static rung_status bind_leaf(const rung_model *model, const rung_dataset *dataset, rung_node *leaf) {
  const rung_tensor labels = {
      .type = RUNG_I32, .shape = RUNG_SHAPE(dataset->count), .data = (void *)(uintptr_t)dataset->labels};
  const bool target = is_answer(model, leaf);
  if (target && dataset->labels) return rung_graph_bind(leaf, &labels);
  const rung_tensor *tensor = target ? &dataset->targets : &dataset->inputs;
  rung_status status = check_row(dataset, tensor, leaf, target ? "target" : "input", target ? "gives" : "takes");
  return status == RUNG_OK ? rung_graph_bind(leaf, tensor) : status;
}

rung_status model_bind(rung_model *model, const rung_dataset *dataset, rung_graph **graph) {
  rung_status status = model_check_loss(model);
  if (status == RUNG_OK) status = check_dataset(model, dataset);
  if (status != RUNG_OK) return status;
  *graph = model_present_graph(model);
  for (int i = 0; i < rung_graph_node_count(*graph) && status == RUNG_OK; i++) {
    rung_node *leaf = rung_graph_node(*graph, i);
    if (rung_node_is_input(leaf)) status = bind_leaf(model, dataset, leaf);
  }
  return status;
}

rung_graph *rung_model_bind(rung_model *model, const rung_dataset *dataset) {
  rung_graph *graph;
  return model_bind(model, dataset, &graph) == RUNG_OK ? graph : NULL;
}
