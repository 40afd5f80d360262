/* Sums: their 16 lanes and tree by a definition of their own, their accuracy, and the search for the range. */
#include "harness.h"

#include <math.h>
#include <rung/kernels.h>

enum { most = 300 };

static float x[most], w[most];

static void fill(uint64_t seed) {
  rung_rng rng = rung_rng_seed(seed);
  for (int i = 0; i < most; i++) {
    x[i] = rung_rng_normal(&rng);
    w[i] = rung_rng_normal(&rng);
  }
}

/* Lane `lane`'s share of the elements, from the header: lanes l, l + 16, l + 32, ... in order. */
static float lane_sum(int64_t n, int lane, bool products) {
  float sum = 0.0f;
  for (int64_t i = lane; i < n; i += 16) sum = products ? fmaf(x[i], w[i], sum) : sum + x[i];
  return sum;
}

/* The tree written out by recursion: the sum of lanes first, first + step, ... is that of the half each. */
static float tree(int64_t n, int first, int step, bool products) {
  if (step == 16) return lane_sum(n, first, products);
  return tree(n, first, step * 2, products) + tree(n, first + step, step * 2, products);
}

START_TEST(sum_and_dot_run_in_16_lanes_and_a_tree) {
  fill(1);
  for (int l = 0; l < rung_kernels_level_count(); l++)
    for (int64_t n = 0; rung_kernels_level(l) && n <= most; n++) {
      ENSURE(rung_kernels_level(l)->sum(x, n) == tree(n, 0, 1, false));
      ENSURE(rung_kernels_level(l)->dot(x, w, n) == tree(n, 0, 1, true));
    }
}
END_TEST

START_TEST(sum_of_small_integers_is_exact) {
  for (int i = 0; i < most; i++) x[i] = (float)(i - 100), w[i] = (float)(i % 3);
  float sum = 0.0f, dot = 0.0f;
  for (int i = 0; i < most; i++) sum += x[i], dot += x[i] * w[i];
  ck_assert_float_eq(rung_kernels_active()->sum(x, most), sum);
  ck_assert_float_eq(rung_kernels_active()->dot(x, w, most), dot);
}
END_TEST

START_TEST(range_of_nothing_and_of_nan) {
  float nan[40], min, max;
  bool has_nan = true;
  for (int i = 0; i < 40; i++) nan[i] = NAN;
  rung_kernels_active()->min_max(x, 0, &min, &max, &has_nan);
  ck_assert(min == INFINITY && max == -INFINITY && !has_nan);
  rung_kernels_active()->min_max(nan, 40, &min, &max, &has_nan);
  ck_assert(min == INFINITY && max == -INFINITY && has_nan);
}
END_TEST

/* The smallest, the largest and a NaN, put at every place of every length in turn. */
START_TEST(range_finds_every_place) {
  const rung_kernels *k = rung_kernels_active();
  for (int n = 1; n <= 66; n++)
    for (int at = 0; at < n; at++) {
      float min, max;
      bool has_nan;
      for (int i = 0; i < n; i++) x[i] = 1.0f;
      x[at] = -2.0f;
      k->min_max(x, n, &min, &max, &has_nan);
      ENSURE(min == -2.0f && max == (n > 1 ? 1.0f : -2.0f) && !has_nan);
      x[at] = INFINITY;
      k->min_max(x, n, &min, &max, &has_nan);
      ENSURE(max == INFINITY && min == (n > 1 ? 1.0f : INFINITY) && !has_nan);
      x[at] = NAN;
      k->min_max(x, n, &min, &max, &has_nan);
      ENSURE(has_nan && (n == 1 || (min == 1.0f && max == 1.0f)));
    }
}
END_TEST

START_TEST(largest_magnitude_is_found_at_every_place) {
  const rung_kernels *k = rung_kernels_active();
  const float nan[] = {NAN, -NAN};
  ck_assert(k->max_abs(x, 0) == 0.0f && k->max_abs(nan, 2) == 0.0f);
  for (int n = 1; n <= 150; n++)
    for (int at = 0; at < n; at++) {
      for (int i = 0; i < n; i++) x[i] = i % 2 ? 1.0f : -1.0f;
      x[(at + 1) % n] = NAN;
      x[at] = at % 2 ? 2.0f : -2.0f;
      ENSURE(k->max_abs(x, n) == 2.0f);
    }
}
END_TEST

START_TEST(bytes_are_summed_with_and_without_sign) {
  int8_t q[300];
  for (int n = 0; n <= 300; n++) {
    int32_t want = 0, magnitudes = 0, sum, magnitude;
    for (int i = 0; i < n; i++) {
      q[i] = (int8_t)(i * 89 % 256 - 128);
      want += q[i];
      magnitudes += abs(q[i]);
    }
    rung_kernels_active()->sum_i8(q, n, &sum, &magnitude);
    ENSURE(sum == want && magnitude == magnitudes);
  }
}
END_TEST

/* A zero's sign would tell the order of the search. */
START_TEST(range_has_no_negative_zero) {
  const float zeros[] = {-0.0f, 0.0f, -0.0f};
  float min, max;
  bool has_nan;
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    if (!rung_kernels_level(l)) continue;
    rung_kernels_level(l)->min_max(zeros, 3, &min, &max, &has_nan);
    ck_assert(signbit(min) == 0 && signbit(max) == 0 && min == 0.0f && max == 0.0f);
  }
}
END_TEST

START_TEST(columns_are_summed_in_order_from_what_is_there) {
  const rung_kernels *k = rung_kernels_active();
  enum { columns = 3, stride = 4, count = 20 };
  fill(2);
  float sum[columns] = {5.0f, -1.0f, 0.25f}, dot[columns] = {5.0f, -1.0f, 0.25f};
  k->column_sum(sum, x, count, columns, stride, true);
  k->column_dot(dot, x, w, count, columns, stride, true);
  for (int j = 0; j < columns; j++) {
    float want_sum = j == 0 ? 5.0f : j == 1 ? -1.0f : 0.25f, want_dot = want_sum;
    for (int i = 0; i < count; i++) {
      want_sum += x[i * stride + j];
      want_dot = fmaf(x[i * stride + j], w[i * stride + j], want_dot);
    }
    ck_assert_float_eq(sum[j], want_sum);
    ck_assert_float_eq(dot[j], want_dot);
  }
  k->column_sum(sum, x, 0, columns, stride, false);
  ck_assert_float_eq(sum[2], 0.0f);
}
END_TEST

TEST_MAIN(CASE(sum_and_dot_run_in_16_lanes_and_a_tree), CASE(sum_of_small_integers_is_exact),
          CASE(range_of_nothing_and_of_nan), CASE(range_finds_every_place), CASE(range_has_no_negative_zero),
          CASE(largest_magnitude_is_found_at_every_place), CASE(bytes_are_summed_with_and_without_sign),
          CASE(columns_are_summed_in_order_from_what_is_there))
