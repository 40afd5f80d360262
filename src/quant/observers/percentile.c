/* Cuts the share 1 - percentile of all values off the negative side and off the positive side, where a side has any:
 * after a ReLU only the top is cut. */
#include "observer.h"

#include <math.h>

/* Where the cumulated count reaches `mass`: linear within a bin; the zeros come all at once, at 0. */
static float quantile(const histogram *h, double mass) {
  double below = 0;
  for (int32_t i = 0; i < HISTOGRAM_BINS; i++) {
    if (h->first + i == 0) {
      below += h->zeros;
      if (below >= mass) return 0;
    }
    if (h->count[i] > 0 && below + h->count[i] >= mass)
      return (float)ldexp(h->first + i + (mass - below) / h->count[i], h->exponent);
    below += h->count[i];
  }
  return h->high;
}

static float within(float x, const rung_observer *observer) {
  return fminf(fmaxf(x, observer->min), observer->max);
}

static void search(const rung_observer *observer, float *rmin, float *rmax) {
  const histogram *h = observer->histogram;
  double total = h->zeros, keep = (double)observer->options.percentile;
  for (int i = 0; i < HISTOGRAM_BINS; i++) total += h->count[i];
  if (observer->min < 0) *rmin = within(quantile(h, (1 - keep) * total), observer);
  if (observer->max > 0) *rmax = within(quantile(h, keep * total), observer);
}

const observer_type percentile_observer = {.name = "percentile", .update = observer_widen, .search = search};
