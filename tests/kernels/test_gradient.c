/* The int8 gradient: every level and split equals the plain loops; the plain loops equal the header's formulas; the
 * rounding is uniform, unbiased and without pattern. */
#include "harness.h"

#include <math.h>
#include <rung/kernels.h>

enum { most_rows = 9, most_columns = 75, extent = most_rows * (most_columns + 9) };

typedef struct problem {
  rung_gradient gradient;
  float g[extent], column_scale[most_columns], sum[most_columns];
  uint8_t mask[extent];
} problem;

static void problem_fill(problem *x, int64_t rows, int64_t columns, rung_rng *rng) {
  rung_gradient *gradient = &x->gradient;
  *gradient = (rung_gradient){.rows = rows, .columns = columns, .g = x->g};
  gradient->stride = columns + rung_rng_below(rng, 9);
  gradient->mask_stride = (columns + 7) / 8 + rung_rng_below(rng, 2);
  if (rung_rng_below(rng, 2)) gradient->mask = x->mask;
  if (rung_rng_below(rng, 2)) gradient->column_scale = x->column_scale;
  for (int i = 0; i < extent; i++) {
    x->g[i] = rung_rng_normal(rng) * (rung_rng_below(rng, 9) ? 1.0f : 1e-30f);
    if (rung_rng_below(rng, 50) == 0) x->g[i] = rung_rng_below(rng, 2) ? -0.0f : -1e30f;
    x->mask[i] = (uint8_t)rung_rng_u32(rng);
  }
  for (int j = 0; j < most_columns; j++) x->column_scale[j] = rung_rng_normal(rng), x->sum[j] = rung_rng_normal(rng);
}

static float masked(const rung_gradient *gradient, int64_t i, int64_t j) {
  bool keep = !gradient->mask || (gradient->mask[i * gradient->mask_stride + j / 8] & (1 << j % 8));
  return keep ? gradient->g[i * gradient->stride + j] : 0.0f;
}

static float scaled(const rung_gradient *gradient, int64_t i, int64_t j) {
  return masked(gradient, i, j) * (gradient->column_scale ? gradient->column_scale[j] : 1.0f);
}

/* What the kernel column_sum makes of the masked gradient, and the largest magnitudes by fmaxf. */
START_TEST(range_is_that_of_the_masked_gradient) {
  static problem x;
  rung_rng rng = rung_rng_seed((uint64_t)_i);
  int64_t columns = 1 + rung_rng_below(&rng, most_columns), rows = rung_rng_below(&rng, most_rows + 1);
  problem_fill(&x, rows, columns, &rng);
  float dense[extent], expected[most_columns], got[most_columns + 1], max = 0, max_scaled = 0;
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) {
      dense[i * columns + j] = masked(&x.gradient, i, j);
      max = fmaxf(max, fabsf(masked(&x.gradient, i, j)));
      max_scaled = fmaxf(max_scaled, fabsf(scaled(&x.gradient, i, j)));
    }
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    const rung_kernels *level = rung_kernels_level(l);
    for (int variant = 0; level && variant < 3; variant++) {
      float a = -1, b = -1;
      memcpy(expected, x.sum, sizeof expected);
      memcpy(got, x.sum, sizeof expected);
      got[columns] = 77;
      if (variant < 2) rung_kernels_level(0)->column_sum(expected, dense, rows, columns, columns, variant);
      level->gradient_range(&x.gradient, &a, &b, variant < 2 ? got : NULL, variant);
      ck_assert_float_eq(a, max);
      ck_assert_float_eq(b, max_scaled);
      ck_assert_mem_eq(got, expected, (size_t)columns * sizeof(float));
      ck_assert_float_eq(got[columns], 77);
    }
  }
}
END_TEST

/* The codes in memory that must stay as it was between the rows. */
typedef struct codes {
  int8_t q[extent], q_scaled[extent];
} codes;

static codes quantize(const rung_kernels *level, const rung_gradient *gradient, rung_gradient_codes to) {
  codes out;
  memset(&out, 0x5a, sizeof out);
  to.q = to.q ? out.q : NULL;
  to.q_scaled = to.q_scaled ? out.q_scaled : NULL;
  level->gradient_quantize(gradient, &to);
  return out;
}

