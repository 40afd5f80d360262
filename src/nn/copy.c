/* Copying a model: its graph is recorded again, node by node, into a new one, so that every node has the index, and
 * with it the random streams, that it had; then comes all that a model is beside its graph. */
#include "copy.h"

#include "history.h"
#include "prune/prune.h"

/* ---- Parameters ------------------------------------------------------------------------------------------------- */

static int64_t staying(const uint8_t *stays, int64_t count) {
  int64_t left = 0;
  for (int64_t i = 0; i < count; i++) left += !stays || stays[i];
  return left;
}

/* `from` [rows, columns], elements of `size` bytes, less what does not stay. */
static void copy_selected(void *to, const void *from, size_t size, int64_t rows, int64_t columns,
                          const uint8_t *row_stays, const uint8_t *column_stays) {
  char *next = to;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t k = 0; k < columns; k++) {
      if ((row_stays && !row_stays[i]) || (column_stays && !column_stays[k])) continue;
      memcpy(next, (const char *)from + (size_t)(i * columns + k) * size, size);
      next += size;
    }
}

static rung_node *copy_parameter(rung_model *copy, const rung_model *model, const rung_node *node,
                                 const copy_selection *selection) {
  const uint8_t *rows = selection ? selection->rows[node->index] : NULL;
  const uint8_t *columns = selection ? selection->columns[node->index] : NULL;
  rung_shape shape = node->value.shape;
  const int64_t row_count = shape.rank > 0 ? shape.extent[0] : 1;
  const int64_t column_count = rung_tensor_count(&node->value) / row_count;
  if (rows) shape.extent[0] = staying(rows, row_count);
  if (columns) shape.extent[1] = staying(columns, column_count);
  rung_node *parameter = rung_graph_parameter(copy->graph, node->name, shape);
  if (!parameter) return NULL;
  copy_selected(parameter->value.data, node->value.data, sizeof(float), row_count, column_count, rows, columns);
  const uint8_t *keep = model_mask(model, node);
  if (!keep) return parameter;
  uint8_t *kept = prune_mask(copy, parameter);
  if (!kept) return rung_graph_fail(copy->graph, RUNG_ERROR_MEMORY);
  copy_selected(kept, keep, 1, row_count, column_count, rows, columns);
  return parameter;
}

/* ---- The graph -------------------------------------------------------------------------------------------------- */

static rung_node *copy_node(rung_model *copy, const rung_model *model, const rung_node *node,
                            const copy_selection *selection) {
  if (rung_node_is_parameter(node)) return copy_parameter(copy, model, node, selection);
  if (rung_node_is_input(node))
    return rung_record_leaf(copy->graph, node->op, node->name, node->attributes, node->attribute_bytes);
  rung_node *inputs[RUNG_MAX_INPUTS] = {0};
  for (int k = 0; k < node->op->input_count; k++)
    if (node->input[k]) inputs[k] = rung_graph_node(copy->graph, node->input[k]->index);
  return rung_record(node->op, inputs, node->attributes, node->attribute_bytes);
}

static rung_status copy_graph(rung_model *copy, const rung_model *model, const copy_selection *selection) {
  const int count = rung_graph_node_count(model->graph);
  for (int i = 0; i < count; i++)
    if (!copy_node(copy, model, rung_graph_node(model->graph, i), selection)) return rung_model_status(copy);
  for (int i = 0; i < count; i++) /* once all are there: recording sets some of them itself */
    rung_node_set_trainable(rung_graph_node(copy->graph, i), rung_graph_node(model->graph, i)->trainable);
  rung_graph_set_step(copy->graph, rung_graph_step(model->graph));
  return RUNG_OK;
}

/* ---- Quantization ----------------------------------------------------------------------------------------------- */

static rung_status copy_quantizer(rung_quantizer *to, const rung_quantizer *from, rung_observer_state *seen) {
  rung_observer_get_state(from->observer, seen);
  rung_status status = rung_observer_set_state(to->observer, seen);
  return status == RUNG_OK ? rung_quantizer_restore(to, from->state, from->scale, from->zero_point, from->observed)
                           : status;
}

