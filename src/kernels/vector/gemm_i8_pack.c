/* Weights [n, k] int8 into the panels of gemm_i8.h. */
#include "gemm_i8_narrow.h"

/* Words of 16 columns of k, from `offset` on, of VW rows; row l's word p goes to to[p * panel_columns + l]. */
ALWAYS_INLINE void pack_16(int32_t *to, const char *const row[VW], int64_t offset) {
  for (int64_t p = 0; p < 4 * words_of_4; p += 4) {
    vi word[4];
    pack_transpose(word, row, offset + 4 * p);
    for (int q = 0; q < 4; q++) vi_store(to + (p + q) * panel_columns, word[q]);
  }
}

/* The rows' elements k .. k + count - 1 (count <= 16) as they stand in words, then zeros. */
ALWAYS_INLINE void widen(word_element (*to)[16], const char *const row[VW], int64_t k, int64_t count) {
  for (int l = 0; l < VW; l++)
    for (int64_t p = 0; p < 16; p++) to[l][p] = p < count ? ((const int8_t *)row[l])[k + p] : 0;
}

/* VW rows of k bytes; those past `last` repeat it. */
static void pack_vector(int32_t *to, const int8_t *weight, int64_t k, int64_t first, int64_t last) {
  const char *row[VW], *wide_row[VW];
  word_element wide[VW][16];
  for (int l = 0; l < VW; l++) wide_row[l] = (const char *)wide[l];
  pack_rows(row, weight, k, first, last);
  int64_t p = 0;
  for (; p + 16 <= k; p += 16, to += 4 * words_of_4 * panel_columns) {
    if (sizeof(word_element) == 1) {
      pack_16(to, row, p);
      continue;
    }
    widen(wide, row, p, 16);
    pack_16(to, wide_row, 0);
  }
  if (p == k) return;
  int32_t rest[4 * words_of_4 * panel_columns];
  widen(wide, row, p, k - p);
  pack_16(rest, wide_row, 0);
  for (int64_t word = 0; word < words_of(k - p); word++)
    vi_store(to + word * panel_columns, vi_load(rest + word * panel_columns));
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
