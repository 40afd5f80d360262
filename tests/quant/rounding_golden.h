/* What golden/make_rounding.py stored, as a layer. */
#ifndef TESTS_QUANT_ROUNDING_GOLDEN_H
#define TESTS_QUANT_ROUNDING_GOLDEN_H

#include "ptq_layer.h"
#include "quant_data.h"

#include "golden/rounding.h"

typedef struct rounding_golden {
  float *x, *weight, *x_float, *bias, *v;
  const float *gradients; /* [LENGTH(golden_adaround), OUT, IN] */
  int8_t *codes;          /* [LENGTH(golden_gptq), OUT, IN] */
  float scale[GOLDEN_OUT * GOLDEN_IN];
} rounding_golden;

static inline rounding_golden rounding_golden_load(void) {
  enum { WEIGHTS = GOLDEN_OUT * GOLDEN_IN, INPUTS = GOLDEN_N * GOLDEN_IN };
  const int64_t floats = 2 * INPUTS + GOLDEN_OUT + (2 + LENGTH(golden_adaround)) * WEIGHTS;
  float *values = load_floats("rounding.bin", floats + LENGTH(golden_gptq) * WEIGHTS / 4);
  rounding_golden g = {.x = values, .codes = (int8_t *)(values + floats)};
  g.weight = g.x + INPUTS;
  g.x_float = g.weight + WEIGHTS;
  g.bias = g.x_float + INPUTS;
  g.v = g.bias + GOLDEN_OUT;
  g.gradients = g.v + WEIGHTS;
  return g;
}

/* `group` as in golden/rounding.h. */
static inline rung_ptq_layer rounding_golden_layer(rounding_golden *g, int bits, int64_t group) {
  return (rung_ptq_layer){.name = "fc",
                          .in = GOLDEN_IN,
                          .out = GOLDEN_OUT,
                          .n = GOLDEN_N,
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
