#include "level.h"
#include "vector/functions.h"
#include "vector/map.h"

static inline vf relu(vf x) {
  return vf_max(vf_set(0.0f), x);
}

static inline vf relu6(vf x) {
  return vf_min(vf_set(6.0f), relu(x));
}

static inline vf gelu(vf x) {
  vf a = vf_at_most(TAIL_MAX, vf_abs(x)), gauss, ratio;
  vf_normal_tail(a, &gauss, &ratio);
  return vf_fma(-(a * ratio), gauss, relu(x));
}

/* f'(.) dy from dy and what the derivative is written in. */
static inline vf sigmoid_gradient(vf dy, vf y) {
  return dy * (y * (vf_set(1.0f) - y));
}

static inline vf tanh_gradient(vf dy, vf y) {
  return dy * vf_fma(-y, y, vf_set(1.0f));
}

static inline vf relu_gradient(vf dy, vf x) {
  return (vf)((vi)dy & (x > vf_set(0.0f)));
}

static inline vf relu6_gradient(vf dy, vf x) {
  return (vf)((vi)dy & (x > vf_set(0.0f)) & (x < vf_set(6.0f)));
}

static inline vf gelu_gradient(vf dy, vf x) {
  vf a = vf_at_most(TAIL_MAX, vf_abs(x)), gauss, ratio;
  vf_normal_tail(a, &gauss, &ratio);
  vf c = gauss * vf_fma(-vf_set(INVERSE_SQRT_2PI), a, ratio);
  return dy * vf_select(x < vf_set(0.0f), c, vf_set(1.0f) - c);
}

void RUNG_AT_LEVEL(sigmoid)(float *y, const float *x, int64_t n) {
  map_unary(y, x, n, vf_sigmoid);
}

void RUNG_AT_LEVEL(relu)(float *y, const float *x, int64_t n) {
  map_unary(y, x, n, relu);
}

void RUNG_AT_LEVEL(relu6)(float *y, const float *x, int64_t n) {
  map_unary(y, x, n, relu6);
}

void RUNG_AT_LEVEL(gelu)(float *y, const float *x, int64_t n) {
  map_unary(y, x, n, gelu);
}

/* NAME_backward from NAME_gradient: the second function adds to what dx holds. */
#define BACKWARD(name)                                                                                                 \
  static inline vf name##_gradient_added(vf dx, vf dy, vf at) {                                                        \
    return dx + name##_gradient(dy, at);                                                                               \
  }                                                                                                                    \
  void RUNG_AT_LEVEL(name##_backward)(float *dx, const float *dy, const float *at, int64_t n, bool accumulate) {       \
    if (accumulate)                                                                                                    \
      map_ternary(dx, dx, dy, at, n, name##_gradient_added);                                                           \
    else                                                                                                               \
      map_binary(dx, dy, at, n, name##_gradient);                                                                      \
  }

BACKWARD(sigmoid)
BACKWARD(tanh)
BACKWARD(relu)
BACKWARD(relu6)
BACKWARD(gelu)
