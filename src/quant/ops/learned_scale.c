#include "learned_scale.h"

#include <float.h>

static float *value_of(const learned_scale *learned) {
  return learned->node->input[learned->input]->value.data;
}

static const activation_method *method_of(const learned_scale *learned) {
  return activation_method_of(learned->quantizer->method);
}

rung_status learned_plan(learned_scale *learned, rung_node *node, int input, rung_quantizer *quantizer, int64_t sums) {
  const rung_node *parameter = node->input[input];
  if (!parameter) return RUNG_OK;
  if (!quantizer || !activation_method_of(quantizer->method)->parameter)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: '%s' is to be learned, but no quantizer is that learns", node->name,
                     parameter->name);
  if (parameter->value.type != RUNG_F32 || rung_tensor_count(&parameter->value) != 1)
    return rung_fail(RUNG_ERROR_SHAPE, "%s: '%s' is to be learned, expected f32 [1]", node->name, parameter->name);
  const int64_t rows = node->batched ? node->value.shape.extent[0] : 1;
  *learned = (learned_scale){.node = node, .input = input, .quantizer = quantizer};
  learned->features = rung_tensor_count(&node->value) / rows;
  learned->sum = rung_node_allocate(node, (size_t)sums, sizeof(double));
  return learned->sum ? RUNG_OK : RUNG_ERROR_MEMORY;
}

bool learned_trains(const learned_scale *learned) {
  return learned->node && rung_node_wants_gradient(learned->node->input[learned->input]);
}

void learned_begin(learned_scale *learned, const rung_replay *replay) {
  if (!learned->node) return;
  rung_quantizer *quantizer = learned->quantizer;
  float *value = value_of(learned);
  if (*value == 0 && replay->training && replay->backward && quantizer->state != RUNG_QUANTIZER_OFF)
    *value = method_of(learned)->parameter(quantizer->scale, quantizer->qmax);
  if (*value > 0) quantizer->scale = method_of(learned)->scale(*value, quantizer->qmax);
  learned->before = *value;
}

void learned_backward(learned_scale *learned, float *g, const float *x, int64_t n, int64_t index) {
  const rung_quantizer *quantizer = learned->quantizer;
  const activation_grid grid = {quantizer->scale, quantizer->qmin, quantizer->qmax};
  learned->sum[index] = method_of(learned)->backward(g, x, n, &grid);
}

int64_t learned_blocks(const rung_node *node) {
  return (rung_tensor_count(&node->value) + LEARNED_BLOCK - 1) / LEARNED_BLOCK;
}

/* A member's slice is of whole blocks. */
void learned_pass(learned_scale *learned, const rung_replay *replay) {
  const rung_node *node = learned->node, *input = node->input[0];
  const float *x = input->value.data;
  float *dy = node->gradient.data;
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  for (int64_t at = begin; at < end; at += LEARNED_BLOCK)
    learned_backward(learned, dy + at, x + at, end - at < LEARNED_BLOCK ? end - at : LEARNED_BLOCK, at / LEARNED_BLOCK);
  if (!rung_node_wants_gradient(input)) return;
  rung_kernels_active()->scale_add((float *)input->gradient.data + begin, dy + begin, 1, end - begin,
                                   node->accumulate[0]);
}

static float gradient_of(const learned_scale *learned, int64_t sums) {
  double sum = 0;
  for (int64_t i = 0; i < sums; i++) sum += learned->sum[i];
  const rung_quantizer *quantizer = learned->quantizer;
  return (float)method_of(learned)->gradient(sum, *value_of(learned), learned->features, quantizer->qmax,
                                             quantizer->clip_decay);
}

void learned_hand_over(learned_scale *learned, const rung_replay *replay, int64_t sums) {
  if (!learned_trains(learned) || replay->ith != 0) return;
  const rung_node *node = learned->node;
  const float gradient = gradient_of(learned, sums);
  if (rung_node_takes(node, learned->input, replay)) {
    rung_node_take(node, learned->input, replay, &gradient, 0, 1);
    return;
  }
  float *stored = node->input[learned->input]->gradient.data;
  *stored = node->accumulate[learned->input] ? *stored + gradient : gradient;
}

/* NaN stays, for the caller of the optimizer to find. */
void learned_settle(learned_scale *learned) {
  if (!learned->node || learned->before == 0) return;
  float *value = value_of(learned);
  const float least = learned->before / 2 > FLT_MIN ? learned->before / 2 : FLT_MIN;
  if (*value < least) *value = least;
}
