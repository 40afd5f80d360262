#include "ref/functions.h"

#include "level.h"

void RUNG_AT_LEVEL(exp)(float *y, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = ref_exp(x[i]);
}

void RUNG_AT_LEVEL(log)(float *y, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = ref_log(x[i]);
}

void RUNG_AT_LEVEL(tanh)(float *y, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = ref_tanh(x[i]);
}

void RUNG_AT_LEVEL(erf)(float *y, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = ref_erf(x[i]);
}
