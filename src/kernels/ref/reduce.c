#include "level.h"
#include "ref/lanes.h"

#include <math.h>

float RUNG_AT_LEVEL(sum)(const float *x, int64_t n) {
  float lane[LANES] = {0};
  for (int64_t i = 0; i < n; i++) lane[i % LANES] += x[i];
  return ref_tree(lane);
}

float RUNG_AT_LEVEL(dot)(const float *a, const float *b, int64_t n) {
  float lane[LANES] = {0};
  for (int64_t i = 0; i < n; i++) lane[i % LANES] = fmaf(a[i], b[i], lane[i % LANES]);
  return ref_tree(lane);
}

/* Adding 0 turns -0 into 0: which of the two comes out would otherwise tell the order of the search. */
void RUNG_AT_LEVEL(min_max)(const float *x, int64_t n, float *min, float *max, bool *has_nan) {
  float low = INFINITY, high = -INFINITY;
  *has_nan = false;
  for (int64_t i = 0; i < n; i++) {
    if (x[i] < low) low = x[i];
    if (x[i] > high) high = x[i];
    if (isnan(x[i])) *has_nan = true;
  }
  *min = low + 0.0f;
  *max = high + 0.0f;
}

float RUNG_AT_LEVEL(max_abs)(const float *x, int64_t n) {
  float most = 0.0f;
  for (int64_t i = 0; i < n; i++)
    if (fabsf(x[i]) > most) most = fabsf(x[i]);
  return most;
}

void RUNG_AT_LEVEL(sum_i8)(const int8_t *q, int64_t n, int32_t *sum, int32_t *magnitude) {
  *sum = *magnitude = 0;
  for (int64_t i = 0; i < n; i++) {
    *sum += q[i];
    *magnitude += q[i] < 0 ? -q[i] : q[i];
  }
}

void RUNG_AT_LEVEL(column_sum)(float *y, const float *x, int64_t rows, int64_t columns, int64_t stride,
                               bool accumulate) {
  for (int64_t j = 0; j < columns; j++) {
    float sum = accumulate ? y[j] : 0.0f;
    for (int64_t i = 0; i < rows; i++) sum += x[i * stride + j];
    y[j] = sum;
  }
}

void RUNG_AT_LEVEL(column_dot)(float *y, const float *a, const float *b, int64_t rows, int64_t columns, int64_t stride,
                               bool accumulate) {
  for (int64_t j = 0; j < columns; j++) {
    float sum = accumulate ? y[j] : 0.0f;
    for (int64_t i = 0; i < rows; i++) sum = fmaf(a[i * stride + j], b[i * stride + j], sum);
    y[j] = sum;
  }
}
