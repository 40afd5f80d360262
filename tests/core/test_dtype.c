#include "harness.h"
#include "rung/core.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

/* The narrow formats, described anew from their standards, not from src/core/dtype.c. */
static const struct {
  rung_dtype type;
  const char *name;
  int bits, fraction_bits, bias;
  uint32_t largest, nan_from, nan_to; /* codes without a sign */
  double overflow;                    /* where rounding leaves the finite numbers */
  double most, least;                 /* the largest number, the smallest above 0 */
} formats[] = {
    {RUNG_F16, "f16", 16, 10, 15, 0x7BFF, 0x7C01, 0x7FFF, 65520.0, 65504.0, 0x1p-24},
    {RUNG_BF16, "bf16", 16, 7, 127, 0x7F7F, 0x7F81, 0x7FFF, 0x1.FFp127, 0x1.FEp127, 0x1p-133},
    {RUNG_E4M3, "e4m3", 8, 3, 7, 0x7E, 0x7F, 0x7F, 464.0, 448.0, 0x1p-9},
    {RUNG_E5M2, "e5m2", 8, 2, 15, 0x7B, 0x7D, 0x7F, 61440.0, 57344.0, 0x1p-16},
};
#define FORMATS 4

static uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* The value of a finite code without a sign, by its definition, in double. */
static double value_of(int f, uint32_t code) {
  int fraction_bits = formats[f].fraction_bits;
  uint32_t biased = code >> fraction_bits, fraction = code & ((UINT32_C(1) << fraction_bits) - 1);
  double one = pow(2.0, fraction_bits);
  if (biased == 0) return pow(2.0, 1 - formats[f].bias) * (fraction / one);
  return pow(2.0, (int)biased - formats[f].bias) * (1 + fraction / one);
}

