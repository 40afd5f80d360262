/* fake_quantize: an activation x on its quantization grid, still as f32 (eq. 6).
 *
 * forward   y[i] = s (clamp(k[i], qmin, qmax) - z),  k[i] = rne(x[i] (1/s)) + z;  1 bit: x[i] >= 0 ? s : -s
 * backward  dx[i] += qmin <= k[i] <= qmax ? dy[i] : 0;  1 bit: |x[i]| <= s ? dy[i] : 0
 *
 * A quantizer that is off lets everything through.
 *
 * fake_quantize_weight: a weight w [rows, ...] on the grid of its own present values, one scale s a row, tensor or
 * group.
 *
 * forward   y[i] = s clamp(rne(w[i] (1/s)), -qmax, qmax),  s = max|w| / qmax;  binary: s sign(w[i]), s = mean|w|
 * backward  dw[i] += dy[i], as no weight lies outside;  binary: |w[i]| <= 1 ? dy[i] : 0 */
#include "../qparams.h"
#include "observing.h"

#include <math.h>
#include <string.h>

/* ---- Activations ------------------------------------------------------------------------------------------------ */

static rung_status infer(rung_node *node) {
  rung_status status = observing_check(node);
  if (status != RUNG_OK) return status;
  node->value.type = RUNG_F32;
  node->value.shape = node->input[0]->value.shape;
  if (!rung_node_wants_gradient(node->input[0])) return RUNG_OK;
  int64_t count = rung_tensor_count(&node->value);
  node->state = rung_node_allocate(node, (size_t)(count + 7) / 8, 1); /* the mask, a bit an element */
  return node->state ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static void forward(rung_node *node, const rung_replay *replay) {
  const rung_quantizer *quantizer = ((const observing *)node->attributes)->quantizer;
  const rung_kernels *kernels = rung_kernels_active();
  (void)observing_forward(node, replay);
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  const float *x = (const float *)node->input[0]->value.data + begin;
  float *y = (float *)node->value.data + begin;
  uint8_t *mask = replay->backward && node->state ? (uint8_t *)node->state + begin / 8 : NULL;
  if (quantizer->state == RUNG_QUANTIZER_OFF) {
    kernels->scale_add(y, x, 1, end - begin, false);
    if (mask) memset(mask, 0xFF, (size_t)(end - begin + 7) / 8);
    return;
  }
  if (quantizer->format.bits == 1) {
    binary_fake_quantize(y, mask, x, end - begin, quantizer->scale);
    return;
  }
  kernels->fake_quantize(y, mask, x, end - begin, quantizer->scale, 1 / quantizer->scale, quantizer->zero_point,
                         quantizer->qmin, quantizer->qmax);
}

static void backward(rung_node *node, const rung_replay *replay) {
  rung_node *x = node->input[0];
  if (!rung_node_wants_gradient(x)) return;
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  rung_kernels_active()->mask_apply((float *)x->gradient.data + begin, (const float *)node->gradient.data + begin,
                                    (const uint8_t *)node->state + begin / 8, end - begin, node->accumulate[0]);
}

static const rung_op fake_quantize_op = {.name = "fake_quantize",
                                         .input_count = 1,
                                         .infer = infer,
                                         .forward = forward,
                                         .backward = backward,
                                         .settle = observing_settle,
                                         .elementwise = true};

rung_node *rung_fake_quantize(rung_node *x, rung_quantizer *quantizer, rung_ranges ranges) {
  const observing attributes = {quantizer, ranges};
  return rung_record(&fake_quantize_op, &x, &attributes, sizeof attributes);
}

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

typedef struct weight_attributes {
  rung_format format;
  rung_granularity granularity;
  int64_t group;
} weight_attributes;

static rung_status infer_weight(rung_node *node) {
  const weight_attributes *attributes = node->attributes;
  const rung_tensor *weight = &node->input[0]->value;
  rung_status status = rung_format_check(&attributes->format, "weight_bits");
  if (status != RUNG_OK) return status;
  if (!attributes->format.symmetric)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: the format is affine, expected symmetric", node->name);
  if (weight->type != RUNG_F32 || weight->shape.rank < 1)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: '%s' is %s of rank %d, expected f32 of rank 1 or more", node->name,
                     node->input[0]->name, rung_dtype_name(weight->type), weight->shape.rank);
  if (attributes->granularity == RUNG_PER_GROUP && attributes->group < 1)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: group %lld, expected 1 or more", node->name,
                     (long long)attributes->group);
  node->value.type = RUNG_F32;
  node->value.shape = weight->shape;
  return RUNG_OK;
}

