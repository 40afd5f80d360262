/* Freezing: the quantized graph, walked from its input to its logits, becomes a list of integer products. The arrays
 * are copied from the layers as they train, so the program's integers are the trainer's. */
#include "program.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void *copy(rung_arena *arena, const void *from, size_t count, size_t size) {
  void *to = rung_arena_array(arena, count, size);
  if (to && count) memcpy(to, from, count * size);
  return to;
}

static int64_t largest(int64_t a, int64_t b) {
  return a > b ? a : b;
}

/* What an accumulator can reach on its way to its sum: |bias| + sum_k |w[k]| max |q_x|, over the channels and groups.
 */
static int64_t accumulator_bound(const rung_integer_layer *layer) {
  int64_t q = largest(-(int64_t)layer->input_qmin, layer->input_qmax), bound = 0;
  int64_t length = layer->group ? layer->group : layer->in;
  for (int64_t j = 0; j < layer->out; j++)
    for (int64_t g = 0; g < layer->groups; g++) {
      int64_t bias = layer->bias[j * layer->groups + g], sum = bias < 0 ? -bias : bias;
      for (int64_t k = g * length; k < layer->in && k < (g + 1) * length; k++) {
        int64_t w = layer->weight[j * layer->in + k];
        sum += (w < 0 ? -w : w) * q;
      }
      bound = largest(bound, sum);
    }
  return bound;
}

/* The same of eq. 9's sum over a channel's groups, relative to what an int64 holds. */
static double grouped_sum_share(const rung_integer_layer *layer, int64_t bound) {
  double most = 0;
  for (int64_t j = 0; j < layer->out; j++) {
    double sum = fabs((double)layer->bias64[j]) + ldexp(1, layer->shift[j] - 1);
    for (int64_t g = 0; g < layer->groups; g++) sum += (double)bound * layer->multiplier[j * layer->groups + g];
    most = sum > most ? sum : most;
  }
  return most / 0x1p63;
}

static rung_status check_layer(const program_layer *layer) {
  const rung_integer_layer *integers = &layer->integers;
  if (layer->bound > INT32_MAX)
    return rung_fail(RUNG_ERROR_NUMERIC, "freeze: %s: an accumulator could reach %lld, more than an int32 holds",
                     layer->name, (long long)layer->bound);
  for (int64_t j = 0; j < integers->out && !integers->group; j++)
    if (integers->bias[j] >= 1 << 30 || integers->bias[j] <= -(1 << 30))
      return rung_fail(RUNG_ERROR_NUMERIC,
                       "freeze: %s: the bias of output channel %lld is too large beside its weights for an int32",
                       layer->name, (long long)j);
  if (integers->group && grouped_sum_share(integers, layer->bound) >= 1)
    return rung_fail(RUNG_ERROR_NUMERIC, "freeze: %s: the sum over groups could exceed an int64", layer->name);
  for (int64_t i = 0; i < integers->out * integers->groups; i++) {
    int32_t multiplier, shift;
    double m = (double)integers->input_scale * integers->weight_scale[i] / integers->output_scale;
    if (rung_multiplier_from_real(m, &multiplier, &shift) != RUNG_OK)
      return rung_fail(RUNG_ERROR_NUMERIC, "freeze: %s: output channel %lld has effective scale %g, out of range",
                       layer->name, (long long)(i / integers->groups), m);
  }
  return RUNG_OK;
}

