/* The vector type of the level that this file is compiled for, in the vector extensions of GCC and clang: what + - * <
 * & do is the language's, and each lane is rounded by IEEE 754. What the extensions do not have, or what compilers do
 * not find, is defined by each level. */
#ifndef RUNG_SIMD_H
#define RUNG_SIMD_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define VW 16 /* lanes of f32 in a vector */
#elif defined(__AVX2__)
#include <immintrin.h>
#define VW 8
#elif defined(__aarch64__) && !defined(RUNG_PORTABLE)
#include <arm_neon.h>
#define VW 4
#else
#if defined(__SSE2__) && !defined(RUNG_PORTABLE)
#include <immintrin.h>
#endif
#define VW 4
#endif

/* Before a loop of constant length whose arrays are to be registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

typedef float vf __attribute__((vector_size(4 * VW), may_alias));
typedef int32_t vi __attribute__((vector_size(4 * VW), may_alias));
typedef float vf_unaligned __attribute__((vector_size(4 * VW), aligned(4), may_alias));
typedef int32_t vi_unaligned __attribute__((vector_size(4 * VW), aligned(4), may_alias));

static inline vf vf_load(const float *p) {
  return *(const vf_unaligned *)p;
}
static inline void vf_store(float *p, vf v) {
  *(vf_unaligned *)p = v;
}
static inline vi vi_load(const int32_t *p) {
  return *(const vi_unaligned *)p;
}
static inline void vi_store(int32_t *p, vi v) {
  *(vi_unaligned *)p = v;
}

/* mask ? a : b, lane by lane; a comparison gives such a mask (all ones or all zeros). */
static inline vf vf_select(vi mask, vf a, vf b) {
  return (vf)((mask & (vi)a) | (~mask & (vi)b));
}
static inline vi vi_select(vi mask, vi a, vi b) {
  return (mask & a) | (~mask & b);
}

/* What each level defines below:
 *   vf_set, vi_set            the same value in every lane
 *   vf_fma, vf_sqrt           rounded once
 *   vf_load_part              the first `count` (< VW) elements, the rest 0; vf_store_part stores as many
 *   vf_flush                  subnormal lanes become 0
 *   vf_max                    a > b ? a : b, so b where either is NaN or both are zeros; vf_min alike; vi_max, vi_min
 *   vi_interleave_low, _high  a0 b0 a1 b1, a2 b2 a3 b3 of each four lanes
 *   vi_load_quads             lanes 4q .. 4q+3 are the 16 bytes at row[4q] + offset
 *   vi_transpose              VW rows of VW lanes become their columns
 *   vi_bits                   bit l is lane l of a mask
 *   vi_dot_pairs              acc + the sum of each lane's two products of int16
 *   vi_dot_bytes              with VNNI only: acc + the sum of four products of unsigned bytes of a, signed bytes of b
 *   vf_dot_bf16               with AVX512-BF16 only: acc + the sum of each lane's two products of bfloat16; subnormals
 *                             count as 0
 */

#if defined(__AVX512F__)

