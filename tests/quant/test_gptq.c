/* GPTQ: the integers of other implementations, and what must hold whatever the numbers. */
#include "rounding_golden.h"

#include <rung/kernels.h>

enum { WEIGHTS = LAYER_OUT * LAYER_IN };

static void run(rung_ptq_layer *layer, const rung_gptq_options *options) {
  ck_assert_msg(rung_ptq_gptq(layer, options) == RUNG_OK, "%s", rung_error());
  ptq_ensure_on_grid(layer);
}

/* ---- Oracles ---------------------------------------------------------------------------------------------------- */

START_TEST(integers_are_those_of_other_implementations) {
  rounding_golden g = rounding_golden_load();
  rung_ptq_layer layer = rounding_golden_layer(&g, golden_gptq[_i].bits, golden_gptq[_i].group);
  run(&layer, &(rung_gptq_options){.damping = golden_gptq[_i].damping,
                                   .act_order = golden_gptq[_i].act_order,
                                   .static_groups = golden_gptq[_i].static_groups,
                                   .mse = golden_gptq[_i].mse});
  int8_t codes[GOLDEN_OUT * GOLDEN_IN];
  ptq_codes(&layer, codes);
  ck_assert_mem_eq(codes, g.codes + _i * GOLDEN_OUT * GOLDEN_IN, sizeof codes);
  ck_assert(layer.damping == golden_gptq[_i].damping);
  free(g.x);
}
END_TEST

/* ---- What must hold --------------------------------------------------------------------------------------------- */

static const rung_granularity granularities[] = {RUNG_PER_CHANNEL, RUNG_PER_TENSOR, RUNG_PER_GROUP};

/* Inputs that do not go together leave nothing to make good. */
START_TEST(without_correlation_it_is_round_to_nearest) {
  for (int bits = 1; bits <= 8; bits++)
    for (int order = 0; order < 2; order++) {
      ptq_fixture f, nearest;
      ptq_fixture_fill(&f, bits, granularities[_i], 7);
      ptq_fixture_fill(&nearest, bits, granularities[_i], 7);
      memset(f.x, 0, sizeof f.x);
      for (int i = 0; i < LAYER_IN; i++) f.x[i * LAYER_IN + i] = order ? 1 + 0.01f * (float)((i * 7) % LAYER_IN) : 1;
      run(&f.layer, &(rung_gptq_options){.act_order = order});
      ck_assert_int_eq(rung_ptq_nearest(&nearest.layer), RUNG_OK);
      ck_assert_mem_eq(f.weight, nearest.weight, sizeof f.weight);
      ck_assert_mem_eq(f.scale, nearest.scale, (size_t)rung_ptq_scale_count(&f.layer) * sizeof(float));
    }
}
END_TEST

START_TEST(held_out_error_is_less_than_round_to_nearest) {
  float held_out[LAYER_N * LAYER_IN];
  for (int bits = 2; bits <= 4; bits++)
    for (int order = 0; order < 2; order++) {
      ptq_fixture f, nearest;
      ptq_fixture_fill(&f, bits, granularities[_i], 21);
      ptq_fixture_fill(&nearest, bits, granularities[_i], 21);
      ptq_correlate(f.x, LAYER_N, LAYER_IN, 1);
      ptq_correlate(held_out, LAYER_N, LAYER_IN, 2);
      run(&f.layer, &(rung_gptq_options){.act_order = order});
      ck_assert_int_eq(rung_ptq_nearest(&nearest.layer), RUNG_OK);
      ck_assert_double_lt(ptq_output_error(&f, held_out), 0.5 * ptq_output_error(&nearest, held_out));
    }
}
END_TEST

/* Columns in another order: the same weights, each where its column went. */
START_TEST(order_of_inputs_does_not_matter_to_act_order) {
  ptq_fixture f, permuted;
  ptq_fixture_fill(&f, 3, RUNG_PER_CHANNEL, 4);
  ptq_fixture_fill(&permuted, 3, RUNG_PER_CHANNEL, 4);
  uint32_t to[LAYER_IN];
  rung_rng rng = rung_rng_seed(5);
  rung_rng_permutation(&rng, to, LAYER_IN);
  ptq_correlate(f.x, LAYER_N, LAYER_IN, 6);
  for (int k = 0; k < LAYER_IN; k++) {
    for (int i = 0; i < LAYER_N; i++) permuted.x[i * LAYER_IN + (int)to[k]] = f.x[i * LAYER_IN + k];
    for (int j = 0; j < LAYER_OUT; j++) permuted.weight[j * LAYER_IN + (int)to[k]] = f.weight[j * LAYER_IN + k];
  }
  run(&f.layer, &(rung_gptq_options){.act_order = true});
  run(&permuted.layer, &(rung_gptq_options){.act_order = true});
  for (int j = 0; j < LAYER_OUT; j++)
    for (int k = 0; k < LAYER_IN; k++) ENSURE(permuted.weight[j * LAYER_IN + (int)to[k]] == f.weight[j * LAYER_IN + k]);
}
END_TEST

