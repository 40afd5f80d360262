/* Weights [n, k] int8 into the panels of gemm_i8.h. */
#include "gemm_i8.h"

#if defined(__AVX512VNNI__)
static void sum_weights(const rung_qgemm *gemm, int64_t column) {
  const vi ones = vi_set(0x01010101);
  for (int64_t g = 0, groups = group_count(gemm); g < groups; g++) {
    int64_t from = g * words_of(gemm->group), to = groups > 1 ? from + words_of(gemm->group) : words_of(gemm->k);
    const int32_t *w = packed_panel(gemm, column);
    for (int j = 0; j < panel_columns; j += VW) {
      vi sum = vi_set(0);
      for (int64_t p = from; p < gemm_min(to, words_of(gemm->k)); p++)
        sum = dot(sum, ones, vi_load(w + p * panel_columns + j));
      vi_store(packed_sums(gemm, g) + column + j, sum);
    }
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
    pack_bytes((int32_t *)gemm->packed + j * words_of(gemm->k), panel_columns, weight + j * gemm->k, gemm->k, rows - 1,
               gemm->k, bytes_weight);
    sum_weights(gemm, j);
  }
}
