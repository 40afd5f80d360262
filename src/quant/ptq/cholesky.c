/* Both work on blocks of BLOCK columns or rows: what is cubic in n is products of blocks, by the f32 kernel, and what
 * is left is summed in double.
 *
 * Factor, with the matrix cut behind its first block:
 *
 *   [A11  .  ]   [L11     ] [L11^T  L21^T]      A11 = L11 L11^T         the block itself
 *   [A21  A22] = [L21  L22] [       L22^T]      L21 = A21 L11^-T        its panel
 *                                               A22 - L21 L21^T         the rest, factored in turn
 *
 * Inverse, with the matrix cut before a block, X = L^-1 known above it:
 *
 *   [L11     ]-1   [X11            ]            X22 = L22^-1
 *   [L21  L22]   = [X21  X22       ]            X21 = -X22 (L21 X11) */
#include "cholesky.h"
#include "members.h"

#include <float.h>
#include <math.h>
#include <rung/kernels.h>
#include <string.h>

enum { BLOCK = 64, ROWS = 192 /* of the rest, which is symmetric: each strip stops at the diagonal */ };

typedef struct work {
  float *a; /* [n, n] */
  int64_t n;
  float *panel;    /* [n, BLOCK] factor: -L21;  [BLOCK, n] inverse: L21 X11 */
  float *diagonal; /* [n] factor: A's own */
  float *block;    /* [BLOCK, BLOCK] inverse: -X22 */
  char *scratch;   /* of each member's product */
  size_t scratch_bytes;
  rung_team *team;
  bool failed;
} work;

