#include "fields.h"

#include "../number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- Names of values -------------------------------------------------------------------------------------------- */

static const char *of_list(const char *const *names, int count, int value) {
  return value >= 0 && value < count ? names[value] : "unknown";
}

#define NAMES(function, ...)                                                                                           \
  static const char *function(int value) {                                                                             \
    static const char *const names[] = {__VA_ARGS__};                                                                  \
    return of_list(names, (int)(sizeof names / sizeof names[0]), value);                                               \
  }

NAMES(form_name, "float", "integer", "simulated")
NAMES(granularity_name, "per-channel", "per-tensor", "per-group")
NAMES(ranges_name, "delayed", "current")
NAMES(schedule_name, "cosine", "constant", "step")

static const char *observer_name(int kind) {
  return rung_observer_name((rung_observer_kind)kind);
}
static const char *backward_name(int backward) {
  return rung_backward_name((rung_backward)backward);
}
static const char *weights_name(int method) {
  return rung_weight_method_name((rung_weight_method)method);
}
static const char *activations_name(int method) {
  return rung_activation_method_name((rung_activation_method)method);
}
static const char *batch_norm_mode_name(int mode) {
  return rung_batch_norm_mode_name((rung_batch_norm_mode)mode);
}
static const char *storage_name(int format) {
  return rung_storage_name((rung_storage_format)format);
}
static const char *optimizer_name(int kind) {
  return rung_optimizer_name((rung_optimizer_kind)kind);
}
static const char *prune_method_name(int method) {
  return rung_prune_method_name((rung_prune_method)method);
}
static const char *dtype_name(int type) {
  return rung_dtype_name((rung_dtype)type);
}

/* ---- The tables ------------------------------------------------------------------------------------------------- */

#define NAMED(name, structure, member, function, values)                                                               \
  { name, FIELD_NAME, offsetof(structure, member), function, values, false }
#define FIELD(name, kind, structure, member)                                                                           \
  { name, kind, offsetof(structure, member), NULL, 0, false }
/* Not in files of the first version. */
#define LATER_NAMED(name, structure, member, function, values)                                                         \
  { name, FIELD_NAME, offsetof(structure, member), function, values, true }
#define LATER(name, kind, structure, member)                                                                           \
  { name, kind, offsetof(structure, member), NULL, 0, true }

const text_field model_table[] = {FIELD("batch", FIELD_I64, model_fields, batch),
                                  FIELD("seed", FIELD_U64, model_fields, seed),
                                  FIELD("epochs", FIELD_U64, model_fields, epochs),
                                  FIELD("steps.float", FIELD_U64, model_fields, float_steps),
                                  FIELD("steps.integer", FIELD_U64, model_fields, integer_steps),
                                  FIELD("steps.simulated", FIELD_U64, model_fields, simulated_steps),
                                  NAMED("form", model_fields, form, form_name, 3),
                                  FIELD("has_scheme", FIELD_BOOL, model_fields, has_scheme),
                                  FIELD("calibrated", FIELD_BOOL, model_fields, calibrated),
                                  {0}};

const text_field scheme_table[] = {
    FIELD("weight_bits", FIELD_INT, rung_scheme, weight_bits),
    FIELD("activation_bits", FIELD_INT, rung_scheme, activation_bits),
    NAMED("weight_granularity", rung_scheme, weight_granularity, granularity_name, 3),
    FIELD("weight_group", FIELD_I64, rung_scheme, weight_group),
    FIELD("activation_signed", FIELD_BOOL, rung_scheme, activation_signed),
    FIELD("activation_symmetric", FIELD_BOOL, rung_scheme, activation_symmetric),
    NAMED("observer", rung_scheme, observer.kind, observer_name, RUNG_OBSERVER_KIND_COUNT),
    FIELD("observer_momentum", FIELD_F32, rung_scheme, observer.momentum),
    FIELD("observer_percentile", FIELD_F32, rung_scheme, observer.percentile),
    NAMED("ranges", rung_scheme, ranges, ranges_name, 2),
    NAMED("backward", rung_scheme, backward, backward_name, RUNG_BACKWARD_COUNT),
    LATER_NAMED("weights", rung_scheme, weights, weights_name, RUNG_WEIGHTS_COUNT),
    LATER_NAMED("activations", rung_scheme, activations, activations_name, RUNG_ACTIVATIONS_COUNT),
    LATER("clip_decay", FIELD_F32, rung_scheme, clip_decay),
    LATER_NAMED("batch_norm", rung_scheme, batch_norm, batch_norm_mode_name, RUNG_BATCH_NORM_MODE_COUNT),
    LATER("input_bits", FIELD_INT, rung_scheme, input_bits),
    LATER("accumulator_bits", FIELD_INT, rung_scheme, accumulator_bits),
    LATER_NAMED("weight_storage", rung_scheme, weight_storage, storage_name, RUNG_STORAGE_FORMAT_COUNT),
    {0}};

const text_field input_table[] = {NAMED("type", rung_tensor, type, dtype_name, RUNG_DTYPE_COUNT),
                                  FIELD("scale", FIELD_F32, rung_tensor, scale),
                                  FIELD("zero_point", FIELD_INT, rung_tensor, zero_point),
                                  {0}};

