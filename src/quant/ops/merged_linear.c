/* merged_linear: a linear layer, a batch norm behind it and a clamp, as one integer layer in evaluation
 * (docs/batch-norm.md). Of the layer's accumulators acc[i,j], which stand for s_x s_w[j] acc[i,j], and its bias c[j]:
 *
 *   y[i,j] = g[j] (s_x s_w[j] acc[i,j] + c[j] - m[j]) / sqrt(v[j] + epsilon) + b[j]                            eq. 30
 *          = s_x s_w'[j] (+-acc[i,j]) + b'[j],  s_w'[j] = s_w[j] |r[j]|,  b'[j] = (c[j] - m[j]) r[j] + b[j],
 *            r[j] = g[j] / sqrt(v[j] + epsilon), the weights of a channel with r[j] < 0 negated                  eq. 31
 *
 * forward   training: x, which is y by the batch's statistics, clamped and quantized by the operations in front
 *           evaluation: y by the running ones, as a layer with weights +-q_w, scales s_w' and bias b': q_y by eq. 9
 * with all inputs as one group, so that b' joins at the precision of the sum                                eq. 32 1
 * bit: the sign of that sum                                                                          eq. 33 without a
 * quantizer: int32 logits on one common scale                                                eq. 34 backward  dx += dy
 *
 * In evaluation nothing reads what stands between the linear layer and this node, and the layer does not multiply. */
#include "quantized_linear.h"
#include "quantized_ops.h"

#include <math.h>

typedef struct merged_attributes {
  rung_node *linear, *norm;
  rung_clamp clamp;
} merged_attributes;

typedef struct merged_state {
  integer_weights weights;
  float *gain, *shift;             /* [out]: r and b' */
  void *own;                       /* [batch, out]: the integers of evaluation ... */
  float logit_scale;               /* ... and where they are logits, their scale */
  const rung_quantizer *quantizer; /* of the output; NULL: logits */
  bool fresh;                      /* the weights are those of the present shadows, statistics and scales */
} merged_state;

enum { norm_scale = 1, norm_shift, norm_mean, norm_variance }; /* inputs of a batch norm */

static const linear_state *linear_of(const rung_node *node) {
  return ((const merged_attributes *)node->attributes)->linear->state;
}

static rung_qgemm product(const rung_node *node) {
  const merged_state *state = node->state;
  const rung_tensor *x = &merged_linear_source(node)->input[x_input]->value;
  rung_qgemm gemm = {.m = x->shape.extent[0], .a_type = x->type, .a = x->data, .a_stride = state->weights.in};
  integer_weights_operand(&state->weights, &gemm);
  gemm.y = state->own;
  gemm.y_stride = state->weights.out;
  gemm.epilogue = RUNG_EPILOGUE_REQUANTIZE_32;
  if (!state->quantizer) return gemm;
  gemm.epilogue = RUNG_EPILOGUE_REQUANTIZE_8;
  gemm.y_type = node->value.type;
  gemm.zero_point = state->quantizer->zero_point;
  gemm.binary = state->quantizer->format.bits == 1;
  quantized_clamp(state->quantizer, ((const merged_attributes *)node->attributes)->clamp, &gemm.qmin, &gemm.qmax);
  return gemm;
}

/* All inputs are one group where the layer has none. */
static int64_t group_of(const integer_weights *weights) {
  return weights->group ? weights->group : (weights->in + 3) / 4 * 4;
}

static rung_status infer(rung_node *node) {
  const merged_attributes *attributes = node->attributes;
  const rung_node *x = node->input[0];
  if (!rung_node_gives_accumulators(attributes->linear))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: '%s' gives no accumulators", node->name, attributes->linear->name);
  if (attributes->norm && attributes->norm->op != &rung_op_batch_norm)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: '%s' is no batch norm", node->name, attributes->norm->name);
  merged_state *state = node->state = rung_node_allocate(node, 1, sizeof *state);
  if (!state) return RUNG_ERROR_MEMORY;
  state->quantizer = quantized_by(x);
  node->value.type = state->quantizer ? x->value.type : RUNG_I32;
  node->value.shape = x->value.shape;
  const integer_weights *from = &linear_of(node)->weights;
  state->weights = (integer_weights){.grid = from->grid,
                                     .format = from->format,
                                     .granularity = RUNG_PER_GROUP,
                                     .in = from->in,
                                     .out = from->out,
                                     .group = group_of(from)};
  rung_status status = integer_weights_plan(&state->weights, node);
  if (status != RUNG_OK) return status;
  size_t count = (size_t)rung_tensor_count(&node->value), out = (size_t)from->out;
  state->own = node->value.data = rung_node_allocate(node, count, rung_dtype_size(node->value.type));
  state->gain = rung_node_allocate(node, out, sizeof(float));
  state->shift = rung_node_allocate(node, out, sizeof(float));
  if (!state->own || !state->gain || !state->shift) return RUNG_ERROR_MEMORY;
  const rung_qgemm gemm = product(node);
  node->scratch_bytes = rung_qgemm_scratch(&gemm);
  return RUNG_OK;
}

static void pass(rung_node *node) {
  const rung_tensor *x = &node->input[0]->value;
  node->value.type = x->type;
  node->value.data = x->data;
  node->value.scale = x->scale;
  node->value.zero_point = x->zero_point;
}

static void prepare(rung_node *node, const rung_replay *replay) {
  merged_state *state = node->state;
  pass(node);
  if (replay->training) {
    state->fresh = false; /* statistics and scales move */
    return;
  }
  node->value.data = state->own;
  if (state->quantizer) return;
  node->value.type = RUNG_I32;
  node->value.scale = state->logit_scale;
  node->value.zero_point = 0;
}

