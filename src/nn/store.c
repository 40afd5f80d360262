/* The weights of a model by way of a storage format, and what that has cost. */
#include "model.h"

#include <rung/nn/formats.h>

#include <math.h>

typedef struct storing {
  const rung_storage *storage;
  rung_stored stored;
  double signal, noise; /* sums of squares */
  void *bytes;          /* for the largest weight */
  float *decoded;
} storing;

static bool is_weight(const rung_node *parameter) {
  const rung_node *node;
  if (!rung_node_is_parameter(parameter)) return false;
  for (int i = parameter->index + 1; (node = rung_graph_node(parameter->graph, i)) != NULL; i++)
    if (node->op == &rung_op_linear && node->input[1] == parameter) return true;
  return false;
}

/* Sizes, and memory for the largest. */
static rung_status prepare(storing *to, const rung_graph *graph) {
  size_t bytes = 0, floats = 0;
  rung_storage_layout layout;
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (!is_weight(node)) continue;
    const int64_t *extent = node->value.shape.extent, count = rung_tensor_count(&node->value);
    rung_status status = rung_storage_measure(to->storage, extent[0], extent[1], &layout);
    if (status != RUNG_OK) return status;
    to->stored.weights += count;
    to->stored.bytes += layout.bytes; /* each is smaller than a weight in memory and its scales */
    if (layout.bytes > bytes) bytes = layout.bytes;
    if ((size_t)count > floats) floats = (size_t)count;
  }
  if (to->stored.weights == 0) return rung_fail(RUNG_ERROR_STATE, "store: the model has no linear layer");
  to->stored.bits_per_weight = 8 * (double)to->stored.bytes / (double)to->stored.weights;
  to->bytes = rung_allocate(bytes);
  to->decoded = rung_allocate(floats * sizeof *to->decoded);
  return to->bytes && to->decoded ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static rung_status store(storing *to, rung_node *weight) {
  const int64_t *extent = weight->value.shape.extent, count = rung_tensor_count(&weight->value);
  float *w = weight->value.data;
  rung_status status = rung_storage_encode(to->storage, w, extent[0], extent[1], to->bytes);
  if (status == RUNG_OK) status = rung_storage_decode(to->storage, to->bytes, extent[0], extent[1], to->decoded);
  if (status != RUNG_OK) return status;
  for (int64_t i = 0; i < count; i++) {
    const double error = (double)w[i] - (double)to->decoded[i];
    to->signal += (double)w[i] * (double)w[i];
    to->noise += error * error;
    to->stored.largest_error = fmax(to->stored.largest_error, fabs(error));
    w[i] = to->decoded[i];
  }
  return RUNG_OK;
}

rung_status rung_model_store(rung_model *model, const rung_storage *storage, rung_stored *stored) {
  rung_status status = rung_model_status(model);
  if (status == RUNG_OK) status = rung_model_check_finite(model);
  if (status != RUNG_OK) return status;
  storing to = {.storage = storage};
  status = prepare(&to, model->graph);
  for (int i = 0; i < rung_graph_node_count(model->graph) && status == RUNG_OK; i++) {
    rung_node *node = rung_graph_node(model->graph, i);
    if (is_weight(node)) status = store(&to, node);
  }
  rung_release(to.bytes);
  rung_release(to.decoded);
  if (status != RUNG_OK) return status;
  to.stored.sqnr = to.noise > 0 ? 10 * log10(to.signal / to.noise) : INFINITY;
  rung_model_touch(model);
  if (stored) *stored = to.stored;
  return RUNG_OK;
}
