/* From a network to text, where the text would record the same nodes in the same order again. */
#include "text.h"

#include "../number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NAME = 128 };

/* A walk along the graph, which has to be a chain. */
typedef struct chain_walk {
  rung_graph *graph;
  FILE *out;
  int next;                /* node */
  const rung_node *before; /* what the next operation reads */
} chain_walk;

static rung_status no_text(const rung_node *node, const char *why) {
  return rung_fail(RUNG_ERROR_UNSUPPORTED, "model text: '%s' (%s) %s", node->name, node->op->name, why);
}

static void print_shape(FILE *out, const rung_shape *shape, int first) {
  for (int i = first; i < shape->rank; i++) fprintf(out, "%s%lld", i > first ? "x" : "", (long long)shape->extent[i]);
}

static bool is_name(const char *name, size_t length) {
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)name[i] <= ' ' || name[i] == ',' || name[i] == ';') return false;
  return length > 0;
}

static rung_status print_input(chain_walk *walk) {
  const rung_node *node = rung_graph_node(walk->graph, walk->next++);
  if (node == NULL) return rung_fail(RUNG_ERROR_UNSUPPORTED, "model text: the model has no input");
  if (!rung_node_is_input(node) || node->value.shape.rank < 2 || !is_name(node->name, strlen(node->name)))
    return no_text(node, "is not the one input of a chain");
  fputs("input ", walk->out);
  print_shape(walk->out, &node->value.shape, 1);
  if (strcmp(node->name, "input") != 0) fprintf(walk->out, " as %s", node->name);
  walk->before = node;
  return RUNG_OK;
}

/* The name NAME of a layer whose parameters, recorded right before it, are "NAME.weight" and so on. */
static bool find_name(const rung_node *node, int parameters, char *name, size_t size) {
  const char *dot = parameters > 0 ? strrchr(node->input[1]->name, '.') : NULL;
  const size_t length = dot != NULL ? (size_t)(dot - node->input[1]->name) : 0;
  static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
  if (length == 0 || length >= size || parameters > 4) return false;
  for (int i = 0; i < parameters; i++) {
    const rung_node *parameter = node->input[i + 1];
    if (parameter == NULL || parameter->index != node->index - parameters + i ||
        strncmp(parameter->name, node->input[1]->name, length + 1) != 0 ||
        strcmp(parameter->name + length + 1, parts[i]) != 0)
      return false;
  }
  snprintf(name, size, "%.*s", (int)length, node->input[1]->name);
  return is_name(name, length);
}

static void print_number(FILE *out, const char *before, float value) {
  char text[NUMBER_TEXT];
  fprintf(out, "%s%s", before, number_format(value, text));
}

static void print_signed(FILE *out, float value) {
  print_number(out, signbit(value) ? " -" : " ", fabsf(value));
}

static void print_arguments(FILE *out, const text_layer *layer, const text_arguments *arguments) {
  if (layer->argument == TEXT_COUNT) fprintf(out, " %lld", (long long)arguments->count);
  if (layer->argument == TEXT_SHAPE) fputc(' ', out), print_shape(out, &arguments->shape, 0);
  if (layer->argument == TEXT_FRACTION) print_number(out, " ", arguments->fraction);
  if (layer->argument == TEXT_TWO_NUMBERS) {
    print_signed(out, arguments->scale);
    print_signed(out, arguments->offset);
  }
  if (arguments->whole) fputs(" whole", out);
  if (arguments->no_bias) fputs(" no-bias", out);
  if (arguments->momentum != 0) print_number(out, " momentum ", arguments->momentum);
  if (arguments->epsilon != 0) print_number(out, " epsilon ", arguments->epsilon);
  if (arguments->name != NULL) fprintf(out, " as %s", arguments->name);
}

static int inputs_behind_the_first(const rung_node *node) {
  int count = 0;
  for (int k = 1; k < node->op->input_count; k++) count += node->input[k] != NULL;
  return count;
}

static rung_status print_layer(chain_walk *walk, const rung_node *node, int parameters) {
  const text_layer *layer = NULL;
  for (int i = 0; i < TEXT_LAYERS; i++)
    if (strcmp(node->op->name, text_layers[i].op) == 0) layer = &text_layers[i];
  if (layer == NULL || node->input[0] != walk->before) return no_text(node, "is no layer of a chain");
  if (inputs_behind_the_first(node) != parameters) return no_text(node, "shares parameters, or leaves some unused");
  char name[LONGEST_NAME], usual[32] = "";
  text_arguments arguments = {0};
  if (layer->prefix != NULL) {
    if (!find_name(node, parameters, name, sizeof name)) return no_text(node, "has parameters of unusual names");
    text_default_name(layer, walk->graph, node->index, usual);
    if (strcmp(name, usual) != 0) arguments.name = name;
  }
  fprintf(walk->out, "%s%s", rung_node_is_input(walk->before) ? "; " : ", ", layer->word.name);
  if (!layer->describe(node, &arguments)) return no_text(node, "has options that a text cannot tell");
  print_arguments(walk->out, layer, &arguments);
  walk->before = node;
  return RUNG_OK;
}

/* A loss, behind its label or target, ends the graph. */
static rung_status print_loss(chain_walk *walk, const rung_node *node) {
  const bool ends = node->index == rung_graph_node_count(walk->graph) - 1 && node->input[0] == walk->before &&
                    !rung_node_is_input(walk->before);
  for (int i = 0; i < TEXT_LOSSES; i++)
    if (strcmp(node->op->name, text_losses[i].op) == 0 && ends) {
      const char *answer = node->input[1]->value.type == RUNG_I32 ? "label" : "target";
      if (node->input[1]->index != node->index - 1 || strcmp(node->input[1]->name, answer) != 0) break;
      fprintf(walk->out, "; %s", text_losses[i].word.name);
      return RUNG_OK;
    }
  return no_text(node, "is not the loss that ends a chain");
}

static rung_status print_graph(chain_walk *walk) {
  int parameters = 0;
  bool answered = false;
  rung_status status = print_input(walk);
  const rung_node *node;
  while (status == RUNG_OK && (node = rung_graph_node(walk->graph, walk->next++)) != NULL) {
    if (rung_node_is_parameter(node)) {
      parameters++;
    } else if (rung_node_is_input(node)) {
      answered = true;
    } else {
      status = answered ? print_loss(walk, node) : print_layer(walk, node, parameters);
      parameters = 0;
    }
  }
  if (status == RUNG_OK && parameters > 0) return no_text(walk->before, "is not all there is: parameters are unused");
  return status;
}

char *rung_model_text(const rung_model *model) {
  if (rung_model_status(model) != RUNG_OK) return NULL;
  char *text = NULL, *copy = NULL;
  size_t size = 0;
  chain_walk walk = {.graph = rung_model_graph(model), .out = open_memstream(&text, &size)};
  rung_status status = walk.out != NULL ? print_graph(&walk) : RUNG_ERROR_MEMORY;
  if (walk.out != NULL && (fclose(walk.out) != 0 || text == NULL)) status = RUNG_ERROR_MEMORY; /* glibc's may say 0 */
  if (status == RUNG_ERROR_MEMORY) rung_fail(status, "model text: no memory");
  if (status == RUNG_OK) copy = rung_allocate(size + 1);
  if (copy != NULL) memcpy(copy, text, size);
  free(text);
  return copy;
}
