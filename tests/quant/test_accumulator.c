/* Weights for narrow accumulators: the projection against a search of all integers, and what holds for layers. */
#include "accumulator.h"
#include "harness.h"

#include <rung/quant.h>
#include <stdlib.h>
#include <string.h>

enum { N = 4, MOST = 4 };

static int64_t sum_of(const int8_t *q, int n) {
  int64_t sum = 0;
  for (int i = 0; i < n; i++) sum += abs(q[i]);
  return sum;
}

static int64_t squares(const int8_t *a, const int8_t *b, int n) {
  int64_t sum = 0;
  for (int i = 0; i < n; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

/* Counts p up through all of [-MOST, MOST]^N; false at the end. */
static bool next(int8_t p[N]) {
  for (int i = 0; i < N; i++) {
    if (p[i]++ < MOST) return true;
    p[i] = -MOST;
  }
  return false;
}

static int64_t nearest_distance(const int8_t q[N], int32_t limit) {
  int8_t p[N];
  int64_t least = INT64_MAX;
  memset(p, -MOST, N);
  do {
    if (sum_of(p, N) <= limit && squares(p, q, N) < least) least = squares(p, q, N);
  } while (next(p));
  return least;
}

START_TEST(no_integers_within_the_limit_are_nearer) {
  rung_rng rng = rung_rng_seed(3);
  for (int run = 0; run < 200; run++) {
    int8_t q[N], before[N];
    const int32_t limit = (int32_t)rung_rng_below(&rng, N * MOST + 2);
    for (int i = 0; i < N; i++) before[i] = q[i] = (int8_t)((int)rung_rng_below(&rng, 2 * MOST + 1) - MOST);
    accumulator_shrink(q, N, limit);
    ck_assert_int_le(sum_of(q, N), limit);
    ck_assert_int_eq(squares(q, before, N), nearest_distance(before, limit));
  }
}
END_TEST

START_TEST(what_fits_stays_and_what_does_not_uses_all_of_the_limit) {
  rung_rng rng = rung_rng_seed(4);
  for (int run = 0; run < 200; run++) {
    int8_t q[300], before[300];
    const int n = 1 + (int)rung_rng_below(&rng, 300);
    const int32_t limit = (int32_t)rung_rng_below(&rng, 20000);
    for (int i = 0; i < n; i++) before[i] = q[i] = (int8_t)((int)rung_rng_below(&rng, 256) - 128);
    accumulator_shrink(q, n, limit);
    const int64_t sum = sum_of(before, n);
    ck_assert_int_eq(sum_of(q, n), sum < limit ? sum : limit);
    for (int i = 0; i < n; i++) ck_assert(q[i] == 0 || (q[i] > 0) == (before[i] > 0));
  }
}
END_TEST

START_TEST(limits_are_those_of_the_definition) {
  ck_assert_int_eq(accumulator_limit(16, 255), 128);
  ck_assert_int_eq(accumulator_limit(16, 15), 2184);
  ck_assert_int_eq(accumulator_limit(16, 1), 32767);
  ck_assert_int_eq(accumulator_limit(32, 1), INT32_MAX);
  ck_assert_int_eq(accumulator_limit(0, 255), INT32_MAX);
}
END_TEST

TEST_MAIN(CASE(no_integers_within_the_limit_are_nearer), CASE(what_fits_stays_and_what_does_not_uses_all_of_the_limit),
          CASE(limits_are_those_of_the_definition))
