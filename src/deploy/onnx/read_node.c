/* What the kinds of node share: names, inputs, attributes, outputs, parameters. */
#include "import.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Numbers that any file may ask for; and so many more a byte of it: weights of 2 bits are 4, and a layer of them with
 * one input holds, with all that may stand behind it, a few times that. */
#define NUMBERS_BASE  ((int64_t)1 << 20)
#define NUMBERS_TIMES 32

/* ---- Refusing ---------------------------------------------------------------------------------------------------- */

static const char *node_name(const import_node *node) {
  const Onnx__NodeProto *proto = node->proto;
  const char *name = import_text(proto->name);
  return *name || proto->n_output == 0 ? name : proto->output[0];
}

static rung_status fail_node(const import_node *node, rung_status status, const char *why) {
  return rung_fail(status, "%s: node '%.120s' (%.40s): %s", node->in->path, node_name(node),
                   import_text(node->proto->op_type), why);
}

rung_status import_refuse(const import_node *node, const char *format, ...) {
  char why[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(why, sizeof why, format, arguments);
  va_end(arguments);
  return fail_node(node, RUNG_ERROR_UNSUPPORTED, why);
}

rung_status import_blame(const import_node *node, rung_status status) {
  const char *path = node->in->path;
  bool told = strncmp(rung_error(), path, strlen(path)) == 0; /* by a refusal on the way */
  return status == RUNG_OK || told ? status : fail_node(node, status, rung_error());
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

import_value *import_find(const import *in, const char *name) {
  for (int i = 0; i < in->count; i++)
    if (strcmp(in->value[i].name, name) == 0) return &in->value[i];
  return NULL;
}

int import_readers(const import *in, const char *name) {
  int readers = 0;
  for (size_t i = 0; i < in->graph->n_node; i++)
    for (size_t k = 0; k < in->graph->node[i]->n_input; k++) readers += strcmp(in->graph->node[i]->input[k], name) == 0;
  for (size_t i = 0; i < in->graph->n_output; i++)
    readers += strcmp(import_text(in->graph->output[i]->name), name) == 0;
  return readers;
}

import_value *import_define(import *in, const char *name) {
  if (*name == '\0' || in->count == in->capacity) {
    rung_fail(RUNG_ERROR_FORMAT, "%s: a value without a name", in->path);
    return NULL;
  }
  if (import_find(in, name)) {
    rung_fail(RUNG_ERROR_FORMAT, "%s: two values are named '%.120s'", in->path, name);
    return NULL;
  }
  import_value *value = &in->value[in->count++];
  *value = (import_value){.name = name};
  return value;
}

/* ---- Inputs ------------------------------------------------------------------------------------------------------ */

bool import_has_input(const import_node *node, int index) {
  return index < node->inputs && node->input[index];
}

/* Why a computed value cannot be read as it is; NULL where it can. */
static const char *not_plain(const import_value *value) {
  if (value->grid.type && !value->dequantized) return "is integers; expected a DequantizeLinear between";
  if (value->stage != STAGE_NONE) return "is part of a GELU that is not whole; Erf, Div and Mul are read only as such";
  if (value->probabilities) return "is probabilities; a softmax is read only at the end, as part of the loss";
  return NULL;
}

rung_node *import_input(import_node *node, int index) {
  if (!import_has_input(node, index)) {
    import_refuse(node, "input %d is missing", index);
    return NULL;
  }
  import_value *value = node->input[index];
  if (import_linear_record(node, value) != RUNG_OK) return NULL;
  const char *why = value->node ? not_plain(value) : "is a constant; expected what the network computes";
  if (!why) return value->node;
  import_refuse(node, "input '%.80s' %s", value->name, why);
  return NULL;
}

const import_tensor *import_known(import_node *node, int index, bool real) {
  if (!import_has_input(node, index)) {
    import_refuse(node, "input %d is missing", index);
    return NULL;
  }
  const import_value *value = node->input[index];
  bool fits = real ? import_is_real(&value->tensor) : import_is_integer(&value->tensor);
  if (fits && !value->grid.type) return &value->tensor;
  import_refuse(node, "input '%.80s' is not known beforehand, expected a constant of %s", value->name,
                real ? "real numbers" : "integers");
  return NULL;
}

/* ---- Attributes -------------------------------------------------------------------------------------------------- */

const Onnx__AttributeProto *import_attribute(import_node *node, const char *name) {
  for (size_t i = 0; i < node->proto->n_attribute; i++)
    if (strcmp(import_text(node->proto->attribute[i]->name), name) == 0) {
      node->seen |= UINT32_C(1) << i;
      return node->proto->attribute[i];
    }
  return NULL;
}

int64_t import_attribute_int(import_node *node, const char *name, int64_t otherwise) {
  const Onnx__AttributeProto *attribute = import_attribute(node, name);
  if (attribute && !attribute->has_i) node->wrong = "an integer";
  return attribute ? attribute->i : otherwise;
}

float import_attribute_float(import_node *node, const char *name, float otherwise) {
  const Onnx__AttributeProto *attribute = import_attribute(node, name);
  if (attribute && !attribute->has_f) node->wrong = "a real number";
  return attribute ? attribute->f : otherwise;
}

rung_status import_check_attributes(const import_node *node) {
  if (node->wrong) return import_refuse(node, "one of its attributes is not %s", node->wrong);
  for (size_t i = 0; i < node->proto->n_attribute; i++)
    if (!(node->seen >> i & 1))
      return import_refuse(node, "attribute '%.80s' is not known", import_text(node->proto->attribute[i]->name));
  return RUNG_OK;
}

/* ---- Outputs ----------------------------------------------------------------------------------------------------- */

static import_value *define_output(import_node *node) {
  if (node->proto->n_output == 0) {
    import_refuse(node, "it has no output");
    return NULL;
  }
  return import_define(node->in, node->proto->output[0]);
}

rung_status import_output_node(import_node *node, rung_node *computed) {
  if (!computed) return import_blame(node, rung_error_status());
  import_value *value = define_output(node);
  if (!value) return rung_error_status();
  value->node = computed;
  return import_blame(node,
                      import_count(node->in, rung_tensor_count(&computed->value) / rung_graph_batch(computed->graph)));
}

rung_status import_output_tensor(import_node *node, const Onnx__TensorProto *proto) {
  if (!proto) return RUNG_ERROR_MEMORY;
  import_tensor tensor;
  rung_status status = import_tensor_view(node->in, proto, &tensor);
  if (status != RUNG_OK) return status;
  import_value *value = define_output(node);
  if (!value) return rung_error_status();
  value->tensor = tensor;
  return RUNG_OK;
}

rung_status import_output_value(import_node *node, const import_value *value) {
  import_value *output = define_output(node);
  if (!output) return rung_error_status();
  const char *name = output->name;
  *output = *value;
  output->name = name;
  return RUNG_OK;
}

/* ---- Parameters -------------------------------------------------------------------------------------------------- */

rung_status import_count(import *in, int64_t count) {
  const int64_t most = NUMBERS_BASE + NUMBERS_TIMES * (int64_t)in->bytes;
  if (count > most - in->numbers)
    return rung_fail(RUNG_ERROR_UNSUPPORTED,
                     "%lld numbers more than the %lld so far, of at most %lld for a file of its size", (long long)count,
                     (long long)in->numbers, (long long)most);
  in->numbers += count;
  return RUNG_OK;
}

static const char *join(import *in, const char *layer, const char *part) {
  size_t size = strlen(layer) + strlen(part) + sizeof ".";
  char *name = rung_arena_allocate(in->arena, size);
  if (name) snprintf(name, size, "%s.%s", layer, part);
  return name;
}

/* Whether the model has a parameter of the layer. */
static bool is_taken(import *in, const char *layer, const char *part) {
  const char *name = join(in, layer, part);
  return name && rung_graph_find(rung_model_graph(in->model), name);
}

/* NULL: no memory. */
static const char *free_layer(import *in, const char *layer) {
  const size_t size = strlen(layer) + 16;
  const char *name = layer;
  while (name && (is_taken(in, name, "weight") || is_taken(in, name, "bias"))) {
    char *other = rung_arena_allocate(in->arena, size);
    if (other) snprintf(other, size, "%s_%d", layer, ++in->layers);
    name = other;
  }
  return name;
}

const char *import_name(import *in, const char *text, size_t length) {
  char *name = rung_arena_array(in->arena, length + 1, 1);
  for (size_t i = 0; name && i < length; i++) {
    bool held = text[i] > ' ' && text[i] < 0x7f && text[i] != ',' && text[i] != ';';
    name[i] = text[i];
    if (!held) name[i] = '_';
  }
  return name;
}

const char *import_layer_name(import *in, const char *tensor, const char *part) {
  size_t length = strlen(part);
  for (const char *dot = strchr(tensor, '.'); dot; dot = strchr(dot + 1, '.')) {
    bool ends = strncmp(dot + 1, part, length) == 0 && (dot[length + 1] == '\0' || dot[length + 1] == '_');
    if (!ends || dot == tensor) continue;
    const char *name = import_name(in, tensor, (size_t)(dot - tensor));
    return name ? free_layer(in, name) : NULL;
  }
  return NULL;
}

const char *import_layer_number(import *in, const char *kind) {
  char name[64];
  snprintf(name, sizeof name, "%s%d", kind, ++in->layers);
  const char *copy = rung_arena_string(in->arena, name);
  return copy ? free_layer(in, copy) : NULL;
}

rung_node *import_parameter(import *in, const char *layer, const char *part, rung_shape shape) {
  const char *name = layer ? join(in, layer, part) : NULL;
  int64_t count;
  if (!name || rung_shape_count(&shape, &count) != RUNG_OK || import_count(in, count) != RUNG_OK) return NULL;
  return rung_graph_parameter(rung_model_graph(in->model), name, shape);
}
