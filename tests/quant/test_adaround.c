/* AdaRound: its gradient against PyTorch's, and what must hold whatever the numbers. */
#include "ptq/adaround.h"
#include "rounding_golden.h"

enum { WEIGHTS = LAYER_OUT * LAYER_IN };

/* Small layers need neither the default's steps nor its patience, and few weights share their error: more to hold
 * against it. */
static const rung_adaround_options quick = {.steps = 600, .rate = 0.02f, .regularization = 0.2f};

static void run(rung_ptq_layer *layer, const rung_adaround_options *options) {
  ck_assert_msg(rung_ptq_adaround(layer, options) == RUNG_OK, "%s", rung_error());
  ptq_ensure_on_grid(layer);
}

/* ---- The loss --------------------------------------------------------------------------------------------------- */

START_TEST(gradient_is_that_of_pytorch) {
  rounding_golden g = rounding_golden_load();
  rung_ptq_layer layer = rounding_golden_layer(&g, golden_adaround[_i].bits, golden_adaround[_i].group);
  layer.clamp = golden_adaround[_i].clamp;
  adaround a;
  rung_adaround_options options = {.batch = GOLDEN_N, .mse = golden_adaround[_i].mse};
  ck_assert_int_eq(adaround_open(&a, &layer, &options), RUNG_OK);
  memcpy(a.v, g.v, GOLDEN_OUT * GOLDEN_IN * sizeof *g.v);
  adaround_gradient(&a, 0, golden_adaround[_i].beta, 0, 1);
  const float *wanted = g.gradients + _i * GOLDEN_OUT * GOLDEN_IN;
  float largest = rung_kernels_active()->max_abs(wanted, GOLDEN_OUT * GOLDEN_IN);
  for (int i = 0; i < GOLDEN_OUT * GOLDEN_IN; i++) ENSURE(fabsf(a.gradient[i] - wanted[i]) <= 2e-5f * largest);
  adaround_close(&a);
  free(g.x);
}
END_TEST

START_TEST(learning_starts_at_the_float_weights) {
  ptq_fixture f;
  ptq_fixture_fill(&f, 4, RUNG_PER_GROUP, 31);
  adaround a;
  ck_assert_int_eq(adaround_open(&a, &f.layer, NULL), RUNG_OK);
  adaround_gradient(&a, 0, 0, 0, 1);
  for (int i = 0; i < WEIGHTS; i++) {
    ENSURE(fabsf(a.soft[i] - f.original[i]) < 1e-5f);
    ENSURE(fabsf(a.gradient[i]) < 1e-4f);
  }
  adaround_close(&a);
}
END_TEST

/* ---- What must hold --------------------------------------------------------------------------------------------- */

static const rung_granularity granularities[] = {RUNG_PER_CHANNEL, RUNG_PER_TENSOR, RUNG_PER_GROUP};

START_TEST(held_out_error_is_less_than_round_to_nearest) {
  float held_out[LAYER_N * LAYER_IN];
  for (int bits = 2; bits <= 4; bits++) {
    ptq_fixture f, nearest;
    ptq_fixture_fill(&f, bits, granularities[_i], 41);
    ptq_fixture_fill(&nearest, bits, granularities[_i], 41);
    ptq_correlate(f.x, LAYER_N, LAYER_IN, 1);
    ptq_correlate(held_out, LAYER_N, LAYER_IN, 2);
    run(&f.layer, &quick);
    ck_assert_int_eq(rung_ptq_nearest(&nearest.layer), RUNG_OK);
    ck_assert_mem_eq(f.scale, nearest.scale, (size_t)rung_ptq_scale_count(&f.layer) * sizeof(float));
    ck_assert_double_lt(ptq_output_error(&f, held_out), 0.6 * ptq_output_error(&nearest, held_out));
  }
}
END_TEST

