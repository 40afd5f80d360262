/* The gradients of quantized_linear, straight through the rounding, x [n, in], W [out, in], b [out]:
 *
 *   g[i,j] = dy[i,j] where q_y was not clamped (and acc > 0 under ReLU), else 0                   eq. 6
 *   dx[i,k] += sum_j g[i,j] s_w[j] q_w[j,k]                                                      eq. 13
 *   dW[j,k] += sum_i g[i,j] s_x (q_x[i,k] - z_x)         (and what the method of the weights makes of it, ../qat/)
 *   db[j]   += sum_i g[i,j]
 *
 * in f32 or bfloat16; quantized_linear_int8.c has them in integers. Where an optimizer takes dW row by row, it has
 * moved those channels when they come back: they are quantized for the next step at once, while they are in the cache.
 */
#include "quantized_linear.h"

static rung_gemm gradient_of_x(const rung_node *node) {
  const linear_state *state = node->state;
  const rung_node *x = node->input[x_input];
  return (rung_gemm){.m = node->value.shape.extent[0],
                     .n = state->weights.in,
                     .k = state->weights.out,
                     .a = rung_tensor_matrix(&node->gradient, false),
                     .b = integer_weights_matrix(&state->weights),
                     .c = x->gradient.data,
                     .c_stride = state->weights.in,
                     .accumulate = node->accumulate[x_input]};
}

static rung_gemm gradient_of_weight(const rung_node *node) {
  const linear_state *state = node->state;
  return (rung_gemm){.m = state->weights.out,
                     .n = state->weights.in,
                     .k = node->value.shape.extent[0],
                     .a = rung_tensor_matrix(&node->gradient, true),
                     .b = rung_tensor_matrix(&node->input[x_input]->value, false),
                     .c = node->input[weight_input]->gradient.data,
                     .c_stride = state->weights.in,
                     .accumulate = node->accumulate[weight_input]};
}

static rung_backward backward_of(const rung_node *node) {
  return ((const linear_state *)node->state)->options.backward;
}

/* This member's part of a product in f32 or, where asked for, bfloat16. */
static void run_product(const rung_node *node, const rung_gemm *gemm, const rung_replay *replay) {
  const rung_kernels *kernels = rung_kernels_active();
  if (backward_of(node) == RUNG_BACKWARD_BF16)
    kernels->gemm_bf16(gemm, replay->scratch, replay->ith, replay->nth);
  else
    kernels->gemm_f32(gemm, replay->scratch, replay->ith, replay->nth);
}

/* In place: the gradient of what the clamp let through. */
static void mask_gradient(rung_node *node, const rung_replay *replay) {
  const linear_state *state = node->state;
  int64_t begin, end, out = state->weights.out;
  rung_slice(node->value.shape.extent[0], 1, replay->ith, replay->nth, &begin, &end);
  for (int64_t i = begin; i < end; i++) {
    float *row = (float *)node->gradient.data + i * out;
    rung_kernels_active()->mask_apply(row, row, state->mask + i * state->mask_stride, out, false);
  }
  rung_team_barrier(replay->team);
}

/* The same where the scale of the output is learned: by the rule of its method, from the sums as reals. ReLU6 is flat
 * beyond 6, wherever the range ends. */
static void mask_by_method(rung_node *node, const rung_replay *replay) {
  linear_state *state = node->state;
  int64_t begin, end, out = state->weights.out;
  rung_slice(node->value.shape.extent[0], 1, replay->ith, replay->nth, &begin, &end);
  for (int64_t i = begin; i < end; i++) {
    float *row = (float *)node->gradient.data + i * out;
    learned_backward(&state->learned, row, state->real + i * out, out, i);
    if (state->options.clamp == RUNG_CLAMP_RELU6)
      rung_kernels_active()->mask_apply(row, row, state->mask + i * state->mask_stride, out, false);
  }
  rung_team_barrier(replay->team);
}

void quantized_linear_backward(rung_node *node, const rung_replay *replay) {
  const linear_state *state = node->state;
  bool integers = backward_of(node) == RUNG_BACKWARD_INT8, wanted = rung_node_wants_gradient(node->input[x_input]);
  bool learned = state->learned.node;
  if (learned) mask_by_method(node, replay);
  if (integers) int8_backward_quantize(node, replay);
  if (state->options.output && !learned && !(integers && state->codes.h)) mask_gradient(node, replay);
  if (!wanted) return;
  if (integers && state->codes.h) {
    int8_backward_input(node, replay);
  } else {
    rung_gemm gemm = gradient_of_x(node);
    run_product(node, &gemm, replay);
  }
}

bool quantized_linear_requantizes(const rung_node *node, const rung_replay *replay) {
  const linear_state *state = node->state;
  return replay->backward && rung_node_wants_gradient(node->input[weight_input]) &&
         rung_node_takes(node, weight_input, replay) && state->weights.granularity != RUNG_PER_TENSOR;
}

typedef struct weight_rows {
  rung_node *node;
  const rung_replay *replay;
} weight_rows;

