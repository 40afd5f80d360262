/* The quantizer of one activation: off -> calibrate -> train -> frozen. */
#include "qat.h"
#include "qparams.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

/* While weights train, a histogram forgets: an observed batch counts half after 9 more. Its search, dear beside a small
 * step, follows every 2nd; counted, not timed, so that every run does the same. */
#define TRAINING_FADE   0.92f
#define TRAINING_SEARCH 2

rung_quantizer *rung_quantizer_new(const char *name, const rung_format *format, const rung_observer_options *observer) {
  return rung_quantizer_new_with(name, format, observer, RUNG_ACTIVATIONS_OBSERVED, 0);
}

rung_quantizer *rung_quantizer_new_with(const char *name, const rung_format *format,
                                        const rung_observer_options *observer, rung_activation_method method,
                                        float clip_decay) {
  if (rung_format_check(format, "quantizer bits") != RUNG_OK) return NULL;
  rung_quantizer *quantizer = rung_allocate(sizeof *quantizer);
  if (!quantizer) return NULL;
  snprintf(quantizer->name, sizeof quantizer->name, "%s", name);
  quantizer->format = *format;
  quantizer->method = method;
  quantizer->clip_decay = clip_decay > 0 ? clip_decay : 2e-4f;
  rung_format_range(format, &quantizer->qmin, &quantizer->qmax);
  quantizer->observer = rung_observer_new(observer, format);
  if (!quantizer->observer || rung_qparams(format, 0, 0, &quantizer->scale, &quantizer->zero_point) != RUNG_OK) {
    rung_quantizer_free(quantizer);
    return NULL;
  }
  return quantizer;
}

void rung_quantizer_free(rung_quantizer *quantizer) {
  if (!quantizer) return;
  rung_observer_free(quantizer->observer);
  rung_release(quantizer);
}

/* Of a method that makes more, or less, of what was observed than its range. */
static void calibrate(rung_quantizer *quantizer) {
  const activation_method *method = activation_method_of(quantizer->method);
  if (method->observes) return;
  const double mean = quantizer->values > 0 ? quantizer->magnitude / quantizer->values : 0;
  quantizer->scale = method->calibrate(&quantizer->format, mean, quantizer->scale);
  quantizer->zero_point = 0;
}

/* Counts the batch just observed and takes over the range, which a sign has no use for. */
static rung_status follow(rung_quantizer *quantizer) {
  quantizer->observed++;
  if (quantizer->format.bits == 1) {
    if (quantizer->state == RUNG_QUANTIZER_OFF) quantizer->state = RUNG_QUANTIZER_CALIBRATE;
    return RUNG_OK;
  }
  bool training = quantizer->state == RUNG_QUANTIZER_TRAIN;
  if (training && !rung_observer_needs_range_only(quantizer->observer) && quantizer->observed % TRAINING_SEARCH != 0)
    return RUNG_OK;
  float rmin, rmax;
  rung_status status = rung_observer_range(quantizer->observer, &rmin, &rmax);
  if (status == RUNG_OK)
    status = rung_qparams(&quantizer->format, rmin, rmax, &quantizer->scale, &quantizer->zero_point);
  if (status == RUNG_OK) calibrate(quantizer);
  if (status == RUNG_OK && quantizer->state == RUNG_QUANTIZER_OFF) quantizer->state = RUNG_QUANTIZER_CALIBRATE;
  return status;
}

/* Puts the quantizer's name before the message. */
static rung_status blame(const rung_quantizer *quantizer, rung_status status) {
  return status == RUNG_OK ? status : rung_fail(status, "%s: %s", quantizer->name, rung_error());
}

/* Whether it no longer moves with what passes. */
static bool stands(const rung_quantizer *quantizer) {
  const bool training = quantizer->state == RUNG_QUANTIZER_TRAIN;
  return quantizer->state == RUNG_QUANTIZER_FROZEN || (training && !activation_method_of(quantizer->method)->observes);
}

rung_status rung_quantizer_observe(rung_quantizer *quantizer, const float *x, int64_t n) {
  if (stands(quantizer)) return RUNG_OK;
  if (quantizer->state == RUNG_QUANTIZER_TRAIN) rung_observer_fade(quantizer->observer, TRAINING_FADE);
  rung_status status = rung_observer_observe(quantizer->observer, x, n);
  if (status == RUNG_OK && quantizer->method != RUNG_ACTIVATIONS_OBSERVED) {
    quantizer->magnitude += qparams_mean_magnitude(x, n) * (double)n;
    quantizer->values += (double)n;
  }
  return blame(quantizer, status == RUNG_OK ? follow(quantizer) : status);
}

rung_status rung_quantizer_observe_range(rung_quantizer *quantizer, float min, float max) {
  if (stands(quantizer)) return RUNG_OK;
  if (!rung_observer_needs_range_only(quantizer->observer))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: its observer needs the values, a range is not enough", quantizer->name);
  if (!isfinite(min) || !isfinite(max) || min > max)
    return rung_fail(RUNG_ERROR_NUMERIC, "%s: observed range [%g, %g], expected finite bounds in ascending order",
                     quantizer->name, (double)min, (double)max);
  rung_observer_observe_range(quantizer->observer, min, max);
  return blame(quantizer, follow(quantizer));
}

/* Parameters that come from outside: a scale as rung_qparams makes them, a zero point that the format has. */
static rung_status check_parameters(const rung_quantizer *quantizer, float scale, int32_t zero_point) {
  if (!(scale >= FLT_MIN && scale <= FLT_MAX))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: scale %g, expected a positive, normal number", quantizer->name,
                     (double)scale);
  const bool zero = quantizer->format.symmetric || quantizer->method != RUNG_ACTIVATIONS_OBSERVED;
  const int32_t least = zero ? 0 : quantizer->qmin, most = zero ? 0 : quantizer->qmax;
  if (zero_point < least || zero_point > most)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: zero point %d, expected %d..%d", quantizer->name, zero_point, least,
                     most);
  return RUNG_OK;
}

rung_status rung_quantizer_set(rung_quantizer *quantizer, float scale, int32_t zero_point) {
  rung_status status = check_parameters(quantizer, scale, zero_point);
  if (status != RUNG_OK) return status;
  rung_observer_reset(quantizer->observer);
  if (rung_observer_needs_range_only(quantizer->observer))
    rung_observer_observe_range(quantizer->observer, scale * (float)(quantizer->qmin - zero_point),
                                scale * (float)(quantizer->qmax - zero_point));
  quantizer->observed = 1;
  quantizer->scale = scale;
  quantizer->zero_point = zero_point;
  if (quantizer->state == RUNG_QUANTIZER_OFF) quantizer->state = RUNG_QUANTIZER_CALIBRATE;
  return RUNG_OK;
}

rung_status rung_quantizer_restore(rung_quantizer *quantizer, rung_quantizer_state state, float scale,
                                   int32_t zero_point, uint64_t observed) {
  if ((int)state < RUNG_QUANTIZER_OFF || state > RUNG_QUANTIZER_FROZEN)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: quantizer state %d, expected 0..%d", quantizer->name, (int)state,
                     RUNG_QUANTIZER_FROZEN);
  rung_status status = check_parameters(quantizer, scale, zero_point);
  if (status != RUNG_OK) return status;
  quantizer->state = state;
  quantizer->scale = scale;
  quantizer->zero_point = zero_point;
  quantizer->observed = observed;
  return RUNG_OK;
}
