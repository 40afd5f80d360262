/* The integer product: rows of a are packed a block at a time, each tile [tile_rows, panel_columns] of accumulators is
 * summed in registers over all of k (or over a group), and goes through the epilogue while it is in the first cache. */
#include "gemm_i8_epilogue.h"

/* acc = bias + the products of `words` words. */
ALWAYS_INLINE void tile(const int rows, int64_t words, const int32_t *a, const int32_t *w, const int32_t *bias,
                        int32_t *acc) {
  vi sum[tile_rows][tile_vectors];
  UNROLL for (int i = 0; i < rows; i++) {
    UNROLL for (int j = 0; j < tile_vectors; j++) sum[i][j] = vi_load(bias + j * VW);
  }
  for (int64_t p = 0; p < words; p++, a += tile_rows, w += panel_columns) {
    vi line[tile_vectors];
    UNROLL for (int j = 0; j < tile_vectors; j++) line[j] = vi_load(w + j * VW);
    UNROLL for (int i = 0; i < rows; i++) {
      vi x = vi_set(a[i]);
      UNROLL for (int j = 0; j < tile_vectors; j++) sum[i][j] = dot(sum[i][j], x, line[j]);
    }
  }
  UNROLL for (int i = 0; i < rows; i++) {
    UNROLL for (int j = 0; j < tile_vectors; j++) vi_store(acc + i * panel_columns + j * VW, sum[i][j]);
  }
}

/* The tile function of the fewest rows that hold `rows`. */
static void run_tile(int64_t rows, int64_t words, const int32_t *a, const int32_t *w, const int32_t *bias,
                     int32_t *acc) {
  if (rows > 4)
    tile(tile_rows, words, a, w, bias, acc);
  else if (rows > 1)
    tile(4, words, a, w, bias, acc);
  else
    tile(1, words, a, w, bias, acc);
}

/* The bias of each group for a panel. Activations that were fed as a + 128 have it back here, modulo 2^32 as all of the
 * accumulator. */
static void load_bias(const rung_qgemm *gemm, tile_place at, int32_t *bias) {
  int64_t groups = group_count(gemm);
  for (int64_t g = 0; g < groups; g++, bias += panel_columns) {
    for (int64_t j = 0; j < panel_columns; j++) bias[j] = j < at.columns ? gemm->bias[(at.column + j) * groups + g] : 0;
#if defined(__AVX512VNNI__)
    if (gemm->a_type == RUNG_U8) continue;
    const int32_t *sums = packed_sums(gemm, g) + at.column;
    for (int j = 0; j < panel_columns; j++) bias[j] = (int32_t)((uint32_t)bias[j] - 128 * (uint32_t)sums[j]);
#endif
  }
}

static void load_group_multipliers(const rung_qgemm *gemm, tile_place at, int32_t *multiplier) {
  int64_t groups = group_count(gemm);
  for (int64_t g = 0; g < groups; g++)
    for (int64_t j = 0; j < panel_columns; j++)
      *multiplier++ = j < at.columns ? gemm->multiplier[(at.column + j) * groups + g] : 0;
}

/* sums = bias64 + the accumulators of each group times its multiplier (eq. 9). */
static void sum_groups(const rung_qgemm *gemm, const int32_t *a, const int32_t *bias, const int32_t *multiplier,
                       tile_place at, int64_t *sums) {
  const int32_t *w = packed_panel(gemm, at.column);
  int64_t words = words_of(gemm->k), group_words = words_of(gemm->group);
  for (int64_t i = 0; i < at.rows; i++)
    for (int64_t j = 0; j < panel_columns; j++)
      sums[i * panel_columns + j] = j < at.columns ? gemm->bias64[at.column + j] : 0;
  for (int64_t p = 0; p < words; p += group_words, bias += panel_columns, multiplier += panel_columns) {
    int32_t acc[tile_rows * panel_columns];
    run_tile(at.rows, gemm_min(group_words, words - p), a + p * tile_rows, w + p * panel_columns, bias, acc);
    for (int64_t i = 0; i < at.rows; i++)
      for (int j = 0; j < panel_columns; j++)
        sums[i * panel_columns + j] += (int64_t)acc[i * panel_columns + j] * multiplier[j];
  }
}

