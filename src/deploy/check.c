/* What a layer must satisfy before it may run: every number within its range, no sum that overflows whatever the input,
 * multipliers that are those of the scales. A layer from a model's training passes all but the bounds by construction;
 * one from a file passes them all or is refused. */
#include "program.h"

#include <math.h>

typedef struct check {
  const char *what;
  const program_layer *layer;
  const rung_integer_layer *integers;
} check;

static int64_t largest(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static bool is_scale(float s) {
  return s > 0 && isfinite(s);
}

static rung_status outside(const check *at, const char *name, int64_t value, int64_t low, int64_t high) {
  return rung_fail(RUNG_ERROR_NUMERIC, "%s: %s: %s is %lld, expected %lld..%lld", at->what, at->layer->parameter, name,
                   (long long)value, (long long)low, (long long)high);
}

/* Integers of a buffer: qmin <= qmax and the zero point within the type. */
static rung_status check_grid(const check *at, rung_dtype type, int32_t zero_point, int32_t qmin, int32_t qmax) {
  int64_t low = type == RUNG_I8 ? INT8_MIN : 0, high = type == RUNG_I8 ? INT8_MAX : UINT8_MAX;
  if (zero_point < low || zero_point > high) return outside(at, "a zero point", zero_point, low, high);
  if (qmin < low || qmin > high) return outside(at, "qmin", qmin, low, high);
  if (qmax < qmin || qmax > high) return outside(at, "qmax", qmax, qmin, high);
  return RUNG_OK;
}

static rung_status check_weights(const check *at) {
  const rung_integer_layer *integers = at->integers;
  int32_t qmin, qmax;
  rung_format_range(&integers->weight_format, &qmin, &qmax);
  for (int64_t i = 0; i < integers->out * integers->in; i++) {
    int8_t w = integers->weight[i];
    if (w < qmin || w > qmax) return outside(at, "a weight", w, qmin, qmax);
    if (integers->weight_format.bits == 1 && w == 0)
      return rung_fail(RUNG_ERROR_NUMERIC, "%s: %s: a weight is 0, expected -1 or 1", at->what, at->layer->parameter);
  }
  return RUNG_OK;
}

static rung_status check_ranges(const check *at) {
  const rung_integer_layer *integers = at->integers;
  bool scales = is_scale(integers->input_scale) && is_scale(integers->output_scale);
  for (int64_t i = 0; i < integers->out * integers->groups && scales; i++) scales = is_scale(integers->weight_scale[i]);
  if (!scales)
    return rung_fail(RUNG_ERROR_NUMERIC, "%s: %s: a scale is not a positive number", at->what, at->layer->parameter);
  for (int64_t j = 0; j < integers->out; j++)
    if (integers->shift[j] < 1 || integers->shift[j] > 62) return outside(at, "a shift", integers->shift[j], 1, 62);
  rung_status status =
      check_grid(at, integers->input_type, integers->input_zero_point, integers->input_qmin, integers->input_qmax);
  if (status == RUNG_OK && integers->output_type != RUNG_I32)
    status = check_grid(at, integers->output_type, integers->output_zero_point, integers->qmin, integers->qmax);
  if (status == RUNG_OK && integers->binary && (!integers->group || integers->output_type != RUNG_I8))
    return rung_fail(RUNG_ERROR_NUMERIC, "%s: %s: signs of a sum without groups or as %s, expected groups and i8",
                     at->what, at->layer->parameter, rung_dtype_name(integers->output_type));
  return status == RUNG_OK ? check_weights(at) : status;
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

static rung_status check_sums(const check *at) {
  const rung_integer_layer *integers = at->integers;
  int64_t bound = at->layer->instruction.bound;
  if (bound > INT32_MAX)
    return rung_fail(RUNG_ERROR_NUMERIC, "%s: %s: an accumulator could reach %lld, more than an int32 holds", at->what,
                     at->layer->parameter, (long long)bound);
  for (int64_t j = 0; j < integers->out && !integers->group; j++)
    if (integers->bias[j] >= 1 << 30 || integers->bias[j] <= -(1 << 30))
      return rung_fail(RUNG_ERROR_NUMERIC,
                       "%s: %s: the bias of output channel %lld is too large beside its weights for an int32", at->what,
                       at->layer->parameter, (long long)j);
  return RUNG_OK;
}

/* The multiplier and, without groups, the shift that eq. 7 or 9 makes of the scales. */
static rung_status check_multipliers(const check *at) {
  const rung_integer_layer *integers = at->integers;
  for (int64_t i = 0; i < integers->out * integers->groups; i++) {
    int64_t j = i / integers->groups;
    int32_t multiplier, shift;
    double m = (double)integers->input_scale * integers->weight_scale[i] / integers->output_scale;
    if (rung_multiplier_from_real(m, &multiplier, &shift) != RUNG_OK)
      return rung_fail(RUNG_ERROR_NUMERIC, "%s: %s: output channel %lld has effective scale %g, out of range", at->what,
                       at->layer->parameter, (long long)j, m);
    if (integers->group) {
      shift = integers->shift[j];
      multiplier = (int32_t)fmin(rint(ldexp(m, shift)), 0x1.fffffffcp30);
    }
    if (multiplier != integers->multiplier[i] || shift != integers->shift[j])
      return rung_fail(
          RUNG_ERROR_NUMERIC, "%s: %s: output channel %lld has multiplier %d and shift %d, its scales give %d and %d",
          at->what, at->layer->parameter, (long long)j, integers->multiplier[i], integers->shift[j], multiplier, shift);
  }
  if (integers->group && grouped_sum_share(integers, at->layer->instruction.bound) >= 1)
    return rung_fail(RUNG_ERROR_NUMERIC, "%s: %s: the sum over groups could exceed an int64", at->what,
                     at->layer->parameter);
  return RUNG_OK;
}

static int bits_of(int64_t magnitude) {
  int bits = 1;
  while (magnitude >= (int64_t)1 << (bits - 1)) bits++;
  return bits;
}

rung_status program_check_layer(program_layer *layer, const char *what) {
  const check at = {what, layer, &layer->instruction.integers};
  rung_status status = check_ranges(&at);
  if (status != RUNG_OK) return status;
  layer->instruction.bound = accumulator_bound(at.integers);
  layer->instruction.bits = bits_of(layer->instruction.bound);
  status = check_sums(&at);
  return status == RUNG_OK ? check_multipliers(&at) : status;
}
