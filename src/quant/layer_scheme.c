#include "layer_scheme.h"

#include <stdio.h>
#include <string.h>

static rung_status check_layer(const rung_scheme *scheme, int index) {
  const rung_layer_scheme *layer = &scheme->layers[index];
  if (!layer->name || layer->name[0] == '\0' || strlen(layer->name) >= RUNG_LAYER_NAME)
    return rung_fail(RUNG_ERROR_ARGUMENT, "layer %d of the scheme: a name of %zu bytes, expected 1..%d", index,
                     layer->name ? strlen(layer->name) : (size_t)0, RUNG_LAYER_NAME - 1);
  if (layer->weight_bits < 0 || layer->weight_bits > 8)
    return rung_fail(RUNG_ERROR_ARGUMENT, "layer '%s': weight_bits %d, expected 1..8", layer->name, layer->weight_bits);
  if (layer->activation_bits < 0 || layer->activation_bits > 8)
    return rung_fail(RUNG_ERROR_ARGUMENT, "layer '%s': activation_bits %d, expected 1..8", layer->name,
                     layer->activation_bits);
  if (layer->weight_bits == 0 && layer->activation_bits == 0)
    return rung_fail(RUNG_ERROR_ARGUMENT, "layer '%s': no bits of its own, expected weight_bits or activation_bits",
                     layer->name);
  for (int i = 0; i < index; i++)
    if (strcmp(scheme->layers[i].name, layer->name) == 0)
      return rung_fail(RUNG_ERROR_ARGUMENT, "layer '%s': it has bits twice, expected once", layer->name);
  return RUNG_OK;
}

rung_status layer_schemes_check(const rung_scheme *scheme) {
  if (scheme->layer_count < 0 || (scheme->layer_count > 0 && !scheme->layers))
    return rung_fail(RUNG_ERROR_ARGUMENT, "layer_count %d, expected as many as there are layers", scheme->layer_count);
  for (int i = 0; i < scheme->layer_count; i++) {
    rung_status status = check_layer(scheme, i);
    if (status != RUNG_OK) return status;
  }
  return RUNG_OK;
}

rung_scheme rung_scheme_of_layer(const rung_scheme *scheme, const char *name) {
  rung_scheme of = *scheme;
  for (int i = 0; i < scheme->layer_count; i++) {
    const rung_layer_scheme *layer = &scheme->layers[i];
    if (strcmp(layer->name, name) != 0) continue;
    if (layer->weight_bits) of.weight_bits = layer->weight_bits;
    if (layer->activation_bits) of.activation_bits = layer->activation_bits;
  }
  return of;
}

const char *rung_layer_name(const rung_node *parameter, char *name, size_t size) {
  static const char suffix[] = ".weight";
  size_t length = strlen(parameter->name), cut = strlen(suffix);
  if (length > cut && strcmp(parameter->name + length - cut, suffix) == 0) length -= cut;
  snprintf(name, size, "%.*s", (int)length, parameter->name);
  return name;
}

/* Names the linear layers, in order, as far as they fit. Whether `wanted` is among them. */
static bool find_layer(const rung_graph *graph, const char *wanted, char *names, size_t size) {
  char name[RUNG_LAYER_NAME];
  names[0] = '\0';
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (node->op != &rung_op_linear) continue;
    if (strcmp(rung_layer_name(node->input[1], name, sizeof name), wanted) == 0) return true;
    const size_t used = strlen(names);
    snprintf(names + used, size - used, "%s%s", used ? ", " : "", name);
  }
  return false;
}

rung_status rung_scheme_check_names(const rung_scheme *scheme, const rung_graph *graph) {
  char names[256];
  for (int i = 0; i < scheme->layer_count; i++)
    if (!find_layer(graph, scheme->layers[i].name, names, sizeof names))
      return rung_fail(RUNG_ERROR_ARGUMENT, "layer '%s': expected one of %s", scheme->layers[i].name, names);
  return RUNG_OK;
}

rung_layer_scheme *rung_scheme_copy_layers(const rung_scheme *scheme) {
  const size_t count = (size_t)scheme->layer_count;
  if (count == 0) return NULL;
  rung_layer_scheme *copy = rung_allocate(count * (sizeof *copy + RUNG_LAYER_NAME));
  if (!copy) return NULL;
  char *names = (char *)(copy + count);
  for (size_t i = 0; i < count; i++) {
    copy[i] = scheme->layers[i];
    copy[i].name = names + i * RUNG_LAYER_NAME;
    snprintf(names + i * RUNG_LAYER_NAME, RUNG_LAYER_NAME, "%s", scheme->layers[i].name);
  }
  return copy;
}

/* One digit behind `letter`, if that is there. */
static const char *read_bits(const char *text, char letter, char least, int *bits) {
  if (text[0] != letter || text[1] < least || text[1] > '8') return text;
  *bits = text[1] - '0';
  return text + 2;
}

rung_status rung_layer_scheme_parse(const char *text, rung_layer_scheme *layer, char name[RUNG_LAYER_NAME]) {
  const char *equals = strrchr(text, '=');
  const size_t length = equals ? (size_t)(equals - text) : 0;
  rung_layer_scheme parsed = {.name = name};
  const char *end = equals ? equals + 1 : text;
  if (equals) end = read_bits(read_bits(end, 'w', '1', &parsed.weight_bits), 'a', '1', &parsed.activation_bits);
  if (length == 0 || length >= RUNG_LAYER_NAME || *end != '\0' || (!parsed.weight_bits && !parsed.activation_bits))
    return rung_fail(RUNG_ERROR_ARGUMENT, "layer '%s': expected NAME=wNaM, NAME=wN or NAME=aM with N and M in 1..8",
                     text);
  memcpy(name, text, length);
  name[length] = '\0';
  *layer = parsed;
  return RUNG_OK;
}

const char *rung_layer_scheme_format(const rung_layer_scheme *layer, char text[RUNG_LAYER_TEXT]) {
  char weight[4] = "", activation[4] = "";
  if (layer->weight_bits) snprintf(weight, sizeof weight, "w%d", layer->weight_bits & 15);
  if (layer->activation_bits) snprintf(activation, sizeof activation, "a%d", layer->activation_bits & 15);
  snprintf(text, RUNG_LAYER_TEXT, "%s=%s%s", layer->name, weight, activation);
  return text;
}