static rung_gradient_codes any_codes(int64_t columns, rung_rng *rng) {
  static int8_t some;
  rung_gradient_codes to = {.key = rung_rng_u32(rng) * (uint64_t)0x123456789abcdefu,
                            .first_row = rung_rng_below(rng, 999)};
  to.first_column = rung_rng_below(rng, 999);
  to.q_stride = columns + rung_rng_below(rng, 9);
  to.q_scaled_stride = columns + rung_rng_below(rng, 9);
  to.inverse_scale = rung_rng_uniform(rng) * 100;
  to.inverse_scale_scaled = rung_rng_uniform(rng) * 100;
  to.q = rung_rng_below(rng, 4) ? &some : NULL;
  to.q_scaled = rung_rng_below(rng, 4) ? &some : NULL;
  return to;
}

START_TEST(every_level_equals_ref) {
  static problem x;
  rung_rng rng = rung_rng_seed(100 + (uint64_t)_i);
  problem_fill(&x, 1 + rung_rng_below(&rng, most_rows), 1 + _i, &rng);
  rung_gradient_codes to = any_codes(x.gradient.columns, &rng);
  codes expected = quantize(rung_kernels_level(0), &x.gradient, to);
  for (int l = 1; l < rung_kernels_level_count(); l++) {
    if (!rung_kernels_level(l)) continue;
    codes got = quantize(rung_kernels_level(l), &x.gradient, to);
    ck_assert_msg(memcmp(&expected, &got, sizeof got) == 0, "level %s", rung_kernels_level(l)->level);
  }
}
END_TEST

/* The header's formula in double: floor(clamp(x / s) + u), u from the published bits. */
START_TEST(codes_follow_the_formula) {
  static problem x;
  rung_rng rng = rung_rng_seed(200 + (uint64_t)_i);
  problem_fill(&x, most_rows, most_columns, &rng);
  rung_gradient_codes to = any_codes(most_columns, &rng);
  to.q = to.q_scaled = (int8_t *)x.mask;
  codes got = quantize(rung_kernels_level(0), &x.gradient, to);
  for (int64_t i = 0; i < most_rows; i++) {
    uint64_t key = rung_gradient_row_key(to.key, to.first_row + i);
    for (int64_t j = 0; j < most_columns; j++) {
      uint32_t bits = rung_gradient_bits(key, (uint32_t)(to.first_column + j));
      double plain = fmin(fmax(masked(&x.gradient, i, j) * to.inverse_scale, -127), 127);
      double scaled_value = fmin(fmax(scaled(&x.gradient, i, j) * to.inverse_scale_scaled, -127), 127);
      plain = rint(plain * 32768) / 32768, scaled_value = rint(scaled_value * 32768) / 32768;
      ENSURE(got.q[i * to.q_stride + j] == floor(plain + (bits >> 17) / 32768.0));
      ENSURE(got.q_scaled[i * to.q_scaled_stride + j] == floor(scaled_value + (bits & 0x7fff) / 32768.0));
    }
  }
}
END_TEST

/* The four quarters of a tensor, each as a part of its own, give the codes of the whole. */
START_TEST(any_split_gives_the_same_codes) {
  static problem x;
  rung_rng rng = rung_rng_seed(300 + (uint64_t)_i);
  problem_fill(&x, most_rows, most_columns, &rng);
  rung_gradient_codes to = any_codes(most_columns, &rng);
  static int8_t whole[extent], part[extent];
  to.q = whole, to.q_scaled = NULL;
  memset(whole, 1, sizeof whole);
  memset(part, 1, sizeof part);
  const rung_kernels *level = rung_kernels_active();
  level->gradient_quantize(&x.gradient, &to);
  int64_t row = 1 + rung_rng_below(&rng, most_rows - 1),
          column = 8 * (1 + (int64_t)rung_rng_below(&rng, most_columns / 8));
  for (int quarter = 0; quarter < 4; quarter++) {
    int64_t i = quarter & 1 ? row : 0, j = quarter & 2 ? column : 0;
    rung_gradient g = x.gradient;
    g.rows = quarter & 1 ? most_rows - row : row;
    g.columns = quarter & 2 ? most_columns - column : column;
    g.g += i * g.stride + j;
    if (g.mask) g.mask += i * g.mask_stride + j / 8;
    if (g.column_scale) g.column_scale += j;
    rung_gradient_codes here = to;
    here.first_row += i, here.first_column += j, here.q = part + i * to.q_stride + j;
    level->gradient_quantize(&g, &here);
  }
  ck_assert_mem_eq(whole, part, sizeof whole);
}
END_TEST

