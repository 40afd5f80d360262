/* What all observers share: options, refusal of NaN and infinity, the histogram, reset. */
#include "observer.h"

#include <math.h>
#include <string.h>

#define OBSERVER_ENTRY(kind, structure) [kind] = &structure,
static const observer_type *const types[RUNG_OBSERVER_KIND_COUNT] = {OBSERVER_LIST(OBSERVER_ENTRY)};

const char *rung_observer_name(rung_observer_kind kind) {
  if (kind == RUNG_OBSERVER_DEFAULT) return "default";
  return (int)kind > 0 && kind < RUNG_OBSERVER_KIND_COUNT ? types[kind]->name : "unknown";
}

rung_status rung_observer_parse(const char *name, rung_observer_kind *kind) {
  char names[128] = "";
  for (int i = 0; i < RUNG_OBSERVER_KIND_COUNT; i++) {
    const char *candidate = rung_observer_name((rung_observer_kind)i);
    if (strcmp(name, candidate) == 0) {
      *kind = (rung_observer_kind)i;
      return RUNG_OK;
    }
    strncat(names, i ? ", " : "", sizeof names - strlen(names) - 1);
    strncat(names, candidate, sizeof names - strlen(names) - 1);
  }
  return rung_fail(RUNG_ERROR_ARGUMENT, "observer '%s', expected one of %s", name, names);
}

rung_status observer_check_options(const rung_observer_options *options) {
  if ((int)options->kind < 0 || options->kind >= RUNG_OBSERVER_KIND_COUNT)
    return rung_fail(RUNG_ERROR_ARGUMENT, "observer kind %d, expected 0..%d", (int)options->kind,
                     RUNG_OBSERVER_KIND_COUNT - 1);
  if (!(options->momentum >= 0 && options->momentum <= 1))
    return rung_fail(RUNG_ERROR_ARGUMENT, "observer momentum %g, expected 0..1", (double)options->momentum);
  if (options->percentile != 0 && !(options->percentile > 0.5f && options->percentile <= 1))
    return rung_fail(RUNG_ERROR_ARGUMENT, "observer percentile %g, expected more than 0.5 and at most 1",
                     (double)options->percentile);
  return RUNG_OK;
}

rung_observer *rung_observer_new(const rung_observer_options *options, const rung_format *format) {
  const rung_observer_options defaults = {0};
  if (!options) options = &defaults;
  if (rung_format_check(format, "observer bits") != RUNG_OK || observer_check_options(options) != RUNG_OK) return NULL;
  rung_observer *observer = rung_allocate(sizeof *observer);
  if (!observer) return NULL;
  observer->options = *options;
  observer->format = *format;
  if (options->kind == RUNG_OBSERVER_DEFAULT)
    observer->options.kind = format->bits >= 5 || format->bits == 1 ? RUNG_OBSERVER_MOVING_AVERAGE : RUNG_OBSERVER_MSE;
  if (options->momentum == 0) observer->options.momentum = 0.01f;
  if (options->percentile == 0) observer->options.percentile = 0.9999f;
  observer->type = types[observer->options.kind];
  if (observer->type->search) {
    observer->histogram = rung_allocate(sizeof *observer->histogram);
    if (!observer->histogram) {
      rung_observer_free(observer);
      return NULL;
    }
  }
  rung_observer_reset(observer);
  return observer;
}

void rung_observer_free(rung_observer *observer) {
  if (!observer) return;
  rung_release(observer->histogram);
  rung_release(observer);
}

void rung_observer_reset(rung_observer *observer) {
  observer->observed = 0;
  observer->min = observer->max = 0;
  if (observer->histogram) histogram_reset(observer->histogram);
}

void observer_widen(rung_observer *observer, float min, float max) {
  observer->min = observer->observed ? fminf(observer->min, min) : min;
  observer->max = observer->observed ? fmaxf(observer->max, max) : max;
}

rung_status rung_observer_observe(rung_observer *observer, const float *x, int64_t n) {
  if (n < 1) return rung_fail(RUNG_ERROR_ARGUMENT, "observer: %lld values, expected 1 or more", (long long)n);
  float min, max;
  bool has_nan;
  rung_kernels_active()->min_max(x, n, &min, &max, &has_nan);
  if (has_nan || !isfinite(min) || !isfinite(max)) {
    int64_t i = 0;
    while (isfinite(x[i])) i++;
    return rung_fail(RUNG_ERROR_NUMERIC, "observer: value %lld is %s, expected a finite number", (long long)i,
                     isnan(x[i]) ? "nan"
                     : x[i] > 0  ? "inf"
                                 : "-inf");
  }
  observer->type->update(observer, min, max);
  if (observer->histogram) histogram_add(observer->histogram, x, n, min, max);
  observer->observed++;
  return RUNG_OK;
}

bool rung_observer_needs_range_only(const rung_observer *observer) {
  return !observer->histogram;
}

void rung_observer_observe_range(rung_observer *observer, float min, float max) {
  if (observer->histogram || !isfinite(min) || !isfinite(max) || min > max) return;
  observer->type->update(observer, min, max);
  observer->observed++;
}

void rung_observer_fade(rung_observer *observer, float keep) {
  if (observer->histogram) histogram_fade(observer->histogram, (double)keep);
}

rung_status rung_observer_range(const rung_observer *observer, float *rmin, float *rmax) {
  if (observer->observed == 0) return rung_fail(RUNG_ERROR_STATE, "observer: no range before anything was observed");
  *rmin = observer->min;
  *rmax = observer->max;
  if (observer->type->search) observer->type->search(observer, rmin, rmax);
  return RUNG_OK;
}

/* ---- As plain data ---------------------------------------------------------------------------------------------- */

_Static_assert((int)RUNG_HISTOGRAM_BINS == (int)HISTOGRAM_BINS, "the public histogram is the one kept");

void rung_observer_get_state(const rung_observer *observer, rung_observer_state *state) {
  const histogram *h = observer->histogram;
  memset(state, 0, sizeof *state); /* what lies between the fields, too: states can be compared byte by byte */
  state->observed = observer->observed;
  state->min = observer->min;
  state->max = observer->max;
  if (!h) return;
  state->has_histogram = true;
  state->exponent = h->exponent;
  state->first = h->first;
  state->low = h->low;
  state->high = h->high;
  state->zeros = h->zeros;
  memcpy(state->count, h->count, sizeof state->count);
}

static void set_histogram(histogram *h, const rung_observer_state *state) {
  *h = (histogram){.exponent = state->exponent,
                   .first = state->first,
                   .low = state->low,
                   .high = state->high,
                   .zeros = state->zeros};
  memcpy(h->count, state->count, sizeof h->count);
}

rung_status rung_observer_set_state(rung_observer *observer, const rung_observer_state *state) {
  histogram h = {0};
  if (state->has_histogram) set_histogram(&h, state);
  if (!(state->min <= state->max && isfinite(state->min) && isfinite(state->max)))
    return rung_fail(RUNG_ERROR_ARGUMENT, "observer: range [%g, %g], expected finite bounds in ascending order",
                     (double)state->min, (double)state->max);
  if (state->has_histogram != (observer->histogram != NULL) || (state->has_histogram && !histogram_is_sound(&h)))
    return rung_fail(RUNG_ERROR_ARGUMENT, "observer: a histogram that does not fit, or none, for %s",
                     observer->type->name);
  observer->observed = state->observed;
  observer->min = state->min;
  observer->max = state->max;
  if (observer->histogram) *observer->histogram = h;
  return RUNG_OK;
}
