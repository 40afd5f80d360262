#include "quant_data.h"

static const rung_format u8 = {8, false, false}, u4 = {4, false, false};

static void check_follows(const rung_quantizer *quantizer, float rmin, float rmax) {
  float scale;
  int32_t zero_point;
  ck_assert_int_eq(rung_qparams(&quantizer->format, rmin, rmax, &scale, &zero_point), RUNG_OK);
  ck_assert(quantizer->scale == scale && quantizer->zero_point == zero_point);
}

START_TEST(off_calibrate_train_frozen) {
  const rung_observer_options min_max = {.kind = RUNG_OBSERVER_MIN_MAX};
  rung_quantizer *quantizer = rung_quantizer_new("fc1", &u8, &min_max);
  ck_assert_ptr_nonnull(quantizer);
  ck_assert_str_eq(quantizer->name, "fc1");
  ck_assert(quantizer->state == RUNG_QUANTIZER_OFF && quantizer->qmin == 0 && quantizer->qmax == 255);
  ck_assert(quantizer->scale == 1 && quantizer->observed == 0);
  ck_assert_int_eq(rung_quantizer_observe(quantizer, (float[]){0, 1, 2}, 3), RUNG_OK);
  ck_assert(quantizer->state == RUNG_QUANTIZER_CALIBRATE && quantizer->observed == 1);
  check_follows(quantizer, 0, 2);
  ck_assert_int_eq(rung_quantizer_observe_range(quantizer, -1, 1), RUNG_OK);
  check_follows(quantizer, -1, 2);
  quantizer->state = RUNG_QUANTIZER_TRAIN;
  ck_assert_int_eq(rung_quantizer_observe(quantizer, (float[]){9}, 1), RUNG_OK);
  ck_assert(quantizer->state == RUNG_QUANTIZER_TRAIN && quantizer->observed == 3);
  check_follows(quantizer, -1, 9);
  quantizer->state = RUNG_QUANTIZER_FROZEN;
  ck_assert_int_eq(rung_quantizer_observe(quantizer, (float[]){100}, 1), RUNG_OK);
  ck_assert_int_eq(rung_quantizer_observe_range(quantizer, -100, 100), RUNG_OK);
  ck_assert(quantizer->state == RUNG_QUANTIZER_FROZEN && quantizer->observed == 3);
  check_follows(quantizer, -1, 9);
  rung_quantizer_free(quantizer);
  rung_quantizer_free(NULL);
}
END_TEST

START_TEST(zeros_leave_a_usable_scale) {
  for (int kind = 0; kind < RUNG_OBSERVER_KIND_COUNT; kind++) {
    const rung_observer_options options = {.kind = (rung_observer_kind)kind};
    rung_quantizer *quantizer = rung_quantizer_new("zeros", &u4, &options);
    ck_assert_int_eq(rung_quantizer_observe(quantizer, (float[8]){0}, 8), RUNG_OK);
    ck_assert(quantizer->scale == 1 && quantizer->zero_point == 0);
    rung_quantizer_free(quantizer);
  }
}
END_TEST

START_TEST(the_default_observer_depends_on_the_width) {
  for (int bits = 2; bits <= 8; bits++) {
    rung_quantizer *quantizer = rung_quantizer_new("x", &(rung_format){bits, false, false}, NULL);
    ck_assert(rung_observer_needs_range_only(quantizer->observer) == (bits >= 5));
    rung_quantizer_free(quantizer);
  }
}
END_TEST

