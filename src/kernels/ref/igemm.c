/* c[i][j] = (sum over p of a[i][p] (b[p][j] - zero_point), exact) times scale row_scale[i]. */
#include "level.h"

#include <math.h>

static int32_t products(const rung_igemm *gemm, int64_t i, int64_t j) {
  int32_t sum = 0;
  for (int64_t p = 0; p < gemm->k; p++) {
    int32_t a = gemm->a[gemm->a_transposed ? p * gemm->a_stride + i : i * gemm->a_stride + p];
    int64_t at = p * gemm->b_stride + j;
    int32_t b = gemm->b_type == RUNG_U8 ? ((const uint8_t *)gemm->b)[at] : ((const int8_t *)gemm->b)[at];
    sum += a * (b - gemm->b_zero_point);
  }
  return sum;
}

static void element(const rung_igemm *gemm, int64_t i, int64_t j, float *c) {
  float scale = gemm->row_scale ? gemm->scale * gemm->row_scale[i] : gemm->scale;
  float sum = (float)products(gemm, i, j);
  *c = gemm->accumulate ? fmaf(sum, scale, *c) : sum * scale;
}

static void hand_over(const rung_igemm *gemm, float *c, int ith, int nth) {
  int64_t begin, end;
  rung_slice(gemm->m, RUNG_GEMM_GRAIN, ith, nth, &begin, &end);
  for (int64_t row = begin, rows; row < end; row += rows) {
    rows = end - row < RUNG_GEMM_GRAIN ? end - row : RUNG_GEMM_GRAIN;
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < gemm->n; j++) element(gemm, row + i, j, &c[i * gemm->n + j]);
    gemm->take(gemm->context, c, row, rows);
  }
}

void RUNG_AT_LEVEL(igemm)(const rung_igemm *gemm, void *scratch, int ith, int nth) {
  if (gemm->take) {
    hand_over(gemm, scratch, ith, nth);
    return;
  }
  int64_t row = 0, row_end = gemm->m, begin = 0, end = gemm->n;
  if (gemm->by_rows)
    rung_slice(gemm->m, RUNG_IGEMM_ROWS, ith, nth, &row, &row_end);
  else
    rung_slice(gemm->n, RUNG_IGEMM_COLUMNS, ith, nth, &begin, &end);
  for (int64_t i = row; i < row_end; i++)
    for (int64_t j = begin; j < end; j++) element(gemm, i, j, &gemm->c[i * gemm->c_stride + j]);
}
