/* A float graph and its two quantized ones, from the inside: lower.c makes these, quantization.c and watch.c are what
 * can be asked of them. */
#ifndef RUNG_QUANTIZATION_H
#define RUNG_QUANTIZATION_H

#include <rung/quant.h>

/* What stands for one node of the float graph in one of the new ones. */
typedef struct image {
  rung_node *exact; /* its own kind: f32, or integers where it is a quantized layer */
  rung_node *grid;  /* on the quantization grid: integers, or fake-quantized f32 */
  rung_node *real;  /* f32 */
} image;

struct rung_quantization {
  rung_scheme scheme;
  rung_graph *source;
  rung_graph *graph[2];       /* by rung_arithmetic */
  image *images[2];           /* [nodes of source] */
  rung_quantizer **quantizer; /* [nodes of source]; NULL where none */
  rung_quantizer **grid;      /* [nodes of source]: of integers that become others, which does not move; NULL */
  rung_oscillation_options oscillation; /* in force; the layers look here */
  rung_graph *given, *learned;  /* parameters beside those of source: scales from outside, and those that train */
  rung_node **weight_scale;     /* [nodes of source], of weights: in one of these; NULL where none */
  rung_node **activation_scale; /* [nodes of source], of those quantized, in `learned`; NULL where none */
};

/* Records the graph of this arithmetic: RUNG_ARITHMETIC_INTEGER first. */
rung_status quantization_lower(rung_quantization *quantization, rung_arithmetic arithmetic);

#endif
