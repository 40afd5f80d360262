/* batch_norm (Ioffe and Szegedy, 2015): x [n, d], scale g [d], shift b [d], running mean [d] and variance [d] -> y [n,
 * d]. With g, b and the running ones [1], x is taken as [n d, 1]: one mean and variance of the whole tensor.
 *
 * forward   m[j] = sum_i x[i][j] / n,  v[j] = sum_i (x[i][j] - m[j])^2 / n;  not in training: the running ones
 *           h[i][j] = (x[i][j] - m[j]) r[j],  r[j] = 1 / sqrt(v[j] + epsilon)
 *           y[i][j] = g[j] h[i][j] + b[j]
 *           in training, with momentum t: running mean = (1 - t) running mean + t m,
 *           running variance = (1 - t) running variance + t v n / (n - 1) (not if n = 1, which tells no variance)
 * backward  db[j] += sum_i dy[i][j]
 *           dg[j] += sum_i dy[i][j] h[i][j]
 *           dx[i][j] += g[j] r[j] (dy[i][j] - db[j] / n - h[i][j] dg[j] / n), where db, dg are this op's sums;
 *           not in training m and r are constants: g[j] r[j] dy[i][j]
 * Where neither g nor b is a parameter that is trained, or y is just x + b (rung_batch_norm_is_shift), every replay is
 * like one that is not training.
 *
 * A member works on its columns, all rows of them, so that no sum is split. */
#include "op.h"

#include <math.h>

enum { x_input, scale_input, shift_input, mean_input, variance_input, input_count };

typedef struct batch_norm_attributes {
  float momentum, epsilon;
} batch_norm_attributes;

typedef struct batch_norm_state {
  bool uses_batch;   /* in this replay: the batch's statistics, not the running ones */
  float *normalized; /* h [batch, d] */
  float *mean;       /* m [d] */
  float *variance;   /* v [d] */
  float *inverse;    /* r [d] */
  float *sum_dy;     /* [d] */
  float *sum_dy_h;   /* [d] */
} batch_norm_state;

/* Frozen, it stays with the running statistics in training too: what it computes must not move any more. Nor may what
 * it normalizes by once only its shift is left to learn. */
static void prepare(rung_node *node, const rung_replay *replay) {
  const bool trained = node->input[scale_input]->trainable || node->input[shift_input]->trainable;
  batch_norm_state *state = node->state;
  state->uses_batch = replay->training && trained && !rung_batch_norm_is_shift(node);
}

static int64_t columns_of(const rung_node *node) {
  return rung_tensor_count(&node->input[scale_input]->value);
}

static int64_t rows_of(const rung_node *node) {
  return rung_tensor_count(&node->value) / columns_of(node);
}

static rung_status check(const rung_node *node) {
  const batch_norm_attributes *attributes = node->attributes;
  const rung_shape *x = &node->input[x_input]->value.shape, *scale = &node->input[scale_input]->value.shape;
  for (int i = 0; i < input_count; i++) {
    rung_status status = op_expect_f32(node, i);
    if (status == RUNG_OK && i != x_input) status = op_expect_unbatched(node, i);
    if (status != RUNG_OK) return status;
    const rung_shape *shape = &node->input[i]->value.shape;
    bool fits = i == x_input || (shape->rank == 1 && shape->extent[0] == scale->extent[0] &&
                                 (shape->extent[0] == x->extent[1] || shape->extent[0] == 1));
    if (x->rank != 2 || !fits)
      return op_refuse(node, "x scale shift mean variance", "x [n, d] and the others [d], or [1]");
  }
  if (!rung_node_is_parameter(node->input[mean_input]) || !rung_node_is_parameter(node->input[variance_input]))
    return rung_fail(RUNG_ERROR_ARGUMENT, "batch_norm: running mean '%s' and variance '%s', expected parameters",
                     node->input[mean_input]->name, node->input[variance_input]->name);
  if (!(attributes->momentum >= 0 && attributes->momentum <= 1))
    return rung_fail(RUNG_ERROR_ARGUMENT, "batch_norm: momentum %g, expected 0 .. 1", (double)attributes->momentum);
  if (!(attributes->epsilon > 0 && attributes->epsilon < INFINITY))
    return rung_fail(RUNG_ERROR_ARGUMENT, "batch_norm: epsilon %g, expected more than 0", (double)attributes->epsilon);
  return RUNG_OK;
}

