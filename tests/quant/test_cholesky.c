/* The Cholesky factor and the triangular inverse: they are what they say, within f32, for sizes around the block. */
#include "harness.h"
#include "ptq/cholesky.h"

#include <math.h>

static const int64_t sizes[] = {1, 2, 63, 64, 65, 130, 200};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

/* B B^T / n + 1/10 of the identity, B normal. */
static float *positive_definite(int64_t n) {
  rung_rng rng = rung_rng_seed((uint64_t)n);
  double *b = malloc((size_t)(n * n) * sizeof *b);
  float *a = malloc((size_t)(n * n) * sizeof *a);
  for (int64_t i = 0; i < n * n; i++) b[i] = (double)rung_rng_normal(&rng);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      for (int64_t k = 0; k < n; k++) sum += b[i * n + k] * b[j * n + k];
      a[i * n + j] = (float)(sum / (double)n + 0.1 * (i == j));
    }
  free(b);
  return a;
}

static float *copy_of(const float *a, int64_t n) {
  return memcpy(malloc((size_t)(n * n) * sizeof *a), a, (size_t)(n * n) * sizeof *a);
}

/* The largest difference between a b (b^T where `transposed`) and c; c NULL: the identity. */
static double product_error(const float *a, const float *b, bool transposed, const float *c, int64_t n) {
  double worst = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0, wanted = c ? (double)c[i * n + j] : i == j;
      for (int64_t k = 0; k < n; k++) sum += (double)a[i * n + k] * (double)b[transposed ? j * n + k : k * n + j];
      worst = fmax(worst, fabs(sum - wanted));
    }
  return worst;
}

START_TEST(factor_times_its_transpose_is_the_matrix) {
  const int64_t n = sizes[_i];
  float *a = positive_definite(n), *l = copy_of(a, n);
  ck_assert_int_eq(cholesky_factor(l, n, NULL), RUNG_OK);
  ck_assert_double_lt(product_error(l, l, true, a, n), 3e-6);
  for (int64_t i = 0; i < n; i++) {
    ENSURE(l[i * n + i] > 0);
    for (int64_t j = i + 1; j < n; j++) ENSURE(l[i * n + j] == 0);
  }
  free(a);
  free(l);
}
END_TEST

START_TEST(inverse_times_the_factor_is_the_identity) {
  const int64_t n = sizes[_i];
  float *l = positive_definite(n);
  ck_assert_int_eq(cholesky_factor(l, n, NULL), RUNG_OK);
  float *x = copy_of(l, n);
  ck_assert_int_eq(cholesky_invert(x, n, NULL), RUNG_OK);
  ck_assert_double_lt(product_error(x, l, false, NULL, n), 3e-5);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = i + 1; j < n; j++) ENSURE(x[i * n + j] == 0);
  free(l);
  free(x);
}
END_TEST

/* Only the lower triangle is read. */
START_TEST(upper_triangle_plays_no_part) {
  const int64_t n = 130;
  float *a = positive_definite(n), *b = copy_of(a, n);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = i + 1; j < n; j++) b[i * n + j] = NAN;
  ck_assert_int_eq(cholesky_factor(a, n, NULL), RUNG_OK);
  ck_assert_int_eq(cholesky_factor(b, n, NULL), RUNG_OK);
  ck_assert_mem_eq(a, b, (size_t)(n * n) * sizeof *a);
  free(a);
  free(b);
}
END_TEST

START_TEST(same_bits_for_every_team) {
  const int64_t n = 200;
  float *a = positive_definite(n), *alone = copy_of(a, n);
  ck_assert_int_eq(cholesky_factor(alone, n, NULL), RUNG_OK);
  ck_assert_int_eq(cholesky_invert(alone, n, NULL), RUNG_OK);
  for (int threads = 1; threads <= 5; threads += 2) {
    rung_team *team = rung_team_new(threads);
    float *together = copy_of(a, n);
    ck_assert_int_eq(cholesky_factor(together, n, team), RUNG_OK);
    ck_assert_int_eq(cholesky_invert(together, n, team), RUNG_OK);
    ck_assert_mem_eq(together, alone, (size_t)(n * n) * sizeof *a);
    free(together);
    rung_team_free(team);
  }
  free(a);
  free(alone);
}
END_TEST

/* Row and column `row` made those of the one before: singular. The pivot is then rounding, of either sign. */
START_TEST(what_is_not_positive_definite_is_refused) {
  const int64_t n = 130, rows[] = {1, 63, 64, 65, 129};
  for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
    float *a = positive_definite(n);
    const int64_t row = rows[r];
    for (int64_t k = 0; k < n; k++) a[row * n + k] = a[(row - 1) * n + k];
    for (int64_t k = 0; k < n; k++) a[k * n + row] = a[k * n + row - 1];
    ck_assert_int_eq(cholesky_factor(a, n, NULL), RUNG_ERROR_NUMERIC);
    free(a);
  }
  float bad[] = {1, 0, 2, 1}, nan[] = {NAN};
  ck_assert_int_eq(cholesky_factor(bad, 2, NULL), RUNG_ERROR_NUMERIC);
  ck_assert_int_eq(cholesky_factor(nan, 1, NULL), RUNG_ERROR_NUMERIC);
}
END_TEST

TEST_MAIN(CASES(factor_times_its_transpose_is_the_matrix, SIZES),
          CASES(inverse_times_the_factor_is_the_identity, SIZES), CASE(upper_triangle_plays_no_part),
          CASE(same_bits_for_every_team), CASE(what_is_not_positive_definite_is_refused))