static inline vf vf_set(float x) {
  return (vf)_mm512_set1_ps(x);
}
static inline vi vi_set(int32_t x) {
  return (vi)_mm512_set1_epi32(x);
}
static inline vf vf_fma(vf a, vf b, vf c) {
  return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
static inline vf vf_sqrt(vf a) {
  return (vf)_mm512_sqrt_ps((__m512)a);
}
static inline vf vf_load_part(const float *p, int64_t count) {
  return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
}
static inline void vf_store_part(float *p, vf v, int64_t count) {
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), (__m512)v);
}
static inline vf vf_flush(vf x) {
  return (vf)_mm512_mask_mov_ps((__m512)x, _mm512_fpclass_ps_mask((__m512)x, 0x20 /* subnormal */),
                                _mm512_setzero_ps());
}
static inline vf vf_max(vf a, vf b) {
  return (vf)_mm512_max_ps((__m512)a, (__m512)b);
}
static inline vf vf_min(vf a, vf b) {
  return (vf)_mm512_min_ps((__m512)a, (__m512)b);
}
static inline vi vi_max(vi a, vi b) {
  return (vi)_mm512_max_epi32((__m512i)a, (__m512i)b);
}
static inline vi vi_min(vi a, vi b) {
  return (vi)_mm512_min_epi32((__m512i)a, (__m512i)b);
}
static inline vi vi_interleave_low(vi a, vi b) {
  return (vi)_mm512_unpacklo_epi32((__m512i)a, (__m512i)b);
}
static inline vi vi_interleave_high(vi a, vi b) {
  return (vi)_mm512_unpackhi_epi32((__m512i)a, (__m512i)b);
}
static inline vi vi_load_quads(const char *const *row, int64_t offset) {
  __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i_u *)(row[0] + offset)));
  v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i_u *)(row[4] + offset)), 1);
  v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i_u *)(row[8] + offset)), 2);
  return (vi)_mm512_inserti32x4(v, _mm_loadu_si128((const __m128i_u *)(row[12] + offset)), 3);
}
static inline void vi_transpose(vi row[VW]) {
  __m512i pair[VW], quad[VW]; /* in each 128 bits: two rows interleaved, then a column of four rows */
  UNROLL for (int i = 0; i < VW; i += 2) {
    pair[i] = _mm512_unpacklo_epi32((__m512i)row[i], (__m512i)row[i + 1]);
    pair[i + 1] = _mm512_unpackhi_epi32((__m512i)row[i], (__m512i)row[i + 1]);
  }
  UNROLL for (int i = 0; i < VW; i += 4) {
    quad[i] = _mm512_unpacklo_epi64(pair[i], pair[i + 2]);
    quad[i + 1] = _mm512_unpackhi_epi64(pair[i], pair[i + 2]);
    quad[i + 2] = _mm512_unpacklo_epi64(pair[i + 1], pair[i + 3]);
    quad[i + 3] = _mm512_unpackhi_epi64(pair[i + 1], pair[i + 3]);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    __m512i low_even = _mm512_shuffle_i32x4(quad[i], quad[4 + i], 0x88);
    __m512i low_odd = _mm512_shuffle_i32x4(quad[i], quad[4 + i], 0xdd);
    __m512i high_even = _mm512_shuffle_i32x4(quad[8 + i], quad[12 + i], 0x88);
    __m512i high_odd = _mm512_shuffle_i32x4(quad[8 + i], quad[12 + i], 0xdd);
    row[i] = (vi)_mm512_shuffle_i32x4(low_even, high_even, 0x88);
    row[4 + i] = (vi)_mm512_shuffle_i32x4(low_odd, high_odd, 0x88);
    row[8 + i] = (vi)_mm512_shuffle_i32x4(low_even, high_even, 0xdd);
    row[12 + i] = (vi)_mm512_shuffle_i32x4(low_odd, high_odd, 0xdd);
  }
}
static inline uint32_t vi_bits(vi mask) {
  return (uint32_t)_mm512_movepi32_mask((__m512i)mask);
}
static inline vi vi_dot_pairs(vi acc, vi a, vi b) {
  return acc + (vi)_mm512_madd_epi16((__m512i)a, (__m512i)b);
}
#if defined(__AVX512VNNI__)
static inline vi vi_dot_bytes(vi acc, vi a, vi b) { /* around the intrinsic GCC 12 spills the accumulators */
  __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
  return acc;
}
#endif
#if defined(__AVX512BF16__)
static inline vf vf_dot_bf16(vf acc, vf a, vf b) {
  __asm__("vdpbf16ps %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
  return acc;
}
#endif

#elif defined(__AVX2__)

static inline vf vf_set(float x) {
  return (vf)_mm256_set1_ps(x);
}
static inline vi vi_set(int32_t x) {
  return (vi)_mm256_set1_epi32(x);
}
static inline vf vf_fma(vf a, vf b, vf c) {
  return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
static inline vf vf_sqrt(vf a) {
  return (vf)_mm256_sqrt_ps((__m256)a);
}
static inline vf vf_load_part(const float *p, int64_t count) {
  const vi lane = {0, 1, 2, 3, 4, 5, 6, 7};
  return (vf)_mm256_maskload_ps(p, (__m256i)(lane < vi_set((int32_t)count)));
}
static inline void vf_store_part(float *p, vf v, int64_t count) {
  const vi lane = {0, 1, 2, 3, 4, 5, 6, 7};
  _mm256_maskstore_ps(p, (__m256i)(lane < vi_set((int32_t)count)), (__m256)v);
}
static inline vf vf_max(vf a, vf b) {
  return (vf)_mm256_max_ps((__m256)a, (__m256)b);
}
static inline vf vf_min(vf a, vf b) {
  return (vf)_mm256_min_ps((__m256)a, (__m256)b);
}
static inline vi vi_max(vi a, vi b) {
  return (vi)_mm256_max_epi32((__m256i)a, (__m256i)b);
}
static inline vi vi_min(vi a, vi b) {
  return (vi)_mm256_min_epi32((__m256i)a, (__m256i)b);
}
static inline vi vi_interleave_low(vi a, vi b) {
  return (vi)_mm256_unpacklo_epi32((__m256i)a, (__m256i)b);
}
static inline vi vi_interleave_high(vi a, vi b) {
  return (vi)_mm256_unpackhi_epi32((__m256i)a, (__m256i)b);
}
static inline vi vi_load_quads(const char *const *row, int64_t offset) {
  __m256i v = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i_u *)(row[0] + offset)));
  return (vi)_mm256_inserti128_si256(v, _mm_loadu_si128((const __m128i_u *)(row[4] + offset)), 1);
}
static inline void vi_transpose(vi row[VW]) {
  __m256i pair[VW], quad[VW]; /* in each 128 bits: two rows interleaved, then a column of four rows */
  UNROLL for (int i = 0; i < VW; i += 2) {
    pair[i] = _mm256_unpacklo_epi32((__m256i)row[i], (__m256i)row[i + 1]);
    pair[i + 1] = _mm256_unpackhi_epi32((__m256i)row[i], (__m256i)row[i + 1]);
  }
  UNROLL for (int i = 0; i < VW; i += 4) {
    quad[i] = _mm256_unpacklo_epi64(pair[i], pair[i + 2]);
    quad[i + 1] = _mm256_unpackhi_epi64(pair[i], pair[i + 2]);
    quad[i + 2] = _mm256_unpacklo_epi64(pair[i + 1], pair[i + 3]);
    quad[i + 3] = _mm256_unpackhi_epi64(pair[i + 1], pair[i + 3]);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    row[i] = (vi)_mm256_permute2x128_si256(quad[i], quad[4 + i], 0x20);
    row[4 + i] = (vi)_mm256_permute2x128_si256(quad[i], quad[4 + i], 0x31);
  }
}
static inline uint32_t vi_bits(vi mask) {
  return (uint32_t)_mm256_movemask_ps((__m256)mask);
}
static inline vi vi_dot_pairs(vi acc, vi a, vi b) {
  return acc + (vi)_mm256_madd_epi16((__m256i)a, (__m256i)b);
}

