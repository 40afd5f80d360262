/* LLM.int8(): every product in int8 with scales found anew for each batch, columns of outliers in 16 bit
 * (docs/formats.md). Between products all is f32, so no form of a model computes it, and it is run from here. */
#include "technique.h"

#include <stdlib.h>

enum { LAYERS = 16 };

typedef struct network {
  rung_model *model; /* in float form */
  rung_graph *graph;
  int layer_count;
  const rung_node *linear[LAYERS];
  bool *outlier[LAYERS]; /* [in]: the column was one in some batch */
  float *x, *y;          /* [batch, of the widest layer] */
} network;

static int64_t extent(const rung_node *linear, int axis) {
  return linear->input[1]->value.shape.extent[axis];
}

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

static void close_network(network *net) {
  for (int l = 0; l < net->layer_count; l++) free(net->outlier[l]);
  free(net->x);
  free(net->y);
}

static rung_status open_network(network *net, const rung_dataset *test) {
  int64_t widest = 0;
  net->graph = rung_model_bind(net->model, test);
  if (!net->graph) return rung_error_status();
  for (int i = 0; i < rung_graph_node_count(net->graph) && net->layer_count < LAYERS; i++) {
    const rung_node *node = rung_graph_node(net->graph, i);
    if (node->op != &rung_op_linear) continue;
    for (int axis = 0; axis < 2; axis++) widest = extent(node, axis) > widest ? extent(node, axis) : widest;
    net->linear[net->layer_count] = node;
    net->outlier[net->layer_count] = calloc((size_t)extent(node, 1), sizeof(bool));
    if (!net->outlier[net->layer_count++]) return rung_fail(RUNG_ERROR_MEMORY, "out of memory");
  }
  const size_t floats = (size_t)(rung_graph_batch(net->graph) * widest);
  net->x = malloc(floats * sizeof *net->x);
  net->y = malloc(floats * sizeof *net->y);
  return net->x && net->y ? RUNG_OK : rung_fail(RUNG_ERROR_MEMORY, "out of memory");
}

/* ---- Products --------------------------------------------------------------------------------------------------- */

/* y = x W^T + b of `count` examples, with a ReLU in front of all layers but the first. */
static rung_status run_layer(network *net, int index, int64_t count) {
  const rung_node *linear = net->linear[index];
  const int64_t out = extent(linear, 0), in = extent(linear, 1);
  const float *bias = linear->input[2] ? linear->input[2]->value.data : NULL;
  rung_llm_int8_parts parts;
  for (int64_t i = 0; i < count * in && index > 0; i++) net->x[i] = net->x[i] > 0 ? net->x[i] : 0;
  rung_status status = rung_llm_int8(net->x, linear->input[1]->value.data, count, in, out, 0, net->y, &parts);
  if (status != RUNG_OK) return status;
  for (int64_t o = 0; o < parts.outlier_count; o++) net->outlier[index][parts.outlier[o]] = true;
  rung_llm_int8_free(&parts);
  for (int64_t i = 0; i < count * out && bias; i++) net->y[i] += bias[i % out];
  return RUNG_OK;
}

/* Outputs of `count` examples from `first` on, a batch at most, at net->x. */
static rung_status run_batch(network *net, int64_t first, int64_t count) {
  rung_status status = rung_graph_replay(net->graph, &(rung_replay_options){.count = count, .first = first});
  if (status == RUNG_OK) trial_read(&net->linear[0]->input[0]->value, 0, count * extent(net->linear[0], 1), net->x);
  for (int l = 0; l < net->layer_count && status == RUNG_OK; l++) {
    status = run_layer(net, l, count);
    float *swap = net->x;
    net->x = net->y;
    net->y = swap;
  }
  return status;
}

static rung_status run_all(network *net, const rung_dataset *test, float *outputs) {
  const int64_t batch = rung_graph_batch(net->graph);
  for (int64_t first = 0; first < test->count; first += batch) {
    const int64_t count = test->count - first < batch ? test->count - first : batch;
    rung_status status = run_batch(net, first, count);
    if (status != RUNG_OK) return status;
    for (int64_t i = 0; i < count * test->classes; i++) outputs[first * test->classes + i] = net->x[i];
  }
  return RUNG_OK;
}

/* ---- The technique ---------------------------------------------------------------------------------------------- */

/* Codes, a scale and a bias a row, and in 16 bit the columns that were needed so. */
static int64_t count_bytes(const network *net) {
  int64_t bytes = 0;
  for (int l = 0; l < net->layer_count; l++) {
    const int64_t out = extent(net->linear[l], 0), in = extent(net->linear[l], 1);
    bytes += out * in + 2 * 4 * out;
    for (int64_t k = 0; k < in; k++) bytes += net->outlier[l][k] ? 2 * out : 0;
  }
  return bytes;
}

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)scheme;
  network net = {.model = model};
  float *outputs = malloc((size_t)(t->test->count * t->test->classes) * sizeof *outputs);
  rung_status status = outputs ? open_network(&net, t->test) : rung_fail(RUNG_ERROR_MEMORY, "out of memory");
  if (status == RUNG_OK) status = run_all(&net, t->test, outputs);
  if (status == RUNG_OK) status = trial_measure_outputs(t, model, outputs, result);
  if (status == RUNG_OK) result->bytes = count_bytes(&net);
  close_network(&net);
  free(outputs);
  return status;
}

const technique technique_llm_int8 = {
    .name = "llm-int8",
    .help = "LLM.int8() (Dettmers et al., 2022): outliers beyond 6 in 16 bit; all but the products f32",
    .settings = "w8a8, w8a8 outliers",
    .run = run};
