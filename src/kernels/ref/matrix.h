/* An element of an operand as rung_matrix defines it, and the product of two. */
#ifndef RUNG_REF_MATRIX_H
#define RUNG_REF_MATRIX_H

#include "level.h"

#include <math.h>

static inline float ref_element(const rung_matrix *x, int64_t row, int64_t column) {
  int64_t r = x->transpose ? column : row, c = x->transpose ? row : column;
  int64_t at = r * x->stride + c;
  if (x->type == RUNG_F32) return ((const float *)x->data)[at];
  int32_t q = x->type == RUNG_U8 ? ((const uint8_t *)x->data)[at] : ((const int8_t *)x->data)[at];
  int64_t s = r * x->scale_stride + (x->group ? c / x->group : 0);
  return x->scale[s] * (float)(q - (x->zero_point ? x->zero_point[s] : 0));
}

/* c = a chain of fused multiply-adds over k, ascending, from 0 or c; then + bias[j]; then max(., 0). Each operand goes
 * through `round` first. */
static inline void ref_multiply(const rung_gemm *gemm, int64_t i, int64_t j, float *c, float (*round)(float x)) {
  float sum = gemm->accumulate ? *c : 0.0f;
  for (int64_t p = 0; p < gemm->k; p++)
    sum = fmaf(round(ref_element(&gemm->a, i, p)), round(ref_element(&gemm->b, p, j)), sum);
  if (gemm->bias) sum += gemm->bias[j];
  *c = gemm->relu && sum < 0.0f ? 0.0f : sum;
}

static inline void ref_hand_over(const rung_gemm *gemm, float *c, int ith, int nth, float (*round)(float x)) {
  int64_t begin, end;
  rung_slice(gemm->m, RUNG_GEMM_GRAIN, ith, nth, &begin, &end);
  for (int64_t row = begin, rows; row < end; row += rows) {
    rows = end - row < RUNG_GEMM_GRAIN ? end - row : RUNG_GEMM_GRAIN;
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < gemm->n; j++) ref_multiply(gemm, row + i, j, &c[i * gemm->n + j], round);
    gemm->take(gemm->context, c, row, rows);
  }
}

static inline void ref_product(const rung_gemm *gemm, void *scratch, int ith, int nth, float (*round)(float x)) {
  if (gemm->take) {
    ref_hand_over(gemm, scratch, ith, nth, round);
    return;
  }
  int64_t begin, end;
  rung_slice(gemm->n, 1, ith, nth, &begin, &end);
  for (int64_t i = 0; i < gemm->m; i++)
    for (int64_t j = begin; j < end; j++) ref_multiply(gemm, i, j, &gemm->c[i * gemm->c_stride + j], round);
}

#endif
