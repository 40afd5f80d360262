/* What golden/make_ptq.py stored, as a layer. */
#ifndef TESTS_QUANT_PTQ_GOLDEN_H
#define TESTS_QUANT_PTQ_GOLDEN_H

#include "ptq_layer.h"
#include "quant_data.h"

#include "golden/ptq.h"

typedef struct ptq_golden {
  float *x, *weight, *x_float, *bias, *v;
  const float *gradients; /* [LENGTH(golden_adaround), OUT, IN] */
  int8_t *codes;          /* [LENGTH(golden_gptq), OUT, IN] */
  float scale[PTQ_OUT * PTQ_IN];
} ptq_golden;

static inline ptq_golden ptq_golden_load(void) {
  enum { WEIGHTS = PTQ_OUT * PTQ_IN, INPUTS = PTQ_N * PTQ_IN };
  const int64_t floats = 2 * INPUTS + PTQ_OUT + (2 + LENGTH(golden_adaround)) * WEIGHTS;
  float *values = load_floats("ptq.bin", floats + LENGTH(golden_gptq) * WEIGHTS / 4);
  ptq_golden g = {.x = values, .codes = (int8_t *)(values + floats)};
  g.weight = g.x + INPUTS;
  g.x_float = g.weight + WEIGHTS;
  g.bias = g.x_float + INPUTS;
  g.v = g.bias + PTQ_OUT;
  g.gradients = g.v + WEIGHTS;
  return g;
}

/* `group` as in golden/ptq.h. */
static inline rung_ptq_layer ptq_golden_layer(ptq_golden *g, int bits, int64_t group) {
  return (rung_ptq_layer){.name = "fc",
                          .in = PTQ_IN,
                          .out = PTQ_OUT,
                          .n = PTQ_N,
                          .weight = g->weight,
                          .bias = g->bias,
                          .scale = g->scale,
                          .x = g->x,
                          .x_float = g->x_float,
                          .format = {.bits = bits, .is_signed = true, .symmetric = true},
                          .granularity = group > 0    ? RUNG_PER_GROUP
                                         : group == 0 ? RUNG_PER_CHANNEL
                                                      : RUNG_PER_TENSOR,
                          .group = group};
}

/* The integers of a layer that lies on its grid, by eq. 2. */
static inline void ptq_codes(const rung_ptq_layer *layer, int8_t *codes) {
  int32_t qmin, qmax;
  rung_format_range(&layer->format, &qmin, &qmax);
  for (int64_t s = 0; s < rung_ptq_scale_count(layer); s++) {
    int64_t count;
    const float *w = rung_ptq_scaled_weights(layer, s, &count);
    rung_kernels_active()->quantize_i8(codes + (w - layer->weight), w, count, 1 / layer->scale[s], 0, qmin, qmax);
  }
}

#endif
