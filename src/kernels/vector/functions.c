#include "level.h"

#include "vector/functions.h"
#include "vector/map.h"

void RUNG_AT_LEVEL(exp)(float *y, const float *x, int64_t n) {
  map_unary(y, x, n, vf_exp);
}

void RUNG_AT_LEVEL(log)(float *y, const float *x, int64_t n) {
  map_unary(y, x, n, vf_log);
}

void RUNG_AT_LEVEL(tanh)(float *y, const float *x, int64_t n) {
  map_unary(y, x, n, vf_tanh);
}

void RUNG_AT_LEVEL(erf)(float *y, const float *x, int64_t n) {
  map_unary(y, x, n, vf_erf);
}