/* The gradient of the scales of these rows; of one for the whole tensor when all rows are there. */
static void take_scales(const rung_node *node, const rung_replay *replay, const float *gradient, int64_t begin,
                        int64_t end) {
  const linear_state *state = node->state;
  float *stored = node->input[scale_input]->gradient.data;
  if (rung_node_takes(node, scale_input, replay)) {
    rung_node_take(node, scale_input, replay, gradient, begin, end);
    weight_grid_hold(&state->weights.grid, node->input[weight_input]->value.data, state->before, begin, end);
  } else {
    rung_kernels_active()->scale_add(stored + begin, gradient, 1, end - begin, node->accumulate[scale_input]);
  }
}

/* What the weights' method makes of the gradient, before the optimizer moves anything. */
static void apply_method(const rung_node *node, const rung_replay *replay, float *gradient, int64_t row, int64_t rows) {
  const linear_state *state = node->state;
  const integer_weights *weights = &state->weights;
  weight_grid_backward(&weights->grid, gradient, node->input[weight_input]->value.data, weights->q, row, row + rows,
                       weights->scale, state->scale_gradient);
  if (oscillation_has_gradient(weights->oscillation))
    oscillation_gradient(weights->oscillation, gradient, weights->q, node->input[weight_input]->value.data,
                         weights->scale, row, row + rows);
  const int64_t begin = row * weights->groups, end = (row + rows) * weights->groups;
  if (state->scale_gradient && !weights->grid.per_tensor)
    take_scales(node, replay, state->scale_gradient + begin, begin, end);
}

static void take_rows(void *context, float *gradient, int64_t row, int64_t rows) {
  const weight_rows *to = context;
  rung_node *node = to->node, *weight = node->input[weight_input];
  linear_state *state = node->state;
  int64_t begin = row * state->weights.in, count = rows * state->weights.in;
  float *shadow = weight->value.data;
  apply_method(node, to->replay, gradient, row, rows);
  if (!rung_node_takes(node, weight_input, to->replay)) {
    rung_kernels_active()->scale_add((float *)weight->gradient.data + begin, gradient, 1, count,
                                     node->accumulate[weight_input]);
    return;
  }
  rung_node_take(node, weight_input, to->replay, gradient, begin, begin + count);
  weight_grid_clamp(&state->weights.grid, shadow + begin, count);
  if (quantized_linear_requantizes(node, to->replay))
    integer_weights_quantize_channels(&state->weights, shadow, row, row + rows, WEIGHTS_OF_A_STEP);
}

size_t quantized_linear_backward_scratch(const rung_node *node) {
  rung_gemm dx = gradient_of_x(node), dw = gradient_of_weight(node), taken = dw;
  taken.take = take_rows;
  size_t bytes[] = {rung_gemm_scratch(&dx), rung_gemm_scratch(&dw), rung_gemm_scratch(&taken), 0}, most = 0;
  if (backward_of(node) == RUNG_BACKWARD_INT8) bytes[3] = int8_backward_scratch(node, take_rows);
  for (int i = 0; i < 4; i++) most = bytes[i] > most ? bytes[i] : most;
  return most;
}

static void backward_weight(rung_node *node, const rung_replay *replay) {
  const linear_state *state = node->state;
  weight_rows rows = {node, replay};
  bool by_rows = weight_grid_has_backward(&state->weights.grid) || rung_node_takes(node, weight_input, replay) ||
                 oscillation_has_gradient(state->weights.oscillation);
  if (backward_of(node) == RUNG_BACKWARD_INT8) {
    int8_backward_weight(node, replay, by_rows ? take_rows : NULL, &rows);
    return;
  }
  rung_gemm gemm = gradient_of_weight(node);
  if (by_rows) {
    gemm.take = take_rows;
    gemm.context = &rows;
    gemm.accumulate = false;
  }
  run_product(node, &gemm, replay);
}

/* Of scales that all members' rows have a part in. */
static void backward_scales(rung_node *node, const rung_replay *replay) {
  linear_state *state = node->state;
  rung_team_barrier(replay->team);
  learned_hand_over(&state->learned, replay, node->value.shape.extent[0]);
  if (replay->ith != 0 || !state->scale_gradient || !state->weights.grid.per_tensor) return;
  const float total = weight_grid_total(&state->weights.grid, state->scale_gradient);
  take_scales(node, replay, &total, 0, 1);
}

void quantized_linear_backward_weights(rung_node *node, const rung_replay *replay) {
  const linear_state *state = node->state;
  if (rung_node_wants_gradient(node->input[weight_input])) backward_weight(node, replay);
  if (state->scale_gradient || state->learned.node) backward_scales(node, replay);
  if (!rung_node_wants_gradient(node->input[bias_input])) return;
  if (backward_of(node) == RUNG_BACKWARD_INT8)
    rung_node_weight_gradient(node, bias_input, replay, state->codes.column_sum);
  else
    rung_node_weight_row_sum(node, bias_input, replay);
}
