/* GPTQ (Frantar et al., ICLR 2023), which is optimal brain quantization (Frantar and Alistarh, 2022) with one order of
 * columns for all rows. Each row w of W is on its own, and what its rounding to v costs is
 *
 *   E = sum over examples of ((w - v) x)^2 = (w - v) H (w - v)^T / 2,   H = 2 x^T x.
 *
 * With column j rounded by e = w_j - v_j, E is least where the columns k behind it move by
 *
 *   w_k -= e / U_jj  U_jk,   U the upper Cholesky factor of H^-1:  H^-1 = U^T U                               (eq. 35)
 *
 * (the paper's algorithm 1). H's scale cancels, so it is divided by its mean diagonal, which makes the damping a plain
 * number, and 2 / n is left out.
 *
 * U takes one factor and no inverse of H. With rows and columns in reverse order, marked ', H' = L L^T is the usual
 * lower factor, so H = (L L^T)' and H^-1 = (L^-T L^-1)': U is L^-1 in reverse. And reversing both orders of a square
 * matrix reverses its elements in memory. */
#include "cholesky.h"
#include "members.h"
#include "ptq.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct gptq {
  rung_ptq_layer *layer;
  rung_gptq_options options; /* the defaults filled in */
  int64_t in, out, block;
  bool follows;   /* group scales are found when their group is entered */
  float *h;       /* [in, in] */
  float *u;       /* [in, in] */
  float *w;       /* [out, in], columns in the order of rounding; those that were rounded are on the grid */
  float *error;   /* [out, block]: -e / U_jj */
  int64_t *order; /* [in]: which column comes j-th */
  char *scratch;  /* of each member's products */
  size_t scratch_bytes;
} gptq;

/* ---- H ---------------------------------------------------------------------------------------------------------- */

static void sum_products(void *context, int ith, int nth) {
  gptq *self = context;
  const rung_ptq_layer *layer = self->layer;
  rung_gemm_run(&(rung_gemm){.m = self->in,
                             .n = self->in,
                             .k = layer->n,
                             .a = {.data = layer->x, .stride = self->in, .transpose = true},
                             .b = {.data = layer->x, .stride = self->in},
                             .c = self->h,
                             .c_stride = self->in},
                self->scratch + self->scratch_bytes * (size_t)ith, ith, nth);
}

static float *diagonal(const gptq *self, int64_t i) {
  return self->h + i * self->in + i;
}

/* H over the mean of its diagonal, dead columns aside: those of inputs that are always 0. */
static rung_status make_h(gptq *self) {
  members_run(self->layer->team, sum_products, self);
  double total = 0;
  int64_t live = 0;
  for (int64_t i = 0; i < self->in; i++) {
    total += (double)*diagonal(self, i);
    live += *diagonal(self, i) != 0;
  }
  if (!isfinite(total))
    return rung_fail(RUNG_ERROR_NUMERIC, "gptq: %s: the squares of its inputs sum to %g, expected a finite number",
                     self->layer->name, total);
  double inverse = live ? (double)live / total : 1;
  for (int64_t i = 0; i < self->in * self->in; i++) self->h[i] = (float)((double)self->h[i] * inverse);
  return RUNG_OK;
}

static void clear_dead_columns(gptq *self) {
  for (int64_t i = 0; i < self->in; i++) {
    if (*diagonal(self, i) != 0) continue;
    for (int64_t row = 0; row < self->out; row++) self->layer->weight[row * self->in + i] = 0;
  }
}

/* ---- The order of columns, and U -------------------------------------------------------------------------------- */

typedef struct column {
  float diagonal;
  int64_t index;
} column;

static int by_descending_diagonal(const void *a, const void *b) {
  const column *p = a, *q = b;
  if (p->diagonal != q->diagonal) return p->diagonal > q->diagonal ? -1 : 1;
  return p->index < q->index ? -1 : 1;
}

static rung_status make_order(gptq *self) {
  for (int64_t j = 0; j < self->in; j++) self->order[j] = j;
  if (!self->options.act_order) return RUNG_OK;
  column *columns = rung_allocate((size_t)self->in * sizeof *columns);
  if (!columns) return RUNG_ERROR_MEMORY;
  for (int64_t j = 0; j < self->in; j++) columns[j] = (column){*diagonal(self, j), j};
  qsort(columns, (size_t)self->in, sizeof *columns, by_descending_diagonal);
  for (int64_t j = 0; j < self->in; j++) self->order[j] = columns[j].index;
  rung_release(columns);
  return RUNG_OK;
}

