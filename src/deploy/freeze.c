/* Freezing: the quantized graph, walked from its input to its logits, becomes a list of integer products. The arrays
 * are copied from the layers as they train, so the program's integers are the trainer's. */
#include "program.h"

#include <stdio.h>
#include <string.h>

/* "fc1" of "fc1.weight". */
static void name_layer(program_layer *layer, const char *parameter) {
  static const char suffix[] = ".weight";
  snprintf(layer->parameter, sizeof layer->parameter, "%s", parameter);
  snprintf(layer->name, sizeof layer->name, "%s", parameter);
  size_t length = strlen(layer->name), cut = strlen(suffix);
  if (length > cut && strcmp(layer->name + length - cut, suffix) == 0) layer->name[length - cut] = '\0';
}

static rung_status freeze_layer(rung_program *program, const rung_node *node) {
  program_layer *layer = &program->layer[program->count];
  name_layer(layer, rung_integer_layer_weight(node)->name);
  program->count++;
  return rung_integer_layer_view(node, &layer->instruction.integers);
}

/* "fc1" of a node with the parameter "fc1.weight"; false where it has none. */
static bool name_of(const rung_node *node, program_layer *layer) {
  bool named = node->op->input_count > 1 && node->input[1] && rung_node_is_parameter(node->input[1]);
  if (named) name_layer(layer, node->input[1]->name);
  return named;
}

/* A ReLU that a batch norm reads stays in f32 because of that: the batch norm, which should stand before it, is at
 * fault. */
static const rung_node *at_fault(const rung_node *node) {
  const rung_node *reader;
  for (int i = node->index + 1; (reader = rung_graph_node(node->graph, i)) != NULL; i++)
    if (reader->op->input_count && reader->input[0] == node) break;
  bool relu = strcmp(node->op->name, "relu") == 0 || strcmp(node->op->name, "relu6") == 0;
  return relu && reader && strcmp(reader->op->name, "batch_norm") == 0 ? reader : node;
}

/* As the user wrote it: by its kind, and its name or that of the layer before it. */
static rung_status refuse(const rung_node *node) {
  static const char why[] = "has no integer form where it stands; a program is a chain of linear layers, each with at "
                            "most a batch norm and a ReLU or ReLU6 behind it, then reshapes and dropouts";
  char kind[64];
  program_layer layer;
  node = at_fault(node);
  static const char quantized[] = "quantized_";
  const bool prefixed = strncmp(node->op->name, quantized, strlen(quantized)) == 0;
  snprintf(kind, sizeof kind, "%s", node->op->name + (prefixed ? strlen(quantized) : 0));
  for (char *c = kind; *c; c++)
    if (*c == '_') *c = ' ';
  if (name_of(node, &layer)) return rung_fail(RUNG_ERROR_UNSUPPORTED, "freeze: the %s '%s' %s", kind, layer.name, why);
  for (const rung_node *at = node->op->input_count ? node->input[0] : NULL; at && at->op->input_count;
       at = at->input[0])
    if (name_of(at, &layer))
      return rung_fail(RUNG_ERROR_UNSUPPORTED, "freeze: the %s behind '%s' %s", kind, layer.name, why);
  return rung_fail(RUNG_ERROR_UNSUPPORTED, "freeze: the %s behind the input %s", kind, why);
}

/* Behind the logits only what makes a loss of them may stand. */
static rung_status check_end(rung_graph *graph, const rung_node *logits) {
  int last = rung_graph_node_count(graph) - 1;
  for (int i = logits->index + 1; i < last; i++) {
    const rung_node *node = rung_graph_node(graph, i);
    bool leaf = rung_node_is_input(node) || rung_node_is_parameter(node);
    if (!leaf && node->input[0] != logits) return refuse(node);
  }
  return RUNG_OK;
}

static void note_input(rung_program *program, const rung_node *input) {
  snprintf(program->input_name, sizeof program->input_name, "%s", input->name);
  program->input_shape.rank = input->value.shape.rank - 1;
  for (int i = 0; i < program->input_shape.rank; i++) program->input_shape.extent[i] = input->value.shape.extent[i + 1];
}

/* The graph's nodes in order, all of which must pass integers on from the input; the logits end it. */
static rung_status freeze_nodes(rung_program *program, rung_graph *graph) {
  const rung_node *at = NULL; /* what the next operation must read */
  bool merging = false;       /* on from a layer's accumulators to the layer that they are merged into */
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (rung_node_is_parameter(node)) continue;
    if (rung_node_is_input(node)) {
      if (at) continue;
      note_input(program, node);
      at = node;
      continue;
    }
    if (node->input[0] == at && rung_node_is_input(at) && rung_node_is_quantize(node)) {
      program->real_inputs = true;
      at = node;
      continue;
    }
    const rung_input_table *table = node->input[0] == at ? rung_node_input_table(node) : NULL;
    if (table) {
      rung_status status = program_set_table(program, table);
      if (status != RUNG_OK) return status;
      at = node;
      continue;
    }
    if (node->input[0] == at && rung_node_gives_accumulators(node)) merging = true;
    const bool layer = rung_integer_layer_weight(node) != NULL;
    if (merging && !layer) continue;
    if ((!merging && node->input[0] != at) || !(layer || rung_node_passes_integers(node))) return refuse(node);
    rung_status status = layer ? freeze_layer(program, node) : RUNG_OK;
    if (status != RUNG_OK) return status;
    if (layer && node->value.type == RUNG_I32) return check_end(graph, node);
    at = node;
    merging = false;
  }
  return rung_fail(RUNG_ERROR_UNSUPPORTED, "freeze: the network has no linear layer that gives logits");
}

rung_program *rung_freeze(rung_model *model) {
  if (rung_model_status(model) != RUNG_OK) return NULL;
  rung_quantization *quantization = rung_model_quantization(model);
  if (!quantization) {
    rung_fail(RUNG_ERROR_STATE, "freeze: the model is not calibrated; call rung_quantize and rung_calibrate first");
    return NULL;
  }
  const rung_storage_format storage = rung_model_scheme(model)->weight_storage;
  if (storage != RUNG_STORAGE_F32) {
    rung_fail(RUNG_ERROR_UNSUPPORTED,
              "freeze: the weights are simulated in %s, which has no integer form; expected a "
              "scheme with weight_bits",
              rung_storage_name(storage));
    return NULL;
  }
  rung_graph *graph = rung_quantization_graph(quantization, RUNG_ARITHMETIC_INTEGER);
  rung_program *program = program_new(rung_graph_node_count(graph));
  if (!program) return NULL;
  rung_status status = rung_model_check_finite(model);
  if (status == RUNG_OK) rung_quantization_make_integers(quantization);
  if (status == RUNG_OK) status = freeze_nodes(program, graph);
  if (status == RUNG_OK) status = program_finish(program, "freeze");
  if (status == RUNG_OK) return program;
  rung_program_free(program);
  return NULL;
}
