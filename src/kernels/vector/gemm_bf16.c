/* The product of operands rounded to bfloat16, in f32 sums. Blocked as the f32 product is along k and over the columns
 * of b; a panel of a is packed just before it is used and stays in the first cache while those of the block stream past
 * it. Where the processor has no bfloat16 dot product an element is the same chain of fused multiply-adds as in the f32
 * product. */
#include "gemm_bf16_pack.h"
#include "gemm_part.h"
#include "vector/map.h"

typedef struct tile_target {
  float *c;
  int64_t stride, rows, columns; /* of c that exist */
  bool resume;                   /* the sums start from c, else from 0 */
  const float *bias;             /* of the columns, added at the end, or NULL */
  bool relu;
} tile_target;

ALWAYS_INLINE void load_row(vf sum[tile_vectors], const int vectors, const tile_target *to, int64_t i,
                            int64_t columns) {
  UNROLL for (int j = 0; j < vectors; j++) {
    sum[j] = vf_set(0.0f);
    if (to->resume) sum[j] = vf_load_first(to->c + i * to->stride + j * VW, gemm_min(VW, columns - j * VW));
  }
}

ALWAYS_INLINE void store_row(const vf sum[tile_vectors], const int vectors, const tile_target *to, int64_t i,
                             int64_t columns) {
  UNROLL for (int j = 0; j < vectors; j++) {
    const int64_t count = gemm_min(VW, columns - j * VW);
    vf v = sum[j];
    if (to->bias) v += vf_load_first(to->bias + j * VW, count);
    if (to->relu) v = vf_max(vf_set(0.0f), v); /* 0 > v ? 0 : v keeps NaN */
    vf_store_first(to->c + i * to->stride + j * VW, v, count);
  }
}

ALWAYS_INLINE void tile(const int rows, const int vectors, int64_t words, const float *a, const float *b,
                        const tile_target *to) {
  const int whole = vectors * VW;
  vf sum[tile_rows][tile_vectors];
  UNROLL for (int i = 0; i < rows; i++) {
    int64_t row = gemm_min(i, to->rows - 1);
    __builtin_prefetch(to->c + row * to->stride, 1);
    __builtin_prefetch(to->c + row * to->stride + to->columns - 1, 1);
    if (to->columns == whole)
      load_row(sum[i], vectors, to, row, whole);
    else
      load_row(sum[i], vectors, to, row, to->columns);
  }
  for (int64_t p = 0; p < words; p++, a += tile_rows, b += tile_columns) {
    vf line[tile_vectors];
    UNROLL for (int j = 0; j < vectors; j++) line[j] = vf_load(b + j * VW);
    UNROLL for (int i = 0; i < rows; i++) {
      vf x = vf_set(a[i]);
      UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = dot_word(sum[i][j], x, line[j]);
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
ALWAYS_INLINE void tile_of_rows(const int vectors, int64_t words, const float *a, const float *b,
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

static void run_tile(int64_t words, const float *a, const float *b, const tile_target *to) {
  if (to->columns > VW)
    tile_of_rows(tile_vectors, words, a, b, to);
  else
    tile_of_rows(1, words, a, b, to);
}

/* Floats after which another packed block may start. */
static int64_t packed_floats(int64_t lines, int64_t width, int64_t depth) {
  return gemm_round_up(gemm_round_up(lines, width) * words_of(depth) * 4 + gemm_slack, RUNG_ALIGNMENT) / 4;
}

static void pack_b(float *to, const rung_gemm *gemm, const block *at) {
  for (int64_t j = 0; j < at->columns; j += tile_columns, to += words_of(at->depth) * tile_columns) {
    int64_t columns = gemm_min(tile_columns, at->columns - j);
    pack_bf16_panel(to, tile_columns,
                    (pack_source){&gemm->b, gemm->b.transpose, at->column + j, columns, at->begin, at->depth});
  }
}

/* A tile's rows of a, packed, times the packed block of b, into c. */
static void multiply_row(const rung_gemm *gemm, const block *at, const float *a, const float *b, float *c,
                         int64_t stride) {
  int64_t words = words_of(at->depth);
  bool last = at->begin + at->depth == gemm->k;
  tile_target to = {.stride = stride, .rows = at->rows, .resume = gemm->accumulate || at->begin > 0};
  to.relu = last && gemm->relu;
  for (int64_t j = 0; j < at->columns; j += tile_columns) {
    to.c = c + j;
    to.columns = gemm_min(tile_columns, at->columns - j);
    to.bias = last && gemm->bias ? gemm->bias + at->column + j : NULL;
    run_tile(words, a, b + j * words, &to);
  }
}

/* The rows of `at` times its packed block of b, into c. */
static void multiply_block(const rung_gemm *gemm, block at, float *a, const float *b, float *c, int64_t stride) {
  int64_t end = at.row + at.rows;
  for (; at.row < end; at.row += tile_rows, c += tile_rows * stride) {
    at.rows = gemm_min(tile_rows, end - at.row);
    pack_bf16_panel(a, tile_rows, (pack_source){&gemm->a, !gemm->a.transpose, at.row, at.rows, at.begin, at.depth});
    multiply_row(gemm, &at, a, b, c, stride);
  }
}

/* With `take`: b is packed whole, and rows of c are finished one block after the other. */
static void multiply_to_take(const rung_gemm *gemm, float *scratch, int ith, int nth) {
  int64_t row, end, depth = gemm_block(gemm->k, gemm_depth, 4), columns = gemm_round_up(gemm->n, tile_columns);
  rung_slice(gemm->m, RUNG_GEMM_GRAIN, ith, nth, &row, &end);
  if (row == end) return;
  float *b = scratch, *a = b + packed_floats(gemm->n, tile_columns, gemm->k);
  float *c = a + packed_floats(tile_rows, tile_rows, depth);
  block at = {.columns = gemm->n};
  for (; at.begin < gemm->k; at.begin += depth) {
    at.depth = gemm_min(depth, gemm->k - at.begin);
    pack_b(b + columns * words_of(at.begin), gemm, &at);
  }
  for (at.row = row; at.row < end; at.row += at.rows) {
    at.rows = gemm_min(RUNG_GEMM_GRAIN, end - at.row);
    at.begin = 0;
    do { /* once even where k is 0 */
      at.depth = gemm_min(depth, gemm->k - at.begin);
      multiply_block(gemm, at, a, b + columns * words_of(at.begin), c, gemm->n);
      at.begin += depth;
    } while (at.begin < gemm->k);
    gemm->take(gemm->context, c, at.row, at.rows);
  }
}

void RUNG_AT_LEVEL(gemm_bf16)(const rung_gemm *gemm, void *scratch, int ith, int nth) {
  if (gemm->take) {
    multiply_to_take(gemm, scratch, ith, nth);
    return;
  }
  block at = member_part(gemm, ith, nth);
  if (at.rows == 0) return;
  int64_t columns = gemm_block(at.columns, gemm_columns, tile_columns);
  int64_t depth = gemm_block(gemm->k, gemm_depth, 4), end = at.column + at.columns;
  float *b = scratch, *a = b + packed_floats(columns, tile_columns, depth);
  for (; at.column < end; at.column += columns) {
    at.columns = gemm_min(columns, end - at.column);
    at.begin = 0;
    do { /* once even where k is 0 */
      at.depth = gemm_min(depth, gemm->k - at.begin);
      pack_b(b, gemm, &at);
      multiply_block(gemm, at, a, b, gemm->c + at.row * gemm->c_stride + at.column, gemm->c_stride);
      at.begin += at.depth;
    } while (at.begin < gemm->k);
  }
}
