/* A method of training at few bits is data: how the weights that share a scale become integers, and what of the
 * gradient comes back. One file a method in qat/, one row in qat_list.h. */
#ifndef RUNG_QAT_H
#define RUNG_QAT_H

#include <rung/quant.h>

#include "qat_list.h"

/* y[i] = scale q[i] for the n weights w that share a scale. */
typedef struct weight_method {
  const char *name;
  /* What the scale is while no other is given; a positive, normal number. */
  float (*scale)(const rung_format *format, const float *w, int64_t n);
  void (*quantize)(const rung_format *format, const float *w, int64_t n, float scale, int8_t *q);
} weight_method;

#define WEIGHT_METHOD_DECLARE(kind, structure) extern const weight_method structure;
WEIGHT_METHOD_LIST(WEIGHT_METHOD_DECLARE)

const weight_method *weight_method_of(rung_weight_method kind);

#endif
