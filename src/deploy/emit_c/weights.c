/* Each layer's arrays, in the order in which the emitted loops read them. */
#include "emit.h"

static int64_t units_along(int64_t count, int unit) {
  return (count + unit - 1) / unit;
}

int64_t emit_unit_count(const emit_layer *layer) {
  const rung_integer_layer *integers = &layer->instruction->integers;
  return units_along(integers->out, EMIT_CHANNELS) * units_along(integers->in, layer->format.form->inputs);
}

int64_t emit_weight_bytes(const emit_layer *layer) {
  return emit_unit_count(layer) * EMIT_CHANNELS * layer->format.form->inputs * layer->format.form->width / 8;
}

/* Weight of channel c and input k of a unit; 0 where it is filled up. */
static int weight_at(const emit_layer *from, int64_t unit, int64_t c, int64_t k) {
  const rung_integer_layer *layer = &from->instruction->integers;
  const int inputs = from->format.form->inputs;
  int64_t row = units_along(layer->in, inputs);
  int64_t channel = unit / row * EMIT_CHANNELS + c, input = unit % row * inputs + k;
  return channel < layer->out && input < layer->in ? layer->weight[channel * layer->in + input] : 0;
}

static int64_t int8_value(const void *context, int64_t index) {
  return weight_at(context, index / 16, index % 16 / 4, index % 4);
}

/* The unsigned code of a weight; of one that is filled up any will do, since its input is 0. */
static unsigned code_of(int weight, int width) {
  if (width == 1) return weight > 0;
  return (unsigned)(weight + (1 << (width - 1)));
}

/* A byte of packed codes. A unit's codes lie in words of two halves (of 16 bits; at one bit, of 8), so that a shift and
 * a mask give inputs 0 and 2, or 1 and 3, of a channel as a pair: pair 2 c + k % 2 of the unit, input k in half k / 2.
 */
static int64_t packed_value(const void *context, int64_t index) {
  const emit_layer *layer = context;
  const int width = layer->format.form->width, half = width == 1 ? 8 : 16, unit_bytes = 2 * width;
  const int first = (int)(index % unit_bytes) * 8; /* bit of the unit */
  unsigned byte = 0;
  for (int bit = first; bit < first + 8; bit += width) {
    int pair = bit / (2 * half) * (half / width) + bit % half / width;
    int c = pair / 2, k = pair % 2 + bit / half % 2 * 2;
    byte |= code_of(weight_at(layer, index / unit_bytes, c, k), width) << (bit - first);
  }
  return byte;
}

/* A word of a plane: of a unit the 4 channels' signs, then, where there are two planes, which are not 0. */
static int64_t plane_value(const void *context, int64_t index) {
  const emit_layer *layer = context;
  const int words = EMIT_CHANNELS * layer->format.form->width, at = (int)(index % words);
  uint32_t word = 0;
  for (int k = 0; k < 32; k++) {
    const int w = weight_at(layer, index / words, at % EMIT_CHANNELS, k);
    word |= (uint32_t)(at < EMIT_CHANNELS ? w > 0 : w != 0) << k;
  }
  return word;
}

static int64_t int32_value(const void *context, int64_t index) {
  return ((const int32_t *)context)[index];
}

/* eq. 9's bias64 of a channel, and with it what the groups' constants, -z_x sum q_w, add whatever the input. */
static int64_t bias64_value(const void *context, int64_t index) {
  const rung_integer_layer *layer = context;
  int64_t sum = layer->bias64[index];
  for (int64_t i = index * layer->groups; i < (index + 1) * layer->groups; i++)
    sum += (int64_t)layer->bias[i] * layer->multiplier[i];
  return sum;
}

/* The least sum that gives the step's upper output (eq. 72), within what a sum can be. */
static int64_t threshold_value(const void *context, int64_t index) {
  const emit_layer *from = context;
  const rung_integer_layer *layer = &from->instruction->integers;
  const int64_t j = index / from->steps, multiplier = layer->multiplier[j], half = (int64_t)1 << (layer->shift[j] - 1);
  int64_t above = bias64_value(layer, j); /* the sum M is to be -above or more */
  if (from->steps == 2) above += index % 2 ? -half : half;
  if (multiplier == 0) return above < 0 ? INT32_MAX : INT32_MIN;
  const int64_t threshold = above > 0 ? -(above / multiplier) : -above / multiplier + (-above % multiplier != 0);
  if (threshold > INT32_MAX) return INT32_MAX;
  return threshold < INT32_MIN ? INT32_MIN : threshold;
}

static int64_t shift_value(const void *context, int64_t index) {
  return ((const int32_t *)context)[index] - 1;
}

