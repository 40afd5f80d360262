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
  float *scale;         /* [1] per tensor, [out] per channel, [out, groups] per group: rounding writes it */
  const float *x;       /* [n, in]: what the layer reads in the network quantized so far, as reals; NULL: unknown */
  const float *x_float; /* [n, in]: what it reads in the float network; NULL: unknown */
  const float *weight_float; /* [out, in]: the weight before it was rounded; of methods that come after */
  rung_format format;        /* of the weight: signed and symmetric */
  rung_granularity granularity;
  int64_t group;    /* RUNG_PER_GROUP: inputs that share a scale; the last group of a row may be short */
  rung_clamp clamp; /* what y goes through */
  float damping;    /* written by rung_ptq_gptq */
  rung_rng rng;     /* of methods that draw */
  rung_team *team;  /* NULL: the calling thread alone */
  /* The layer whose y, behind its clamp, is what this one reads, element by element, and nothing else does; NULL where
   * there is none: this one reads the network's input, or an activation that no scale passes. */
  struct rung_ptq_layer *before;
  const rung_node *node; /* of the float graph; NULL: the layer stands alone */
} rung_ptq_layer;

/* The linear layers of a float graph whose batch norms are folded (rung_quantization_new), in order of recording: their
 * weights and biases are the graph's own, x and the like are NULL. One block, to be released by rung_release; NULL with
 * a message, RUNG_ERROR_UNSUPPORTED where two layers share a weight. */
RUNG_API rung_ptq_layer *rung_ptq_layers_new(const rung_graph *graph, const rung_scheme *scheme, int *count);

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

typedef struct rung_adaround_options {
  int steps;            /* 0: 10,000 */
  int batch;            /* examples a step, drawn by the layer's rng; 0: 32 */
  float rate;           /* Adam's; 0: 1e-3 */
  float regularization; /* lambda; 0: 0.01 */
  float beta_start;     /* the regularizer's exponent after the warm start; 0: 20 */
  float beta_end;       /* ... and at the end; linear in between; 0: 2 */
  float warm_start;     /* the part of the steps that goes without the regularizer; 0: 0.2 */
  bool mse;             /* scales by rung_ptq_mse's search rather than from the largest magnitude */
} rung_adaround_options;

/* AdaRound (Nagel et al., ICML 2020): learns for each weight whether it goes down or up, so that clamp(W x + b) stays
 * near what it is in the float network. Formats of 2 bits and more. RUNG_ERROR_NUMERIC, the weights unchanged, where x
 * is not finite or learning overflows. `options` may be NULL. */
RUNG_API rung_status rung_ptq_adaround(rung_ptq_layer *layer, const rung_adaround_options *options);

/* ---- Transforms: the float network goes on computing what it did, up to rounding --------------------------------- */

/* For any s[j] > 0 a ReLU passes s: what layer->before puts out, divided by s[j], times column j of layer->weight
 * multiplied by s[j], is what it was. ReLU6 passes no scale, so such layers are left alone. */

typedef struct rung_cle_options {
  int rounds;      /* over all pairs, at most; 0: 100 */
  float tolerance; /* a round in which no s is farther from 1 than this is the last; 0: 1e-3 */
} rung_cle_options;

/* Cross-layer equalization (Nagel et al., 2019, section 4.1; eq. 40): between every layer and its `before`, row j of
 * the one and column j of the other get the same largest magnitude, until it stays. Needs no x. RUNG_ERROR_UNSUPPORTED
 * where no layer of the `count` has a `before` that a scale passes. `options` may be NULL. */
RUNG_API rung_status rung_ptq_equalize(rung_ptq_layer *layers, int count, const rung_cle_options *options);

typedef struct rung_smooth_options {
  float alpha; /* how much of a range moves from activations to weights, 0 .. 1; 0: 0.5 */
} rung_smooth_options;

/* SmoothQuant (Xiao et al., 2023; eq. 41): s[j] = max|x_j|^alpha / max|w_j|^(1 - alpha), from x_float.
 * RUNG_ERROR_UNSUPPORTED where the layer has no `before` that a scale passes: it is left as it is. */
RUNG_API rung_status rung_ptq_smooth(rung_ptq_layer *layer, const rung_smooth_options *options);

