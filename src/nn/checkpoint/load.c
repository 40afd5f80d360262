/* Reading checkpoints. */
#include "../text/text.h"
#include "checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LARGEST_BATCH = 1 << 16 }; /* that a file may ask for; the caller may ask for any */

/* ---- Getting ---------------------------------------------------------------------------------------------------- */

const rung_tensor *checkpoint_get(const checkpoint_in *in, const char *prefix, const char *name, rung_dtype type,
                                  rung_shape shape) {
  char full[1024];
  snprintf(full, sizeof full, "%s.%s", prefix, name);
  return rung_safetensors_expect(in->file, full, type, &shape);
}

rung_status checkpoint_get_fields(const checkpoint_in *in, const char *prefix, const text_field *table, void *object) {
  for (const text_field *field = table; field->name != NULL; field++) {
    char key[128];
    snprintf(key, sizeof key, "%s%s%s", prefix, *prefix != '\0' ? "." : "", field->name);
    const char *text = rung_safetensors_metadata(in->file, key);
    if (text == NULL && field->may_lack) continue;
    if (text == NULL || !field_parse(field, text, object))
      return rung_fail(RUNG_ERROR_FORMAT, "%s: metadata '%s' is '%s', which is no value for it", in->path, key,
                       text != NULL ? text : "missing");
  }
  return RUNG_OK;
}

uint64_t checkpoint_decode(const uint8_t bytes[8]) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; i--) value = value << 8 | bytes[i];
  return value;
}

rung_status checkpoint_open(const char *path, checkpoint_in *in, rung_safetensors **file) {
  *file = rung_safetensors_open(path);
  if (*file == NULL) return rung_error_status();
  *in = (checkpoint_in){.path = path, .file = *file};
  const char *version = rung_safetensors_metadata(*file, "rung");
  if (version != NULL && strcmp(version, CHECKPOINT_VERSION) == 0) return RUNG_OK;
  rung_safetensors_free(*file);
  *file = NULL;
  if (version == NULL)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: no checkpoint of Rung's: its metadata have no 'rung'", path);
  return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: a checkpoint of another version than %s", path, CHECKPOINT_VERSION);
}

/* ---- What a file holds, checked --------------------------------------------------------------------------------- */

typedef struct file_contents {
  model_fields model;
  rung_scheme scheme;
  rung_layer_scheme *layers; /* the scheme's, owned */
  rung_tensor inputs;
  const uint8_t *trainable; /* [parameters] */
} file_contents;

static rung_status check_text(const checkpoint_in *in, const rung_model *model) {
  const char *text = rung_safetensors_metadata(in->file, "model");
  char *mine = text != NULL ? rung_model_text(model) : NULL;
  if (text != NULL && mine == NULL && rung_error_status() == RUNG_ERROR_MEMORY) return RUNG_ERROR_MEMORY;
  if (text == NULL || mine == NULL) return rung_model_status(model); /* then names and shapes must do */
  const bool same = strcmp(text, mine) == 0;
  if (!same) rung_fail(RUNG_ERROR_ARGUMENT, "%s: holds the model '%s', this one is '%s'", in->path, text, mine);
  rung_release(mine);
  return same ? RUNG_OK : RUNG_ERROR_ARGUMENT;
}

static rung_status check_parameters(const checkpoint_in *in, const rung_model *model) {
  const int count = rung_model_parameter_count(model);
  for (int i = 0; i < count; i++) {
    const rung_parameter parameter = rung_model_parameter(model, i);
    const rung_tensor *tensor = rung_safetensors_expect(in->file, parameter.name, RUNG_F32, &parameter.shape);
    if (tensor == NULL) return rung_error_status();
    for (int64_t k = 0; k < rung_tensor_count(tensor); k++)
      if (!isfinite(((const float *)tensor->data)[k]))
        return rung_fail(RUNG_ERROR_FORMAT, "%s: tensor '%s': value %lld is not finite", in->path, parameter.name,
                         (long long)k);
  }
  return RUNG_OK;
}

/* Calibrated inputs are such as a dataset may have. */
static rung_status check_inputs(const checkpoint_in *in, const rung_tensor *inputs) {
  const bool good =
      inputs->type == RUNG_F32 || (inputs->type == RUNG_U8 && inputs->scale > 0 && isfinite(inputs->scale) &&
                                   inputs->zero_point >= 0 && inputs->zero_point <= UINT8_MAX);
  if (good) return RUNG_OK;
  return rung_fail(RUNG_ERROR_FORMAT, "%s: inputs are %s of scale %g and zero point %d, expected f32, or u8 and 0..255",
                   in->path, rung_dtype_name(inputs->type), (double)inputs->scale, inputs->zero_point);
}

