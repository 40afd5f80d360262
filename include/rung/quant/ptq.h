/* rung/quant/ptq.h: post-training quantization, a layer at a time.
 *
 * A method changes the weights of linear layers so that quantizing them costs less, from a few examples and without
 * labels. docs/ptq.md tells what each does; rung_ptq (rung/nn/ptq.h) runs them over a model. */
#ifndef RUNG_QUANT_PTQ_H
#define RUNG_QUANT_PTQ_H

#include <rung/quant.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- A layer, as a method sees it ------------------------------------------------------------------------------- */

/* y = W x + b, row-major. What is not const is the method's to change. */
typedef struct rung_ptq_layer {
  const char *name;
  int64_t in, out, n;   /* n calibration examples, 1 or more for methods that read x */
  float *weight;        /* [out, in]; a rounding method leaves it on the grid of `scale` */
  float *bias;          /* [out], or NULL: the layer adds nothing */
  float *scale;         /* [1] per tensor, [out] per channel, [out, groups] per group: a rounding method writes it */
  const float *x;       /* [n, in]: what the layer reads in the network quantized so far, as reals; NULL: not known */
  const float *x_float; /* [n, in]: what it reads in the float network; NULL: not known */
  rung_format format;   /* of the weight: signed and symmetric */
  rung_granularity granularity;
  int64_t group;    /* RUNG_PER_GROUP: inputs that share a scale; the last group of a row may be short */
  rung_clamp clamp; /* what y goes through */
  float damping;    /* written by rung_ptq_gptq */
  rung_rng rng;     /* of methods that draw */
  rung_team *team;  /* NULL: the calling thread alone */
} rung_ptq_layer;

/* How many weights' scales the layer has, and scale `index`'s weights: `count` of them, one behind the other. */
RUNG_API int64_t rung_ptq_scale_count(const rung_ptq_layer *layer);
RUNG_API float *rung_ptq_scaled_weights(const rung_ptq_layer *layer, int64_t index, int64_t *count);
/* RUNG_ERROR_ARGUMENT or RUNG_ERROR_SHAPE, naming the layer, where it is none that a rounding method takes:
 * `needs_x`: one that has no x. RUNG_ERROR_NUMERIC where a weight is not finite. */
RUNG_API rung_status rung_ptq_check_layer(const rung_ptq_layer *layer, bool needs_x);

/* w[i] = scale q, q the nearest of the format's integers (eq. 2, zero point 0; of binary weights the sign), i < n. */
RUNG_API void rung_ptq_round(const rung_format *format, float *w, int64_t n, float scale);
/* The scale that needs no search: max|w| / qmax (eq. 5); of binary weights the mean magnitude. */
RUNG_API float rung_ptq_max_scale(const rung_format *format, const float *w, int64_t n);

/* ---- Rounding methods: each writes scales, and weights that lie on them ----------------------------------------- */

/* Round to nearest (RTN): what rung_calibrate does. Needs no x. */
RUNG_API rung_status rung_ptq_nearest(rung_ptq_layer *layer);

typedef struct rung_mse_options {
  int steps;   /* candidates: the largest magnitude times 1, (steps - 1) / steps ...; 0: 100 */
  float least; /* ... down to this part of it, 0 < least <= 1; 0: 0.2 */
} rung_mse_options;

/* Round to nearest with the scale, of those on a grid below the largest magnitude, that has the least squared error of
 * the weights that share it: clipping the few may serve the many. Needs no x. `options` may be NULL. */
RUNG_API rung_status rung_ptq_mse(rung_ptq_layer *layer, const rung_mse_options *options);

typedef struct rung_gptq_options {
  float damping;      /* what H's diagonal is raised by, as a share of its mean; 0: 0.01 */
  int block;          /* columns after which the rest is updated at once: speed alone; 0: 128 */
  bool act_order;     /* columns with the largest diagonal of H first. Group scales are then static */
  bool static_groups; /* group scales from the weights as they came, not as the earlier columns left them */
  bool mse;           /* scales by rung_ptq_mse's search rather than from the largest magnitude */
} rung_gptq_options;

/* GPTQ (Frantar et al., ICLR 2023): columns one after another, each to the nearest; what that changes in y the columns
 * still to come make good, as far as H = 2 x^T x / n lets them. A column of x that is all zeros gets weights 0. Where H
 * is too ill-conditioned for f32 the damping is raised tenfold until it is not: layer->damping tells what was used.
 * RUNG_ERROR_NUMERIC where x is not finite or its squares overflow. `options` may be NULL. */
RUNG_API rung_status rung_ptq_gptq(rung_ptq_layer *layer, const rung_gptq_options *options);

/* ---- The list of methods ---------------------------------------------------------------------------------------- */

typedef enum rung_ptq_method { /* rows of src/quant/ptq_list.h */
                               RUNG_PTQ_NEAREST = 0,
                               RUNG_PTQ_MSE,
                               RUNG_PTQ_GPTQ,
                               RUNG_PTQ_METHOD_COUNT
} rung_ptq_method;

typedef enum rung_ptq_phase {
  RUNG_PTQ_TRANSFORM = 0, /* on the float network, which goes on computing what it did */
  RUNG_PTQ_ROUNDING,      /* layer by layer; one method of these at most */
  RUNG_PTQ_CORRECTION     /* after all rounding */
} rung_ptq_phase;

RUNG_API const char *rung_ptq_method_name(rung_ptq_method method); /* "nearest", "mse", ... */
RUNG_API rung_ptq_phase rung_ptq_method_phase(rung_ptq_method method);

/* Which methods, and their parameters. Zero: RTN. */
typedef struct rung_ptq_options {
  uint32_t methods; /* bit 1 << method for each; no rounding method among them: RUNG_PTQ_NEAREST */
  rung_mse_options mse;
  rung_gptq_options gptq;
} rung_ptq_options;

/* "cle,mse,bias-correction" into `methods`. RUNG_ERROR_ARGUMENT: a name that is none, one that comes twice, or two
 * rounding methods; the message names it. */
RUNG_API rung_status rung_ptq_parse(const char *text, uint32_t *methods);
/* The same of bits, and the parameters' ranges. */
RUNG_API rung_status rung_ptq_check_options(const rung_ptq_options *options);
/* Rounds the layer by the rounding method of `options`. */
RUNG_API rung_status rung_ptq_round_layer(rung_ptq_layer *layer, const rung_ptq_options *options);

#ifdef __cplusplus
}
#endif

#endif
