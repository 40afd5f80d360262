#include "histogram.h"

#include <math.h>
#include <string.h>

/* 2^-126, the narrowest bins there are, have a reciprocal in f32. */
#define SMALLEST_EXPONENT (-126)
#define LARGEST_EXPONENT  127 /* all of f32 takes bins of 2^118 */

void histogram_reset(histogram *h) {
  memset(h, 0, sizeof *h);
  h->exponent = SMALLEST_EXPONENT;
}

static double grid(float x, int exponent) {
  return floor(ldexp((double)x, -exponent));
}

static void merge(histogram *h, int doublings) {
  int by = doublings < 31 ? doublings : 31; /* bins lie within +-2^11: more changes nothing */
  int32_t first = h->first >> by;
  for (int32_t i = 0; i < HISTOGRAM_BINS; i++) {
    double count = h->count[i];
    h->count[i] = 0;
    h->count[((h->first + i) >> by) - first] += count;
  }
  h->first = first;
  h->exponent += doublings;
}

/* Makes bins for [min, max]: wider ones until everything seen fits, then room below the first. The first bin is always
 * that of the lowest value, so that there is room above. */
static void cover(histogram *h, float min, float max) {
  h->low = fminf(h->low, min);
  h->high = fmaxf(h->high, max);
  int exponent = h->exponent;
  while (grid(h->high, exponent) - grid(h->low, exponent) >= HISTOGRAM_BINS) exponent++;
  if (exponent > h->exponent) merge(h, exponent - h->exponent);
  int32_t lowest = (int32_t)grid(h->low, exponent), by = h->first - lowest;
  memmove(h->count + by, h->count, (size_t)(HISTOGRAM_BINS - by) * sizeof *h->count);
  memset(h->count, 0, (size_t)by * sizeof *h->count);
  h->first = lowest;
}

/* Bins of x, and HISTOGRAM_BINS for zeros. The reciprocal is a power of two, so the product is exact. */
static void find_bins(int32_t *bin, const float *x, int64_t n, float reciprocal, int32_t first) {
  for (int64_t i = 0; i < n; i++) {
    float v = x[i] * reciprocal;
    int32_t whole = (int32_t)v;
    whole -= v < (float)whole; /* floor */
    bin[i] = x[i] == 0 ? HISTOGRAM_BINS : whole - first;
  }
}

/* Neighbours are often equal, and an increment has to wait for the one before it in the same place: four tables. */
void histogram_add(histogram *h, const float *x, int64_t n, float min, float max) {
  enum { TABLES = 4, BLOCK = 256 };
  uint32_t tally[TABLES][HISTOGRAM_BINS + 1] = {0};
  int32_t bin[BLOCK];
  cover(h, min, max);
  float reciprocal = ldexpf(1, -h->exponent);
  for (int64_t begin = 0; begin < n; begin += BLOCK) {
    int64_t count = n - begin < BLOCK ? n - begin : BLOCK;
    find_bins(bin, x + begin, count, reciprocal, h->first);
    for (int64_t i = 0; i < count; i++) tally[i % TABLES][bin[i]]++;
  }
  for (int t = 0; t < TABLES; t++) {
    for (int i = 0; i < HISTOGRAM_BINS; i++) h->count[i] += tally[t][i];
    h->zeros += tally[t][HISTOGRAM_BINS];
  }
}

void histogram_fade(histogram *h, double keep) {
  for (int i = 0; i < HISTOGRAM_BINS; i++) h->count[i] *= keep;
  h->zeros *= keep;
}

bool histogram_is_sound(const histogram *h) {
  if (h->exponent < SMALLEST_EXPONENT || h->exponent > LARGEST_EXPONENT) return false;
  if (!(h->low <= 0 && h->high >= 0 && isfinite(h->low) && isfinite(h->high))) return false;
  if (h->first != grid(h->low, h->exponent) || grid(h->high, h->exponent) - h->first >= HISTOGRAM_BINS) return false;
  for (int i = 0; i < HISTOGRAM_BINS; i++)
    if (!(h->count[i] >= 0 && isfinite(h->count[i]))) return false;
  return h->zeros >= 0 && isfinite(h->zeros);
}
