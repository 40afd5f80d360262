/* A method of training at few bits is data: how values that share a scale become integers, and what of the gradient
 * comes back. One file a method in qat/, one row in qat_list.h; the formulas are in docs/low-bit.md. */
#ifndef RUNG_QAT_H
#define RUNG_QAT_H

#include <rung/quant.h>

#include "qat_list.h"

/* Of the n weights w that share a scale: y[i] = scale q[i]. */
typedef struct weight_method {
  const char *name;
  int least_bits, most_bits;
  bool learns; /* the scale is a parameter, which starts as `scale` makes it */
  bool clamps; /* the shadows are held in [-1, 1] after each step */
  bool odd;    /* the integers are the odd ones from 1 - 2^bits to 2^bits - 1: a bit more to store */
  /* What the scale is while no other is given; a positive, normal number. */
  float (*scale)(const rung_format *format, const float *w, int64_t n);
  /* Where |w| is at most this, q is 0; NULL: quantize is to decide. */
  float (*threshold)(const float *w, int64_t n);
  void (*quantize)(const rung_format *format, const float *w, int64_t n, float scale, float threshold, int8_t *q);
  /* The gradient g [n] of y becomes, in place, that of w; returns that of the scale, if it is learned. NULL: straight
   * through. */
  double (*backward)(const rung_format *format, float *g, const float *w, const int8_t *q, int64_t n, float scale);
  bool masks_given; /* backward changes nothing unless the scale comes from outside */
} weight_method;

/* What is known of an activation tensor: integers qmin .. qmax, zero point 0 for all methods but `observed`. */
typedef struct activation_grid {
  float scale;
  int32_t qmin, qmax;
} activation_grid;

typedef struct activation_method {
  const char *name;
  bool observes; /* the range follows what is observed, in training too */
  /* The scale while the model is calibrated, from the mean of |x| and the observed range's scale. */
  float (*calibrate)(const rung_format *format, double mean_magnitude, float observed);
  /* Where the scale is learned: the parameter that stands for it, and back. NULL: it is not. */
  float (*parameter)(float scale, int32_t qmax);
  float (*scale)(float parameter, int32_t qmax);
  /* The gradient g [n] of y becomes, in place, that of x; returns the sum that `gradient` makes the parameter's
   * gradient of, `features` being the elements of an example. */
  double (*backward)(float *g, const float *x, int64_t n, const activation_grid *grid);
  double (*gradient)(double sum, float parameter, int64_t features, int32_t qmax, float clip_decay);
} activation_method;

#define WEIGHT_METHOD_DECLARE(kind, structure) extern const weight_method structure;
WEIGHT_METHOD_LIST(WEIGHT_METHOD_DECLARE)
#define ACTIVATION_METHOD_DECLARE(kind, structure) extern const activation_method structure;
ACTIVATION_METHOD_LIST(ACTIVATION_METHOD_DECLARE)
extern const weight_method binary_weights;

/* Weights of one bit are binary where the method has no form of its own for them. */
const weight_method *weight_method_of(rung_weight_method kind, int bits);
const activation_method *activation_method_of(rung_activation_method kind);
/* Whether the method trains at so many bits. */
rung_status weight_method_check(rung_weight_method kind, int bits);

/* Sums have 16 lanes and a tree, as everywhere. QAT_ADD adds `term` of i = 0 .. n-1 to the lanes. */
enum { QAT_LANES = 16 };
#define QAT_ADD(lane, n, i, term)                                                                                      \
  for (int64_t first_ = 0; first_ < (n); first_ += QAT_LANES) {                                                        \
    if (first_ + QAT_LANES <= (n))                                                                                     \
      for (int64_t i = first_; i < first_ + QAT_LANES; i++) (lane)[i - first_] += (term);                              \
    else                                                                                                               \
      for (int64_t i = first_; i < (n); i++) (lane)[i - first_] += (term);                                             \
  }
double qat_sum(double lane[QAT_LANES]);

#endif
