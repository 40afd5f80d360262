/* Formats and schemes: which integers, for what. */
#include <rung/quant.h>

#include "layer_scheme.h"
#include "observer.h"
#include "qat.h"

#include <float.h>
#include <string.h>

rung_status rung_format_check(const rung_format *format, const char *what) {
  if (format->bits < 1 || format->bits > 8)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s %d, expected 1..8", what, format->bits);
  if (format->symmetric && !format->is_signed)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s %d: symmetric but unsigned, expected signed", what, format->bits);
  if (format->bits == 1 && !format->symmetric)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s 1: binary but not symmetric, expected signed and symmetric", what);
  return RUNG_OK;
}

void rung_format_range(const rung_format *format, int32_t *qmin, int32_t *qmax) {
  if (format->bits == 1) {
    *qmin = -1;
    *qmax = 1;
  } else if (format->is_signed) {
    int32_t half = 1 << (format->bits - 1);
    *qmin = format->symmetric ? 1 - half : -half;
    *qmax = half - 1;
  } else {
    *qmin = 0;
    *qmax = (1 << format->bits) - 1;
  }
}

rung_format rung_scheme_weight_format(const rung_scheme *scheme) {
  const int bits = scheme->weight_bits ? scheme->weight_bits : 8;
  const bool lopsided = scheme->weights == RUNG_WEIGHTS_LSQ && bits > 1 && bits < 8;
  return (rung_format){.bits = bits, .is_signed = true, .symmetric = !lopsided};
}

rung_format rung_scheme_activation_format(const rung_scheme *scheme) {
  if (scheme->activation_bits == 1) return (rung_format){.bits = 1, .is_signed = true, .symmetric = true};
  return (rung_format){.bits = scheme->activation_bits ? scheme->activation_bits : 8,
                       .is_signed = scheme->activation_signed,
                       .symmetric = scheme->activation_symmetric};
}

static rung_status check_storage(const rung_scheme *scheme) {
  const rung_storage storage = {.format = scheme->weight_storage};
  rung_status status = rung_storage_check(&storage, "weight_storage");
  if (status == RUNG_OK && storage.format == RUNG_STORAGE_NF4_DOUBLE)
    return rung_fail(RUNG_ERROR_ARGUMENT, "weight_storage nf4-double: each scale depends on all weights; expected nf4");
  if (status == RUNG_OK && storage.format != RUNG_STORAGE_F32 && scheme->layer_count > 0)
    return rung_fail(RUNG_ERROR_ARGUMENT, "weight_storage %s with bits for %d layers, expected one of the two",
                     rung_storage_name(storage.format), scheme->layer_count);
  return status;
}

static rung_status check_methods(const rung_scheme *scheme) {
  rung_status status = weight_method_check(scheme->weights, scheme->weight_bits ? scheme->weight_bits : 8);
  for (int i = 0; i < scheme->layer_count && status == RUNG_OK; i++)
    if (scheme->layers[i].weight_bits) status = weight_method_check(scheme->weights, scheme->layers[i].weight_bits);
  if (status != RUNG_OK) return status;
  if ((int)scheme->activations < 0 || scheme->activations >= RUNG_ACTIVATIONS_COUNT)
    return rung_fail(RUNG_ERROR_ARGUMENT, "activations %d, expected 0..%d", (int)scheme->activations,
                     RUNG_ACTIVATIONS_COUNT - 1);
  const bool learns = activation_method_of(scheme->activations)->parameter;
  for (int i = -1; i < scheme->layer_count && learns; i++)
    if ((i < 0 ? scheme->activation_bits : scheme->layers[i].activation_bits) == 1)
      return rung_fail(RUNG_ERROR_ARGUMENT, "activation_bits 1 with activations %s, expected 2..8",
                       rung_activation_method_name(scheme->activations));
  if (!(scheme->clip_decay >= 0 && scheme->clip_decay <= FLT_MAX))
    return rung_fail(RUNG_ERROR_ARGUMENT, "clip_decay %g, expected 0 or more", (double)scheme->clip_decay);
  return RUNG_OK;
}

