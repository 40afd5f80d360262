/* fake_quantize: an activation x on its quantization grid, still as f32 (eq. 6); with a learned scale, backward is that
 * of its method (qat/).
 *
 * forward   y[i] = s (clamp(k[i], qmin, qmax) - z),  k[i] = rne(x[i] (1/s)) + z;  1 bit: x[i] >= 0 ? s : -s
 * backward  dx[i] += qmin <= k[i] <= qmax ? dy[i] : 0;  1 bit: |x[i]| <= s ? dy[i] : 0
 *
 * A quantizer that is off lets everything through.
 *
 * fake_quantize_weight: a weight w [rows, ...] on its grid, one scale s a row, tensor or group, by a method of qat/.
 *
 * forward   y[i] = s q[i]
 * backward  dw[i] += dy[i], or what the method makes of it; ds, where the scales are learned */
#include "../qparams.h"
#include "../weight_grid.h"
#include "on_grid.h"

#include <string.h>

/* ---- Activations ------------------------------------------------------------------------------------------------ */

static rung_status infer(rung_node *node) {
  node->value.type = RUNG_F32;
  return on_grid_infer(node);
}

static void forward(rung_node *node, const rung_replay *replay) {
  const rung_quantizer *quantizer = ((const observing *)node->attributes)->quantizer;
  const on_grid_state *state = node->state;
  const rung_kernels *kernels = rung_kernels_active();
  (void)observing_forward(node, replay);
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  const float *x = (const float *)node->input[x_input]->value.data + begin;
  float *y = (float *)node->value.data + begin;
  uint8_t *mask = replay->backward && state->mask ? state->mask + begin / 8 : NULL;
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

static const rung_op fake_quantize_op = {.name = "fake_quantize",
                                         .input_count = 2,
                                         .infer = infer,
                                         .prepare = on_grid_prepare,
                                         .forward = forward,
                                         .backward = on_grid_backward,
                                         .backward_weights = on_grid_backward_weights,
                                         .weights = 1 << parameter_input,
                                         .settle = on_grid_settle,
                                         .elementwise = true};

rung_node *rung_fake_quantize_with(rung_node *x, rung_node *parameter, rung_quantizer *quantizer, rung_ranges ranges) {
  if (!x) return NULL;
  const observing attributes = {quantizer, ranges};
  rung_node *inputs[] = {x, parameter};
  return rung_record(&fake_quantize_op, inputs, &attributes, sizeof attributes);
}

rung_node *rung_fake_quantize(rung_node *x, rung_quantizer *quantizer, rung_ranges ranges) {
  return rung_fake_quantize_with(x, NULL, quantizer, ranges);
}

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

enum { weight_input, scale_input };

/* The weight's grid, and what the forward pass makes on it. */
typedef struct weight_state {
  weight_grid grid;
  int8_t *q;                      /* [rows, columns] */
  float *scale, *threshold;       /* [rows, groups]; threshold NULL where the method has none */
  float *before, *scale_gradient; /* learned: the operand before the step; [rows, groups] */
} weight_state;

static weight_grid grid_of(const rung_node *node) {
  const rung_weight_options *options = node->attributes;
  const rung_tensor *weight = &node->input[weight_input]->value;
  return (weight_grid){.method = weight_method_of(options->method, options->format.bits),
                       .format = options->format,
                       .per_tensor = options->granularity == RUNG_PER_TENSOR,
                       .rows = weight->shape.extent[0],
                       .columns = rung_tensor_count(weight) / weight->shape.extent[0],
                       .group = options->granularity == RUNG_PER_GROUP ? options->group : 0,
                       .limit = options->limit,
                       .operand = node->input[scale_input]};
}

static rung_status check_weight(const rung_node *node) {
  const rung_weight_options *options = node->attributes;
  const rung_tensor *weight = &node->input[weight_input]->value;
  rung_status status = rung_format_check(&options->format, "weight_bits");
  if (status == RUNG_OK) status = weight_method_check(options->method, options->format.bits);
  if (status != RUNG_OK) return status;
  if (!options->format.symmetric && options->method != RUNG_WEIGHTS_LSQ)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: the format is affine, expected symmetric", node->name);
  if (weight->type != RUNG_F32 || weight->shape.rank < 1)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: '%s' is %s of rank %d, expected f32 of rank 1 or more", node->name,
                     node->input[weight_input]->name, rung_dtype_name(weight->type), weight->shape.rank);
  if (options->granularity == RUNG_PER_GROUP && options->group < 1)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: group %lld, expected 1 or more", node->name, (long long)options->group);
  return RUNG_OK;
}

