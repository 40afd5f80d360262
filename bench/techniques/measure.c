/* What a technique left is measured: accuracy and size of the frozen program, and how far it is from the float
 * network. */
#include "table.h"

#include <math.h>
#include <string.h>

enum { HELD_OUT = 512 }; /* examples of the test set on which errors are measured */

static rung_status replay(rung_model *model, const rung_dataset *dataset, int64_t first, int64_t *count,
                          rung_graph **graph) {
  *graph = rung_model_bind(model, dataset);
  if (!*graph) return rung_error_status();
  const int64_t batch = rung_graph_batch(*graph), end = dataset->count < HELD_OUT ? dataset->count : HELD_OUT;
  *count = end - first < batch ? end - first : batch;
  if (*count < 1) return RUNG_OK;
  return rung_graph_replay(*graph, &(rung_replay_options){.count = *count, .first = first});
}

/* What the loss reads, as f32 in every form. */
static const rung_tensor *outputs(const rung_graph *graph) {
  return &rung_graph_node(graph, rung_graph_node_count(graph) - 1)->input[0]->value;
}

/* ---- Outputs ---------------------------------------------------------------------------------------------------- */

static rung_status measure_output_error(rung_model *real, rung_model *model, const trial *t, double *error) {
  double wrong = 0, size = 0;
  for (int64_t first = 0, count = 1; count > 0; first += count) {
    rung_graph *a, *b;
    rung_status status = replay(real, t->test, first, &count, &a);
    if (status == RUNG_OK) status = replay(model, t->test, first, &count, &b);
    if (status != RUNG_OK) return status;
    if (count < 1) break;
    const float *y = outputs(a)->data, *q = outputs(b)->data;
    for (int64_t i = 0; i < count * outputs(a)->shape.extent[1]; i++) {
      wrong += ((double)q[i] - (double)y[i]) * ((double)q[i] - (double)y[i]);
      size += (double)y[i] * (double)y[i];
    }
  }
  *error = size > 0 ? wrong / size : 0;
  return RUNG_OK;
}

/* ---- Layers ----------------------------------------------------------------------------------------------------- */

/* x w^T of one example and neuron, with the float weights and with the integers. */
static void products(const float *x, const float *w, const rung_integer_layer *integers, int64_t neuron, double *y,
                     double *q) {
  const int64_t in = integers->in, group = integers->group ? integers->group : in;
  const int8_t *codes = integers->weight + neuron * in;
  *y = *q = 0;
  for (int64_t k = 0; k < in; k++) {
    *y += (double)x[k] * (double)w[neuron * in + k];
    *q += (double)x[k] * (double)integers->weight_scale[neuron * integers->groups + k / group] * codes[k];
  }
}

/* Of the layer whose float node is `linear`, over the examples of the graph's last replay. */
static void add_layer(const rung_node *linear, int64_t count, const rung_integer_layer *integers, double *wrong,
                      double *size) {
  const rung_tensor *x = &linear->input[0]->value;
  const float *w = linear->input[1]->value.data;
  float row[4096];
  for (int64_t i = 0; i < count; i++) {
    for (int64_t k = 0; k < integers->in; k++)
      row[k] = x->type == RUNG_F32
                   ? ((const float *)x->data)[i * integers->in + k]
                   : x->scale * (float)(((const uint8_t *)x->data)[i * integers->in + k] - x->zero_point);
    for (int64_t j = 0; j < integers->out; j++) {
      double y, q;
      products(row, w, integers, j, &y, &q);
      *wrong += (q - y) * (q - y);
      *size += y * y;
    }
  }
}

static const rung_node *find_linear(const rung_graph *graph, int index) {
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (node->op == &rung_op_linear && index-- == 0) return node;
  }
  return NULL;
}

/* The mean over the layers. The float network's weights are those of `real`. */
static rung_status measure_layer_error(rung_model *real, const rung_program *program, const trial *t, double *error) {
  enum { LAYERS = 16 };
  double wrong[LAYERS] = {0}, size[LAYERS] = {0};
  const int layers = rung_program_count(program);
  for (int64_t first = 0, count = 1; count > 0; first += count) {
    rung_graph *graph;
    rung_status status = replay(real, t->test, first, &count, &graph);
    if (status != RUNG_OK) return status;
    for (int l = 0; l < layers && l < LAYERS && count > 0; l++) {
      const rung_node *linear = find_linear(graph, l);
      const rung_integer_layer *integers = &rung_program_instruction(program, l)->integers;
      if (!linear || integers->in > 4096) return rung_fail(RUNG_ERROR_UNSUPPORTED, "layer error: no such layer %d", l);
      add_layer(linear, count, integers, &wrong[l], &size[l]);
    }
  }
  *error = 0;
  for (int l = 0; l < layers && l < LAYERS; l++) *error += wrong[l] / size[l] / layers;
  return RUNG_OK;
}

/* ---- All -------------------------------------------------------------------------------------------------------- */

static rung_status measure_program(const technique *method, rung_model *real, rung_model *model, const trial *t,
                                   technique_result *result) {
  rung_program *program = rung_freeze(model);
  if (!program) return rung_error_status();
  rung_status status = RUNG_OK;
  result->bytes = rung_program_describe(program).weight_bytes;
  if (method->rounds && result->layer_error == 0) status = measure_layer_error(real, program, t, &result->layer_error);
  rung_program_free(program);
  return status;
}

static rung_status measure_rest(const technique *method, rung_model *real, rung_model *model, const trial *t,
                                technique_result *result) {
  rung_status status = RUNG_OK;
  rung_metrics metrics;
  if (result->accuracy == 0) {
    status = rung_evaluate(model, t->test, &metrics);
    result->accuracy = metrics.accuracy;
  }
  if (status == RUNG_OK && result->output_error == 0)
    status = measure_output_error(real, model, t, &result->output_error);
  if (status == RUNG_OK && result->bytes == 0) status = measure_program(method, real, model, t, result);
  return status;
}

rung_status measure(const technique *method, const trial *given, const setting *at, technique_result *result) {
  trial t = *given;
  t.outliers = at->outliers;
  *result = (technique_result){0};
  rung_model *real = trial_load(&t), *model = trial_load(&t);
  rung_status status = real && model ? method->run(&t, model, &at->scheme, result) : rung_error_status();
  if (status == RUNG_OK) status = measure_rest(method, real, model, &t, result);
  rung_model_free(model);
  rung_model_free(real);
  return status;
}
