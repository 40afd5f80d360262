/* The f32 product: blocks of b and of a are packed into panels, and a tile of c at a time is computed in registers.
 * Each element of c is one chain of fused multiply-adds, k ascending: a block of k that is not the first resumes the
 * chain from c in memory, so that neither blocking nor tile size nor vector width can be seen in the bits. */
#include "gemm_f32_pack.h"
#include "gemm_part.h"

enum { row_block = gemm_rows / tile_rows * tile_rows };

/* A tile of c, and what happens to it beside the products. */
typedef struct tile_target {
  float *c;
  int64_t stride, last_row; /* rows past last_row repeat it */
  bool resume;              /* the chain starts from c, else from 0 */
  const float *bias;        /* [tile_columns], added at the end, or NULL */
  bool relu;
} tile_target;

ALWAYS_INLINE void tile(const int rows, const int vectors, int64_t depth, const float *a, const float *b,
                        tile_target to) {
  vf sum[tile_rows][tile_vectors];
  float *c = to.c;
  UNROLL for (int i = 0; i < rows; i++) {
    UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = vf_set(0.0f);
  }
  if (to.resume) {
    UNROLL for (int i = 0; i < rows; i++) {
      UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = vf_load(c + j * VW);
      if (i < to.last_row) c += to.stride;
    }
  }
  for (int64_t p = 0; p < depth; p++, a += tile_rows, b += tile_columns) {
    vf line[tile_vectors];
    UNROLL for (int j = 0; j < vectors; j++) line[j] = vf_load(b + j * VW);
    UNROLL for (int i = 0; i < rows; i++) {
      vf x = vf_set(a[i]);
      UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = vf_fma(x, line[j], sum[i][j]);
    }
  }
  if (to.bias) {
    UNROLL for (int i = 0; i < rows; i++) {
      UNROLL for (int j = 0; j < vectors; j++) sum[i][j] += vf_load(to.bias + j * VW);
    }
  }
  if (to.relu) {
    UNROLL for (int i = 0; i < rows; i++) {
      UNROLL for (int j = 0; j < vectors; j++) sum[i][j] =
          vf_max(vf_set(0.0f), sum[i][j]); /* 0 > v ? 0 : v keeps NaN */
    }
  }
  c = to.c;
  UNROLL for (int i = 0; i < rows; i++) {
    UNROLL for (int j = 0; j < vectors; j++) vf_store(c + j * VW, sum[i][j]);
    if (i < to.last_row) c += to.stride;
  }
}

/* The tile function of the fewest rows that hold `rows`. */
ALWAYS_INLINE void tile_of_rows(int64_t rows, const int vectors, int64_t depth, const float *a, const float *b,
                                tile_target to) {
  to.last_row = rows - 1;
  if (rows > tile_rows * 2 / 3)
    tile(tile_rows, vectors, depth, a, b, to);
  else if (rows > tile_rows / 3)
    tile(tile_rows * 2 / 3, vectors, depth, a, b, to);
  else if (rows > 1)
    tile(tile_rows / 3, vectors, depth, a, b, to);
  else
    tile(1, vectors, depth, a, b, to);
}

static void run_tile(int64_t rows, int64_t columns, int64_t depth, const float *a, const float *b, tile_target to) {
  if (columns > VW)
    tile_of_rows(rows, tile_vectors, depth, a, b, to);
  else
    tile_of_rows(rows, 1, depth, a, b, to);
}

/* A tile whose columns of c are no whole vectors, by way of one that has them. */
static void run_ragged_tile(int64_t rows, int64_t columns, int64_t depth, const float *a, const float *b,
                            tile_target to) {
  float c[tile_rows * tile_columns], bias[tile_columns] = {0};
  tile_target whole = {c, tile_columns, 0, to.resume, to.bias ? bias : NULL, to.relu};
  size_t bytes = (size_t)columns * sizeof(float);
  memset(c, 0, sizeof c);
  if (to.bias) memcpy(bias, to.bias, bytes);
  if (to.resume)
    for (int64_t i = 0; i < rows; i++) memcpy(c + i * tile_columns, to.c + i * to.stride, bytes);
  run_tile(rows, columns, depth, a, b, whole);
  for (int64_t i = 0; i < rows; i++) memcpy(to.c + i * to.stride, c + i * tile_columns, bytes);
}

/* The packed blocks of a and b multiplied into c [rows, columns]: a panel of b stays in the first cache while those of
 * a pass. */
