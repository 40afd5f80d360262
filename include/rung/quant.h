/* rung/quant.h: schemes, ranges, quantization parameters, and quantized graphs.
 *
 * A real number r is stood for by an integer q: r = scale * (q - zero_point). The equations are numbered in
 * docs/quantization.md; "eq." below refers to them. */
#ifndef RUNG_QUANT_H
#define RUNG_QUANT_H

#include <rung/autograd.h>
#include <rung/core.h>
#include <rung/kernels.h>
#include <rung/quant/formats.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Formats and quantization parameters ------------------------------------------------------------------------ */

/* The integers that stand for a tensor's numbers. */
typedef struct rung_format {
  int bits;       /* 2 .. 8; 1 is binary: q is -1 or +1. Of weights the scale is then the mean magnitude (Rastegari et
                     al., XNOR-Net, 2016), of activations 1 */
  bool is_signed; /* -2^(bits-1) .. 2^(bits-1)-1; otherwise 0 .. 2^bits - 1 */
  bool symmetric; /* zero_point = 0 (signed), and -2^(bits-1) stays unused */
} rung_format;

/* RUNG_ERROR_ARGUMENT where the format is none of the above: "weight_bits 9, expected 1..8". `what` names it. */
RUNG_API rung_status rung_format_check(const rung_format *format, const char *what);
/* The integers in use, qmin .. qmax (eq. 3). */
RUNG_API void rung_format_range(const rung_format *format, int32_t *qmin, int32_t *qmax);
/* Scale and zero point for reals in [rmin, rmax] (eq. 4 affine, eq. 5 symmetric). The range is first widened to hold 0;
 * a range of zeros gives scale 1; a range too narrow for a normal f32 scale gives the smallest normal f32.
 * RUNG_ERROR_NUMERIC where a bound is not finite or rmin > rmax. */
RUNG_API rung_status rung_qparams(const rung_format *format, float rmin, float rmax, float *scale, int32_t *zero_point);

/* m = multiplier * 2^-shift (eq. 7): multiplier odd in [2^30, 2^31), shift in 1 .. 62; m < 2^-32 gives (0, 1), whose
 * product is always 0. RUNG_ERROR_NUMERIC for m <= 0, not finite, or too large (m >= 2^30). */
RUNG_API rung_status rung_multiplier_from_real(double m, int32_t *multiplier, int32_t *shift);

/* Quantizes weight [rows, columns] row by row: one scale a row, or a row and `group` columns (group > 0; the last group
 * of a row may be short): scales [rows, groups]. Symmetric formats. q [rows, columns]. No NaN. */
RUNG_API void rung_quantize_rows(const rung_format *format, const float *weight, int64_t rows, int64_t columns,
                                 int64_t group, int8_t *q, float *scale);

/* ---- Observers: from values to a range -------------------------------------------------------------------------- */

typedef enum rung_observer_kind {
  RUNG_OBSERVER_DEFAULT =
      0, /* of activations: RUNG_OBSERVER_MOVING_AVERAGE at 5 bits and more and at 1, else RUNG_OBSERVER_MSE */
  RUNG_OBSERVER_MIN_MAX,        /* smallest and largest so far */
  RUNG_OBSERVER_MOVING_AVERAGE, /* range += momentum * (batch's range - range); the first batch's range at first */
  RUNG_OBSERVER_PERCENTILE,     /* cuts (1 - percentile) of the values off each side that has values */
  RUNG_OBSERVER_MSE,            /* the range that quantizes a histogram of the values with the least squared error */
  RUNG_OBSERVER_ENTROPY, /* ... with the least Kullback-Leibler divergence (Migacz, 8-bit inference with TensorRT,
                            2017) */
  RUNG_OBSERVER_KIND_COUNT
} rung_observer_kind;

RUNG_API const char *rung_observer_name(rung_observer_kind kind); /* "min-max", "moving-average", "percentile", ... */
RUNG_API rung_status rung_observer_parse(const char *name, rung_observer_kind *kind);

