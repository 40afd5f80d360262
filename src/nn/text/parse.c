/* From text to a network. A text is pieces between semicolons and commas; a piece is words between spaces. */
#include "text.h"

#include "../model.h"
#include "../number.h"

#include <stdio.h>
#include <string.h>

enum { MOST_WORDS = 12, LONGEST_PIECE = 255 };

/* A piece, trimmed, and its words. */
typedef struct text_piece {
  char text[LONGEST_PIECE + 1], words[LONGEST_PIECE + 1];
  const char *word[MOST_WORDS + 1]; /* ends in NULL */
} text_piece;

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static rung_status refuse(const text_piece *piece, const char *expected) {
  return rung_fail(RUNG_ERROR_ARGUMENT, "model text: '%s': expected %s", piece->text, expected);
}

/* Cuts the next piece, up to `separator`, off *text, which becomes NULL behind the last. */
static rung_status next_piece(const char **text, char separator, text_piece *piece) {
  const char *begin = *text, *end = strchr(begin, separator);
  *text = end != NULL ? end + 1 : NULL;
  if (end == NULL) end = begin + strlen(begin);
  while (begin < end && is_space(*begin)) begin++;
  while (begin < end && is_space(end[-1])) end--;
  snprintf(piece->text, sizeof piece->text, "%.*s", (int)(end - begin < LONGEST_PIECE ? end - begin : LONGEST_PIECE),
           begin);
  if (end - begin > LONGEST_PIECE) return refuse(piece, "at most 255 characters between two commas");
  strcpy(piece->words, piece->text);
  int count = 0;
  for (char *at = piece->words; *at != '\0'; at++) {
    if (is_space(*at)) {
      *at = '\0';
    } else if (at == piece->words || at[-1] == '\0') {
      if (count == MOST_WORDS) return refuse(piece, "fewer words between two commas");
      piece->word[count++] = at;
    }
  }
  piece->word[count] = NULL;
  return RUNG_OK;
}

/* ---- Arguments -------------------------------------------------------------------------------------------------- */

/* The integer at *text, 1 or more, of at most 18 digits; *text moves behind it. */
static bool read_count(const char **text, int64_t *count) {
  int digits = 0;
  for (*count = 0; **text >= '0' && **text <= '9' && digits < 19; ++*text, digits++)
    *count = digits < 18 ? *count * 10 + (**text - '0') : 0;
  return *count > 0;
}

/* "28x28" */
static bool read_shape(const char *text, rung_shape *shape) {
  *shape = (rung_shape){0};
  do {
    if (shape->rank == RUNG_MAX_RANK - 1 || !read_count(&text, &shape->extent[shape->rank++])) return false;
  } while (*text++ == 'x');
  return text[-1] == '\0';
}

static bool read_signed(const char *text, float *value) {
  const bool negative = text != NULL && *text == '-';
  if (text == NULL || !number_parse(text + negative, value)) return false;
  if (negative) *value = -*value;
  return true;
}

static bool read_argument(text_argument argument, const char *const **word, text_arguments *arguments) {
  if (argument == TEXT_NOTHING) return true;
  const char *text = *(*word)++;
  if (text == NULL) return false;
  if (argument == TEXT_SHAPE) return read_shape(text, &arguments->shape);
  if (argument == TEXT_TWO_NUMBERS)
    return read_signed(text, &arguments->scale) && read_signed(*(*word)++, &arguments->offset);
  if (argument == TEXT_FRACTION) return number_parse(text, &arguments->fraction);
  return read_count(&text, &arguments->count) && *text == '\0';
}

/* An option is allowed where the layer's usage names it. */
static bool read_option(const text_layer *layer, const char *const **word, text_arguments *arguments) {
  const char *option = *(*word)++;
  if (strstr(layer->word.arguments, option) == NULL) return false;
  if (strcmp(option, "no-bias") == 0) return arguments->no_bias = true;
  if (strcmp(option, "xavier") == 0) return arguments->xavier = true;
  if (strcmp(option, "whole") == 0) return arguments->whole = true;
  const char *value = **word;
  if (value == NULL) return false;
  ++*word;
  if (strcmp(option, "as") == 0) return (arguments->name = value) != NULL;
  if (strcmp(option, "momentum") == 0) return number_parse(value, &arguments->momentum) && arguments->momentum > 0;
  if (strcmp(option, "epsilon") == 0) return number_parse(value, &arguments->epsilon) && arguments->epsilon > 0;
  return false;
}

