/* quantized_linear: the linear layer on integers, x [n, in], W [out, in], b [out].
 *
 * forward   q_w[j,k] = quantize(W[j,k]), s_w by channel (or tensor, or group)                  eq. 2, 5
 *           acc[i,j] = sum_k q_w[j,k] (q_x[i,k] - z_x) + b[j] / (s_x s_w[j])                 eq. 11, 12
 *           q_y[i,j] = clamp(z_y + requantize(acc[i,j]), qmin, qmax), qmin = z_y under ReLU       eq. 8
 *           without an output quantizer: int32 logits requantize(acc[i,j]) on one scale          eq. 10
 *           accumulators: y[i,j] = s_x s_w[j] acc[i,j] + b[j] in f32, acc without b; with groups from the logits
 *
 * Each member quantizes the output channels that it then multiplies, so no barrier stands between the two. */
#include "quantized_linear.h"
#include "observing.h"
#include "quantized_ops.h"

#include <math.h>

static bool observes(const linear_state *state, const rung_replay *replay) {
  return state->options.output && observing_is_due(state->options.output, state->options.ranges, replay);
}

/* Observing takes a pass of its own where a column's smallest and largest accumulator do not tell enough, or where this
 * very batch sets the range. */
static bool observes_apart(const linear_state *state) {
  return state->options.output &&
         (state->learned.node || state->options.ranges == RUNG_RANGES_CURRENT || state->options.group > 0 ||
          !rung_observer_needs_range_only(state->options.output->observer));
}

static weight_grid grid_of(const rung_node *node) {
  const rung_quantized_linear_options *options = node->attributes;
  const rung_shape *w = &node->input[weight_input]->value.shape;
  return (weight_grid){.method = weight_method_of(options->weights, options->weight_format.bits),
                       .format = options->weight_format,
                       .per_tensor = options->granularity == RUNG_PER_TENSOR,
                       .rows = w->extent[0],
                       .columns = w->extent[1],
                       .group = options->group,
                       .limit = options->weight_limit,
                       .operand = node->input[scale_input]};
}

static rung_status check_operands(const rung_node *node) {
  const rung_node *x = node->input[x_input], *weight = node->input[weight_input], *bias = node->input[bias_input];
  char have_x[RUNG_SHAPE_TEXT], have_w[RUNG_SHAPE_TEXT];
  if (x->value.type != RUNG_U8 && x->value.type != RUNG_I8)
    return rung_fail(RUNG_ERROR_ARGUMENT, "quantized_linear: '%s' is %s, expected u8 or i8", x->name,
                     rung_dtype_name(x->value.type));
  const rung_shape *w = &weight->value.shape;
  int64_t in = x->value.shape.rank < 2 ? 0 : 1;
  for (int i = 1; i < x->value.shape.rank; i++) in *= x->value.shape.extent[i];
  if (w->rank != 2 || w->extent[1] != in)
    return rung_fail(RUNG_ERROR_SHAPE, "quantized_linear: x is %s, weight %s; expected [n, in] and [out, in]",
                     rung_shape_format(&x->value.shape, have_x, sizeof have_x),
                     rung_shape_format(w, have_w, sizeof have_w));
  if (bias && (bias->value.shape.rank != 1 || bias->value.shape.extent[0] != w->extent[0]))
    return rung_fail(RUNG_ERROR_SHAPE, "quantized_linear: bias is %s, expected [%lld]",
                     rung_shape_format(&bias->value.shape, have_x, sizeof have_x), (long long)w->extent[0]);
  const rung_quantized_linear_options *options = node->attributes;
  rung_status status = weight_method_check(options->weights, options->weight_format.bits);
  if (status != RUNG_OK) return status;
  const weight_grid grid = grid_of(node);
  status = weight_grid_check(&grid);
  if (status != RUNG_OK) return status;
  if ((int)options->backward < 0 || options->backward >= RUNG_BACKWARD_COUNT)
    return rung_fail(RUNG_ERROR_ARGUMENT, "quantized_linear: backward %d, expected f32 (0), bf16 (1) or int8 (2)",
                     (int)options->backward);
  return RUNG_OK;
}