static rung_status read_contents(const checkpoint_in *in, const rung_model *model, file_contents *contents) {
  const rung_rng rng = rung_graph_rng(model->graph);
  rung_status status = check_text(in, model);
  if (status == RUNG_OK) status = checkpoint_get_fields(in, "", model_table, &contents->model);
  const model_fields *fields = &contents->model;
  if (status == RUNG_OK && fields->seed != rng.key)
    status = rung_fail(RUNG_ERROR_ARGUMENT, "%s: holds a model of seed %llu, this one has seed %llu", in->path,
                       (unsigned long long)fields->seed, (unsigned long long)rng.key);
  if (status == RUNG_OK && ((fields->calibrated && !fields->has_scheme) || (fields->form != 0 && !fields->calibrated)))
    status = rung_fail(RUNG_ERROR_FORMAT, "%s: a quantized form without a scheme or calibration", in->path);
  if (status == RUNG_OK) status = check_parameters(in, model);
  if (status == RUNG_OK && fields->has_scheme) {
    status = checkpoint_get_fields(in, "scheme", scheme_table, &contents->scheme);
    if (status == RUNG_OK) status = checkpoint_get_layers(in, &contents->scheme, &contents->layers);
    if (status == RUNG_OK && (rung_scheme_check(&contents->scheme) != RUNG_OK ||
                              rung_scheme_check_names(&contents->scheme, model->graph) != RUNG_OK))
      status = rung_fail(RUNG_ERROR_FORMAT, "%s: %s", in->path, rung_error());
  }
  if (status == RUNG_OK) status = checkpoint_check_masks(in, model, fields->has_scheme ? &contents->scheme : NULL);
  if (status == RUNG_OK && fields->calibrated) {
    status = checkpoint_get_fields(in, "inputs", input_table, &contents->inputs);
    if (status == RUNG_OK) status = check_inputs(in, &contents->inputs);
  }
  const int count = rung_model_parameter_count(model);
  if (status != RUNG_OK || count == 0) return status;
  const rung_tensor *trainable = checkpoint_get(in, "rung", "trainable", RUNG_U8, RUNG_SHAPE(count));
  contents->trainable = trainable != NULL ? trainable->data : NULL;
  return trainable != NULL ? RUNG_OK : rung_error_status();
}

/* ---- Setting a model -------------------------------------------------------------------------------------------- */

static void set_parameters(const checkpoint_in *in, rung_model *model, const uint8_t *trainable) {
  int p = 0;
  rung_node *node;
  for (int i = 0; (node = rung_graph_node(model->graph, i)) != NULL; i++) {
    if (!rung_node_is_parameter(node)) continue;
    const rung_tensor *tensor = rung_safetensors_find(in->file, node->name);
    memcpy(node->value.data, tensor->data, (size_t)rung_tensor_count(tensor) * sizeof(float));
    rung_node_set_trainable(node, trainable[p++]);
  }
}

/* The integers that this build makes of the shadows are those of the file. */
static rung_status check_integers(const checkpoint_in *in, const rung_quantization *quantization) {
  rung_graph *graph = rung_quantization_graph(quantization, RUNG_ARITHMETIC_INTEGER);
  rung_integer_layer layer;
  const rung_node *node;
  for (int i = 0; (node = rung_graph_node(graph, i)) != NULL; i++) {
    if (rung_node_is_parameter(node) || rung_node_is_input(node) || node->input[1] == NULL ||
        rung_integer_layer_view(node, &layer) != RUNG_OK)
      continue;
    const char *name = node->input[1]->name;
    const rung_tensor *q = checkpoint_get(in, "rung.integer", name, RUNG_I8, RUNG_SHAPE(layer.out, layer.in));
    if (q == NULL) return rung_error_status();
    if (memcmp(q->data, layer.weight, (size_t)(layer.out * layer.in)) != 0)
      return rung_fail(RUNG_ERROR_FORMAT, "%s: the integers of '%s' are not those of its f32 weights", in->path, name);
  }
  return RUNG_OK;
}