static rung_status infer(rung_node *node) {
  rung_status status = check(node);
  if (status != RUNG_OK) return status;
  node->value.type = RUNG_F32;
  node->value.shape = node->input[x_input]->value.shape;
  rung_node_set_trainable(node->input[mean_input], false);
  rung_node_set_trainable(node->input[variance_input], false);
  size_t count = (size_t)rung_tensor_count(&node->value), d = (size_t)columns_of(node);
  batch_norm_state *state = node->state = rung_node_allocate(node, 1, sizeof *state);
  if (!state) return RUNG_ERROR_MEMORY;
  state->normalized = rung_node_allocate(node, count, sizeof(float));
  float **const vectors[] = {&state->mean, &state->variance, &state->inverse, &state->sum_dy, &state->sum_dy_h};
  for (int i = 0; i < 5; i++)
    if (!(*vectors[i] = rung_node_allocate(node, d, sizeof(float)))) return RUNG_ERROR_MEMORY;
  return state->normalized ? RUNG_OK : RUNG_ERROR_MEMORY;
}

/* m, and h = x - m for now, of columns begin .. end-1. */
static void center(const rung_node *node, const float *mean, int64_t begin, int64_t end) {
  const batch_norm_state *state = node->state;
  int64_t n = rows_of(node), d = columns_of(node);
  const float *x = op_value(node->input[x_input]);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = begin; j < end; j++) state->normalized[i * d + j] = x[i * d + j] - mean[j];
}

static void batch_statistics(const rung_node *node, int64_t begin, int64_t end) {
  const batch_norm_state *state = node->state;
  const rung_kernels *kernels = rung_kernels_active();
  int64_t n = rows_of(node), d = columns_of(node), width = end - begin;
  const float *h = state->normalized + begin;
  kernels->column_sum(state->mean + begin, op_value(node->input[x_input]) + begin, n, width, d, false);
  for (int64_t j = begin; j < end; j++) state->mean[j] /= (float)n;
  center(node, state->mean, begin, end);
  kernels->column_dot(state->variance + begin, h, h, n, width, d, false);
  for (int64_t j = begin; j < end; j++) state->variance[j] /= (float)n;
}

static void update_running(const rung_node *node, int64_t begin, int64_t end) {
  const batch_norm_state *state = node->state;
  const float momentum = ((const batch_norm_attributes *)node->attributes)->momentum;
  float *mean = op_value(node->input[mean_input]), *variance = op_value(node->input[variance_input]);
  int64_t n = rows_of(node);
  for (int64_t j = begin; j < end; j++) mean[j] = (1 - momentum) * mean[j] + momentum * state->mean[j];
  if (n == 1) return;
  const float unbiased = (float)n / (float)(n - 1);
  for (int64_t j = begin; j < end; j++)
    variance[j] = (1 - momentum) * variance[j] + momentum * (state->variance[j] * unbiased);
}

