/* A layer of random weights and inputs for the tests of PTQ methods. */
#ifndef TESTS_QUANT_PTQ_LAYER_H
#define TESTS_QUANT_PTQ_LAYER_H

#include <rung/quant/ptq.h>

#include <harness.h>
#include <math.h>

enum { LAYER_OUT = 12, LAYER_IN = 40, LAYER_N = 64, LAYER_GROUP = 16 };

typedef struct ptq_fixture {
  float weight[LAYER_OUT * LAYER_IN], bias[LAYER_OUT], scale[LAYER_OUT * LAYER_IN];
  float x[LAYER_N * LAYER_IN], original[LAYER_OUT * LAYER_IN];
  rung_ptq_layer layer;
} ptq_fixture;

/* Normal weights, inputs as behind a ReLU. */
static inline void ptq_fixture_fill(ptq_fixture *f, int bits, rung_granularity granularity, uint64_t seed) {
  rung_rng rng = rung_rng_seed(seed);
  for (int i = 0; i < LAYER_OUT * LAYER_IN; i++) f->weight[i] = f->original[i] = rung_rng_normal(&rng);
  for (int i = 0; i < LAYER_OUT; i++) f->bias[i] = rung_rng_normal(&rng);
  for (int i = 0; i < LAYER_N * LAYER_IN; i++) f->x[i] = fmaxf(rung_rng_normal(&rng), 0);
  f->layer = (rung_ptq_layer){.name = "fc",
                              .in = LAYER_IN,
                              .out = LAYER_OUT,
                              .n = LAYER_N,
                              .weight = f->weight,
                              .bias = f->bias,
                              .scale = f->scale,
                              .x = f->x,
                              .x_float = f->x,
                              .format = {.bits = bits, .is_signed = true, .symmetric = true},
                              .granularity = granularity,
                              .group = LAYER_GROUP,
                              .rng = rung_rng_seed(seed + 1)};
}

/* Whether every weight is a multiple of its scale, within the format, to the bit: what all rounding methods leave. */
static inline void ptq_ensure_on_grid(const rung_ptq_layer *layer) {
  int32_t qmin, qmax;
  rung_format_range(&layer->format, &qmin, &qmax);
  for (int64_t s = 0; s < rung_ptq_scale_count(layer); s++) {
    int64_t count;
    const float *w = rung_ptq_scaled_weights(layer, s, &count), scale = layer->scale[s];
    ENSURE(isnormal(scale) && scale > 0);
    for (int64_t i = 0; i < count; i++) {
      float q = rintf(w[i] * (1 / scale));
      ENSURE(q >= (float)qmin && q <= (float)qmax && scale * q == w[i] && (layer->format.bits > 1 || q != 0));
    }
  }
}

static inline double ptq_weight_error(const ptq_fixture *f) {
  double error = 0;
  for (int i = 0; i < LAYER_OUT * LAYER_IN; i++) {
    double e = (double)f->weight[i] - (double)f->original[i];
    error += e * e;
  }
  return error;
}

/* Inputs that go together, as a trained network's do: a few causes, seen through a ReLU. */
static inline void ptq_correlate(float *x, int64_t n, int64_t in, uint64_t seed) {
  enum { CAUSES = 6 };
  rung_rng rng = rung_rng_seed(99);
  float mixing[CAUSES * LAYER_IN], cause[CAUSES];
  for (int i = 0; i < CAUSES * LAYER_IN; i++) mixing[i] = rung_rng_normal(&rng);
  rng = rung_rng_seed(seed);
  for (int64_t i = 0; i < n; i++) {
    for (int c = 0; c < CAUSES; c++) cause[c] = rung_rng_normal(&rng);
    for (int64_t k = 0; k < in; k++) {
      float sum = 0.3f * rung_rng_normal(&rng);
      for (int c = 0; c < CAUSES; c++) sum += cause[c] * mixing[c * LAYER_IN + k];
      x[i * in + k] = fmaxf(sum, 0);
    }
  }
}

/* sum |x (w - original)^T|^2 */
static inline double ptq_output_error(const ptq_fixture *f, const float *x) {
  double error = 0;
  for (int i = 0; i < LAYER_N; i++)
    for (int j = 0; j < LAYER_OUT; j++) {
      double sum = 0;
      for (int k = 0; k < LAYER_IN; k++)
        sum +=
            (double)x[i * LAYER_IN + k] * ((double)f->weight[j * LAYER_IN + k] - (double)f->original[j * LAYER_IN + k]);
      error += sum * sum;
    }
  return error;
}

#endif
