/* rescale: x of any shape, numbers a and b.
 *
 * forward   y[i] = a x[i] + b
 * backward  dx[i] += a dy[i] */
#include "unary.h"

#include <math.h>

typedef struct rescale_attributes {
  float scale, offset;
} rescale_attributes;

static rung_status infer(rung_node *node) {
  const rescale_attributes *by = node->attributes;
  if (!isfinite(by->scale) || !isfinite(by->offset))
    return rung_fail(RUNG_ERROR_ARGUMENT, "rescale: scale %g and offset %g, expected finite numbers", (double)by->scale,
                     (double)by->offset);
  return unary_infer(node);
}

static void forward(rung_node *node, const rung_replay *replay) {
  const rescale_attributes *by = node->attributes;
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  const float *x = op_value(node->input[0]);
  float *y = op_value(node);
  for (int64_t i = begin; i < end; i++) y[i] = by->scale * x[i] + by->offset;
}

static void backward(rung_node *node, const rung_replay *replay) {
  const rescale_attributes *by = node->attributes;
  if (!rung_node_wants_gradient(node->input[0])) return;
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  rung_kernels_active()->scale_add(op_gradient(node->input[0]) + begin, op_gradient(node) + begin, by->scale,
                                   end - begin, node->accumulate[0]);
}

const rung_op rung_op_rescale = {
    .name = "rescale", .input_count = 1, .infer = infer, .forward = forward, .backward = backward, .elementwise = true};

rung_node *rung_rescale(rung_node *x, float scale, float offset) {
  const rescale_attributes by = {scale, offset};
  return rung_record(&rung_op_rescale, &x, &by, sizeof by);
}

float rung_rescale_scale(const rung_node *node) {
  return ((const rescale_attributes *)node->attributes)->scale;
}

float rung_rescale_offset(const rung_node *node) {
  return ((const rescale_attributes *)node->attributes)->offset;
}
