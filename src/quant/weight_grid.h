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
  int64_t group;        /* columns that share a scale; 0: all */
  const float *operand; /* [rows, groups], or [1] per tensor: scales from outside, 0 where the method is to make it;
                           NULL: all 0 */
} weight_grid;

/* Whether `scale`, which may be NULL, is of the shape of the grid's operand. */
rung_status weight_grid_check(const weight_grid *grid, const rung_node *scale);
/* Scales a row. */
int64_t weight_grid_groups(const weight_grid *grid);
/* The scales in force of rows begin .. end-1, scale [rows, groups]; per tensor from all of w, the same for each row. */
void weight_grid_scales(const weight_grid *grid, const float *w, int64_t begin, int64_t end, float *scale);
/* The integers of these rows by those scales, q [rows, columns]. */
void weight_grid_codes(const weight_grid *grid, const float *w, int64_t begin, int64_t end, const float *scale,
                       int8_t *q);
/* What they stand for, y [rows, columns]. */
void weight_grid_reals(const weight_grid *grid, const int8_t *q, int64_t begin, int64_t end, const float *scale,
                       float *y);

#endif