static rung_status plan_weight(rung_node *node, weight_state *state) {
  const weight_grid *grid = &state->grid;
  const size_t scales = (size_t)(grid->rows * weight_grid_groups(grid));
  state->q = rung_node_allocate(node, (size_t)(grid->rows * grid->columns), 1);
  state->scale = rung_node_allocate(node, scales, sizeof(float));
  bool have = state->q && state->scale;
  if (have && grid->method->threshold) have = (state->threshold = rung_node_allocate(node, scales, sizeof(float)));
  if (have && weight_grid_learns(grid)) {
    state->before = rung_node_allocate(node, scales, sizeof(float));
    state->scale_gradient = rung_node_allocate(node, scales, sizeof(float));
    have = state->before && state->scale_gradient;
  }
  return have ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static rung_status infer_weight(rung_node *node) {
  rung_status status = check_weight(node);
  if (status != RUNG_OK) return status;
  const rung_tensor *weight = &node->input[weight_input]->value;
  node->value.type = RUNG_F32;
  node->value.shape = weight->shape;
  weight_state *state = node->state = rung_node_allocate(node, 1, sizeof *state);
  if (!state) return RUNG_ERROR_MEMORY;
  state->grid = grid_of(node);
  status = weight_grid_check(&state->grid);
  return status == RUNG_OK ? plan_weight(node, state) : status;
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
  weight_grid_scales(&state->grid, w, begin, end, state->scale, state->threshold);
  weight_grid_codes(&state->grid, w, begin, end, state->scale, state->threshold, state->q);
  weight_grid_reals(&state->grid, state->q, begin, end, state->scale, node->value.data);
}

static bool trains(const rung_replay *replay) {
  return replay->training && replay->backward;
}

static void prepare_weight(rung_node *node, const rung_replay *replay) {
  const weight_state *state = node->state;
  if (state->before && trains(replay))
    weight_grid_begin(&state->grid, node->input[weight_input]->value.data, state->before);
}

/* The scales' gradients, of this member's rows; per tensor of all. */
static void backward_scale(rung_node *node, const rung_replay *replay, int64_t begin, int64_t end) {
  const weight_state *state = node->state;
  const int64_t groups = weight_grid_groups(&state->grid);
  float *to = node->input[scale_input]->gradient.data, total;
  const rung_kernels *kernels = rung_kernels_active();
  if (!state->grid.per_tensor) {
    kernels->scale_add(to + begin * groups, state->scale_gradient + begin * groups, 1, (end - begin) * groups,
                       node->accumulate[scale_input]);
    return;
  }
  rung_team_barrier(replay->team);
  if (replay->ith != 0) return;
  total = weight_grid_total(&state->grid, state->scale_gradient);
  kernels->scale_add(to, &total, 1, 1, node->accumulate[scale_input]);
}

/* In place, as no other reads the gradient of the simulated weight. */
static void backward_weight(rung_node *node, const rung_replay *replay) {
  const weight_state *state = node->state;
  rung_node *weight = node->input[weight_input];
  int64_t begin, end, columns = state->grid.columns;
  my_rows(node, replay, &begin, &end);
  float *dy = (float *)node->gradient.data + begin * columns;
  weight_grid_backward(&state->grid, dy, weight->value.data, state->q, begin, end, state->scale, state->scale_gradient);
  if (rung_node_wants_gradient(weight))
    rung_kernels_active()->scale_add((float *)weight->gradient.data + begin * columns, dy, 1, (end - begin) * columns,
                                     node->accumulate[weight_input]);
  if (state->scale_gradient) backward_scale(node, replay, begin, end);
}

static void settle_weight(rung_node *node, const rung_replay *replay) {
  const weight_state *state = node->state;
  const rung_node *weight = node->input[weight_input];
  if (!trains(replay)) return;
  if (state->before)
    weight_grid_hold(&state->grid, weight->value.data, state->before, 0,
                     rung_tensor_count(&node->input[scale_input]->value));
  if (rung_node_wants_gradient(weight))
    weight_grid_clamp(&state->grid, weight->value.data, rung_tensor_count(&weight->value));
}

static const rung_op fake_quantize_weight_op = {.name = "fake_quantize_weight",
                                                .input_count = 2,
                                                .infer = infer_weight,
                                                .prepare = prepare_weight,
                                                .forward = forward_weight,
                                                .backward = backward_weight,
                                                .settle = settle_weight};

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
