#include "quant_data.h"

#include "golden/quant.h"

/* Ranges of every size and place: exponents -30 .. 30 apart from each other. */
static void random_range(rung_rng *rng, float *rmin, float *rmax) {
  float a = ldexpf(rung_rng_normal(rng), (int)rung_rng_below(rng, 61) - 30);
  float b = ldexpf(rung_rng_normal(rng), (int)rung_rng_below(rng, 61) - 30);
  *rmin = fminf(a, b);
  *rmax = fmaxf(a, b);
}

static float dequantize(int32_t q, float scale, int32_t zero_point) {
  return scale * (float)(q - zero_point);
}

START_TEST(zero_is_exact_and_the_range_is_covered) {
  const rung_format *format = &formats[_i];
  rung_rng rng = rung_rng_seed(1);
  int32_t qmin, qmax;
  rung_format_range(format, &qmin, &qmax);
  for (int trial = 0; trial < 2000; trial++) {
    float rmin, rmax, scale;
    int32_t zero_point;
    random_range(&rng, &rmin, &rmax);
    ck_assert_int_eq(rung_qparams(format, rmin, rmax, &scale, &zero_point), RUNG_OK);
    ENSURE(isnormal(scale) && scale > 0 && zero_point >= qmin && zero_point <= qmax);
    ENSURE(!format->symmetric || zero_point == 0);
    ENSURE(plain_quantize(0, scale, zero_point, qmin, qmax) == zero_point);
    float ends[] = {fminf(rmin, 0), fmaxf(rmax, 0)}; /* rounding the zero point may cost half a step, the other end
                                                        half a step more */
    for (int e = 0; e < 2; e++) {
      float back = dequantize(plain_quantize(ends[e], scale, zero_point, qmin, qmax), scale, zero_point);
      ENSURE(fabsf(back - ends[e]) <= scale * 1.0001f);
    }
  }
}
END_TEST

START_TEST(every_integer_comes_back) {
  const rung_format *format = &formats[_i];
  const rung_kernels *kernels = rung_kernels_active();
  rung_rng rng = rung_rng_seed(2);
  int32_t qmin, qmax;
  rung_format_range(format, &qmin, &qmax);
  int n = qmax - qmin + 1;
  for (int trial = 0; trial < 200; trial++) {
    float rmin, rmax, scale, real[256];
    int32_t zero_point;
    random_range(&rng, &rmin, &rmax);
    ck_assert_int_eq(rung_qparams(format, rmin, rmax, &scale, &zero_point), RUNG_OK);
    for (int i = 0; i < n; i++) real[i] = dequantize(qmin + i, scale, zero_point);
    int8_t signed_q[256];
    uint8_t unsigned_q[256];
    if (format->is_signed)
      kernels->quantize_i8(signed_q, real, n, 1 / scale, zero_point, qmin, qmax);
    else
      kernels->quantize_u8(unsigned_q, real, n, 1 / scale, zero_point, qmin, qmax);
    for (int i = 0; i < n; i++) ENSURE((format->is_signed ? signed_q[i] : unsigned_q[i]) == qmin + i);
  }
}
END_TEST

START_TEST(the_range_is_widened_to_hold_zero) {
  for (int i = 0; i < LENGTH(formats); i++) {
    float a, b;
    int32_t za, zb;
    ck_assert_int_eq(rung_qparams(&formats[i], 2, 5, &a, &za), RUNG_OK);
    ck_assert_int_eq(rung_qparams(&formats[i], 0, 5, &b, &zb), RUNG_OK);
    ck_assert(a == b && za == zb);
    ck_assert_int_eq(rung_qparams(&formats[i], -5, -2, &a, &za), RUNG_OK);
    ck_assert_int_eq(rung_qparams(&formats[i], -5, 0, &b, &zb), RUNG_OK);
    ck_assert(a == b && za == zb);
  }
}
END_TEST

START_TEST(ranges_without_width_and_of_any_width_have_a_scale) {
  static const float widths[] = {FLT_MIN, FLT_MIN / 8388608, FLT_MIN * 3, 1e-37f, FLT_MAX};
  for (int i = 0; i < LENGTH(formats); i++) {
    float scale;
    int32_t zero_point, qmin, qmax;
    rung_format_range(&formats[i], &qmin, &qmax);
    ck_assert_int_eq(rung_qparams(&formats[i], 0, 0, &scale, &zero_point), RUNG_OK);
    ck_assert(scale == 1 && zero_point == (formats[i].symmetric ? 0 : qmin));
    ck_assert_int_eq(rung_qparams(&formats[i], -0.0f, 0, &scale, &zero_point), RUNG_OK);
    ck_assert(scale == 1);
    for (int k = 0; k < LENGTH(widths); k++)
      for (int side = -1; side <= 1; side++) {
        float rmin = side <= 0 ? -widths[k] : 0, rmax = side >= 0 ? widths[k] : 0;
        ck_assert_int_eq(rung_qparams(&formats[i], rmin, rmax, &scale, &zero_point), RUNG_OK);
        ck_assert(isnormal(scale) && isfinite(1 / scale) && zero_point >= qmin && zero_point <= qmax);
      }
    ck_assert_int_eq(rung_qparams(&formats[i], 0, FLT_MIN, &scale, &zero_point), RUNG_OK);
    ck_assert(scale == FLT_MIN);
    ck_assert_int_eq(rung_qparams(&formats[i], -FLT_MAX, FLT_MAX, &scale, &zero_point), RUNG_OK);
    double expected = 2 * (double)FLT_MAX / (qmax - qmin); /* though the width overflows */
    ck_assert(fabs((double)scale - expected) <= 1e-6 * expected);
  }
}
END_TEST

