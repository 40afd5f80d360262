/* The C emitter from the inside: what is known of a program before a line is written. */
#ifndef EMIT_EMIT_H
#define EMIT_EMIT_H

#include <rung/deploy.h>

#include "text.h"

/* How a product is computed: a row of the list in forms.c. */
typedef struct emit_form {
  const char *name; /* "w4", "x1_w1" */
  int width;        /* bits a weight takes: 8 (int8_t); packed 4, 2 or 1 */
  int planes; /* bits an input takes, each in a plane of its own, and the weights' likewise; 0: inputs of a byte */
  int inputs; /* of a unit of weights, which holds EMIT_CHANNELS by these; the innermost loop takes one at once */
  const char *says; /* for a reader of NAME.c */
} emit_form;

const emit_form *emit_form_of(const rung_integer_layer *layer, bool bits_packed);

/* Which dot function a layer takes. */
typedef struct emit_format {
  const emit_form *form;
  rung_dtype type; /* the input's, where it is a byte */
} emit_format;

#define EMIT_ID_SIZE 96

typedef struct emit_layer {
  char id[EMIT_ID_SIZE]; /* the layer's name as the beginning of C identifiers, unique */
  const rung_instruction *instruction;
  const rung_buffer *input, *output;
  emit_format format;
  int planes; /* of the output: the form of the layer that reads it */
  int steps;  /* of an output of -1 and 1, or -1, 0 and 1: thresholds of the sum that it steps up at; 0: scaled (eq. 8)
               */
} emit_layer;

#define EMIT_FORMATS 12 /* 4 widths of weights, 2 types of inputs; 4 on planes */

typedef struct emission {
  const rung_program *program;
  const char *name;
  rung_emit_options options;
  int count;
  emit_layer *layer;
  rung_buffer *buffer; /* the program's, those in planes as the bytes that they take, and placed anew */
  rung_buffer input;   /* the caller's */
  int64_t scratch;
  int format_count;
  emit_format format[EMIT_FORMATS]; /* those in use */
  bool grouped, ungrouped, steps;   /* whether a layer is; signs ones are neither of the others */
  bool binary;                      /* whether a grouped layer gives signs */
  bool words, packed;               /* whether a buffer is planes; a layer's output */
  bool ragged;                      /* whether a sum of bytes has a number of inputs that is no multiple of 4 */
  rung_emit_report report;
} emission;

/* The number of channels that the innermost loop takes at once. The last channels and inputs are filled up with zeros.
 */
#define EMIT_CHANNELS 4

int64_t emit_unit_count(const emit_layer *layer); /* units of a layer's weights, with groups: each filled up */
int64_t emit_weight_bytes(const emit_layer *layer);

/* names.c. The layer's name with '_' for what is no part of an identifier, and a number behind it where that name is
 * taken. */
void emit_make_id(emission *at, int index);
rung_status emit_check_name(const char *name);

/* "dot", or "dot_u8_w4" where there is more than one. */
void emit_dot_name(text *to, const emission *at, emit_format format);
#define EMIT_DOT_SAYS "/* acc[c] = sum over n inputs of x w, for four channels; returns where their weights end. */\n"

bool emit_uses_bytes(const emission *at); /* whether a layer's inputs are bytes, not planes */

/* Of the caller's input: "uint8_t"; "0 .. 255". */
const char *emit_input_type(const emission *at);
void emit_input_range(text *to, const emission *at);

/* The parts of NAME.c. */
void emit_layer_type(text *to, const emission *at);    /* layer.c: struct layer */
void emit_dot_functions(text *to, const emission *at); /* dot.c, of bytes */
void emit_plane_dots(text *to, const emission *at);    /* planes.c */
void emit_put(text *to, const emission *at);           /* planes.c: an output */
void emit_pack(text *to, const emission *at);          /* planes.c: the input */
void emit_shown(text *to, const emission *at);         /* planes.c: back to integers, for the trace */
void emit_linear(text *to, const emission *at);        /* layer.c: store, linear */
void emit_weights(text *to, const emission *at);       /* weights.c: every layer's arrays */
void emit_table(text *to, const emission *at);         /* layer.c: the layers */

/* The files, still with $name and $NAME for the program's name (text_fill). */
void emit_header(text *to, const emission *at);
void emit_source(text *to, const emission *at);
rung_status emit_test(text *to, const emission *at);

#endif
