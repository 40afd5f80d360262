/* Writing checkpoints. */
#include "checkpoint.h"

#include <stdio.h>
#include <string.h>

enum { REASON_SIZE = 256 };

/* ---- Collecting ------------------------------------------------------------------------------------------------- */

void *checkpoint_memory(checkpoint_out *out, size_t count, size_t size) {
  void *memory = out->status == RUNG_OK ? rung_arena_array(out->arena, count, size) : NULL;
  if (memory == NULL && out->status == RUNG_OK) out->status = RUNG_ERROR_MEMORY;
  return memory;
}

static char *join(checkpoint_out *out, const char *prefix, const char *name) {
  const size_t size = strlen(prefix) + strlen(name) + sizeof ".";
  char *text = checkpoint_memory(out, size, 1);
  if (text != NULL) snprintf(text, size, "%s%s%s", prefix, *prefix != '\0' && *name != '\0' ? "." : "", name);
  return text;
}

/* Makes room for one more of what `array` has `count`. */
static void *grow(checkpoint_out *out, void *array, int count, int *capacity, size_t size) {
  if (count < *capacity) return array;
  const int wanted = *capacity > 0 ? 2 * *capacity : 64;
  void *larger = checkpoint_memory(out, (size_t)wanted, size);
  if (larger != NULL && count > 0) memcpy(larger, array, (size_t)count * size);
  if (larger != NULL) *capacity = wanted;
  return larger;
}

void checkpoint_put(checkpoint_out *out, const char *prefix, const char *name, rung_dtype type, rung_shape shape,
                    const void *data) {
  const char *full = join(out, prefix, name);
  rung_named_tensor *tensors = grow(out, out->tensors, out->tensor_count, &out->tensor_capacity, sizeof *tensors);
  if (full == NULL || tensors == NULL) return;
  out->tensors = tensors;
  tensors[out->tensor_count++] =
      (rung_named_tensor){.name = full, .tensor = {.type = type, .shape = shape, .data = (void *)(uintptr_t)data}};
}

void checkpoint_put_text(checkpoint_out *out, const char *key, const char *value) {
  char *one = join(out, key, ""), *other = join(out, value, "");
  rung_metadata *metadata = grow(out, out->metadata, out->metadata_count, &out->metadata_capacity, sizeof *metadata);
  if (one == NULL || other == NULL || metadata == NULL) return;
  out->metadata = metadata;
  metadata[out->metadata_count++] = (rung_metadata){.key = one, .value = other};
}

void checkpoint_put_fields(checkpoint_out *out, const char *prefix, const text_field *table, const void *object) {
  for (const text_field *field = table; field->name != NULL; field++) {
    char text[FIELD_TEXT];
    const char *key = join(out, prefix, field->name);
    if (key != NULL) checkpoint_put_text(out, key, field_format(field, object, text));
  }
}

void checkpoint_encode(uint64_t value, uint8_t bytes[8]) {
  for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(value >> 8 * i);
}

/* ---- The model -------------------------------------------------------------------------------------------------- */

static void put_parameters(checkpoint_out *out, const rung_model *model) {
  const int count = rung_model_parameter_count(model);
  uint8_t *trainable = checkpoint_memory(out, (size_t)count, 1);
  for (int i = 0; i < count && trainable != NULL; i++) {
    const rung_parameter parameter = rung_model_parameter(model, i);
    checkpoint_put(out, parameter.name, "", RUNG_F32, parameter.shape, parameter.value);
    trainable[i] = parameter.trainable;
  }
  if (count > 0) checkpoint_put(out, "rung", "trainable", RUNG_U8, RUNG_SHAPE(count), trainable);
}

/* Why there is no text, in ASCII: names may be cut off in the middle of a character. */
static void put_reason(checkpoint_out *out) {
  char reason[REASON_SIZE];
  snprintf(reason, sizeof reason, "%s", rung_error());
  for (char *c = reason; *c; c++)
    if (*c < ' ' || *c > '~') *c = '?';
  checkpoint_put_text(out, "no_model", reason);
}