/* Whole numbers stay, with any bits; +-infinity and what is out of range saturates. */
START_TEST(whole_numbers_stay_and_others_saturate) {
  enum { count = 255 };
  static float g[count + 4];
  static int8_t q[count + 4];
  for (int i = 0; i < count; i++) g[i] = (float)(i - 127);
  g[count] = INFINITY, g[count + 1] = -INFINITY, g[count + 2] = 127.9f, g[count + 3] = -1e38f;
  rung_gradient gradient = {.rows = 1, .columns = count + 4, .g = g};
  rung_gradient_codes to = {.q = q, .inverse_scale = 1.0f};
  for (to.key = 0; to.key < 500; to.key++) {
    rung_kernels_active()->gradient_quantize(&gradient, &to);
    for (int i = 0; i < count; i++) ENSURE(q[i] == i - 127);
    ENSURE(q[count] == 127 && q[count + 1] == -127 && q[count + 2] == 127 && q[count + 3] == -127);
  }
}
END_TEST

/* The mean over many places and keys is the value: within 5 standard deviations of the mean, at every fraction. */
START_TEST(rounding_is_unbiased) {
  enum { columns = 500, rows = 200, fractions = 16 };
  static float g[columns];
  static int8_t q[columns], q_scaled[columns];
  for (int f = 0; f < fractions; f++) {
    double x = (f - 8) * 3.7 + f / 16.0, sum = 0, sum_scaled = 0;
    for (int j = 0; j < columns; j++) g[j] = (float)x;
    rung_gradient gradient = {.rows = 1, .columns = columns, .g = g};
    rung_gradient_codes to = {.q = q, .q_scaled = q_scaled, .inverse_scale = 1.0f, .inverse_scale_scaled = 1.0f};
    for (to.first_row = 0; to.first_row < rows; to.first_row++) {
      to.key = (uint64_t)(f * 1000 + to.first_row / 20);
      rung_kernels_active()->gradient_quantize(&gradient, &to);
      for (int j = 0; j < columns; j++) sum += q[j], sum_scaled += q_scaled[j];
    }
    double fraction = x - floor(x), n = (double)columns * rows,
           bound = 5 * sqrt(fraction * (1 - fraction) / n) + 0x1p-15;
    ck_assert_double_le(fabs(sum / n - x), bound);
    ck_assert_double_le(fabs(sum_scaled / n - x), bound);
  }
}
END_TEST

/* chi-squared of `bins` equal bins of `n` draws, in standard deviations from its mean. */
static double chi_squared(const int *count, int bins, double n) {
  double sum = 0;
  for (int b = 0; b < bins; b++) sum += (count[b] - n / bins) * (count[b] - n / bins) / (n / bins);
  return (sum - (bins - 1)) / sqrt(2.0 * (bins - 1));
}

/* Both numbers of a place fall evenly into bins; so do the pairs of one place, of neighbours in a row at several
 * distances, of neighbours in a column, and of two keys that differ by a bit. */
START_TEST(bits_are_uniform_and_without_pattern) {
  enum { rows = 256, columns = 1024, side = 32, kinds = 7 };
  static const int across[kinds] = {0, 1, 2, 16, 512, 0, 0};
  static int count[side * side];
  memset(count, 0, sizeof count);
  for (int64_t i = 0; i < rows; i++) {
    uint64_t key = rung_gradient_row_key(42, i), other = key;
    if (_i == 5) other = rung_gradient_row_key(42, i + 1);
    if (_i == 6) other = rung_gradient_row_key(43, i);
    for (uint32_t j = 0; j < columns; j++) {
      uint32_t a = rung_gradient_bits(key, j), b = rung_gradient_bits(other, j + (uint32_t)across[_i]);
      uint32_t second = _i == 0 ? (b & 0x7fff) >> 10 : b >> 27;
      count[(a >> 27) * side + second]++;
    }
  }
  ck_assert_double_le(fabs(chi_squared(count, side * side, (double)rows * columns)), 5.0);
}
END_TEST

TEST_MAIN(CASES(range_is_that_of_the_masked_gradient, 40), CASES(every_level_equals_ref, most_columns),
          CASES(codes_follow_the_formula, 4), CASES(any_split_gives_the_same_codes, 12),
          CASE(whole_numbers_stay_and_others_saturate), CASE(rounding_is_unbiased),
          CASES(bits_are_uniform_and_without_pattern, 7))
