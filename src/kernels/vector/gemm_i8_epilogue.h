/* What becomes of a tile of accumulators [rows, panel_columns]: observed range, requantize, mask, store. */
#ifndef RUNG_GEMM_I8_EPILOGUE_H
#define RUNG_GEMM_I8_EPILOGUE_H

#include "gemm_i8.h"
#include "gemm_i8_requantize.h"

typedef int8_t vb __attribute__((vector_size(VW)));

/* What is one number a column, for the columns of a panel. */
typedef struct panel_params {
  int32_t multiplier[panel_columns], shift[panel_columns];
  int32_t min[panel_columns], max[panel_columns];
} panel_params;

/* Where a tile goes: rows i .. of y, columns j .. */
typedef struct tile_place {
  int64_t row, rows, column, columns;
} tile_place;

static inline int64_t element_size(const rung_qgemm *gemm) {
  return gemm->epilogue == RUNG_EPILOGUE_REQUANTIZE_8 ? 1 : 4;
}

static inline clamp_range range_of(const rung_qgemm *gemm) {
  if (gemm->epilogue == RUNG_EPILOGUE_REQUANTIZE_8)
    return (clamp_range){(int64_t)gemm->qmin - gemm->zero_point, (int64_t)gemm->qmax - gemm->zero_point};
  return (clamp_range){INT32_MIN, INT32_MAX};
}

static inline void observe_tile(panel_params *params, const int32_t *acc, int64_t rows) {
  for (int j = 0; j < panel_columns; j += VW) {
    vi low = vi_load(params->min + j), high = vi_load(params->max + j);
    for (int64_t i = 0; i < rows; i++) {
      vi v = vi_load(acc + i * panel_columns + j);
      low = vi_min(low, v);
      high = vi_max(high, v);
    }
    vi_store(params->min + j, low);
    vi_store(params->max + j, high);
  }
}

/* VW elements of y from r. */
static inline void store_lanes(const rung_qgemm *gemm, char *y, vi r) {
  if (gemm->epilogue == RUNG_EPILOGUE_REQUANTIZE_8) {
    vb bytes = __builtin_convertvector(r + vi_set(gemm->zero_point), vb);
    memcpy(y, &bytes, sizeof bytes);
  } else {
    memcpy(y, &r, sizeof r);
  }
}

/* eq. 8: y, and in bits[i] the mask of row i, bit j of column j. */
static void requantize_tile(const rung_qgemm *gemm, const panel_params *params, const int32_t *acc, int64_t rows,
                            char *y, int64_t stride, uint32_t *bits) {
  const clamp_range range = range_of(gemm);
  for (int j = 0; j < panel_columns; j += VW) {
    const lane_scales scales = lane_scales_of(vi_load(params->multiplier + j), vi_load(params->shift + j));
    for (int64_t i = 0; i < rows; i++) {
      vi x = vi_load(acc + i * panel_columns + j), inside, r = requantize(x, &scales, range, &inside);
      store_lanes(gemm, y + i * stride + j * element_size(gemm), r);
      if (!gemm->mask) continue;
      if (gemm->mask_positive) inside &= x > 0;
      bits[i] |= vi_bits(inside) << j;
    }
  }
}

/* eq. 9, likewise; the sums over groups are int64. */
static void requantize_sums(const rung_qgemm *gemm, const panel_params *params, const int64_t *sums, int64_t rows,
                            char *y, int64_t stride, uint32_t *bits) {
  const clamp_range range = range_of(gemm);
  for (int64_t i = 0; i < rows; i++, sums += panel_columns) {
    int32_t r[panel_columns];
    for (int j = 0; j < panel_columns; j++) {
      int64_t full = (sums[j] + (INT64_C(1) << (params->shift[j] - 1))) >> params->shift[j];
      int64_t clamped = clamp_to(full, range);
      bool inside = clamped == full && (sums[j] > 0 || !gemm->mask_positive);
      r[j] = (int32_t)clamped;
      bits[i] |= (uint32_t)inside << j;
    }
    for (int j = 0; j < panel_columns; j += VW)
      store_lanes(gemm, y + i * stride + j * element_size(gemm), vi_load(r + j));
  }
}

static void store_mask(const rung_qgemm *gemm, tile_place at, const uint32_t *bits) {
  uint32_t columns = (uint32_t)((UINT64_C(1) << at.columns) - 1);
  for (int64_t i = 0; i < at.rows; i++) {
    uint8_t *mask = gemm->mask + (at.row + i) * gemm->mask_stride + at.column / 8;
    for (int64_t j = 0; j < at.columns; j += 8) mask[j / 8] = (uint8_t)((bits[i] & columns) >> j);
  }
}

/* Finishes a tile: `acc` [rows, panel_columns], or where there are groups their `sums`. */
static void finish_tile(const rung_qgemm *gemm, panel_params *params, const int32_t *acc, const int64_t *sums,
                        tile_place at) {
  int64_t size = element_size(gemm), stride = gemm->y_stride * size;
  char *y = (char *)gemm->y + at.row * stride + at.column * size;
  if (gemm->acc_min) observe_tile(params, acc, at.rows);
  if (gemm->epilogue == RUNG_EPILOGUE_ACCUMULATOR) {
    for (int64_t i = 0; i < at.rows; i++)
      memcpy(y + i * stride, acc + i * panel_columns, (size_t)at.columns * sizeof *acc);
    return;
  }
  char narrow[tile_rows * panel_columns * 4];
  bool whole = at.columns == panel_columns;
  char *to = whole ? y : narrow;
  int64_t to_stride = whole ? stride : panel_columns * size;
  uint32_t bits[tile_rows] = {0};
  if (sums)
    requantize_sums(gemm, params, sums, at.rows, to, to_stride, bits);
  else
    requantize_tile(gemm, params, acc, at.rows, to, to_stride, bits);
  if (!whole)
    for (int64_t i = 0; i < at.rows; i++) memcpy(y + i * stride, narrow + i * to_stride, (size_t)(at.columns * size));
  if (gemm->mask && gemm->epilogue == RUNG_EPILOGUE_REQUANTIZE_8) store_mask(gemm, at, bits);
}

#endif
