/* One output of an integer layer, computed anew from what the layer read: the judge where executions differ. */
#include "verify.h"

#include <math.h>
#include <stdlib.h>

typedef struct group_sum {
  int64_t sum;
  double magnitude;
} group_sum;

static group_sum sum_products(const rung_integer_layer *layer, const int32_t *x, const int8_t *w, int64_t from,
                              int64_t to) {
  group_sum made = {0};
  for (int64_t k = from; k < to; k++) {
    made.sum += (int64_t)x[k] * w[k];
    made.magnitude += fabs((double)w[k] * (x[k] - layer->input_zero_point));
  }
  return made;
}

static int32_t clamp_output(const rung_integer_layer *layer, int64_t r) {
  const bool logits = layer->output_type == RUNG_I32;
  int64_t low = logits ? INT32_MIN : layer->qmin - layer->output_zero_point;
  int64_t high = logits ? INT32_MAX : layer->qmax - layer->output_zero_point;
  int64_t clamped = r < low ? low : r > high ? high : r;
  return (int32_t)(logits ? clamped : clamped + layer->output_zero_point);
}

exact_value exact_output(const rung_integer_layer *layer, const int32_t *x, int64_t j) {
  const int64_t length = layer->group ? layer->group : layer->in;
  const int8_t *w = layer->weight + j * layer->in;
  exact_value value = {.shift = layer->shift[j]};
  int64_t numerator = layer->group ? layer->bias64[j] : 0;
  for (int64_t g = 0; g < layer->groups; g++) {
    int64_t from = g * length, to = from + length < layer->in ? from + length : layer->in, at = j * layer->groups + g;
    group_sum made = sum_products(layer, x, w, from, to);
    int64_t accumulator = made.sum + layer->bias[at];
    double unit = ldexp(layer->multiplier[at], -value.shift);
    numerator += accumulator * layer->multiplier[at];
    value.magnitude += made.magnitude * unit;
    if (layer->groups == 1) value.unit = unit;
    if (layer->group) continue;
    value.accumulator = accumulator;
    value.multiplier = layer->multiplier[at];
  }
  value.floor = numerator >> value.shift;
  value.fraction = ldexp((double)(numerator & (((int64_t)1 << value.shift) - 1)), -value.shift);
  value.expected = clamp_output(layer, (numerator + ((int64_t)1 << (value.shift - 1))) >> value.shift);
  return value;
}