typedef struct rung_observer_options {
  rung_observer_kind kind;
  float momentum;   /* RUNG_OBSERVER_MOVING_AVERAGE; 0: 0.01 */
  float percentile; /* RUNG_OBSERVER_PERCENTILE; 0: 0.9999 */
} rung_observer_options;

typedef struct rung_observer rung_observer;

/* `format` is what the range is for: the MSE and entropy searches depend on it. */
RUNG_API rung_observer *rung_observer_new(const rung_observer_options *options, const rung_format *format);
RUNG_API void rung_observer_free(rung_observer *observer);
/* RUNG_ERROR_NUMERIC, with nothing observed, if x [n] holds a NaN or an infinity. */
RUNG_API rung_status rung_observer_observe(rung_observer *observer, const float *x, int64_t n);
/* Whether a batch's smallest and largest value are all that the observer needs; then this is the same as observing it.
 */
RUNG_API bool rung_observer_needs_range_only(const rung_observer *observer);
RUNG_API void rung_observer_observe_range(rung_observer *observer, float min, float max);
/* Scales what was observed so far by `keep` (0 .. 1) in weight against what comes: histograms only, others ignore it.
 */
RUNG_API void rung_observer_fade(rung_observer *observer, float keep);
/* RUNG_ERROR_STATE before anything was observed. */
RUNG_API rung_status rung_observer_range(const rung_observer *observer, float *rmin, float *rmax);
RUNG_API void rung_observer_reset(rung_observer *observer);

/* What an observer has seen, as plain data: to be stored, and put back. */
enum { RUNG_HISTOGRAM_BINS = 2048 };
typedef struct rung_observer_state {
  uint64_t observed;       /* batches */
  float min, max;          /* 0 before the first */
  bool has_histogram;      /* false: the rest is 0 */
  int32_t exponent, first; /* bin i counts the values in [first + i, first + i + 1) times 2^exponent */
  float low, high;         /* the smallest and largest value counted, and 0 */
  double zeros;            /* exact zeros, which are counted apart */
  double count[RUNG_HISTOGRAM_BINS];
} rung_observer_state;

RUNG_API void rung_observer_get_state(const rung_observer *observer, rung_observer_state *state);
/* RUNG_ERROR_ARGUMENT, with the observer as it was, for what no observer of this kind can have seen. */
RUNG_API rung_status rung_observer_set_state(rung_observer *observer, const rung_observer_state *state);

/* ---- Quantizers: a format, an observer, and the parameters in force --------------------------------------------- */

typedef enum rung_quantizer_state {
  RUNG_QUANTIZER_OFF = 0,   /* nothing observed yet */
  RUNG_QUANTIZER_CALIBRATE, /* observes; its parameters follow */
  RUNG_QUANTIZER_TRAIN,     /* observes what passes and quantizes with the range held before */
  RUNG_QUANTIZER_FROZEN     /* quantizes, and no longer moves */
} rung_quantizer_state;

/* How an activation comes by its scale. All but the first have zero point 0, and observe nothing in training. */
typedef enum rung_activation_method {
  RUNG_ACTIVATIONS_OBSERVED = 0, /* from what the observer sees */
  RUNG_ACTIVATIONS_LSQ,          /* learned (Esser et al., 2020) */
  RUNG_ACTIVATIONS_PACT,         /* a learned clip, which clip_decay keeps small (Choi et al., 2018) */
  RUNG_ACTIVATIONS_UNIT,         /* the range [0, 1], or [-1, 1] of what can be negative */
  RUNG_ACTIVATIONS_COUNT
} rung_activation_method;

RUNG_API const char *rung_activation_method_name(rung_activation_method method); /* "observed", "lsq", "pact", "unit" */
RUNG_API rung_status rung_activation_method_parse(const char *name, rung_activation_method *method);

