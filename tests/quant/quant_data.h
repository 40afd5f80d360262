/* What the tests of quantization share: numbers, a plain quantizer to compare with, and an op that ends a graph. */
#ifndef TESTS_QUANT_DATA_H
#define TESTS_QUANT_DATA_H

#include "harness.h"
#include <rung/quant.h>

#include <float.h>
#include <math.h>
#include <stdio.h>

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Every format there is, but binary. */
static const rung_format formats[] = {
    {2, false, false}, {3, false, false}, {4, false, false}, {5, false, false}, {6, false, false}, {7, false, false},
    {8, false, false}, {2, true, false},  {3, true, false},  {4, true, false},  {5, true, false},  {6, true, false},
    {7, true, false},  {8, true, false},  {2, true, true},   {3, true, true},   {4, true, true},   {5, true, true},
    {6, true, true},   {7, true, true},   {8, true, true}};

static inline float *load_floats(const char *name, int64_t count) {
  char path[1024];
  snprintf(path, sizeof path, "%s/golden/%s", TEST_DATA, name);
  FILE *file = fopen(path, "rb");
  ck_assert_msg(file != NULL, "%s cannot be opened", path);
  float *values = malloc((size_t)count * sizeof *values);
  ck_assert_ptr_nonnull(values);
  ck_assert_uint_eq(fread(values, sizeof *values, (size_t)count, file), (size_t)count);
  fclose(file);
  return values;
}

/* eq. 2 as it is written. */
static inline int32_t plain_quantize(float x, float scale, int32_t zero_point, int32_t qmin, int32_t qmax) {
  float k = rintf(x * (1 / scale)) + (float)zero_point;
  return k < (float)qmin ? qmin : k > (float)qmax ? qmax : (int32_t)k;
}

/* The mean squared error of x [n] quantized with the range [rmin, rmax]. */
static inline double quantization_error(const rung_format *format, float rmin, float rmax, const float *x, int64_t n) {
  float scale;
  int32_t zero_point, qmin, qmax;
  ck_assert_int_eq(rung_qparams(format, rmin, rmax, &scale, &zero_point), RUNG_OK);
  rung_format_range(format, &qmin, &qmax);
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    double e = (double)x[i] - (double)scale * (plain_quantize(x[i], scale, zero_point, qmin, qmax) - zero_point);
    sum += e * e;
  }
  return sum / (double)n;
}

/* Distributions that activations have: normal, after a ReLU, with outliers, lopsided, uniform. */
enum { DISTRIBUTIONS = 6 };
static inline void fill(float *x, int64_t n, int distribution, uint64_t seed) {
  rung_rng rng = rung_rng_seed(seed);
  for (int64_t i = 0; i < n; i++) {
    float normal = rung_rng_normal(&rng), uniform = rung_rng_uniform(&rng);
    switch (distribution) {
    case 0: x[i] = normal; break;
    case 1: x[i] = fmaxf(normal, 0); break;
    case 2: x[i] = i % 200 == 7 ? 12 * normal : normal; break;
    case 3: x[i] = normal > 0 ? 3 * normal * normal : 0.4f * normal; break;
    case 4: x[i] = uniform - 0.2f; break;
    default: x[i] = -0.01f * fmaxf(normal + 1, 0);
    }
  }
}

/* weigh: the scalar sum_i g[i] (x[i] + second[i]), so that the gradient reaching both is g. `second` may be NULL. */
static inline rung_status infer_weigh(rung_node *node) {
  node->value.type = RUNG_F32;
  return RUNG_OK;
}

static inline void forward_weigh(rung_node *node, const rung_replay *replay) {
  const float *g = *(const float *const *)node->attributes;
  if (replay->ith != 0) return;
  float sum = 0;
  for (int k = 0; k < 2 && node->input[k]; k++) {
    const rung_tensor *x = &node->input[k]->value;
    sum += rung_kernels_active()->dot(x->data, g, rung_tensor_count(x));
  }
  *(float *)node->value.data = sum;
}

static inline void backward_weigh(rung_node *node, const rung_replay *replay) {
  const float *g = *(const float *const *)node->attributes;
  for (int k = 0; k < 2 && node->input[k]; k++) {
    int64_t begin, end;
    rung_slice(rung_tensor_count(&node->input[k]->value), 1, replay->ith, replay->nth, &begin, &end);
    rung_kernels_active()->scale_add((float *)node->input[k]->gradient.data + begin, g + begin,
                                     *(const float *)node->gradient.data, end - begin, node->accumulate[k]);
  }
}

static const rung_op weigh_op = {
    .name = "weigh", .input_count = 2, .infer = infer_weigh, .forward = forward_weigh, .backward = backward_weigh};

static inline rung_node *weigh(rung_node *x, rung_node *second, const float *g) {
  return rung_record(&weigh_op, (rung_node *[]){x, second}, &g, sizeof g);
}

static inline void replay_once(rung_graph *graph, int64_t count, bool training, bool backward) {
  rung_replay_options options = {.count = count, .training = training, .backward = backward};
  ck_assert_msg(rung_graph_replay(graph, &options) == RUNG_OK, "%s", rung_error());
}

#endif
