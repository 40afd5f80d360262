/* The analysis from the inside: analysis.c walks the network and runs it; weights.c and activations.c measure. */
#ifndef RUNG_NN_ANALYSIS_INSIDE_H
#define RUNG_NN_ANALYSIS_INSIDE_H

#include "../model.h"

#include <rung/nn/analysis.h>

/* Signal and noise, and what is counted beside them. */
typedef struct tally {
  double signal, noise;
  int64_t count, clipped, lowest, highest;
} tally;

/* One real x and what the integer q on this grid makes of it. */
typedef struct grid {
  float scale;
  int32_t zero_point, qmin, qmax;
} grid;

static inline void tally_add(tally *to, const grid *on, float x, int32_t q) {
  const double least = (double)on->scale * (on->qmin - on->zero_point - 0.5);
  const double most = (double)on->scale * (on->qmax - on->zero_point + 0.5);
  const double off = (double)x - (double)on->scale * (q - on->zero_point);
  to->signal += (double)x * (double)x;
  to->noise += off * off;
  to->count++;
  to->clipped += (double)x < least || (double)x > most;
  to->lowest += q == on->qmin;
  to->highest += q == on->qmax;
}

double analysis_decibel(double signal, double noise);
/* Shares, sqnr and count. */
void analysis_settle(const tally *from, rung_values_analysis *to);

/* All of `to`, from the weights x [out, in] and the layer made of them. */
rung_status analyze_weights(rung_arena *arena, const rung_integer_layer *layer, const float *x,
                            rung_values_analysis *to);

/* A value that is quantized, while blocks of it come by. */
typedef struct activation_watch {
  const rung_node *node; /* what the quantizer reads: before the rounding, in the simulated graph */
  const rung_quantizer *quantizer;
  rung_observer *observer; /* keeps the histogram */
  tally tally;
} activation_watch;

rung_status activation_open(activation_watch *watch);
void activation_close(activation_watch *watch);
/* The node's present value. */
rung_status activation_add(activation_watch *watch);
rung_status activation_settle(rung_arena *arena, const activation_watch *watch, rung_values_analysis *to);

#endif
