/* dropout (Srivastava et al., 2014), in the inverted form, so that nothing is left to do outside training: x of any
 * shape, probability p of dropping an element.
 *
 * forward   y[i] = keep[i] ? x[i] / (1 - p) : 0;  not in training: x[i]
 * backward  dx[i] += keep[i] ? dy[i] / (1 - p) : 0;  not in training: dy[i]
 *
 * keep[i] = r[i] >= p 2^32, where r[i] is number i of a random stream that belongs to (graph, node, step): whichever
 * member asks gets the same number. */
#include "op.h"

static rung_status infer(rung_node *node) {
  const float probability = *(const float *)node->attributes;
  if (!(probability >= 0 && probability < 1))
    return rung_fail(RUNG_ERROR_ARGUMENT, "dropout: probability %g, expected 0 <= p < 1", (double)probability);
  node->value.type = RUNG_F32;
  node->value.shape = node->input[0]->value.shape;
  rung_status status = op_expect_f32(node, 0);
  if (status != RUNG_OK) return status;
  int64_t count;
  status = rung_shape_count(&node->value.shape, &count);
  if (status != RUNG_OK) return status;
  node->state = rung_node_allocate(node, (size_t)(count + 7) / 8, 1); /* keep, one bit an element */
  return node->state ? RUNG_OK : RUNG_ERROR_MEMORY;
}

/* `begin` is a multiple of 8, unless the slice is empty. */
static void draw(const rung_node *node, const rung_replay *replay, int64_t begin, int64_t end) {
  const rung_rng parent = rung_graph_rng(node->graph), of_node = rung_rng_split(&parent, (uint64_t)node->index);
  const rung_rng rng = rung_rng_split(&of_node, replay->step);
  const uint32_t limit = (uint32_t)((double)*(const float *)node->attributes * 0x1p32);
  uint8_t *keep = node->state;
  for (int64_t i = begin; i < end; i += 8) {
    uint32_t random[8];
    rung_rng_block(&rng, (uint64_t)(i / 4), random);
    rung_rng_block(&rng, (uint64_t)(i / 4 + 1), random + 4);
    unsigned bits = 0;
    for (int k = 0; k < 8; k++) bits |= (unsigned)(random[k] >= limit) << k;
    keep[i / 8] = (uint8_t)bits;
  }
}

/* y[i] = keep[i] ? x[i] / (1 - p) : 0 or, with `accumulate`, += that; both directions. */
static void apply(const rung_node *node, float *y, const float *x, int64_t begin, int64_t end, bool accumulate) {
  const rung_kernels *kernels = rung_kernels_active();
  const float gain = 1 / (1 - *(const float *)node->attributes);
  const uint8_t *keep = node->state;
  float scaled[512];
  for (int64_t at = begin, n; at < end; at += n) {
    n = end - at < 512 ? end - at : 512;
    kernels->scale_add(scaled, x + at, gain, n, false);
    kernels->mask_apply(y + at, scaled, keep + at / 8, n, accumulate);
  }
}

static void forward(rung_node *node, const rung_replay *replay) {
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  const float *x = op_value(node->input[0]);
  if (!replay->drops) {
    rung_kernels_active()->scale_add(op_value(node) + begin, x + begin, 1, end - begin, false);
    return;
  }
  draw(node, replay, begin, end);
  apply(node, op_value(node), x, begin, end, false);
}

static void backward(rung_node *node, const rung_replay *replay) {
  if (!rung_node_wants_gradient(node->input[0])) return;
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  const float *dy = op_gradient(node);
  float *dx = op_gradient(node->input[0]);
  if (replay->drops)
    apply(node, dx, dy, begin, end, node->accumulate[0]);
  else
    rung_kernels_active()->scale_add(dx + begin, dy + begin, 1, end - begin, node->accumulate[0]);
}

const rung_op rung_op_dropout = {
    .name = "dropout", .input_count = 1, .infer = infer, .forward = forward, .backward = backward, .elementwise = true};

rung_node *rung_dropout(rung_node *x, float probability) {
  return rung_record(&rung_op_dropout, &x, &probability, sizeof probability);
}

float rung_dropout_probability(const rung_node *node) {
  return *(const float *)node->attributes;
}