rung_status rung_scheme_check(const rung_scheme *scheme) {
  rung_format weight = rung_scheme_weight_format(scheme), activation = rung_scheme_activation_format(scheme);
  rung_status status = rung_format_check(&weight, "weight_bits");
  if (status != RUNG_OK) return status;
  status = rung_format_check(&activation, "activation_bits");
  if (status != RUNG_OK) return status;
  if (scheme->accumulator_bits != 0 && (scheme->accumulator_bits < 8 || scheme->accumulator_bits > 32))
    return rung_fail(RUNG_ERROR_ARGUMENT, "accumulator_bits %d, expected 8..32", scheme->accumulator_bits);
  if (scheme->input_bits < 0 || scheme->input_bits > 8)
    return rung_fail(RUNG_ERROR_ARGUMENT, "input_bits %d, expected 0..8", scheme->input_bits);
  if ((int)scheme->weight_granularity < RUNG_PER_CHANNEL || scheme->weight_granularity > RUNG_PER_GROUP)
    return rung_fail(RUNG_ERROR_ARGUMENT, "weight_granularity %d, expected per channel (0), tensor (1) or group (2)",
                     (int)scheme->weight_granularity);
  if (scheme->weight_granularity == RUNG_PER_GROUP && (scheme->weight_group < 4 || scheme->weight_group % 4 != 0))
    return rung_fail(RUNG_ERROR_ARGUMENT, "weight_group %lld, expected a positive multiple of 4",
                     (long long)scheme->weight_group);
  if ((int)scheme->ranges < RUNG_RANGES_DELAYED || scheme->ranges > RUNG_RANGES_CURRENT)
    return rung_fail(RUNG_ERROR_ARGUMENT, "ranges %d, expected delayed (0) or current (1)", (int)scheme->ranges);
  if ((int)scheme->backward < 0 || scheme->backward >= RUNG_BACKWARD_COUNT)
    return rung_fail(RUNG_ERROR_ARGUMENT, "backward %d, expected f32 (0), bf16 (1) or int8 (2)", (int)scheme->backward);
  if ((int)scheme->batch_norm < 0 || scheme->batch_norm >= RUNG_BATCH_NORM_MODE_COUNT)
    return rung_fail(RUNG_ERROR_ARGUMENT, "batch_norm %d, expected fold (0) or merge (1)", (int)scheme->batch_norm);
  status = check_storage(scheme);
  if (status == RUNG_OK) status = observer_check_options(&scheme->observer);
  if (status == RUNG_OK) status = layer_schemes_check(scheme);
  return status == RUNG_OK ? check_methods(scheme) : status;
}

static const char *const backward_names[RUNG_BACKWARD_COUNT] = {
    [RUNG_BACKWARD_F32] = "f32", [RUNG_BACKWARD_BF16] = "bf16", [RUNG_BACKWARD_INT8] = "int8"};

const char *rung_backward_name(rung_backward backward) {
  return (int)backward >= 0 && backward < RUNG_BACKWARD_COUNT ? backward_names[backward] : "unknown";
}

rung_status rung_backward_parse(const char *name, rung_backward *backward) {
  for (int i = 0; i < RUNG_BACKWARD_COUNT; i++)
    if (strcmp(name, backward_names[i]) == 0) {
      *backward = (rung_backward)i;
      return RUNG_OK;
    }
  return rung_fail(RUNG_ERROR_ARGUMENT, "backward '%s': expected f32, bf16 or int8", name);
}

static const char *const batch_norm_names[RUNG_BATCH_NORM_MODE_COUNT] = {
    [RUNG_BATCH_NORM_FOLD] = "fold", [RUNG_BATCH_NORM_MERGE] = "merge"};

const char *rung_batch_norm_mode_name(rung_batch_norm_mode mode) {
  return (int)mode >= 0 && mode < RUNG_BATCH_NORM_MODE_COUNT ? batch_norm_names[mode] : "unknown";
}

rung_status rung_batch_norm_mode_parse(const char *name, rung_batch_norm_mode *mode) {
  for (int i = 0; i < RUNG_BATCH_NORM_MODE_COUNT; i++)
    if (strcmp(name, batch_norm_names[i]) == 0) {
      *mode = (rung_batch_norm_mode)i;
      return RUNG_OK;
    }
  return rung_fail(RUNG_ERROR_ARGUMENT, "batch norm '%s': expected fold or merge", name);
}

rung_status rung_scheme_parse_bits(const char *text, rung_scheme *scheme) {
  bool parses = text[0] == 'w' && text[1] >= '1' && text[1] <= '8' && text[2] == 'a' && text[3] >= '1' &&
                text[3] <= '8' && text[4] == '\0';
  if (!parses) return rung_fail(RUNG_ERROR_ARGUMENT, "bits '%s': expected wNaM with N and M in 1..8", text);
  scheme->weight_bits = text[1] - '0';
  scheme->activation_bits = text[3] - '0';
  return RUNG_OK;
}