/* Row and column j of u become row and column order[in - 1 - j] of h, damped. The diagonal of dead columns is 1. */
static void reverse_h(gptq *self, float damping) {
  int64_t n = self->in;
  for (int64_t i = 0; i < n; i++) {
    float *to = self->u + (n - 1 - i) * n;
    const float *from = self->h + self->order[i] * n;
    for (int64_t j = 0; j < n; j++) to[n - 1 - j] = from[self->order[j]];
    to[n - 1 - i] += damping + (float)(*diagonal(self, self->order[i]) == 0);
  }
}

static void reverse(float *a, int64_t count) {
  for (int64_t i = 0, j = count - 1; i < j; i++, j--) {
    float t = a[i];
    a[i] = a[j];
    a[j] = t;
  }
}

/* With a damping of 1 no pivot is less than 1 / (in + 1) of its diagonal: it never has to rise far. */
static rung_status make_u(gptq *self) {
  rung_team *team = self->layer->team;
  rung_status status = RUNG_ERROR_NUMERIC;
  float damping = self->options.damping;
  for (; status == RUNG_ERROR_NUMERIC && damping < 1000; damping *= 10) {
    self->layer->damping = damping;
    reverse_h(self, damping);
    status = cholesky_factor(self->u, self->in, team);
  }
  if (status == RUNG_OK) status = cholesky_invert(self->u, self->in, team);
  if (status == RUNG_OK) reverse(self->u, self->in * self->in);
  return status;
}

/* ---- Rounding --------------------------------------------------------------------------------------------------- */

static float *scale_of(const gptq *self, int64_t row, int64_t input) {
  const rung_ptq_layer *layer = self->layer;
  if (layer->granularity == RUNG_PER_TENSOR) return layer->scale;
  if (layer->granularity == RUNG_PER_CHANNEL) return layer->scale + row;
  return layer->scale + row * ((self->in + layer->group - 1) / layer->group) + input / layer->group;
}

/* A block ends where the next begins. Where scales follow, no group that begins within a block may reach beyond it:
 * what lies there is not up to date. */
static int64_t block_end(const gptq *self, int64_t begin) {
  int64_t end = begin + self->block, group = self->layer->group;
  if (self->follows && end % group != 0) end = end / group * group > begin ? end / group * group : end;
  return end < self->in ? end : self->in;
}

/* Columns begin .. end-1 of one row. */
static void round_block(gptq *self, int64_t row, int64_t begin, int64_t end) {
  const rung_ptq_layer *layer = self->layer;
  float *w = self->w + row * self->in, *error = self->error + row * self->block;
  for (int64_t j = begin; j < end; j++) {
    const float *u = self->u + j * self->in, before = w[j];
    float *scale = scale_of(self, row, self->order[j]);
    if (self->follows && j % layer->group == 0) {
      int64_t count = self->in - j < layer->group ? self->in - j : layer->group;
      *scale = ptq_scale(&layer->format, w + j, count, self->options.mse);
    }
    rung_ptq_round(&layer->format, w + j, 1, *scale);
    float e = -((before - w[j]) / u[j]);
    error[j - begin] = e;
    rung_kernels_active()->scale_add(w + j + 1, u + j + 1, e, end - j - 1, true);
  }
}

/* A member's rows, from the first column to the last: no row reads another. */
static void round_rows(void *context, int ith, int nth) {
  gptq *self = context;
  rung_ptq_layer *layer = self->layer;
  int64_t n = self->in, first, last;
  rung_slice(self->out, 1, ith, nth, &first, &last);
  for (int64_t row = first; row < last; row++)
    for (int64_t j = 0; j < n; j++) self->w[row * n + j] = layer->weight[row * n + self->order[j]];
  for (int64_t begin = 0, end; begin < n && first < last; begin = end) {
    end = block_end(self, begin);
    for (int64_t row = first; row < last; row++) round_block(self, row, begin, end);
    if (end < n)
      rung_gemm_run(&(rung_gemm){.m = last - first,
                                 .n = n - end,
                                 .k = end - begin,
                                 .a = {.data = self->error + first * self->block, .stride = self->block},
                                 .b = {.data = self->u + begin * n + end, .stride = n},
                                 .c = self->w + first * n + end,
                                 .c_stride = n,
                                 .accumulate = true},
                    self->scratch + self->scratch_bytes * (size_t)ith, 0, 1);
  }
  for (int64_t row = first; row < last; row++)
    for (int64_t j = 0; j < n; j++) layer->weight[row * n + self->order[j]] = self->w[row * n + j];
}

