/* eq. 8 on VW accumulators: r = (acc * multiplier + 2^(shift-1)) >> shift in 64 bits, then clamped in 64 bits.
 *
 * A level with a 32 x 32 -> 64 bit product of the even lanes works on even and odd lanes apart. */
#ifndef RUNG_GEMM_I8_REQUANTIZE_H
#define RUNG_GEMM_I8_REQUANTIZE_H

#include "level.h"
#include "simd.h"

typedef struct clamp_range {
  int64_t low, high;
} clamp_range;

static inline int64_t clamp_to(int64_t r, clamp_range range) {
  return r < range.low ? range.low : r > range.high ? range.high : r;
}

/* Each lane's scale, ready to use. */
typedef struct lane_scales lane_scales;

#if defined(__AVX512F__)

struct lane_scales {
  __m512i multiplier[2], shift[2], half[2]; /* of the even lanes, of the odd lanes */
};

static inline lane_scales lane_scales_of(vi multiplier, vi shift) {
  lane_scales s;
  for (int odd = 0; odd < 2; odd++) {
    s.multiplier[odd] = _mm512_srli_epi64((__m512i)multiplier, odd ? 32 : 0);
    s.shift[odd] =
        odd ? _mm512_srli_epi64((__m512i)shift, 32) : _mm512_and_si512((__m512i)shift, _mm512_set1_epi64(0xffffffff));
    s.half[odd] = _mm512_sllv_epi64(_mm512_set1_epi64(1), _mm512_sub_epi64(s.shift[odd], _mm512_set1_epi64(1)));
  }
  return s;
}

/* r of every lane, clamped; *inside tells where that changed nothing. */
static inline vi requantize(vi acc, const lane_scales *s, clamp_range range, vi *inside) {
  __m512i low = _mm512_set1_epi64(range.low), high = _mm512_set1_epi64(range.high), r[2], same[2];
  UNROLL for (int odd = 0; odd < 2; odd++) {
    __m512i x = odd ? _mm512_srli_epi64((__m512i)acc, 32) : (__m512i)acc;
    x = _mm512_add_epi64(_mm512_mul_epi32(x, s->multiplier[odd]), s->half[odd]);
    x = _mm512_srav_epi64(x, s->shift[odd]);
    r[odd] = _mm512_min_epi64(_mm512_max_epi64(x, low), high);
    same[odd] = _mm512_movm_epi64(_mm512_cmpeq_epi64_mask(r[odd], x));
  }
  *inside = (vi)_mm512_mask_blend_epi32(0xaaaa, same[0], same[1]);
  return (vi)_mm512_mask_blend_epi32(0xaaaa, r[0], _mm512_slli_epi64(r[1], 32));
}

#elif defined(__AVX2__)

/* AVX2 shifts 64 bits right by a variable count only logically. With 2^63 added, which makes x unsigned, that is what
 * is wanted but for 2^(63-shift) too much. */
struct lane_scales {
  __m256i multiplier[2], shift[2], add[2], subtract[2];
};

static inline lane_scales lane_scales_of(vi multiplier, vi shift) {
  const __m256i one = _mm256_set1_epi64x(1), sign = _mm256_set1_epi64x(INT64_MIN);
  lane_scales s;
  for (int odd = 0; odd < 2; odd++) {
    s.multiplier[odd] = _mm256_srli_epi64((__m256i)multiplier, odd ? 32 : 0);
    s.shift[odd] =
        odd ? _mm256_srli_epi64((__m256i)shift, 32) : _mm256_and_si256((__m256i)shift, _mm256_set1_epi64x(0xffffffff));
    s.add[odd] = _mm256_add_epi64(sign, _mm256_sllv_epi64(one, _mm256_sub_epi64(s.shift[odd], one)));
    s.subtract[odd] = _mm256_srlv_epi64(sign, s.shift[odd]);
  }
  return s;
}

static inline vi requantize(vi acc, const lane_scales *s, clamp_range range, vi *inside) {
  __m256i low = _mm256_set1_epi64x(range.low), high = _mm256_set1_epi64x(range.high), r[2], same[2];
  UNROLL for (int odd = 0; odd < 2; odd++) {
    __m256i x = odd ? _mm256_srli_epi64((__m256i)acc, 32) : (__m256i)acc;
    x = _mm256_add_epi64(_mm256_mul_epi32(x, s->multiplier[odd]), s->add[odd]);
    x = _mm256_sub_epi64(_mm256_srlv_epi64(x, s->shift[odd]), s->subtract[odd]);
    r[odd] = _mm256_blendv_epi8(x, low, _mm256_cmpgt_epi64(low, x));
    r[odd] = _mm256_blendv_epi8(r[odd], high, _mm256_cmpgt_epi64(x, high));
    same[odd] = _mm256_cmpeq_epi64(r[odd], x);
  }
  *inside = (vi)_mm256_blend_epi32(same[0], same[1], 0xaa);
  return (vi)_mm256_blend_epi32(r[0], _mm256_slli_epi64(r[1], 32), 0xaa);
}

#elif defined(__aarch64__) && !defined(RUNG_PORTABLE)

/* A rounding shift by a negative count is eq. 8's. */
struct lane_scales {
  int32x4_t multiplier;
  int64x2_t shift[2]; /* negated; of the low lanes, of the high lanes */
};

static inline lane_scales lane_scales_of(vi multiplier, vi shift) {
  int32x4_t s = vnegq_s32((int32x4_t)shift);
  return (lane_scales){(int32x4_t)multiplier, {vmovl_s32(vget_low_s32(s)), vmovl_high_s32(s)}};
}

static inline vi requantize(vi acc, const lane_scales *s, clamp_range range, vi *inside) {
  int32x4_t a = (int32x4_t)acc, m = s->multiplier;
  int64x2_t low = vdupq_n_s64(range.low), high = vdupq_n_s64(range.high);
  int64x2_t x[2] = {vmull_s32(vget_low_s32(a), vget_low_s32(m)), vmull_high_s32(a, m)}, r[2];
  uint64x2_t same[2];
  for (int half = 0; half < 2; half++) {
    x[half] = vrshlq_s64(x[half], s->shift[half]);
    r[half] = vbslq_s64(vcgtq_s64(low, x[half]), low, x[half]);
    r[half] = vbslq_s64(vcgtq_s64(r[half], high), high, r[half]);
    same[half] = vceqq_s64(r[half], x[half]);
  }
  *inside = (vi)vcombine_u32(vmovn_u64(same[0]), vmovn_u64(same[1]));
  return (vi)vcombine_s32(vmovn_s64(r[0]), vmovn_s64(r[1]));
}

#else

struct lane_scales {
  vi multiplier, shift;
};

static inline lane_scales lane_scales_of(vi multiplier, vi shift) {
  return (lane_scales){multiplier, shift};
}

static inline vi requantize(vi acc, const lane_scales *s, clamp_range range, vi *inside) {
  vi result, same;
  for (int l = 0; l < VW; l++) {
    int64_t r = rung_requantize(acc[l], s->multiplier[l], s->shift[l]), clamped = clamp_to(r, range);
    result[l] = (int32_t)clamped;
    same[l] = clamped == r ? -1 : 0;
  }
  *inside = same;
  return result;
}

#endif

#endif