static void forward(rung_node *node, const rung_replay *replay) {
  const batch_norm_state *state = node->state;
  const float epsilon = rung_batch_norm_epsilon(node);
  const float *scale = op_value(node->input[scale_input]), *shift = op_value(node->input[shift_input]);
  const float *variance = state->uses_batch ? state->variance : op_value(node->input[variance_input]);
  float *h = state->normalized, *y = op_value(node);
  int64_t begin, end, n = rows_of(node), d = columns_of(node);
  op_columns(d, replay, &begin, &end);
  if (state->uses_batch) {
    batch_statistics(node, begin, end);
    update_running(node, begin, end);
  } else {
    center(node, op_value(node->input[mean_input]), begin, end);
  }
  for (int64_t j = begin; j < end; j++) state->inverse[j] = 1 / sqrtf(variance[j] + epsilon);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = begin; j < end; j++) {
      h[i * d + j] *= state->inverse[j];
      y[i * d + j] = scale[j] * h[i * d + j] + shift[j];
    }
}

static void backward_x(const rung_node *node, int64_t begin, int64_t end) {
  const batch_norm_state *state = node->state;
  const float *scale = op_value(node->input[scale_input]), *dy = op_gradient(node), *h = state->normalized;
  float *dx = op_gradient(node->input[x_input]);
  int64_t n = rows_of(node), d = columns_of(node);
  const float share = state->uses_batch ? 1 / (float)n : 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = begin; j < end; j++) {
      int64_t at = i * d + j;
      float centered = dy[at] - share * state->sum_dy[j] - h[at] * (share * state->sum_dy_h[j]);
      float gradient = scale[j] * state->inverse[j] * centered;
      dx[at] = node->accumulate[x_input] ? dx[at] + gradient : gradient;
    }
}

static void backward(rung_node *node, const rung_replay *replay) {
  const batch_norm_state *state = node->state;
  const rung_kernels *kernels = rung_kernels_active();
  int64_t begin, end, n = rows_of(node), d = columns_of(node);
  op_columns(d, replay, &begin, &end);
  const float *dy = op_gradient(node) + begin, *h = state->normalized + begin;
  const float *const sums[] = {state->sum_dy_h, state->sum_dy}; /* of scale and of shift */
  kernels->column_sum(state->sum_dy + begin, dy, n, end - begin, d, false);
  kernels->column_dot(state->sum_dy_h + begin, dy, h, n, end - begin, d, false);
  for (int k = scale_input; k <= shift_input; k++)
    if (rung_node_wants_gradient(node->input[k]))
      kernels->scale_add(op_gradient(node->input[k]) + begin, sums[k - scale_input] + begin, 1, end - begin,
                         node->accumulate[k]);
  if (rung_node_wants_gradient(node->input[x_input])) backward_x(node, begin, end);
}

const rung_op rung_op_batch_norm = {.name = "batch_norm",
                                    .input_count = input_count,
                                    .infer = infer,
                                    .prepare = prepare,
                                    .forward = forward,
                                    .backward = backward};

rung_node *rung_batch_norm_with(rung_node *x, rung_node *scale, rung_node *shift, rung_node *running_mean,
                                rung_node *running_variance, float momentum, float epsilon) {
  if (!x || !scale || !shift || !running_mean || !running_variance) return NULL;
  const batch_norm_attributes attributes = {momentum, epsilon};
  rung_node *inputs[] = {x, scale, shift, running_mean, running_variance};
  return rung_record(&rung_op_batch_norm, inputs, &attributes, sizeof attributes);
}

float rung_batch_norm_epsilon(const rung_node *node) {
  return ((const batch_norm_attributes *)node->attributes)->epsilon;
}

float rung_batch_norm_momentum(const rung_node *node) {
  return ((const batch_norm_attributes *)node->attributes)->momentum;
}

bool rung_batch_norm_is_shift(const rung_node *node) {
  if (node->op != &rung_op_batch_norm || node->input[scale_input]->trainable) return false;
  const float *scale = op_value(node->input[scale_input]), *mean = op_value(node->input[mean_input]);
  const float *variance = op_value(node->input[variance_input]), epsilon = rung_batch_norm_epsilon(node);
  for (int64_t j = 0; j < columns_of(node); j++)
    if (scale[j] != sqrtf(variance[j] + epsilon) || mean[j] != 0) return false;
  return true;
}
