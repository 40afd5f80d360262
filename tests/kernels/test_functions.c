/* exp, log, tanh, erf, sigmoid and gelu against libm in double: the bounds of docs/kernels.md. RUNG_ULP_STEP=1 in the
 * environment takes every float there is; without it, every 9973rd. */
#include "harness.h"

#include <math.h>
#include <rung/kernels.h>
#include <stdio.h>

typedef void unary(float *y, const float *x, int64_t n);

static double sigmoid(double x) {
  return x < 0.0 ? exp(x) / (1.0 + exp(x)) : 1.0 / (1.0 + exp(-x));
}

static double gelu(double x) {
  return x == -INFINITY ? -0.0 : x * 0.5 * erfc(-x * M_SQRT1_2);
}

static double gelu_derivative(double x) {
  double density = isinf(x) ? 0.0 : x * exp(-0.5 * x * x) / sqrt(2.0 * M_PI);
  return 0.5 * erfc(-x * M_SQRT1_2) + density;
}

/* gelu's derivative by gelu_backward from a gradient of 1. */
static void gelu_backward_of_1(float *y, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = 1.0f;
  rung_kernels_active()->gelu_backward(y, y, x, n, false);
}

static unary *kernel(int index) {
  const rung_kernels *k = rung_kernels_active();
  unary *const all[] = {k->exp, k->log, k->tanh, k->erf, k->sigmoid, k->gelu, gelu_backward_of_1};
  return all[index];
}

/* `ulp` of the result's own spacing; gelu's derivative passes through 0, where only the absolute error says something.
 */
static const struct {
  const char *name;
  double (*oracle)(double);
  double ulp, absolute;
} functions[] = {{"exp", exp, 1.02, INFINITY},
                 {"log", log, 0.92, INFINITY},
                 {"tanh", tanh, 2.61, INFINITY},
                 {"erf", erf, 1.09, INFINITY},
                 {"sigmoid", sigmoid, 2.41, INFINITY},
                 {"gelu", gelu, 6.19, INFINITY},
                 {"gelu derivative", gelu_derivative, INFINITY, 1.4e-7}};
enum { function_count = (int)(sizeof functions / sizeof functions[0]), batch = 4096 };

static float from_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static double spacing(double value) {
  int exponent;
  frexp(value, &exponent);
  return ldexp(1.0, exponent < -125 ? -149 : exponent - 24);
}

typedef struct worst {
  double ulp, absolute;
  float at;
} worst;

/* A result that is the nearest float, as nearly all are, is off by half a unit at most and passes at once. */
static void measure(worst *w, float x, float y, double want) {
  float nearest = (float)want;
  if (y == nearest || (isnan(y) && isnan(want))) return;
  double error = fabs((double)y - want), ulp = error / spacing(want);
  if (!isfinite(error) || isinf(nearest)) ck_abort_msg("at %a: %a, not %a", (double)x, (double)y, want);
  if (ulp > w->ulp) w->at = x;
  w->ulp = fmax(w->ulp, ulp);
  w->absolute = fmax(w->absolute, error);
}

START_TEST(error_is_within_the_documented_bound) {
  const char *text = getenv("RUNG_ULP_STEP");
  uint64_t step = text ? strtoull(text, NULL, 10) : 9973;
  ck_assert_uint_ge(step, 1);
  worst w = {0};
  float x[batch], y[batch];
  for (uint64_t bits = 0; bits <= UINT32_MAX;) {
    int n = 0;
    for (; n < batch && bits <= UINT32_MAX; bits += step) x[n++] = from_bits((uint32_t)bits);
    kernel(_i)(y, x, n);
    for (int i = 0; i < n; i++) measure(&w, x[i], y[i], functions[_i].oracle((double)x[i]));
  }
  if (text) printf("%s: %.3f ulp at %a, %.3g absolute\n", functions[_i].name, w.ulp, (double)w.at, w.absolute);
  ck_assert_msg(w.ulp <= functions[_i].ulp, "%s: %.3f ulp at %a", functions[_i].name, w.ulp, (double)w.at);
  ck_assert_msg(w.absolute <= functions[_i].absolute, "%s: off by %.3g", functions[_i].name, w.absolute);
}
END_TEST

