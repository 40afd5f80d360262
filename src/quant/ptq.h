/* What a method is from the inside: one ptq_method, in ptq/NAME.c, and its row in ptq_list.h. */
#ifndef RUNG_PTQ_INSIDE_H
#define RUNG_PTQ_INSIDE_H

#include <rung/quant/ptq.h>

#include "ptq_list.h"

typedef struct ptq_method {
  const char *name;
  rung_ptq_phase phase;
  /* RUNG_PTQ_ROUNDING: what rounds a layer. */
  rung_status (*round)(rung_ptq_layer *layer, const rung_ptq_options *options);
  /* The method's parameters; NULL: it has none. */
  rung_status (*check)(const rung_ptq_options *options);
} ptq_method;

#define PTQ_DECLARE(method, structure) extern const ptq_method structure;
PTQ_LIST(PTQ_DECLARE)

/* The scale of the weights w [n] that share it: by rung_ptq_mse's search with its defaults, or rung_ptq_max_scale's. */
float ptq_scale(const rung_format *format, const float *w, int64_t n, bool search);
/* That of every scale of the layer, from its weights as they are. */
void ptq_find_scales(rung_ptq_layer *layer, bool search);

#endif
