/* Quantize and calibrate: two of the four verbs. */
#include "model.h"

rung_status rung_quantize(rung_model *model, const rung_scheme *scheme) {
  const rung_scheme defaults = {0};
  if (!scheme) scheme = &defaults;
  rung_status status = rung_model_status(model);
  if (status == RUNG_OK) status = rung_scheme_check(scheme);
  if (status != RUNG_OK) return status;
  rung_quantization_free(model->quantization);
  model->quantization = NULL;
  model->form = RUNG_FORM_FLOAT;
  model->scheme = *scheme;
  model->has_scheme = true;
  return RUNG_OK;
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
  if (status == RUNG_OK) return rung_model_use(model, RUNG_FORM_INTEGER);
  rung_quantization_free(model->quantization); /* not calibrated by half of the data */
  model->quantization = NULL;
  return status;
}