const text_field fit_table[] = {
    FIELD("epochs", FIELD_INT, rung_fit_options, epochs),
    FIELD("rate", FIELD_F32, rung_fit_options, rate),
    NAMED("optimizer", rung_fit_options, optimizer, optimizer_name, RUNG_OPTIMIZER_KIND_COUNT),
    FIELD("momentum", FIELD_F32, rung_fit_options, momentum),
    FIELD("nesterov", FIELD_BOOL, rung_fit_options, nesterov),
    FIELD("beta2", FIELD_F32, rung_fit_options, beta2),
    FIELD("epsilon", FIELD_F32, rung_fit_options, epsilon),
    FIELD("weight_decay", FIELD_F32, rung_fit_options, weight_decay),
    FIELD("clip_norm", FIELD_F32, rung_fit_options, clip_norm),
    NAMED("schedule", rung_fit_options, schedule.kind, schedule_name, RUNG_SCHEDULE_KIND_COUNT),
    FIELD("schedule_warm_up", FIELD_I64, rung_fit_options, schedule.warm_up),
    FIELD("schedule_period", FIELD_I64, rung_fit_options, schedule.period),
    FIELD("schedule_factor", FIELD_F32, rung_fit_options, schedule.factor),
    FIELD("no_shuffle", FIELD_BOOL, rung_fit_options, no_shuffle),
    LATER_NAMED("prune_method", rung_fit_options, prune.to.method, prune_method_name, RUNG_PRUNE_METHOD_COUNT),
    LATER("prune_sparsity", FIELD_F32, rung_fit_options, prune.to.sparsity),
    LATER("prune_n", FIELD_INT, rung_fit_options, prune.to.n),
    LATER("prune_m", FIELD_INT, rung_fit_options, prune.to.m),
    LATER("prune_initial", FIELD_F32, rung_fit_options, prune.initial),
    LATER("prune_begin", FIELD_I64, rung_fit_options, prune.begin),
    LATER("prune_steps", FIELD_I64, rung_fit_options, prune.steps),
    LATER("prune_every", FIELD_I64, rung_fit_options, prune.every),
    LATER("temperature", FIELD_F32, rung_fit_options, temperature),
    LATER("alpha", FIELD_F32, rung_fit_options, alpha),
    LATER("oscillation_watch", FIELD_BOOL, rung_fit_options, oscillation.watch),
    LATER("oscillation_damping", FIELD_F32, rung_fit_options, oscillation.damping),
    LATER("oscillation_freeze", FIELD_F32, rung_fit_options, oscillation.freeze),
    LATER("oscillation_momentum", FIELD_F32, rung_fit_options, oscillation.momentum),
    {0}};

const text_field place_table[] = {FIELD("examples", FIELD_I64, place_fields, examples),
                                  FIELD("epoch", FIELD_INT, place_fields, epoch),
                                  FIELD("step", FIELD_I64, place_fields, step),
                                  FIELD("loss_bits", FIELD_U64, place_fields, loss_bits),
                                  FIELD("correct", FIELD_I64, place_fields, correct),
                                  LATER("teacher", FIELD_U64, place_fields, teacher),
                                  {0}};

/* ---- Text ------------------------------------------------------------------------------------------------------- */

_Static_assert(sizeof(rung_form) == sizeof(int) && sizeof(rung_dtype) == sizeof(int), "an enum is read as an int");

const char *field_format(const text_field *field, const void *object, char text[FIELD_TEXT]) {
  const void *member = (const char *)object + field->offset;
  int integer = 0;
  if (field->kind == FIELD_INT || field->kind == FIELD_NAME) memcpy(&integer, member, sizeof integer);
  switch (field->kind) {
  case FIELD_INT: snprintf(text, FIELD_TEXT, "%d", integer); break;
  case FIELD_NAME: snprintf(text, FIELD_TEXT, "%s", field->value_name(integer)); break;
  case FIELD_I64: snprintf(text, FIELD_TEXT, "%" PRId64, *(const int64_t *)member); break;
  case FIELD_U64: snprintf(text, FIELD_TEXT, "%" PRIu64, *(const uint64_t *)member); break;
  case FIELD_F32: number_format(*(const float *)member, text); break;
  case FIELD_BOOL: snprintf(text, FIELD_TEXT, "%s", *(const bool *)member ? "yes" : "no"); break;
  }
  return text;
}

/* Digits alone, below 2^64. */
static bool parse_unsigned(const char *text, uint64_t *value) {
  *value = 0;
  for (const char *c = text; *c != '\0'; c++)
    if (*c < '0' || *c > '9' || __builtin_mul_overflow(*value, UINT64_C(10), value) ||
        __builtin_add_overflow(*value, (uint64_t)(*c - '0'), value))
      return false;
  return *text != '\0';
}

static bool parse_signed(const char *text, int64_t least, int64_t most, int64_t *value) {
  const bool negative = *text == '-';
  uint64_t magnitude;
  if (!parse_unsigned(text + negative, &magnitude) || magnitude > INT64_MAX) return false;
  *value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
  return *value >= least && *value <= most;
}

static bool parse_name(const text_field *field, const char *text, int *value) {
  for (*value = 0; *value < field->count; ++*value)
    if (strcmp(text, field->value_name(*value)) == 0) return true;
  return false;
}

bool field_parse(const text_field *field, const char *text, void *object) {
  void *member = (char *)object + field->offset;
  int64_t wide;
  int integer = 0;
  bool good = false, integral = field->kind == FIELD_INT || field->kind == FIELD_NAME;
  if (field->kind == FIELD_INT) {
    good = parse_signed(text, INT32_MIN, INT32_MAX, &wide);
    integer = good ? (int)wide : 0;
  }
  if (field->kind == FIELD_NAME) good = parse_name(field, text, &integer);
  if (field->kind == FIELD_I64) good = parse_signed(text, INT64_MIN, INT64_MAX, member);
  if (field->kind == FIELD_U64) good = parse_unsigned(text, member);
  if (field->kind == FIELD_F32) good = number_parse(text, member);
  if (field->kind == FIELD_BOOL) good = (*(bool *)member = strcmp(text, "yes") == 0) || strcmp(text, "no") == 0;
  if (good && integral) memcpy(member, &integer, sizeof integer);
  return good;
}
