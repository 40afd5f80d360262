/* The part of a scheme that is of single layers. */
#ifndef RUNG_LAYER_SCHEME_H
#define RUNG_LAYER_SCHEME_H

#include <rung/quant.h>

/* Bits in range, names that are there, and each once. */
rung_status layer_schemes_check(const rung_scheme *scheme);

#endif