typedef struct rung_awq_options {
  int steps;      /* exponents r = 0, 1/steps .. (steps - 1)/steps; 0: 20 */
  int clip_steps; /* clips 1, 1 - 1/clip_steps ... down to 0.5, exclusive; 0: 20 */
} rung_awq_options;

/* AWQ (Lin et al., 2024; eq. 42): s[j] = mean|x_j|^r, divided by sqrt(max s min s), with the r whose rounding to
 * nearest has the least squared error of the layer's output over x_float. `scale` is scratch. RUNG_ERROR_UNSUPPORTED as
 * above. */
RUNG_API rung_status rung_ptq_awq_scale(rung_ptq_layer *layer, const rung_awq_options *options);
/* AWQ's rounding (eq. 43): to nearest, each scale's weights clipped where the squared error of their part of the output
 * over x is least. */
RUNG_API rung_status rung_ptq_awq_clip(rung_ptq_layer *layer, const rung_awq_options *options);

/* ---- Corrections: after rounding -------------------------------------------------------------------------------- */

/* Empirical bias correction (Nagel et al., 2019, section 4.2; eq. 44): the bias takes up the mean error of the output,
 * b += mean(weight_float x_float) - mean(weight x). RUNG_ERROR_UNSUPPORTED where the layer has no bias. */
RUNG_API rung_status rung_ptq_correct_bias(rung_ptq_layer *layer);

/* ---- The list of methods ---------------------------------------------------------------------------------------- */

typedef enum rung_ptq_method { /* rows of src/quant/ptq_list.h; transforms come in this order */
                               RUNG_PTQ_NEAREST = 0,
                               RUNG_PTQ_MSE,
                               RUNG_PTQ_GPTQ,
                               RUNG_PTQ_ADAROUND,
                               RUNG_PTQ_CLE,
                               RUNG_PTQ_SMOOTHQUANT,
                               RUNG_PTQ_AWQ,
                               RUNG_PTQ_BIAS_CORRECTION,
                               RUNG_PTQ_METHOD_COUNT
} rung_ptq_method;

typedef enum rung_ptq_phase {
  RUNG_PTQ_TRANSFORM = 0, /* on the float network, which goes on computing what it did */
  RUNG_PTQ_ROUNDING,      /* layer by layer; one method of these at most. Without one: AWQ's clip, if there is AWQ, or
                             nearest */
  RUNG_PTQ_CORRECTION     /* of each layer, once it is rounded */
} rung_ptq_phase;

RUNG_API const char *rung_ptq_method_name(rung_ptq_method method); /* "nearest", "mse", "cle", ... */
RUNG_API rung_ptq_phase rung_ptq_method_phase(rung_ptq_method method);

/* Which methods, and their parameters. Zero: RTN. */
typedef struct rung_ptq_options {
  uint32_t methods; /* bit 1 << method for each */
  rung_mse_options mse;
  rung_gptq_options gptq;
  rung_adaround_options adaround;
  rung_cle_options cle;
  rung_smooth_options smooth;
  rung_awq_options awq;
  /* Told what a method did not do, and why, a line a layer. May be NULL. */
  void (*note)(void *context, const char *layer, const char *what);
  void *context;
} rung_ptq_options;

/* "cle,mse,bias-correction" into `methods`. RUNG_ERROR_ARGUMENT: a name that is none, one that comes twice, or two
 * rounding methods; the message names it. */
RUNG_API rung_status rung_ptq_parse(const char *text, uint32_t *methods);
/* The same of bits, and the parameters' ranges. */
RUNG_API rung_status rung_ptq_check_options(const rung_ptq_options *options);

/* The three phases over a network's layers, in order of computing. */

/* The transforms of `options` that need no x, over all layers. */
RUNG_API rung_status rung_ptq_transform_network(rung_ptq_layer *layers, int count, const rung_ptq_options *options);
/* Whether `method` is among those of `options` and works on one layer with its x_float, and that. A layer that it
 * cannot work on is noted and left. */
RUNG_API bool rung_ptq_transforms_layers(const rung_ptq_options *options, rung_ptq_method method);
RUNG_API rung_status rung_ptq_transform_layer(rung_ptq_layer *layer, rung_ptq_method method,
                                              const rung_ptq_options *options);
/* Rounds the layer by the rounding method of `options`, then corrects it. */
RUNG_API rung_status rung_ptq_round_layer(rung_ptq_layer *layer, const rung_ptq_options *options);

#ifdef __cplusplus
}
#endif

#endif
