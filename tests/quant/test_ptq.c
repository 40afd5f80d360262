/* Rounding methods, and the list. */
#include "ptq_layer.h"

static ptq_fixture f, g;

/* AdaRound's rounding is not decided yet after so few steps: what it leaves is on the scale all the same. */
START_TEST(rounded_weights_lie_on_their_scales) {
  for (int method = 0; method < RUNG_PTQ_METHOD_COUNT; method++) {
    if (rung_ptq_method_phase((rung_ptq_method)method) != RUNG_PTQ_ROUNDING) continue;
    for (int bits = 1; bits <= 8; bits++) {
      ptq_fixture_fill(&f, bits, (rung_granularity)_i, 1);
      const rung_ptq_options options = {.methods = UINT32_C(1) << method, .adaround.steps = 100};
      rung_status status = rung_ptq_round_layer(&f.layer, &options);
      if (status == RUNG_ERROR_UNSUPPORTED) continue; /* a method may refuse binary weights */
      ck_assert_msg(status == RUNG_OK, "%s", rung_error());
      ptq_ensure_on_grid(&f.layer);
    }
  }
}
END_TEST

START_TEST(nearest_is_what_the_integer_layer_does) {
  static int8_t q[LAYER_OUT * LAYER_IN];
  static float scale[LAYER_OUT * 3];
  for (int bits = 1; bits <= 8; bits++) {
    ptq_fixture_fill(&f, bits, RUNG_PER_GROUP, 2);
    rung_quantize_rows(&f.layer.format, f.original, LAYER_OUT, LAYER_IN, LAYER_GROUP, q, scale);
    ck_assert_int_eq(rung_ptq_nearest(&f.layer), RUNG_OK);
    for (int i = 0; i < LAYER_OUT * LAYER_IN; i++) {
      int s = i / LAYER_IN * 3 + i % LAYER_IN / LAYER_GROUP;
      ENSURE(f.scale[s] == scale[s] && f.weight[i] == scale[s] * (float)q[i]);
    }
  }
}
END_TEST

START_TEST(mse_has_less_error_and_keeps_what_has_none) {
  for (int bits = 2; bits <= 8; bits++) {
    ptq_fixture_fill(&f, bits, RUNG_PER_CHANNEL, 3);
    ptq_fixture_fill(&g, bits, RUNG_PER_CHANNEL, 3);
    ck_assert_int_eq(rung_ptq_nearest(&f.layer), RUNG_OK);
    ck_assert_int_eq(rung_ptq_mse(&g.layer, NULL), RUNG_OK);
    ck_assert(ptq_weight_error(&g) <= ptq_weight_error(&f));
    if (bits <= 4) ck_assert(ptq_weight_error(&g) < 0.95 * ptq_weight_error(&f));
    memcpy(g.weight, f.weight, sizeof f.weight); /* on the grid already: both give them back */
    ck_assert_int_eq(rung_ptq_mse(&g.layer, NULL), RUNG_OK);
    ck_assert_mem_eq(g.weight, f.weight, sizeof f.weight);
  }
}
END_TEST

START_TEST(names_parse) {
  uint32_t methods = 0, all = 0;
  for (int i = 0; i < RUNG_PTQ_METHOD_COUNT; i++) {
    ck_assert_int_eq(rung_ptq_parse(rung_ptq_method_name((rung_ptq_method)i), &methods), RUNG_OK);
    ck_assert_uint_eq(methods, UINT32_C(1) << i);
    all |= methods;
  }
  ck_assert_uint_eq(all, (UINT32_C(1) << RUNG_PTQ_METHOD_COUNT) - 1);
  const struct {
    const char *text, *message;
  } bad[] = {{"", "method '': expected one of"},
             {"mse,", "method '': expected one of"},
             {"near", "method 'near': expected one of nearest, mse"},
             {"mse,mse", "method 'mse': it is there twice"},
             {"nearest,mse", "method 'mse': both it and 'nearest' round weights"}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    methods = 77;
    ck_assert_int_eq(rung_ptq_parse(bad[i].text, &methods), RUNG_ERROR_ARGUMENT);
    ck_assert_msg(strstr(rung_error(), bad[i].message) == rung_error(), "%s", rung_error());
    ck_assert_uint_eq(methods, 77);
  }
  ck_assert_str_eq(rung_ptq_method_name(RUNG_PTQ_METHOD_COUNT), "unknown");
}
END_TEST

START_TEST(refuses_what_is_no_layer) {
  ptq_fixture_fill(&f, 4, RUNG_PER_CHANNEL, 4);
  const rung_ptq_layer good = f.layer;
#define REFUSED(member, value, status)                                                                                 \
  do {                                                                                                                 \
    f.layer = good;                                                                                                    \
    f.layer.member = value;                                                                                            \
    ck_assert_int_eq(rung_ptq_nearest(&f.layer), status);                                                              \
  } while (0)
  REFUSED(in, 0, RUNG_ERROR_SHAPE);
  REFUSED(out, INT64_MAX / 2, RUNG_ERROR_SHAPE);
  REFUSED(weight, NULL, RUNG_ERROR_ARGUMENT);
  REFUSED(scale, NULL, RUNG_ERROR_ARGUMENT);
  REFUSED(format.bits, 9, RUNG_ERROR_ARGUMENT);
  REFUSED(format.symmetric, false, RUNG_ERROR_ARGUMENT);
  f.layer = good;
  f.layer.granularity = RUNG_PER_GROUP;
  f.layer.group = 0;
  ck_assert_int_eq(rung_ptq_nearest(&f.layer), RUNG_ERROR_ARGUMENT);
  f.layer = good;
  f.layer.x = NULL;
  ck_assert_int_eq(rung_ptq_check_layer(&f.layer, false), RUNG_OK);
  ck_assert_int_eq(rung_ptq_check_layer(&f.layer, true), RUNG_ERROR_ARGUMENT);
  f.weight[7] = NAN;
  ck_assert_int_eq(rung_ptq_nearest(&f.layer), RUNG_ERROR_NUMERIC);
  ck_assert_str_eq(rung_error(), "ptq: fc: weight 7 is nan, expected a finite number");
  ck_assert_int_eq(rung_ptq_check_options(&(rung_ptq_options){.methods = 3}), RUNG_ERROR_ARGUMENT);
  ck_assert_int_eq(rung_ptq_check_options(&(rung_ptq_options){.methods = 2, .mse.least = 2}), RUNG_ERROR_ARGUMENT);
  ck_assert_int_eq(rung_ptq_check_options(&(rung_ptq_options){.methods = 1u << 31}), RUNG_ERROR_ARGUMENT);
}
END_TEST

TEST_MAIN(CASES(rounded_weights_lie_on_their_scales, 3), CASE(nearest_is_what_the_integer_layer_does),
          CASE(mse_has_less_error_and_keeps_what_has_none), CASE(names_parse), CASE(refuses_what_is_no_layer))