START_TEST(every_weight_goes_down_or_up) {
  ptq_fixture f;
  ptq_fixture_fill(&f, 3, granularities[_i], 42);
  ptq_correlate(f.x, LAYER_N, LAYER_IN, 3);
  run(&f.layer, &(rung_adaround_options){.steps = 600, .rate = 0.02f, .regularization = 0.2f, .mse = true});
  int moved = 0;
  for (int64_t s = 0; s < rung_ptq_scale_count(&f.layer); s++) {
    int64_t count;
    const float *w = rung_ptq_scaled_weights(&f.layer, s, &count), *original = f.original + (w - f.weight);
    for (int64_t i = 0; i < count; i++) {
      const float q = rintf(w[i] / f.scale[s]), lower = floorf(original[i] / f.scale[s]);
      ENSURE(q == lower || q == lower + 1 || (q == 3 && lower > 3) || (q == -3 && lower < -3));
      moved += q != fminf(fmaxf(rintf(original[i] / f.scale[s]), -3), 3);
    }
  }
  ck_assert_int_gt(moved, WEIGHTS / 20);
}
END_TEST

/* Where ReLU cuts all that a neuron says, nothing speaks against the nearest integers; without ReLU something does. */
START_TEST(what_the_clamp_cuts_does_not_count) {
  const rung_clamp clamps[] = {RUNG_CLAMP_NONE, RUNG_CLAMP_RELU, RUNG_CLAMP_RELU6};
  for (int c = 0; c < 3; c++) {
    ptq_fixture f, nearest;
    ptq_fixture_fill(&f, 3, RUNG_PER_CHANNEL, 43);
    ptq_fixture_fill(&nearest, 3, RUNG_PER_CHANNEL, 43);
    ptq_correlate(f.x, LAYER_N, LAYER_IN, 4);
    f.layer.clamp = clamps[c];
    f.bias[0] = -1e4f;
    f.bias[1] = 1e4f;
    run(&f.layer, &quick);
    ck_assert_int_eq(rung_ptq_nearest(&nearest.layer), RUNG_OK);
    const size_t row = LAYER_IN * sizeof(float);
    const bool first = memcmp(f.weight, nearest.weight, row) == 0;
    const bool second = memcmp(f.weight + LAYER_IN, nearest.weight + LAYER_IN, row) == 0;
    ck_assert_int_eq(first, c > 0);
    ck_assert_int_eq(second, c == 2);
  }
}
END_TEST

/* Inputs that the quantized network has with noise and half of them with an offset. */
START_TEST(errors_of_the_layers_before_are_made_good) {
  ptq_fixture f, blind;
  float x[LAYER_N * LAYER_IN];
  ptq_fixture_fill(&f, 3, RUNG_PER_CHANNEL, 44);
  ptq_fixture_fill(&blind, 3, RUNG_PER_CHANNEL, 44);
  ptq_correlate(f.x, LAYER_N, LAYER_IN, 5);
  memcpy(blind.x, f.x, sizeof blind.x);
  rung_rng rng = rung_rng_seed(6);
  for (int i = 0; i < LAYER_N * LAYER_IN; i++) x[i] = f.x[i] + 0.1f * rung_rng_normal(&rng) + (i % 2 ? 0.1f : 0);
  f.layer.x = x;
  run(&f.layer, &quick);
  run(&blind.layer, &quick);
  double error = 0, blind_error = 0;
  for (int i = 0; i < LAYER_N; i++)
    for (int j = 0; j < LAYER_OUT; j++) {
      double y = 0, seen = 0, unseen = 0;
      for (int k = 0; k < LAYER_IN; k++) {
        y += (double)f.x[i * LAYER_IN + k] * (double)f.original[j * LAYER_IN + k];
        seen += (double)x[i * LAYER_IN + k] * (double)f.weight[j * LAYER_IN + k];
        unseen += (double)x[i * LAYER_IN + k] * (double)blind.weight[j * LAYER_IN + k];
      }
      error += (seen - y) * (seen - y);
      blind_error += (unseen - y) * (unseen - y);
    }
  ck_assert_double_lt(error, 0.9 * blind_error);
}
END_TEST