START_TEST(impossible_ranges_are_refused) {
  static const float wrong[][2] = {{NAN, 1}, {-1, NAN}, {-INFINITY, 1}, {-1, INFINITY}, {1, -1}};
  for (int i = 0; i < LENGTH(wrong); i++) {
    float scale = 7;
    int32_t zero_point = 7;
    ck_assert_int_eq(rung_qparams(&formats[0], wrong[i][0], wrong[i][1], &scale, &zero_point), RUNG_ERROR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(rung_error(), "expected finite bounds in ascending order"));
    ck_assert(scale == 7 && zero_point == 7);
  }
}
END_TEST

/* |m - M 2^-n| <= 2^-30 m, the least that an odd M can promise, and M is the odd number nearest. */
START_TEST(multiplier_is_the_nearest_odd_one) {
  rung_rng rng = rung_rng_seed(3);
  for (int trial = 0; trial < 200000; trial++) {
    double fraction = ldexp(((double)rung_rng_u32(&rng) * 0x1p21 + rung_rng_below(&rng, 1 << 21)) + 0x1p53, -54);
    double m = ldexp(fraction, (int)rung_rng_below(&rng, 62) - 31); /* fraction in [1/2, 1) */
    int32_t multiplier, shift;
    ENSURE(rung_multiplier_from_real(m, &multiplier, &shift) == RUNG_OK);
    ENSURE(multiplier >= 1 << 30 && multiplier % 2 == 1 && shift >= 1 && shift <= 62);
    double v = ldexp(m, shift);
    ENSURE(v >= 0x1p30 && v < 0x1p31 && fabs(v - multiplier) <= 1);
    ENSURE(fabs(m - ldexp(multiplier, -shift)) <= m * 0x1p-30);
  }
}
END_TEST

START_TEST(multiplier_at_the_ends) {
  static const struct {
    double m;
    int32_t multiplier, shift;
  } known[] = {{1, (1 << 30) + 1, 30},
               {0.5, (1 << 30) + 1, 31},
               {0x1p-32, (1 << 30) + 1, 62},
               {0x1.fffffffffffffp-33, 0, 1},
               {1e-300, 0, 1},
               {DBL_TRUE_MIN, 0, 1},
               {0x1.fffffffffffffp29, INT32_MAX, 1}, /* would round up to 2^31 */
               {0x1.fffffffffffffp-1, INT32_MAX, 31},
               {0.75, 3 * (1 << 29) + 1, 31}};
  int32_t multiplier, shift;
  for (int i = 0; i < LENGTH(known); i++) {
    ck_assert_int_eq(rung_multiplier_from_real(known[i].m, &multiplier, &shift), RUNG_OK);
    ck_assert_int_eq(multiplier, known[i].multiplier);
    ck_assert_int_eq(shift, known[i].shift);
  }
  static const double wrong[] = {0, -0.0, -1, 0x1p30, 1e300, INFINITY, NAN};
  for (int i = 0; i < LENGTH(wrong); i++) {
    ck_assert_int_eq(rung_multiplier_from_real(wrong[i], &multiplier, &shift), RUNG_ERROR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(rung_error(), "expected more than 0 and less than 2^30"));
  }
}
END_TEST

/* Rows of several kinds: ordinary, zeros, one value, tiny, huge, infinite. */
enum { ROWS = 9, COLUMNS = 70 };
static void fill_rows(float *w) {
  fill(w, ROWS * COLUMNS, 0, 4);
  for (int i = 0; i < COLUMNS; i++) {
    w[2 * COLUMNS + i] = 0;
    w[3 * COLUMNS + i] = i == 11 ? -3.5f : 0;
    w[4 * COLUMNS + i] *= 1e-42f;
    w[5 * COLUMNS + i] *= 1e37f;
    w[6 * COLUMNS + i] = i % 2 ? -0.0f : 0.0f;
  }
  w[7 * COLUMNS + 3] = INFINITY;
  w[7 * COLUMNS + 4] = -INFINITY;
}

static const int64_t groups[] = {0, 4, 32, 68, 70, 1000};

