/* Reading an ONNX file: its message, the graph walked in order, a loss at its end, its ranges if it is quantized. */
#include "import.h"
#include "import_list.h"

#include <string.h>

#define MOST_NODES   4096
#define MOST_NAMES   16384 /* of values, each time that one is written: each is looked for among the others */
#define OLDEST_OPSET 9

#define DECLARE(type, function) import_function function;
IMPORT_LIST(DECLARE)

#define ENTRY(type, function) {type, function},
static const struct {
  const char *type;
  import_function *function;
} kinds[] = {IMPORT_LIST(ENTRY)};

/* ---- What the graph begins with ---------------------------------------------------------------------------------- */

static rung_status define_initializers(import *in) {
  for (size_t i = 0; i < in->graph->n_initializer; i++) {
    const Onnx__TensorProto *proto = in->graph->initializer[i];
    import_tensor tensor;
    rung_status status = import_tensor_view(in, proto, &tensor);
    if (status != RUNG_OK) return status;
    import_value *value = import_define(in, import_text(proto->name));
    if (!value) return rung_error_status();
    value->tensor = tensor;
  }
  return RUNG_OK;
}

/* The one input that is no initializer (which older files list as inputs, too). */
static const Onnx__ValueInfoProto *find_input(const import *in) {
  const Onnx__ValueInfoProto *found = NULL;
  for (size_t i = 0; i < in->graph->n_input; i++) {
    if (import_find(in, import_text(in->graph->input[i]->name))) continue;
    if (found) {
      rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: it has inputs '%.80s' and '%.80s', expected one", in->path,
                import_text(found->name), import_text(in->graph->input[i]->name));
      return NULL;
    }
    found = in->graph->input[i];
  }
  if (!found) rung_fail(RUNG_ERROR_FORMAT, "%s: it has no input", in->path);
  return found;
}

/* The shape of an example from [batch, ...], whose first extent may be open or a number. */
static rung_status input_shape(import *in, const Onnx__ValueInfoProto *input, rung_shape *shape) {
  const char *name = import_text(input->name);
  const Onnx__TypeProto *type = input->type;
  const bool tensor = type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE && type->tensor_type;
  const Onnx__TensorShapeProto *dims = tensor ? type->tensor_type->shape : NULL;
  if (!dims || dims->n_dim < 2 || dims->n_dim > RUNG_MAX_RANK)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: input '%.120s' is no tensor of rank 2 to %d, [batch, ...]", in->path,
                     name, RUNG_MAX_RANK);
  *shape = (rung_shape){.rank = (int)dims->n_dim - 1};
  for (size_t i = 0; i < dims->n_dim; i++) {
    bool known = dims->dim[i]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    int64_t extent = known ? dims->dim[i]->dim_value : 0;
    if (i == 0)
      in->fixed_batch = extent;
    else if (extent > 0)
      shape->extent[i - 1] = extent;
    else
      return rung_fail(RUNG_ERROR_UNSUPPORTED,
                       "%s: input '%.120s': extent %zu is not known, expected only the batch open", in->path, name, i);
  }
  in->integer_input = type->tensor_type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__UINT8 ||
                      type->tensor_type->elem_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT8;
  return RUNG_OK;
}

static rung_status define_input(import *in) {
  const Onnx__ValueInfoProto *input = find_input(in);
  rung_shape shape;
  if (!input || input_shape(in, input, &shape) != RUNG_OK) return rung_error_status();
  int64_t count;
  rung_status status = rung_shape_count(&shape, &count);
  if (status == RUNG_OK) status = import_count(in, count);
  if (status != RUNG_OK)
    return rung_fail(status, "%s: input '%.120s': %s", in->path, import_text(input->name), rung_error());
  const char *name = import_name(in, import_text(input->name), strlen(import_text(input->name)));
  in->input = name ? rung_input(in->model, name, shape) : NULL;
  import_value *value = in->input ? import_define(in, import_text(input->name)) : NULL;
  if (!value) return rung_error_status();
  value->node = in->input;
  if (in->integer_input) value->grid.type = input->type->tensor_type->elem_type;
  return RUNG_OK;
}

