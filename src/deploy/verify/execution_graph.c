/* The executions that replay a graph of the model: f32, simulated, and integers, as in evaluation and as in training.
 */
#include "verify.h"

#include <math.h>
#include <string.h>

typedef struct graph_state {
  rung_graph *graph;
  const rung_node **value;    /* [layers]: what stands for each layer's output */
  const rung_node **before;   /* [layers]: the same before it was rounded; NULL */
  rung_quantizer_state *held; /* [quantizers]: what a training forward pass puts back, and ... */
  float **scale;              /* [learned scales]: ... which the first step starts */
} graph_state;

/* ---- What stands for a layer ------------------------------------------------------------------------------------ */

/* Whether `node` is the linear layer that was frozen so. */
static bool is_layer(const rung_node *node, const program_layer *frozen) {
  const rung_node *weight = rung_integer_layer_weight(node);
  const rung_shape shape = RUNG_SHAPE(frozen->instruction.integers.out, frozen->instruction.integers.in);
  return weight && strcmp(weight->name, frozen->parameter) == 0 && rung_shape_equal(&weight->value.shape, &shape) &&
         node->value.type == frozen->instruction.integers.output_type;
}

/* The integer graph's node that the program's layer was frozen from, if the model still has such a one. */
static const rung_node *integer_node(const verify_run *run, int layer) {
  rung_graph *graph = rung_quantization_graph(rung_model_quantization(run->model), RUNG_ARITHMETIC_INTEGER);
  for (int i = 0; i < rung_graph_node_count(graph); i++)
    if (is_layer(rung_graph_node(graph, i), &run->program->layer[layer])) return rung_graph_node(graph, i);
  rung_fail(RUNG_ERROR_ARGUMENT, "verify: the model has no layer '%s' as it was frozen",
            run->program->layer[layer].parameter);
  return NULL;
}

/* The last node of the float graph for which that one stands: behind the activation that is fused into it. */
static const rung_node *float_node(const rung_model *model, const rung_node *integer) {
  rung_graph *graph = rung_model_graph(model);
  const rung_node *found = NULL;
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (rung_quantization_node(rung_model_quantization(model), RUNG_ARITHMETIC_INTEGER, node) == integer) found = node;
  }
  return found;
}

static rung_status find_nodes(const verify_run *run, graph_state *state, rung_form form) {
  const rung_quantization *quantization = rung_model_quantization(run->model);
  for (int i = 0; i < run->program->count; i++) {
    const rung_node *integer = integer_node(run, i);
    if (!integer) return RUNG_ERROR_ARGUMENT;
    const rung_node *real = float_node(run->model, integer);
    state->value[i] = form == RUNG_FORM_INTEGER ? integer : real;
    if (form != RUNG_FORM_SIMULATED) continue;
    state->value[i] = rung_quantization_node(quantization, RUNG_ARITHMETIC_SIMULATED, real);
    if (!verify_is_logits(run, i)) state->before[i] = state->value[i]->input[0]; /* of its fake_quantize */
  }
  return RUNG_OK;
}

/* ---- Opening, closing ------------------------------------------------------------------------------------------- */

static rung_status open_graph(verify_execution *execution, rung_form form) {
  verify_run *run = execution->in;
  graph_state *state = execution->state = rung_arena_array(run->arena, 1, sizeof *state);
  if (!state) return RUNG_ERROR_MEMORY;
  state->value = rung_arena_array(run->arena, (size_t)run->program->count, sizeof(rung_node *));
  state->before = rung_arena_array(run->arena, (size_t)run->program->count, sizeof(rung_node *));
  if (!state->value || !state->before) return RUNG_ERROR_MEMORY;
  rung_status status = rung_model_use(run->model, form);
  if (status == RUNG_OK) status = find_nodes(run, state, form);
  if (status != RUNG_OK) return status;
  state->graph = rung_model_bind(run->model, run->dataset);
  return state->graph ? RUNG_OK : rung_error_status();
}

static rung_status open_float(verify_execution *execution) {
  return open_graph(execution, RUNG_FORM_FLOAT);
}
static rung_status open_simulated(verify_execution *execution) {
  return open_graph(execution, RUNG_FORM_SIMULATED);
}
static rung_status open_evaluation(verify_execution *execution) {
  return open_graph(execution, RUNG_FORM_INTEGER);
}

/* A layer that trains otherwise than it evaluates. */
static const rung_node *merged_layer(const verify_run *run) {
  rung_graph *graph = rung_quantization_graph(rung_model_quantization(run->model), RUNG_ARITHMETIC_INTEGER);
  const rung_node *node;
  for (int i = 0; (node = rung_graph_node(graph, i)) != NULL; i++)
    if (rung_node_gives_accumulators(node)) return node;
  return NULL;
}

