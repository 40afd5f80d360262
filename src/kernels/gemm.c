/* The matrix products at the level in use, and the memory they need at any level. */
#include "gemm_blocks.h"
#include <rung/kernels.h>

/* All of b, a block of rows of a, and the rows of c to hand over. */
static size_t scratch_to_take(const rung_gemm *gemm) {
  int64_t columns = gemm_round_up(gemm->n, gemm_panel_max), rows = RUNG_GEMM_GRAIN + gemm_panel_max;
  int64_t depth = gemm_min(gemm->k, gemm_depth);
  return (size_t)(columns * gemm->k + rows * depth + RUNG_GEMM_GRAIN * gemm->n) * sizeof(float) +
         3 * (gemm_slack + RUNG_ALIGNMENT);
}

size_t rung_gemm_scratch(const rung_gemm *gemm) {
  if (gemm->take) return scratch_to_take(gemm);
  int64_t depth = gemm_min(gemm->k, gemm_depth);
  int64_t columns = gemm_min(gemm->n + gemm_panel_max, gemm_columns);
  int64_t rows = gemm_min(gemm->m + gemm_panel_max, gemm_rows);
  return (size_t)((rows + columns) * depth) * sizeof(float) + 2 * (gemm_slack + RUNG_ALIGNMENT);
}

void rung_gemm_run(const rung_gemm *gemm, void *scratch, int ith, int nth) {
  rung_kernels_active()->gemm_f32(gemm, scratch, ith, nth);
}

void rung_gemm_bf16_run(const rung_gemm *gemm, void *scratch, int ith, int nth) {
  rung_kernels_active()->gemm_bf16(gemm, scratch, ith, nth);
}

/* Two bytes a weight (int16 where there is no byte dot product), and a column sum for each group. */
size_t rung_qgemm_packed_size(int64_t n, int64_t k, int64_t group) {
  int64_t groups = group ? (k + group - 1) / group : 1;
  int64_t columns = gemm_round_up(n, RUNG_QGEMM_GRAIN);
  return (size_t)(columns * (2 * gemm_round_up(k, 4) + 4 * groups)) + gemm_slack;
}

void rung_qgemm_pack(const rung_qgemm *gemm, const int8_t *weight, int64_t begin, int64_t end) {
  rung_kernels_active()->gemm_i8_pack(gemm, weight, begin, end);
}

/* Rows of a, two bytes an element, and a panel's biases and multipliers. */
size_t rung_qgemm_scratch(const rung_qgemm *gemm) {
  int64_t row = 2 * gemm_round_up(gemm->k, 4);
  int64_t most = row * gemm_panel_max > qgemm_row_bytes ? row * gemm_panel_max : qgemm_row_bytes;
  int64_t groups = gemm->group ? (gemm->k + gemm->group - 1) / gemm->group : 1;
  return (size_t)(gemm_min(row * gemm->m, most) + groups * 2 * gemm_panel_max * 4) + gemm_slack;
}

void rung_qgemm_run(const rung_qgemm *gemm, void *scratch, int ith, int nth) {
  rung_kernels_active()->gemm_i8(gemm, scratch, ith, nth);
}

size_t rung_igemm_scratch(const rung_igemm *gemm) {
  int64_t line = 2 * gemm_round_up(gemm->k, 4), panel = line * gemm_panel_max;
  int64_t columns = line * (gemm->n + gemm_panel_max);
  if (gemm->take) return (size_t)(columns + panel + RUNG_GEMM_GRAIN * gemm->n * 4) + 2 * gemm_slack;
  int64_t most = panel > igemm_column_bytes ? panel : igemm_column_bytes;
  return (size_t)(gemm_min(columns, most) + panel) + gemm_slack;
}

void rung_igemm_run(const rung_igemm *gemm, void *scratch, int ith, int nth) {
  rung_kernels_active()->igemm(gemm, scratch, ith, nth);
}