/* ---- The nodes --------------------------------------------------------------------------------------------------- */

bool import_is_output(const import *in, const char *name) {
  return strcmp(import_text(in->graph->output[0]->name), name) == 0;
}

/* Whether anything that leads to the output reads what the node computes. */
static bool is_read(const import *in, const bool *live, size_t index) {
  const Onnx__NodeProto *node = in->graph->node[index];
  for (size_t k = 0; k < node->n_output; k++) {
    if (import_is_output(in, node->output[k])) return true;
    for (size_t i = index + 1; i < in->graph->n_node; i++)
      for (size_t j = 0; live[i] && j < in->graph->node[i]->n_input; j++)
        if (*node->output[k] && strcmp(in->graph->node[i]->input[j], node->output[k]) == 0) return true;
  }
  return false;
}

static import_function *find_kind(const Onnx__NodeProto *proto) {
  const char *domain = import_text(proto->domain), *type = import_text(proto->op_type);
  bool quantizing = strcmp(type, "QuantizeLinear") == 0 || strcmp(type, "DequantizeLinear") == 0;
  bool standard = *domain == '\0' || strcmp(domain, "ai.onnx") == 0;
  if (!standard && !(quantizing && strcmp(domain, "com.microsoft") == 0)) return NULL;
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    if (strcmp(kinds[i].type, type) == 0) return kinds[i].function;
  return NULL;
}

static rung_status find_inputs(import_node *node) {
  const Onnx__NodeProto *proto = node->proto;
  if (proto->n_input > IMPORT_MAX_INPUTS || proto->n_attribute > IMPORT_MAX_ATTRIBUTES)
    return import_refuse(node, "%zu inputs and %zu attributes, expected at most %d and %d", proto->n_input,
                         proto->n_attribute, IMPORT_MAX_INPUTS, IMPORT_MAX_ATTRIBUTES);
  node->inputs = (int)proto->n_input;
  for (size_t i = 0; i < proto->n_input; i++) {
    if (*proto->input[i] == '\0') continue;
    node->input[i] = import_find(node->in, proto->input[i]);
    if (!node->input[i]) return import_refuse(node, "reads '%.80s', which nothing before it computes", proto->input[i]);
  }
  return RUNG_OK;
}

static rung_status import_one(import *in, const Onnx__NodeProto *proto) {
  import_node node = {.in = in, .proto = proto};
  import_function *function = find_kind(proto);
  if (!function) return import_refuse(&node, "no such layer in Rung");
  rung_status status = find_inputs(&node);
  if (status == RUNG_OK) status = function(&node);
  if (status == RUNG_OK) status = import_check_attributes(&node);
  for (size_t i = 1; i < proto->n_output && status == RUNG_OK; i++)
    if (*proto->output[i] && import_readers(in, proto->output[i]) > 0)
      status = import_refuse(&node, "its output '%.80s' is read; only the first is computed", proto->output[i]);
  return status;
}

static rung_status import_nodes(import *in) {
  size_t count = in->graph->n_node;
  bool *live = rung_arena_array(in->arena, count, sizeof *live);
  if (!live) return RUNG_ERROR_MEMORY;
  for (size_t i = count; i-- > 0;) live[i] = is_read(in, live, i);
  for (size_t i = 0; i < count; i++) {
    rung_status status = live[i] ? import_one(in, in->graph->node[i]) : RUNG_OK;
    if (status != RUNG_OK) return status;
  }
  return RUNG_OK;
}

/* ---- What it ends with ------------------------------------------------------------------------------------------- */