/* Of one activation tensor. Read it; the functions here change it. */
typedef struct rung_quantizer {
  char name[64];
  rung_format format;
  rung_observer *observer;
  rung_quantizer_state state;
  int32_t qmin, qmax;
  float scale; /* valid from CALIBRATE on */
  int32_t zero_point;
  uint64_t observed; /* batches */
  rung_activation_method method;
  float clip_decay; /* of RUNG_ACTIVATIONS_PACT */
  double magnitude; /* sum of |x| over the values observed, which a learned scale starts from */
  double values;
} rung_quantizer;

RUNG_API rung_quantizer *rung_quantizer_new(const char *name, const rung_format *format,
                                            const rung_observer_options *observer);
/* ... by another method than observing. `clip_decay` as in rung_scheme. */
RUNG_API rung_quantizer *rung_quantizer_new_with(const char *name, const rung_format *format,
                                                 const rung_observer_options *observer, rung_activation_method method,
                                                 float clip_decay);
RUNG_API void rung_quantizer_free(rung_quantizer *quantizer);
/* Observes and takes over the new range: in CALIBRATE and TRAIN; OFF becomes CALIBRATE; FROZEN ignores it. */
RUNG_API rung_status rung_quantizer_observe(rung_quantizer *quantizer, const float *x, int64_t n);
RUNG_API rung_status rung_quantizer_observe_range(rung_quantizer *quantizer, float min, float max);
/* Takes parameters that are known, from a file for instance, in place of all that was observed: OFF becomes CALIBRATE.
 * Training goes on from that range; an observer that needs the values begins anew with them.
 * RUNG_ERROR_ARGUMENT: the scale is no positive, normal number, or the zero point is not among the format's integers.
 */
RUNG_API rung_status rung_quantizer_set(rung_quantizer *quantizer, float scale, int32_t zero_point);
/* Puts back what was stored of a quantizer (its observer's part: rung_observer_set_state). RUNG_ERROR_ARGUMENT, with
 * the quantizer as it was, for a scale that is not a positive number or a zero point outside qmin .. qmax. */
RUNG_API rung_status rung_quantizer_restore(rung_quantizer *quantizer, rung_quantizer_state state, float scale,
                                            int32_t zero_point, uint64_t observed);

/* ---- Schemes ---------------------------------------------------------------------------------------------------- */

typedef enum rung_ranges {
  RUNG_RANGES_DELAYED = 0, /* a step quantizes with the range held before it, and observes as it goes: one pass */
  RUNG_RANGES_CURRENT      /* ... with the range that includes this batch: two passes, as other frameworks do */
} rung_ranges;

/* What the gradients of a quantized layer's input and weights are computed in. The forward pass, the loss, the bias's
 * gradient and the optimizer are the same for all. */
typedef enum rung_backward {
  RUNG_BACKWARD_F32 = 0,
  /* Operands rounded to bfloat16, sums in f32. Where the processor has bfloat16 dot products (level v4bf16), their
   * order of summing is its own: the one case in which two machines may train to different bits. */
  RUNG_BACKWARD_BF16,
  /* The gradient of the layer's output as int8, one scale a tensor, rounded stochastically with random bits from the
   * graph's seed (eq. 14; Gupta et al., 2015); products in integers (eq. 16), the same bits everywhere. With weight
   * groups the input's gradient stays in f32. Batch and outputs at most RUNG_IGEMM_K_MAX. Meant for QAT from a trained
   * FP32 model. */
  RUNG_BACKWARD_INT8,
  RUNG_BACKWARD_COUNT
} rung_backward;

RUNG_API const char *rung_backward_name(rung_backward backward); /* "f32", "bf16", "int8" */
RUNG_API rung_status rung_backward_parse(const char *name, rung_backward *backward);

