/* The range [rmin, rmax] whose quantization (eq. 2, 4, 5) of the observed values has the least squared error
 *
 *   E = integral p(x) (x - v(x))^2 dx,   v(x): the level nearest to x, the end ones beyond the range,
 *
 * p being the histogram, uniform within a bin. With M_j(t) = integral up to t of p(x) x^j dx, which is a sum over whole
 * bins and a closed form within one, and [M_j] its difference over the values that go to level v,
 *
 *   E = sum over levels of [M_2] - 2 v [M_1] + v^2 [M_0] = M_2(inf) + sum over levels of v (v [M_0] - 2 [M_1]),
 *
 * whose first term no range changes. So a candidate costs as many steps as it has levels, whatever the number of bins.
 * All lengths are in bins. */
#include "observer.h"

#include <math.h>

typedef struct moments {
  double m0, m1;
} moments;

typedef struct range_search {
  const rung_observer *observer;
  moments before[HISTOGRAM_BINS + 1]; /* of all bins below this one */
  double low, high;                   /* the best so far, as parts of the observed smallest and largest */
  double error;                       /* its E - M_2(inf) */
} range_search;

static void sum_moments(range_search *s) {
  const histogram *h = s->observer->histogram;
  s->before[0] = (moments){0};
  for (int i = 0; i < HISTOGRAM_BINS; i++) {
    moments m = s->before[i];
    double c = h->count[i], centre = h->first + i + 0.5;
    s->before[i + 1] = (moments){m.m0 + c, m.m1 + c * centre};
  }
}

static moments moments_up_to(const range_search *s, double t) {
  const histogram *h = s->observer->histogram;
  double from_first = t - h->first;
  if (from_first <= 0) return s->before[0];
  if (from_first >= HISTOGRAM_BINS) return s->before[HISTOGRAM_BINS];
  int i = (int)from_first;
  double a = h->first + i, f = t - a, c = h->count[i] * f; /* the part f of bin [a, a + 1) */
  moments m = s->before[i];
  return (moments){m.m0 + c, m.m1 + c * (a + f / 2)};
}

static double error_of(const range_search *s, float rmin, float rmax) {
  const rung_format *format = &s->observer->format;
  float scale;
  int32_t qmin, qmax, zero_point;
  rung_format_range(format, &qmin, &qmax);
  if (rung_qparams(format, rmin, rmax, &scale, &zero_point) != RUNG_OK) return INFINITY;
  double step = ldexp((double)scale, -s->observer->histogram->exponent), error = 0;
  moments a = s->before[0];
  for (int32_t q = qmin; q <= qmax; q++) {
    double v = step * (q - zero_point);
    moments b = q < qmax ? moments_up_to(s, v + step / 2) : s->before[HISTOGRAM_BINS];
    error += v * (v * (b.m0 - a.m0) - 2 * (b.m1 - a.m1));
    a = b;
  }
  return error;
}

/* Tries `steps` values between `from` and `to` for the chosen ends, the others staying. Whether the best improved. */
static bool sweep(range_search *s, bool move_low, bool move_high, double from, double to, int steps) {
  double low = s->low, high = s->high, best = s->error;
  for (int i = 0; i <= steps; i++) {
    double part = from + (to - from) * i / steps;
    if (part <= 0 || part > 1) continue;
    double try_low = move_low ? part : low, try_high = move_high ? part : high;
    double error = error_of(s, (float)(try_low * fmin((double)s->observer->min, 0)),
                            (float)(try_high * fmax((double)s->observer->max, 0)));
    if (error < s->error) {
      s->low = try_low;
      s->high = try_high;
      s->error = error;
    }
  }
  return s->error < best;
}

/* Both ends together, then each alone until neither moves, on a coarse grid and on a fine one around what it found. */
static void search(const rung_observer *observer, float *rmin, float *rmax) {
  enum { COARSE = 100, FINE = 20, ROUNDS = 8 };
  range_search s = {.observer = observer, .low = 1, .high = 1};
  sum_moments(&s);
  s.error = error_of(&s, observer->min, observer->max);
  bool two_sided = observer->min < 0 && observer->max > 0 && !observer->format.symmetric;
  sweep(&s, true, true, 0, 1, COARSE);
  for (int round = 0; two_sided && round < ROUNDS; round++) {
    bool moved = sweep(&s, true, false, 0, 1, COARSE);
    if (!(sweep(&s, false, true, 0, 1, COARSE) || moved)) break;
  }
  double around = 1.0 / COARSE;
  if (!two_sided) sweep(&s, true, true, s.low - around, s.low + around, FINE);
  for (int round = 0; two_sided && round < ROUNDS; round++) {
    bool moved = sweep(&s, true, false, s.low - around, s.low + around, FINE);
    if (!(sweep(&s, false, true, s.high - around, s.high + around, FINE) || moved)) break;
  }
  *rmin = (float)(s.low * (double)observer->min);
  *rmax = (float)(s.high * (double)observer->max);
}

const observer_type mse_observer = {.name = "mse", .update = observer_widen, .search = search};