/* In training the search runs at every 2nd batch observed, on what 0.92 has faded. */
START_TEST(in_training_a_histogram_is_searched_every_2nd_batch) {
  const rung_observer_options mse = {.kind = RUNG_OBSERVER_MSE};
  rung_quantizer *quantizer = rung_quantizer_new("x", &u4, &mse);
  rung_observer *twin = rung_observer_new(&mse, &u4);
  float x[1000];
  fill(x, 1000, 0, 1);
  ck_assert_int_eq(rung_quantizer_observe(quantizer, x, 1000), RUNG_OK);
  ck_assert_int_eq(rung_observer_observe(twin, x, 1000), RUNG_OK);
  quantizer->state = RUNG_QUANTIZER_TRAIN;
  for (int batch = 2; batch <= 40; batch++) {
    float before = quantizer->scale, rmin, rmax;
    fill(x, 1000, 3, (uint64_t)batch);
    ck_assert_int_eq(rung_quantizer_observe(quantizer, x, 1000), RUNG_OK);
    rung_observer_fade(twin, 0.92f);
    ck_assert_int_eq(rung_observer_observe(twin, x, 1000), RUNG_OK);
    ck_assert_uint_eq(quantizer->observed, (uint64_t)batch);
    ck_assert_int_eq(rung_observer_range(twin, &rmin, &rmax), RUNG_OK);
    if (batch % 2 == 0)
      check_follows(quantizer, rmin, rmax);
    else
      ck_assert(quantizer->scale == before);
  }
  rung_quantizer_free(quantizer);
  rung_observer_free(twin);
}
END_TEST

START_TEST(what_cannot_be_observed_is_refused_by_name) {
  const rung_observer_options min_max = {.kind = RUNG_OBSERVER_MIN_MAX}, mse = {.kind = RUNG_OBSERVER_MSE};
  rung_quantizer *ranged = rung_quantizer_new("relu1", &u8, &min_max);
  rung_quantizer *searched = rung_quantizer_new("relu2", &u8, &mse);
  ck_assert_int_eq(rung_quantizer_observe(ranged, (float[]){1, NAN}, 2), RUNG_ERROR_NUMERIC);
  ck_assert_str_eq(rung_error(), "relu1: observer: value 1 is nan, expected a finite number");
  ck_assert(ranged->state == RUNG_QUANTIZER_OFF && ranged->observed == 0);
  ck_assert_int_eq(rung_quantizer_observe_range(ranged, 1, INFINITY), RUNG_ERROR_NUMERIC);
  ck_assert_int_eq(rung_quantizer_observe_range(ranged, NAN, 1), RUNG_ERROR_NUMERIC);
  ck_assert_int_eq(rung_quantizer_observe_range(ranged, 2, 1), RUNG_ERROR_NUMERIC);
  ck_assert_ptr_nonnull(strstr(rung_error(), "relu1: observed range [2, 1]"));
  ck_assert_int_eq(rung_quantizer_observe_range(searched, 0, 1), RUNG_ERROR_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(rung_error(), "relu2"));
  ck_assert(ranged->observed == 0 && searched->observed == 0);
  rung_quantizer_free(ranged);
  rung_quantizer_free(searched);
}
END_TEST

/* A sign's scale is 1, or what it was set to: what passes says nothing about it. */
START_TEST(one_bit_keeps_its_scale) {
  const float x[] = {-7, 3, 0.1f};
  rung_quantizer *quantizer = rung_quantizer_new("x", &(rung_format){1, true, true}, NULL);
  ck_assert_ptr_nonnull(quantizer);
  ck_assert(rung_observer_needs_range_only(quantizer->observer));
  ck_assert_int_eq(rung_quantizer_observe(quantizer, x, 3), RUNG_OK);
  ck_assert(quantizer->state == RUNG_QUANTIZER_CALIBRATE && quantizer->observed == 1);
  ck_assert(quantizer->scale == 1 && quantizer->zero_point == 0 && quantizer->qmin == -1 && quantizer->qmax == 1);
  ck_assert_int_eq(rung_quantizer_set(quantizer, 0.25f, 0), RUNG_OK);
  quantizer->state = RUNG_QUANTIZER_TRAIN;
  ck_assert_int_eq(rung_quantizer_observe(quantizer, x, 3), RUNG_OK);
  ck_assert(quantizer->scale == 0.25f);
  rung_quantizer_free(quantizer);
}
END_TEST

START_TEST(impossible_quantizers_are_refused) {
  ck_assert_ptr_null(rung_quantizer_new("x", &(rung_format){1, false, false}, NULL));
  ck_assert_str_eq(rung_error(), "quantizer bits 1: binary but not symmetric, expected signed and symmetric");
  ck_assert_ptr_null(rung_quantizer_new("x", &(rung_format){9, true, true}, NULL));
  ck_assert_str_eq(rung_error(), "quantizer bits 9, expected 1..8");
  ck_assert_ptr_null(rung_quantizer_new("x", &u8, &(rung_observer_options){.momentum = -1}));
  ck_assert_str_eq(rung_error(), "observer momentum -1, expected 0..1");
}
END_TEST

