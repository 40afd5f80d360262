/* The C emitter from the inside: what is known of a program before a line is written. */
#ifndef EMIT_EMIT_H
#define EMIT_EMIT_H

#include <rung/deploy.h>

#include "text.h"

/* How a layer's weights are stored, and so which dot function it takes. */
typedef struct emit_format {
  int width;       /* bits a weight takes: 8 (int8_t); packed 4, 2 or 1 */
  rung_dtype type; /* the input's */
} emit_format;

#define EMIT_ID_SIZE 96

typedef struct emit_layer {
  char id[EMIT_ID_SIZE]; /* the layer's name as the beginning of C identifiers, unique */
  const rung_instruction *instruction;
  const rung_buffer *input, *output;
  emit_format format;
} emit_layer;

#define EMIT_FORMATS 8 /* 4 widths of weights, 2 types of inputs */

typedef struct emission {
  const rung_program *program;
  const char *name;
  rung_emit_options options;
  int count;
  emit_layer *layer;
  rung_buffer input; /* the caller's */
  int64_t scratch;
  int format_count;
  emit_format format[EMIT_FORMATS]; /* those in use */
  bool grouped, ungrouped;          /* whether a layer is */
  bool binary;                      /* whether a layer gives signs */
  bool ragged;                      /* whether a sum has a number of inputs that is no multiple of 4 */
  rung_emit_report report;
} emission;

/* The number of inputs (and of channels) that the innermost loop takes at once: a unit of weights is 4 channels by 4
 * inputs. The last channels and inputs are filled up with zeros. */
#define EMIT_UNIT 4

int64_t emit_unit_count(const rung_integer_layer *layer); /* units of a layer's weights, with groups: each filled up */
int64_t emit_weight_bytes(const emit_layer *layer);

/* names.c. The layer's name with '_' for what is no part of an identifier, and a number behind it where that name is
 * taken. */
void emit_make_id(emission *at, int index);
rung_status emit_check_name(const char *name);

/* "dot", or "dot_u8_w4" where there is more than one. */
void emit_dot_name(text *to, const emission *at, emit_format format);

/* The parts of NAME.c. */
void emit_layer_type(text *to, const emission *at);    /* layer.c: struct layer */
void emit_dot_functions(text *to, const emission *at); /* dot.c */
void emit_linear(text *to, const emission *at);        /* layer.c: store, linear */
void emit_weights(text *to, const emission *at);       /* weights.c: every layer's arrays */
void emit_table(text *to, const emission *at);         /* layer.c: the layers */

/* The files, still with $name and $NAME for the program's name (text_fill). */
void emit_header(text *to, const emission *at);
void emit_source(text *to, const emission *at);
rung_status emit_test(text *to, const emission *at);

#endif
