/* Transposing 32-bit words on their way into panels, VW rows at a time. A word is an f32, or four int8.
 *
 * A panel of `width` rows is stored word by word: word p of row i lies at p * width + i. Where width < VW the rows past
 * it repeat the last one, and each store runs over into the place of the next word, which is written after it (hence
 * gemm_slack). */
#ifndef RUNG_GEMM_PACK_H
#define RUNG_GEMM_PACK_H

#include "gemm_blocks.h"
#include "simd.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Rows first .. first + VW - 1 of those `stride` bytes apart at `data`; past `last` the last one again. */
ALWAYS_INLINE void pack_rows(const char *row[VW], const void *data, int64_t stride, int64_t first, int64_t last) {
  for (int64_t l = 0; l < VW; l++) row[l] = (const char *)data + gemm_min(first + l, last) * stride;
}

/* word[p] = the words at offset + 4p of the VW rows, p < 4. */
ALWAYS_INLINE void pack_transpose(vi word[4], const char *const row[VW], int64_t offset) {
  vi r0 = vi_load_quads(row, offset), r1 = vi_load_quads(row + 1, offset);
  vi r2 = vi_load_quads(row + 2, offset), r3 = vi_load_quads(row + 3, offset);
  vi even_low = vi_interleave_low(r0, r2), even_high = vi_interleave_high(r0, r2);
  vi odd_low = vi_interleave_low(r1, r3), odd_high = vi_interleave_high(r1, r3);
  word[0] = vi_interleave_low(even_low, odd_low);
  word[1] = vi_interleave_high(even_low, odd_low);
  word[2] = vi_interleave_low(even_high, odd_high);
  word[3] = vi_interleave_high(even_high, odd_high);
}

/* The words at `offset` of the VW rows, of which only the first `bytes` bytes (1 .. 4) exist; the others are 0. */
ALWAYS_INLINE vi pack_word(const char *const row[VW], int64_t offset, int64_t bytes) {
  int32_t word[VW] = {0};
  for (int l = 0; l < VW; l++) memcpy(&word[l], row[l] + offset, (size_t)bytes);
  return vi_load(word);
}

#endif
