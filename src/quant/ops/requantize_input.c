/* requantize_input: 8-bit integers x, an input of the graph, to others, mostly of fewer bits, with a scale s and a zero
 * point z that hold for all that x can be.
 *
 * forward   q[i] = table[x[i]],  table[k] = clamp(rne(r (1/s)) + z, qmin, qmax),  r = a s_x (k - z_x) + b
 *           with a and b of the rescaling, 1 and 0 where there is none;  1 bit: r >= 0 ? 1 : -1
 *
 * r is computed as the float graph computes it, dequantized first, so that both round the same numbers. */
#include "../qparams.h"
#include "quantized_ops.h"

typedef struct requantize_attributes {
  const rung_node *rescale;
  rung_quantizer *quantizer;
} requantize_attributes;

/* What the integers of bytes 0 .. 255 stand for. */
static void reals_of(const rung_tensor *integers, const rung_node *rescale, float r[256]) {
  uint8_t byte[256];
  for (int k = 0; k < 256; k++) byte[k] = (uint8_t)k;
  if (integers->type == RUNG_U8)
    rung_kernels_active()->dequantize_u8(r, byte, 256, integers->scale, integers->zero_point);
  else
    rung_kernels_active()->dequantize_i8(r, (const int8_t *)byte, 256, integers->scale, integers->zero_point);
  for (int k = 0; k < 256 && rescale; k++) r[k] = rung_rescale_scale(rescale) * r[k] + rung_rescale_offset(rescale);
}

rung_quantizer *requantize_input_grid(const rung_tensor *integers, const rung_node *rescale, int bits,
                                      const char *name) {
  float r[256], least, most, scale;
  int32_t zero_point;
  bool has_nan;
  reals_of(integers, rescale, r);
  rung_kernels_active()->min_max(r, 256, &least, &most, &has_nan);
  if (bits == 1 && least >= 0) { /* the sign of what is not negative says nothing */
    rung_fail(
        RUNG_ERROR_ARGUMENT,
        "quantize: '%s' has no negative values, whose sign an input of 1 bit is; rescale it, or give it more bits",
        name);
    return NULL;
  }
  const bool is_signed = least < 0;
  const rung_format format = {.bits = bits, .is_signed = is_signed, .symmetric = is_signed};
  rung_quantizer *quantizer = rung_quantizer_new(name, &format, NULL);
  if (!quantizer) return NULL;
  rung_status status = bits == 1 ? RUNG_OK : rung_qparams(&format, least, most, &scale, &zero_point);
  if (status == RUNG_OK && bits > 1) status = rung_quantizer_set(quantizer, scale, zero_point);
  quantizer->state = RUNG_QUANTIZER_FROZEN;
  if (status == RUNG_OK) return quantizer;
  rung_quantizer_free(quantizer);
  return NULL;
}

static rung_status infer(rung_node *node) {
  const requantize_attributes *attributes = node->attributes;
  const rung_tensor *x = &node->input[0]->value;
  if (x->type != RUNG_U8 && x->type != RUNG_I8)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: '%s' is %s, expected u8 or i8", node->name, node->input[0]->name,
                     rung_dtype_name(x->type));
  rung_input_table *table = node->state = rung_node_allocate(node, 1, sizeof *table);
  if (!table) return RUNG_ERROR_MEMORY;
  float r[256];
  *table = (rung_input_table){.type = x->type, .scale = x->scale, .zero_point = x->zero_point};
  reals_of(x, attributes->rescale, r);
  quantizer_codes(attributes->quantizer, table->q, r, 256);
  node->value.type = attributes->quantizer->format.is_signed ? RUNG_I8 : RUNG_U8;
  node->value.shape = x->shape;
  node->value.scale = attributes->quantizer->scale;
  node->value.zero_point = attributes->quantizer->zero_point;
  return RUNG_OK;
}

static void forward(rung_node *node, const rung_replay *replay) {
  const rung_input_table *table = node->state;
  const uint8_t *x = node->input[0]->value.data;
  uint8_t *q = node->value.data;
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  for (int64_t i = begin; i < end; i++) q[i] = table->q[x[i]];
}

static const rung_op requantize_input_op = {
    .name = "requantize_input", .input_count = 1, .infer = infer, .forward = forward, .reads_integers = true};

rung_node *rung_requantize_input(rung_node *input, const rung_node *rescale, rung_quantizer *quantizer) {
  const requantize_attributes attributes = {rescale, quantizer};
  return rung_record(&requantize_input_op, &input, &attributes, sizeof attributes);
}

const rung_quantizer *requantized_by(const rung_node *node) {
  return ((const requantize_attributes *)node->attributes)->quantizer;
}

const rung_input_table *rung_node_input_table(const rung_node *node) {
  return node->op == &requantize_input_op ? node->state : NULL;
}
