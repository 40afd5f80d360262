/* The squared error that a change d of a layer's weights makes in its output: e = x d^T, a few rows of x at a time. */
#include "ptq.h"

#include "ptq/members.h"

enum { ROWS = 256 };

typedef struct product {
  rung_gemm gemm;
  char *scratch;
  size_t stride; /* bytes of a member's scratch */
} product;

static void run_product(void *context, int ith, int nth) {
  const product *p = context;
  rung_gemm_run(&p->gemm, p->scratch + (size_t)ith * p->stride, ith, nth);
}

/* Each row's squares are added to the channels' sums in order. */
static void add_squares(double *error, const float *e, int64_t rows, int64_t out) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < out; j++) error[j] += (double)e[i * out + j] * (double)e[i * out + j];
}

rung_status ptq_output_error(const rung_ptq_layer *layer, const float *x, const float *d, int64_t first, int64_t count,
                             double *error) {
  product p = {.gemm = {.m = ROWS,
                        .n = layer->out,
                        .k = count,
                        .a = {.type = RUNG_F32, .stride = layer->in},
                        .b = {.data = d + first, .type = RUNG_F32, .stride = layer->in, .transpose = true},
                        .c_stride = layer->out}};
  const size_t members = (size_t)members_count(layer->team);
  p.stride = (rung_gemm_scratch(&p.gemm) + RUNG_ALIGNMENT - 1) / RUNG_ALIGNMENT * RUNG_ALIGNMENT;
  p.scratch = rung_allocate(members * p.stride);
  p.gemm.c = rung_allocate((size_t)layer->out * ROWS * sizeof(float));
  for (int64_t j = 0; j < layer->out; j++) error[j] = 0;
  for (int64_t row = 0; p.scratch && p.gemm.c && row < layer->n; row += ROWS) {
    p.gemm.m = layer->n - row < ROWS ? layer->n - row : ROWS;
    p.gemm.a.data = x + row * layer->in + first;
    members_run(layer->team, run_product, &p);
    add_squares(error, p.gemm.c, p.gemm.m, layer->out);
  }
  const bool had = p.scratch && p.gemm.c;
  rung_release(p.scratch);
  rung_release(p.gemm.c);
  return had ? RUNG_OK : RUNG_ERROR_MEMORY;
}
