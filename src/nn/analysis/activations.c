/* Activations beside the integers that their quantizer makes of them. */
#include "analysis.h"

#include <math.h>

enum { BINS = 64 }; /* at most, of a histogram */

rung_status activation_open(activation_watch *watch) {
  const rung_observer_options how = {.kind = RUNG_OBSERVER_PERCENTILE}; /* one of those that keep a histogram */
  watch->observer = rung_observer_new(&how, &watch->quantizer->format);
  return watch->observer ? RUNG_OK : rung_error_status();
}

void activation_close(activation_watch *watch) {
  rung_observer_free(watch->observer);
}

static grid grid_of(const rung_quantizer *quantizer) {
  return (grid){quantizer->scale, quantizer->zero_point, quantizer->qmin, quantizer->qmax};
}

/* eq. 2; of one bit the sign. */
static int32_t quantize(const grid *on, int bits, float inverse, float x) {
  if (bits == 1) return x < 0 ? on->qmin : on->qmax;
  const float q = rintf(x * inverse) + (float)on->zero_point;
  return (int32_t)fminf(fmaxf(q, (float)on->qmin), (float)on->qmax);
}

/* Elements begin .. begin+n-1 as reals; of integers, which an input may be, in `buffer`. */
static const float *reals(const rung_tensor *value, int64_t begin, int64_t n, float *buffer) {
  const rung_kernels *kernels = rung_kernels_active();
  if (value->type == RUNG_F32) return (const float *)value->data + begin;
  if (value->type == RUNG_U8)
    kernels->dequantize_u8(buffer, (const uint8_t *)value->data + begin, n, value->scale, value->zero_point);
  else
    kernels->dequantize_i8(buffer, (const int8_t *)value->data + begin, n, value->scale, value->zero_point);
  return buffer;
}

rung_status activation_add(activation_watch *watch) {
  enum { CHUNK = 1024 };
  const rung_tensor *value = &watch->node->value;
  const grid on = grid_of(watch->quantizer);
  const float inverse = 1 / on.scale;
  const int64_t count = rung_tensor_count(value);
  float buffer[CHUNK];
  for (int64_t begin = 0, n; begin < count; begin += n) {
    n = count - begin < CHUNK ? count - begin : CHUNK;
    const float *x = reals(value, begin, n, buffer);
    rung_status status = rung_observer_observe(watch->observer, x, n);
    if (status != RUNG_OK) return rung_fail(status, "%s: %s", watch->node->name, rung_error());
    for (int64_t i = 0; i < n; i++)
      tally_add(&watch->tally, &on, x[i], quantize(&on, watch->quantizer->format.bits, inverse, x[i]));
  }
  return RUNG_OK;
}

/* The observer's bins, so many merged that few are left. Zeros, which it counts apart, lie in the bin that begins with
 * 0. */
static rung_status make_histogram(rung_arena *arena, const rung_observer_state *state, rung_histogram *to) {
  const double width = ldexp(1, state->exponent);
  const int32_t last = (int32_t)floor((double)state->high / width);
  int32_t each = 1;
  while ((last - state->first) / each + 2 > BINS) each *= 2;
  const int32_t first = (int32_t)floor((double)state->first / each); /* in bins of the new width */
  double *count = rung_arena_array(arena, BINS, sizeof *count);
  if (!count) return RUNG_ERROR_MEMORY;
  for (int32_t i = 0; i <= last - state->first; i++)
    count[(int32_t)floor((double)(state->first + i) / each) - first] += state->count[i];
  count[-first] += state->zeros;
  *to = (rung_histogram){.bins = (int32_t)floor((double)last / each) - first + 1,
                         .first = (float)(first * each * width),
                         .width = (float)(each * width),
                         .count = count};
  return RUNG_OK;
}

rung_status activation_settle(rung_arena *arena, const activation_watch *watch, rung_values_analysis *to) {
  const grid on = grid_of(watch->quantizer);
  rung_observer_state *state = rung_arena_array(arena, 1, sizeof *state);
  if (!state) return RUNG_ERROR_MEMORY;
  rung_observer_get_state(watch->observer, state);
  to->format = watch->quantizer->format;
  to->least = state->min;
  to->most = state->max;
  to->clip_least = on.scale * (float)(on.qmin - on.zero_point);
  to->clip_most = on.scale * (float)(on.qmax - on.zero_point);
  analysis_settle(&watch->tally, to);
  return make_histogram(arena, state, &to->before);
}