static void load_params(const rung_qgemm *gemm, int64_t column, int64_t columns, bool first, panel_params *params) {
  for (int64_t j = 0; j < panel_columns; j++) {
    bool valid = j < columns;
    params->shift[j] = valid && gemm->shift ? gemm->shift[column + j] : 1;
    params->multiplier[j] = valid && gemm->multiplier && !gemm->group ? gemm->multiplier[column + j] : 0;
    params->min[j] = valid && gemm->acc_min && !first ? gemm->acc_min[column + j] : INT32_MAX;
    params->max[j] = valid && gemm->acc_max && !first ? gemm->acc_max[column + j] : INT32_MIN;
  }
}

/* A packed block of rows times the panel of weights at block.column. `bias` has room for a panel's biases and, where
 * there are groups, multipliers. */
static void multiply_panel(const rung_qgemm *gemm, const int32_t *a, int32_t *bias, tile_place block) {
  int64_t words = words_of(gemm->k);
  int32_t *multiplier = bias + group_count(gemm) * panel_columns;
  panel_params params;
  load_params(gemm, block.column, block.columns, block.row == 0, &params);
  load_bias(gemm, block, bias);
  if (gemm->group) load_group_multipliers(gemm, block, multiplier);
  for (int64_t i = 0; i < block.rows; i += tile_rows) {
    int32_t acc[tile_rows * panel_columns];
    int64_t sums[tile_rows * panel_columns];
    tile_place at = {block.row + i, gemm_min(tile_rows, block.rows - i), block.column, block.columns};
    if (gemm->group)
      sum_groups(gemm, a + i * words, bias, multiplier, at, sums);
    else
      run_tile(at.rows, words, a + i * words, packed_panel(gemm, at.column), bias, acc);
    finish_tile(gemm, &params, acc, gemm->group ? sums : NULL, at);
  }
  if (!gemm->acc_min) return;
  memcpy(gemm->acc_min + block.column, params.min, (size_t)block.columns * sizeof(int32_t));
  memcpy(gemm->acc_max + block.column, params.max, (size_t)block.columns * sizeof(int32_t));
}

void RUNG_AT_LEVEL(gemm_i8)(const rung_qgemm *gemm, void *scratch, int ith, int nth) {
  int64_t begin, end, words = words_of(gemm->k);
  rung_slice(gemm->n, RUNG_QGEMM_GRAIN, ith, nth, &begin, &end);
  if (begin == end) return;
  int64_t fit = qgemm_row_bytes / (4 * (words + 1)) / tile_rows * tile_rows;
  int64_t rows = gemm_block(gemm->m, fit > 0 ? fit : tile_rows, tile_rows);
  byte_kind kind = gemm->a_type == RUNG_U8 ? bytes_u8 : bytes_i8;
  int32_t *bias = scratch, *a = bias + 2 * group_count(gemm) * panel_columns;
  for (int64_t row = 0; row < gemm->m; row += rows) {
    tile_place block = {.row = row, .rows = gemm_min(rows, gemm->m - row)};
    for (int64_t i = 0; i < block.rows; i += tile_rows)
      pack_bytes(a + i * words, tile_rows, (const char *)gemm->a + (row + i) * gemm->a_stride, gemm->a_stride,
                 gemm_min(tile_rows, block.rows - i) - 1, gemm->k, kind);
    for (block.column = begin; block.column < end; block.column += panel_columns) {
      block.columns = gemm_min(panel_columns, end - block.column);
      multiply_panel(gemm, a, bias, block);
    }
  }
}
