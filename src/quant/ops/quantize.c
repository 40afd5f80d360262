/* quantize: x f32 -> q in u8 or i8 with the quantizer's scale s and zero point z (eq. 2).
 *
 * forward   q[i] = clamp(k[i], qmin, qmax),  k[i] = rne(x[i] (1/s)) + z;  1 bit: x[i] >= 0 ? 1 : -1          eq. 33
 * backward  dx[i] += qmin <= k[i] <= qmax ? dy[i] : 0;  1 bit: |x[i]| <= s ? dy[i] : 0                         eq. 6
 *
 * dequantize: integers -> f32 (eq. 1).
 *
 * forward   y[i] = s (q[i] - z)
 * backward  dx[i] += dy[i]: the gradient of an integer tensor is that of the real numbers it stands for. */
#include "../qparams.h"
#include "on_grid.h"
#include "quantized_ops.h"

/* Values at a time for which the mask is made: what the kernel for it makes beside it is thrown away. */
#define MASK_BLOCK 1024

/* ---- quantize --------------------------------------------------------------------------------------------------- */

static void take_parameters(rung_node *node) {
  const rung_quantizer *quantizer = ((const observing *)node->attributes)->quantizer;
  node->value.scale = quantizer->scale;
  node->value.zero_point = quantizer->zero_point;
}

static rung_status infer_quantize(rung_node *node) {
  const rung_quantizer *quantizer = ((const observing *)node->attributes)->quantizer;
  rung_status status = on_grid_infer(node);
  if (status != RUNG_OK) return status;
  node->value.type = quantizer->format.is_signed ? RUNG_I8 : RUNG_U8;
  if (((const on_grid_state *)node->state)->mask) node->scratch_bytes = MASK_BLOCK * sizeof(float);
  return RUNG_OK;
}

static void prepare_quantize(rung_node *node, const rung_replay *replay) {
  on_grid_prepare(node, replay);
  take_parameters(node);
}

static void make_mask(const rung_quantizer *quantizer, uint8_t *mask, const float *x, int64_t n, float *scratch) {
  if (quantizer->format.bits == 1) {
    binary_fake_quantize(NULL, mask, x, n, quantizer->scale);
    return;
  }
  for (int64_t i = 0; i < n; i += MASK_BLOCK)
    rung_kernels_active()->fake_quantize(scratch, mask + i / 8, x + i, n - i < MASK_BLOCK ? n - i : MASK_BLOCK,
                                         quantizer->scale, 1 / quantizer->scale, quantizer->zero_point, quantizer->qmin,
                                         quantizer->qmax);
}

static void forward_quantize(rung_node *node, const rung_replay *replay) {
  const rung_quantizer *quantizer = ((const observing *)node->attributes)->quantizer;
  if (observing_forward(node, replay) && replay->ith == 0) take_parameters(node); /* readers wait for all of it */
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  const float *x = (const float *)node->input[0]->value.data + begin;
  const on_grid_state *state = node->state;
  quantizer_codes(quantizer, (uint8_t *)node->value.data + begin, x, end - begin);
  if (replay->backward && state->mask) make_mask(quantizer, state->mask + begin / 8, x, end - begin, replay->scratch);
}

const rung_op quantize_op = {.name = "quantize",
                             .input_count = 2,
                             .infer = infer_quantize,
                             .prepare = prepare_quantize,
                             .forward = forward_quantize,
                             .backward = on_grid_backward,
                             .backward_weights = on_grid_backward_weights,
                             .weights = 1 << parameter_input,
                             .settle = on_grid_settle};

rung_node *rung_quantize_node_with(rung_node *x, rung_node *parameter, rung_quantizer *quantizer, rung_ranges ranges) {
  if (!x) return NULL;
  const observing attributes = {quantizer, ranges};
  rung_node *inputs[] = {x, parameter};
  return rung_record(&quantize_op, inputs, &attributes, sizeof attributes);
}

rung_node *rung_quantize_node(rung_node *x, rung_quantizer *quantizer, rung_ranges ranges) {
  return rung_quantize_node_with(x, NULL, quantizer, ranges);
}

bool rung_node_is_quantize(const rung_node *node) {
  return node->op == &quantize_op;
}

/* ---- dequantize ------------------------------------------------------------------------------------------------- */

static rung_status infer_dequantize(rung_node *node) {
  node->value.type = RUNG_F32;
  node->value.shape = node->input[0]->value.shape;
  return RUNG_OK;
}

/* An input of the graph may turn out to be bound to f32: then there is nothing to convert. */
static void forward_dequantize(rung_node *node, const rung_replay *replay) {
  const rung_tensor *x = &node->input[0]->value;
  const rung_kernels *kernels = rung_kernels_active();
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  float *y = node->value.data;
  if (x->type == RUNG_U8) {
    kernels->dequantize_u8(y + begin, (const uint8_t *)x->data + begin, end - begin, x->scale, x->zero_point);
  } else if (x->type == RUNG_I8) {
    kernels->dequantize_i8(y + begin, (const int8_t *)x->data + begin, end - begin, x->scale, x->zero_point);
  } else if (x->type == RUNG_I32) {
    const int32_t *q = x->data;
    for (int64_t i = begin; i < end; i++) y[i] = x->scale * (float)(q[i] - x->zero_point);
  } else {
    kernels->scale_add(y + begin, (const float *)x->data + begin, 1, end - begin, false);
  }
}

static void backward_dequantize(rung_node *node, const rung_replay *replay) {
  rung_node *x = node->input[0];
  if (!rung_node_wants_gradient(x)) return;
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  rung_kernels_active()->scale_add((float *)x->gradient.data + begin, (const float *)node->gradient.data + begin, 1,
                                   end - begin, node->accumulate[0]);
}

static const rung_op dequantize_op = {.name = "dequantize",
                                      .input_count = 1,
                                      .infer = infer_dequantize,
                                      .forward = forward_dequantize,
                                      .backward = backward_dequantize,
                                      .elementwise = true,
                                      .reads_integers = true};

rung_node *rung_dequantize_node(rung_node *x) {
  return rung_record(&dequantize_op, &x, NULL, 0);
}
