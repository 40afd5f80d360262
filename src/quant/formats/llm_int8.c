/* LLM.int8() (Dettmers et al., "LLM.int8(): 8-bit matrix multiplication for transformers at scale", 2022; eq. 55).
 *
 * y[i,j] = c_x[i] c_w[j] / 127^2 sum over k not in O of qx[i,k] qw[j,k]  +  sum over k in O of x[i,k] w[j,k]
 * q = rne(x (127 / c)),  c = max|x| of the row, of x without what is beyond the threshold,  O = the columns with such
 */
#include <rung/quant/formats.h>

#include <rung/kernels.h>

#include <math.h>
#include <string.h>

/* x and W as f16 holds them. */
typedef struct operands {
  float *rounded_x, *rounded_weight; /* [n, in], [out, in] */
  float threshold;
} operands;

static rung_status to_f16(const char *name, const float *from, int64_t count, float *to) {
  for (int64_t i = 0; i < count; i++) {
    to[i] = rung_float_decode(RUNG_F16, rung_float_encode(RUNG_F16, from[i], false));
    if (!isfinite(to[i]))
      return rung_fail(RUNG_ERROR_NUMERIC, "llm_int8: %s %lld is %g, expected a finite number that f16 holds", name,
                       (long long)i, (double)from[i]);
  }
  return RUNG_OK;
}

/* ---- The decomposition ------------------------------------------------------------------------------------------ */

static void find_outliers(const operands *of, rung_llm_int8_parts *parts) {
  for (int64_t k = 0; k < parts->in; k++)
    for (int64_t i = 0; i < parts->n; i++)
      if (fabsf(of->rounded_x[i * parts->in + k]) >= of->threshold) {
        parts->outlier[parts->outlier_count++] = k;
        break;
      }
}

/* Codes of a row by its largest magnitude below `limit`; 0 for what lies beyond. */
static float quantize_row(const float *x, int64_t n, float limit, int8_t *q) {
  float absmax = 0;
  for (int64_t k = 0; k < n; k++)
    if (fabsf(x[k]) < limit) absmax = fmaxf(absmax, fabsf(x[k]));
  const float inverse = absmax > 0 ? 127 / absmax : 0;
  for (int64_t k = 0; k < n; k++) q[k] = (int8_t)(fabsf(x[k]) < limit ? rintf(x[k] * inverse) : 0);
  return absmax;
}

static void quantize(const operands *of, rung_llm_int8_parts *parts) {
  const int64_t in = parts->in;
  for (int64_t i = 0; i < parts->n; i++) {
    parts->x_absmax[i] = quantize_row(of->rounded_x + i * in, in, of->threshold, parts->x + i * in);
    for (int64_t o = 0; o < parts->outlier_count; o++) parts->x[i * in + parts->outlier[o]] = 0;
  }
  for (int64_t j = 0; j < parts->out; j++)
    parts->weight_absmax[j] = quantize_row(of->rounded_weight + j * in, in, INFINITY, parts->weight + j * in);
}

/* ---- The two products ------------------------------------------------------------------------------------------- */

static rung_status multiply_integers(const rung_llm_int8_parts *parts) {
  rung_qgemm gemm = {.m = parts->n,
                     .n = parts->out,
                     .k = parts->in,
                     .a_type = RUNG_I8,
                     .a = parts->x,
                     .a_stride = parts->in,
                     .epilogue = RUNG_EPILOGUE_ACCUMULATOR,
                     .y_type = RUNG_I32,
                     .y = parts->accumulator,
                     .y_stride = parts->out};
  int32_t *zeros = rung_allocate((size_t)parts->out * sizeof *zeros);
  gemm.packed = rung_allocate(rung_qgemm_packed_size(gemm.n, gemm.k, 0));
  void *scratch = rung_allocate(rung_qgemm_scratch(&gemm));
  const bool good = zeros && gemm.packed && scratch;
  if (good) {
    gemm.bias = zeros;
    rung_qgemm_pack(&gemm, parts->weight, 0, gemm.n);
    rung_qgemm_run(&gemm, scratch, 0, 1);
  }
  rung_release(scratch);
  rung_release(gemm.packed);
  rung_release(zeros);
  return good ? RUNG_OK : RUNG_ERROR_MEMORY;
}

/* The columns `parts->outlier` of rows of `from` [rows, in], dense. */
static void gather(const rung_llm_int8_parts *parts, const float *from, int64_t rows, float *to) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t o = 0; o < parts->outlier_count; o++) *to++ = from[i * parts->in + parts->outlier[o]];
}

