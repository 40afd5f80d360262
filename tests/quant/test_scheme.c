#include "quant_data.h"

START_TEST(bits_of_every_width_parse) {
  for (int w = 1; w <= 8; w++)
    for (int a = 1; a <= 8; a++) {
      char text[32];
      snprintf(text, sizeof text, "w%da%d", w, a);
      rung_scheme scheme = {.weight_group = 12, .activation_signed = true};
      ck_assert_int_eq(rung_scheme_parse_bits(text, &scheme), RUNG_OK);
      ck_assert_int_eq(scheme.weight_bits, w);
      ck_assert_int_eq(scheme.activation_bits, a);
      ck_assert(scheme.weight_group == 12 && scheme.activation_signed);
      ck_assert_int_eq(rung_scheme_weight_format(&scheme).bits, w);
      ck_assert_int_eq(rung_scheme_activation_format(&scheme).bits, a);
    }
}
END_TEST

static const char *const wrong_bits[] = {"w9a0", "8",    "w4",    "w8a-1", "w0a8",  "w8a9",  "",       "w",     "w8a",
                                         "W8A8", "a8w8", "w8a8 ", "w08a8", "w8a08", " w8a8", "w16a16", "w-4a8", "w8b8"};

START_TEST(other_bits_are_refused_with_one_line) {
  rung_scheme scheme = {.weight_bits = 5};
  char expected[128];
  snprintf(expected, sizeof expected, "bits '%s': expected wNaM with N and M in 1..8", wrong_bits[_i]);
  ck_assert_int_eq(rung_scheme_parse_bits(wrong_bits[_i], &scheme), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), expected);
  ck_assert(scheme.weight_bits == 5 && scheme.activation_bits == 0);
}
END_TEST

START_TEST(a_zero_scheme_is_w8a8) {
  const rung_scheme scheme = {0};
  ck_assert_int_eq(rung_scheme_check(&scheme), RUNG_OK);
  rung_format weight = rung_scheme_weight_format(&scheme), activation = rung_scheme_activation_format(&scheme);
  ck_assert(weight.bits == 8 && weight.is_signed && weight.symmetric);
  ck_assert(activation.bits == 8 && !activation.is_signed && !activation.symmetric);
}
END_TEST

static const struct {
  rung_scheme scheme;
  const char *message;
} wrong_schemes[] = {
    {{.weight_bits = 9}, "weight_bits 9, expected 1..8"},
    {{.weight_bits = -1}, "weight_bits -1, expected 1..8"},
    {{.activation_bits = 9}, "activation_bits 9, expected 1..8"},
    {{.input_bits = 9}, "input_bits 9, expected 0..8"},
    {{.input_bits = -1}, "input_bits -1, expected 0..8"},
    {{.batch_norm = RUNG_BATCH_NORM_MODE_COUNT}, "batch_norm 2, expected fold (0) or merge (1)"},
    {{.activation_bits = 16}, "activation_bits 16, expected 1..8"},
    {{.activation_symmetric = true}, "activation_bits 8: symmetric but unsigned, expected signed"},
    {{.weight_granularity = RUNG_PER_GROUP}, "weight_group 0, expected a positive multiple of 4"},
    {{.weight_granularity = RUNG_PER_GROUP, .weight_group = 6}, "weight_group 6, expected a positive multiple of 4"},
    {{.weight_granularity = RUNG_PER_GROUP, .weight_group = -4}, "weight_group -4, expected a positive multiple of 4"},
    {{.weight_granularity = (rung_granularity)3},
     "weight_granularity 3, expected per channel (0), tensor (1) or group (2)"},
    {{.ranges = (rung_ranges)2}, "ranges 2, expected delayed (0) or current (1)"},
    {{.backward = RUNG_BACKWARD_COUNT}, "backward 3, expected f32 (0), bf16 (1) or int8 (2)"},
    {{.backward = (rung_backward)-1}, "backward -1, expected f32 (0), bf16 (1) or int8 (2)"},
    {{.observer = {.kind = RUNG_OBSERVER_KIND_COUNT}}, "observer kind 6, expected 0..5"},
    {{.observer = {.momentum = 1.5f}}, "observer momentum 1.5, expected 0..1"},
    {{.observer = {.momentum = NAN}}, "observer momentum nan, expected 0..1"},
    {{.observer = {.percentile = 0.5f}}, "observer percentile 0.5, expected more than 0.5 and at most 1"},
    {{.observer = {.percentile = 99.9f}}, "observer percentile 99.9, expected more than 0.5 and at most 1"},
};

START_TEST(a_wrong_field_is_named) {
  ck_assert_int_eq(rung_scheme_check(&wrong_schemes[_i].scheme), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), wrong_schemes[_i].message);
}
END_TEST

