#include "weight_grid.h"
#include "accumulator.h"

#include <float.h>
#include <math.h>
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

rung_status weight_grid_check(const weight_grid *grid) {
  if (!grid->operand) return RUNG_OK;
  char have[RUNG_SHAPE_TEXT], want[RUNG_SHAPE_TEXT];
  const rung_shape shape = grid->per_tensor ? RUNG_SHAPE(1) : RUNG_SHAPE(grid->rows, weight_grid_groups(grid));
  const rung_tensor *scale = &grid->operand->value;
  rung_shape_format(&scale->shape, have, sizeof have);
  rung_shape_format(&shape, want, sizeof want);
  if (scale->type == RUNG_F32 && strcmp(have, want) == 0) return RUNG_OK;
  return rung_fail(RUNG_ERROR_SHAPE, "weight scale '%s' is %s %s, expected f32 %s", grid->operand->name,
                   rung_dtype_name(scale->type), have, want);
}

rung_format weight_grid_code_format(const weight_grid *grid) {
  rung_format format = grid->format;
  if (grid->method->odd) format.bits++;
  return format;
}

static float scale_of(const weight_grid *grid, const float *w, int64_t n, int64_t index) {
  const float given = grid->operand ? ((const float *)grid->operand->value.data)[index] : 0;
  return given > 0 ? given : grid->method->scale(&grid->format, w, n);
}

static void tensor_scale(const weight_grid *grid, const float *w, int64_t begin, int64_t end, float *scale,
                         float *threshold) {
  const int64_t n = grid->rows * grid->columns;
  const float one = scale_of(grid, w, n, 0), cut = threshold ? grid->method->threshold(w, n) : 0;
  for (int64_t row = begin; row < end; row++) {
    scale[row] = one;
    if (threshold) threshold[row] = cut;
  }
}

void weight_grid_scales(const weight_grid *grid, const float *w, int64_t begin, int64_t end, float *scale,
                        float *threshold) {
  if (grid->per_tensor) {
    tensor_scale(grid, w, begin, end, scale, threshold);
    return;
  }
  for (int64_t row = begin; row < end; row++)
    for (int64_t g = 0; g < weight_grid_groups(grid); g++) {
      const span s = span_at(grid, row, g);
      scale[s.scale] = scale_of(grid, w + s.at, s.n, s.scale);
      if (threshold) threshold[s.scale] = grid->method->threshold(w + s.at, s.n);
    }
}

void weight_grid_codes(const weight_grid *grid, const float *w, int64_t begin, int64_t end, const float *scale,
                       const float *threshold, int8_t *q) {
  for (int64_t row = begin; row < end; row++)
    for (int64_t g = 0; g < weight_grid_groups(grid); g++) {
      const span s = span_at(grid, row, g);
      grid->method->quantize(&grid->format, w + s.at, s.n, scale[s.scale], threshold ? threshold[s.scale] : 0,
                             q + s.at);
      if (grid->limit) accumulator_shrink(q + s.at, s.n, grid->limit);
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

/* ---- Training --------------------------------------------------------------------------------------------------- */

bool weight_grid_learns(const weight_grid *grid) {
  return grid->method->learns && rung_node_wants_gradient(grid->operand);
}

/* eq. 22's g, over the weights that share a scale. */
static double gradient_scale(const weight_grid *grid, int64_t shared) {
  int32_t qmin, qmax;
  rung_format_range(&grid->format, &qmin, &qmax);
  return 1 / sqrt((double)shared * qmax);
}

/* Scales that are learned move while other members are still here: only those that are given are looked at. */
bool weight_grid_has_backward(const weight_grid *grid) {
  const weight_method *method = grid->method;
  if (!method->backward || !method->masks_given) return method->backward != NULL;
  return grid->operand && *(const float *)grid->operand->value.data > 0;
}

void weight_grid_backward(const weight_grid *grid, float *g, const float *w, const int8_t *q, int64_t begin,
                          int64_t end, const float *scale, float *scale_gradient) {
  if (!weight_grid_has_backward(grid)) return;
  const bool learns = weight_grid_learns(grid);
  for (int64_t row = begin; row < end; row++)
    for (int64_t group = 0; group < weight_grid_groups(grid); group++) {
      const span s = span_at(grid, row, group);
      float *at = g + (s.at - begin * grid->columns);
      double sum = grid->method->backward(&grid->format, at, w + s.at, q + s.at, s.n, scale[s.scale]);
      const int64_t shared = grid->per_tensor ? grid->rows * grid->columns : s.n;
      if (learns) scale_gradient[s.scale] = (float)(sum * gradient_scale(grid, shared));
    }
}

float weight_grid_total(const weight_grid *grid, const float *scale_gradient) {
  return rung_kernels_active()->sum(scale_gradient, grid->rows);
}

static int64_t operand_count(const weight_grid *grid) {
  return grid->per_tensor ? 1 : grid->rows * weight_grid_groups(grid);
}

/* The weights that share scale i of the operand. */
static span span_of_scale(const weight_grid *grid, int64_t i) {
  if (grid->per_tensor) return (span){.n = grid->rows * grid->columns};
  return span_at(grid, i / weight_grid_groups(grid), i % weight_grid_groups(grid));
}

static float start_of(const weight_grid *grid, const float *w, int64_t i) {
  const span s = span_of_scale(grid, i);
  return grid->method->scale(&grid->format, w + s.at, s.n);
}

void weight_grid_begin(const weight_grid *grid, const float *w, float *before) {
  float *scale = grid->operand->value.data;
  const int64_t count = operand_count(grid);
  for (int64_t i = 0; i < count && scale[i] == 0; i++) scale[i] = start_of(grid, w, i);
  memcpy(before, scale, (size_t)count * sizeof(float));
}

/* A scale that would rather be negative sinks towards 0, where its bias no longer fits the integers and no weight is
 * inside the range. NaN stays, for the caller of the optimizer to find. */
void weight_grid_hold(const weight_grid *grid, const float *w, const float *before, int64_t begin, int64_t end) {
  float *scale = grid->operand->value.data;
  for (int64_t i = begin; i < end; i++) {
    if (!(scale[i] < before[i])) continue;
    const float half = before[i] / 2, floor = start_of(grid, w, i) * 0x1p-8f;
    const float least = floor < half ? half : floor < before[i] ? floor : before[i];
    if (scale[i] < least) scale[i] = least > FLT_MIN ? least : FLT_MIN;
  }
}

void weight_grid_clamp(const weight_grid *grid, float *w, int64_t n) {
  if (!grid->method->clamps) return;
  for (int64_t i = 0; i < n; i++) w[i] = w[i] > 1 ? 1 : w[i] < -1 ? -1 : w[i];
}