static rung_status copy_arrays(program_layer *layer, rung_arena *arena) {
  rung_integer_layer *integers = &layer->integers;
  size_t out = (size_t)integers->out, scales = out * (size_t)integers->groups;
  integers->weight = copy(arena, integers->weight, out * (size_t)integers->in, 1);
  integers->weight_scale = copy(arena, integers->weight_scale, scales, sizeof(float));
  integers->bias = copy(arena, integers->bias, scales, sizeof(int32_t));
  integers->multiplier = copy(arena, integers->multiplier, scales, sizeof(int32_t));
  integers->shift = copy(arena, integers->shift, out, sizeof(int32_t));
  bool grouped = integers->group > 0;
  if (grouped) integers->bias64 = copy(arena, integers->bias64, out, sizeof(int64_t));
  bool have = integers->weight && integers->weight_scale && integers->bias && integers->multiplier && integers->shift &&
              (!grouped || integers->bias64);
  return have ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static rung_status make_product(program_layer *layer, rung_arena *arena) {
  const rung_integer_layer *integers = &layer->integers;
  bool logits = integers->output_type == RUNG_I32;
  layer->product = (rung_qgemm){.n = integers->out,
                                .k = integers->in,
                                .a_type = integers->input_type,
                                .a_stride = integers->in,
                                .group = integers->group,
                                .bias = integers->bias,
                                .bias64 = integers->bias64,
                                .multiplier = integers->multiplier,
                                .shift = integers->shift,
                                .weight_bits = integers->weight_format.bits,
                                .epilogue = logits ? RUNG_EPILOGUE_REQUANTIZE_32 : RUNG_EPILOGUE_REQUANTIZE_8,
                                .y_type = integers->output_type,
                                .y_stride = integers->out,
                                .zero_point = integers->output_zero_point,
                                .qmin = integers->qmin,
                                .qmax = integers->qmax};
  size_t bytes = rung_qgemm_packed_size(integers->out, integers->in, integers->group);
  layer->product.packed = rung_arena_allocate(arena, bytes);
  if (!layer->product.packed) return RUNG_ERROR_MEMORY;
  rung_qgemm_pack(&layer->product, integers->weight, 0, integers->out);
  return RUNG_OK;
}

static rung_status freeze_layer(rung_program *program, const rung_node *node) {
  program_layer *layer = &program->layer[program->count];
  rung_status status = rung_integer_layer_view(node, &layer->integers);
  if (status != RUNG_OK) return status;
  snprintf(layer->name, sizeof layer->name, "%s", node->input[1]->name);
  layer->node = node->index;
  layer->bound = accumulator_bound(&layer->integers);
  status = check_layer(layer);
  if (status == RUNG_OK) status = copy_arrays(layer, program->arena);
  if (status == RUNG_OK) status = make_product(layer, program->arena);
  program->count++;
  return status;
}

static rung_status refuse(const rung_node *node) {
  return rung_fail(
      RUNG_ERROR_UNSUPPORTED,
      "freeze: '%s' has no integer form where it stands; a program is a chain of linear layers, each with at "
      "most a batch norm and a ReLU or ReLU6 behind it, then reshapes and dropouts",
      node->name);
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
    rung_integer_layer unused;
    bool layer = rung_integer_layer_view(node, &unused) == RUNG_OK;
    if (node->input[0] != at || !(layer || rung_node_passes_integers(node))) return refuse(node);
    rung_status status = layer ? freeze_layer(program, node) : RUNG_OK;
    if (status != RUNG_OK) return status;
    if (layer && node->value.type == RUNG_I32) return check_end(graph, node);
    at = node;
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
  rung_graph *graph = rung_quantization_graph(quantization, RUNG_ARITHMETIC_INTEGER);
  rung_arena *arena = rung_arena_new();
  rung_program *program = arena ? rung_arena_array(arena, 1, sizeof *program) : NULL;
  if (!program) {
    rung_arena_free(arena);
    return NULL;
  }
  program->arena = arena;
  program->layer = rung_arena_array(arena, (size_t)rung_graph_node_count(graph), sizeof *program->layer);
  rung_status status = rung_model_check_finite(model);
  if (status == RUNG_OK) rung_quantization_make_integers(quantization);
  if (status == RUNG_OK) status = program->layer ? freeze_nodes(program, graph) : RUNG_ERROR_MEMORY;
  if (status != RUNG_OK) {
    rung_program_free(program);
    return NULL;
  }
  for (int i = 0; i + 1 < program->count; i++)
    program->widest = largest(program->widest, program->layer[i].integers.out);
  return program;
}

void rung_program_free(rung_program *program) {
  if (program) rung_arena_free(program->arena);
}