/* What becomes of a batch norm behind a linear layer (docs/batch-norm.md). */
typedef enum rung_batch_norm_mode {
  RUNG_BATCH_NORM_FOLD = 0, /* it folds into the layer's weights and bias when the network is quantized, for good */
  /* It stays: training normalizes each batch by its own statistics, evaluation and the frozen program by the running
   * ones, merged into the layer's multipliers and biases (eq. 30 to 34), or into the thresholds that these are to few
   * bits. */
  RUNG_BATCH_NORM_MERGE,
  RUNG_BATCH_NORM_MODE_COUNT
} rung_batch_norm_mode;

RUNG_API const char *rung_batch_norm_mode_name(rung_batch_norm_mode mode); /* "fold", "merge" */
RUNG_API rung_status rung_batch_norm_mode_parse(const char *name, rung_batch_norm_mode *mode);

/* How a weight comes by its scale and integers (src/quant/qat_list.h; docs/low-bit.md). */
typedef enum rung_weight_method {
  RUNG_WEIGHTS_MAX = 0, /* the largest magnitude on the last integer (eq. 5); binary: the mean magnitude */
  RUNG_WEIGHTS_LSQ,     /* learned (Esser et al., 2020); of 2 to 7 bits, -2^(bits-1) is in use too */
  RUNG_WEIGHTS_DOREFA,  /* tanh, then 2^bits even steps without a 0 (Zhou et al., 2016); 1 .. 7 bits */
  RUNG_WEIGHTS_TERNARY, /* by a threshold of 0.7 mean|w| (Li and Liu, 2016); 2 bits */
  RUNG_WEIGHTS_UNIT,    /* 1 / qmax, shadows held in [-1, 1] (Courbariaux et al., BinaryConnect, 2015) */
  RUNG_WEIGHTS_COUNT
} rung_weight_method;

RUNG_API const char *rung_weight_method_name(rung_weight_method method); /* "max", "lsq", "dorefa", ... */
RUNG_API rung_status rung_weight_method_parse(const char *name, rung_weight_method *method);

/* What one layer has in place of the scheme's: one of the two at least. */
typedef struct rung_layer_scheme {
  const char *name;    /* "fc1" of the layer with the weight "fc1.weight" */
  int weight_bits;     /* 0: the scheme's */
  int activation_bits; /* of what the layer puts out, behind its activation; the logits are not concerned. 0: as above
                        */
} rung_layer_scheme;

/* How a network is quantized. Zero is w8a8: weights signed, symmetric, per channel; activations unsigned, affine, per
 * tensor. */
typedef struct rung_scheme {
  int weight_bits; /* 1 .. 8; 0: 8 */
  /* 1 .. 8; 0: 8. At 1 bit q is -1 or +1, the sign, +1 of 0, with scale 1 unless another is given; the gradient passes
   * where |x| is at most the scale (Courbariaux et al., Binarized Neural Networks, 2016). Signed then, and symmetric.
   */
  int activation_bits;
  /* 0: inputs that come as 8-bit integers keep these, others have activation_bits. 1 .. 8: all are quantized to so many
   * bits. Of 8-bit integers, rescaled or not (rung_rescale), the range is known, that of their type, and a table of 256
   * entries does it; signed and symmetric where there are negative numbers, else unsigned. */
  int input_bits;
  rung_granularity weight_granularity;
  int64_t weight_group;           /* RUNG_PER_GROUP: a positive multiple of 4 */
  bool activation_signed;         /* i8 rather than u8 */
  bool activation_symmetric;      /* zero point 0 (needs activation_signed) */
  rung_observer_options observer; /* of activations */
  rung_ranges ranges;
  rung_backward backward;
  rung_batch_norm_mode batch_norm;
  rung_weight_method weights;
  rung_activation_method activations;
  /* 8 .. 32; 0: 32. The magnitudes of each channel's (with groups: each group's) integers are brought down until no sum
   * of its products can leave a signed integer of so many bits, whatever the inputs (eq. 68, 69; docs/accumulators.md).
   * The bias is not in that sum. RUNG_ERROR_ARGUMENT where weights have no 0 and are too many. */
  int accumulator_bits;
  float clip_decay; /* RUNG_ACTIVATIONS_PACT: the loss has clip_decay alpha^2 / 2 added; 0: 2e-4 */
  /* Other than RUNG_STORAGE_F32: weights of linear layers are what this format keeps of them, with scales as
   * weight_granularity says, current ones; all else stays f32. Nothing is an integer then: the form is
   * RUNG_FORM_SIMULATED, and rung_freeze refuses it. Not RUNG_STORAGE_NF4_DOUBLE. */
  rung_storage_format weight_storage;
  /* Layers with bits of their own: mixed precision. Borrowed; what takes a scheme copies them. */
  const rung_layer_scheme *layers;
  int layer_count;
} rung_scheme;

