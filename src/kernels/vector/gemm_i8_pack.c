/* Weights [n, k] int8 into the panels of gemm_i8.h. */
#include "gemm_i8_narrow.h"

/* The four bytes in each lane of x as one word or, sign-extended, two, the second panel_columns after the first. */
ALWAYS_INLINE void store_words(int32_t *to, vi x) {
  if (words_of_4 == 1) {
    vi_store(to, x);
    return;
  }
  const vi low = vi_set(0xffff);
  vi_store(to, (x << 24 >> 24 & low) | (x << 16 >> 24 << 16));
  vi_store(to + panel_columns, (x << 8 >> 24 & low) | (x >> 24 << 16));
}

/* The words of 16 columns of k, from `offset` on, of VW rows, row l's in lane l; of them, `fours` times four. */
ALWAYS_INLINE void pack_16(int32_t *to, const char *const row[VW], int64_t offset, int64_t fours) {
  vi word[4];
  pack_transpose(word, row, offset);
  for (int64_t q = 0; q < fours; q++) store_words(to + q * words_of_4 * panel_columns, word[q]);
}

/* VW rows of k bytes; those past `last` repeat it. */
static void pack_vector(int32_t *to, const int8_t *weight, int64_t k, int64_t first, int64_t last) {
  const char *row[VW], *end_row[VW];
  pack_rows(row, weight, k, first, last);
  int64_t p = 0;
  for (; p + 16 <= k; p += 16, to += 4 * words_of_4 * panel_columns) pack_16(to, row, p, 4);
  if (p == k) return;
  char end[VW][16] = {{0}};
  for (int l = 0; l < VW; l++) {
    memcpy(end[l], row[l] + p, (size_t)(k - p));
    end_row[l] = end[l];
  }
  pack_16(to, end_row, 0, (k - p + 3) / 4);
}

#if defined(__AVX512VNNI__)
/* The sums of the weights of a panel: their products with ones. */
static void sum_weights(const rung_qgemm *gemm, int64_t column) {
  const int32_t *w = packed_panel(gemm, column);
  int64_t groups = group_count(gemm), words = words_of(gemm->k),
          group_words = gemm->group ? words_of(gemm->group) : words;
  for (int64_t g = 0; g < groups; g++) {
    vi sum[tile_vectors] = {{0}};
    for (int64_t p = g * group_words; p < gemm_min((g + 1) * group_words, words); p++)
      for (int j = 0; j < tile_vectors; j++)
        sum[j] = dot(sum[j], vi_set(0x01010101), vi_load(w + p * panel_columns + j * VW));
    for (int j = 0; j < tile_vectors; j++) vi_store(packed_sums(gemm, g) + column + j * VW, sum[j]);
  }
}
#else
static void sum_weights(const rung_qgemm *gemm, int64_t column) {
  (void)gemm, (void)column;
}
#endif

void RUNG_AT_LEVEL(gemm_i8_pack)(const rung_qgemm *gemm, const int8_t *weight, int64_t begin, int64_t end) {
  for (int64_t j = begin; j < end; j += panel_columns) {
    int64_t last = gemm_min(panel_columns, end - j) - 1;
    for (int first = 0; first < panel_columns; first += VW)
      pack_vector(packed_panel(gemm, j) + first, weight + j * gemm->k, gemm->k, first, last);
    sum_weights(gemm, j);
    if (narrow_bits(gemm)) narrow_pack(gemm, j);
  }
}
