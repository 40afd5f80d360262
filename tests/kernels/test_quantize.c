/* Quantize, dequantize, fake-quantize and the mask against their formulas in double arithmetic. */
#include "harness.h"

#include <math.h>
#include <rung/kernels.h>

typedef struct scheme {
  float scale;
  int32_t zero_point, qmin, qmax;
} scheme;

/* Powers of two, whose products with x are exact, so that x can sit on a tie or an edge to the bit; and others. */
static const scheme schemes[] = {
    {0.5f, 0, -128, 127},   {0.5f, 0, -127, 127},     {0.25f, 7, -128, 127},  {0.5f, -128, -128, 127},
    {2.0f, 127, -128, 127}, {0.5f, 0, 0, 255},        {0.5f, 128, 0, 255},    {0.125f, 255, 0, 255},
    {0.5f, 3, 0, 15},       {1.0f, 0, -8, 7},         {0.5f, 1, 0, 3},        {1.0f, 0, -1, 1},
    {0.1f, 11, 0, 255},     {0.0317f, -9, -128, 127}, {1e-30f, 0, -127, 127}, {1e30f, 100, 0, 255},
};
enum { scheme_count = (int)(sizeof schemes / sizeof schemes[0]), most = 4096 };

static float x[most];

static double clamp(double v, double low, double high) {
  return v < low ? low : v > high ? high : v;
}

/* rne(x / s) + z: the product is a float's, as the contract says; the rest cannot be wrong in double. */
static double unclamped(float value, const scheme *s) {
  return rint((double)(value * (1.0f / s->scale))) + s->zero_point;
}

/* Every tie and every whole step from beyond one end to beyond the other, the floats next to each, and the extremes. */
static int make_values(const scheme *s) {
  static const float extremes[] = {0.0f,     -0.0f,     INFINITY,   -INFINITY, 3.4e38f,
                                   -3.4e38f, 0x1p-149f, -0x1p-149f, 1e9f,      -1e9f};
  int n = 0;
  for (int half = 2 * (s->qmin - s->zero_point) - 5; half <= 2 * (s->qmax - s->zero_point) + 5; half++) {
    float v = 0.5f * (float)half * s->scale;
    x[n++] = v;
    x[n++] = nextafterf(v, INFINITY);
    x[n++] = nextafterf(v, -INFINITY);
  }
  memcpy(x + n, extremes, sizeof extremes);
  return n + (int)(sizeof extremes / sizeof extremes[0]);
}

START_TEST(quantize_is_its_formula) {
  const scheme *s = &schemes[_i];
  int n = make_values(s);
  uint8_t u[most];
  int8_t i8[most];
  const bool is_signed = s->qmin < 0;
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    const rung_kernels *k = rung_kernels_level(l);
    if (!k) continue;
    if (is_signed)
      k->quantize_i8(i8, x, n, 1.0f / s->scale, s->zero_point, s->qmin, s->qmax);
    else
      k->quantize_u8(u, x, n, 1.0f / s->scale, s->zero_point, s->qmin, s->qmax);
    for (int i = 0; i < n; i++) {
      int want = (int)clamp(unclamped(x[i], s), s->qmin, s->qmax), got = is_signed ? i8[i] : u[i];
      if (got != want) ck_abort_msg("%s: x %a gives %d, not %d", k->level, (double)x[i], got, want);
    }
  }
}
END_TEST

