/* min += momentum (batch's min - min), max likewise; the first batch's at first. */
#include "observer.h"

static void follow(rung_observer *observer, float min, float max) {
  float momentum = observer->observed ? observer->options.momentum : 1;
  observer->min += momentum * (min - observer->min);
  observer->max += momentum * (max - observer->max);
}

const observer_type moving_average_observer = {.name = "moving-average", .update = follow};
