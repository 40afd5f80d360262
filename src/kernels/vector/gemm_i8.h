/* What packing, tiles and epilogues of the integer product agree on at this level.
 *
 * Both operands are cut along k into words of 32 bits: four bytes where there is a byte dot product (activations
 * unsigned, weights signed), else two int16, whose products are exact with any bytes. k is padded with zeros to a
 * multiple of 4. `packed` holds panels of panel_columns weight rows, word p of row j at p * panel_columns + j of the
 * panel, and, with byte words, for each group the sum of every row's weights: a signed activation a is fed as a + 128,
 * and 128 times that sum is taken from the bias. */
#ifndef RUNG_GEMM_I8_H
#define RUNG_GEMM_I8_H

#include "gemm_pack.h"
#include "level.h"

#if VW == 16
enum { tile_rows = 12, tile_vectors = 2 };
#elif VW == 8
enum { tile_rows = 6, tile_vectors = 2 };
#elif defined(__aarch64__)
enum { tile_rows = 8, tile_vectors = 2 };
#else
enum { tile_rows = 4, tile_vectors = 2 };
#endif
enum { panel_columns = tile_vectors * VW };
_Static_assert(RUNG_QGEMM_GRAIN % panel_columns == 0 && panel_columns % 8 == 0,
               "a member has whole panels, a panel whole bytes of the mask");

#if defined(__AVX512VNNI__)
enum { words_of_4 = 1 }; /* words that four elements of k make */
ALWAYS_INLINE vi dot(vi sum, vi a, vi w) {
  return vi_dot_bytes(sum, a, w);
}
#else
enum { words_of_4 = 2 };
ALWAYS_INLINE vi dot(vi sum, vi a, vi w) {
  return vi_dot_pairs(sum, a, w);
}
#endif

ALWAYS_INLINE int64_t words_of(int64_t k) {
  return gemm_round_up(k, 4) / 4 * words_of_4;
}
ALWAYS_INLINE int64_t group_count(const rung_qgemm *gemm) {
  return gemm->group ? (gemm->k + gemm->group - 1) / gemm->group : 1;
}
ALWAYS_INLINE int32_t *packed_panel(const rung_qgemm *gemm, int64_t column) {
  return (int32_t *)gemm->packed + column * words_of(gemm->k);
}
/* The sums of group g: [n] rounded up to panel_columns. */
ALWAYS_INLINE int32_t *packed_sums(const rung_qgemm *gemm, int64_t g) {
  int64_t columns = gemm_round_up(gemm->n, RUNG_QGEMM_GRAIN);
  return (int32_t *)gemm->packed + columns * (words_of(gemm->k) + g);
}

typedef enum byte_kind { bytes_u8, bytes_i8, bytes_weight } byte_kind;

/* Stores the four bytes in each lane of x as one word or two, the second `width` words after the first. */
ALWAYS_INLINE void store_words(int32_t *to, const int width, vi x, byte_kind kind) {
#if defined(__AVX512VNNI__)
  (void)width;
  vi_store(to, x ^ vi_set(kind == bytes_i8 ? (int32_t)0x80808080 : 0));
#else
  const vi low = vi_set(0xffff), byte0 = vi_set(0xff), byte1 = vi_set(0xff00);
  if (kind == bytes_u8) {
    vi_store(to, (x & byte0) | (x & byte1) << 8);
    vi_store(to + width, (x >> 16 & byte0) | (x >> 16 & byte1) << 8);
  } else {
    vi_store(to, (x << 24 >> 24 & low) | (x << 16 >> 24 << 16));
    vi_store(to + width, (x << 8 >> 24 & low) | (x >> 24 << 16));
  }
#endif
}

/* A panel of `width` rows of k bytes, `stride` apart; the rows past `last` repeat it. */
ALWAYS_INLINE void pack_bytes(int32_t *to, const int width, const void *from, int64_t stride, int64_t last, int64_t k,
                              byte_kind kind) {
  for (int first = 0; first < width; first += VW) {
    const char *row[VW];
    pack_rows(row, from, stride, first, last);
    int32_t *out = to + first;
    int64_t p = 0;
    for (; p + 16 <= k; p += 16) {
      vi word[4];
      pack_transpose(word, row, p);
      for (int q = 0; q < 4; q++, out += words_of_4 * width) store_words(out, width, word[q], kind);
    }
    for (; p < k; p += 4, out += words_of_4 * width)
      store_words(out, width, pack_word(row, p, gemm_min(4, k - p)), kind);
  }
}

#endif