/* Learned scales of activations, [1]; those of weights, which may lose rows, come by copy_weight_scale. */
static void copy_learned(const rung_quantization *to, const rung_quantization *from) {
  const rung_graph *source = rung_quantization_learned(from), *target = rung_quantization_learned(to);
  for (int i = 0; i < rung_graph_node_count(source); i++) {
    const rung_tensor *scale = &rung_graph_node(source, i)->value, *copied = &rung_graph_node(target, i)->value;
    if (rung_tensor_count(scale) == 1) *(float *)copied->data = *(const float *)scale->data;
  }
}

/* The scale [out, groups] or [1] that a weight was given or has learned, where it was given one. */
static rung_status copy_weight_scale(rung_model *copy, const rung_model *model, const rung_node *linear,
                                     const copy_selection *selection) {
  const rung_tensor *from = rung_quantization_weight_scale(model->quantization, linear);
  if (!from || *(const float *)from->data == 0) return RUNG_OK;
  const int64_t rows = from->shape.extent[0], groups = rung_tensor_count(from) / rows;
  const int weight = linear->input[1]->index;
  if (selection && selection->columns[weight] && groups > 1)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: has scales of groups from outside, whose inputs are not all left",
                     linear->input[1]->name);
  float *scale = rung_allocate((size_t)rung_tensor_count(from) * sizeof *scale);
  if (!scale) return RUNG_ERROR_MEMORY;
  const bool by_row = selection && rows == linear->input[1]->value.shape.extent[0];
  copy_selected(scale, from->data, sizeof *scale, rows, groups, by_row ? selection->rows[weight] : NULL, NULL);
  rung_status status =
      rung_quantization_set_weight_scale(copy->quantization, rung_graph_node(copy->graph, linear->index), scale);
  rung_release(scale);
  return status;
}

static rung_status copy_quantization(rung_model *copy, const rung_model *model, const copy_selection *selection) {
  const rung_quantization *from = model->quantization;
  rung_status status = model_bind_types(copy, &model->inputs);
  if (status != RUNG_OK) return status;
  rung_quantization *to = copy->quantization = rung_quantization_new(copy->graph, &copy->scheme);
  rung_observer_state *seen = rung_allocate(sizeof *seen);
  if (!to || !seen) status = rung_error_status();
  for (int i = 0; status == RUNG_OK && i < rung_quantization_quantizer_count(from); i++)
    status = copy_quantizer(rung_quantization_quantizer(to, i), rung_quantization_quantizer(from, i), seen);
  for (int i = 0; status == RUNG_OK && i < rung_graph_node_count(model->graph); i++)
    status = copy_weight_scale(copy, model, rung_graph_node(model->graph, i), selection);
  if (status == RUNG_OK) copy_learned(to, from);
  for (int a = 0; status == RUNG_OK && a < 2; a++)
    rung_graph_set_step(rung_quantization_graph(to, (rung_arithmetic)a),
                        rung_graph_step(rung_quantization_graph(from, (rung_arithmetic)a)));
  rung_release(seen);
  return status;
}

/* ---- The whole -------------------------------------------------------------------------------------------------- */

static rung_status copy_into(rung_model *copy, const rung_model *model, const copy_selection *selection) {
  rung_status status = copy_graph(copy, model, selection);
  if (status != RUNG_OK) return status;
  if (model->has_scheme) status = model_set_scheme(copy, &model->scheme);
  if (status == RUNG_OK) status = history_reserve(copy, model->history_count);
  if (status != RUNG_OK) return status;
  for (int i = 0; i < model->history_count; i++) copy->history[copy->history_count++] = model->history[i];
  copy->epochs = model->epochs;
  copy->inputs = model->inputs;
  copy->inputs.data = NULL;
  if (model->quantization) status = copy_quantization(copy, model, selection);
  return status == RUNG_OK ? rung_model_use(copy, model->form) : status;
}

rung_model *model_copy(const rung_model *model, const rung_model_options *options, const copy_selection *selection) {
  if (rung_model_status(model) != RUNG_OK) return NULL;
  rung_model_options with = options ? *options : (rung_model_options){0};
  if (with.batch == 0) with.batch = rung_graph_batch(model->graph);
  if (with.threads == 0) with.threads = rung_team_size(model->team);
  with.seed = rung_graph_rng(model->graph).key;
  rung_model *copy = rung_model_new(&with);
  if (copy && copy_into(copy, model, selection) == RUNG_OK) return copy;
  rung_model_free(copy);
  return NULL;
}

rung_model *rung_model_copy(const rung_model *model, const rung_model_options *options) {
  return model_copy(model, options, NULL);
}
