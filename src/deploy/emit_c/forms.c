/* The forms that a layer's product can have, and which one a layer takes. */
#include "emit.h"

/* Planes wherever a layer's weights and inputs are such: faster than bytes on every machine tried, and no larger but
 * for the inputs that are missing to 32 (docs/integer-program.md). */
static const emit_form forms[] = {
    {"x1_w1", 1, 1, 32, "in - 2 popcount(w ^ x) (eq. 70)"},
    {"x2_w1", 1, 2, 32, "popcount(x != 0) less twice where signs differ (eq. 71)"},
    {"x1_w2", 2, 1, 32, "popcount(w != 0) less twice where signs differ (eq. 71)"},
    {"x2_w2", 2, 2, 32, "popcount(w x != 0) less twice where signs differ (eq. 71)"},
    {"w1", 1, 0, 4, "of weights unpacked from 1 bit"},
    {"w2", 2, 0, 4, "of weights unpacked from 2 bits"},
    {"w4", 4, 0, 4, "of weights unpacked from 4 bits"},
    {"w8", 8, 0, 4, "of weights of a byte"},
};

/* Planes of bits that hold integers low .. high: of -1 and 1 one, of -1, 0 and 1 two, of others none do. */
static int planes_of(int low, int high, bool has_zero) {
  if (low < -1 || high > 1) return 0;
  return has_zero ? 2 : 1;
}

static int planes_of_weights(const rung_integer_layer *layer) {
  int low = 1, high = -1;
  bool has_zero = false;
  for (int64_t i = 0; i < layer->out * layer->in; i++) {
    low = layer->weight[i] < low ? layer->weight[i] : low;
    high = layer->weight[i] > high ? layer->weight[i] : high;
    has_zero = has_zero || layer->weight[i] == 0;
  }
  return planes_of(low, high, has_zero);
}

/* Bits in which weights of `bits` are stored. */
static int width_of(int bits, bool packed) {
  if (!packed || bits > 4) return 8;
  return bits == 3 ? 4 : bits;
}

/* Sums of codes, which have no sign, are larger than those of weights; none reaches 2^31 in a layer that passes. */
static bool codes_fit(const rung_integer_layer *layer, int width) {
  const int64_t length = layer->group && layer->group < layer->in ? layer->group : layer->in;
  return width == 8 || length <= INT32_MAX / (UINT8_MAX << width);
}

const emit_form *emit_form_of(const rung_integer_layer *layer, bool bits_packed) {
  const int of_inputs = planes_of(layer->input_qmin, layer->input_qmax, !layer->input_binary);
  const int of_weights = of_inputs && layer->groups == 1 ? planes_of_weights(layer) : 0;
  const int stored = width_of(layer->weight_format.bits, bits_packed), width = codes_fit(layer, stored) ? stored : 8;
  const emit_form *form = forms;
  if (of_weights)
    while (form->planes != of_inputs || form->width != of_weights) form++;
  else
    while (form->planes || form->width != width) form++;
  return form;
}
