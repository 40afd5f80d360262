/* The integer product with f32 results. A block of b's columns is packed once; each panel of a is packed just before it
 * is used, into the first cache, where it stays while the block's panels stream past it. A tile of c is summed in
 * registers over all of k and goes to f32 from there; its lines of c are asked for before the sum starts, since c, in
 * training, is larger than the cache. */
#include "igemm_pack.h"
#include "vector/map.h"

#if VW == 16 || defined(__aarch64__)
enum { tile_rows = 12, tile_vectors = 2 };
#elif VW == 8
enum { tile_rows = 6, tile_vectors = 2 };
#else
enum { tile_rows = 4, tile_vectors = 2 };
#endif
enum { tile_columns = tile_vectors * VW };
_Static_assert(RUNG_IGEMM_ROWS % tile_rows == 0 && RUNG_IGEMM_COLUMNS % tile_columns == 0, "a member has whole tiles");

typedef struct tile_target {
  float *c;
  int64_t stride, rows, columns; /* of c that exist */
  const int32_t *start;          /* of each row's accumulators */
  const float *scale;            /* of each row */
  bool accumulate;
} tile_target;

ALWAYS_INLINE void store_row(const vi sum[tile_vectors], const int vectors, const tile_target *to, int64_t i,
                             int64_t columns) {
  const vf scale = vf_set(to->scale[i]);
  UNROLL for (int j = 0; j < vectors; j++) {
    const int64_t count = gemm_min(VW, columns - j * VW);
    float *c = to->c + i * to->stride + j * VW;
    vf v = vi_to_float(sum[j]);
    if (to->accumulate)
      v = vf_fma(v, scale, vf_load_first(c, count));
    else
      v *= scale;
    vf_store_first(c, v, count);
  }
}

ALWAYS_INLINE void tile(const int rows, const int vectors, int64_t words, const int32_t *a, const int32_t *b,
                        const tile_target *to) {
  const int whole = vectors * VW;
  vi sum[tile_rows][tile_vectors];
  UNROLL for (int i = 0; i < rows; i++) {
    const float *c = to->c + gemm_min(i, to->rows - 1) * to->stride;
    __builtin_prefetch(c, 1);
    __builtin_prefetch(c + to->columns - 1, 1);
    UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = vi_set(to->start[i]);
  }
  for (int64_t p = 0; p < words; p++, a += tile_rows, b += tile_columns) {
    vi line[tile_vectors];
    UNROLL for (int j = 0; j < vectors; j++) line[j] = vi_load(b + j * VW);
    UNROLL for (int i = 0; i < rows; i++) {
      vi x = vi_set(a[i]);
      UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = dot(sum[i][j], x, line[j]);
    }
  }
  UNROLL for (int i = 0; i < rows; i++) {
    if (i >= to->rows) break;
    if (to->columns == whole)
      store_row(sum[i], vectors, to, i, whole);
    else
      store_row(sum[i], vectors, to, i, to->columns);
  }
}

/* The tile function of the fewest rows that hold those of `to`. */
ALWAYS_INLINE void tile_of_rows(const int vectors, int64_t words, const int32_t *a, const int32_t *b,
                                const tile_target *to) {
  if (to->rows > tile_rows * 2 / 3)
    tile(tile_rows, vectors, words, a, b, to);
  else if (to->rows > tile_rows / 3)
    tile(tile_rows * 2 / 3, vectors, words, a, b, to);
  else if (to->rows > 1)
    tile(tile_rows / 3, vectors, words, a, b, to);
  else
    tile(1, vectors, words, a, b, to);
}

static void run_tile(int64_t words, const int32_t *a, const int32_t *b, const tile_target *to) {
  if (to->columns > VW)
    tile_of_rows(tile_vectors, words, a, b, to);
  else
    tile_of_rows(1, words, a, b, to);
}

/* The columns column .. column + columns - 1 of b, one panel after the other. */
static void pack_block(int32_t *to, const rung_igemm *gemm, int64_t column, int64_t columns) {
  for (int64_t j = 0; j < columns; j += tile_columns)
    pack_b(to + j * words_of(gemm->k), tile_columns, gemm, column + j);
}

/* Rows row .. row + rows - 1 (a tile's) of a times `columns` packed columns of b, into c. */
static void multiply_row(const rung_igemm *gemm, int32_t *a, const int32_t *b, int64_t row, int64_t rows,
                         int64_t columns, float *c, int64_t stride) {
  int64_t words = words_of(gemm->k);
  int32_t start[gemm_panel_max];
  float scale[tile_rows];
  pack_a(a, tile_rows, gemm, row, rows, start);
  for (int64_t i = 0; i < rows; i++) scale[i] = gemm->row_scale ? gemm->scale * gemm->row_scale[row + i] : gemm->scale;
  tile_target to = {.stride = stride, .rows = rows, .start = start, .scale = scale};
  to.accumulate = gemm->accumulate;
  for (int64_t j = 0; j < columns; j += tile_columns) {
    to.c = c + j;
    to.columns = gemm_min(tile_columns, columns - j);
    run_tile(words, a, b + j * words, &to);
  }
}

/* With `take`: b is packed whole, and rows of c are finished one block after the other. */
static void multiply_to_take(const rung_igemm *gemm, int32_t *scratch, int ith, int nth) {
  int64_t row, end, words = words_of(gemm->k);
  rung_slice(gemm->m, RUNG_GEMM_GRAIN, ith, nth, &row, &end);
  if (row == end) return;
  int32_t *b = scratch, *a = b + gemm_round_up(gemm->n, tile_columns) * words;
  float *c = (float *)a + gemm_round_up(tile_rows * words * 4 + gemm_slack, RUNG_ALIGNMENT) / 4;
  pack_block(b, gemm, 0, gemm->n);
  for (int64_t rows; row < end; row += rows) {
    rows = gemm_min(RUNG_GEMM_GRAIN, end - row);
    for (int64_t i = 0; i < rows; i += tile_rows)
      multiply_row(gemm, a, b, row + i, gemm_min(tile_rows, rows - i), gemm->n, c + i * gemm->n, gemm->n);
    gemm->take(gemm->context, c, row, rows);
  }
}

void RUNG_AT_LEVEL(igemm)(const rung_igemm *gemm, void *scratch, int ith, int nth) {
  if (gemm->take) {
    multiply_to_take(gemm, scratch, ith, nth);
    return;
  }
  int64_t begin = 0, row_end = gemm->m, column = 0, end = gemm->n, words = words_of(gemm->k);
  if (gemm->by_rows)
    rung_slice(gemm->m, RUNG_IGEMM_ROWS, ith, nth, &begin, &row_end);
  else
    rung_slice(gemm->n, RUNG_IGEMM_COLUMNS, ith, nth, &column, &end);
  if (begin == row_end) return;
  int64_t fit = igemm_column_bytes / (4 * (words + 1)) / tile_columns * tile_columns;
  int64_t block = gemm_block(end - column, fit > 0 ? fit : tile_columns, tile_columns);
  int32_t *b = scratch, *a = b + gemm_round_up(block, tile_columns) * words;
  for (; column < end; column += block) {
    int64_t columns = gemm_min(block, end - column);
    pack_block(b, gemm, column, columns);
    for (int64_t row = begin; row < row_end; row += tile_rows)
      multiply_row(gemm, a, b, row, gemm_min(tile_rows, row_end - row), columns,
                   gemm->c + row * gemm->c_stride + column, gemm->c_stride);
  }
}
