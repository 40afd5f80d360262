/* Quantize and calibrate: two of the four verbs. */
#include "prune/prune.h"

rung_status model_set_scheme(rung_model *model, const rung_scheme *scheme) {
  rung_layer_scheme *layers = rung_scheme_copy_layers(scheme);
  if (!layers && scheme->layer_count > 0) return RUNG_ERROR_MEMORY;
  const rung_scheme copied = *scheme; /* it may be the model's own */
  rung_release(model->layers);
  model->layers = layers;
  model->scheme = copied;
  model->scheme.layers = layers;
  model->has_scheme = true;
  return RUNG_OK;
}

rung_status rung_quantize(rung_model *model, const rung_scheme *scheme) {
  const rung_scheme defaults = {0};
  if (!scheme) scheme = &defaults;
  rung_status status = rung_model_status(model);
  if (status == RUNG_OK) status = rung_scheme_check(scheme);
  if (status == RUNG_OK && model->mask) status = prune_check_scheme(scheme);
  if (status == RUNG_OK) status = rung_scheme_check_names(scheme, model->graph);
  if (status == RUNG_OK) status = model_set_scheme(model, scheme);
  if (status != RUNG_OK) return status;
  rung_quantization_free(model->quantization);
  model->quantization = NULL;
  model->form = RUNG_FORM_FLOAT;
  return RUNG_OK;
}

const rung_scheme *rung_model_scheme(const rung_model *model) {
  return model && model->has_scheme ? &model->scheme : NULL;
}

rung_form model_quantized_form(const rung_model *model) {
  return model->scheme.weight_storage == RUNG_STORAGE_F32 ? RUNG_FORM_INTEGER : RUNG_FORM_SIMULATED;
}

static rung_status observe_dataset(rung_model *model, rung_graph *graph, int64_t examples) {
  int64_t batch = rung_graph_batch(graph);
  for (int64_t first = 0; first < examples; first += batch) {
    int64_t count = examples - first < batch ? examples - first : batch;
    rung_status status = rung_graph_replay(graph, &(rung_replay_options){.count = count, .first = first});
    if (status == RUNG_OK) status = rung_quantization_observe(model->quantization);
    if (status != RUNG_OK) return status;
  }
  return RUNG_OK;
}

rung_status rung_calibrate(rung_model *model, const rung_dataset *dataset, int64_t examples) {
  rung_status status = rung_model_status(model);
  if (status != RUNG_OK) return status;
  if (!model->has_scheme) return rung_fail(RUNG_ERROR_STATE, "calibrate: the model has no scheme; call rung_quantize");
  if (examples < 0)
    return rung_fail(RUNG_ERROR_ARGUMENT, "calibrate: %lld examples, expected 0 (all) or more", (long long)examples);
  status = rung_model_check_finite(model);
  if (status != RUNG_OK) return status;
  rung_quantization_free(model->quantization);
  model->quantization = NULL;
  model->form = RUNG_FORM_FLOAT;
  rung_graph *graph;
  status = model_bind(model, dataset, &graph);
  if (status != RUNG_OK) return status;
  model->quantization = rung_quantization_new(graph, &model->scheme);
  if (!model->quantization) return rung_error_status();
  model->inputs = dataset->inputs;
  if (examples == 0 || examples > dataset->count) examples = dataset->count;
  status = observe_dataset(model, graph, examples);
  if (status == RUNG_OK) return rung_model_use(model, model_quantized_form(model));
  rung_quantization_free(model->quantization); /* not calibrated by half of the data */
  model->quantization = NULL;
  return status;
}

/* ---- Ranges that are known -------------------------------------------------------------------------------------- */

static rung_status bind_type(rung_model *model, rung_node *leaf, const rung_tensor *inputs) {
  rung_tensor example = *inputs;
  if (leaf == model_loss(model)->input[1]) example = (rung_tensor){.type = leaf->value.type};
  example.shape = leaf->value.shape;
  example.shape.extent[0] = 1;
  size_t bytes = (size_t)rung_tensor_count(&example) * rung_dtype_size(example.type);
  example.data = rung_arena_allocate(rung_graph_arena(model->graph), bytes);
  return example.data ? rung_graph_bind(leaf, &example) : RUNG_ERROR_MEMORY;
}

rung_status model_bind_types(rung_model *model, const rung_tensor *inputs) {
  for (int i = 0; i < rung_graph_node_count(model->graph); i++) {
    rung_node *leaf = rung_graph_node(model->graph, i);
    rung_status status = rung_node_is_input(leaf) ? bind_type(model, leaf, inputs) : RUNG_OK;
    if (status != RUNG_OK) return status;
  }
  return RUNG_OK;
}

static rung_status set_ranges(rung_quantization *quantization, const rung_known_range *ranges, int count) {
  for (int i = 0; i < count; i++) {
    rung_quantizer *quantizer = rung_quantization_quantizer_of(quantization, ranges[i].node);
    if (!quantizer)
      return rung_fail(RUNG_ERROR_ARGUMENT, "calibrate: a range for '%s', which is not quantized",
                       ranges[i].node->name);
    rung_status status = rung_quantizer_set(quantizer, ranges[i].scale, ranges[i].zero_point);
    if (status != RUNG_OK) return status;
  }
  for (int i = 0; i < rung_quantization_quantizer_count(quantization); i++) {
    const rung_quantizer *quantizer = rung_quantization_quantizer(quantization, i);
    if (quantizer->state == RUNG_QUANTIZER_OFF)
      return rung_fail(RUNG_ERROR_ARGUMENT, "calibrate: no range for '%s', which is quantized", quantizer->name);
  }
  return RUNG_OK;
}

rung_status rung_calibrate_known(rung_model *model, const rung_tensor *inputs, const rung_known_range *ranges,
                                 int count) {
  rung_status status = model_check_loss(model);
  if (status != RUNG_OK) return status;
  if (!model->has_scheme) return rung_fail(RUNG_ERROR_STATE, "calibrate: the model has no scheme; call rung_quantize");
  bool integers = inputs->type == RUNG_U8 || inputs->type == RUNG_I8;
  if ((!integers && inputs->type != RUNG_F32) || (integers && !(inputs->scale > 0)))
    return rung_fail(RUNG_ERROR_ARGUMENT, "calibrate: inputs are %s with scale %g, expected f32, or u8 or i8 with one",
                     rung_dtype_name(inputs->type), (double)inputs->scale);
  status = rung_model_check_finite(model);
  if (status != RUNG_OK) return status;
  rung_quantization_free(model->quantization);
  model->quantization = NULL;
  model->form = RUNG_FORM_FLOAT;
  status = model_bind_types(model, inputs);
  if (status != RUNG_OK) return status;
  model->quantization = rung_quantization_new(model->graph, &model->scheme);
  if (!model->quantization) return rung_error_status();
  model->inputs = *inputs;
  model->inputs.data = NULL;
  status = set_ranges(model->quantization, ranges, count);
  if (status == RUNG_OK) return rung_model_use(model, model_quantized_form(model));
  rung_quantization_free(model->quantization);
  model->quantization = NULL;
  return status;
}