START_TEST(special_values) {
  const rung_kernels *k = rung_kernels_active();
  const float least = 0x1p-149f, most = 0x1.fffffep127f, nan = NAN, inf = INFINITY;
  const struct {
    unary *f;
    float x, y;
  } known[] = {
      {k->exp, 0.0f, 1.0f},     {k->exp, -0.0f, 1.0f},     {k->exp, inf, inf},           {k->exp, -inf, 0.0f},
      {k->exp, 88.72284f, inf}, {k->exp, most, inf},       {k->exp, -103.9f, least},     {k->exp, -104.0f, 0.0f},
      {k->exp, -most, 0.0f},    {k->exp, nan, nan},        {k->exp, least, 1.0f},        {k->log, 1.0f, 0.0f},
      {k->log, 0.0f, -inf},     {k->log, -0.0f, -inf},     {k->log, -least, nan},        {k->log, -1.0f, nan},
      {k->log, -inf, nan},      {k->log, inf, inf},        {k->log, nan, nan},           {k->log, least, -103.27893f},
      {k->tanh, 0.0f, 0.0f},    {k->tanh, -0.0f, -0.0f},   {k->tanh, inf, 1.0f},         {k->tanh, -inf, -1.0f},
      {k->tanh, least, least},  {k->tanh, -least, -least}, {k->tanh, nan, nan},          {k->tanh, 1e-20f, 1e-20f},
      {k->erf, 0.0f, 0.0f},     {k->erf, -0.0f, -0.0f},    {k->erf, inf, 1.0f},          {k->erf, -inf, -1.0f},
      {k->erf, 4.0f, 1.0f},     {k->erf, nan, nan},        {k->sigmoid, 0.0f, 0.5f},     {k->sigmoid, inf, 1.0f},
      {k->sigmoid, -inf, 0.0f}, {k->sigmoid, nan, nan},    {k->sigmoid, -103.9f, least}, {k->relu, nan, nan},
      {k->relu, -inf, 0.0f},    {k->relu, inf, inf},       {k->relu, -1.0f, 0.0f},       {k->relu, 2.0f, 2.0f},
      {k->relu6, nan, nan},     {k->relu6, inf, 6.0f},     {k->relu6, -inf, 0.0f},       {k->relu6, 5.5f, 5.5f},
      {k->gelu, inf, inf},      {k->gelu, -inf, 0.0f},     {k->gelu, nan, nan},          {k->gelu, -0.0f, -0.0f},
      {k->gelu, most, most},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    float y;
    known[i].f(&y, &known[i].x, 1);
    bool same = isnan(known[i].y) ? isnan(y) : memcmp(&y, &known[i].y, sizeof y) == 0;
    ck_assert_msg(same, "row %zu: f(%a) = %a, not %a", i, (double)known[i].x, (double)y, (double)known[i].y);
  }
}
END_TEST

START_TEST(tanh_and_erf_are_odd) {
  unary *const f[] = {rung_kernels_active()->tanh, rung_kernels_active()->erf};
  for (int which = 0; which < 2; which++)
    for (uint32_t bits = 0; bits < 0x7f800000; bits += 99991) {
      float x[2] = {from_bits(bits), -from_bits(bits)}, y[2];
      f[which](y, x, 2);
      ENSURE(y[0] == -y[1] && signbit(y[0]) == 0 && signbit(y[1]) != 0);
    }
}
END_TEST

/* Backward against the derivative by central differences of the oracle, and the corners where there is none. */
START_TEST(backward_is_the_derivative) {
  const rung_kernels *k = rung_kernels_active();
  const float x[] = {-9.0f, -2.5f, -1.0f, -0.3f, 0.2f, 1.0f, 3.0f, 5.9f, 7.0f};
  enum { n = (int)(sizeof x / sizeof x[0]) };
  const float three[n] = {3, 3, 3, 3, 3, 3, 3, 3, 3};
  float y[n], dx[n];
  const double h = 1e-6;
  for (int which = 0; which < 3; which++) {
    double (*const f)(double) = which == 0 ? sigmoid : which == 1 ? tanh : gelu;
    if (which == 0) k->sigmoid(y, x, n), k->sigmoid_backward(dx, three, y, n, false);
    if (which == 1) k->tanh(y, x, n), k->tanh_backward(dx, three, y, n, false);
    if (which == 2) k->gelu_backward(dx, three, x, n, false);
    for (int i = 0; i < n; i++) {
      double want = 3.0 * (f((double)x[i] + h) - f((double)x[i] - h)) / (2.0 * h);
      ck_assert_double_eq_tol((double)dx[i], want, 2e-6);
    }
  }
  const float corner[] = {-1.0f, -0.0f, 0.0f, 0.5f, 6.0f, 7.0f};
  const float want_relu[] = {0, 0, 0, 3, 3, 3}, want_relu6[] = {0, 0, 0, 3, 0, 0};
  k->relu_backward(dx, three, corner, 6, false);
  ck_assert_mem_eq(dx, want_relu, sizeof want_relu);
  k->relu6_backward(dx, three, corner, 6, false);
  ck_assert_mem_eq(dx, want_relu6, sizeof want_relu6);
  k->relu_backward(dx, three, corner, 6, true);
  ck_assert_float_eq(dx[3], 6.0f);
  ck_assert_float_eq(dx[4], 3.0f);
}
END_TEST

TEST_MAIN(CASES(error_is_within_the_documented_bound, function_count), CASE(special_values), CASE(tanh_and_erf_are_odd),
          CASE(backward_is_the_derivative))
