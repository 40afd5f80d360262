/* The methods by their kinds and names. */
#include "qat.h"

#include <string.h>

#define WEIGHT_METHOD_ENTRY(kind, structure) [kind] = &structure,
static const weight_method *const weight_methods[RUNG_WEIGHTS_COUNT] = {WEIGHT_METHOD_LIST(WEIGHT_METHOD_ENTRY)};
#define ACTIVATION_METHOD_ENTRY(kind, structure) [kind] = &structure,
static const activation_method *const activation_methods[RUNG_ACTIVATIONS_COUNT] = {
    ACTIVATION_METHOD_LIST(ACTIVATION_METHOD_ENTRY)};

const weight_method *weight_method_of(rung_weight_method kind, int bits) {
  const bool binary = bits == 1 && (kind == RUNG_WEIGHTS_MAX || kind == RUNG_WEIGHTS_DOREFA);
  return binary ? &binary_weights : weight_methods[kind];
}

const activation_method *activation_method_of(rung_activation_method kind) {
  return activation_methods[kind];
}

rung_status weight_method_check(rung_weight_method kind, int bits) {
  if ((int)kind < 0 || kind >= RUNG_WEIGHTS_COUNT)
    return rung_fail(RUNG_ERROR_ARGUMENT, "weights %d, expected 0..%d", (int)kind, RUNG_WEIGHTS_COUNT - 1);
  const weight_method *method = weight_methods[kind];
  if (bits >= method->least_bits && bits <= method->most_bits) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "weight_bits %d with weights %s, expected %d..%d", bits, method->name,
                   method->least_bits, method->most_bits);
}

double qat_sum(double lane[QAT_LANES]) {
  for (int half = QAT_LANES / 2; half > 0; half /= 2)
    for (int l = 0; l < half; l++) lane[l] += lane[l + half];
  return lane[0];
}

/* ---- Names ------------------------------------------------------------------------------------------------------ */

const char *rung_weight_method_name(rung_weight_method kind) {
  return (int)kind >= 0 && kind < RUNG_WEIGHTS_COUNT ? weight_methods[kind]->name : "unknown";
}

const char *rung_activation_method_name(rung_activation_method kind) {
  return (int)kind >= 0 && kind < RUNG_ACTIVATIONS_COUNT ? activation_methods[kind]->name : "unknown";
}

static const char *weight_name(int kind) {
  return rung_weight_method_name((rung_weight_method)kind);
}

static const char *activation_name(int kind) {
  return rung_activation_method_name((rung_activation_method)kind);
}

static rung_status parse(const char *what, const char *name, const char *(*name_of)(int), int count, int *kind) {
  char names[128] = "";
  for (int i = 0; i < count; i++) {
    if (strcmp(name, name_of(i)) == 0) {
      *kind = i;
      return RUNG_OK;
    }
    strncat(names, i ? ", " : "", sizeof names - strlen(names) - 1);
    strncat(names, name_of(i), sizeof names - strlen(names) - 1);
  }
  return rung_fail(RUNG_ERROR_ARGUMENT, "%s '%s', expected one of %s", what, name, names);
}

rung_status rung_weight_method_parse(const char *name, rung_weight_method *kind) {
  int found = 0;
  rung_status status = parse("weights", name, weight_name, RUNG_WEIGHTS_COUNT, &found);
  if (status == RUNG_OK) *kind = (rung_weight_method)found;
  return status;
}

rung_status rung_activation_method_parse(const char *name, rung_activation_method *kind) {
  int found = 0;
  rung_status status = parse("activations", name, activation_name, RUNG_ACTIVATIONS_COUNT, &found);
  if (status == RUNG_OK) *kind = (rung_activation_method)found;
  return status;
}