/* y = x_O W_O^T; zeros where there are no outliers. */
static rung_status multiply_outliers(const operands *of, const rung_llm_int8_parts *parts, float *y) {
  memset(y, 0, (size_t)(parts->n * parts->out) * sizeof *y);
  if (parts->outlier_count == 0) return RUNG_OK;
  const int64_t k = parts->outlier_count;
  float *a = rung_allocate((size_t)((parts->n + parts->out) * k) * sizeof *a);
  if (!a) return RUNG_ERROR_MEMORY;
  float *b = a + parts->n * k;
  gather(parts, of->rounded_x, parts->n, a);
  gather(parts, of->rounded_weight, parts->out, b);
  const rung_gemm gemm = {.m = parts->n,
                          .n = parts->out,
                          .k = k,
                          .a = {.data = a, .type = RUNG_F32, .stride = k},
                          .b = {.data = b, .type = RUNG_F32, .stride = k, .transpose = true},
                          .c = y,
                          .c_stride = parts->out};
  void *scratch = rung_allocate(rung_gemm_scratch(&gemm));
  if (scratch) rung_gemm_run(&gemm, scratch, 0, 1);
  rung_release(scratch);
  rung_release(a);
  return scratch ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static void add_integers(const rung_llm_int8_parts *parts, float *y) {
  for (int64_t i = 0; i < parts->n; i++)
    for (int64_t j = 0; j < parts->out; j++) {
      const int64_t at = i * parts->out + j;
      const float scale = parts->x_absmax[i] * parts->weight_absmax[j] / (127 * 127);
      y[at] = fmaf((float)parts->accumulator[at], scale, y[at]);
    }
}

/* ---- The whole -------------------------------------------------------------------------------------------------- */

static rung_status check(int64_t n, int64_t in, int64_t out, float threshold) {
  int64_t count;
  rung_status status = rung_shape_count(&RUNG_SHAPE(n, in), &count);
  if (status == RUNG_OK) status = rung_shape_count(&RUNG_SHAPE(out, in), &count);
  if (status == RUNG_OK) status = rung_shape_count(&RUNG_SHAPE(n, out), &count);
  if (status != RUNG_OK) return status;
  if (in > INT32_MAX / (127 * 127)) /* the sum fits 32 bits */
    return rung_fail(RUNG_ERROR_SHAPE, "llm_int8: %lld inputs, expected at most %d", (long long)in,
                     INT32_MAX / (127 * 127));
  if (!(threshold >= 0))
    return rung_fail(RUNG_ERROR_ARGUMENT, "llm_int8: threshold %g, expected 0 (6) or more", (double)threshold);
  return RUNG_OK;
}

static rung_status allocate(operands *of, rung_llm_int8_parts *parts) {
  const size_t n = (size_t)parts->n, in = (size_t)parts->in, out = (size_t)parts->out;
  of->rounded_x = rung_allocate(n * in * sizeof(float));
  of->rounded_weight = rung_allocate(out * in * sizeof(float));
  parts->x = rung_allocate(n * in);
  parts->weight = rung_allocate(out * in);
  parts->x_absmax = rung_allocate(n * sizeof(float));
  parts->weight_absmax = rung_allocate(out * sizeof(float));
  parts->outlier = rung_allocate(in * sizeof(int64_t));
  parts->accumulator = rung_allocate(n * out * sizeof(int32_t));
  const bool good = of->rounded_x && of->rounded_weight && parts->x && parts->weight && parts->x_absmax &&
                    parts->weight_absmax && parts->outlier && parts->accumulator;
  return good ? RUNG_OK : RUNG_ERROR_MEMORY;
}

rung_status rung_llm_int8(const float *x, const float *weight, int64_t n, int64_t in, int64_t out, float threshold,
                          float *y, rung_llm_int8_parts *parts) {
  if (parts) *parts = (rung_llm_int8_parts){0};
  rung_status status = check(n, in, out, threshold);
  if (status != RUNG_OK) return status;
  operands of = {.threshold = threshold > 0 ? threshold : 6};
  rung_llm_int8_parts all = {.n = n, .in = in, .out = out};
  status = allocate(&of, &all);
  if (status == RUNG_OK) status = to_f16("x", x, n * in, of.rounded_x);
  if (status == RUNG_OK) status = to_f16("weight", weight, out * in, of.rounded_weight);
  if (status == RUNG_OK) {
    find_outliers(&of, &all);
    quantize(&of, &all);
    status = multiply_integers(&all);
  }
  if (status == RUNG_OK) status = multiply_outliers(&of, &all, y);
  if (status == RUNG_OK) add_integers(&all, y);
  rung_release(of.rounded_x);
  rung_release(of.rounded_weight);
  if (status == RUNG_OK && parts)
    *parts = all;
  else
    rung_llm_int8_free(&all);
  return status;
}

void rung_llm_int8_free(rung_llm_int8_parts *parts) {
  if (!parts) return;
  rung_release(parts->x);
  rung_release(parts->x_absmax);
  rung_release(parts->weight);
  rung_release(parts->weight_absmax);
  rung_release(parts->outlier);
  rung_release(parts->accumulator);
  *parts = (rung_llm_int8_parts){0};
}
