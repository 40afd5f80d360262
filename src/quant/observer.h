/* What an observer is from the inside: one observer_type, in observers/NAME.c, and its row in observer_list.h. */
#ifndef RUNG_OBSERVER_H
#define RUNG_OBSERVER_H

#include <rung/quant.h>

#include "histogram.h"
#include "observer_list.h"

typedef struct observer_type {
  const char *name;
  /* Moves observer->min and ->max by a batch's range. `observed` is the number of batches before. */
  void (*update)(rung_observer *observer, float min, float max);
  /* The range that the histogram of all values calls for. NULL: min and max are the range, and no histogram is kept. */
  void (*search)(const rung_observer *observer, float *rmin, float *rmax);
} observer_type;

struct rung_observer {
  const observer_type *type;
  rung_observer_options options; /* the defaults filled in */
  rung_format format;
  uint64_t observed; /* batches */
  float min, max;    /* valid once observed > 0 */
  histogram *histogram;
};

#define OBSERVER_DECLARE(kind, structure) extern const observer_type structure;
OBSERVER_LIST(OBSERVER_DECLARE)

rung_status observer_check_options(const rung_observer_options *options);
/* The `update` of those that keep the smallest and the largest value. */
void observer_widen(rung_observer *observer, float min, float max);

#endif
