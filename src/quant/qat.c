/* The methods by their kinds and names. */
#include "qat.h"

#include <string.h>

#define WEIGHT_METHOD_ENTRY(kind, structure) [kind] = &structure,
static const weight_method *const weight_methods[RUNG_WEIGHTS_COUNT] = {WEIGHT_METHOD_LIST(WEIGHT_METHOD_ENTRY)};

const weight_method *weight_method_of(rung_weight_method kind) {
  return weight_methods[kind];
}

const char *rung_weight_method_name(rung_weight_method kind) {
  return (int)kind >= 0 && kind < RUNG_WEIGHTS_COUNT ? weight_methods[kind]->name : "unknown";
}

rung_status rung_weight_method_parse(const char *name, rung_weight_method *kind) {
  char names[128] = "";
  for (int i = 0; i < RUNG_WEIGHTS_COUNT; i++) {
    if (strcmp(name, weight_methods[i]->name) == 0) {
      *kind = (rung_weight_method)i;
      return RUNG_OK;
    }
    strncat(names, i ? ", " : "", sizeof names - strlen(names) - 1);
    strncat(names, weight_methods[i]->name, sizeof names - strlen(names) - 1);
  }
  return rung_fail(RUNG_ERROR_ARGUMENT, "weights '%s', expected one of %s", name, names);
}