RUNG_API rung_status rung_scheme_check(const rung_scheme *scheme);
/* The scheme with the bits that layer `name` has. */
RUNG_API rung_scheme rung_scheme_of_layer(const rung_scheme *scheme, const char *name);
/* RUNG_ERROR_ARGUMENT where the scheme has bits for a layer that `graph` has not: "layer 'fc9': expected one of fc1,
 * fc2".
 */
RUNG_API rung_status rung_scheme_check_names(const rung_scheme *scheme, const rung_graph *graph);
/* A copy of the layers and their names in one block, to be released by rung_release; NULL with a message, or where
 * there are none. */
RUNG_API rung_layer_scheme *rung_scheme_copy_layers(const rung_scheme *scheme);
/* The layer that a parameter "fc1.weight" belongs to: "fc1" in `name`, which is also returned, cut to `size` bytes. */
RUNG_API const char *rung_layer_name(const rung_node *parameter, char *name, size_t size);
#define RUNG_LAYER_NAME 128 /* bytes: names of layers of a scheme are shorter */
/* "w4a8" into `scheme`'s bits. RUNG_ERROR_ARGUMENT: "bits 'w9a0': expected wNaM with N and M in 1..8". */
RUNG_API rung_status rung_scheme_parse_bits(const char *text, rung_scheme *scheme);
/* "fc1=w8a8", "fc1=w8" or "fc1=a8": the name is copied to `name`, which the layer borrows; and back. */
RUNG_API rung_status rung_layer_scheme_parse(const char *text, rung_layer_scheme *layer, char name[RUNG_LAYER_NAME]);
#define RUNG_LAYER_TEXT (RUNG_LAYER_NAME + 8)
RUNG_API const char *rung_layer_scheme_format(const rung_layer_scheme *layer, char text[RUNG_LAYER_TEXT]);
RUNG_API rung_format rung_scheme_weight_format(const rung_scheme *scheme);
RUNG_API rung_format rung_scheme_activation_format(const rung_scheme *scheme);

/* ---- Operations ------------------------------------------------------------------------------------------------- */

/* y = scale (quantize(x) - zero_point), the gradient straight through inside the range and zero outside (eq. 6; Bengio
 * et al., 2013). The quantizer's parameters are read at each replay; in training it observes x, delayed or current. */
RUNG_API rung_node *rung_fake_quantize(rung_node *x, rung_quantizer *quantizer, rung_ranges ranges);
/* ... with a learned scale: `parameter` [1] is what the quantizer's method trains. It is 0 until the first training
 * step, which sets it to what the quantizer has; from then on the quantizer follows it. NULL: none. */
RUNG_API rung_node *rung_fake_quantize_with(rung_node *x, rung_node *parameter, rung_quantizer *quantizer,
                                            rung_ranges ranges);
/* The same for a weight [rows, ...], its scales from its own present values. */
RUNG_API rung_node *rung_fake_quantize_weight(rung_node *weight, const rung_format *format,
                                              rung_granularity granularity, int64_t group);