START_TEST(rows_are_quantized_as_the_equations_say) {
  float w[ROWS * COLUMNS], scale[ROWS * COLUMNS];
  int8_t q[ROWS * COLUMNS];
  fill_rows(w);
  int64_t group = groups[_i], width = group ? group : COLUMNS, count = (COLUMNS + width - 1) / width;
  for (int bits = 2; bits <= 8; bits++) {
    const rung_format format = {bits, true, true};
    int32_t qmax = (1 << (bits - 1)) - 1;
    rung_quantize_rows(&format, w, ROWS, COLUMNS, group, q, scale);
    for (int64_t i = 0; i < ROWS * COLUMNS; i++) {
      int64_t row = i / COLUMNS, first = i % COLUMNS / width * width;
      float absmax = 0, s = scale[row * count + i % COLUMNS / width];
      for (int64_t k = first; k < first + width && k < COLUMNS; k++)
        absmax = fmaxf(absmax, fabsf(w[row * COLUMNS + k]));
      ENSURE(isnormal(s) && isfinite(1 / s));
      ENSURE(s == (absmax == 0 ? 1 : fminf(fmaxf(absmax / (float)qmax, FLT_MIN), FLT_MAX)));
      ENSURE(q[i] == plain_quantize(w[i], s, 0, -qmax, qmax));
    }
  }
}
END_TEST

START_TEST(rows_are_the_same_at_every_level) {
  float w[ROWS * COLUMNS], scale[ROWS * COLUMNS], expected_scale[ROWS * COLUMNS] = {0};
  int8_t q[ROWS * COLUMNS], expected_q[ROWS * COLUMNS] = {0};
  fill_rows(w);
  const char *active = rung_kernels_active()->level;
  for (int bits = 1; bits <= 8; bits++) {
    const rung_format format = {bits, true, true};
    for (int level = 0; level < rung_kernels_level_count(); level++) {
      if (!rung_kernels_level(level)) continue;
      ck_assert_int_eq(rung_kernels_use(rung_kernels_level(level)->level), RUNG_OK);
      rung_quantize_rows(&format, w, ROWS, COLUMNS, 0, level ? q : expected_q, level ? scale : expected_scale);
      if (level == 0) continue;
      ck_assert_mem_eq(q, expected_q, sizeof q);
      ck_assert_mem_eq(scale, expected_scale, ROWS * sizeof *scale);
    }
  }
  ck_assert_int_eq(rung_kernels_use(active), RUNG_OK);
}
END_TEST

START_TEST(row_scales_are_those_of_pytorch) {
  float *values = load_floats("quant_values.bin", 4096), scale[16];
  float *golden = load_floats("quant_fake.bin", LENGTH(golden_fake) * 512 + LENGTH(golden_weight_bits) * 2064);
  int8_t q[1024];
  for (int i = 0; i < LENGTH(golden_weight_bits); i++) {
    const rung_format format = {golden_weight_bits[i], true, true};
    rung_quantize_rows(&format, values + 1024, 16, 64, 0, q, scale);
    ck_assert_mem_eq(scale, golden + LENGTH(golden_fake) * 512 + i * 2064, sizeof scale);
  }
  free(values);
  free(golden);
}
END_TEST

START_TEST(binary_rows_are_signs_times_the_mean_magnitude) {
  float w[ROWS * COLUMNS], scale[ROWS];
  int8_t q[ROWS * COLUMNS];
  const rung_format binary = {1, true, true};
  fill_rows(w);
  rung_quantize_rows(&binary, w, ROWS, COLUMNS, 0, q, scale);
  for (int row = 0; row < ROWS; row++) {
    double mean = 0;
    for (int i = 0; i < COLUMNS; i++) mean += (double)fabsf(w[row * COLUMNS + i]) / COLUMNS;
    double expected = fmin(fmax(mean, (double)FLT_MIN), (double)FLT_MAX);
    ck_assert(isnormal(scale[row]) && fabs((double)scale[row] - expected) <= expected * 1e-7);
    for (int i = 0; i < COLUMNS; i++) ck_assert_int_eq(q[row * COLUMNS + i], w[row * COLUMNS + i] >= 0 ? 1 : -1);
  }
}
END_TEST

START_TEST(quantizing_rows_allocates_nothing) {
  float w[ROWS * COLUMNS], scale[ROWS];
  int8_t q[ROWS * COLUMNS];
  fill_rows(w);
  uint64_t before = rung_allocation_count();
  rung_quantize_rows(&(rung_format){4, true, true}, w, ROWS, COLUMNS, 0, q, scale);
  ck_assert_uint_eq(rung_allocation_count(), before);
}
END_TEST

TEST_MAIN(CASES(zero_is_exact_and_the_range_is_covered, LENGTH(formats)),
          CASES(every_integer_comes_back, LENGTH(formats)), CASE(the_range_is_widened_to_hold_zero),
          CASE(ranges_without_width_and_of_any_width_have_a_scale), CASE(impossible_ranges_are_refused),
          CASE(multiplier_is_the_nearest_odd_one), CASE(multiplier_at_the_ends),
          CASES(rows_are_quantized_as_the_equations_say, LENGTH(groups)), CASE(rows_are_the_same_at_every_level),
          CASE(row_scales_are_those_of_pytorch), CASE(binary_rows_are_signs_times_the_mean_magnitude),
          CASE(quantizing_rows_allocates_nothing))
