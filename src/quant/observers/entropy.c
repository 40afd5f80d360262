/* The range that loses the least information: Migacz, "8-bit inference with TensorRT" (GTC 2017), for 2^bits levels.
 *
 * For a threshold T the reference P is the histogram cut to [-T, T], its outliers added to the end bins, and Q is the
 * cut histogram merged into 2^bits levels, each spread evenly over those of its bins where P has anything. T minimizes
 *
 *   KL(P || Q) = sum_i p_i log(p_i / q_i),   p_i = c_i / n,   q_i = (s_l / k_l) / n_inside  for bin i of level l,
 *
 * c_i counting outliers, s_l not, and k_l being the number of bins. q is constant within a level, so with prefix sums
 * of c, of c log c and of the bins in use a candidate costs as many steps as there are levels:
 *
 *   n KL = sum_i c_i log c_i - sum_l C_l log(s_l / k_l) + n log(n_inside / n),   C_l = the sum of c over level l.
 *
 * A format that is not symmetric needs only the part of [-T, T] where values are. Zeros take no part (histogram.h). */
#include "observer.h"

#include <math.h>

typedef struct prefix {
  double count, count_log;
  int32_t used;
} prefix;

typedef struct window {
  int32_t begin, end; /* bins, counted from 0 and possibly beyond the histogram's */
} window;

/* log by IEEE operations alone, as libm's last bit differs between versions: with x = m 2^e, m in [1/sqrt 2, sqrt 2),
 * log m = 2 artanh(s), s = (m - 1) / (m + 1), |s| < 0.172: the terms left out are below 2^-53. */
static double natural_log(double x) {
  int exponent;
  double m = frexp(x, &exponent);
  if (m < 0.70710678118654752) {
    m *= 2;
    exponent--;
  }
  double s = (m - 1) / (m + 1), square = s * s, sum = 0;
  for (int k = 19; k > 0; k -= 2) sum = sum * square + 1.0 / k;
  return 2 * s * sum + exponent * 0.69314718055994531;
}

static double times_log(double x) {
  return x > 0 ? x * natural_log(x) : 0;
}

static void sum_prefixes(const histogram *h, prefix *before) {
  before[0] = (prefix){0};
  for (int i = 0; i < HISTOGRAM_BINS; i++) {
    double c = h->count[i];
    prefix p = before[i];
    before[i + 1] = (prefix){p.count + c, p.count_log + times_log(c), p.used + (c > 0)};
  }
}

static const prefix *up_to(const prefix *before, int32_t bin) {
  return before + (bin < 0 ? 0 : bin > HISTOGRAM_BINS ? HISTOGRAM_BINS : bin);
}

/* What outliers change when they join bin `at`, which counts `own` values. */
static double outliers_gain(double own, double outliers) {
  return times_log(own + outliers) - times_log(own);
}

/* n KL for the values within w. */
static double divergence(const prefix *before, window w, int32_t levels) {
  const prefix *begin = up_to(before, w.begin), *end = up_to(before, w.end);
  double n = before[HISTOGRAM_BINS].count, inside = end->count - begin->count;
  double below = begin->count, above = n - end->count;
  double own_first = up_to(before, w.begin + 1)->count - begin->count;
  double own_last = end->count - up_to(before, w.end - 1)->count;
  if (inside <= 0) return INFINITY;
  double sum = end->count_log - begin->count_log + outliers_gain(own_first, below) + outliers_gain(own_last, above);
  for (int32_t l = 0; l < levels; l++) {
    int64_t bins = w.end - w.begin;
    const prefix *a = up_to(before, w.begin + (int32_t)(bins * l / levels));
    const prefix *b = up_to(before, w.begin + (int32_t)(bins * (l + 1) / levels));
    double outliers = (l == 0 ? below : 0) + (l == levels - 1 ? above : 0), s = b->count - a->count;
    int32_t used =
        b->used - a->used + (l == 0 && below > 0 && own_first <= 0) + (l == levels - 1 && above > 0 && own_last <= 0);
    if (s + outliers <= 0) continue;
    if (s <= 0) return INFINITY;
    sum -= (s + outliers) * natural_log(s / used);
  }
  return sum + n * natural_log(inside / n);
}

static void search(const rung_observer *observer, float *rmin, float *rmax) {
  enum { CANDIDATES = 128 };
  const histogram *h = observer->histogram;
  prefix before[HISTOGRAM_BINS + 1];
  sum_prefixes(h, before);
  int32_t lowest = (int32_t)floor(ldexp((double)h->low, -h->exponent));
  int32_t beyond = (int32_t)floor(ldexp((double)h->high, -h->exponent)) + 1;
  int32_t widest = -lowest > beyond ? -lowest : beyond, best = widest, levels = 1 << observer->format.bits;
  double least = INFINITY;
  for (int k = CANDIDATES; k > 0; k--) {
    int32_t threshold = (int32_t)((int64_t)widest * k / CANDIDATES);
    window w = {-threshold, threshold};
    if (!observer->format.symmetric)
      w = (window){lowest > -threshold ? lowest : -threshold, beyond < threshold ? beyond : threshold};
    w.begin -= h->first;
    w.end -= h->first;
    if (w.end - w.begin < levels) break;
    double kl = divergence(before, w, levels);
    if (kl < least) {
      least = kl;
      best = threshold;
    }
  }
  float limit = ldexpf((float)best, h->exponent);
  *rmin = fmaxf(*rmin, -limit);
  *rmax = fminf(*rmax, limit);
}

const observer_type entropy_observer = {.name = "entropy", .update = observer_widen, .search = search};
