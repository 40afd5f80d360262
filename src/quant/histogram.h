/* A histogram whose range grows with what it is given.
 *
 * Bins are 2^exponent wide and lie on multiples of that: bin i counts the values in [first + i, first + i + 1) times
 * 2^exponent. When the range outgrows them the width doubles and pairs merge, which moves no value to another side of
 * an edge. The bins always span 0, as every quantization range does. Exact zeros are counted apart: every range
 * represents them without error, and after a ReLU they are half of the values. */
#ifndef RUNG_HISTOGRAM_H
#define RUNG_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

enum { HISTOGRAM_BINS = 2048 };

typedef struct histogram {
  int exponent;
  int32_t first;   /* where `low` lies */
  float low, high; /* the values seen, and 0 */
  double zeros;
  double count[HISTOGRAM_BINS]; /* not integers once they fade */
} histogram;

void histogram_reset(histogram *h);
/* x [n] is finite; min and max are its smallest and largest. */
void histogram_add(histogram *h, const float *x, int64_t n, float min, float max);
void histogram_fade(histogram *h, double keep);
/* Whether the bins lie where the functions above put them, and count something: for one that comes from a file. */
bool histogram_is_sound(const histogram *h);

#endif
