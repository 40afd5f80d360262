/* Weights [n, k] int8 into the panels of gemm_i8.h. */
#include "gemm_i8.h"

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
    int64_t rows = gemm_min(panel_columns, end - j);
    pack_bytes(packed_panel(gemm, j), panel_columns, weight + j * gemm->k, gemm->k, rows - 1, gemm->k, bytes_weight);
    sum_weights(gemm, j);
  }
}