START_TEST(right_schemes_pass) {
  const rung_scheme right[] = {
      {.weight_bits = 1, .activation_bits = 2},
      {.weight_granularity = RUNG_PER_GROUP, .weight_group = 4},
      {.weight_granularity = RUNG_PER_TENSOR, .weight_group = 6},
      {.activation_signed = true, .activation_symmetric = true, .ranges = RUNG_RANGES_CURRENT},
      {.backward = RUNG_BACKWARD_INT8, .weight_granularity = RUNG_PER_GROUP, .weight_group = 8},
      {.observer = {.kind = RUNG_OBSERVER_ENTROPY, .momentum = 1, .percentile = 1}},
  };
  for (int i = 0; i < LENGTH(right); i++) ck_assert_int_eq(rung_scheme_check(&right[i]), RUNG_OK);
}
END_TEST

START_TEST(names_of_batch_norm_modes_parse_back) {
  static const char *const names[RUNG_BATCH_NORM_MODE_COUNT] = {"fold", "merge"};
  for (int i = 0; i < RUNG_BATCH_NORM_MODE_COUNT; i++) {
    rung_batch_norm_mode mode = RUNG_BATCH_NORM_MODE_COUNT;
    ck_assert_str_eq(rung_batch_norm_mode_name((rung_batch_norm_mode)i), names[i]);
    ck_assert_int_eq(rung_batch_norm_mode_parse(names[i], &mode), RUNG_OK);
    ck_assert_int_eq((int)mode, i);
  }
  rung_batch_norm_mode mode = RUNG_BATCH_NORM_MERGE;
  ck_assert_int_eq(rung_batch_norm_mode_parse("Fold", &mode), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), "batch norm 'Fold': expected fold or merge");
  ck_assert_int_eq(mode, RUNG_BATCH_NORM_MERGE);
  ck_assert_str_eq(rung_batch_norm_mode_name(RUNG_BATCH_NORM_MODE_COUNT), "unknown");
}
END_TEST

START_TEST(names_of_backward_parse_back) {
  static const char *const names[RUNG_BACKWARD_COUNT] = {"f32", "bf16", "int8"}, *const wrong[] = {"int9", "", "F32"};
  for (int i = 0; i < RUNG_BACKWARD_COUNT; i++) {
    rung_backward backward = RUNG_BACKWARD_COUNT;
    ck_assert_str_eq(rung_backward_name((rung_backward)i), names[i]);
    ck_assert_int_eq(rung_backward_parse(names[i], &backward), RUNG_OK);
    ck_assert_int_eq((int)backward, i);
    char expected[128];
    snprintf(expected, sizeof expected, "backward '%s': expected f32, bf16 or int8", wrong[i]);
    ck_assert_int_eq(rung_backward_parse(wrong[i], &backward), RUNG_ERROR_ARGUMENT);
    ck_assert_str_eq(rung_error(), expected);
    ck_assert_int_eq((int)backward, i);
  }
  ck_assert_str_eq(rung_backward_name(RUNG_BACKWARD_COUNT), "unknown");
  ck_assert_str_eq(rung_backward_name((rung_backward)-1), "unknown");
}
END_TEST

START_TEST(integers_in_use) {
  static const struct {
    rung_format format;
    int32_t qmin, qmax;
  } known[] = {{{1, true, true}, -1, 1},    {{2, true, true}, -1, 1},     {{2, true, false}, -2, 1},
               {{2, false, false}, 0, 3},   {{4, true, true}, -7, 7},     {{4, true, false}, -8, 7},
               {{4, false, false}, 0, 15},  {{8, true, true}, -127, 127}, {{8, true, false}, -128, 127},
               {{8, false, false}, 0, 255}, {{7, false, false}, 0, 127},  {{5, true, true}, -15, 15}};
  for (int i = 0; i < LENGTH(known); i++) {
    int32_t qmin, qmax;
    ck_assert_int_eq(rung_format_check(&known[i].format, "bits"), RUNG_OK);
    rung_format_range(&known[i].format, &qmin, &qmax);
    ck_assert_int_eq(qmin, known[i].qmin);
    ck_assert_int_eq(qmax, known[i].qmax);
  }
}
END_TEST

START_TEST(impossible_formats_are_refused) {
  static const struct {
    rung_format format;
    const char *message;
  } wrong[] = {{{0, true, true}, "x 0, expected 1..8"},
               {{9, false, false}, "x 9, expected 1..8"},
               {{4, false, true}, "x 4: symmetric but unsigned, expected signed"},
               {{1, true, false}, "x 1: binary but not symmetric, expected signed and symmetric"}};
  for (int i = 0; i < LENGTH(wrong); i++) {
    ck_assert_int_eq(rung_format_check(&wrong[i].format, "x"), RUNG_ERROR_ARGUMENT);
    ck_assert_str_eq(rung_error(), wrong[i].message);
  }
}
END_TEST

TEST_MAIN(CASE(bits_of_every_width_parse), CASES(other_bits_are_refused_with_one_line, LENGTH(wrong_bits)),
          CASE(a_zero_scheme_is_w8a8), CASES(a_wrong_field_is_named, LENGTH(wrong_schemes)), CASE(right_schemes_pass),
          CASE(names_of_backward_parse_back), CASE(names_of_batch_norm_modes_parse_back), CASE(integers_in_use),
          CASE(impossible_formats_are_refused))