static void multiply_block(const rung_gemm *gemm, const block *at, const float *a, const float *b, float *c,
                           int64_t stride) {
  bool last = at->begin + at->depth == gemm->k;
  for (int64_t j = 0; j < at->columns; j += tile_columns)
    for (int64_t i = 0; i < at->rows; i += tile_rows) {
      int64_t rows = gemm_min(tile_rows, at->rows - i), columns = gemm_min(tile_columns, at->columns - j);
      const float *a_panel = a + i * at->depth, *b_panel = b + j * at->depth;
      tile_target to = {.c = c + i * stride + j,
                        .stride = stride,
                        .resume = gemm->accumulate || at->begin > 0,
                        .bias = last && gemm->bias ? gemm->bias + at->column + j : NULL,
                        .relu = last && gemm->relu};
      if (columns % VW == 0)
        run_tile(rows, columns, at->depth, a_panel, b_panel, to);
      else
        run_ragged_tile(rows, columns, at->depth, a_panel, b_panel, to);
    }
}

static void pack_a(float *to, const rung_gemm *gemm, const block *at) {
  pack_source from = {&gemm->a, !gemm->a.transpose, at->row, at->rows, at->begin, at->depth};
  pack_panels(to, tile_rows, &from);
}

static void pack_b(float *to, const rung_gemm *gemm, const block *at) {
  pack_source from = {&gemm->b, gemm->b.transpose, at->column, at->columns, at->begin, at->depth};
  pack_panels(to, tile_columns, &from);
}

static void multiply_columns(const rung_gemm *gemm, const block *part, block at, float *a, float *b) {
  pack_b(b, gemm, &at);
  int64_t rows = gemm_block(part->rows, row_block, tile_rows), end = part->row + part->rows;
  for (at.row = part->row; at.row < end; at.row += rows) {
    at.rows = gemm_min(rows, end - at.row);
    pack_a(a, gemm, &at);
    multiply_block(gemm, &at, a, b, gemm->c + at.row * gemm->c_stride + at.column, gemm->c_stride);
  }
}

/* Floats after which another packed block may start. */
static int64_t packed_floats(int64_t lines, int64_t width, int64_t depth) {
  return gemm_round_up(gemm_round_up(lines, width) * depth * 4 + gemm_slack, RUNG_ALIGNMENT) / 4;
}

/* With `take`: b is packed whole, and rows of c are finished one block after the other. */
static void multiply_to_take(const rung_gemm *gemm, float *scratch, int ith, int nth) {
  int64_t row, end, depth = gemm_block(gemm->k, gemm_depth, 4);
  rung_slice(gemm->m, RUNG_GEMM_GRAIN, ith, nth, &row, &end);
  if (row == end) return;
  float *b = scratch, *a = b + packed_floats(gemm->n, tile_columns, gemm->k);
  float *c = a + packed_floats(RUNG_GEMM_GRAIN, tile_rows, gemm_min(depth, gemm->k));
  block at = {.columns = gemm->n};
  for (; at.begin < gemm->k; at.begin += depth) {
    at.depth = gemm_min(depth, gemm->k - at.begin);
    pack_b(b + gemm_round_up(gemm->n, tile_columns) * at.begin, gemm, &at);
  }
  for (at.row = row; at.row < end; at.row += at.rows) {
    at.rows = gemm_min(RUNG_GEMM_GRAIN, end - at.row);
    at.begin = 0;
    do { /* once even where k is 0 */
      at.depth = gemm_min(depth, gemm->k - at.begin);
      pack_a(a, gemm, &at);
      multiply_block(gemm, &at, a, b + gemm_round_up(gemm->n, tile_columns) * at.begin, c, gemm->n);
      at.begin += depth;
    } while (at.begin < gemm->k);
    gemm->take(gemm->context, c, at.row, at.rows);
  }
}

void RUNG_AT_LEVEL(gemm_f32)(const rung_gemm *gemm, void *scratch, int ith, int nth) {
  if (gemm->take) {
    multiply_to_take(gemm, scratch, ith, nth);
    return;
  }
  block part = member_part(gemm, ith, nth);
  if (part.rows == 0) return;
  int64_t columns = gemm_block(part.columns, gemm_columns, tile_columns);
  int64_t depth = gemm_block(gemm->k, gemm_depth, 4), end = part.column + part.columns;
  float *b = scratch, *a = b + packed_floats(columns, tile_columns, depth);
  for (int64_t column = part.column; column < end; column += columns) {
    block at = {.column = column, .columns = gemm_min(columns, end - column)};
    do { /* once even where k is 0 */
      at.depth = gemm_min(depth, gemm->k - at.begin);
      multiply_columns(gemm, &part, at, a, b);
      at.begin += at.depth;
    } while (at.begin < gemm->k);
  }
}
