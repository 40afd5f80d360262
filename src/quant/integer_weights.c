#include "integer_weights.h"

#include <float.h>
#include <math.h>

rung_status integer_weights_plan(integer_weights *weights, rung_node *node) {
  weights->groups = weights->group ? (weights->in + weights->group - 1) / weights->group : 1;
  size_t channels = (size_t)weights->out, scales = channels * (size_t)weights->groups;
  weights->q = rung_node_allocate(node, channels * (size_t)weights->in, 1);
  weights->scale = rung_node_allocate(node, scales, sizeof(float));
  if (weights->grid.method->threshold) weights->threshold = rung_node_allocate(node, scales, sizeof(float));
  weights->sum = rung_node_allocate(node, scales, sizeof(int32_t));
  weights->magnitude = rung_node_allocate(node, scales, sizeof(int32_t));
  weights->bias = rung_node_allocate(node, scales, sizeof(int32_t));
  weights->multiplier = rung_node_allocate(node, scales, sizeof(int32_t));
  weights->shift = rung_node_allocate(node, channels, sizeof(int32_t));
  weights->bias64 = rung_node_allocate(node, channels, sizeof(int64_t));
  weights->packed = rung_node_allocate(node, 1, rung_qgemm_packed_size(weights->out, weights->in, weights->group));
  bool have = weights->q && weights->scale && (weights->threshold || !weights->grid.method->threshold) &&
              weights->sum && weights->magnitude && weights->bias && weights->multiplier && weights->shift &&
              weights->bias64 && weights->packed;
  return have ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static void my_channels(const integer_weights *weights, const rung_replay *replay, int64_t *begin, int64_t *end) {
  rung_slice(weights->out, RUNG_QGEMM_GRAIN, replay->ith, replay->nth, begin, end);
}

static void sum_channels(integer_weights *weights, int64_t begin, int64_t end) {
  int64_t in = weights->in, groups = weights->groups, length = weights->group ? weights->group : in;
  for (int64_t j = begin; j < end; j++)
    for (int64_t g = 0; g < groups; g++) {
      int64_t first = g * length, count = first + length < in ? length : in - first;
      rung_kernels_active()->sum_i8(weights->q + j * in + first, count, &weights->sum[j * groups + g],
                                    &weights->magnitude[j * groups + g]);
    }
}

static void pack_channels(integer_weights *weights, int64_t begin, int64_t end) {
  rung_qgemm gemm = {0};
  integer_weights_operand(weights, &gemm);
  rung_qgemm_pack(&gemm, weights->q, begin, end);
}

/* By the scales in force. */
static void make_channels(integer_weights *weights, const float *shadow, int64_t begin, int64_t end,
                          integer_weights_of of) {
  oscillation *seen = weights->oscillation;
  weight_grid_codes(&weights->grid, shadow, begin, end, weights->scale, weights->threshold, weights->q);
  if (seen && of == WEIGHTS_OF_A_STEP)
    oscillation_step(seen, weights->q, begin, end);
  else if (seen)
    oscillation_hold(seen, weights->q, begin, end);
  sum_channels(weights, begin, end);
  pack_channels(weights, begin, end);
}

void integer_weights_quantize_channels(integer_weights *weights, const float *shadow, int64_t begin, int64_t end,
                                       integer_weights_of of) {
  weight_grid_scales(&weights->grid, shadow, begin, end, weights->scale, weights->threshold);
  make_channels(weights, shadow, begin, end, of);
}

/* One scale for all: member 0 makes it, the others wait. */
static void make_tensor_scale(integer_weights *weights, const float *shadow, const rung_replay *replay) {
  if (replay->ith == 0) weight_grid_scales(&weights->grid, shadow, 0, weights->out, weights->scale, weights->threshold);
  rung_team_barrier(replay->team);
}

void integer_weights_quantize(integer_weights *weights, const float *shadow, const rung_replay *replay,
                              integer_weights_of of) {
  int64_t begin, end;
  my_channels(weights, replay, &begin, &end);
  if (weights->granularity != RUNG_PER_TENSOR) {
    integer_weights_quantize_channels(weights, shadow, begin, end, of);
    return;
  }
  make_tensor_scale(weights, shadow, replay);
  make_channels(weights, shadow, begin, end, of);
}

rung_status integer_weights_watch(integer_weights *weights, rung_node *node, const rung_oscillation_options *now) {
  if (weights->oscillation) return RUNG_OK;
  oscillation shape = {.now = now,
                       .out = weights->out,
                       .in = weights->in,
                       .group = weights->group ? weights->group : weights->in,
                       .groups = weights->groups,
                       .binary = weights->format.bits == 1};
  rung_format_range(&weights->format, &shape.qmin, &shape.qmax);
  weights->oscillation = oscillation_new(node, &shape, weights->q);
  return weights->oscillation ? RUNG_OK : RUNG_ERROR_MEMORY;
}

void integer_weights_merge(integer_weights *to, const integer_weights *from, const float *gain, int64_t begin,
                           int64_t end) {
  for (int64_t j = begin; j < end; j++) {
    const int8_t sign = gain[j] < 0 ? -1 : 1;
    const float magnitude = fabsf(gain[j]);
    for (int64_t k = j * to->in; k < (j + 1) * to->in; k++) to->q[k] = (int8_t)(sign * from->q[k]);
    for (int64_t g = 0; g < to->groups; g++) {
      const float scale = from->scale[j * from->groups + g] * magnitude;
      to->scale[j * to->groups + g] = scale >= FLT_MIN ? scale : FLT_MIN;
    }
  }
  sum_channels(to, begin, end);
  pack_channels(to, begin, end);
}

/* To -limit .. limit; NaN, from weights that diverged, to the limit. */
static double clamp(double x, double limit) {
  return x < -limit ? -limit : x < limit ? x : limit;
}

/* A multiplier out of range is held at the limit here; freezing refuses such a layer by name. */
static void multiplier_or_limit(double m, int32_t *multiplier, int32_t *shift) {
  if (m >= 0x1p30) m = 0x1.fffffp29;
  if (rung_multiplier_from_real(m, multiplier, shift) != RUNG_OK) *multiplier = 0, *shift = 1;
}

/* A channel of zeros has any scale; one at which its bias takes 24 bits keeps the bias. */
static void rescale_zeros(integer_weights *weights, int64_t j, float bias, const integer_scales *scales) {
  float fitting = fabsf(bias) / scales->input * 0x1p-24f;
  weights->scale[j] = fitting >= 0x1p-126f && fitting <= 0x1p100f ? fitting : 1;
}

static void scale_channel(integer_weights *weights, int64_t j, float bias, const integer_scales *scales) {
  if (weights->granularity == RUNG_PER_CHANNEL && weights->magnitude[j] == 0) rescale_zeros(weights, j, bias, scales);
  double scale = (double)scales->input * weights->scale[j];
  double folded = rint(bias / scale) - (double)scales->input_zero_point * weights->sum[j]; /* eq. 11, 12 */
  weights->bias[j] = (int32_t)clamp(folded, 0x1p30);
  multiplier_or_limit(scale / scales->output, &weights->multiplier[j], &weights->shift[j]);
}

/* Groups share the channel's shift, which the largest of their scales sets (those of which nothing comes have no say),
 * or, where it is large beside them, the bias, which enters at the sum's precision. */
static void scale_grouped_channel(integer_weights *weights, int64_t j, float bias, const integer_scales *scales) {
  int64_t groups = weights->groups;
  const float *scale = weights->scale + j * groups;
  float largest = 0;
  for (int64_t g = 0; g < groups; g++)
    if (weights->magnitude[j * groups + g] && scale[g] > largest) largest = scale[g];
  if ((double)scales->input * largest / scales->output < 0x1p-32) largest = scales->output / scales->input;
  const double offset = fabs((double)bias / scales->output);
  int32_t unused;
  multiplier_or_limit((double)scales->input * largest / scales->output, &unused, &weights->shift[j]);
  while (weights->shift[j] > 1 && ldexp(offset, weights->shift[j]) > 0x1p60) weights->shift[j]--;
  for (int64_t g = 0; g < groups; g++) {
    double m = ldexp((double)scales->input * scale[g] / scales->output, weights->shift[j]);
    weights->multiplier[j * groups + g] = (int32_t)clamp(rint(m), 0x1.fffffffcp30);
    weights->bias[j * groups + g] = -scales->input_zero_point * weights->sum[j * groups + g];
  }
  weights->bias64[j] = (int64_t)clamp(rint(ldexp((double)bias / scales->output, weights->shift[j])), 0x1p60);
}

void integer_weights_scale(integer_weights *weights, const float *bias, const integer_scales *scales,
                           const rung_replay *replay) {
  int64_t begin, end;
  my_channels(weights, replay, &begin, &end);
  for (int64_t j = begin; j < end; j++) {
    if (weights->group)
      scale_grouped_channel(weights, j, bias ? bias[j] : 0, scales);
    else
      scale_channel(weights, j, bias ? bias[j] : 0, scales);
  }
}

/* eq. 10: up to 8 fraction bits below the coarsest channel's accumulator step, as many as the largest accumulator that
 * the weights allow leaves free in an int32. */
float integer_weights_logit_scale(const integer_weights *weights, float input_scale, int32_t input_magnitude) {
  float largest = 0;
  int64_t bound = 1;
  for (int64_t j = 0; j < weights->out; j++) {
    int64_t magnitude = 0;
    for (int64_t i = j * weights->groups; i < (j + 1) * weights->groups; i++) {
      magnitude += weights->magnitude[i];
      if (weights->magnitude[i] && weights->scale[i] > largest) largest = weights->scale[i];
    }
    magnitude *= input_magnitude;
    bound = magnitude > bound ? magnitude : bound;
  }
  if (largest <= FLT_MIN) largest = 1; /* all are zeros, or nothing comes of them */
  int bits = 0;
  while (bits < 8 && bound << (bits + 1) < (int64_t)1 << 30) bits++;
  return ldexpf(input_scale * largest, -bits);
}

void integer_weights_operand(const integer_weights *weights, rung_qgemm *gemm) {
  gemm->n = weights->out;
  gemm->k = weights->in;
  gemm->group = weights->group;
  gemm->packed = weights->packed;
  gemm->bias = weights->bias;
  gemm->bias64 = weights->group ? weights->bias64 : NULL;
  gemm->multiplier = weights->multiplier;
  gemm->shift = weights->shift;
}

void integer_weights_view(const integer_weights *weights, rung_integer_layer *layer) {
  layer->in = weights->in;
  layer->out = weights->out;
  layer->group = weights->group;
  layer->groups = weights->groups;
  layer->weight_format = weight_grid_code_format(&weights->grid);
  layer->weight = weights->q;
  layer->weight_scale = weights->scale;
  layer->bias = weights->bias;
  layer->bias64 = weights->group ? weights->bias64 : NULL;
  layer->multiplier = weights->multiplier;
  layer->shift = weights->shift;
}

rung_matrix integer_weights_matrix(const integer_weights *weights) {
  return (rung_matrix){.data = weights->q,
                       .type = RUNG_I8,
                       .stride = weights->in,
                       .scale = weights->scale,
                       .scale_stride = weights->groups,
                       .group = weights->group};
}
