/* A weight [rows, columns] and the grid that it is quantized on: what the integer layer and its float simulation
 * share. */
#ifndef RUNG_WEIGHT_GRID_H
#define RUNG_WEIGHT_GRID_H

#include "qat.h"

typedef struct weight_grid {
  const weight_method *method;
  rung_format format;
  bool per_tensor;
  int64_t rows, columns;
  int64_t group;      /* columns that share a scale; 0: all */
  int32_t limit;      /* of the sum of the integers' magnitudes in a row, or group; 0: none */
  rung_node *operand; /* [rows, groups], or [1] per tensor: scales from outside, or learned, 0 where the method is to
                         make it; NULL: all 0 */
} weight_grid;

/* Whether the operand, if there is one, has its shape. */
rung_status weight_grid_check(const weight_grid *grid);
/* Scales a row. */
int64_t weight_grid_groups(const weight_grid *grid);
/* The format of the integers that come of it. */
rung_format weight_grid_code_format(const weight_grid *grid);

/* The scales in force of rows begin .. end-1, scale [rows, groups], and thresholds alike, NULL where the method has
 * none; per tensor from all of w, the same for each row. */
void weight_grid_scales(const weight_grid *grid, const float *w, int64_t begin, int64_t end, float *scale,
                        float *threshold);
/* The integers of these rows by those scales, q [rows, columns]. */
void weight_grid_codes(const weight_grid *grid, const float *w, int64_t begin, int64_t end, const float *scale,
                       const float *threshold, int8_t *q);
/* What they stand for, y [rows, columns]. */
void weight_grid_reals(const weight_grid *grid, const int8_t *q, int64_t begin, int64_t end, const float *scale,
                       float *y);

/* ---- Training --------------------------------------------------------------------------------------------------- */

/* Whether the scales are trained. */
bool weight_grid_learns(const weight_grid *grid);
/* Whether weight_grid_backward has anything to do. */
bool weight_grid_has_backward(const weight_grid *grid);
/* The gradient g of y of rows begin .. end-1, the first of them at g, becomes that of w, w and q being those that the
 * step computed with; scale_gradient [rows, groups] becomes that of each scale, if they are learned. */
void weight_grid_backward(const weight_grid *grid, float *g, const float *w, const int8_t *q, int64_t begin,
                          int64_t end, const float *scale, float *scale_gradient);
/* Per tensor: that of the one scale, from those of all rows. */
float weight_grid_total(const weight_grid *grid, const float *scale_gradient);
/* Before a step, on one thread: learned scales that are 0 begin as the method makes them. All are copied to `before`
 * [elements of the operand]. */
void weight_grid_begin(const weight_grid *grid, const float *w, float *before);
/* After the optimizer's step, scales begin .. end-1 of the operand: none is less than half of what it was, nor has it
 * shrunk to less than 2^-8 of where it would start from w. */
void weight_grid_hold(const weight_grid *grid, const float *w, const float *before, int64_t begin, int64_t end);
/* ... and shadows w [n], which the method may want in [-1, 1]. */
void weight_grid_clamp(const weight_grid *grid, float *w, int64_t n);

#endif
