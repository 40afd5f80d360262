/* fake_quantize: an activation x on its quantization grid, still as f32 (eq. 6).
 *
 * forward   y[i] = s (clamp(k[i], qmin, qmax) - z),  k[i] = rne(x[i] (1/s)) + z;  1 bit: x[i] >= 0 ? s : -s
 * backward  dx[i] += qmin <= k[i] <= qmax ? dy[i] : 0;  1 bit: |x[i]| <= s ? dy[i] : 0
 *
 * A quantizer that is off lets everything through.
 *
 * fake_quantize_weight: a weight w [rows, ...] on the grid of its own present values, one scale s a row, tensor or
 * group.
 *
 * forward   y[i] = s clamp(rne(w[i] (1/s)), -qmax, qmax),  s = max|w| / qmax;  binary: s sign(w[i]), s = mean|w|
 * backward  dw[i] += dy[i], as no weight lies outside;  binary: |w[i]| <= 1 ? dy[i] : 0 */
#include "../qparams.h"
#include "../weight_grid.h"
#include "observing.h"

#include <math.h>
#include <string.h>

/* ---- Activations ------------------------------------------------------------------------------------------------ */

static rung_status infer(rung_node *node) {
  rung_status status = observing_check(node);
  if (status != RUNG_OK) return status;
  node->value.type = RUNG_F32;
  node->value.shape = node->input[0]->value.shape;
  if (!rung_node_wants_gradient(node->input[0])) return RUNG_OK;
  int64_t count = rung_tensor_count(&node->value);
  node->state = rung_node_allocate(node, (size_t)(count + 7) / 8, 1); /* the mask, a bit an element */
  return node->state ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static void forward(rung_node *node, const rung_replay *replay) {
  const rung_quantizer *quantizer = ((const observing *)node->attributes)->quantizer;
  const rung_kernels *kernels = rung_kernels_active();
  (void)observing_forward(node, replay);
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  const float *x = (const float *)node->input[0]->value.data + begin;
  float *y = (float *)node->value.data + begin;
  uint8_t *mask = replay->backward && node->state ? (uint8_t *)node->state + begin / 8 : NULL;
  if (quantizer->state == RUNG_QUANTIZER_OFF) {
    kernels->scale_add(y, x, 1, end - begin, false);
    if (mask) memset(mask, 0xFF, (size_t)(end - begin + 7) / 8);
    return;
  }
  if (quantizer->format.bits == 1) {
    binary_fake_quantize(y, mask, x, end - begin, quantizer->scale);
    return;
  }
  kernels->fake_quantize(y, mask, x, end - begin, quantizer->scale, 1 / quantizer->scale, quantizer->zero_point,
                         quantizer->qmin, quantizer->qmax);
}

static void backward(rung_node *node, const rung_replay *replay) {
  rung_node *x = node->input[0];
  if (!rung_node_wants_gradient(x)) return;
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  rung_kernels_active()->mask_apply((float *)x->gradient.data + begin, (const float *)node->gradient.data + begin,
                                    (const uint8_t *)node->state + begin / 8, end - begin, node->accumulate[0]);
}

static const rung_op fake_quantize_op = {.name = "fake_quantize",
                                         .input_count = 1,
                                         .infer = infer,
                                         .forward = forward,
                                         .backward = backward,
                                         .settle = observing_settle,
                                         .elementwise = true};

rung_node *rung_fake_quantize(rung_node *x, rung_quantizer *quantizer, rung_ranges ranges) {
  const observing attributes = {quantizer, ranges};
  return rung_record(&fake_quantize_op, &x, &attributes, sizeof attributes);
}

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

enum { weight_input, scale_input };

/* The weight's grid, and what the forward pass makes on it. */
typedef struct weight_state {
  weight_grid grid;
  int8_t *q;    /* [rows, columns] */
  float *scale; /* [rows, groups] */
} weight_state;

static weight_grid grid_of(const rung_node *node) {
  const rung_weight_options *options = node->attributes;
  const rung_tensor *weight = &node->input[weight_input]->value;
  const rung_node *scale = node->input[scale_input];
  return (weight_grid){.method = weight_method_of(options->method),
                       .format = options->format,
                       .per_tensor = options->granularity == RUNG_PER_TENSOR,
                       .rows = weight->shape.extent[0],
                       .columns = rung_tensor_count(weight) / weight->shape.extent[0],
                       .group = options->granularity == RUNG_PER_GROUP ? options->group : 0,
                       .operand = scale ? scale->value.data : NULL};
}

static rung_status check_weight(const rung_node *node) {
  const rung_weight_options *options = node->attributes;
  const rung_tensor *weight = &node->input[weight_input]->value;
  rung_status status = rung_format_check(&options->format, "weight_bits");
  if (status != RUNG_OK) return status;
  if (!options->format.symmetric)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: the format is affine, expected symmetric", node->name);
  if (weight->type != RUNG_F32 || weight->shape.rank < 1)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: '%s' is %s of rank %d, expected f32 of rank 1 or more", node->name,
                     node->input[weight_input]->name, rung_dtype_name(weight->type), weight->shape.rank);
  if (options->granularity == RUNG_PER_GROUP && options->group < 1)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: group %lld, expected 1 or more", node->name, (long long)options->group);
  return RUNG_OK;
}