#elif defined(__aarch64__) && !defined(RUNG_PORTABLE)

static inline vf vf_set(float x) {
  return (vf)vdupq_n_f32(x);
}
static inline vi vi_set(int32_t x) {
  return (vi)vdupq_n_s32(x);
}
static inline vf vf_fma(vf a, vf b, vf c) {
  return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
static inline vf vf_sqrt(vf a) {
  return (vf)vsqrtq_f32((float32x4_t)a);
}
static inline vi vi_dot_pairs(vi acc, vi a, vi b) {
  int16x8_t x = (int16x8_t)a, y = (int16x8_t)b;
  return acc + (vi)vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
}

#else /* any machine */

static inline vf vf_set(float x) {
  return (vf){x, x, x, x};
}
static inline vi vi_set(int32_t x) {
  return (vi){x, x, x, x};
}

#if defined(__FP_FAST_FMAF) || defined(__aarch64__) || defined(__riscv)
static inline vf vf_fma(vf a, vf b, vf c) {
  for (int i = 0; i < VW; i++) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return c;
}
#else
/* Where the machine has no fused multiply-add: in double the product is exact, and the sum rounded to odd (inexact and
 * even: one step towards the error that Knuth's two-sum finds) rounds to f32 as the exact sum would (Boldo and
 * Melquiond, "Emulation of FMA and correctly rounded sums", 2008). Infinities and NaN give a NaN error: no step. */
typedef float half_vf __attribute__((vector_size(8)));
typedef double half_vd __attribute__((vector_size(16)));
typedef int64_t half_vl __attribute__((vector_size(16)));

static inline half_vf half_fma(half_vf a, half_vf b, half_vf c) {
  half_vd product = __builtin_convertvector(a, half_vd) * __builtin_convertvector(b, half_vd);
  half_vd addend = __builtin_convertvector(c, half_vd), sum = product + addend, part = sum - product;
  half_vd error = (product - (sum - part)) + (addend - part);
  half_vl bits = (half_vl)sum, even = (bits & 1) - 1, towards_zero = (error > 0) ^ (sum > 0);
  bits += ((error < 0) | (error > 0)) & even & (towards_zero | 1);
  return __builtin_convertvector((half_vd)bits, half_vf);
}
static inline vf vf_fma(vf a, vf b, vf c) {
  half_vf low = half_fma((half_vf){a[0], a[1]}, (half_vf){b[0], b[1]}, (half_vf){c[0], c[1]});
  half_vf high = half_fma((half_vf){a[2], a[3]}, (half_vf){b[2], b[3]}, (half_vf){c[2], c[3]});
  return (vf){low[0], low[1], high[0], high[1]};
}
#endif

static inline vf vf_sqrt(vf a) {
  for (int i = 0; i < VW; i++) a[i] = __builtin_sqrtf(a[i]);
  return a;
}
#if defined(__SSE2__) && !defined(RUNG_PORTABLE)
static inline vi vi_dot_pairs(vi acc, vi a, vi b) {
  return acc + (vi)_mm_madd_epi16((__m128i)a, (__m128i)b);
}
#else
static inline vi vi_dot_pairs(vi acc, vi a, vi b) {
  return acc + (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
}
#endif

#endif

#if VW == 4
static inline vf vf_load_part(const float *p, int64_t count) {
  vf v = {0};
  memcpy(&v, p, (size_t)count * sizeof *p);
  return v;
}
static inline void vf_store_part(float *p, vf v, int64_t count) {
  memcpy(p, &v, (size_t)count * sizeof *p);
}
static inline vf vf_max(vf a, vf b) {
  return vf_select(a > b, a, b);
}
static inline vf vf_min(vf a, vf b) {
  return vf_select(a < b, a, b);
}
static inline vi vi_max(vi a, vi b) {
  return vi_select(a > b, a, b);
}
static inline vi vi_min(vi a, vi b) {
  return vi_select(a < b, a, b);
}
static inline vi vi_interleave_low(vi a, vi b) {
  return (vi){a[0], b[0], a[1], b[1]};
}
static inline vi vi_interleave_high(vi a, vi b) {
  return (vi){a[2], b[2], a[3], b[3]};
}
static inline vi vi_load_quads(const char *const *row, int64_t offset) {
  vi v;
  memcpy(&v, row[0] + offset, sizeof v);
  return v;
}
static inline void vi_transpose(vi row[VW]) {
  vi even_low = vi_interleave_low(row[0], row[2]), even_high = vi_interleave_high(row[0], row[2]);
  vi odd_low = vi_interleave_low(row[1], row[3]), odd_high = vi_interleave_high(row[1], row[3]);
  row[0] = vi_interleave_low(even_low, odd_low);
  row[1] = vi_interleave_high(even_low, odd_low);
  row[2] = vi_interleave_low(even_high, odd_high);
  row[3] = vi_interleave_high(even_high, odd_high);
}
static inline uint32_t vi_bits(vi mask) {
  const vi bit = {1, 2, 4, 8};
  mask &= bit;
  return (uint32_t)(mask[0] | mask[1] | mask[2] | mask[3]);
}
#endif

#if !defined(__AVX512F__)
static inline vf vf_flush(vf x) {
  vf magnitude = (vf)((vi)x & vi_set(INT32_MAX));
  return (vf)((vi)x & ~(magnitude < vf_set(0x1p-126f))); /* NaN stays */
}
#endif

/* Round to nearest even, for |x| <= 2^22: adding 1.5 * 2^23 leaves no fraction bits. */
static inline vf vf_round(vf x) {
  const vf magic = vf_set(12582912.0f);
  return (x + magic) - magic;
}
static inline vi vf_to_int(vf x) {
  return __builtin_convertvector(x, vi);
} /* towards 0, within int32 */
static inline vf vi_to_float(vi x) {
  return __builtin_convertvector(x, vf);
}

#endif
