/* The gradients of quantized_linear in integers (docs/quantization.md, eq. 14 to 16). With the gradient g of the output
 * after the straight-through mask, and h[i,j] = g[i,j] s_w[j], each on one scale, rounded stochastically, so that their
 * means are right:
 *
 *   q_g = round(g / s_g), q_h = round(h / s_h), s = max / 127                                eq. 14, 15
 *   dx[i,k] += s_h sum_j q_h[i,j] q_w[j,k]                                                       eq. 16
 *   dW[j,k] += s_g s_x sum_i q_g[i,j] (q_x[i,k] - z_x)
 *
 * The sums are exact in int32. Weight scales, one a channel, would stand inside the first sum: hence h. With groups
 * they still would, and dx is left to f32. */
#include "quantized_linear.h"

static int64_t members_most(const rung_node *node) {
  return 2 * (int64_t)rung_team_size(rung_graph_team(node->graph));
}

rung_status int8_backward_plan(rung_node *node) {
  linear_state *state = node->state;
  gradient_codes *codes = &state->codes;
  int64_t batch = rung_graph_batch(node->graph), out = state->weights.out, longest = batch > out ? batch : out;
  if (longest > RUNG_IGEMM_K_MAX)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "quantized_linear: backward int8 sums %lld products, expected at most %d",
                     (long long)longest, RUNG_IGEMM_K_MAX);
  codes->g = rung_node_allocate(node, (size_t)batch, (size_t)out);
  codes->h = state->weights.group ? NULL : rung_node_allocate(node, (size_t)batch, (size_t)out);
  codes->column_scale = rung_node_allocate(node, (size_t)out, sizeof(float));
  codes->most = rung_node_allocate(node, (size_t)members_most(node), sizeof(float));
  codes->column_sum = rung_node_allocate(node, (size_t)out, sizeof(float));
  bool have = codes->g && (codes->h || state->weights.group) && codes->column_scale && codes->most && codes->column_sum;
  return have ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static rung_igemm gradient_of_x(const rung_node *node) {
  const linear_state *state = node->state;
  const integer_weights *weights = &state->weights;
  return (rung_igemm){.m = node->value.shape.extent[0],
                      .n = weights->in,
                      .k = weights->out,
                      .a = state->codes.h,
                      .a_stride = weights->out,
                      .b_type = RUNG_I8,
                      .b = weights->q,
                      .b_stride = weights->in,
                      .c = node->input[x_input]->gradient.data,
                      .c_stride = weights->in,
                      .scale = state->codes.h_scale,
                      .accumulate = node->accumulate[x_input]};
}

static rung_igemm gradient_of_weight(const rung_node *node) {
  const linear_state *state = node->state;
  const integer_weights *weights = &state->weights;
  const rung_tensor *x = &node->input[x_input]->value;
  return (rung_igemm){.m = weights->out,
                      .n = weights->in,
                      .k = node->value.shape.extent[0],
                      .a = state->codes.g,
                      .a_stride = weights->out,
                      .a_transposed = true,
                      .b_type = x->type,
                      .b = x->data,
                      .b_stride = weights->in,
                      .b_zero_point = x->zero_point,
                      .c = node->input[weight_input]->gradient.data,
                      .c_stride = weights->in,
                      .scale = state->codes.g_scale * x->scale,
                      .accumulate = node->accumulate[weight_input],
                      .by_rows = true};
}

size_t int8_backward_scratch(const rung_node *node, rung_gemm_take *take) {
  rung_igemm dx = gradient_of_x(node), dw = gradient_of_weight(node), taken = dw;
  taken.take = take;
  size_t most = rung_igemm_scratch(&dx), stored = rung_igemm_scratch(&dw), handed = rung_igemm_scratch(&taken);
  most = stored > most ? stored : most;
  return handed > most ? handed : most;
}

/* This member's columns. */
static rung_gradient my_gradient(const rung_node *node, const rung_replay *replay, int64_t *begin) {
  const linear_state *state = node->state;
  int64_t end, out = state->weights.out;
  rung_slice(out, RUNG_ALIGNMENT, replay->ith, replay->nth, begin, &end);
  return (rung_gradient){.rows = node->value.shape.extent[0],
                         .columns = end - *begin,
                         .g = (const float *)node->gradient.data + *begin,
                         .stride = out,
                         .mask = state->options.output && !state->learned.node ? state->mask + *begin / 8 : NULL,
                         .mask_stride = state->mask_stride,
                         .column_scale = state->codes.h ? state->codes.column_scale + *begin : NULL};
}

/* A channel of zeros carries no gradient back, and its scale, which could be any, must not coarsen the others'. */
static void set_column_scales(const linear_state *state, const rung_gradient *gradient, int64_t begin) {
  const integer_weights *weights = &state->weights;
  for (int64_t j = begin; j < begin + gradient->columns && state->codes.h; j++)
    state->codes.column_scale[j] = weights->magnitude[j] ? weights->scale[j] : 0;
}

/* Of no gradient at all, or of one so small that 1 / s would overflow, the codes are 0. */
static float inverse_scale(float most) {
  return most > 0x1p-100f ? 127 / most : 0;
}

static uint64_t step_key(const rung_node *node, const rung_replay *replay) {
  const rung_rng parent = rung_graph_rng(node->graph), of_node = rung_rng_split(&parent, (uint64_t)node->index);
  return rung_rng_split(&of_node, replay->step).key;
}

void int8_backward_quantize(rung_node *node, const rung_replay *replay) {
  linear_state *state = node->state;
  gradient_codes *codes = &state->codes;
  int64_t begin, out = state->weights.out;
  const rung_gradient gradient = my_gradient(node, replay, &begin);
  float *mine = codes->most + 2 * replay->ith, g_most = 0, h_most = 0;
  set_column_scales(state, &gradient, begin);
  rung_kernels_active()->gradient_range(&gradient, &mine[0], &mine[1], codes->column_sum + begin, false);
  rung_team_barrier(replay->team);
  for (int i = 0; i < replay->nth; i++) {
    g_most = codes->most[2 * i] > g_most ? codes->most[2 * i] : g_most;
    h_most = codes->most[2 * i + 1] > h_most ? codes->most[2 * i + 1] : h_most;
  }
  if (replay->ith == 0) {
    codes->g_scale = g_most / 127;
    codes->h_scale = h_most / 127;
  }
  const rung_gradient_codes to = {.key = step_key(node, replay),
                                  .first_column = begin,
                                  .q = codes->g + begin,
                                  .q_stride = out,
                                  .inverse_scale = inverse_scale(g_most),
                                  .q_scaled = codes->h ? codes->h + begin : NULL,
                                  .q_scaled_stride = out,
                                  .inverse_scale_scaled = inverse_scale(h_most)};
  rung_kernels_active()->gradient_quantize(&gradient, &to);
  rung_team_barrier(replay->team);
}

void int8_backward_input(rung_node *node, const rung_replay *replay) {
  const rung_igemm gemm = gradient_of_x(node);
  rung_igemm_run(&gemm, replay->scratch, replay->ith, replay->nth);
}

void int8_backward_weight(rung_node *node, const rung_replay *replay, rung_gemm_take *take, void *context) {
  rung_igemm gemm = gradient_of_weight(node);
  if (take) {
    gemm.take = take;
    gemm.context = context;
    gemm.accumulate = false;
  }
  rung_igemm_run(&gemm, replay->scratch, replay->ith, replay->nth);
}
