/* Softmax and cross-entropy: values known by hand, their invariances, and double arithmetic. */
#include "harness.h"

#include <math.h>
#include <rung/kernels.h>

START_TEST(known_values) {
  const float x[] = {0.0f, logf(2.0f), logf(5.0f)};
  float y[3];
  rung_kernels_active()->softmax(y, x, 1, 3);
  ck_assert_float_eq_tol(y[0], 0.125f, 1e-7f);
  ck_assert_float_eq_tol(y[1], 0.25f, 1e-7f);
  ck_assert_float_eq_tol(y[2], 0.625f, 1e-7f);
}
END_TEST

START_TEST(one_column_is_certain) {
  const float x[] = {-3.0f, 0.0f, 1e30f};
  const int32_t label[] = {0, 0, 0};
  float y[3], loss[3];
  rung_kernels_active()->cross_entropy(loss, y, x, label, 3, 1);
  for (int i = 0; i < 3; i++) {
    ck_assert_float_eq(y[i], 1.0f);
    ck_assert_float_eq(loss[i], 0.0f);
  }
}
END_TEST

/* Equal logits, even huge ones: each of N is 1 / N, and the loss is log N. */
START_TEST(equal_logits_share) {
  for (int columns = 1; columns <= 64; columns *= 2) {
    float x[64], y[64], loss;
    const int32_t label = columns - 1;
    for (int j = 0; j < columns; j++) x[j] = -1e30f;
    rung_kernels_active()->cross_entropy(&loss, y, x, &label, 1, columns);
    for (int j = 0; j < columns; j++) ck_assert_float_eq(y[j], 1.0f / (float)columns);
    ck_assert_float_eq_tol(loss, logf((float)columns), 1e-6f);
  }
}
END_TEST

START_TEST(against_double_arithmetic) {
  enum { rows = 20, columns = 37 };
  rung_rng rng = rung_rng_seed(3);
  float x[rows * columns], y[rows * columns], loss[rows];
  int32_t label[rows];
  for (int i = 0; i < rows * columns; i++) x[i] = 4.0f * rung_rng_normal(&rng);
  for (int i = 0; i < rows; i++) label[i] = (int32_t)rung_rng_below(&rng, columns);
  rung_kernels_active()->cross_entropy(loss, y, x, label, rows, columns);
  for (int i = 0; i < rows; i++) {
    double sum = 0.0, total = 0.0;
    for (int j = 0; j < columns; j++) sum += exp((double)x[i * columns + j]);
    for (int j = 0; j < columns; j++) {
      double want = exp((double)x[i * columns + j]) / sum;
      ck_assert_double_eq_tol((double)y[i * columns + j], want, 4e-6 * want);
      total += (double)y[i * columns + j];
    }
    ck_assert_double_eq_tol(total, 1.0, 1e-6);
    ck_assert_double_eq_tol((double)loss[i], log(sum) - (double)x[i * columns + label[i]], 2e-6);
  }
}
END_TEST

/* A shift by a power of two loses nothing here, so not a bit may change. */
START_TEST(shift_changes_nothing) {
  float x[24], shifted[24], y[24], y_shifted[24];
  for (int j = 0; j < 24; j++) x[j] = (float)(j * 5 % 24) * 0.25f, shifted[j] = x[j] + 1024.0f;
  rung_kernels_active()->softmax(y, x, 1, 24);
  rung_kernels_active()->softmax(y_shifted, shifted, 1, 24);
  ck_assert_mem_eq(y, y_shifted, sizeof y);
}
END_TEST

START_TEST(infinite_and_not_a_number) {
  const float x[] = {1.0f, -INFINITY, 1.0f, 0.0f, NAN, 2.0f};
  const int32_t label[] = {1, 0};
  float y[6], loss[2];
  rung_kernels_active()->cross_entropy(loss, y, x, label, 2, 3);
  ck_assert_float_eq(y[0], 0.5f);
  ck_assert_float_eq(y[1], 0.0f);
  ck_assert(loss[0] == INFINITY);
  for (int j = 3; j < 6; j++) ck_assert(isnan(y[j]));
  ck_assert(isnan(loss[1]));
}
END_TEST

TEST_MAIN(CASE(known_values), CASE(one_column_is_certain), CASE(equal_logits_share), CASE(against_double_arithmetic),
          CASE(shift_changes_nothing), CASE(infinite_and_not_a_number))