static rung_graph *learned_scales(const verify_run *run) {
  return rung_quantization_learned(rung_model_quantization(run->model));
}

static size_t value_bytes(const rung_node *node) {
  return (size_t)rung_tensor_count(&node->value) * sizeof(float);
}

static rung_status hold_scales(const verify_run *run, graph_state *state) {
  const int count = rung_graph_node_count(learned_scales(run));
  state->scale = rung_arena_array(run->arena, (size_t)count + 1, sizeof *state->scale);
  for (int i = 0; i < count && state->scale; i++) {
    const rung_node *node = rung_graph_node(learned_scales(run), i);
    state->scale[i] = rung_arena_array(run->arena, value_bytes(node), 1);
    if (!state->scale[i]) return RUNG_ERROR_MEMORY;
    memcpy(state->scale[i], node->value.data, value_bytes(node));
  }
  return state->scale ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static void put_scales_back(const verify_run *run, const graph_state *state) {
  for (int i = 0; i < rung_graph_node_count(learned_scales(run)); i++) {
    const rung_node *node = rung_graph_node(learned_scales(run), i);
    if (state->scale[i]) memcpy(node->value.data, state->scale[i], value_bytes(node));
  }
  rung_model_touch(run->model);
}

/* Training moves ranges; here they are held. A batch norm that stays would move its statistics. */
static rung_status open_training(verify_execution *execution) {
  verify_run *run = execution->in;
  const rung_node *merged = merged_layer(run);
  if (merged)
    return execution_give_up(execution, RUNG_OUTCOME_NOT_AVAILABLE,
                             "what stands behind '%s' trains in f32 and is merged into it only in evaluation",
                             merged->input[1]->name);
  rung_status status = open_graph(execution, RUNG_FORM_INTEGER);
  if (status != RUNG_OK) return status;
  graph_state *state = execution->state;
  rung_quantization *quantization = rung_model_quantization(run->model);
  int count = rung_quantization_quantizer_count(quantization);
  state->held = rung_arena_array(run->arena, (size_t)count, sizeof *state->held);
  if (!state->held) return RUNG_ERROR_MEMORY;
  status = hold_scales(run, state);
  if (status != RUNG_OK) return status;
  for (int i = 0; i < count; i++) state->held[i] = rung_quantization_quantizer(quantization, i)->state;
  rung_quantization_set_state(quantization, RUNG_QUANTIZER_FROZEN);
  return RUNG_OK;
}

static void close_training(verify_execution *execution) {
  const graph_state *state = execution->state;
  rung_quantization *quantization = rung_model_quantization(execution->in->model);
  if (!state || !state->held) return;
  if (state->scale) put_scales_back(execution->in, state);
  for (int i = 0; i < rung_quantization_quantizer_count(quantization); i++)
    rung_quantization_quantizer(quantization, i)->state = state->held[i];
}

/* ---- A block ---------------------------------------------------------------------------------------------------- */

static rung_status run_graph(verify_execution *execution, bool training) {
  const verify_run *run = execution->in;
  const graph_state *state = execution->state;
  rung_status status = rung_graph_replay(
      state->graph,
      &(rung_replay_options){
          .count = run->count, .first = run->first, .training = training, .rehearsal = training, .backward = training});
  for (int i = 0; i < run->program->count && status == RUNG_OK; i++) {
    const rung_integer_layer *layer = verify_layer(run, i);
    const rung_tensor *value = &state->value[i]->value;
    layer_values *made = &execution->layer[i];
    if (value->type != RUNG_F32) {
      verify_widen(made->q, value->type, value->data, run->count * layer->out);
      continue;
    }
    verify_put_on_grid(made->q, layer, value->data, run->count * layer->out);
    made->real = value->data;
    made->before = state->before[i] ? state->before[i]->value.data : value->data;
  }
  return status;
}

static rung_status run_forward(verify_execution *execution) {
  return run_graph(execution, false);
}
static rung_status run_training(verify_execution *execution) {
  return run_graph(execution, true);
}

const execution_kind execution_float = {.name = "fp32", .open = open_float, .run = run_forward};
const execution_kind execution_simulated = {
    .name = "simulated", .simulates = true, .biases_in_f32 = true, .open = open_simulated, .run = run_forward};
const execution_kind execution_evaluation = {
    .name = "evaluation", .exact = true, .open = open_evaluation, .run = run_forward};
const execution_kind execution_training = {
    .name = "training", .exact = true, .open = open_training, .run = run_training, .close = close_training};
