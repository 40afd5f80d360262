/* What a method is from the inside: one ptq_method, in ptq/NAME.c, and its row in ptq_list.h. */
#ifndef RUNG_PTQ_INSIDE_H
#define RUNG_PTQ_INSIDE_H

#include <rung/quant/ptq.h>

#include "ptq_list.h"

/* What a method does not do is NULL. */
typedef struct ptq_method {
  const char *name;
  rung_ptq_phase phase;
  rung_status (*check)(const rung_ptq_options *options); /* its parameters */
  rung_status (*transform_network)(rung_ptq_layer *layers, int count, const rung_ptq_options *options);
  rung_status (*transform_layer)(rung_ptq_layer *layer, const rung_ptq_options *options); /* reads x_float */
  rung_status (*round)(rung_ptq_layer *layer, const rung_ptq_options *options);
  rung_status (*correct)(rung_ptq_layer *layer, const rung_ptq_options *options);
} ptq_method;

#define PTQ_DECLARE(method, structure) extern const ptq_method structure;
PTQ_LIST(PTQ_DECLARE)

/* The scale of the weights w [n] that share it: by rung_ptq_mse's search with its defaults, or rung_ptq_max_scale's. */
float ptq_scale(const rung_format *format, const float *w, int64_t n, bool search);
/* That of every scale of the layer, from its weights as they are. */
void ptq_find_scales(rung_ptq_layer *layer, bool search);

/* Whether a scale passes from the layer's `before` to it. */
bool ptq_passes_scale(const rung_ptq_layer *layer);
/* RUNG_ERROR_UNSUPPORTED, saying why, where it does not; RUNG_ERROR_SHAPE where the two do not fit. */
rung_status ptq_check_pair(const rung_ptq_layer *layer);
/* Input j of the layer times s, output j of its `before` divided by s. */
void ptq_move_scale(rung_ptq_layer *layer, int64_t j, float s);
/* The largest magnitude of column j. */
float ptq_column_max(const rung_ptq_layer *layer, int64_t j);
/* base^exponent, base > 0: the same bits everywhere. */
float ptq_power(float base, float exponent);
/* error[j] (double, [out]) = sum over x's rows of (sum_k x[., first + k] d[j, first + k])^2, k < count; d [out, in]. */
rung_status ptq_output_error(const rung_ptq_layer *layer, const float *x, const float *d, int64_t first, int64_t count,
                             double *error);

#endif