/* ---- Merging ---------------------------------------------------------------------------------------------------- */

/* Of channels begin .. end-1. A batch norm of the whole tensor has one number for all. */
static void make_gain(const rung_node *node, int64_t begin, int64_t end) {
  const merged_attributes *attributes = node->attributes;
  const merged_state *state = node->state;
  const rung_node *norm = attributes->norm, *bias = attributes->linear->input[bias_input];
  const float *c = bias ? bias->value.data : NULL;
  for (int64_t j = begin; j < end; j++) {
    state->gain[j] = 1;
    state->shift[j] = c ? c[j] : 0;
    if (!norm) continue;
    const float *scale = norm->input[norm_scale]->value.data, *shift = norm->input[norm_shift]->value.data;
    const float *mean = norm->input[norm_mean]->value.data, *variance = norm->input[norm_variance]->value.data;
    const int64_t at = rung_tensor_count(&norm->input[norm_scale]->value) > 1 ? j : 0;
    state->gain[j] = scale[at] / sqrtf(variance[at] + rung_batch_norm_epsilon(norm));
    state->shift[j] = fmaf(state->shift[j] - mean[at], state->gain[j], shift[at]);
  }
}

/* eq. 34: that of eq. 10, or as much coarser as the largest b' needs to fit. */
static float logit_scale(const rung_node *node) {
  const merged_state *state = node->state;
  const rung_node *x = merged_linear_source(node)->input[x_input];
  float scale = integer_weights_logit_scale(&state->weights, x->value.scale, quantized_magnitude(x));
  const float most = rung_kernels_active()->max_abs(state->shift, state->weights.out);
  while (most > scale * 0x1p30f && scale < 0x1p60f) scale *= 2;
  return scale;
}

static void merge(rung_node *node, const rung_replay *replay) {
  merged_state *state = node->state;
  const rung_tensor *x = &merged_linear_source(node)->input[x_input]->value;
  int64_t begin, end;
  rung_slice(state->weights.out, RUNG_QGEMM_GRAIN, replay->ith, replay->nth, &begin, &end);
  make_gain(node, begin, end);
  integer_weights_merge(&state->weights, &linear_of(node)->weights, state->gain, begin, end);
  if (!state->quantizer) {
    rung_team_barrier(replay->team);
    if (replay->ith == 0) node->value.scale = state->logit_scale = logit_scale(node);
    rung_team_barrier(replay->team);
  }
  const integer_scales scales = {.input = x->scale, .input_zero_point = x->zero_point, .output = node->value.scale};
  integer_weights_scale(&state->weights, state->shift, &scales, replay);
}

/* ---- Replaying -------------------------------------------------------------------------------------------------- */

static void forward(rung_node *node, const rung_replay *replay) {
  const merged_state *state = node->state;
  if (replay->training) {
    if (replay->ith == 0) pass(node); /* the scale may have moved with this very batch */
    return;
  }
  if (!state->fresh) merge(node, replay);
  const rung_qgemm gemm = product(node);
  rung_qgemm_run(&gemm, replay->scratch, replay->ith, replay->nth);
}

static void backward(rung_node *node, const rung_replay *replay) {
  rung_node *x = node->input[0];
  if (!rung_node_wants_gradient(x)) return;
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  rung_kernels_active()->scale_add((float *)x->gradient.data + begin, (const float *)node->gradient.data + begin, 1,
                                   end - begin, node->accumulate[0]);
}

static void settle(rung_node *node, const rung_replay *replay) {
  ((merged_state *)node->state)->fresh = !replay->training;
}

const rung_op merged_linear_op = {.name = "merged_linear",
                                  .input_count = 1,
                                  .infer = infer,
                                  .prepare = prepare,
                                  .forward = forward,
                                  .backward = backward,
                                  .settle = settle,
                                  .reads_integers = true};

rung_node *rung_merged_linear(rung_node *x, rung_node *linear, rung_node *norm, rung_clamp clamp) {
  if (!x || !linear) return NULL;
  const merged_attributes attributes = {linear, norm, clamp};
  return rung_record(&merged_linear_op, &x, &attributes, sizeof attributes);
}

/* ---- From outside ----------------------------------------------------------------------------------------------- */

void merged_linear_refresh(rung_node *node) {
  ((merged_state *)node->state)->fresh = false;
}

void merged_linear_make(rung_node *node, const rung_replay *replay) {
  merge(node, replay);
  rung_team_barrier(replay->team);
  if (replay->ith == 0) ((merged_state *)node->state)->fresh = true;
}

const rung_node *merged_linear_source(const rung_node *node) {
  return ((const merged_attributes *)node->attributes)->linear;
}

/* Where the batch norm turns a channel around, its weights are negated: of those that can be -2^(bits-1) this one then
 * takes another bit. */
static rung_format code_format(const integer_weights *weights) {
  rung_format format = weight_grid_code_format(&weights->grid);
  int32_t qmin, qmax;
  bool beyond = false;
  rung_format_range(&format, &qmin, &qmax);
  for (int64_t i = 0; i < weights->out * weights->in; i++) beyond |= weights->q[i] > qmax;
  format.bits += beyond;
  return format;
}

bool merged_linear_view(const rung_node *node, rung_integer_layer *layer) {
  const merged_state *state = node->state;
  const rung_qgemm gemm = product(node);
  integer_weights_view(&state->weights, layer);
  layer->weight_format = code_format(&state->weights);
  layer->qmin = gemm.qmin;
  layer->qmax = gemm.qmax;
  layer->binary = gemm.binary;
  return state->fresh;
}