static rung_status plan_memory(rung_node *node, linear_state *state) {
  int64_t batch = rung_graph_batch(node->graph), out = state->weights.out;
  rung_status status = integer_weights_plan(&state->weights, node);
  if (status != RUNG_OK) return status;
  state->mask_stride = (out + 7) / 8;
  state->mask = rung_node_allocate(node, (size_t)batch, (size_t)state->mask_stride);
  state->acc_min = rung_node_allocate(node, (size_t)out, sizeof(int32_t));
  state->acc_max = rung_node_allocate(node, (size_t)out, sizeof(int32_t));
  state->low = rung_node_allocate(node, (size_t)out, sizeof(float));
  state->high = rung_node_allocate(node, (size_t)out, sizeof(float));
  const bool learns = weight_grid_learns(&state->weights.grid);
  const size_t scales = (size_t)(out * state->weights.groups);
  if (learns) state->before = rung_node_allocate(node, scales, sizeof(float));
  if (learns) state->scale_gradient = rung_node_allocate(node, scales, sizeof(float));
  status = learned_plan(&state->learned, node, output_scale_input, state->options.output, batch);
  if (status != RUNG_OK) return status;
  bool have = (!learns || (state->before && state->scale_gradient)) && state->mask && state->acc_min &&
              state->acc_max && state->low && state->high;
  bool observes = observes_apart(state);
  if (have && (observes || state->options.accumulators)) {
    state->acc = rung_node_allocate(node, (size_t)(batch * out), sizeof(int32_t));
    have = state->acc != NULL;
  }
  if (have && observes) {
    state->real = rung_node_allocate(node, (size_t)(batch * out), sizeof(float));
    have = state->real != NULL;
  }
  return have ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static rung_qgemm forward_product(const rung_node *node) {
  const linear_state *state = node->state;
  const rung_tensor *x = &node->input[x_input]->value;
  rung_qgemm gemm = {.m = x->shape.extent[0], .a_type = x->type, .a = x->data, .a_stride = state->weights.in};
  integer_weights_operand(&state->weights, &gemm);
  gemm.y = node->value.data;
  gemm.y_type = node->value.type;
  gemm.y_stride = state->weights.out;
  gemm.epilogue = state->options.output ? RUNG_EPILOGUE_REQUANTIZE_8 : RUNG_EPILOGUE_REQUANTIZE_32;
  gemm.zero_point = node->value.zero_point;
  gemm.qmin = state->qmin;
  gemm.qmax = state->qmax;
  return gemm;
}

static size_t scratch_needed(const rung_node *node) {
  rung_qgemm forward = forward_product(node);
  size_t most = rung_qgemm_scratch(&forward), backward = quantized_linear_backward_scratch(node);
  return most > backward ? most : backward;
}

static rung_status infer(rung_node *node) {
  rung_status status = check_operands(node);
  if (status != RUNG_OK) return status;
  linear_state *state = node->state = rung_node_allocate(node, 1, sizeof *state);
  if (!state) return RUNG_ERROR_MEMORY;
  state->options = *(const rung_quantized_linear_options *)node->attributes;
  const rung_shape *w = &node->input[weight_input]->value.shape;
  state->weights = (integer_weights){.grid = grid_of(node),
                                     .format = state->options.weight_format,
                                     .granularity = state->options.granularity,
                                     .in = w->extent[1],
                                     .out = w->extent[0],
                                     .group = state->options.group};
  const rung_quantizer *output = state->options.output;
  node->value.type = !output ? RUNG_I32 : output->format.is_signed ? RUNG_I8 : RUNG_U8;
  if (state->options.accumulators) node->value.type = RUNG_F32;
  node->value.shape = RUNG_SHAPE(node->input[x_input]->value.shape.extent[0], w->extent[0]);
  status = plan_memory(node, state);
  if (status == RUNG_OK && state->options.backward == RUNG_BACKWARD_INT8) status = int8_backward_plan(node);
  if (status == RUNG_OK) node->scratch_bytes = scratch_needed(node);
  return status;
}

void quantized_clamp(const rung_quantizer *output, rung_clamp clamp, int32_t *qmin, int32_t *qmax) {
  *qmin = clamp == RUNG_CLAMP_NONE ? output->qmin : output->zero_point;
  *qmax = output->qmax;
  if (clamp == RUNG_CLAMP_RELU6) {
    float six = rintf(6.0f / output->scale) + (float)output->zero_point;
    if (six < (float)*qmax) *qmax = (int32_t)six;
  }
}

/* The output's parameters as they stand. */
static void set_output(rung_node *node) {
  linear_state *state = node->state;
  const rung_quantizer *output = state->options.output;
  node->value.scale = output->scale;
  node->value.zero_point = output->zero_point;
  quantized_clamp(output, state->options.clamp, &state->qmin, &state->qmax);
}

static void prepare(rung_node *node, const rung_replay *replay) {
  linear_state *state = node->state;
  if (replay->training) state->fresh = false;                      /* observing moves the scales, ... */
  if (replay->training && !replay->take) state->quantized = false; /* ... and the caller the shadows */
  if (state->before && replay->training && replay->backward)
    weight_grid_begin(&state->weights.grid, node->input[weight_input]->value.data, state->before);
  learned_begin(&state->learned, replay);
  if (state->options.output) set_output(node);
}

static integer_scales scales_of(const rung_node *node) {
  const rung_tensor *x = &node->input[x_input]->value;
  return (integer_scales){.input = x->scale, .input_zero_point = x->zero_point, .output = node->value.scale};
}

/* Whether the integers leave the bias to f32, which adds it to the accumulators. */
static bool adds_bias_in_f32(const linear_state *state) {
  return state->options.accumulators && !state->weights.group;
}

static void scale_weights(rung_node *node, const rung_replay *replay) {
  linear_state *state = node->state;
  const rung_node *bias = node->input[bias_input];
  const integer_scales scales = scales_of(node);
  integer_weights_scale(&state->weights, bias && !adds_bias_in_f32(state) ? bias->value.data : NULL, &scales, replay);
}

int32_t quantized_magnitude(const rung_node *x) {
  int32_t qmin, qmax;
  quantized_range(x, &qmin, &qmax);
  int32_t z = x->value.zero_point, low = z - qmin, high = qmax - z;
  return low > high ? low : high;
}

static void refresh_weights(rung_node *node, const rung_replay *replay) {
  linear_state *state = node->state;
  const bool step = replay->training && !quantized_linear_requantizes(node, replay); /* else it was seen then */
  if (!state->quantized)
    integer_weights_quantize(&state->weights, node->input[weight_input]->value.data, replay,
                             step ? WEIGHTS_OF_A_STEP : WEIGHTS_OF_THE_SAME_STEP);
  if (!state->options.output) {
    const rung_node *x = node->input[x_input];
    rung_team_barrier(replay->team);
    if (replay->ith == 0)
      node->value.scale = integer_weights_logit_scale(&state->weights, x->value.scale, quantized_magnitude(x));
    rung_team_barrier(replay->team);
  }
  scale_weights(node, replay);
}

/* This member's columns of acc as reals, after the clamp: what an observer wants to see. With groups the sum of reals
 * is had from logits a 2^-8 of the output's step fine. */
static void observe_columns(rung_node *node, const rung_replay *replay) {
  linear_state *state = node->state;
  const integer_weights *weights = &state->weights;
  rung_qgemm gemm = forward_product(node);
  gemm.y = state->acc;
  gemm.epilogue = RUNG_EPILOGUE_ACCUMULATOR;
  integer_scales scales = scales_of(node);
  if (weights->group) {
    gemm.epilogue = RUNG_EPILOGUE_REQUANTIZE_32;
    scales.output = ldexpf(scales.output, -8);
    const rung_node *bias = node->input[bias_input];
    integer_weights_scale(&state->weights, bias ? bias->value.data : NULL, &scales, replay);
  }
  rung_qgemm_run(&gemm, replay->scratch, replay->ith, replay->nth);
  if (weights->group) scale_weights(node, replay);

  int64_t begin, end;
  rung_slice(weights->out, RUNG_QGEMM_GRAIN, replay->ith, replay->nth, &begin, &end);
  float low = state->options.clamp == RUNG_CLAMP_NONE ? -INFINITY : 0;
  float high = state->options.clamp == RUNG_CLAMP_RELU6 ? 6 : INFINITY;
  for (int64_t i = 0; i < gemm.m; i++)
    for (int64_t j = begin; j < end; j++) {
      float scale = weights->group ? scales.output : scales.input * weights->scale[j];
      float real = (float)state->acc[i * weights->out + j] * scale;
      state->real[i * weights->out + j] = real < low ? low : real > high ? high : real;
    }
}

/* The range of this batch, before the batch is quantized with it: every member waits while the first looks at all. */
static void take_current_range(rung_node *node, const rung_replay *replay) {
  linear_state *state = node->state;
  rung_team_barrier(replay->team);
  if (replay->ith == 0) {
    rung_quantizer_observe(state->options.output, state->real, rung_tensor_count(&node->value));
    set_output(node);
  }
  rung_team_barrier(replay->team);
  scale_weights(node, replay);
}

/* The bounds of this member's columns, which differ in scale, as reals: now, for an optimizer may move the scales
 * before the replay ends. */
static void scale_bounds(const rung_node *node, const rung_replay *replay) {
  const linear_state *state = node->state;
  int64_t begin, end;
  rung_slice(state->weights.out, RUNG_QGEMM_GRAIN, replay->ith, replay->nth, &begin, &end);
  for (int64_t j = begin; j < end; j++) {
    float scale = node->input[x_input]->value.scale * state->weights.scale[j];
    state->low[j] = (float)state->acc_min[j] * scale;
    state->high[j] = (float)state->acc_max[j] * scale;
  }
}

/* This member's columns of the accumulators as reals. */
static void forward_accumulators(rung_node *node, const rung_replay *replay) {
  linear_state *state = node->state;
  const integer_weights *weights = &state->weights;
  const float *bias = node->input[bias_input] && adds_bias_in_f32(state) ? node->input[bias_input]->value.data : NULL;
  rung_qgemm gemm = forward_product(node);
  gemm.y = state->acc;
  gemm.epilogue = weights->group ? RUNG_EPILOGUE_REQUANTIZE_32 : RUNG_EPILOGUE_ACCUMULATOR;
  rung_qgemm_run(&gemm, replay->scratch, replay->ith, replay->nth);

  int64_t begin, end;
  rung_slice(weights->out, RUNG_QGEMM_GRAIN, replay->ith, replay->nth, &begin, &end);
  float *scale = state->low, *shift = state->high, *y = node->value.data;
  for (int64_t j = begin; j < end; j++) {
    scale[j] = weights->group ? node->value.scale : node->input[x_input]->value.scale * weights->scale[j];
    shift[j] = bias ? bias[j] : 0;
  }
  for (int64_t i = 0; i < gemm.m; i++)
    for (int64_t j = begin, at = i * weights->out + begin; j < end; j++, at++)
      y[at] = scale[j] * (float)state->acc[at] + shift[j];
}

static void forward(rung_node *node, const rung_replay *replay) {
  linear_state *state = node->state;
  if (!state->fresh) refresh_weights(node, replay);
  if (state->options.accumulators) {
    if (replay->training) forward_accumulators(node, replay);
    return;
  }
  bool due = observes(state, replay);
  if (state->learned.node && replay->backward) observe_columns(node, replay); /* for its backward pass */
  if (due && state->real) {
    observe_columns(node, replay);
    if (state->options.ranges == RUNG_RANGES_CURRENT) take_current_range(node, replay);
  }
  rung_qgemm gemm = forward_product(node);
  if (replay->backward && state->options.output) {
    gemm.mask = state->mask;
    gemm.mask_stride = state->mask_stride;
    gemm.mask_positive = state->options.clamp != RUNG_CLAMP_NONE;
  }
  if (due && !state->real) {
    gemm.acc_min = state->acc_min;
    gemm.acc_max = state->acc_max;
  }
  rung_qgemm_run(&gemm, replay->scratch, replay->ith, replay->nth);
  if (gemm.acc_min) scale_bounds(node, replay);
}

static void observe_fused_range(const rung_node *node) {
  const linear_state *state = node->state;
  float low = INFINITY, high = -INFINITY;
  for (int64_t j = 0; j < state->weights.out; j++) {
    low = state->low[j] < low ? state->low[j] : low;
    high = state->high[j] > high ? state->high[j] : high;
  }
  if (state->options.clamp != RUNG_CLAMP_NONE) low = low > 0 ? low : 0, high = high > 0 ? high : 0;
  if (state->options.clamp == RUNG_CLAMP_RELU6) low = low < 6 ? low : 6, high = high < 6 ? high : 6;
  rung_quantizer_observe_range(state->options.output, low, high);
}

/* After the optimizer: what it moved stays within its bounds. */
static void settle_parameters(rung_node *node, const rung_replay *replay) {
  const linear_state *state = node->state;
  const rung_node *weight = node->input[weight_input], *scale = node->input[scale_input];
  if (!replay->training || !replay->backward) return;
  if (state->before && !rung_node_takes(node, scale_input, replay)) /* else it is done, and integers are made of it */
    weight_grid_hold(&state->weights.grid, weight->value.data, state->before, 0, rung_tensor_count(&scale->value));
  if (rung_node_wants_gradient(weight) && !rung_node_takes(node, weight_input, replay)) /* else it is done */
    weight_grid_clamp(&state->weights.grid, weight->value.data, rung_tensor_count(&weight->value));
}

static void settle(rung_node *node, const rung_replay *replay) {
  linear_state *state = node->state;
  settle_parameters(node, replay);
  learned_settle(&state->learned);
  state->fresh = !replay->training;
  state->quantized = !replay->training || quantized_linear_requantizes(node, replay);
  if (!observes(state, replay)) return;
  if (!state->real)
    observe_fused_range(node);
  else if (state->options.ranges == RUNG_RANGES_DELAYED)
    rung_quantizer_observe(state->options.output, state->real, rung_tensor_count(&node->value));
}

const rung_op quantized_linear_op = {.name = "quantized_linear",
                                     .input_count = 5,
                                     .infer = infer,
                                     .prepare = prepare,
                                     .forward = forward,
                                     .backward = quantized_linear_backward,
                                     .backward_weights = quantized_linear_backward_weights,
                                     .weights = 1 << weight_input | 1 << bias_input | 1 << scale_input |
                                                1 << output_scale_input,
                                     .settle = settle,
                                     .reads_integers = true};

rung_node *rung_quantized_linear(rung_node *x, rung_node *weight, rung_node *bias,
                                 const rung_quantized_linear_options *options) {
  if (!x || !weight) return NULL;
  rung_node *inputs[] = {x, weight, bias, options->weight_scale, options->output_scale};
  return rung_record(&quantized_linear_op, inputs, options, sizeof *options);
}

const rung_quantizer *quantized_by(const rung_node *node) {
  while (rung_node_passes_integers(node) || node->op == &merged_linear_op) node = node->input[0];
  if (node->op == &quantized_linear_op) return ((const linear_state *)node->state)->options.output;
  if (rung_node_input_table(node)) return requantized_by(node);
  return node->op == &quantize_op ? ((const observing *)node->attributes)->quantizer : NULL;
}

void quantized_range(const rung_node *node, int32_t *qmin, int32_t *qmax) {
  const rung_quantizer *quantizer = quantized_by(node);
  *qmin = quantizer ? quantizer->qmin : node->value.type == RUNG_I8 ? INT8_MIN : 0;
  *qmax = quantizer ? quantizer->qmax : node->value.type == RUNG_I8 ? INT8_MAX : UINT8_MAX;
}

void quantized_linear_make(rung_node *node, const rung_replay *replay) {
  refresh_weights(node, replay);
  rung_team_barrier(replay->team);
  linear_state *state = node->state;
  if (replay->ith == 0) state->fresh = state->quantized = true;
}

rung_status quantized_linear_watch(rung_node *node, const rung_oscillation_options *now) {
  linear_state *state = node->state;
  if (state->weights.grid.method->odd)
    return rung_fail(RUNG_ERROR_UNSUPPORTED,
                     "%s: weights by %s stand on no grid of their own; it cannot be seen which "
                     "of them oscillate",
                     node->input[weight_input]->name, state->weights.grid.method->name);
  return integer_weights_watch(&state->weights, node, now);
}

const oscillation *quantized_linear_oscillation(const rung_node *node) {
  return ((const linear_state *)node->state)->weights.oscillation;
}

void quantized_linear_refresh(rung_node *node) {
  linear_state *state = node->state;
  state->fresh = state->quantized = false;
}

bool rung_node_gives_accumulators(const rung_node *node) {
  return node->op == &quantized_linear_op && ((const linear_state *)node->state)->options.accumulators;
}

const rung_node *rung_integer_layer_weight(const rung_node *node) {
  if (node->op == &merged_linear_op)
    node = merged_linear_source(node);
  else if (rung_node_gives_accumulators(node))
    return NULL;
  return node->op == &quantized_linear_op ? node->input[weight_input] : NULL;
}

static bool view(const rung_node *node, rung_integer_layer *layer) {
  const linear_state *state = node->state;
  integer_weights_view(&state->weights, layer);
  layer->qmin = state->qmin;
  layer->qmax = state->qmax;
  return state->fresh;
}

rung_status rung_integer_layer_view(const rung_node *node, rung_integer_layer *layer) {
  if (!node || !rung_integer_layer_weight(node))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: not a quantized linear layer", node ? node->name : "integer layer");
  const bool merged = node->op == &merged_linear_op;
  const rung_node *x = (merged ? merged_linear_source(node) : node)->input[x_input];
  *layer = (rung_integer_layer){.input_type = x->value.type,
                                .output_type = node->value.type,
                                .input_scale = x->value.scale,
                                .output_scale = node->value.scale,
                                .input_zero_point = x->value.zero_point,
                                .output_zero_point = node->value.zero_point};
  quantized_range(x, &layer->input_qmin, &layer->input_qmax);
  layer->input_binary = quantized_by(x) && quantized_by(x)->format.bits == 1;
  if (merged ? merged_linear_view(node, layer) : view(node, layer)) return RUNG_OK;
  return rung_fail(RUNG_ERROR_STATE, "%s: its integers are stale; evaluate the quantized graph first", node->name);
}