START_TEST(scale_of_the_inputs_does_not_matter) {
  ptq_fixture f, scaled;
  ptq_fixture_fill(&f, 4, granularities[_i], 8);
  ptq_fixture_fill(&scaled, 4, granularities[_i], 8);
  ptq_correlate(f.x, LAYER_N, LAYER_IN, 9);
  for (int i = 0; i < LAYER_N; i++) f.x[i * LAYER_IN + 11] = 0;
  for (int i = 0; i < LAYER_N * LAYER_IN; i++) scaled.x[i] = ldexpf(f.x[i], -20);
  run(&f.layer, NULL);
  run(&scaled.layer, NULL);
  ck_assert_mem_eq(f.weight, scaled.weight, sizeof f.weight);
}
END_TEST

/* Also where scales are found as their groups are entered, and a group is longer than a block or begins within one. */
START_TEST(blocks_are_for_speed_alone) {
  const int blocks[] = {1, 7, 16, 20, 1000};
  for (size_t b = 0; b < sizeof blocks / sizeof blocks[0]; b++) {
    ptq_fixture f, blocked;
    ptq_fixture_fill(&f, 3, granularities[_i], 10);
    ptq_fixture_fill(&blocked, 3, granularities[_i], 10);
    ptq_correlate(f.x, LAYER_N, LAYER_IN, 11);
    memcpy(blocked.x, f.x, sizeof f.x);
    run(&f.layer, NULL);
    run(&blocked.layer, &(rung_gptq_options){.block = blocks[b]});
    int8_t codes[WEIGHTS], blocked_codes[WEIGHTS];
    ptq_codes(&f.layer, codes);
    ptq_codes(&blocked.layer, blocked_codes);
    ck_assert_mem_eq(codes, blocked_codes, sizeof codes);
  }
}
END_TEST

START_TEST(same_bits_for_every_team_and_level) {
  ptq_fixture f;
  ptq_fixture_fill(&f, 4, granularities[_i], 12);
  ptq_correlate(f.x, LAYER_N, LAYER_IN, 13);
  run(&f.layer, NULL);
  const char *level = rung_kernels_active()->level;
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    if (!rung_kernels_level(l)) continue;
    ck_assert_int_eq(rung_kernels_use(rung_kernels_level(l)->level), RUNG_OK);
    for (int threads = 1; threads <= 5; threads += 2) {
      ptq_fixture other;
      ptq_fixture_fill(&other, 4, granularities[_i], 12);
      memcpy(other.x, f.x, sizeof f.x);
      other.layer.team = rung_team_new(threads);
      run(&other.layer, NULL);
      rung_team_free(other.layer.team);
      ck_assert_mem_eq(f.weight, other.weight, sizeof f.weight);
      ck_assert_mem_eq(f.scale, other.scale, (size_t)rung_ptq_scale_count(&f.layer) * sizeof(float));
    }
  }
  ck_assert_int_eq(rung_kernels_use(level), RUNG_OK);
}
END_TEST

/* ---- Hard inputs ------------------------------------------------------------------------------------------------ */

START_TEST(dead_inputs_get_no_weight) {
  ptq_fixture f;
  ptq_fixture_fill(&f, 4, granularities[_i], 14);
  const int dead[] = {0, 13, 39};
  for (int d = 0; d < 3; d++) {
    for (int i = 0; i < LAYER_N; i++) f.x[i * LAYER_IN + dead[d]] = 0;
    for (int j = 0; j < LAYER_OUT; j++) f.weight[j * LAYER_IN + dead[d]] = 100; /* and no say in the scale */
  }
  run(&f.layer, NULL);
  for (int j = 0; j < LAYER_OUT; j++)
    for (int k = 0; k < LAYER_IN; k++) ENSURE((f.weight[j * LAYER_IN + k] == 0) >= (k == 0 || k == 13 || k == 39));
  ENSURE(f.scale[0] < 1);
  memset(f.x, 0, sizeof f.x);
  run(&f.layer, &(rung_gptq_options){.act_order = true});
  for (int i = 0; i < WEIGHTS; i++) ENSURE(f.weight[i] == 0);
}
END_TEST

