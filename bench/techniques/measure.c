/* What a technique left is measured: accuracy and size of the frozen program, and how far it is from the float
 * network. */
#include "table.h"

#include <stdlib.h>

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

typedef struct difference {
  double wrong, size; /* sums of squares */
} difference;

static void add_outputs(difference *to, const rung_tensor *y, const float *q, int64_t count) {
  const float *real = y->data;
  for (int64_t i = 0; i < count * y->shape.extent[1]; i++) {
    to->wrong += ((double)q[i] - (double)real[i]) * ((double)q[i] - (double)real[i]);
    to->size += (double)real[i] * (double)real[i];
  }
}

static double share(const difference *of) {
  return of->size > 0 ? of->wrong / of->size : 0;
}

static rung_status measure_output_error(rung_model *real, rung_model *model, const trial *t, double *error) {
  difference all = {0};
  for (int64_t first = 0, count = 1; count > 0; first += count) {
    rung_graph *a, *b;
    rung_status status = replay(real, t->test, first, &count, &a);
    if (status == RUNG_OK) status = replay(model, t->test, first, &count, &b);
    if (status != RUNG_OK) return status;
    if (count > 0) add_outputs(&all, outputs(a), outputs(b)->data, count);
  }
  *error = share(&all);
  return RUNG_OK;
}

static double accuracy_of(const rung_dataset *test, const float *y, int64_t classes) {
  int64_t correct = 0;
  for (int64_t i = 0; i < test->count; i++, y += classes) {
    int64_t best = 0;
    for (int64_t j = 1; j < classes; j++)
      if (y[j] > y[best]) best = j;
    correct += best == test->labels[i];
  }
  return (double)correct / (double)test->count;
}

rung_status trial_measure_outputs(const trial *t, rung_model *real, const float *y, technique_result *result) {
  difference all = {0};
  for (int64_t first = 0, count = 1; count > 0; first += count) {
    rung_graph *graph;
    rung_status status = replay(real, t->test, first, &count, &graph);
    if (status != RUNG_OK) return status;
    if (count > 0) add_outputs(&all, outputs(graph), y + first * t->test->classes, count);
  }
  result->accuracy = accuracy_of(t->test, y, t->test->classes);
  result->output_error = share(&all);
  return RUNG_OK;
}

/* ---- Layers ----------------------------------------------------------------------------------------------------- */

enum { LAYERS = 16, WIDEST = 4096 };

/* A linear layer of the float network, and what it multiplies by instead. */
typedef struct layer {
  const rung_node *linear; /* weight [out, in] */
  int64_t out, in;
  double *weight; /* [out, in] */
  double wrong, size;
} layer;

static const rung_node *find_linear(const rung_graph *graph, int index) {
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (node->op == &rung_op_linear && index-- == 0) return node;
  }
  return NULL;
}

static int find_layers(const rung_graph *graph, layer layers[LAYERS]) {
  int count = 0;
  for (const rung_node *linear; count < LAYERS && (linear = find_linear(graph, count)); count++) {
    const int64_t *extent = linear->input[1]->value.shape.extent;
    layers[count] = (layer){.linear = linear, .out = extent[0], .in = extent[1]};
  }
  return count;
}

/* The weights of layer `index` of what a technique left: the program's integers times their scales, or, where there is
 * no program, the model's own. */
static rung_status read_weights(layer *to, rung_model *model, const rung_program *program, int index) {
  const rung_integer_layer *integers = program ? &rung_program_instruction(program, index)->integers : NULL;
  const float *real = find_linear(rung_model_graph(model), index)->input[1]->value.data;
  if (to->in > WIDEST || (integers && (integers->out != to->out || integers->in != to->in)))
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "layer error: no such layer %d", index);
  to->weight = malloc((size_t)(to->out * to->in) * sizeof *to->weight);
  if (!to->weight) return rung_fail(RUNG_ERROR_MEMORY, "out of memory");
  const int64_t group = integers && integers->group ? integers->group : to->in;
  for (int64_t j = 0; j < to->out; j++)
    for (int64_t k = 0; k < to->in; k++) {
      const int64_t at = j * to->in + k;
      to->weight[at] = integers
                           ? (double)integers->weight_scale[j * integers->groups + k / group] * integers->weight[at]
                           : (double)real[at];
    }
  return RUNG_OK;
}

/* Over the examples of the graph's last replay: x w^T with the float weights, and with the others. */
static void add_layer(layer *of, int64_t count) {
  const float *w = of->linear->input[1]->value.data;
  float x[WIDEST];
  for (int64_t i = 0; i < count; i++) {
    trial_read(&of->linear->input[0]->value, i * of->in, of->in, x);
    for (int64_t j = 0; j < of->out; j++) {
      double y = 0, q = 0;
      for (int64_t k = 0; k < of->in; k++) {
        y += (double)x[k] * (double)w[j * of->in + k];
        q += (double)x[k] * of->weight[j * of->in + k];
      }
      of->wrong += (q - y) * (q - y);
      of->size += y * y;
    }
  }
}

static rung_status add_layers(layer *layers, int layer_count, rung_model *real, const trial *t) {
  for (int64_t first = 0, count = 1; count > 0; first += count) {
    rung_graph *graph;
    rung_status status = replay(real, t->test, first, &count, &graph);
    if (status != RUNG_OK) return status;
    for (int l = 0; l < layer_count && count > 0; l++) add_layer(&layers[l], count);
  }
  return RUNG_OK;
}

/* The mean over the layers. The float network's weights are those of `real`; `program` may be NULL. */
static rung_status measure_layer_error(rung_model *real, rung_model *model, const rung_program *program, const trial *t,
                                       double *error) {
  layer layers[LAYERS];
  const rung_graph *graph = rung_model_bind(real, t->test);
  const int count = graph ? find_layers(graph, layers) : 0;
  rung_status status = graph ? RUNG_OK : rung_error_status();
  for (int l = 0; l < count && status == RUNG_OK; l++) status = read_weights(&layers[l], model, program, l);
  if (status == RUNG_OK) status = add_layers(layers, count, real, t);
  *error = 0;
  for (int l = 0; l < count; l++) {
    *error += layers[l].wrong / layers[l].size / count;
    free(layers[l].weight);
  }
  return status;
}

/* ---- All -------------------------------------------------------------------------------------------------------- */

/* Bytes, unless the technique has said what it takes because there is no program, and the layers' errors. */
static rung_status measure_weights(const technique *method, rung_model *real, rung_model *model, const trial *t,
                                   technique_result *result) {
  rung_program *program = result->bytes == 0 ? rung_freeze(model) : NULL;
  if (result->bytes == 0 && !program) return rung_error_status();
  rung_status status = RUNG_OK;
  if (program) result->bytes = rung_program_describe(program).weight_bytes;
  if (method->rounds && result->layer_error == 0)
    status = measure_layer_error(real, model, program, t, &result->layer_error);
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
  return status == RUNG_OK ? measure_weights(method, real, model, t, result) : status;
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
