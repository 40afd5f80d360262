/* Weights of 4 bits and less for products of few rows, which wait for the weights to come from memory: two or four to a
 * byte, taken apart in registers. Only where there is a byte dot product.
 *
 * Word q of a narrow panel holds words q * per .. q * per + per - 1 of the panel in gemm_i8.h, per = 8 / bits, byte by
 * byte, the first in the top bits. Shifted left and masked, a byte is 2^(8-bits) times the weight, sign and all. So are
 * the sums, and they fit: 255 * 128 * narrow_depth < 2^31. */
#ifndef RUNG_GEMM_I8_NARROW_H
#define RUNG_GEMM_I8_NARROW_H

#include "gemm_i8_tile.h"

enum { narrow_depth = 1 << 15, narrow_rows = 2 };

/* Bits of a weight in the narrow panels, 2 or 4; 0: there are none. */
static inline int narrow_bits(const rung_qgemm *gemm) {
  bool few = gemm->weight_bits > 0 && gemm->weight_bits <= 4 && gemm->k >= 64 && gemm->k <= narrow_depth;
  if (words_of_4 != 1 || !few || gemm->group) return 0;
  return gemm->weight_bits <= 2 ? 2 : 4;
}

static inline int64_t narrow_words(int64_t words, int bits) {
  return gemm_round_up(words, 4) * bits / 8;
}

/* Behind the panels and their sums. */
static inline int32_t *narrow_panel(const rung_qgemm *gemm, int64_t column) {
  return packed_sums(gemm, 1) + column * narrow_words(words_of(gemm->k), narrow_bits(gemm));
}

static inline void narrow_pack(const rung_qgemm *gemm, int64_t column) {
  const int32_t *from = packed_panel(gemm, column);
  int32_t *to = narrow_panel(gemm, column);
  int64_t words = words_of(gemm->k);
  int bits = narrow_bits(gemm), per = 8 / bits;
  const uint32_t mask = ((1u << bits) - 1) * 0x01010101u;
  for (int64_t q = 0; q < narrow_words(words, bits); q++)
    for (int64_t j = 0; j < panel_columns; j++) {
      uint32_t packed = 0;
      for (int64_t u = 0; u < per; u++) {
        int64_t word = q * per + u;
        if (word < words) packed |= ((uint32_t)from[word * panel_columns + j] & mask) << (8 - bits * (u + 1));
      }
      to[q * panel_columns + j] = (int32_t)packed;
    }
}

/* part[u] += words u of four of each row times those of each column, which are `bits` narrow words. */
ALWAYS_INLINE void multiply_four(const int bits, const int rows, word_rows a, const int32_t *w,
                                 vi (*part)[narrow_rows][tile_vectors]) {
  const int per = 8 / bits;
  const vi mask = vi_set((int32_t)((0x100u - (1u << (8 - bits))) * 0x01010101u));
  const char *base[1] = {a.data};
  UNROLL for (int u = 0; u < 4; u++) {
    UNROLL for (int j = 0; j < tile_vectors; j++) {
      vi line = (vi_load(w + u / per * panel_columns + j * VW) << (u % per * bits)) & mask;
      UNROLL for (int i = 0; i < rows; i++) part[u][i][j] =
          dot(part[u][i][j], broadcast_word(base, a.stride, i, u), line);
    }
  }
}

/* multiply_tile over a narrow panel. */
ALWAYS_INLINE void multiply_narrow(const int bits, const int rows, int64_t words, word_rows a, const int32_t *w,
                                   const int32_t *bias, vi (*sum)[tile_vectors]) {
  vi part[4][narrow_rows][tile_vectors] = {{{{0}}}};
  int64_t p = 0;
  for (; p + 4 <= words; p += 4, a.data += 16, w += bits / 2 * panel_columns) multiply_four(bits, rows, a, w, part);
  if (p < words) {
    char rest[narrow_rows][16] = {{0}};
    for (int i = 0; i < rows; i++) memcpy(rest[i], a.data + i * a.stride, (size_t)(4 * (words - p)));
    multiply_four(bits, rows, (word_rows){rest[0], sizeof rest[0]}, w, part);
  }
  UNROLL for (int i = 0; i < rows; i++) {
    UNROLL for (int j = 0; j < tile_vectors; j++) {
      vi all = (part[0][i][j] + part[1][i][j]) + (part[2][i][j] + part[3][i][j]);
      sum[i][j] = (vi)((vi_modular)vi_load(bias + j * VW) + (vi_modular)(all >> (8 - bits)));
    }
  }
}

#endif