/* The code nearest to x by search over all of them, NaN and signs aside. */
static uint32_t nearest_by_search(int f, double magnitude) {
  if (magnitude >= formats[f].overflow && !(formats[f].type == RUNG_E4M3 && magnitude == formats[f].overflow)) {
    return formats[f].largest + 1;
  }
  uint32_t low = 0, high = formats[f].largest; /* value(low) <= magnitude, and the answer is low or low + 1 */
  while (low < high) {
    uint32_t middle = (low + high + 1) / 2;
    if (value_of(f, middle) <= magnitude) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  if (low == formats[f].largest) return low;
  double down = magnitude - value_of(f, low), up = value_of(f, low + 1) - magnitude;
  if (down != up) return down < up ? low : low + 1;
  return low + (low & 1);
}

START_TEST(names_and_sizes) {
  static const char *const names[] = {"f32", "f16", "bf16", "e4m3", "e5m2", "i32", "i8", "u8"};
  static const size_t sizes[] = {4, 2, 2, 1, 1, 4, 1, 1};
  ck_assert_int_eq(RUNG_DTYPE_COUNT, 8);
  for (int type = 0; type < RUNG_DTYPE_COUNT; type++) {
    ck_assert_str_eq(rung_dtype_name((rung_dtype)type), names[type]);
    ck_assert_uint_eq(rung_dtype_size((rung_dtype)type), sizes[type]);
  }
}
END_TEST

START_TEST(every_code_decodes_to_its_definition) {
  for (uint32_t bits = 0; bits >> formats[_i].bits == 0; bits++) {
    uint32_t sign = bits >> (formats[_i].bits - 1), code = bits & ((UINT32_C(1) << (formats[_i].bits - 1)) - 1);
    float x = rung_float_decode(formats[_i].type, bits);
    ENSURE(bits_of(x) >> 31 == sign);
    if (code <= formats[_i].largest) {
      ENSURE(fabs((double)x) == value_of(_i, code));
    } else if (code >= formats[_i].nan_from && code <= formats[_i].nan_to) {
      ENSURE(isnan(x));
    } else {
      ENSURE(isinf(x));
    }
  }
  ck_assert(rung_float_decode(formats[_i].type, formats[_i].largest) == (float)formats[_i].most);
  ck_assert(rung_float_decode(formats[_i].type, 1) == (float)formats[_i].least);
}
END_TEST

START_TEST(every_code_survives_the_round_trip) {
  for (uint32_t bits = 0; bits >> formats[_i].bits == 0; bits++) {
    float x = rung_float_decode(formats[_i].type, bits);
    uint32_t back = rung_float_encode(formats[_i].type, x, false);
    if (isnan(x)) {
      ENSURE(isnan(rung_float_decode(formats[_i].type, back)));
      ENSURE(back >> (formats[_i].bits - 1) == bits >> (formats[_i].bits - 1));
    } else {
      ENSURE(back == bits);
    }
  }
}
END_TEST

static void check_nearest(int f, float x) {
  uint32_t sign = bits_of(x) >> 31 << (formats[f].bits - 1), wanted = nearest_by_search(f, fabs((double)x));
  uint32_t plain = rung_float_encode(formats[f].type, x, false), held = rung_float_encode(formats[f].type, x, true);
  if (plain != (sign | wanted)) {
    ck_abort_msg("%s of %a is 0x%x, wanted 0x%x", formats[f].name, x, plain, sign | wanted);
  }
  ENSURE(held == (sign | (wanted > formats[f].largest ? formats[f].largest : wanted)));
}

/* All ties, and the floats beside them on both sides. */
START_TEST(ties_go_to_even) {
  for (uint32_t code = 0; code < formats[_i].largest; code++) {
    float tie = (float)((value_of(_i, code) + value_of(_i, code + 1)) / 2);
    uint32_t even = code + (code & 1);
    ENSURE(rung_float_encode(formats[_i].type, tie, false) == even);
    ENSURE(rung_float_encode(formats[_i].type, nextafterf(tie, 0), false) == code);
    ENSURE(rung_float_encode(formats[_i].type, nextafterf(tie, INFINITY), false) == code + 1);
  }
}
END_TEST

START_TEST(random_floats_go_to_the_nearest) {
  rung_rng rng = rung_rng_seed(1);
  for (int i = 0; i < 20000; i++) { /* any float, then one whose size suits the format */
    uint32_t bits = rung_rng_u32(&rng);
    if (!isnan(float_of(bits))) check_nearest(_i, float_of(bits));
    int span = 12 + 2 * (int)log2(formats[_i].bias);
    check_nearest(_i, ldexpf(rung_rng_normal(&rng), (int)rung_rng_below(&rng, 2 * (uint32_t)span) - span));
  }
}
END_TEST

START_TEST(overflow_is_infinity_or_nan_or_saturates) {
  float edge = (float)formats[_i].overflow, beyond[] = {nextafterf(edge, INFINITY), FLT_MAX, INFINITY};
  check_nearest(_i, edge);
  check_nearest(_i, nextafterf(edge, 0));
  for (int i = 0; i < 3; i++) {
    check_nearest(_i, beyond[i]);
    check_nearest(_i, -beyond[i]);
    float x = rung_float_decode(formats[_i].type, rung_float_encode(formats[_i].type, -beyond[i], false));
    ck_assert(formats[_i].type == RUNG_E4M3 ? isnan(x) : x == -INFINITY);
  }
}
END_TEST

START_TEST(nan_stays_nan) {
  static const uint32_t nans[] = {0x7FC00000, 0xFFC00000, 0x7F800001, 0xFF800001, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FA00000};
  for (int type = RUNG_F32; type <= RUNG_E5M2; type++) {
    for (size_t i = 0; i < sizeof nans / sizeof nans[0]; i++) {
      for (int saturate = 0; saturate < 2; saturate++) {
        uint32_t code = rung_float_encode((rung_dtype)type, float_of(nans[i]), saturate);
        ck_assert(isnan(rung_float_decode((rung_dtype)type, code)));
        ck_assert_uint_eq(code >> (8 * rung_dtype_size((rung_dtype)type) - 1), nans[i] >> 31);
      }
    }
  }
}
END_TEST

START_TEST(f32_is_itself) {
  rung_rng rng = rung_rng_seed(2);
  for (int i = 0; i < 100000; i++) {
    uint32_t bits = rung_rng_u32(&rng);
    if (i % 4 == 0) bits &= 0x807FFFFF; /* zeros and subnormals */
    if (isnan(float_of(bits))) continue;
    ENSURE(bits_of(rung_float_decode(RUNG_F32, bits)) == bits);
    ENSURE(rung_float_encode(RUNG_F32, float_of(bits), false) == bits);
  }
  ck_assert_uint_eq(rung_float_encode(RUNG_F32, -INFINITY, false), 0xFF800000);
  ck_assert(rung_float_decode(RUNG_F32, rung_float_encode(RUNG_F32, -INFINITY, true)) == -FLT_MAX);
}
END_TEST

/* The formula of the header, for every code. */
START_TEST(parts_make_the_value) {
  for (uint32_t bits = 0; bits >> formats[_i].bits == 0; bits++) {
    rung_float_parts parts = rung_float_take_apart(formats[_i].type, bits);
    float x = rung_float_decode(formats[_i].type, bits);
    uint32_t joined = (parts.sign << parts.exponent_bits | parts.biased_exponent) << parts.fraction_bits;
    ENSURE((joined | parts.fraction) == bits);
    ENSURE(1 + parts.exponent_bits + parts.fraction_bits == formats[_i].bits);
    ENSURE((isnan(x) != 0) == (parts.kind == RUNG_FLOAT_NAN));
    ENSURE((isinf(x) != 0) == (parts.kind == RUNG_FLOAT_INFINITE));
    if (!isfinite(x)) continue;
    ENSURE((x == 0) == (parts.kind == RUNG_FLOAT_ZERO));
    ENSURE((x != 0 && parts.biased_exponent == 0) == (parts.kind == RUNG_FLOAT_SUBNORMAL));
    double fraction = ldexp(parts.fraction, -parts.fraction_bits) + (parts.kind == RUNG_FLOAT_NORMAL ? 1 : 0);
    ENSURE((parts.sign ? -1.0 : 1.0) * ldexp(fraction, parts.exponent) == (double)x);
  }
}
END_TEST

START_TEST(parts_of_known_numbers) {
  rung_float_parts half = rung_float_take_apart(RUNG_F32, bits_of(-0.15625f)); /* -1.01 binary * 2^-3 */
  ck_assert(half.kind == RUNG_FLOAT_NORMAL && half.sign == 1 && half.biased_exponent == 124 && half.exponent == -3);
  ck_assert_uint_eq(half.fraction, 0x200000);
  ck_assert(half.exponent_bits == 8 && half.fraction_bits == 23);
  rung_float_parts least = rung_float_take_apart(RUNG_E5M2, 0x01);
  ck_assert(least.kind == RUNG_FLOAT_SUBNORMAL && least.exponent == -14 && least.fraction == 1);
  ck_assert_int_eq(rung_float_take_apart(RUNG_E4M3, 0x78).kind, RUNG_FLOAT_NORMAL); /* 256: no infinity there */
  ck_assert_int_eq(rung_float_take_apart(RUNG_E5M2, 0xFC).kind, RUNG_FLOAT_INFINITE);
  ck_assert_int_eq(rung_float_take_apart(RUNG_F16, 0xABCD0000).kind, RUNG_FLOAT_ZERO); /* the low bits alone count */
}
END_TEST

/* PyTorch saturates E4M3, and no other format. */
START_TEST(codes_match_pytorch) {
  struct record {
    float x;
    uint16_t codes[FORMATS]; /* 0xFFFF: NaN */
  } record;
  FILE *file = fopen(TEST_DATA "/golden/dtype_codes.bin", "rb");
  ck_assert_ptr_nonnull(file);
  int count = 0;
  for (; fread(&record, sizeof record, 1, file) == 1; count++) {
    for (int f = 0; f < FORMATS; f++) {
      uint32_t code = rung_float_encode(formats[f].type, record.x, formats[f].type == RUNG_E4M3);
      if (record.codes[f] == 0xFFFF) {
        ENSURE(isnan(rung_float_decode(formats[f].type, code)));
      } else if (code != record.codes[f]) {
        ck_abort_msg("%s of %a is 0x%x, PyTorch has 0x%x", formats[f].name, record.x, code, record.codes[f]);
      }
    }
  }
  fclose(file);
  ck_assert_int_eq(count, 3000);
}
END_TEST

TEST_MAIN(CASE(names_and_sizes), CASES(every_code_decodes_to_its_definition, FORMATS),
          CASES(every_code_survives_the_round_trip, FORMATS), CASES(ties_go_to_even, FORMATS),
          CASES(random_floats_go_to_the_nearest, FORMATS), CASES(overflow_is_infinity_or_nan_or_saturates, FORMATS),
          CASE(nan_stays_nan), CASE(f32_is_itself), CASES(parts_make_the_value, FORMATS), CASE(parts_of_known_numbers),
          CASE(codes_match_pytorch))