static void take_note(void *context, const char *layer, const char *what) {
  ck_assert_str_eq(layer, "fc");
  snprintf(context, 128, "%s", what);
}

/* Two inputs that are always equal, and a damping that f32 cannot tell from 0. */
START_TEST(damping_rises_where_it_must_and_is_told) {
  ptq_fixture f;
  char note[128] = "";
  ptq_fixture_fill(&f, 4, RUNG_PER_CHANNEL, 15);
  for (int i = 0; i < LAYER_N; i++)
    for (int k = 1; k < LAYER_IN; k++) f.x[i * LAYER_IN + k] = f.x[i * LAYER_IN];
  rung_ptq_options options = {.methods = 1u << RUNG_PTQ_GPTQ, .note = take_note, .context = note};
  ck_assert_int_eq(rung_ptq_round_layer(&f.layer, &options), RUNG_OK);
  ck_assert_str_eq(note, "");
  options.gptq.damping = 1e-10f;
  memcpy(f.weight, f.original, sizeof f.weight);
  ck_assert_int_eq(rung_ptq_round_layer(&f.layer, &options), RUNG_OK);
  ptq_ensure_on_grid(&f.layer);
  ck_assert(f.layer.damping > 1e-9f && f.layer.damping < 0.01f);
  ck_assert_ptr_nonnull(strstr(note, "gptq: its inputs are too much alike for f32; damping raised to "));
}
END_TEST

START_TEST(what_it_does_not_take_is_told_and_changes_nothing) {
  ptq_fixture f;
  ptq_fixture_fill(&f, 4, RUNG_PER_CHANNEL, 16);
  const struct {
    rung_gptq_options options;
    int64_t n;
    float value;
    rung_status status;
    const char *message;
  } bad[] = {
      {{.damping = -1}, LAYER_N, 0, RUNG_ERROR_ARGUMENT, "gptq: damping -1, expected 0..1"},
      {{.damping = NAN}, LAYER_N, 0, RUNG_ERROR_ARGUMENT, "gptq: damping nan, expected 0..1"},
      {{.block = -3}, LAYER_N, 0, RUNG_ERROR_ARGUMENT, "gptq: block -3, expected 1 or more"},
      {{.damping = 0}, 0, 0, RUNG_ERROR_ARGUMENT, "ptq: fc: 0 calibration examples, expected 1 or more"},
      {{.damping = 0},
       LAYER_N,
       1e30f,
       RUNG_ERROR_NUMERIC,
       "gptq: fc: the squares of its inputs sum to inf, expected a finite number"},
      {{.damping = 0},
       LAYER_N,
       INFINITY,
       RUNG_ERROR_NUMERIC,
       "gptq: fc: the squares of its inputs sum to inf, expected a finite number"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    f.layer.n = bad[i].n;
    f.x[77] = bad[i].value;
    ck_assert_int_eq(rung_ptq_gptq(&f.layer, &bad[i].options), bad[i].status);
    ck_assert_str_eq(rung_error(), bad[i].message);
    ck_assert_mem_eq(f.weight, f.original, sizeof f.weight);
  }
  f.layer.n = LAYER_N;
  f.x[77] = NAN;
  ck_assert_int_eq(rung_ptq_gptq(&f.layer, NULL), RUNG_ERROR_NUMERIC);
}
END_TEST

TEST_MAIN(CASES(integers_are_those_of_other_implementations, LENGTH(golden_gptq)),
          CASES(without_correlation_it_is_round_to_nearest, 3), CASES(held_out_error_is_less_than_round_to_nearest, 3),
          CASE(order_of_inputs_does_not_matter_to_act_order), CASES(scale_of_the_inputs_does_not_matter, 3),
          CASES(blocks_are_for_speed_alone, 3), CASES(same_bits_for_every_team_and_level, 3),
          CASES(dead_inputs_get_no_weight, 3), CASE(damping_rises_where_it_must_and_is_told),
          CASE(what_it_does_not_take_is_told_and_changes_nothing))