START_TEST(fake_quantize_and_mask_are_their_formulas) {
  const scheme *s = &schemes[_i];
  int n = make_values(s);
  float y[most];
  uint8_t mask[most / 8];
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    const rung_kernels *k = rung_kernels_level(l);
    if (!k) continue;
    memset(mask, 0xff, sizeof mask);
    k->fake_quantize(y, mask, x, n, s->scale, 1.0f / s->scale, s->zero_point, s->qmin, s->qmax);
    for (int i = 0; i < (n + 7) / 8 * 8; i++) {
      double q = i < n ? unclamped(x[i], s) : INFINITY;
      bool want = s->qmin <= q && q <= s->qmax, got = mask[i / 8] >> i % 8 & 1;
      if (want != got) ck_abort_msg("%s: bit %d of %d is %d", k->level, i, n, got);
      if (i == n) continue;
      float value = s->scale * (float)(clamp(q, s->qmin, s->qmax) - s->zero_point);
      if (i < n && memcmp(&y[i], &value, sizeof value) != 0)
        ck_abort_msg("%s: x %a gives %a, not %a", k->level, (double)x[i], (double)y[i], (double)value);
    }
    ck_assert_int_eq(mask[(n + 7) / 8], 0xff); /* nothing beyond */
  }
}
END_TEST

START_TEST(ties_go_to_even) {
  const float ties[] = {0.5f, 1.5f, 2.5f, 3.5f, -0.5f, -1.5f, -2.5f, 127.5f, -128.5f, 126.5f};
  const int8_t want[] = {0, 2, 2, 4, 0, -2, -2, 127, -128, 126};
  int8_t q[10];
  rung_kernels_active()->quantize_i8(q, ties, 10, 1.0f, 0, -128, 127);
  ck_assert_mem_eq(q, want, sizeof want);
  /* The tie is in x / s, not in x / s + z: an odd zero point does not turn it round. */
  const uint8_t want_shifted[] = {1, 3, 3, 5, 1, 0, 0, 129, 0, 127};
  uint8_t u[10];
  rung_kernels_active()->quantize_u8(u, ties, 10, 1.0f, 1, 0, 255);
  ck_assert_mem_eq(u, want_shifted, sizeof want_shifted);
}
END_TEST

/* Every code comes back from its own real value. */
START_TEST(quantize_undoes_dequantize) {
  const rung_kernels *k = rung_kernels_active();
  uint8_t codes[256], back[256];
  float real[256];
  for (int q = 0; q < 256; q++) codes[q] = (uint8_t)q;
  for (int z = 0; z < 256; z += 15) {
    k->dequantize_u8(real, codes, 256, 0.037f, z);
    for (int q = 0; q < 256; q++) ENSURE(real[q] == 0.037f * (float)(q - z));
    k->quantize_u8(back, real, 256, 1.0f / 0.037f, z, 0, 255);
    ck_assert_mem_eq(codes, back, sizeof codes);
    k->dequantize_i8(real, (int8_t *)codes, 256, 0.037f, z - 128);
    for (int q = 0; q < 256; q++) ENSURE(real[q] == 0.037f * (float)((int8_t)codes[q] - (z - 128)));
    k->quantize_i8((int8_t *)back, real, 256, 1.0f / 0.037f, z - 128, -128, 127);
    ck_assert_mem_eq(codes, back, sizeof codes);
  }
}
END_TEST

START_TEST(mask_lets_through_what_its_bits_say) {
  const rung_kernels *k = rung_kernels_active();
  const uint8_t mask[] = {0x01, 0x80, 0xff, 0x05};
  float dy[27], dx[27];
  for (int i = 0; i < 27; i++) dy[i] = (float)(i + 1), dx[i] = 100.0f;
  k->mask_apply(dx, dy, mask, 27, true);
  k->mask_apply(dy, dy, mask, 27, false);
  for (int i = 0; i < 27; i++) {
    bool set = i == 0 || i == 15 || (i >= 16 && i < 24) || i == 24 || i == 26;
    ck_assert_float_eq(dy[i], set ? (float)(i + 1) : 0.0f);
    ck_assert_float_eq(dx[i], set ? (float)(i + 101) : 100.0f);
  }
}
END_TEST

TEST_MAIN(CASES(quantize_is_its_formula, scheme_count), CASES(fake_quantize_and_mask_are_their_formulas, scheme_count),
          CASE(ties_go_to_even), CASE(quantize_undoes_dequantize), CASE(mask_lets_through_what_its_bits_say))
