/* The layers of a network as PTQ methods see them. */
#include "ptq.h"

#include "fold.h"

/* What reads the node, if one node alone does and as its input 0. */
static const rung_node *only_reader(const rung_node *node) {
  const rung_node *only = NULL;
  int readers = 0;
  for (int i = node->index + 1; i < rung_graph_node_count(node->graph); i++) {
    const rung_node *reader = rung_graph_node(node->graph, i);
    for (int k = 0; k < reader->op->input_count; k++)
      if (reader->input[k] == node) {
        readers += k == 0 ? 1 : 2;
        only = reader;
      }
  }
  return readers == 1 ? only : NULL;
}

static bool hands_on(const rung_node *node) {
  return node->op == &rung_op_reshape || node->op == &rung_op_dropout || fold_is_folded(node);
}

static rung_clamp clamp_of(const rung_node *linear) {
  const rung_node *reader = only_reader(linear);
  while (reader && hands_on(reader)) reader = only_reader(reader);
  if (!reader) return RUNG_CLAMP_NONE;
  return reader->op == &rung_op_relu    ? RUNG_CLAMP_RELU
         : reader->op == &rung_op_relu6 ? RUNG_CLAMP_RELU6
                                        : RUNG_CLAMP_NONE;
}

/* The linear node whose output comes to this one element by element, through clamps alone, and to nothing else. */
static const rung_node *node_before(const rung_node *linear) {
  const rung_node *at = linear;
  for (;;) {
    const rung_node *input = at->input[0];
    if (rung_node_is_input(input) || only_reader(input) != at) return NULL;
    if (input->op == &rung_op_linear) return input;
    if (!hands_on(input) && input->op != &rung_op_relu && input->op != &rung_op_relu6) return NULL;
    at = input;
  }
}

static int count_layers(const rung_graph *graph) {
  int count = 0;
  for (int i = 0; i < rung_graph_node_count(graph); i++) count += rung_graph_node(graph, i)->op == &rung_op_linear;
  return count;
}

static int64_t most_scales(const rung_graph *graph, const rung_scheme *scheme) {
  int64_t scales = 0;
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (node->op != &rung_op_linear) continue;
    const int64_t out = node->input[1]->value.shape.extent[0], in = node->input[1]->value.shape.extent[1];
    scales += scheme->weight_granularity == RUNG_PER_GROUP ? out * ((in - 1) / scheme->weight_group + 1) : out;
  }
  return scales;
}

static void set_layer(rung_ptq_layer *layer, const rung_node *node, const rung_scheme *scheme, char *name) {
  const rung_node *bias = fold_bias(node);
  rung_layer_name(node->input[1], name, RUNG_LAYER_NAME);
  const rung_scheme of_layer = rung_scheme_of_layer(scheme, name);
  *layer = (rung_ptq_layer){.name = name,
                            .node = node,
                            .in = node->input[1]->value.shape.extent[1],
                            .out = node->input[1]->value.shape.extent[0],
                            .weight = node->input[1]->value.data,
                            .bias = bias ? bias->value.data : NULL,
                            .format = rung_scheme_weight_format(&of_layer),
                            .granularity = scheme->weight_granularity,
                            .group = scheme->weight_granularity == RUNG_PER_GROUP ? scheme->weight_group : 0,
                            .clamp = clamp_of(node),
                            .team = rung_graph_team(node->graph)};
}

static void set_layers(rung_ptq_layer *layers, char *names, const rung_graph *graph, const rung_scheme *scheme) {
  for (int i = 0, l = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (node->op != &rung_op_linear) continue;
    set_layer(&layers[l], node, scheme, names + l * RUNG_LAYER_NAME);
    const rung_node *before = node_before(node);
    for (int k = 0; before && k < l; k++)
      if (layers[k].node == before) layers[l].before = &layers[k];
    l++;
  }
}

static rung_status check_weights(const rung_ptq_layer *layers, int count) {
  for (int l = 0; l < count; l++)
    for (int k = 0; k < l; k++)
      if (layers[l].weight == layers[k].weight || (layers[l].bias && layers[l].bias == layers[k].bias))
        return rung_fail(RUNG_ERROR_UNSUPPORTED,
                         "ptq: two layers share '%s', expected a weight and a bias of their own", layers[l].name);
  return RUNG_OK;
}

rung_ptq_layer *rung_ptq_layers_new(const rung_graph *graph, const rung_scheme *scheme, int *count) {
  *count = count_layers(graph);
  if (*count == 0) {
    rung_fail(RUNG_ERROR_UNSUPPORTED, "ptq: the network has no linear layer, expected one or more");
    return NULL;
  }
  const size_t n = (size_t)*count;
  rung_ptq_layer *layers =
      rung_allocate(n * (sizeof *layers + RUNG_LAYER_NAME) + (size_t)most_scales(graph, scheme) * sizeof(float));
  if (!layers) return NULL;
  char *names = (char *)(layers + n);
  set_layers(layers, names, graph, scheme);
  float *scale = (float *)(names + n * RUNG_LAYER_NAME);
  for (int l = 0; l < *count; l++) {
    layers[l].scale = scale;
    scale += rung_ptq_scale_count(&layers[l]);
  }
  if (check_weights(layers, *count) == RUNG_OK) return layers;
  rung_release(layers);
  return NULL;
}