/* ... by another method, with scales from outside: scale [rows, groups], or [1] per tensor, where a 0 leaves that scale
 * to the method. `scale` may be NULL: all 0. */
typedef struct rung_weight_options {
  rung_format format;
  rung_granularity granularity;
  int64_t group;
  rung_weight_method method;
  int32_t limit; /* of the sum of magnitudes of a row's, or group's, integers (eq. 68); 0: none */
} rung_weight_options;

RUNG_API rung_node *rung_fake_quantize_weight_with(rung_node *weight, rung_node *scale,
                                                   const rung_weight_options *options);
/* What `storage` keeps of a weight [rows, columns] (rung/quant/formats.h), the gradient straight through. */
RUNG_API rung_node *rung_store_weight(rung_node *weight, const rung_storage *storage);
/* f32 -> integers, and integers -> f32. */
RUNG_API rung_node *rung_quantize_node(rung_node *x, rung_quantizer *quantizer, rung_ranges ranges);
RUNG_API rung_node *rung_quantize_node_with(rung_node *x, rung_node *parameter, rung_quantizer *quantizer,
                                            rung_ranges ranges);
RUNG_API rung_node *rung_dequantize_node(rung_node *x);

/* The linear layer on integers. x is u8 or i8 with scale and zero point; the int8 copy of the weight is made from the
 * shadow as it stands. With `output` y is its integers, relu'd first if asked; without, y is i32 logits on one common
 * scale (eq. 10). */
typedef enum rung_clamp { RUNG_CLAMP_NONE = 0, RUNG_CLAMP_RELU, RUNG_CLAMP_RELU6 } rung_clamp;

typedef struct rung_quantized_linear_options {
  rung_format weight_format;
  rung_granularity granularity;
  int64_t group;
  rung_clamp clamp;
  rung_quantizer *output; /* borrowed; NULL: logits */
  bool accumulators;      /* y is f32, s_x s_w acc + b, in training; not computed in evaluation (rung_merged_linear) */
  rung_ranges ranges;
  rung_backward backward;
  rung_weight_method weights;
  int32_t weight_limit;    /* as in rung_weight_options */
  rung_node *weight_scale; /* [out, groups], or [1] per tensor, as in rung_fake_quantize_weight_with; or NULL */
  rung_node *output_scale; /* [1], as in rung_fake_quantize_with; or NULL */
} rung_quantized_linear_options;

RUNG_API rung_node *rung_quantized_linear(rung_node *x, rung_node *weight, rung_node *bias,
                                          const rung_quantized_linear_options *options);

/* What a linear layer, a batch norm behind it and a clamp become in evaluation: one integer layer, the batch norm with
 * its running statistics merged into it (docs/batch-norm.md, eq. 30 to 34). `linear` gives accumulators; `norm`, which
 * reads it, may be NULL; `clamp` stands behind. `x` is what training computes of them: the same clamped, or that
 * quantized (rung_quantize_node), in which case the value is integers, else logits. In training the value is x's. */
RUNG_API rung_node *rung_merged_linear(rung_node *x, rung_node *linear, rung_node *norm, rung_clamp clamp);

/* The integers of such a layer as its last replay used them: what a frozen program is made of. Borrowed. */
typedef struct rung_integer_layer {
  int64_t in, out, group, groups; /* groups: 1 without */
  rung_format weight_format;
  const int8_t *weight;               /* [out, in] */
  const float *weight_scale;          /* [out, groups] */
  const int32_t *bias;                /* [out, groups]: with -zero_point_x * sum_k w added */
  const int64_t *bias64;              /* [out]; groups only */
  const int32_t *multiplier;          /* [out, groups] */
  const int32_t *shift;               /* [out] */
  rung_dtype input_type, output_type; /* output_type I32: logits */
  float input_scale, output_scale;
  int32_t input_zero_point, output_zero_point;
  int32_t input_qmin, input_qmax; /* what the input can be */
  bool input_binary;              /* ... -1 and 1 alone */
  int32_t qmin, qmax;             /* the output's clamp; ReLU is in it */
  bool binary;                    /* the output is the sign, -1 or 1, and never 0 (eq. 33) */
} rung_integer_layer;