/* What is no chain has none: such a file goes into a model that is recorded. */
static void put_text(checkpoint_out *out, const rung_model *model) {
  if (out->status != RUNG_OK) return;
  char *text = rung_model_text(model);
  if (text != NULL) checkpoint_put_text(out, "model", text);
  if (text == NULL && rung_error_status() == RUNG_ERROR_MEMORY) out->status = RUNG_ERROR_MEMORY;
  if (text == NULL) put_reason(out);
  rung_release(text);
}

static void put_model(checkpoint_out *out, const rung_model *model) {
  const rung_rng rng = rung_graph_rng(model->graph);
  model_fields fields = {.batch = rung_graph_batch(model->graph),
                         .seed = rng.key,
                         .epochs = model->epochs,
                         .float_steps = rung_graph_step(model->graph),
                         .form = (int)model->form,
                         .has_scheme = model->has_scheme,
                         .calibrated = model->quantization != NULL};
  if (model->quantization != NULL) {
    fields.integer_steps = rung_graph_step(rung_quantization_graph(model->quantization, RUNG_ARITHMETIC_INTEGER));
    fields.simulated_steps = rung_graph_step(rung_quantization_graph(model->quantization, RUNG_ARITHMETIC_SIMULATED));
  }
  checkpoint_put_text(out, "rung", CHECKPOINT_VERSION);
  put_text(out, model);
  checkpoint_put_fields(out, "", model_table, &fields);
  if (model->has_scheme) {
    checkpoint_put_fields(out, "scheme", scheme_table, &model->scheme);
    checkpoint_put_layers(out, &model->scheme);
  }
  if (model->quantization != NULL) checkpoint_put_fields(out, "inputs", input_table, &model->inputs);
}

static bool holds(const checkpoint_out *out, const char *name) {
  for (int i = 0; i < out->tensor_count; i++)
    if (strcmp(out->tensors[i].name, name) == 0) return true;
  return false;
}

/* The integers of every quantized layer, under its weight's name; once, should two layers share it. */
static void put_integers(checkpoint_out *out, const rung_quantization *quantization) {
  rung_graph *graph = rung_quantization_graph(quantization, RUNG_ARITHMETIC_INTEGER);
  rung_integer_layer layer;
  const rung_node *node;
  for (int i = 0; out->status == RUNG_OK && (node = rung_graph_node(graph, i)) != NULL; i++) {
    if (rung_node_is_parameter(node) || rung_node_is_input(node) || node->input[1] == NULL ||
        rung_integer_layer_view(node, &layer) != RUNG_OK)
      continue;
    const char *weight = node->input[1]->name, *name = join(out, "rung.integer", weight);
    if (name == NULL || holds(out, name)) continue;
    checkpoint_put(out, name, "", RUNG_I8, RUNG_SHAPE(layer.out, layer.in), layer.weight);
    checkpoint_put(out, "rung.scale", weight, RUNG_F32, RUNG_SHAPE(layer.out, layer.groups), layer.weight_scale);
  }
}

rung_status checkpoint_save(const rung_model *model, const fit_state *fit, const char *path) {
  checkpoint_out out = {.arena = rung_arena_new()};
  if (out.arena == NULL) return RUNG_ERROR_MEMORY;
  put_parameters(&out, model);
  checkpoint_put_masks(&out, model);
  if (out.status == RUNG_OK) put_model(&out, model);
  if (out.status == RUNG_OK && model->quantization != NULL) {
    rung_quantization_refresh(model->quantization); /* it may have trained in another form */
    rung_quantization_make_integers(model->quantization);
    put_integers(&out, model->quantization);
    checkpoint_put_scales(&out, model->quantization);
    checkpoint_put_quantizers(&out, model->quantization);
  }
  if (out.status == RUNG_OK && model->quantization != NULL) checkpoint_put_oscillation(&out, model);
  if (out.status == RUNG_OK) checkpoint_put_history(&out, model);
  if (fit != NULL) checkpoint_put_fit(&out, fit);
  if (out.status == RUNG_OK)
    out.status = rung_safetensors_write_with(path, out.tensors, out.tensor_count, out.metadata, out.metadata_count);
  rung_arena_free(out.arena);
  return out.status;
}

rung_status rung_model_save(const rung_model *model, const char *path) {
  rung_status status = rung_model_status(model);
  if (status == RUNG_OK) status = rung_model_check_finite(model);
  return status == RUNG_OK ? checkpoint_save(model, NULL, path) : status;
}