START_TEST(observing_allocates_nothing) {
  for (int kind = 0; kind < RUNG_OBSERVER_KIND_COUNT; kind++) {
    const rung_observer_options options = {.kind = (rung_observer_kind)kind};
    rung_quantizer *quantizer = rung_quantizer_new("x", &u4, &options);
    float x[500];
    fill(x, 500, 1, 3);
    uint64_t before = rung_allocation_count();
    for (int i = 0; i < 3; i++) ck_assert_int_eq(rung_quantizer_observe(quantizer, x, 500), RUNG_OK);
    ck_assert_uint_eq(rung_allocation_count(), before);
    rung_quantizer_free(quantizer);
  }
}
END_TEST

/* Parameters from elsewhere, and training that goes on from them. */
START_TEST(known_parameters_are_taken) {
  const rung_observer_options average = {.kind = RUNG_OBSERVER_MOVING_AVERAGE, .momentum = 0.25f},
                              mse = {.kind = RUNG_OBSERVER_MSE};
  rung_quantizer *ranged = rung_quantizer_new("relu1", &u8, &average);
  rung_quantizer *searched = rung_quantizer_new("relu2", &u4, &mse);
  ck_assert_int_eq(rung_quantizer_observe(ranged, (float[]){-100, 100}, 2), RUNG_OK);
  ck_assert_int_eq(rung_quantizer_set(ranged, 0.5f, 55), RUNG_OK);
  ck_assert(ranged->scale == 0.5f && ranged->zero_point == 55 && ranged->state == RUNG_QUANTIZER_CALIBRATE);
  ranged->state = RUNG_QUANTIZER_TRAIN;
  ck_assert_int_eq(rung_quantizer_observe_range(ranged, -27.5f, 180), RUNG_OK); /* -27.5 .. 100 a quarter of the way */
  check_follows(ranged, -27.5f, 120);
  ck_assert_int_eq(rung_quantizer_set(ranged, 1, 0), RUNG_OK);
  ck_assert(ranged->state == RUNG_QUANTIZER_TRAIN && ranged->scale == 1);
  ck_assert_int_eq(rung_quantizer_set(searched, 2, 15), RUNG_OK);
  ck_assert(searched->scale == 2 && searched->zero_point == 15 && searched->state == RUNG_QUANTIZER_CALIBRATE);
  rung_quantizer_free(ranged);
  rung_quantizer_free(searched);
}
END_TEST

START_TEST(impossible_parameters_are_refused) {
  rung_quantizer *affine = rung_quantizer_new("a", &u8, NULL);
  rung_quantizer *symmetric = rung_quantizer_new("s", &(rung_format){4, true, true}, NULL);
  static const float scales[] = {0, -1, NAN, INFINITY, 0x1p-140f};
  for (int i = 0; i < 5; i++) ck_assert_int_eq(rung_quantizer_set(affine, scales[i], 0), RUNG_ERROR_ARGUMENT);
  ck_assert_int_eq(rung_quantizer_set(affine, 1, 256), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), "a: zero point 256, expected 0..255");
  ck_assert_int_eq(rung_quantizer_set(affine, 1, -1), RUNG_ERROR_ARGUMENT);
  ck_assert_int_eq(rung_quantizer_set(symmetric, 1, 1), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), "s: zero point 1, expected 0..0");
  ck_assert(affine->state == RUNG_QUANTIZER_OFF && symmetric->state == RUNG_QUANTIZER_OFF);
  rung_quantizer_free(affine);
  rung_quantizer_free(symmetric);
}
END_TEST

TEST_MAIN(CASE(off_calibrate_train_frozen), CASE(zeros_leave_a_usable_scale),
          CASE(the_default_observer_depends_on_the_width), CASE(in_training_a_histogram_is_searched_every_2nd_batch),
          CASE(what_cannot_be_observed_is_refused_by_name), CASE(one_bit_keeps_its_scale),
          CASE(impossible_quantizers_are_refused), CASE(known_parameters_are_taken),
          CASE(impossible_parameters_are_refused), CASE(observing_allocates_nothing))