static void simulate(const rung_format *format, float *y, const float *w, int64_t n, float scale) {
  if (format->bits == 1) {
    for (int64_t i = 0; i < n; i++) y[i] = w[i] >= 0 ? scale : -scale;
    return;
  }
  int32_t qmin, qmax;
  rung_format_range(format, &qmin, &qmax);
  rung_kernels_active()->fake_quantize(y, NULL, w, n, scale, 1 / scale, 0, qmin, qmax);
}

/* This member's rows, as elements begin .. end-1. */
static void my_rows(const rung_node *node, const rung_replay *replay, int64_t *begin, int64_t *end) {
  int64_t rows = node->value.shape.extent[0], columns = rung_tensor_count(&node->value) / rows;
  rung_slice(rows, 1, replay->ith, replay->nth, begin, end);
  *begin *= columns;
  *end *= columns;
}

/* Per tensor every member finds the one scale for itself, which costs less than waiting for another. */
static void forward_weight(rung_node *node, const rung_replay *replay) {
  const weight_attributes *attributes = node->attributes;
  const rung_format *format = &attributes->format;
  const float *w = node->input[0]->value.data;
  float *y = node->value.data;
  int64_t begin, end, count = rung_tensor_count(&node->value), columns = count / node->value.shape.extent[0];
  my_rows(node, replay, &begin, &end);
  if (attributes->granularity == RUNG_PER_TENSOR) {
    simulate(format, y + begin, w + begin, end - begin, qparams_weight_scale(format, w, count));
    return;
  }
  int64_t width = attributes->granularity == RUNG_PER_GROUP ? attributes->group : columns;
  for (int64_t row = begin; row < end; row += columns)
    for (int64_t column = 0; column < columns; column += width) {
      int64_t at = row + column, n = columns - column < width ? columns - column : width;
      simulate(format, y + at, w + at, n, qparams_weight_scale(format, w + at, n));
    }
}

static void backward_weight(rung_node *node, const rung_replay *replay) {
  rung_node *weight = node->input[0];
  if (!rung_node_wants_gradient(weight)) return;
  const float *w = weight->value.data, *dy = node->gradient.data;
  float *dw = weight->gradient.data;
  int64_t begin, end;
  my_rows(node, replay, &begin, &end);
  if (((const weight_attributes *)node->attributes)->format.bits > 1) {
    rung_kernels_active()->scale_add(dw + begin, dy + begin, 1, end - begin, node->accumulate[0]);
    return;
  }
  for (int64_t i = begin; i < end; i++) {
    float passed = fabsf(w[i]) <= 1 ? dy[i] : 0;
    dw[i] = node->accumulate[0] ? dw[i] + passed : passed;
  }
}

static const rung_op fake_quantize_weight_op = {.name = "fake_quantize_weight",
                                                .input_count = 1,
                                                .infer = infer_weight,
                                                .forward = forward_weight,
                                                .backward = backward_weight};

rung_node *rung_fake_quantize_weight(rung_node *weight, const rung_format *format, rung_granularity granularity,
                                     int64_t group) {
  const weight_attributes attributes = {*format, granularity, group};
  return rung_record(&fake_quantize_weight_op, &weight, &attributes, sizeof attributes);
}
