/* Networks as text, from the inside: layers.c knows the layers and losses, parse.c reads a text, print.c writes one. */
#ifndef RUNG_TEXT_H
#define RUNG_TEXT_H

#include "text_list.h"

typedef enum text_argument { TEXT_NOTHING, TEXT_COUNT, TEXT_FRACTION, TEXT_TWO_NUMBERS, TEXT_SHAPE } text_argument;

/* What stands behind a layer's word. */
typedef struct text_arguments {
  int64_t count;
  float fraction;
  float scale, offset;
  rung_shape shape;
  bool no_bias, xavier, whole;
  float momentum, epsilon; /* 0: the default */
  const char *name;        /* as written, or the default */
} text_arguments;

typedef struct text_layer {
  rung_word word;
  const char *op;         /* the operation that it records */
  text_argument argument; /* what has to follow the word */
  const char *prefix;     /* of its default name, "fc" in "fc1"; NULL: it has no name */
  rung_node *(*record)(rung_node *x, const text_arguments *arguments);
  /* The opposite of record, of all but the name: false where this node is not as `record` makes it. */
  bool (*describe)(const rung_node *node, text_arguments *arguments);
} text_layer;

typedef struct text_loss {
  rung_word word;
  const char *op;
  rung_node *(*record)(rung_node *x);
} text_loss;

enum { TEXT_LAYERS = 0 TEXT_LAYER_LIST(TEXT_COUNT_ROW), TEXT_LOSSES = 0 TEXT_LOSS_LIST(TEXT_COUNT_ROW) };
extern const text_layer text_layers[TEXT_LAYERS];
extern const text_loss text_losses[TEXT_LOSSES];

/* "PREFIXn", n counting the nodes of the layer's operation before `end` in the graph, and this one. */
void text_default_name(const text_layer *layer, const rung_graph *graph, int end, char name[32]);

/* rung_model_from_text, but RUNG_ERROR_FORMAT before any memory is taken for a parameter that `file` (may be NULL) does
 * not have: for a text that comes from that file. */
rung_model *text_model(const char *text, const rung_model_options *options, const rung_safetensors *file);

#endif