static rung_status work_open(work *self, float *a, int64_t n, rung_team *team) {
  *self = (work){.a = a, .n = n, .team = team};
  self->scratch_bytes = rung_gemm_scratch(&(rung_gemm){.m = ROWS, .n = n, .k = n});
  self->scratch_bytes = (self->scratch_bytes + RUNG_ALIGNMENT - 1) / RUNG_ALIGNMENT * RUNG_ALIGNMENT;
  self->panel = rung_allocate((size_t)n * BLOCK * sizeof(float));
  self->diagonal = rung_allocate((size_t)n * sizeof(float));
  self->block = rung_allocate(BLOCK * BLOCK * sizeof(float));
  self->scratch = rung_allocate(self->scratch_bytes * (size_t)members_count(team));
  return self->panel && self->diagonal && self->block && self->scratch ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static void work_close(work *self) {
  rung_release(self->panel);
  rung_release(self->diagonal);
  rung_release(self->block);
  rung_release(self->scratch);
}

static int64_t block_at(const work *self, int64_t k) {
  return self->n - k < BLOCK ? self->n - k : BLOCK;
}

static void multiply(const work *self, const rung_gemm *gemm, int ith, int nth) {
  if (gemm->n > 0) rung_gemm_run(gemm, self->scratch + self->scratch_bytes * (size_t)ith, ith, nth);
}

static void clear_above_diagonal(work *self, int ith, int nth) {
  int64_t begin, end;
  rung_slice(self->n, 1, ith, nth, &begin, &end);
  for (int64_t i = begin; i < end; i++)
    memset(self->a + i * self->n + i + 1, 0, (size_t)(self->n - i - 1) * sizeof(float));
}

/* ---- Factor ----------------------------------------------------------------------------------------------------- */

/* What the earlier columns leave of a diagonal element carries their rounding: one part in 2^23 of it, a few times. */
#define LEAST_PIVOT (16 * FLT_EPSILON)

/* L11. False where a pivot is no more than rounding. */
static bool factor_block(work *self, int64_t k) {
  double l[BLOCK][BLOCK];
  int64_t b = block_at(self, k);
  for (int64_t i = 0; i < b; i++) {
    float *row = self->a + (k + i) * self->n + k;
    for (int64_t j = 0; j <= i; j++) {
      double rest = (double)row[j];
      for (int64_t t = 0; t < j; t++) rest -= l[i][t] * l[j][t];
      if (i == j && !(rest > (double)(LEAST_PIVOT * self->diagonal[k + i]) && isfinite(rest))) return false;
      l[i][j] = i == j ? sqrt(rest) : rest / l[j][j];
      row[j] = (float)l[i][j];
    }
  }
  return true;
}

/* L21 and -L21, row by row: x L11^T = a from the left. */
static void factor_panel(work *self, int64_t k, int ith, int nth) {
  int64_t b = block_at(self, k), below = k + b, begin, end;
  rung_slice(self->n - below, 1, ith, nth, &begin, &end);
  for (int64_t i = below + begin; i < below + end; i++) {
    float *x = self->a + i * self->n + k, *negated = self->panel + i * BLOCK;
    for (int64_t j = 0; j < b; j++) {
      const float *l = self->a + (k + j) * self->n + k;
      double rest = (double)x[j];
      for (int64_t t = 0; t < j; t++) rest -= (double)x[t] * (double)l[t];
      x[j] = (float)(rest / (double)l[j]);
      negated[j] = -x[j];
    }
  }
}

/* A22 += -L21 L21^T, up to the diagonal. */
static void update_rest(work *self, int64_t k, int ith, int nth) {
  int64_t n = self->n, b = block_at(self, k), below = k + b;
  for (int64_t i = below; i < n; i += ROWS) {
    int64_t rows = n - i < ROWS ? n - i : ROWS;
    multiply(self,
             &(rung_gemm){.m = rows,
                          .n = i + rows - below,
                          .k = b,
                          .a = {.data = self->panel + i * BLOCK, .stride = BLOCK},
                          .b = {.data = self->a + below * n + k, .stride = n, .transpose = true},
                          .c = self->a + i * n + below,
                          .c_stride = n,
                          .accumulate = true},
             ith, nth);
  }
}

static void factor(void *context, int ith, int nth) {
  work *self = context;
  for (int64_t k = 0; k < self->n; k += BLOCK) {
    if (ith == 0 && !factor_block(self, k)) self->failed = true;
    members_meet(self->team);
    if (self->failed) return;
    factor_panel(self, k, ith, nth);
    members_meet(self->team);
    update_rest(self, k, ith, nth);
    members_meet(self->team);
  }
  clear_above_diagonal(self, ith, nth);
}

rung_status cholesky_factor(float *a, int64_t n, rung_team *team) {
  work self;
  rung_status status = work_open(&self, a, n, team);
  if (status == RUNG_OK) {
    for (int64_t i = 0; i < n; i++) self.diagonal[i] = a[i * n + i];
    members_run(team, factor, &self);
    if (self.failed) status = rung_fail(RUNG_ERROR_NUMERIC, "cholesky: the matrix is not positive definite in f32");
  }
  work_close(&self);
  return status;
}

/* ---- Inverse ---------------------------------------------------------------------------------------------------- */

/* X22 in place of L22, column by column, and -X22. */
static void invert_block(work *self, int64_t k) {
  double x[BLOCK][BLOCK];
  int64_t n = self->n, b = block_at(self, k);
  float *l = self->a + k * n + k;
  for (int64_t j = 0; j < b; j++)
    for (int64_t i = j; i < b; i++) {
      double sum = i == j;
      for (int64_t t = j; t < i; t++) sum -= (double)l[i * n + t] * x[t][j];
      x[i][j] = sum / (double)l[i * n + i];
    }
  for (int64_t i = 0; i < b; i++)
    for (int64_t j = 0; j <= i; j++) {
      l[i * n + j] = (float)x[i][j];
      self->block[i * BLOCK + j] = (float)-x[i][j];
    }
}

static void invert(void *context, int ith, int nth) {
  work *self = context;
  int64_t n = self->n;
  for (int64_t k = 0; k < n; k += BLOCK) {
    int64_t b = block_at(self, k);
    rung_gemm product = {.m = b,
                         .n = k,
                         .k = k,
                         .a = {.data = self->a + k * n, .stride = n},
                         .b = {.data = self->a, .stride = n},
                         .c = self->panel,
                         .c_stride = n};
    multiply(self, &product, ith, nth);
    if (ith == 0) invert_block(self, k);
    members_meet(self->team);
    product.k = b;
    product.a = (rung_matrix){.data = self->block, .stride = BLOCK};
    product.b = (rung_matrix){.data = self->panel, .stride = n};
    product.c = self->a + k * n;
    multiply(self, &product, ith, nth);
    members_meet(self->team);
  }
}

rung_status cholesky_invert(float *l, int64_t n, rung_team *team) {
  work self;
  rung_status status = work_open(&self, l, n, team);
  if (status == RUNG_OK) members_run(team, invert, &self);
  work_close(&self);
  return status;
}
