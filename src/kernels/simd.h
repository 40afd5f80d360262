/* The vector type of the level that this file is compiled for, in the vector extensions of GCC and clang: what + - * <
 * & do is the language's, and each lane is rounded by IEEE 754. What the extensions do not have stands at the end of
 * each level's part: fma, square root and the int8 dot product. */
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
#define VW 4
#endif

typedef float vf __attribute__((vector_size(4 * VW), may_alias));
typedef int32_t vi __attribute__((vector_size(4 * VW), may_alias));
typedef int64_t vl __attribute__((vector_size(8 * VW), may_alias)); /* as many lanes, 64 bits each */
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

/* The first `count` (< VW) elements, the rest 0. */
static inline vf vf_load_part(const float *p, int64_t count) {
  vf v = {0};
  memcpy(&v, p, (size_t)count * sizeof *p);
  return v;
}
static inline void vf_store_part(float *p, vf v, int64_t count) {
  memcpy(p, &v, (size_t)count * sizeof *p);
}

/* mask ? a : b, lane by lane; a comparison gives such a mask (all ones or all zeros). */
static inline vf vf_select(vi mask, vf a, vf b) {
  return (vf)((mask & (vi)a) | (~mask & (vi)b));
}
static inline vi vi_select(vi mask, vi a, vi b) {
  return (mask & a) | (~mask & b);
}
static inline vf vf_max(vf a, vf b) {
  return vf_select(a > b, a, b);
} /* b where either is NaN */
static inline vf vf_min(vf a, vf b) {
  return vf_select(a < b, a, b);
}

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

#else /* any machine: where it has no fused multiply-add, libm's does it, slowly and rightly */

static inline vf vf_set(float x) {
  return (vf){x, x, x, x};
}
static inline vi vi_set(int32_t x) {
  return (vi){x, x, x, x};
}
static inline vf vf_fma(vf a, vf b, vf c) {
  for (int i = 0; i < VW; i++) c[i] = __builtin_fmaf(a[i], b[i], c[i]);
  return c;
}
static inline vf vf_sqrt(vf a) {
  for (int i = 0; i < VW; i++) a[i] = __builtin_sqrtf(a[i]);
  return a;
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