static rung_status infer_weight(rung_node *node) {
  rung_status status = check_weight(node);
  if (status != RUNG_OK) return status;
  const rung_tensor *weight = &node->input[weight_input]->value;
  node->value.type = RUNG_F32;
  node->value.shape = weight->shape;
  const weight_grid grid = grid_of(node);
  status = weight_grid_check(&grid, node->input[scale_input]);
  if (status != RUNG_OK) return status;
  weight_state *state = node->state = rung_node_allocate(node, 1, sizeof *state);
  if (!state) return RUNG_ERROR_MEMORY;
  state->grid = grid;
  state->q = rung_node_allocate(node, (size_t)rung_tensor_count(weight), 1);
  state->scale = rung_node_allocate(node, (size_t)(grid.rows * weight_grid_groups(&grid)), sizeof(float));
  return state->q && state->scale ? RUNG_OK : RUNG_ERROR_MEMORY;
}

/* This member's rows. */
static void my_rows(const rung_node *node, const rung_replay *replay, int64_t *begin, int64_t *end) {
  rung_slice(node->value.shape.extent[0], 1, replay->ith, replay->nth, begin, end);
}

/* Per tensor every member finds the one scale for itself, which costs less than waiting for another. */
static void forward_weight(rung_node *node, const rung_replay *replay) {
  const weight_state *state = node->state;
  const float *w = node->input[weight_input]->value.data;
  int64_t begin, end;
  my_rows(node, replay, &begin, &end);
  if (begin == end) return;
  weight_grid_scales(&state->grid, w, begin, end, state->scale);
  weight_grid_codes(&state->grid, w, begin, end, state->scale, state->q);
  weight_grid_reals(&state->grid, state->q, begin, end, state->scale, node->value.data);
}

static void backward_weight(rung_node *node, const rung_replay *replay) {
  rung_node *weight = node->input[0];
  if (!rung_node_wants_gradient(weight)) return;
  const float *w = weight->value.data, *dy = node->gradient.data;
  float *dw = weight->gradient.data;
  int64_t begin, end;
  my_rows(node, replay, &begin, &end);
  begin *= ((const weight_state *)node->state)->grid.columns;
  end *= ((const weight_state *)node->state)->grid.columns;
  if (((const rung_weight_options *)node->attributes)->format.bits > 1) {
    rung_kernels_active()->scale_add(dw + begin, dy + begin, 1, end - begin, node->accumulate[0]);
    return;
  }
  for (int64_t i = begin; i < end; i++) {
    float passed = fabsf(w[i]) <= 1 ? dy[i] : 0;
    dw[i] = node->accumulate[0] ? dw[i] + passed : passed;
  }
}

static const rung_op fake_quantize_weight_op = {.name = "fake_quantize_weight",
                                                .input_count = 2,
                                                .infer = infer_weight,
                                                .forward = forward_weight,
                                                .backward = backward_weight};

rung_node *rung_fake_quantize_weight_with(rung_node *weight, rung_node *scale, const rung_weight_options *options) {
  if (!weight) return NULL;
  rung_node *inputs[] = {weight, scale};
  return rung_record(&fake_quantize_weight_op, inputs, options, sizeof *options);
}

rung_node *rung_fake_quantize_weight(rung_node *weight, const rung_format *format, rung_granularity granularity,
                                     int64_t group) {
  return rung_fake_quantize_weight_with(
      weight, NULL, &(rung_weight_options){.format = *format, .granularity = granularity, .group = group});
}
