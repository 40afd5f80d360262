/* What the f32 and the bfloat16 product have in common: the tile, the blocks, and who computes what. */
#ifndef RUNG_GEMM_PART_H
#define RUNG_GEMM_PART_H

#include "gemm_blocks.h"
#include "level.h"
#include "simd.h"

#if VW == 16
enum { tile_rows = 12, tile_vectors = 2 };
#elif VW == 8
enum { tile_rows = 6, tile_vectors = 2 };
#else
enum { tile_rows = 8, tile_vectors = 2 };
#endif
enum { tile_columns = tile_vectors * VW };

typedef struct block {
  int64_t row, rows, column, columns, begin, depth; /* of c, of c, along k */
} block;

/* Member ith's part of c: columns, or rows where that leaves the busiest member fewer tiles. */
static block member_part(const rung_gemm *gemm, int ith, int nth) {
  int64_t down = (gemm->m + tile_rows - 1) / tile_rows, across = (gemm->n + tile_columns - 1) / tile_columns;
  int64_t row = 0, row_end = gemm->m, column = 0, column_end = gemm->n;
  if ((down + nth - 1) / nth * across < (across + nth - 1) / nth * down)
    rung_slice(gemm->m, tile_rows, ith, nth, &row, &row_end);
  else
    rung_slice(gemm->n, tile_columns, ith, nth, &column, &column_end);
  return (block){.row = row, .rows = row_end - row, .column = column, .columns = column_end - column};
}

#endif
