/* The Cholesky factor of a symmetric matrix and the inverse of a triangular one, n up to a few thousand, in place. The
 * bits are the same for every team. Each returns RUNG_ERROR_MEMORY where it cannot have its scratch. */
#ifndef RUNG_CHOLESKY_H
#define RUNG_CHOLESKY_H

#include <rung/core.h>

/* a [n, n], of which the lower triangle is read, becomes L: a = L L^T, lower triangular, zeros above.
 * RUNG_ERROR_NUMERIC, with a spoilt, where a pivot is lost in f32's rounding: a is not positive definite, or too close
 * to that. `team` may be NULL. */
rung_status cholesky_factor(float *a, int64_t n, rung_team *team);
/* l [n, n], lower triangular with zeros above, becomes its inverse. */
rung_status cholesky_invert(float *l, int64_t n, rung_team *team);

#endif