static void open_array(text *to, const char *type, const emit_layer *layer, const char *what, int64_t count) {
  text_print(to, "static const %s %s_%s[%lld] = {\n", type, layer->id, what, (long long)count);
}

static void emit_layer_weights(text *to, const emit_layer *layer) {
  int64_t bytes = emit_weight_bytes(layer);
  if (layer->format.form->planes) {
    open_array(to, "uint32_t", layer, "weight", bytes / 4);
    text_rows(to, bytes / 4, 8, 8, true, plane_value, layer);
  } else if (layer->format.form->width == 8) {
    open_array(to, "int8_t", layer, "weight", bytes);
    text_rows(to, bytes, 16, 4, false, int8_value, layer);
  } else {
    open_array(to, "uint8_t", layer, "weight", bytes);
    text_rows(to, bytes, 16, 2, true, packed_value, layer);
  }
  text_print(to, "};\n");
}

static void emit_epilogue(text *to, const emit_layer *layer) {
  const rung_integer_layer *integers = &layer->instruction->integers;
  int64_t scales = integers->out * integers->groups;
  if (layer->steps) {
    const int64_t thresholds = integers->out * layer->steps;
    open_array(to, "int32_t", layer, "threshold", thresholds);
    text_rows(to, thresholds, 8, 11, false, threshold_value, layer);
    text_print(to, "};\n");
    return;
  }
  if (integers->group) {
    open_array(to, "int64_t", layer, "bias64", integers->out);
    text_rows(to, integers->out, 4, 20, false, bias64_value, integers);
  } else {
    open_array(to, "int32_t", layer, "bias", integers->out);
    text_rows(to, integers->out, 8, 11, false, int32_value, integers->bias);
  }
  text_print(to, "};\n");
  open_array(to, "int32_t", layer, "multiplier", scales);
  text_rows(to, scales, 8, 11, false, int32_value, integers->multiplier);
  text_print(to, "};\n");
  open_array(to, "uint8_t", layer, "shift", integers->out);
  text_rows(to, integers->out, 16, 3, false, shift_value, integers->shift);
  text_print(to, "};\n");
}

/* "per channel", as far as the numbers tell. */
static const char *granularity(const rung_integer_layer *layer) {
  if (layer->group) return "per group";
  for (int64_t j = 1; j < layer->out; j++)
    if (layer->weight_scale[j] != layer->weight_scale[0]) return "per channel";
  return layer->out > 1 ? "per tensor" : "per channel";
}

static void emit_scale_range(text *to, const rung_integer_layer *layer) {
  float least = layer->weight_scale[0], most = least;
  for (int64_t i = 1; i < layer->out * layer->groups; i++) {
    if (layer->weight_scale[i] < least) least = layer->weight_scale[i];
    if (layer->weight_scale[i] > most) most = layer->weight_scale[i];
  }
  text_real(to, least);
  if (least == most) return;
  text_print(to, " to ");
  text_real(to, most);
}

static void emit_comment(text *to, const emit_layer *layer) {
  const rung_integer_layer *integers = &layer->instruction->integers;
  const bool logits = integers->output_type == RUNG_I32;
  text_print(to, "/* ---- %s: linear, %lld -> %lld\n *\n", layer->id, (long long)integers->in,
             (long long)integers->out);
  text_print(to, " * weights  %d bits, scale s_w %s", integers->weight_format.bits, granularity(integers));
  if (integers->group) text_print(to, " of %lld inputs", (long long)integers->group);
  text_print(to, ": ");
  emit_scale_range(to, integers);
  text_print(to, "\n * product  %s: %s\n * input    scale s_x ", layer->format.form->name, layer->format.form->says);
  text_real(to, integers->input_scale);
  text_print(to, ", zero point z_x %d\n * sum      at most %lld: %d bits (eq. %s)\n * output   scale s_y ",
             integers->input_zero_point, (long long)layer->instruction->bound, layer->instruction->bits,
             integers->group ? "9" : "11");
  text_real(to, integers->output_scale);
  if (logits)
    text_print(to, ": logits (eq. 10) */\n");
  else if (integers->binary)
    text_print(to, ": the sign, -1 or 1 (eq. 33%s) */\n", layer->steps ? ", 72" : "");
  else
    text_print(to, ", zero point z_y %d, clamped to %d .. %d (eq. 8%s) */\n", integers->output_zero_point,
               integers->qmin, integers->qmax, layer->steps ? ", 72" : "");
}

void emit_weights(text *to, const emission *at) {
  for (int i = 0; i < at->count; i++) {
    emit_comment(to, &at->layer[i]);
    emit_layer_weights(to, &at->layer[i]);
    emit_epilogue(to, &at->layer[i]);
    text_print(to, "\n");
  }
}
