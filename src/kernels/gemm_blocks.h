/* The blocking of the matrix products, the same at every level, so that scratch can be sized without knowing which. */
#ifndef RUNG_GEMM_BLOCKS_H
#define RUNG_GEMM_BLOCKS_H

#include <stdint.h>

enum {
  /* f32: a member packs gemm_depth x gemm_columns of b, then gemm_depth x gemm_rows of a at a time. */
  gemm_depth = 512,
  gemm_columns = 512,
  gemm_rows = 192,
  /* i8: a member works on as many rows of a as fit these bytes, at least one tile of them. */
  qgemm_row_bytes = 192 << 10,
  /* i8 to f32: a member packs as many columns of b as fit these bytes, at least one tile of them. */
  igemm_column_bytes = 512 << 10,

  gemm_panel_max = 32, /* no level's tile has more rows or columns */
  gemm_slack = 64      /* bytes that packing may write past its end */
};

static inline int64_t gemm_round_up(int64_t x, int64_t multiple) {
  return (x + multiple - 1) / multiple * multiple;
}
static inline int64_t gemm_min(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* The size of the first of the equal parts that `count` is cut into, none above `limit`, in multiples of `grain`. */
static inline int64_t gemm_block(int64_t count, int64_t limit, int64_t grain) {
  int64_t parts = (count + limit - 1) / limit;
  return parts > 1 ? gemm_round_up((count + parts - 1) / parts, grain) : count;
}

#endif
