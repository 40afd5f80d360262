/* The integer product: each tile [up to tile_rows, panel_columns] is summed in registers over all of k (or over a
 * group), and goes through the epilogue from there. */
#include "gemm_i8_narrow.h"
#include "gemm_i8_panel.h"

/* ---- A tile of a given size ------------------------------------------------------------------------------------- */

/* Sums `words` words into `acc` [rows, panel_columns], or, without it, into y by way of the near epilogue. */
typedef void tile_function(const rung_qgemm *gemm, weight_panel *panel, int64_t row, int64_t words, word_rows a,
                           const int32_t *w, const int32_t *bias, int32_t *acc);

ALWAYS_INLINE void finish_sums(const rung_qgemm *gemm, weight_panel *panel, int64_t row, const int rows,
                               const int vectors, vi (*sum)[tile_vectors], int32_t *acc) {
  if (gemm->acc_min) observe(panel, rows, vectors, sum);
  if (!acc) {
    finish_near(gemm, panel, row, rows, vectors, sum);
    return;
  }
  UNROLL for (int i = 0; i < rows; i++) {
    UNROLL for (int j = 0; j < vectors; j++) vi_store(acc + i * panel_columns + j * VW, sum[i][j]);
  }
}

/* clang-format off */
#define TILE_FUNCTION(NAME, ROWS, VECTORS, MULTIPLY)                                                         static __attribute__((noinline)) void NAME(const rung_qgemm *gemm, weight_panel *panel, int64_t row,                                                  int64_t words, word_rows a, const int32_t *w,                                                              const int32_t *bias, int32_t *acc) {                              vi sum[tile_rows][tile_vectors];                                                                           MULTIPLY;                                                                                                  finish_sums(gemm, panel, row, ROWS, VECTORS, sum, acc);                                                  }
#define TILE(ROWS, PARTS) \
  TILE_FUNCTION(tile_##ROWS##_1, ROWS, 1, multiply_tile(ROWS, PARTS, 1, words, a, w, bias, sum)) \
  TILE_FUNCTION(tile_##ROWS##_2, ROWS, 2, multiply_tile(ROWS, PARTS, 2, words, a, w, bias, sum))
#define NARROW_TILE(BITS, ROWS) \
  TILE_FUNCTION(narrow_tile_##BITS##_##ROWS, ROWS, 2, multiply_narrow(BITS, ROWS, words, a, w, bias, sum))

TILE(1, 4) TILE(2, 2) TILE(4, 1)
#if VW == 16
TILE(8, 1) TILE(12, 1)
#define HIGH_TILES {8, {tile_8_1, tile_8_2}}, {12, {tile_12_1, tile_12_2}}
#elif VW == 8
TILE(6, 1)
#define HIGH_TILES {6, {tile_6_1, tile_6_2}}
#elif defined(__aarch64__)
TILE(8, 1)
#define HIGH_TILES {8, {tile_8_1, tile_8_2}}
#else
#define HIGH_TILES
#endif
static const struct tile_size {
  int rows;
  tile_function *run[tile_vectors]; /* for one vector of columns, for two */
} tile_sizes[] = {{1, {tile_1_1, tile_1_2}}, {2, {tile_2_1, tile_2_2}}, {4, {tile_4_1, tile_4_2}}, HIGH_TILES};
/* clang-format on */

#if defined(__AVX512VNNI__)
NARROW_TILE(2, 1)
NARROW_TILE(2, 2)
NARROW_TILE(4, 1)
NARROW_TILE(4, 2)
/* The function that multiplies `rows` rows by a narrow panel, or NULL where there is none. */
static tile_function *narrow_tile_for(const rung_qgemm *gemm, const weight_panel *panel, int rows) {
  static tile_function *const run[2][narrow_rows] = {{narrow_tile_2_1, narrow_tile_2_2},
                                                     {narrow_tile_4_1, narrow_tile_4_2}};
  int bits = narrow_bits(gemm);
  return bits && rows <= narrow_rows && panel->vectors == 2 ? run[bits / 4][rows - 1] : NULL;
}
#else
static tile_function *narrow_tile_for(const rung_qgemm *gemm, const weight_panel *panel, int rows) {
  (void)gemm, (void)panel, (void)rows;
  return NULL;
}
#endif

/* The smallest tile that has the rows that are `left`, or the largest that is no higher than the `rows` there are. */
static const struct tile_size *tile_for(int64_t left, int64_t rows) {
  const struct tile_size *best = tile_sizes;
  for (size_t i = 1; i < sizeof tile_sizes / sizeof *tile_sizes; i++)
    if (best->rows < left && tile_sizes[i].rows <= rows) best = &tile_sizes[i];
  return best;
}

/* ---- Rows times a panel ----------------------------------------------------------------------------------------- */

/* sums = bias64 + the accumulators of each group times its multiplier (eq. 9). */
static void sum_groups(const rung_qgemm *gemm, weight_panel *panel, const struct tile_size *tile, word_rows a,
                       wide *sums) {
  const int32_t *w = packed_panel(gemm, panel->column), *bias = panel->bias, *multiplier = panel->multiplier;
  int64_t words = words_of(gemm->k), group_words = words_of(gemm->group);
  for (int i = 0; i < tile->rows; i++)
    for (int j = 0; j < tile_vectors; j++) sums[i * tile_vectors + j] = panel->bias64[j];
  for (int64_t p = 0; p < words; p += group_words, bias += panel_columns, multiplier += panel_columns) {
    int32_t acc[tile_rows * panel_columns];
    word_rows part = {a.data + 4 * p, a.stride};
    tile->run[panel->vectors - 1](gemm, panel, 0, gemm_min(group_words, words - p), part, w + p * panel_columns, bias,
                                  acc);
    for (int j = 0; j < panel->vectors; j++) {
      vi scale = vi_load(multiplier + j * VW);
      for (int i = 0; i < tile->rows; i++) {
        wide product = wide_product(vi_load(acc + i * panel_columns + j * VW), scale);
        for (int h = 0; h < 2; h++) sums[i * tile_vectors + j].half[h] += product.half[h];
      }
    }
  }
}

static void run_tile(const rung_qgemm *gemm, weight_panel *panel, int64_t row, const struct tile_size *tile,
                     word_rows a) {
  tile_place at = {row, tile->rows};
  if (gemm->group) {
    wide sums[tile_rows * tile_vectors];
    sum_groups(gemm, panel, tile, a, sums);
    finish_far(gemm, panel, at, NULL, sums);
    return;
  }
  int32_t acc[tile_rows * panel_columns];
  tile_function *narrow = narrow_tile_for(gemm, panel, tile->rows);
  tile_function *run = narrow ? narrow : tile->run[panel->vectors - 1];
  const int32_t *w = narrow ? narrow_panel(gemm, panel->column) : packed_panel(gemm, panel->column);
  run(gemm, panel, row, words_of(gemm->k), a, w, panel->bias, panel->near ? NULL : acc);
  if (gemm->epilogue == RUNG_EPILOGUE_ACCUMULATOR)
    store_accumulators(gemm, panel, at, acc);
  else if (!panel->near)
    finish_far(gemm, panel, at, acc, NULL);
}

/* Rows row .. row + rows - 1, `a` the first of them. The last tile is moved up to end with the last row: what it has in
 * common with the one before comes out the same. */
static void multiply_panel(const rung_qgemm *gemm, weight_panel *panel, int64_t row, int64_t rows, word_rows a) {
  for (int64_t i = 0; i < rows;) {
    const struct tile_size *tile = tile_for(rows - i, rows);
    int64_t first = gemm_min(i, rows - tile->rows);
    run_tile(gemm, panel, row + first, tile, (word_rows){a.data + first * a.stride, a.stride});
    i = first + tile->rows;
  }
}

/* ---- All of it -------------------------------------------------------------------------------------------------- */

/* Whether the rows of a are words as they stand: unsigned bytes, for the byte dot product. */
static bool reads_in_place(const rung_qgemm *gemm) {
  return words_of_4 == 1 && gemm->a_type == RUNG_U8 && gemm->k % 4 == 0;
}

/* Rows of a, from `row` on, as rows of words. */
static word_rows lay_out(const rung_qgemm *gemm, int64_t row, int64_t rows, char *to) {
  int64_t k = gemm->k, stride = 4 * words_of(k), flip = words_of_4 == 1 ? 128 : 0;
  for (int64_t i = 0; i < rows; i++) {
    word_element *out = (word_element *)(to + i * stride);
    const uint8_t *u = (const uint8_t *)gemm->a + (row + i) * gemm->a_stride;
    const int8_t *s = (const int8_t *)u;
    if (gemm->a_type == RUNG_U8)
      for (int64_t p = 0; p < k; p++) out[p] = (word_element)u[p];
    else
      for (int64_t p = 0; p < k; p++) out[p] = (word_element)(s[p] + flip);
    memset(out + k, 0, (size_t)(gemm_round_up(k, 4) - k) * sizeof *out);
  }
  return (word_rows){to, stride};
}

void RUNG_AT_LEVEL(gemm_i8)(const rung_qgemm *gemm, void *scratch, int ith, int nth) {
  int64_t begin, end, words = words_of(gemm->k), numbers = group_count(gemm) * panel_columns;
  rung_slice(gemm->n, RUNG_QGEMM_GRAIN, ith, nth, &begin, &end);
  if (begin == end) return;
  int64_t fit = qgemm_row_bytes / (4 * (words + 1)) / tile_rows * tile_rows;
  int64_t rows = gemm_block(gemm->m, fit > 0 ? fit : tile_rows, tile_rows);
  panel_room room = {.bias = scratch, .multiplier = (int32_t *)scratch + numbers};
  for (int64_t row = 0; row < gemm->m; row += rows) {
    int64_t count = gemm_min(rows, gemm->m - row);
    word_rows a = {(const char *)gemm->a + row * gemm->a_stride, gemm->a_stride};
    if (!reads_in_place(gemm)) a = lay_out(gemm, row, count, (char *)((int32_t *)scratch + 2 * numbers));
    for (int64_t column = begin; column < end; column += panel_columns) {
      weight_panel panel;
      panel_open(&panel, gemm, column, gemm_min(panel_columns, end - column), row == 0, &room);
      multiply_panel(gemm, &panel, row, count, a);
      panel_close(&panel, gemm);
    }
  }
}
