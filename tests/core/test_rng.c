#include "harness.h"
#include "rung/core.h"

#include <math.h>
#include <stdio.h>

/* The known answers that Random123 ships for philox4x32-10 (kat_vectors). */
START_TEST(philox_gives_the_known_answers) {
  static const struct {
    rung_rng rng;
    uint64_t block;
    uint32_t answer[4];
  } known[] = {
      {{0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{.key = UINT64_MAX, .stream = UINT64_MAX}, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{.key = 0x299f31d0a4093822, .stream = 0x0370734413198a2e},
       0x85a308d3243f6a88,
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    uint32_t out[4];
    rung_rng_block(&known[i].rng, known[i].block, out);
    for (int k = 0; k < 4; k++) ck_assert_uint_eq(out[k], known[i].answer[k]);
  }
}
END_TEST

START_TEST(numbers_are_the_blocks_in_order) {
  rung_rng rng = rung_rng_seed(3);
  for (uint64_t block = 0; block < 10; block++) {
    uint32_t out[4];
    rung_rng_block(&rng, block, out);
    for (int k = 0; k < 4; k++) ck_assert_uint_eq(rung_rng_u32(&rng), out[k]);
  }
  ck_assert_uint_eq(rng.index, 40);
}
END_TEST

START_TEST(a_copy_remembers_the_place) {
  rung_rng rng = rung_rng_seed(9);
  for (int i = 0; i < 13; i++) rung_rng_normal(&rng);
  rung_rng place = rng;
  float first[8];
  for (int i = 0; i < 8; i++) first[i] = rung_rng_normal(&rng);
  for (int i = 0; i < 8; i++) ck_assert(rung_rng_normal(&place) == first[i]);
}
END_TEST

START_TEST(split_depends_on_parent_and_label_alone) {
  rung_rng parent = rung_rng_seed(5), moved = parent, other = rung_rng_seed(6);
  rung_rng_u32(&moved);
  rung_rng a = rung_rng_split(&parent, 1), b = rung_rng_split(&parent, 2);
  rung_rng again = rung_rng_split(&moved, 1), cousin = rung_rng_split(&other, 1), grandchild = rung_rng_split(&a, 1);
  ck_assert_uint_eq(parent.index, 0);
  ck_assert(a.key == again.key && a.stream == again.stream && a.index == 0);
  ck_assert(a.key != b.key && a.stream != b.stream);
  ck_assert(a.key != cousin.key && a.key != grandchild.key);
}
END_TEST

/* Correlation of n pairs of uniform numbers: its standard deviation is 1 / sqrt(n). */
static double correlation(rung_rng a, rung_rng b, int n) {
  double sum = 0;
  for (int i = 0; i < n; i++) sum += (rung_rng_uniform(&a) - 0.5) * (rung_rng_uniform(&b) - 0.5);
  return sum / n * 12;
}

START_TEST(children_are_independent) {
  const int n = 20000;
  rung_rng parent = rung_rng_seed(7);
  for (uint64_t label = 0; label < 8; label++) {
    rung_rng child = rung_rng_split(&parent, label), next = rung_rng_split(&parent, label + 1);
    ck_assert_double_lt(fabs(correlation(parent, child, n)), 4.0 / sqrt(n));
    ck_assert_double_lt(fabs(correlation(child, next, n)), 4.0 / sqrt(n));
    ck_assert_double_lt(fabs(correlation(rung_rng_seed(label), rung_rng_seed(label + 1), n)), 4.0 / sqrt(n));
  }
}
END_TEST

START_TEST(uniform_fills_its_range_evenly) {
  enum { N = 160000, BINS = 64 };
  int bins[BINS] = {0};
  double sum = 0, chi_square = 0;
  rung_rng rng = rung_rng_seed(11);
  for (int i = 0; i < N; i++) {
    float x = rung_rng_uniform(&rng);
    ENSURE(x >= 0.0f && x < 1.0f);
    ENSURE(x * 0x1p24f == floorf(x * 0x1p24f));
    bins[(int)(x * BINS)]++;
    sum += x;
  }
  for (int i = 0; i < BINS; i++) chi_square += pow(bins[i] - (double)N / BINS, 2) / ((double)N / BINS);
  ck_assert_double_lt(fabs(sum / N - 0.5), 4 * sqrt(1.0 / 12 / N));
  ck_assert_double_lt(chi_square, 63 + 4 * sqrt(2 * 63.0)); /* mean 63, variance 126 */
  ck_assert_double_gt(chi_square, 63 - 4 * sqrt(2 * 63.0));
}
END_TEST

START_TEST(below_is_in_range_and_reaches_all) {
  rung_rng rng = rung_rng_seed(12);
  for (uint32_t bound = 1; bound <= 20; bound++) {
    uint32_t seen = 0;
    for (int i = 0; i < 400; i++) {
      uint32_t value = rung_rng_below(&rng, bound);
      ENSURE(value < bound);
      seen |= UINT32_C(1) << value;
    }
    ck_assert_uint_eq(seen, (UINT32_C(1) << bound) - 1);
  }
  for (int i = 0; i < 1000; i++) ENSURE(rung_rng_below(&rng, UINT32_MAX) < UINT32_MAX);
}
END_TEST

/* With 3 * 2^30 numbers to choose from, a bare product (or remainder) makes a third of them twice as likely. */
START_TEST(below_is_without_bias) {
  enum { N = 100000 };
  const uint32_t bound = UINT32_C(3) << 30;
  int by_remainder[3] = {0}, by_third[3] = {0};
  rung_rng rng = rung_rng_seed(13);
  for (int i = 0; i < N; i++) {
    uint32_t value = rung_rng_below(&rng, bound);
    by_remainder[value % 3]++;
    by_third[value >> 30]++;
  }
  double deviation = sqrt(N * (1.0 / 3) * (2.0 / 3));
  for (int i = 0; i < 3; i++) {
    ck_assert_double_lt(fabs(by_remainder[i] - N / 3.0), 4 * deviation);
    ck_assert_double_lt(fabs(by_third[i] - N / 3.0), 4 * deviation);
  }
}
END_TEST

START_TEST(normal_matches_an_independent_implementation) {
  float golden[1024];
  FILE *file = fopen(TEST_DATA "/golden/rng_normal.bin", "rb");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fread(golden, sizeof golden[0], 1024, file), 1024);
  fclose(file);
  rung_rng rng = rung_rng_seed(2024);
  for (int i = 0; i < 1024; i++) {
    float x = rung_rng_normal(&rng);
    ck_assert_msg(memcmp(&x, &golden[i], sizeof x) == 0, "number %d is %a, wanted %a", i, x, golden[i]);
  }
}
END_TEST

static double cumulative(double x) {
  return 0.5 * erfc(-x / sqrt(2.0));
}

static int ascending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

START_TEST(normal_has_the_normal_distribution) {
  enum { N = 200000 };
  float *x = rung_allocate(N * sizeof *x);
  double moment[5] = {0};
  int beyond[5] = {0};
  rung_rng rng = rung_rng_seed(14);
  for (int i = 0; i < N; i++) {
    x[i] = rung_rng_normal(&rng);
    for (int k = 1; k <= 4; k++) moment[k] += pow(x[i], k) / N;
    for (int k = 1; k <= 4; k++) beyond[k] += fabsf(x[i]) > (float)k;
  }
  /* the variances of the sample moments 1 to 4 are 1, 2, 15 and 96 over n */
  ck_assert_double_lt(fabs(moment[1]), 4 * sqrt(1.0 / N));
  ck_assert_double_lt(fabs(moment[2] - 1), 4 * sqrt(2.0 / N));
  ck_assert_double_lt(fabs(moment[3]), 4 * sqrt(15.0 / N));
  ck_assert_double_lt(fabs(moment[4] - 3), 4 * sqrt(96.0 / N));
  for (int k = 1; k <= 4; k++) {
    double expected = N * 2 * cumulative(-k);
    ck_assert_double_lt(fabs(beyond[k] - expected), 4 * sqrt(expected));
  }
  qsort(x, N, sizeof *x, ascending);
  double distance = 0; /* Kolmogorov and Smirnov: above 1.95 / sqrt(n) once in 1000 */
  for (int i = 0; i < N; i++) distance = fmax(distance, fabs(cumulative(x[i]) - (i + 0.5) / N));
  ck_assert_double_lt(distance, 1.95 / sqrt(N));
  rung_release(x);
}
END_TEST

START_TEST(permutation_is_one) {
  uint32_t order[1000];
  bool seen[1000];
  rung_rng rng = rung_rng_seed(15);
  for (uint32_t count = 0; count <= 1000; count = count < 10 ? count + 1 : count * 10) {
    memset(seen, 0, sizeof seen);
    rung_rng_permutation(&rng, order, count);
    for (uint32_t i = 0; i < count; i++) {
      ck_assert(order[i] < count && !seen[order[i]]);
      seen[order[i]] = true;
    }
  }
}
END_TEST

START_TEST(permutations_are_equally_likely) {
  enum { N = 24000 };
  int seen[4 * 4 * 4] = {0}, distinct = 0;
  rung_rng rng = rung_rng_seed(16);
  for (int i = 0; i < N; i++) {
    uint32_t order[4];
    rung_rng_permutation(&rng, order, 4);
    seen[order[0] * 16 + order[1] * 4 + order[2]]++;
  }
  for (int i = 0; i < 64; i++) {
    if (seen[i] == 0) continue;
    distinct++;
    ck_assert_double_lt(abs(seen[i] - N / 24), 4 * sqrt(N / 24.0));
  }
  ck_assert_int_eq(distinct, 24);
}
END_TEST

TEST_MAIN(CASE(philox_gives_the_known_answers), CASE(numbers_are_the_blocks_in_order), CASE(a_copy_remembers_the_place),
          CASE(split_depends_on_parent_and_label_alone), CASE(children_are_independent),
          CASE(uniform_fills_its_range_evenly), CASE(below_is_in_range_and_reaches_all), CASE(below_is_without_bias),
          CASE(normal_matches_an_independent_implementation), CASE(normal_has_the_normal_distribution),
          CASE(permutation_is_one), CASE(permutations_are_equally_likely))
