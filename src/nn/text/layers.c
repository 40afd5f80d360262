/* The layers and losses of a network as text: how each is recorded, and how it is told from a recorded node. */
#include "text.h"

#include <stdio.h>
#include <string.h>

/* ---- Layers ----------------------------------------------------------------------------------------------------- */

static rung_node *record_linear(rung_node *x, const text_arguments *arguments) {
  return rung_linear_init(x, arguments->name, arguments->count,
                          &(rung_linear_options){.init = arguments->xavier ? RUNG_INIT_XAVIER : RUNG_INIT_HE,
                                                 .no_bias = arguments->no_bias});
}

/* How the weight started is not known any more. */
static bool describe_linear(const rung_node *node, text_arguments *arguments) {
  arguments->count = node->value.shape.extent[1];
  arguments->no_bias = node->input[2] == NULL;
  return true;
}

static rung_node *record_batch_norm(rung_node *x, const text_arguments *arguments) {
  return rung_batch_norm_init(x, arguments->name,
                              &(rung_batch_norm_options){.momentum = arguments->momentum,
                                                         .epsilon = arguments->epsilon,
                                                         .whole = arguments->whole});
}

static bool describe_batch_norm(const rung_node *node, text_arguments *arguments) {
  const rung_batch_norm_options defaults = rung_batch_norm_defaults();
  const float momentum = rung_batch_norm_momentum(node), epsilon = rung_batch_norm_epsilon(node);
  arguments->momentum = momentum == defaults.momentum ? 0 : momentum;
  arguments->epsilon = epsilon == defaults.epsilon ? 0 : epsilon;
  arguments->whole = rung_tensor_count(&node->input[1]->value) < node->value.shape.extent[1];
  return momentum != 0;
}

static rung_node *record_dropout(rung_node *x, const text_arguments *arguments) {
  return rung_dropout(x, arguments->fraction);
}

static bool describe_dropout(const rung_node *node, text_arguments *arguments) {
  arguments->fraction = rung_dropout_probability(node);
  return true;
}

static rung_node *record_rescale(rung_node *x, const text_arguments *arguments) {
  return rung_rescale(x, arguments->scale, arguments->offset);
}

static bool describe_rescale(const rung_node *node, text_arguments *arguments) {
  arguments->scale = rung_rescale_scale(node);
  arguments->offset = rung_rescale_offset(node);
  return true;
}

static rung_node *record_reshape(rung_node *x, const text_arguments *arguments) {
  return rung_reshape(x, arguments->shape);
}

static bool describe_reshape(const rung_node *node, text_arguments *arguments) {
  const rung_shape *shape = &node->value.shape;
  arguments->shape.rank = shape->rank - 1;
  memcpy(arguments->shape.extent, shape->extent + 1, sizeof shape->extent - sizeof shape->extent[0]);
  return shape->rank > 1;
}

/* Those without arguments. */
#define PLAIN(id)                                                                                                      \
  static rung_node *record_##id(rung_node *x, const text_arguments *arguments) {                                       \
    (void)arguments;                                                                                                   \
    return rung_##id(x);                                                                                               \
  }                                                                                                                    \
  static bool describe_##id(const rung_node *node, text_arguments *arguments) {                                        \
    (void)node, (void)arguments;                                                                                       \
    return true;                                                                                                       \
  }

PLAIN(relu)
PLAIN(relu6)
PLAIN(sigmoid)
PLAIN(tanh)
PLAIN(gelu)

/* ---- The tables ------------------------------------------------------------------------------------------------- */

#define LAYER_ROW(id, text, follows, does, operation, what, letters)                                                   \
  {.word = {.name = text, .arguments = follows, .help = does},                                                         \
   .op = operation,                                                                                                    \
   .argument = what,                                                                                                   \
   .prefix = letters,                                                                                                  \
   .record = record_##id,                                                                                              \
   .describe = describe_##id},
const text_layer text_layers[TEXT_LAYERS] = {TEXT_LAYER_LIST(LAYER_ROW)};

#define LOSS_ROW(id, text, follows, does, operation)                                                                   \
  {.word = {.name = text, .arguments = follows, .help = does}, .op = operation, .record = rung_loss_##id},
const text_loss text_losses[TEXT_LOSSES] = {TEXT_LOSS_LIST(LOSS_ROW)};

int rung_layer_word_count(void) {
  return TEXT_LAYERS;
}

rung_word rung_layer_word(int index) {
  return index >= 0 && index < TEXT_LAYERS ? text_layers[index].word : (rung_word){0};
}

int rung_loss_word_count(void) {
  return TEXT_LOSSES;
}

rung_word rung_loss_word(int index) {
  return index >= 0 && index < TEXT_LOSSES ? text_losses[index].word : (rung_word){0};
}

void text_default_name(const text_layer *layer, const rung_graph *graph, int end, char name[32]) {
  int number = 1;
  for (int i = 0; i < end; i++) number += strcmp(rung_graph_node(graph, i)->op->name, layer->op) == 0;
  snprintf(name, 32, "%s%d", layer->prefix, number);
}