/* RUNG_ERROR_ARGUMENT where the node is no quantized linear layer; RUNG_ERROR_STATE before its first replay. */
RUNG_API rung_status rung_integer_layer_view(const rung_node *node, rung_integer_layer *layer);
/* The weight that such a layer was made from; NULL where the node is none. */
RUNG_API const rung_node *rung_integer_layer_weight(const rung_node *node);
/* Whether the node is a linear layer recorded with `accumulators`: a part of the rung_merged_linear behind it. */
RUNG_API bool rung_node_gives_accumulators(const rung_node *node);

/* Bytes of such a layer's parameters: weights at their own bits; a bias, a multiplier (4 bytes each) and a shift (1
 * byte) a channel, or group of one. Reads in, out, group, groups and weight_format. */
RUNG_API int64_t rung_integer_layer_bytes(const rung_integer_layer *layer);

/* What 8-bit integers become before the first layer reads them. */
typedef struct rung_input_table {
  rung_dtype type; /* U8 or I8 */
  float scale;     /* they stand for scale (q - zero_point) */
  int32_t zero_point;
  uint8_t q[256]; /* by an integer's byte, the byte of what it becomes */
} rung_input_table;

/* Integers -> other integers, by eq. 2 of what they stand for, and of `rescale` of that: a node of any graph whose
 * numbers are taken, or NULL. The quantizer is one that does not move. */
RUNG_API rung_node *rung_requantize_input(rung_node *input, const rung_node *rescale, rung_quantizer *quantizer);
/* The table that such a node goes by; NULL where it is none. */
RUNG_API const rung_input_table *rung_node_input_table(const rung_node *node);

/* Whether the node is a rung_quantize_node. */
RUNG_API bool rung_node_is_quantize(const rung_node *node);
/* Whether the node hands its input's integers on, as reshape and dropout outside training do. */
RUNG_API bool rung_node_passes_integers(const rung_node *node);

/* ---- Quantized graphs ------------------------------------------------------------------------------------------- */

typedef enum rung_arithmetic {
  RUNG_ARITHMETIC_INTEGER = 0, /* the forward pass is the integer program */
  RUNG_ARITHMETIC_SIMULATED    /* float fake-quantization: what other frameworks do */
} rung_arithmetic;

typedef struct rung_quantization rung_quantization;

/* Quantizes `graph` (recorded, its inputs bound to data): makes the two graphs below over the same parameters, with the
 * same quantizers. `graph` must outlive it. Linear layers become integer layers, ReLU and ReLU6 their clamp, reshape
 * and dropout pass integers; an operation without an integer form stays in f32 between a dequantize and a quantize. */
RUNG_API rung_quantization *rung_quantization_new(rung_graph *graph, const rung_scheme *scheme);
RUNG_API void rung_quantization_free(rung_quantization *quantization);
RUNG_API rung_graph *rung_quantization_graph(const rung_quantization *quantization, rung_arithmetic arithmetic);
/* The node of that graph that stands for `node` of the float one: after the clamp, in integers where it has them. */
RUNG_API rung_node *rung_quantization_node(const rung_quantization *quantization, rung_arithmetic arithmetic,
                                           const rung_node *node);
RUNG_API int rung_quantization_quantizer_count(const rung_quantization *quantization);
RUNG_API rung_quantizer *rung_quantization_quantizer(const rung_quantization *quantization, int index);
/* That of `node` of the float graph; NULL where its value is not quantized. */
RUNG_API rung_quantizer *rung_quantization_quantizer_of(const rung_quantization *quantization, const rung_node *node);
/* A weight's scale from outside, for the weight of `linear` of the float graph: scale [out, groups], or [1] per tensor.
 * It is in force until the model is calibrated anew, in training too; shadows that are multiples of it, within qmin ..
 * qmax, give back exactly these integers. NULL: from the weights again. RUNG_ERROR_ARGUMENT for what is no linear
 * layer, or a scale that is no positive, normal number. */