static rung_status record_loss(import *in, const char *loss) {
  const char *name = import_text(in->graph->output[0]->name);
  const Onnx__NodeProto output = {.name = (char *)(uintptr_t)name, .op_type = "output"};
  import_node end = {.in = in, .proto = &output, .inputs = 1};
  end.input[0] = import_find(in, name);
  if (!end.input[0]) return rung_fail(RUNG_ERROR_FORMAT, "%s: nothing computes its output '%.120s'", in->path, name);
  if (strcmp(loss, "cross-entropy") == 0) end.input[0]->probabilities = false; /* its softmax is in the loss */
  rung_node *scores = import_input(&end, 0);
  if (!scores) return rung_error_status();
  if (scores->value.shape.rank != 2)
    return import_refuse(&end, "its rank is %d, expected [batch, scores]", scores->value.shape.rank);
  return rung_loss_text(scores, loss) ? RUNG_OK : import_blame(&end, rung_error_status());
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static rung_status check_message(import *in) {
  in->graph = in->message->graph;
  if (!in->graph) return rung_fail(RUNG_ERROR_FORMAT, "%s: no ONNX model: it has no graph", in->path);
  for (size_t i = 0; i < in->message->n_opset_import; i++) {
    const char *domain = import_text(in->message->opset_import[i]->domain);
    if (*domain == '\0' || strcmp(domain, "ai.onnx") == 0) in->opset = in->message->opset_import[i]->version;
  }
  if (in->opset < OLDEST_OPSET)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: operator set %lld, expected %d or newer", in->path,
                     (long long)in->opset, OLDEST_OPSET);
  if (in->graph->n_output != 1)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: it has %zu outputs, expected one", in->path, in->graph->n_output);
  size_t names = in->graph->n_initializer + in->graph->n_input;
  for (size_t i = 0; i < in->graph->n_node; i++) names += in->graph->node[i]->n_input + in->graph->node[i]->n_output;
  if (in->graph->n_node > MOST_NODES || names > MOST_NAMES)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: %zu nodes and %zu names of values, expected at most %d and %d",
                     in->path, in->graph->n_node, names, MOST_NODES, MOST_NAMES);
  return RUNG_OK;
}

static rung_status make_values(import *in) {
  size_t count = in->graph->n_initializer + in->graph->n_input;
  for (size_t i = 0; i < in->graph->n_node; i++) count += in->graph->node[i]->n_output > 0;
  in->value = rung_arena_array(in->arena, count, sizeof *in->value);
  in->capacity = (int)count;
  return in->value ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static rung_status import_graph(import *in, const char *loss) {
  rung_status status = check_message(in);
  if (status == RUNG_OK) status = make_values(in);
  if (status == RUNG_OK) status = define_initializers(in);
  if (status == RUNG_OK) status = define_input(in);
  if (status == RUNG_OK) status = import_nodes(in);
  if (status == RUNG_OK) status = record_loss(in, loss);
  if (status == RUNG_OK) status = import_calibrate(in);
  if (status == RUNG_OK && rung_model_check_finite(in->model) != RUNG_OK)
    status = rung_fail(rung_error_status(), "%s: %s", in->path, rung_error());
  return status;
}

rung_model *rung_model_import_onnx_with(const char *path, const rung_onnx_import_options *options) {
  const rung_onnx_import_options defaults = {0};
  if (!options) options = &defaults;
import in = {.path = path, .arena = rung_arena_new() };
  Onnx__ModelProto *message = in.arena ? import_message_read(path, &in.bytes) : NULL;
  in.message = message;
  in.model = message ? rung_model_new(&options->model) : NULL;
  if (in.model && import_graph(&in, options->loss ? options->loss : "cross-entropy") != RUNG_OK) {
    rung_model_free(in.model);
    in.model = NULL;
  }
  import_message_free(message);
  import_files_free(&in);
  rung_arena_free(in.arena);
  return in.model;
}

rung_model *rung_model_import_onnx(const char *path, const rung_model_options *options) {
  return rung_model_import_onnx_with(path, options ? &(rung_onnx_import_options){.model = *options} : NULL);
}
