/* Packing an operand of any representation into panels of bfloat16. A panel of f32 (gemm_f32_pack.h) is made a chunk of
 * k at a time, which stays in the first cache, and is rounded from there.
 *
 * A word of 32 bits holds two elements along k, the first in its low half, where the processor has their dot product;
 * elsewhere one, as the f32 that it is. Word p of line i lies at p * width + i. An odd k ends in half a word of 0. */
#ifndef RUNG_GEMM_BF16_PACK_H
#define RUNG_GEMM_BF16_PACK_H

#include "gemm_f32_pack.h"

enum { bf16_chunk = 64 }; /* even */

#if defined(__AVX512BF16__)

enum { elements_of_word = 2 };

ALWAYS_INLINE vf dot_word(vf sum, vf a, vf b) {
  return vf_dot_bf16(sum, a, b);
}

/* `depth` elements of each line of the f32 panel `from`, in which element `depth` is 0. */
ALWAYS_INLINE void round_panel(float *to, const int width, const float *from, int64_t depth) {
  const vi interleave = {0x100000, 0x110001, 0x120002, 0x130003, 0x140004, 0x150005, 0x160006, 0x170007,
                         0x180008, 0x190009, 0x1a000a, 0x1b000b, 0x1c000c, 0x1d000d, 0x1e000e, 0x1f000f};
  for (int64_t p = 0; p < depth; p += 2, from += 2 * width, to += width)
    for (int v = 0; v < width; v += VW) {
      __m512 even = (__m512)vf_load(from + v), odd = (__m512)vf_load(from + width + v);
      __m512i halves = (__m512i)_mm512_cvtne2ps_pbh(odd, even); /* half to even; a subnormal is 0 */
      vf_store(to + v, (vf)_mm512_permutexvar_epi16((__m512i)interleave, halves));
    }
}

#else

enum { elements_of_word = 1 };

ALWAYS_INLINE vf dot_word(vf sum, vf a, vf b) {
  return vf_fma(a, b, sum);
}

typedef uint32_t vu __attribute__((vector_size(4 * VW), may_alias));

/* x with 7 fraction bits, half to even: the carry of the sum goes into the exponent, and past it to infinity. */
ALWAYS_INLINE vf round_to_bf16(vf x) {
  vu bits = (vu)x, last = bits >> 16 & (vu)vi_set(1);
  vi number = (vi)(bits + last + (vu)vi_set(0x7fff)), nan = (vi)bits | vi_set(0x400000);
  return (vf)(vi_select(x == x, number, nan) & vi_set((int32_t)0xffff0000));
}

ALWAYS_INLINE void round_panel(float *to, const int width, const float *from, int64_t depth) {
  for (int64_t i = 0; i < width * depth; i += VW) vf_store(to + i, round_to_bf16(vf_load(from + i)));
}

#endif

ALWAYS_INLINE int64_t words_of(int64_t depth) {
  return (depth + elements_of_word - 1) / elements_of_word;
}

/* The panel of `from`, which has no more lines than `width`. */
ALWAYS_INLINE void pack_bf16_panel(float *to, const int width, pack_source from) {
  float stage[gemm_panel_max * (bf16_chunk + 2)] __attribute__((aligned(RUNG_ALIGNMENT)));
  const int64_t end = from.begin + from.depth;
  for (; from.begin < end; from.begin += bf16_chunk, to += words_of(bf16_chunk) * width) {
    from.depth = gemm_min(bf16_chunk, end - from.begin);
    pack_panels(stage, width, &from);
    if (from.depth % 2) memset(stage + from.depth * width, 0, (size_t)width * sizeof(float));
    round_panel(to, width, stage, from.depth);
  }
}

#endif
