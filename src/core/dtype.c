/* Number formats: names, sizes, and the conversions of the float formats, which one table describes.
 *
 * A float format of E exponent and F fraction bits has bias b = 2^(E-1) - 1 and smallest normal exponent m = 1 - b.
 * Without its sign, the code c of a finite value is monotone in it: c = (biased exponent << F) + fraction. */
#include "rung/core.h"

#include <math.h>
#include <string.h>

typedef struct format {
  const char *name;
  size_t size;
  int exponent_bits, fraction_bits; /* 0, 0: an integer format */
  bool has_infinity;                /* or else the largest exponent holds numbers too, and one NaN: all ones */
} format;

static const format formats[RUNG_DTYPE_COUNT] = {
    [RUNG_F32] = {"f32", 4, 8, 23, true},  [RUNG_F16] = {"f16", 2, 5, 10, true},
    [RUNG_BF16] = {"bf16", 2, 8, 7, true}, [RUNG_E4M3] = {"e4m3", 1, 4, 3, false},
    [RUNG_E5M2] = {"e5m2", 1, 5, 2, true}, [RUNG_I32] = {"i32", 4, 0, 0, false},
    [RUNG_I8] = {"i8", 1, 0, 0, false},    [RUNG_U8] = {"u8", 1, 0, 0, false},
};

const char *rung_dtype_name(rung_dtype type) {
  return formats[type].name;
}

size_t rung_dtype_size(rung_dtype type) {
  return formats[type].size;
}

static int smallest_exponent(const format *f) {
  return 2 - (1 << (f->exponent_bits - 1));
}

/* The code of +infinity, or of the one NaN where there is no infinity: the first that is above all finite codes. */
static uint32_t first_special(const format *f) {
  uint32_t all_ones = (UINT32_C(1) << (f->exponent_bits + f->fraction_bits)) - 1;
  return f->has_infinity ? all_ones >> f->fraction_bits << f->fraction_bits : all_ones;
}

/* The code nearest to a non-negative x that is not NaN, ties to even, as if the exponent had no end. With
 * x = significand * 2^(exponent - 23), the code counts units of 2^(max(exponent, m) - F), of which x has
 * significand / 2^shift; above m each further exponent adds 2^F codes. A carry out of the fraction raises the
 * exponent, and subnormals become normal, all by itself. */
static uint32_t nearest_code(const format *f, uint32_t x_bits) {
  uint32_t biased = x_bits >> 23, significand = x_bits & 0x7FFFFF;
  if (biased != 0) significand |= 0x800000;
  int above = (int)(biased == 0 ? 1 : biased) - 127 - smallest_exponent(f);
  int shift = 23 - f->fraction_bits + (above < 0 ? -above : 0);
  if (shift > 25) shift = 25; /* significand < 2^24: below half a unit, so zero */
  uint32_t code = significand >> shift;
  if (shift > 0) {
    uint32_t rest = significand & ((UINT32_C(1) << shift) - 1), half = UINT32_C(1) << (shift - 1);
    code += rest > half || (rest == half && (code & 1) != 0);
  }
  return code + ((uint32_t)(above > 0 ? above : 0) << f->fraction_bits);
}

uint32_t rung_float_encode(rung_dtype type, float x, bool saturate) {
  const format *f = &formats[type];
  uint32_t x_bits;
  memcpy(&x_bits, &x, sizeof x_bits);
  uint32_t sign = x_bits >> 31 << (f->exponent_bits + f->fraction_bits), special = first_special(f);
  x_bits &= 0x7FFFFFFF;
  if (x_bits > 0x7F800000) { /* NaN: quiet, with what fits of its payload */
    if (!f->has_infinity) return sign | special;
    uint32_t quiet = UINT32_C(1) << (f->fraction_bits - 1);
    return sign | special | quiet | (x_bits & 0x7FFFFF) >> (23 - f->fraction_bits);
  }
  uint32_t code = nearest_code(f, x_bits); /* infinity is the number after the largest exponent here */
  if (code >= special) code = saturate ? special - 1 : special;
  return sign | code;
}

rung_float_parts rung_float_take_apart(rung_dtype type, uint32_t bits) {
  const format *f = &formats[type];
  uint32_t code = bits & ((UINT32_C(1) << (f->exponent_bits + f->fraction_bits)) - 1), special = first_special(f);
  rung_float_parts parts = {
      .sign = bits >> (f->exponent_bits + f->fraction_bits) & 1,
      .biased_exponent = code >> f->fraction_bits,
      .fraction = code & ((UINT32_C(1) << f->fraction_bits) - 1),
      .exponent_bits = f->exponent_bits,
      .fraction_bits = f->fraction_bits,
  };
  bool normal = parts.biased_exponent != 0;
  parts.exponent = smallest_exponent(f) + (normal ? (int)parts.biased_exponent - 1 : 0);
  if (code >= special) {
    parts.kind = f->has_infinity && code == special ? RUNG_FLOAT_INFINITE : RUNG_FLOAT_NAN;
  } else if (code == 0) {
    parts.kind = RUNG_FLOAT_ZERO;
  } else {
    parts.kind = normal ? RUNG_FLOAT_NORMAL : RUNG_FLOAT_SUBNORMAL;
  }
  return parts;
}

float rung_float_decode(rung_dtype type, uint32_t bits) {
  rung_float_parts parts = rung_float_take_apart(type, bits);
  if (parts.kind == RUNG_FLOAT_INFINITE) return parts.sign ? -INFINITY : INFINITY;
  if (parts.kind == RUNG_FLOAT_NAN) return copysignf(NAN, parts.sign ? -1.0f : 1.0f);
  uint32_t significand = parts.fraction;
  if (parts.kind == RUNG_FLOAT_NORMAL) significand |= UINT32_C(1) << parts.fraction_bits;
  float magnitude = ldexpf((float)significand, parts.exponent - parts.fraction_bits);
  return parts.sign ? -magnitude : magnitude;
}