static rung_status set_quantization(const checkpoint_in *in, rung_model *model, const file_contents *contents) {
  rung_status status = model_bind_types(model, &contents->inputs);
  if (status != RUNG_OK) return status;
  model->quantization = rung_quantization_new(model->graph, &model->scheme);
  if (model->quantization == NULL) return rung_error_status();
  model->inputs = contents->inputs;
  const model_fields *fields = &contents->model;
  rung_graph_set_step(rung_quantization_graph(model->quantization, RUNG_ARITHMETIC_INTEGER), fields->integer_steps);
  rung_graph_set_step(rung_quantization_graph(model->quantization, RUNG_ARITHMETIC_SIMULATED), fields->simulated_steps);
  status = checkpoint_get_quantizers(in, model->quantization);
  if (status == RUNG_OK) status = checkpoint_get_scales(in, model->quantization);
  if (status == RUNG_OK) status = checkpoint_get_oscillation(in, model);
  if (status != RUNG_OK) return status;
  rung_quantization_refresh(model->quantization);
  rung_quantization_make_integers(model->quantization);
  return check_integers(in, model->quantization);
}

static rung_status set_model(const checkpoint_in *in, rung_model *model, const file_contents *contents) {
  rung_status status = model_set_scheme(model, &contents->scheme);
  if (status == RUNG_OK) status = checkpoint_get_history(in, model);
  if (status != RUNG_OK) return status;
  model->has_scheme = contents->model.has_scheme;
  rung_quantization_free(model->quantization);
  model->quantization = NULL;
  model->form = RUNG_FORM_FLOAT;
  status = checkpoint_set_masks(in, model);
  if (status != RUNG_OK) return status;
  set_parameters(in, model, contents->trainable);
  rung_graph_set_step(model->graph, contents->model.float_steps);
  model->epochs = contents->model.epochs;
  if (contents->model.calibrated) status = set_quantization(in, model, contents);
  if (status == RUNG_OK) return rung_model_use(model, (rung_form)contents->model.form);
  rung_quantization_free(model->quantization);
  model->quantization = NULL;
  return status;
}

rung_status checkpoint_restore(const checkpoint_in *in, rung_model *model) {
  file_contents contents = {0};
  rung_status status = read_contents(in, model, &contents);
  if (status == RUNG_OK) status = set_model(in, model, &contents);
  rung_release(contents.layers);
  return status;
}

rung_status rung_model_restore(rung_model *model, const char *path) {
  checkpoint_in in;
  rung_safetensors *file;
  rung_status status = rung_model_status(model);
  if (status == RUNG_OK) status = checkpoint_open(path, &in, &file);
  if (status != RUNG_OK) return status;
  status = checkpoint_restore(&in, model);
  rung_safetensors_free(file);
  return status;
}

/* ---- A model from its file alone -------------------------------------------------------------------------------- */

static rung_model *model_of(const checkpoint_in *in, const rung_model_options *options) {
  model_fields fields = {0};
  const char *text = rung_safetensors_metadata(in->file, "model");
  if (text == NULL) {
    const char *reason = rung_safetensors_metadata(in->file, "no_model");
    rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: holds a model that is not a chain of layers; record it and restore it%s%s",
              in->path, reason != NULL ? ". " : "", reason != NULL ? reason : "");
    return NULL;
  }
  if (checkpoint_get_fields(in, "", model_table, &fields) != RUNG_OK) return NULL;
  rung_model_options with = options != NULL ? *options : (rung_model_options){0};
  if (with.batch == 0 && (fields.batch < 1 || fields.batch > LARGEST_BATCH)) {
    rung_fail(RUNG_ERROR_FORMAT, "%s: batch %lld, expected 1..%d, or more if the caller says so", in->path,
              (long long)fields.batch, LARGEST_BATCH);
    return NULL;
  }
  if (with.batch == 0) with.batch = fields.batch;
  with.seed = fields.seed;
  rung_model *model = text_model(text, &with, in->file);
  if (model == NULL) rung_fail(rung_error_status(), "%s: %s", in->path, rung_error());
  return model;
}

rung_model *rung_model_load(const char *path, const rung_model_options *options) {
  checkpoint_in in;
  rung_safetensors *file;
  if (checkpoint_open(path, &in, &file) != RUNG_OK) return NULL;
  rung_model *model = model_of(&in, options);
  if (model != NULL && checkpoint_restore(&in, model) != RUNG_OK) {
    rung_model_free(model);
    model = NULL;
  }
  rung_safetensors_free(file);
  return model;
}
