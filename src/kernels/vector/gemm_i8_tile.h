/* The sums of a tile, in registers: `rows` rows of activations times a panel's first `vectors` vectors of columns.
 *
 * Rows are read where they lie, a word at a time, broadcast to all lanes. Few rows make few chains of dot products,
 * each waiting for its last: `parts` sums for each element take the words in turn, so that at least eight are under
 * way. Integer sums may be split, they are exact. */
#ifndef RUNG_GEMM_I8_TILE_H
#define RUNG_GEMM_I8_TILE_H

#include "gemm_i8.h"

/* Rows of words, `stride` bytes apart. */
typedef struct word_rows {
  const char *data;
  int64_t stride;
} word_rows;

/* Three rows to a pointer, which x86 addresses as [pointer + {0, 1, 2} * stride]: twelve pointers would be too many. */
enum { tile_bases = (tile_rows + 2) / 3 };

ALWAYS_INLINE vi broadcast_word(const char *const *base, int64_t stride, int row, int64_t word) {
  int32_t value;
  memcpy(&value, base[row / 3] + (row % 3) * stride + 4 * word, sizeof value);
  return vi_set(value);
}

/* sum += word `word` of each row times that of each column. */
ALWAYS_INLINE void multiply_word(const int rows, const int vectors, const char *const *base, int64_t stride,
                                 const int32_t *w, const int word, vi (*sum)[tile_vectors]) {
  vi line[tile_vectors];
  UNROLL for (int j = 0; j < vectors; j++) line[j] = vi_load(w + word * panel_columns + j * VW);
  UNROLL for (int i = 0; i < rows; i++) {
    vi x = broadcast_word(base, stride, i, word);
    UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = dot(sum[i][j], x, line[j]);
  }
}

/* Twelve rows are more streams than the hardware follows: the next tile's, and what comes later of the panel or of the
 * next one, are asked for here. With few rows the weights alone take all the bandwidth there is. */
ALWAYS_INLINE void prefetch_ahead(const int rows, const char *const *base, int64_t stride, const int32_t *w) {
  enum { ahead = 16 << 10, line = 64 };
  UNROLL for (int i = 0; i < rows; i++) __builtin_prefetch(base[i / 3] + (i % 3 + rows) * stride);
  UNROLL for (int b = 0; b < 16 * panel_columns; b += line) __builtin_prefetch((const char *)w + ahead + b);
}

/* sum = bias + the products of `words` words. */
ALWAYS_INLINE void multiply_tile(const int rows, const int parts, const int vectors, int64_t words, word_rows a,
                                 const int32_t *w, const int32_t *bias, vi (*sum)[tile_vectors]) {
  vi more[3][tile_rows][tile_vectors]; /* of the other parts */
  const char *base[tile_bases];
  UNROLL for (int i = 0; i < rows; i += 3) base[i / 3] = a.data + i * a.stride;
  UNROLL for (int i = 0; i < rows; i++) {
    UNROLL for (int j = 0; j < vectors; j++) {
      sum[i][j] = vi_load(bias + j * VW);
      UNROLL for (int q = 1; q < parts; q++) more[q - 1][i][j] = (vi){0};
    }
  }
  int64_t p = 0;
  for (; p + 4 <= words; p += 4, w += 4 * panel_columns) {
    multiply_word(rows, vectors, base, a.stride, w, 0, sum);
    multiply_word(rows, vectors, base, a.stride, w, 1, 1 % parts ? more[1 % parts - 1] : sum);
    multiply_word(rows, vectors, base, a.stride, w, 2, 2 % parts ? more[2 % parts - 1] : sum);
    multiply_word(rows, vectors, base, a.stride, w, 3, 3 % parts ? more[3 % parts - 1] : sum);
    if (rows > 4) prefetch_ahead(rows, base, a.stride, w);
    UNROLL for (int i = 0; i < rows; i += 3) base[i / 3] += 16;
  }
  for (; p < words; p++, w += panel_columns) {
    multiply_word(rows, vectors, base, a.stride, w, 0, sum);
    UNROLL for (int i = 0; i < rows; i += 3) base[i / 3] += 4;
  }
  UNROLL for (int i = 0; i < rows; i++) {
    UNROLL for (int j = 0; j < vectors; j++) {
      UNROLL for (int q = 1; q < parts; q++) sum[i][j] = (vi)((vi_modular)sum[i][j] + (vi_modular)more[q - 1][i][j]);
    }
  }
}

#endif