static rung_status read_arguments(const text_layer *layer, const text_piece *piece, text_arguments *arguments) {
  const char *const *word = piece->word + 1;
  bool good = read_argument(layer->argument, &word, arguments);
  while (good && *word != NULL) good = read_option(layer, &word, arguments);
  if (good) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "model text: '%s': expected %s%s%s", piece->text, layer->word.name,
                   *layer->word.arguments != '\0' ? " " : "", layer->word.arguments);
}

/* ---- Layers and losses ------------------------------------------------------------------------------------------ */

/* "linear, relu, ..." of `count` words */
static const char *list_words(rung_word (*word)(int index), int count, char *list, size_t size) {
  size_t length = 0;
  for (int i = 0; i < count && length < size; i++)
    length += (size_t)snprintf(list + length, size - length, "%s%s", i > 0 ? ", " : "one of ", word(i).name);
  return list;
}

/* Whether the parameter that a layer on x would have first is in `file`. */
static rung_status check_parameter(const rung_node *x, const text_layer *layer, const text_arguments *arguments,
                                   const rung_safetensors *file) {
  char name[LONGEST_PIECE + sizeof ".weight"];
  if (file == NULL || layer->prefix == NULL) return RUNG_OK;
  snprintf(name, sizeof name, "%s.weight", arguments->name);
  const int64_t columns = rung_tensor_matrix(&x->value, false).stride;
  const rung_shape shape = layer->argument == TEXT_COUNT ? RUNG_SHAPE(arguments->count, columns)
                                                         : RUNG_SHAPE(arguments->whole ? 1 : columns);
  return rung_safetensors_expect(file, name, RUNG_F32, &shape) != NULL ? RUNG_OK : rung_error_status();
}

/* An empty piece is most often a comma too many. */
static rung_status check_layer(const text_piece *piece, bool first, bool last) {
  if (piece->word[0] != NULL || (first && last)) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "model text: nothing stands %s: expected a layer",
                   first  ? "before the first comma"
                   : last ? "behind the last comma"
                          : "between two commas");
}

static rung_node *record_layer(rung_node *x, const text_piece *piece, const rung_safetensors *file) {
  const text_layer *layer = NULL;
  for (int i = 0; piece->word[0] != NULL && i < TEXT_LAYERS; i++)
    if (strcmp(piece->word[0], text_layers[i].word.name) == 0) layer = &text_layers[i];
  if (layer == NULL) {
    char list[256];
    return rung_graph_fail(x->graph, refuse(piece, list_words(rung_layer_word, TEXT_LAYERS, list, sizeof list)));
  }
  char name[32];
  text_arguments arguments = {0};
  if (layer->prefix != NULL) {
    text_default_name(layer, x->graph, rung_graph_node_count(x->graph), name);
    arguments.name = name;
  }
  rung_status status = read_arguments(layer, piece, &arguments);
  if (status == RUNG_OK) status = check_parameter(x, layer, &arguments, file);
  return status == RUNG_OK ? layer->record(x, &arguments) : rung_graph_fail(x->graph, status);
}

static rung_node *record_layers(rung_node *x, const char *text, const rung_safetensors *file) {
  if (x == NULL) return NULL;
  if (text == NULL) return rung_graph_fail(x->graph, rung_fail(RUNG_ERROR_ARGUMENT, "model text: it is NULL"));
  for (bool first = true; x != NULL && text != NULL; first = false) {
    text_piece layer;
    rung_graph *graph = x->graph;
    rung_status status = next_piece(&text, ',', &layer);
    if (status == RUNG_OK) status = check_layer(&layer, first, text == NULL);
    x = status == RUNG_OK ? record_layer(x, &layer, file) : rung_graph_fail(graph, status);
  }
  return x;
}

