/* Learning rates. The warm-up rises by equal parts, rate (step + 1) / (warm_up + 1), so that the step after it, where
 * the schedule proper starts, has the whole rate. The schedule proper counts s = 0 .. T-1 from there. */
#include "schedule.h"

/* sin x, |x| <= pi/4, by + - * / alone, since libm's differs between machines: the series up to x^15; the first term
 * left out, x^17/17!, is below 2^-54. */
static double sine(double x) {
  double square = x * x, sum = 1;
  for (int k = 15; k >= 3; k -= 2) sum = 1 - square / (k * (k - 1)) * sum;
  return x * sum;
}

/* (1 + cos(pi s / T)) / 2 = 1 - sin^2(pi s / 2T) = sin^2(pi (T - s) / 2T): the form whose angle is at most pi/4. */
static double half_cosine(int64_t s, int64_t T) {
  const double right_angle = 1.5707963267948966;
  int64_t left = T - s;
  double root = sine(right_angle * (double)(s < left ? s : left) / (double)T);
  return s < left ? 1 - root * root : root * root;
}

/* By squaring, which takes the same few steps everywhere. */
static double power(double base, int64_t exponent) {
  double product = 1;
  for (; exponent > 0; exponent >>= 1, base *= base)
    if (exponent & 1) product *= base;
  return product;
}

/* The default period is a third of all, rounded up, so that there are three of them and no fourth. */
static double staircase(const rung_schedule *schedule, int64_t s, int64_t T) {
  int64_t period = schedule->period ? schedule->period : T / 3 + (T % 3 != 0);
  return power(schedule->factor != 0 ? (double)schedule->factor : 0.1, s / period);
}

float rung_schedule_rate(const rung_schedule *schedule, float rate, int64_t step, int64_t total) {
  const int64_t warm_up = schedule->warm_up;
  if (step < warm_up) return (float)((double)rate * (double)(step + 1) / (double)(warm_up + 1));
  int64_t s = step - warm_up, T = total > warm_up ? total - warm_up : 1;
  double share = 1;
  if (schedule->kind == RUNG_SCHEDULE_COSINE) share = half_cosine(s, T);
  if (schedule->kind == RUNG_SCHEDULE_STEP) share = staircase(schedule, s, T);
  return (float)((double)rate * share);
}

rung_status schedule_check(const rung_schedule *schedule) {
  if ((int)schedule->kind < 0 || schedule->kind >= RUNG_SCHEDULE_KIND_COUNT)
    return rung_fail(RUNG_ERROR_ARGUMENT, "fit: schedule %d, expected 0 .. %d", (int)schedule->kind,
                     RUNG_SCHEDULE_KIND_COUNT - 1);
  if (schedule->warm_up < 0)
    return rung_fail(RUNG_ERROR_ARGUMENT, "fit: warm-up of %lld steps, expected 0 or more",
                     (long long)schedule->warm_up);
  if (schedule->period < 0)
    return rung_fail(RUNG_ERROR_ARGUMENT, "fit: schedule period %lld, expected 1 or more, or 0 for a third of all",
                     (long long)schedule->period);
  if (!(schedule->factor >= 0 && schedule->factor <= 1))
    return rung_fail(RUNG_ERROR_ARGUMENT, "fit: schedule factor %g, expected more than 0 and at most 1, or 0 for 0.1",
                     (double)schedule->factor);
  return RUNG_OK;
}