/* ---- The method ------------------------------------------------------------------------------------------------- */

static rung_status check(const rung_gptq_options *options) {
  if (!(options->damping >= 0 && options->damping <= 1))
    return rung_fail(RUNG_ERROR_ARGUMENT, "gptq: damping %g, expected 0..1", (double)options->damping);
  if (options->block < 0) return rung_fail(RUNG_ERROR_ARGUMENT, "gptq: block %d, expected 1 or more", options->block);
  return RUNG_OK;
}

static float damping_of(const rung_gptq_options *options) {
  return options->damping == 0 ? 0.01f : options->damping;
}

static void fill_options(gptq *self, const rung_gptq_options *options) {
  if (options) self->options = *options;
  self->options.damping = damping_of(&self->options);
  if (self->options.block == 0) self->options.block = 128;
  self->block = self->options.block < self->in ? self->options.block : self->in;
  self->follows =
      self->layer->granularity == RUNG_PER_GROUP && !self->options.static_groups && !self->options.act_order;
}

static float *matrix(int64_t rows, int64_t columns) {
  size_t count, bytes;
  if (rung_size_multiply((size_t)rows, (size_t)columns, &count) && rung_size_multiply(count, sizeof(float), &bytes))
    return rung_allocate(bytes);
  rung_fail(RUNG_ERROR_MEMORY, "gptq: a matrix [%lld, %lld] is too large", (long long)rows, (long long)columns);
  return NULL;
}

static rung_status allocate(gptq *self) {
  int64_t largest = self->in > self->out ? self->in : self->out, depth = self->layer->n;
  if (depth < self->block) depth = self->block;
  size_t bytes = rung_gemm_scratch(&(rung_gemm){.m = largest, .n = self->in, .k = depth});
  self->scratch_bytes = (bytes + RUNG_ALIGNMENT - 1) / RUNG_ALIGNMENT * RUNG_ALIGNMENT;
  self->scratch = rung_allocate(self->scratch_bytes * (size_t)members_count(self->layer->team));
  self->h = matrix(self->in, self->in);
  self->u = matrix(self->in, self->in);
  self->w = matrix(self->out, self->in);
  self->error = matrix(self->out, self->block);
  self->order = rung_allocate((size_t)self->in * sizeof *self->order);
  bool all = self->scratch && self->h && self->u && self->w && self->error && self->order;
  return all ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static void release(gptq *self) {
  rung_release(self->scratch);
  rung_release(self->h);
  rung_release(self->u);
  rung_release(self->w);
  rung_release(self->error);
  rung_release(self->order);
}

rung_status rung_ptq_gptq(rung_ptq_layer *layer, const rung_gptq_options *options) {
  rung_status status = rung_ptq_check_layer(layer, true);
  if (status == RUNG_OK && options) status = check(options);
  if (status != RUNG_OK) return status;
  gptq self = {.layer = layer, .in = layer->in, .out = layer->out};
  fill_options(&self, options);
  status = allocate(&self);
  if (status == RUNG_OK) status = make_h(&self);
  if (status == RUNG_OK) status = make_order(&self);
  if (status == RUNG_OK) status = make_u(&self);
  if (status == RUNG_OK) {
    clear_dead_columns(&self);
    ptq_find_scales(layer, self.options.mse);
    members_run(layer->team, round_rows, &self);
  }
  release(&self);
  return status;
}

static rung_status round_layer(rung_ptq_layer *layer, const rung_ptq_options *options) {
  rung_status status = rung_ptq_gptq(layer, &options->gptq);
  if (status != RUNG_OK || !options->note || layer->damping == damping_of(&options->gptq)) return status;
  char what[96];
  snprintf(what, sizeof what, "gptq: its inputs are too much alike for f32; damping raised to %g",
           (double)layer->damping);
  options->note(options->context, layer->name, what);
  return status;
}

static rung_status check_options(const rung_ptq_options *options) {
  return check(&options->gptq);
}

const ptq_method gptq_method = {
    .name = "gptq", .phase = RUNG_PTQ_ROUNDING, .round = round_layer, .check = check_options};
