#include "weight_grid.h"

#include <string.h>

/* The weights of one row and group: they share a scale. */
typedef struct span {
  int64_t at, n; /* the first, in the whole weight, and how many */
  int64_t scale; /* in [rows, groups] */
} span;

static int64_t width_of(const weight_grid *grid) {
  return grid->group > 0 ? grid->group : grid->columns;
}

int64_t weight_grid_groups(const weight_grid *grid) {
  return (grid->columns + width_of(grid) - 1) / width_of(grid);
}

static span span_at(const weight_grid *grid, int64_t row, int64_t group) {
  const int64_t first = group * width_of(grid), left = grid->columns - first;
  return (span){.at = row * grid->columns + first,
                .n = left < width_of(grid) ? left : width_of(grid),
                .scale = row * weight_grid_groups(grid) + group};
}

rung_status weight_grid_check(const weight_grid *grid, const rung_node *scale) {
  if (!scale) return RUNG_OK;
  char have[RUNG_SHAPE_TEXT], want[RUNG_SHAPE_TEXT];
  const rung_shape shape = grid->per_tensor ? RUNG_SHAPE(1) : RUNG_SHAPE(grid->rows, weight_grid_groups(grid));
  rung_shape_format(&scale->value.shape, have, sizeof have);
  rung_shape_format(&shape, want, sizeof want);
  if (scale->value.type == RUNG_F32 && strcmp(have, want) == 0) return RUNG_OK;
  return rung_fail(RUNG_ERROR_SHAPE, "weight scale '%s' is %s %s, expected f32 %s", scale->name,
                   rung_dtype_name(scale->value.type), have, want);
}

static float scale_of(const weight_grid *grid, const float *w, int64_t n, int64_t index) {
  const float given = grid->operand ? grid->operand[index] : 0;
  return given > 0 ? given : grid->method->scale(&grid->format, w, n);
}

void weight_grid_scales(const weight_grid *grid, const float *w, int64_t begin, int64_t end, float *scale) {
  if (grid->per_tensor) {
    const float one = scale_of(grid, w, grid->rows * grid->columns, 0);
    for (int64_t row = begin; row < end; row++) scale[row] = one;
    return;
  }
  for (int64_t row = begin; row < end; row++)
    for (int64_t g = 0; g < weight_grid_groups(grid); g++) {
      const span s = span_at(grid, row, g);
      scale[s.scale] = scale_of(grid, w + s.at, s.n, s.scale);
    }
}

void weight_grid_codes(const weight_grid *grid, const float *w, int64_t begin, int64_t end, const float *scale,
                       int8_t *q) {
  for (int64_t row = begin; row < end; row++)
    for (int64_t g = 0; g < weight_grid_groups(grid); g++) {
      const span s = span_at(grid, row, g);
      grid->method->quantize(&grid->format, w + s.at, s.n, scale[s.scale], q + s.at);
    }
}

void weight_grid_reals(const weight_grid *grid, const int8_t *q, int64_t begin, int64_t end, const float *scale,
                       float *y) {
  for (int64_t row = begin; row < end; row++)
    for (int64_t g = 0; g < weight_grid_groups(grid); g++) {
      const span s = span_at(grid, row, g);
      rung_kernels_active()->dequantize_i8(y + s.at, q + s.at, s.n, scale[s.scale], 0);
    }
}
