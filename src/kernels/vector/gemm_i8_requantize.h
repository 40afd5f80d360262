/* eq. 8 on VW accumulators, r = (acc * multiplier + 2^(shift-1)) >> shift, in one of two ways.
 *
 * Near: where 33 <= shift <= 54, as it is where r has few bits. Then the low half of the product has no say,
 *   r + z = (high + 2^(shift-33) + z 2^(shift-32)) >> (shift-32),   high = floor(acc * multiplier / 2^32),
 * and all is within int32: |high| <= 2^30, 2^(shift-33) <= 2^21, |z| 2^(shift-32) < 2^30 for z of 8 bits.
 *
 * Far: any shift, and the sums of eq. 9, in 64 bits and clamped there. */
#ifndef RUNG_GEMM_I8_REQUANTIZE_H
#define RUNG_GEMM_I8_REQUANTIZE_H

#include "level.h"
#include "simd.h"

typedef int64_t vl __attribute__((vector_size(4 * VW), may_alias));
typedef uint64_t vu __attribute__((vector_size(4 * VW), may_alias));

/* VW integers of 64 bits: those of the even lanes, those of the odd lanes. */
typedef struct wide {
  vl half[2];
} wide;

static inline vl vl_set(int64_t x) {
  return x - (vl){0};
}

static inline wide wide_product(vi a, vi b) {
  wide product;
#if defined(__AVX512F__)
  __m512i x = (__m512i)a, y = (__m512i)b;
  product.half[0] = (vl)_mm512_mul_epi32(x, y);
  product.half[1] = (vl)_mm512_mul_epi32(_mm512_srli_epi64(x, 32), _mm512_srli_epi64(y, 32));
#elif defined(__AVX2__)
  __m256i x = (__m256i)a, y = (__m256i)b;
  product.half[0] = (vl)_mm256_mul_epi32(x, y);
  product.half[1] = (vl)_mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(y, 32));
#elif defined(__aarch64__) && !defined(RUNG_PORTABLE)
  int64x2_t x = vreinterpretq_s64_s32((int32x4_t)a), y = vreinterpretq_s64_s32((int32x4_t)b);
  product.half[0] = (vl)vmull_s32(vmovn_s64(x), vmovn_s64(y));
  product.half[1] = (vl)vmull_s32(vshrn_n_s64(x, 32), vshrn_n_s64(y, 32));
#else
  for (int l = 0; l < VW; l++) product.half[l % 2][l / 2] = (int64_t)a[l] * b[l];
#endif
  return product;
}

/* x >> shift, arithmetic. AVX2 shifts 64 bits right by a variable count only logically: with 2^63 added, which makes x
 * unsigned, that is what is wanted but for 2^(63-shift) too much. */
static inline vl vl_shift_right(vl x, vl shift) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  const vu sign = (vu)vl_set(INT64_MIN);
  return (vl)((((vu)x + sign) >> (vu)shift) - (sign >> (vu)shift));
#else
  return x >> shift;
#endif
}

/* ---- Near ------------------------------------------------------------------------------------------------------- */

typedef struct near_scales {
  vi multiplier, add, shift;
} near_scales;

/* A multiplier of 0 makes r = 0 with any shift. */
static inline vi near_shift_of(vi multiplier, vi shift) {
  return vi_select(multiplier == 0, vi_set(33), shift);
}

/* Whether every lane's scale is fit for it. */
static inline bool shifts_are_near(vi shift) {
  return vi_bits((shift < 33) | (shift > 54)) == 0;
}

static inline near_scales near_scales_of(vi multiplier, vi shift, int32_t zero_point) {
  vi one = vi_set(1), z = vi_set(zero_point);
  return (near_scales){multiplier, (one << (shift - 33)) + z * (one << (shift - 32)), shift - 32};
}

/* r + zero_point, not clamped. */
static inline vi requantize_near(vi acc, const near_scales *s) {
  wide product = wide_product(acc, s->multiplier);
  vi high;
#if defined(__AVX512F__)
  high = (vi)_mm512_mask_shuffle_epi32((__m512i)product.half[1], 0x5555, (__m512i)product.half[0], _MM_PERM_DDBB);
#elif defined(__AVX2__)
  high = (vi)_mm256_blend_epi32(_mm256_srli_epi64((__m256i)product.half[0], 32), (__m256i)product.half[1], 0xaa);
#elif defined(__aarch64__) && !defined(RUNG_PORTABLE)
  high = (vi)vtrn2q_s32((int32x4_t)product.half[0], (int32x4_t)product.half[1]);
#else
  for (int l = 0; l < VW; l++) high[l] = (int32_t)(product.half[l % 2][l / 2] >> 32);
#endif
  return (high + s->add) >> s->shift;
}

/* Bit l tells whether y == clamped and acc >= least in lane l. */
static inline uint32_t bits_kept(vi y, vi clamped, vi acc, vi least) {
#if defined(__AVX512F__)
  __mmask16 inside = _mm512_cmpeq_epi32_mask((__m512i)y, (__m512i)clamped);
  return _mm512_mask_cmpge_epi32_mask(inside, (__m512i)acc, (__m512i)least);
#else
  return vi_bits((y == clamped) & (acc >= least));
#endif
}

/* ---- Far -------------------------------------------------------------------------------------------------------- */

typedef struct far_range {
  int64_t low, high;
} far_range;

/* Lanes of 32 bits from the low ones of 64. */
static inline vi wide_narrow(vl even, vl odd) {
  vi result;
#if VW > 4
  result = (vi)((even & 0xffffffff) | odd << 32);
#else
  for (int l = 0; l < VW; l++) result[l] = (int32_t)(l % 2 ? odd : even)[l / 2];
#endif
  return result;
}

static inline wide wide_shifts(vi shift) {
  return wide_product(shift, vi_set(1));
}

/* r of the numerators x, clamped; *inside tells where that changed nothing. */
static inline vi requantize_far(wide x, const wide *shift, far_range range, vi *inside) {
  vl r[2], same[2];
  UNROLL for (int h = 0; h < 2; h++) {
    vl s = shift->half[h], full = vl_shift_right(x.half[h] + (vl_set(1) << (s - 1)), s);
    vl below = full<range.low, above = full> range.high;
    r[h] = (full & ~(below | above)) | (below & range.low) | (above & range.high);
    same[h] = ~(below | above);
  }
  *inside = wide_narrow(same[0], same[1]);
  return wide_narrow(r[0], r[1]);
}

#endif
