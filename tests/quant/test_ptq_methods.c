/* CLE, SmoothQuant and AWQ against implementations of others, numbers stored in golden/ptq.h. */
#include "quant_data.h"

#include "golden/ptq.h"
#include <rung/quant/ptq.h>

enum { OUT = 64, IN = 32, N = 64, FIRST_IN = 8 };

/* Two layers, the second of which reads the first through a ReLU. */
typedef struct pair {
  float first[IN * FIRST_IN], bias[IN], second[OUT * IN], x[N * IN], scale[OUT * 2];
  rung_ptq_layer layers[2];
} pair;

/* As make_ptq.py cuts them from quant_values.bin. */
static void fill_pair(pair *p, bool silent, int bits, int64_t group) {
  float *values = load_floats("quant_values.bin", 4096);
  memcpy(p->second, values, sizeof p->second);
  memcpy(p->first, values + 1024, sizeof p->first);
  memcpy(p->bias, values + 100, sizeof p->bias);
  for (int i = 0; i < N * IN; i++) p->x[i] = ldexpf(fmaxf(values[2048 + i], 0), i % IN % 8 - 3);
  for (int i = 0; silent && i < N; i++) p->x[i * IN + 5] = 0;
  free(values);
  p->layers[0] = (rung_ptq_layer){.name = "fc1",
                                  .in = FIRST_IN,
                                  .out = IN,
                                  .weight = p->first,
                                  .bias = p->bias,
                                  .scale = p->scale,
                                  .clamp = RUNG_CLAMP_RELU,
                                  .format = {bits, true, true}};
  p->layers[1] = (rung_ptq_layer){.name = "fc2",
                                  .in = IN,
                                  .out = OUT,
                                  .n = N,
                                  .weight = p->second,
                                  .scale = p->scale,
                                  .x = p->x,
                                  .x_float = p->x,
                                  .format = {bits, true, true},
                                  .granularity = group ? RUNG_PER_GROUP : RUNG_PER_CHANNEL,
                                  .group = group,
                                  .before = &p->layers[0]};
}

static bool near(double a, double b, double tolerance) {
  return fabs(a - b) <= tolerance * fabs(b);
}

/* Whether column j of the second was multiplied by s[j], and row j of the first and its bias divided, to `tolerance`.
 */
static void ensure_moved(const pair *now, const pair *before, const float *s, double tolerance) {
  for (int j = 0; j < IN; j++) {
    for (int i = 0; i < OUT; i++)
      ENSURE(near((double)now->second[i * IN + j], (double)before->second[i * IN + j] * (double)s[j], tolerance));
    for (int k = 0; k < FIRST_IN; k++)
      ENSURE(near((double)now->first[j * FIRST_IN + k], (double)before->first[j * FIRST_IN + k] / (double)s[j],
                  tolerance));
    ENSURE(near((double)now->bias[j], (double)before->bias[j] / (double)s[j], tolerance));
  }
}

static pair one, other;

START_TEST(smoothquant_scales_are_the_papers) {
  for (int a = 0; a < LENGTH(golden_alpha); a++) {
    fill_pair(&one, true, 8, 0), fill_pair(&other, true, 8, 0);
    ck_assert_int_eq(rung_ptq_smooth(&one.layers[1], &(rung_smooth_options){.alpha = golden_alpha[a]}), RUNG_OK);
    float s[IN];
    memcpy(s, golden_smooth + a * IN, sizeof s);
    s[5] = 1; /* always 0: the formula's 1e-5 would blow row 5 of the first up; it is left as it is */
    ensure_moved(&one, &other, s, 2e-6);
  }
  fill_pair(&one, true, 8, 0), fill_pair(&other, true, 8, 0);
  ck_assert_int_eq(rung_ptq_smooth(&one.layers[1], NULL), RUNG_OK); /* 0.5 */
  ck_assert(near((double)one.second[0], (double)other.second[0] * (double)golden_smooth[0], 2e-6));
}
END_TEST

START_TEST(awq_scales_are_autoawqs) {
  for (int c = 0; c < LENGTH(golden_awq); c++) {
    fill_pair(&one, false, golden_awq[c].bits, golden_awq[c].group);
    other = one;
    ck_assert_msg(rung_ptq_awq_scale(&one.layers[1], NULL) == RUNG_OK, "%s", rung_error());
    ensure_moved(&one, &other, golden_awq_scale + c * IN, 1e-5);
  }
}
END_TEST

START_TEST(awq_clips_are_autoawqs) {
  const float *golden = golden_awq_clip;
  for (int c = 0; c < LENGTH(golden_awq); c++) {
    fill_pair(&one, false, golden_awq[c].bits, golden_awq[c].group);
    ck_assert_int_eq(rung_ptq_awq_clip(&one.layers[1], NULL), RUNG_OK);
    const int64_t scales = rung_ptq_scale_count(&one.layers[1]);
    for (int64_t s = 0; s < scales; s++) ENSURE(near((double)one.scale[s], (double)*golden++, 1e-6));
  }
  ck_assert_ptr_eq(golden, golden_awq_clip + LENGTH(golden_awq_clip));
}
END_TEST

