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

#endif