RUNG_API rung_status rung_quantization_set_weight_scale(rung_quantization *quantization, const rung_node *linear,
                                                        const float *scale);
/* The parameters that the quantized graphs have beside those of the float one: learned scales, "fc1.weight.scale", and
 * of activations "relu.4.scale". */
RUNG_API rung_graph *rung_quantization_learned(const rung_quantization *quantization);
/* The same of weight scales that can only be given: "fc1.weight.scale", all 0 where it is not. */
RUNG_API rung_graph *rung_quantization_given(const rung_quantization *quantization);
/* A weight's scale as a tensor, 0 where the scale comes from the weights; NULL for what is no linear layer. Borrowed.
 */
RUNG_API const rung_tensor *rung_quantization_weight_scale(const rung_quantization *quantization,
                                                           const rung_node *linear);
/* Feeds every quantizer what the float graph's last replay computed. */
RUNG_API rung_status rung_quantization_observe(rung_quantization *quantization);
RUNG_API void rung_quantization_set_state(rung_quantization *quantization, rung_quantizer_state state);
/* Parameters were changed from outside (loaded, edited): the integer copies are stale. */
RUNG_API void rung_quantization_refresh(rung_quantization *quantization);
/* Makes the integer copies from the present shadows and ranges, without data: what freezing reads. */
RUNG_API void rung_quantization_make_integers(rung_quantization *quantization);

/* ---- Weights that oscillate ------------------------------------------------------------------------------------- */

/* Integers that hop to and fro as their shadows train (Nagel et al., Overcoming Oscillations in Quantization-Aware
 * Training, ICML 2022; docs/oscillation.md). Seen in the integer graph, a step at a time. */
typedef struct rung_oscillation_options {
  bool watch;     /* counts; 13 bytes a weight. The two below watch as well */
  float damping;  /* lambda of the loss lambda sum (w - s q)^2 (eq. 67); 0: none */
  float freeze;   /* a weight that oscillates more often than this, 0 .. 1 a step, becomes its mean integer for good; 0:
                     none */
  float momentum; /* of the running frequency and mean (eq. 65, 66), 0 .. 1; 0: 0.01 */
} rung_oscillation_options;

/* Sets what is done from here on. RUNG_ERROR_ARGUMENT for numbers out of range; RUNG_ERROR_UNSUPPORTED for weights by
 * DoReFa, which are no multiples of a scale. */
RUNG_API rung_status rung_quantization_set_oscillation(rung_quantization *quantization,
                                                       const rung_oscillation_options *options);

typedef struct rung_oscillation {
  int64_t weights;
  int64_t flips;       /* changes of an integer since it is watched, of all weights together */
  int64_t oscillating; /* weights whose running frequency is above 0.005 and that are not frozen */
  int64_t frozen;
} rung_oscillation;

/* Of the weights of `linear` of the float graph; all 0 where they are not watched. */
RUNG_API rung_oscillation rung_quantization_oscillation(const rung_quantization *quantization, const rung_node *linear);

/* The same a weight, [out, in] each: to be stored, and put back. */
typedef struct rung_oscillation_state {
  int8_t *code;      /* the integer after the last step */
  int8_t *direction; /* of the last flip: -1 or 1; 0 before the first */
  uint8_t *frozen;   /* 1: it stays */
  int32_t *flips;
  float *frequency, *mean;
} rung_oscillation_state;

/* Borrowed; all NULL where they are not watched. */
RUNG_API rung_oscillation_state rung_quantization_oscillation_state(const rung_quantization *quantization,
                                                                    const rung_node *linear);

#ifdef __cplusplus
}
#endif

#endif
