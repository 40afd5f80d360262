/* What was seen of oscillating weights: "rung.oscillation.PROPERTY.WEIGHT", each of the weight's shape. */
#include "checkpoint.h"

#include <string.h>

typedef struct property {
  const char *prefix;
  rung_dtype type;
  void *numbers;
} property;

enum { PROPERTIES = 6 };

static void properties_of(const rung_oscillation_state *state, property properties[PROPERTIES]) {
  const property all[PROPERTIES] = {{"rung.oscillation.code", RUNG_I8, state->code},
                                    {"rung.oscillation.direction", RUNG_I8, state->direction},
                                    {"rung.oscillation.frozen", RUNG_U8, state->frozen},
                                    {"rung.oscillation.flips", RUNG_I32, state->flips},
                                    {"rung.oscillation.frequency", RUNG_F32, state->frequency},
                                    {"rung.oscillation.mean", RUNG_F32, state->mean}};
  memcpy(properties, all, sizeof all);
}

/* Once for a weight that several layers share: the first has it. */
static bool is_first(const rung_model *model, const rung_node *linear) {
  for (int i = 0; i < linear->index; i++) {
    const rung_node *node = rung_graph_node(model->graph, i);
    if (node->op == linear->op && node->input[1] == linear->input[1]) return false;
  }
  return true;
}

void checkpoint_put_oscillation(checkpoint_out *out, const rung_model *model) {
  const rung_node *node;
  for (int i = 0; out->status == RUNG_OK && (node = rung_graph_node(model->graph, i)) != NULL; i++) {
    property properties[PROPERTIES];
    const rung_oscillation_state state = rung_quantization_oscillation_state(model->quantization, node);
    if (state.code == NULL || !is_first(model, node)) continue;
    properties_of(&state, properties);
    for (int p = 0; p < PROPERTIES; p++)
      checkpoint_put(out, properties[p].prefix, node->input[1]->name, properties[p].type, node->input[1]->value.shape,
                     properties[p].numbers);
  }
}

static bool is_there(const checkpoint_in *in) {
  for (int i = 0; i < rung_safetensors_count(in->file); i++)
    if (strncmp(rung_safetensors_tensor(in->file, i).name, "rung.oscillation.", 17) == 0) return true;
  return false;
}

static rung_status check_state(const checkpoint_in *in, const char *name, const rung_oscillation_state *state,
                               int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    const bool good = state->direction[i] >= -1 && state->direction[i] <= 1 && state->frozen[i] <= 1 &&
                      state->flips[i] >= 0 && state->frequency[i] >= 0 && state->frequency[i] <= 1 &&
                      state->mean[i] >= -128 && state->mean[i] <= 127;
    if (!good)
      return rung_fail(RUNG_ERROR_FORMAT, "%s: what is told of the oscillation of '%s' is none", in->path, name);
  }
  return RUNG_OK;
}

rung_status checkpoint_get_oscillation(const checkpoint_in *in, rung_model *model) {
  const rung_node *node;
  if (!is_there(in)) return RUNG_OK;
  rung_status status =
      rung_quantization_set_oscillation(model->quantization, &(rung_oscillation_options){.watch = true});
  for (int i = 0; status == RUNG_OK && (node = rung_graph_node(model->graph, i)) != NULL; i++) {
    property properties[PROPERTIES];
    const rung_oscillation_state state = rung_quantization_oscillation_state(model->quantization, node);
    if (state.code == NULL) continue;
    const rung_tensor *weight = &node->input[1]->value;
    properties_of(&state, properties);
    for (int p = 0; p < PROPERTIES; p++) {
      const rung_tensor *stored =
          checkpoint_get(in, properties[p].prefix, node->input[1]->name, properties[p].type, weight->shape);
      if (stored == NULL) return rung_error_status();
      memcpy(properties[p].numbers, stored->data,
             (size_t)rung_tensor_count(stored) * rung_dtype_size(properties[p].type));
    }
    status = check_state(in, node->input[1]->name, &state, rung_tensor_count(weight));
  }
  return status;
}