rung_node *rung_record_text(rung_node *x, const char *text) {
  return record_layers(x, text, NULL);
}

rung_node *rung_loss_text(rung_node *x, const char *text) {
  if (x == NULL) return NULL;
  text_piece loss = {0};
  rung_status status = text != NULL ? next_piece(&text, ',', &loss) : RUNG_OK;
  if (status != RUNG_OK) return rung_graph_fail(x->graph, status);
  for (int i = 0; i < TEXT_LOSSES && loss.word[0] != NULL && loss.word[1] == NULL && text == NULL; i++)
    if (strcmp(loss.word[0], text_losses[i].word.name) == 0) return text_losses[i].record(x);
  char list[256];
  return rung_graph_fail(x->graph, refuse(&loss, list_words(rung_loss_word, TEXT_LOSSES, list, sizeof list)));
}

/* ---- Whole models ----------------------------------------------------------------------------------------------- */

/* An example of more elements than all tensors of the file together is read by no layer. */
static bool fits(const rung_shape *shape, const rung_safetensors *file) {
  int64_t count, most = 0;
  for (int i = 0; file != NULL && i < rung_safetensors_count(file); i++) {
    const rung_tensor tensor = rung_safetensors_tensor(file, i).tensor;
    if (tensor.data != NULL) most += rung_tensor_count(&tensor);
  }
  return rung_shape_count(shape, &count) == RUNG_OK && (file == NULL || count <= most);
}

static rung_node *record_input(rung_model *model, const text_piece *piece, const rung_safetensors *file) {
  const char *const *word = piece->word;
  rung_shape shape;
  bool named = word[0] != NULL && word[1] != NULL && word[2] != NULL && strcmp(word[2], "as") == 0 && word[3] != NULL &&
               word[4] == NULL;
  if (word[0] == NULL || strcmp(word[0], "input") != 0 || word[1] == NULL || !read_shape(word[1], &shape) ||
      (word[2] != NULL && !named) || !fits(&shape, file)) {
    refuse(piece, "input SHAPE [as NAME]");
    return NULL;
  }
  return rung_input(model, named ? word[3] : "input", shape);
}

/* The part of *text up to the next semicolon, which *text moves behind; NULL at the end. To be freed. */
static char *next_part(const char **text) {
  const size_t length = strcspn(*text, ";");
  char *part = rung_allocate(length + 1);
  if (part != NULL) memcpy(part, *text, length);
  *text = (*text)[length] == ';' ? *text + length + 1 : NULL;
  return part;
}

static rung_status record_parts(rung_model *model, const char *text, const rung_safetensors *file) {
  rung_node *x = NULL;
  rung_status status = RUNG_OK;
  for (int i = 0; text != NULL && status == RUNG_OK; i++) {
    const char *part = next_part(&text), *at = part;
    text_piece input;
    if (part == NULL) return RUNG_ERROR_MEMORY;
    if (i == 0) x = next_piece(&at, '\n', &input) == RUNG_OK ? record_input(model, &input, file) : NULL;
    if (i == 1) x = record_layers(x, part, file);
    if (i == 2) x = rung_loss_text(x, part);
    if (x == NULL) status = rung_error_status();
    if (i > 2) status = rung_fail(RUNG_ERROR_ARGUMENT, "model text: '%s': expected nothing behind the loss", part);
    rung_release((char *)(uintptr_t)part);
  }
  return status;
}

rung_model *text_model(const char *text, const rung_model_options *options, const rung_safetensors *file) {
  if (text == NULL) {
    rung_fail(RUNG_ERROR_ARGUMENT, "model text: it is NULL");
    return NULL;
  }
  rung_model *model = rung_model_new(options);
  if (model == NULL || record_parts(model, text, file) == RUNG_OK) return model;
  rung_model_free(model);
  return NULL;
}

rung_model *rung_model_from_text(const char *text, const rung_model_options *options) {
  return text_model(text, options, NULL);
}