START_TEST(cle_comes_to_torchs) {
  enum { COUNT = 3 };
  const float *before[] = {golden_cle_before_0, golden_cle_before_1, golden_cle_before_2};
  const float *after[] = {golden_cle_weight_0, golden_cle_weight_1, golden_cle_weight_2};
  const float *bias_after[] = {golden_cle_bias_0, golden_cle_bias_1, golden_cle_bias_2};
  const int64_t widths[] = {12, 8, 10, 6};
  float weight[COUNT][120], bias[COUNT][10];
  rung_ptq_layer layers[COUNT];
  for (int l = 0; l < COUNT; l++) {
    layers[l] = (rung_ptq_layer){.name = "fc",
                                 .in = widths[l],
                                 .out = widths[l + 1],
                                 .weight = weight[l],
                                 .bias = bias[l],
                                 .clamp = RUNG_CLAMP_RELU,
                                 .before = l > 0 ? &layers[l - 1] : NULL};
    memcpy(weight[l], before[l], (size_t)(widths[l] * widths[l + 1]) * sizeof(float));
    for (int j = 0; j < widths[l + 1]; j++) bias[l][j] = (float)(j + 1);
  }
  const rung_cle_options options = {.rounds = 1000, .tolerance = 1e-7f};
  ck_assert_msg(rung_ptq_equalize(layers, COUNT, &options) == RUNG_OK, "%s", rung_error());
  for (int l = 0; l < COUNT; l++) {
    for (int i = 0; i < widths[l] * widths[l + 1]; i++) ENSURE(near((double)weight[l][i], (double)after[l][i], 1e-5));
    for (int j = 0; j < widths[l + 1]; j++) ENSURE(near((double)bias[l][j], (double)bias_after[l][j], 1e-5));
  }
}
END_TEST

/* W x + b over the mean of x: what is left of the mean error is f32 rounding. */
START_TEST(corrected_biases_leave_no_mean_error) {
  float bias[OUT] = {0}, weight_float[OUT * IN];
  fill_pair(&one, false, 2, 0);
  memcpy(weight_float, one.second, sizeof weight_float);
  rung_ptq_layer *layer = &one.layers[1];
  layer->weight_float = weight_float;
  ck_assert_int_eq(rung_ptq_nearest(layer), RUNG_OK);
  ck_assert_int_eq(rung_ptq_correct_bias(layer), RUNG_ERROR_UNSUPPORTED);
  ck_assert_str_eq(rung_error(), "fc2 has no bias to be corrected");
  layer->bias = bias;
  ck_assert_int_eq(rung_ptq_correct_bias(layer), RUNG_OK);
  double largest = 0;
  for (int j = 0; j < OUT; j++) {
    double error = 0;
    for (int i = 0; i < N * IN; i++) {
      const int k = j * IN + i % IN;
      error += ((double)weight_float[k] - (double)one.second[k]) * (double)one.x[i] / N;
    }
    largest = fmax(largest, fabs(error));
    ENSURE(fabs(error - (double)bias[j]) <= 1e-6 * (1 + fabs(error)));
  }
  ck_assert_double_gt(largest, 0.1);
}
END_TEST

START_TEST(wrong_options_and_pairs_are_refused) {
  fill_pair(&one, false, 4, 0);
  rung_ptq_layer *layer = &one.layers[1];
#define REFUSED(call, status, message)                                                                                 \
  do {                                                                                                                 \
    ck_assert_int_eq(call, status);                                                                                    \
    ck_assert_str_eq(rung_error(), message);                                                                           \
  } while (0)
  REFUSED(rung_ptq_smooth(layer, &(rung_smooth_options){.alpha = 1.5f}), RUNG_ERROR_ARGUMENT,
          "ptq: smoothquant alpha 1.5, expected 0..1");
  REFUSED(rung_ptq_awq_scale(layer, &(rung_awq_options){.steps = -1}), RUNG_ERROR_ARGUMENT,
          "ptq: awq steps -1, expected 1..1000");
  REFUSED(rung_ptq_awq_clip(layer, &(rung_awq_options){.clip_steps = 1001}), RUNG_ERROR_ARGUMENT,
          "ptq: awq clip_steps 1001, expected 1..1000");
  REFUSED(rung_ptq_equalize(one.layers, 2, &(rung_cle_options){.rounds = -1}), RUNG_ERROR_ARGUMENT,
          "ptq: cle rounds -1, expected 1 or more");
  REFUSED(rung_ptq_equalize(one.layers, 2, &(rung_cle_options){.tolerance = 1}), RUNG_ERROR_ARGUMENT,
          "ptq: cle tolerance 1, expected 0 or more and below 1");
  layer->before->out = 31;
  REFUSED(rung_ptq_smooth(layer, NULL), RUNG_ERROR_SHAPE, "ptq: fc2: takes 32 inputs, fc1 gives 31");
  layer->before->out = 32;
  layer->before->clamp = RUNG_CLAMP_RELU6;
  REFUSED(rung_ptq_smooth(layer, NULL), RUNG_ERROR_UNSUPPORTED, "fc2 reads fc1 through a ReLU6, which no scale passes");
  layer->before = NULL;
  REFUSED(rung_ptq_awq_scale(layer, NULL), RUNG_ERROR_UNSUPPORTED,
          "no layer before fc2 takes the inverse of its scales");
}
END_TEST

TEST_MAIN(CASE(smoothquant_scales_are_the_papers), CASE(awq_scales_are_autoawqs), CASE(awq_clips_are_autoawqs),
          CASE(cle_comes_to_torchs), CASE(corrected_biases_leave_no_mean_error),
          CASE(wrong_options_and_pairs_are_refused))