START_TEST(same_bits_for_every_team_and_level) {
  ptq_fixture f;
  ptq_fixture_fill(&f, 4, granularities[_i], 45);
  ptq_correlate(f.x, LAYER_N, LAYER_IN, 7);
  const rung_adaround_options few = {.steps = 40, .rate = 0.05f, .batch = 24};
  run(&f.layer, &few);
  const char *level = rung_kernels_active()->level;
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    if (!rung_kernels_level(l)) continue;
    ck_assert_int_eq(rung_kernels_use(rung_kernels_level(l)->level), RUNG_OK);
    for (int threads = 1; threads <= 5; threads += 2) {
      ptq_fixture other;
      ptq_fixture_fill(&other, 4, granularities[_i], 45);
      memcpy(other.x, f.x, sizeof f.x);
      other.layer.team = rung_team_new(threads);
      run(&other.layer, &few);
      rung_team_free(other.layer.team);
      ck_assert_mem_eq(f.weight, other.weight, sizeof f.weight);
    }
  }
  ck_assert_int_eq(rung_kernels_use(level), RUNG_OK);
}
END_TEST

/* Of batches that are part of the examples. */
START_TEST(examples_are_drawn_by_the_layer_s_rng) {
  ptq_fixture f[3];
  for (int i = 0; i < 3; i++) {
    ptq_fixture_fill(&f[i], 3, RUNG_PER_CHANNEL, 46);
    f[i].layer.rng = rung_rng_seed(i == 2);
    run(&f[i].layer, &(rung_adaround_options){.steps = 100, .rate = 0.05f, .batch = 8});
  }
  ck_assert_mem_eq(f[0].weight, f[1].weight, sizeof f[0].weight);
  ck_assert_mem_ne(f[0].weight, f[2].weight, sizeof f[0].weight);
}
END_TEST

/* ---- Refusals --------------------------------------------------------------------------------------------------- */

START_TEST(what_it_does_not_take_is_told_and_changes_nothing) {
  ptq_fixture f;
  ptq_fixture_fill(&f, 4, RUNG_PER_CHANNEL, 47);
  const struct {
    rung_adaround_options options;
    int bits;
    float value;
    rung_status status;
    const char *message;
  } bad[] = {
      {{.steps = -1}, 4, 0, RUNG_ERROR_ARGUMENT, "adaround: -1 steps of 32 examples, expected 1 or more of each"},
      {{.rate = -1}, 4, 0, RUNG_ERROR_ARGUMENT, "adaround: rate -1, expected 0..1"},
      {{.warm_start = 1.5f}, 4, 0, RUNG_ERROR_ARGUMENT, "adaround: warm_start 1.5, expected 0..1"},
      {{.beta_end = NAN}, 4, 0, RUNG_ERROR_ARGUMENT, "adaround: beta_end nan, expected 0..1000"},
      {{.steps = 1}, 1, 0, RUNG_ERROR_UNSUPPORTED, "adaround: fc: binary weights, expected 2 bits or more"},
      {{.steps = 1}, 4, NAN, RUNG_ERROR_NUMERIC, "adaround: fc: nan in its inputs, expected finite numbers"},
      {{.steps = 1}, 4, -INFINITY, RUNG_ERROR_NUMERIC, "adaround: fc: infinity in its inputs, expected finite numbers"},
      {{.steps = 9}, 4, 3e38f, RUNG_ERROR_NUMERIC, "adaround: fc: infinity in its outputs, expected finite numbers"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    f.layer.format.bits = bad[i].bits;
    f.x[77] = bad[i].value;
    ck_assert_int_eq(rung_ptq_adaround(&f.layer, &bad[i].options), bad[i].status);
    ck_assert_str_eq(rung_error(), bad[i].message);
    ck_assert_mem_eq(f.weight, f.original, sizeof f.weight);
  }
}
END_TEST

TEST_MAIN(CASES(gradient_is_that_of_pytorch, LENGTH(golden_adaround)), CASE(learning_starts_at_the_float_weights),
          CASES(held_out_error_is_less_than_round_to_nearest, 3), CASES(every_weight_goes_down_or_up, 3),
          CASE(what_the_clamp_cuts_does_not_count), CASE(errors_of_the_layers_before_are_made_good),
          CASES(same_bits_for_every_team_and_level, 3), CASE(examples_are_drawn_by_the_layer_s_rng),
          CASE(what_it_does_not_take_is_told_and_changes_nothing))
