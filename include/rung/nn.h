/* rung/nn.h: models. Record a network, fit it, quantize it, calibrate it, fit it again.
 *
 *   rung_model *mlp = rung_model_new(&(rung_model_options){.batch = 64, .seed = 1});
 *   rung_node *x = rung_input(mlp, "image", RUNG_SHAPE(28, 28));
 *   x = rung_relu(rung_linear(x, "fc1", 256));
 *   rung_loss_cross_entropy(rung_linear(x, "fc2", 10));
 *   rung_fit(mlp, train, &(rung_fit_options){.epochs = 10});
 *   rung_quantize(mlp, &(rung_scheme){.weight_bits = 8, .activation_bits = 8});
 *   rung_calibrate(mlp, train, 1000);
 *   rung_fit(mlp, train, &(rung_fit_options){.epochs = 5, .rate = 2e-4f});
 *
 * Same seed, same data, same calls: the same weights to the last bit, for any number of threads, compiler and machine.
 */
#ifndef RUNG_NN_H
#define RUNG_NN_H

#include <rung/nn/prune.h>
#include <rung/quant.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Models ----------------------------------------------------------------------------------------------------- */

typedef struct rung_model rung_model;

typedef struct rung_model_options {
  int64_t batch; /* examples a step; 0: 64 */
  int threads;   /* 1 .. 256; 0: one a processor */
  uint64_t seed; /* of the initial weights, the order of examples and dropout */
} rung_model_options;

RUNG_API rung_model *rung_model_new(const rung_model_options *options);
RUNG_API void rung_model_free(rung_model *model);
/* The model as it stands, once more: layers, parameters, masks, scheme, ranges, form; what one does the other does, to
 * the last bit. `options` may be NULL; a batch or threads of 0 are the model's, and the seed always is. NULL with a
 * message otherwise. A teacher of its own student is such a copy. */
RUNG_API rung_model *rung_model_copy(const rung_model *model, const rung_model_options *options);

/* What an example is: `shape` without the batch, which comes in front. Then layers and operations (rung/autograd.h),
 * then one loss, which ends it. */
RUNG_API rung_node *rung_input(rung_model *model, const char *name, rung_shape shape);

/* Layers: a node like those of rung/autograd.h with parameters of their own, "NAME.weight", "NAME.bias" ... */
typedef enum rung_init {
  RUNG_INIT_HE = 0, /* normal, variance 2 / in (He et al., 2015): before a ReLU */
  RUNG_INIT_XAVIER  /* uniform in +-sqrt(6 / (in + out)) (Glorot and Bengio, 2010) */
} rung_init;

typedef struct rung_linear_options {
  rung_init init;
  bool no_bias;
} rung_linear_options;

/* x [n, ...] is taken as [n, in]; -> [n, out]. Weight [out, in], bias [out] (0 at first). */
RUNG_API rung_node *rung_linear(rung_node *x, const char *name, int64_t out);
RUNG_API rung_node *rung_linear_init(rung_node *x, const char *name, int64_t out, const rung_linear_options *options);

typedef struct rung_batch_norm_options {
  float momentum; /* of the running statistics, at most 1; 0: 0.1 */
  float epsilon;  /* 0: 1e-5 */
  bool whole;     /* one mean, variance, weight and bias for the whole tensor, not one a column */
} rung_batch_norm_options;

/* x [n, d]; "NAME.weight" (1), "NAME.bias" (0), "NAME.running_mean" (0), "NAME.running_var" (1), each [d]; `whole`:
 * [1]. A whole one keeps the order of a row's elements (where its weight is positive), and so stands behind logits; it
 * is never folded, but merged (RUNG_BATCH_NORM_MERGE) whatever the scheme says. */
RUNG_API rung_node *rung_batch_norm(rung_node *x, const char *name);
RUNG_API rung_node *rung_batch_norm_init(rung_node *x, const char *name, const rung_batch_norm_options *options);
RUNG_API rung_batch_norm_options rung_batch_norm_defaults(void);

/* Losses; the labels or targets come from the dataset. */
RUNG_API rung_node *rung_loss_cross_entropy(rung_node *logits);
RUNG_API rung_node *rung_loss_squared_hinge(rung_node *scores);
RUNG_API rung_node *rung_loss_squared_error(rung_node *prediction);

/* RUNG_OK if all was recorded; else the first failure, with its message. */
RUNG_API rung_status rung_model_status(const rung_model *model);
RUNG_API rung_graph *rung_model_graph(const rung_model *model); /* the float graph */

typedef struct rung_parameter {
  const char *name;
  rung_shape shape;
  float *value;    /* the FP32 shadow. Writing to it: rung_model_touch afterwards */
  float *gradient; /* of the last replay that stored it; a fit without clip_norm does not (rung_node_is_taken) */
  bool trainable;
} rung_parameter;

RUNG_API int rung_model_parameter_count(const rung_model *model);
RUNG_API rung_parameter rung_model_parameter(const rung_model *model, int index);
RUNG_API void rung_model_touch(rung_model *model); /* the parameters were changed from outside */
/* FNV-1a (64 bit) over the bits of all parameters, in order of recording, and of the scales that a calibrated model has
 * learned (rung_quantization_learned), each f32 as 4 little-endian bytes. */
RUNG_API uint64_t rung_model_hash(const rung_model *model);

/* RUNG_ERROR_NUMERIC, naming the parameter, where a value of what the hash is over is not finite. */
RUNG_API rung_status rung_model_check_finite(const rung_model *model);

/* ---- Files ------------------------------------------------------------------------------------------------------ */

/* Writes a checkpoint, a safetensors file (docs/checkpoints.md), as rung_safetensors_write does: the parameters, f32,
 * under their names, which with their layouts are PyTorch's ("fc1.weight" [out, in], "fc1.bias" [out]: load_state_dict
 * with strict=False takes them); under names that begin with "rung." all else that the model is, so that it can be
 * loaded and go on as if it had never been away. RUNG_ERROR_NUMERIC where a parameter is not finite. */
RUNG_API rung_status rung_model_save(const rung_model *model, const char *path);
/* The model of such a file: it evaluates, freezes and trains as the one that was saved. `options` may be NULL; a batch
 * of 0 is the file's, and the seed always is. NULL with a message otherwise. RUNG_ERROR_UNSUPPORTED: the model is not a
 * chain of layers (rung_model_text); record it and restore it. */
RUNG_API rung_model *rung_model_load(const char *path, const rung_model_options *options);
/* The same into a model that was recorded as the one that was saved, with its seed. What the file is not of is refused
 * with the model as it was; a file found damaged later, in its quantizers, leaves it uncalibrated. */
RUNG_API rung_status rung_model_restore(rung_model *model, const char *path);

/* The parameters alone, f32: what other frameworks read. */
RUNG_API rung_status rung_model_save_weights(const rung_model *model, const char *path);
/* Parameters from any safetensors file, PyTorch's for one, by their names: f32, f16 or bf16, all of them, finite, of
 * the model's shapes; other tensors in the file are left alone. A failure changes nothing. RUNG_ERROR_STATE for a model
 * that is calibrated. */
RUNG_API rung_status rung_model_load_weights(rung_model *model, const char *path);

/* ---- Networks as text ------------------------------------------------------------------------------------------- */

/* Layers one behind the other: "linear 256, relu, dropout 0.2, linear 10 no-bias as logits". Linear layers and batch
 * norms are named fc1, fc2 ... and bn1, bn2 ..., each kind counted from the input on, unless they say "as NAME". All
 * words: docs/model-text.md. RUNG_ERROR_ARGUMENT, with the piece at fault: "model text: 'lineer 256': expected one of
 * ..." */
RUNG_API rung_node *rung_record_text(rung_node *x, const char *text);
/* "cross-entropy", "squared-hinge" or "squared-error". */
RUNG_API rung_node *rung_loss_text(rung_node *x, const char *text);

/* A whole model, "INPUT; LAYERS; LOSS": "input 28x28 as image; linear 256, relu, linear 10; cross-entropy". The input
 * is named input unless it says; the loss may be left out. */
RUNG_API rung_model *rung_model_from_text(const char *text, const rung_model_options *options);
/* The text that records this model again, node by node; rung_release it. How weights started is not told. NULL with
 * RUNG_ERROR_UNSUPPORTED where the model is not a chain of such layers. */
RUNG_API char *rung_model_text(const rung_model *model);

/* A word of such a text, what may follow it, and what it does: for the help of a command. */
typedef struct rung_word {
  const char *name, *arguments, *help;
} rung_word;

RUNG_API int rung_layer_word_count(void);
RUNG_API rung_word rung_layer_word(int index);
RUNG_API int rung_loss_word_count(void);
RUNG_API rung_word rung_loss_word(int index);

/* ---- Optimizers and schedules ----------------------------------------------------------------------------------- */

typedef enum rung_optimizer_kind {
  RUNG_OPTIMIZER_ADAM = 0, /* Kingma and Ba, 2015; weight_decay is L2, in the gradient */
  RUNG_OPTIMIZER_ADAMW,    /* Loshchilov and Hutter, 2019: weight_decay is decoupled */
  RUNG_OPTIMIZER_SGD,      /* momentum and Nesterov's as in Sutskever et al., 2013, in PyTorch's form */
  RUNG_OPTIMIZER_ADAM8BIT, /* AdamW with its moments in 8 bits, of parameters with 4096 weights and more (Dettmers et
                              al., 8-bit optimizers via block-wise quantization, 2022) */
  RUNG_OPTIMIZER_KIND_COUNT
} rung_optimizer_kind;

RUNG_API const char *rung_optimizer_name(rung_optimizer_kind kind); /* "adam", "adamw", "sgd", "adam8bit" */

typedef enum rung_schedule_kind {
  RUNG_SCHEDULE_COSINE = 0, /* from the rate to 0 along half a cosine (Loshchilov and Hutter, 2017) */
  RUNG_SCHEDULE_CONSTANT,
  RUNG_SCHEDULE_STEP, /* times `factor` after every `period` steps */
  RUNG_SCHEDULE_KIND_COUNT
} rung_schedule_kind;

typedef struct rung_schedule {
  rung_schedule_kind kind;
  int64_t warm_up; /* steps over which the rate first rises linearly to what it is */
  int64_t period;  /* RUNG_SCHEDULE_STEP, in steps; 0: a third of all */
  float factor;    /* RUNG_SCHEDULE_STEP; 0: 0.1 */
} rung_schedule;

/* The learning rate of step `step` (0 .. total-1) for base rate `rate`; the same bits on every machine. */
RUNG_API float rung_schedule_rate(const rung_schedule *schedule, float rate, int64_t step, int64_t total);

/* ---- Fitting and evaluating ------------------------------------------------------------------------------------- */

typedef struct rung_metrics {
  double loss;     /* mean over the examples */
  double accuracy; /* share of examples whose largest score is the label's, the lowest index winning ties; 0 in a
                      regression */
  int64_t examples;
} rung_metrics;

typedef struct rung_progress {
  int epoch, epochs;       /* epoch 1 .. epochs */
  int64_t step, steps;     /* of the epoch; step == steps: it ends here */
  rung_metrics train;      /* of the epoch so far, while it trained */
  rung_metrics validation; /* at an epoch's end, if there is a validation set; examples 0 otherwise */
  float rate;
  double seconds; /* of training in this epoch so far; validation not counted */
} rung_progress;

typedef struct rung_fit_options {
  int epochs; /* 0: 1 */
  float rate; /* 0: 1e-3 */
  rung_optimizer_kind optimizer;
  float momentum;       /* 0 <= momentum < 1. SGD: 0 means none; Adam (its beta1): 0 means 0.9 */
  bool nesterov;        /* SGD */
  float beta2, epsilon; /* Adam; 0: 0.999 and 1e-8 */
  float weight_decay;
  float clip_norm; /* the gradient's 2-norm over all parameters is held at this; 0: not */
  rung_schedule schedule;
  bool no_shuffle;
  const rung_dataset *validation; /* evaluated after each epoch */
  /* Called after every step on the calling thread; true stops the fit (RUNG_OK). May be NULL. */
  bool (*progress)(void *context, const rung_progress *progress);
  void *context;
  /* A file that rung_model_save's reader takes, written after every epoch, when `progress` stops the fit, and after
   * every `checkpoint_steps` steps (0: not). NULL: none. */
  const char *checkpoint;
  int64_t checkpoint_steps;
  /* Such a file to go on from: the model becomes what it was there, and the weights at the end are, to the last bit,
   * those of a fit that was never stopped. Dataset, batch, seed and all options above must be the same. */
  const char *resume;
  /* Zero: nothing is pruned that was not. */
  rung_prune_schedule prune;
  /* Distillation (Hinton et al., 2015; docs/distillation.md): the loss is then (1 - alpha) times the cross entropy of
   * the labels and alpha T^2 KL(softmax(teacher's logits / T) || softmax(logits / T)) (eq. 63); rung_evaluate's is the
   * cross entropy alone. Another model than this one, of the same input and classes, in any form. What it says to every
   * example is computed once, before the first step, and kept: 4 bytes a class and example. NULL: none. */
  rung_model *teacher;
  float temperature; /* T > 0; 0: 4. With a teacher only */
  float alpha;       /* 0 < alpha <= 1; 0: 0.9. With a teacher only */
  /* In integer form: what is done about weights that oscillate. Over the fit the damping rises from 0 to what is given
   * here, the threshold of freezing falls from four times that to that, each along half a cosine. */
  rung_oscillation_options oscillation;
} rung_fit_options;

/* Trains every trainable parameter on `dataset`, the last short batch included, in the model's present form. Memory is
 * planned before the first step. RUNG_ERROR_NUMERIC when the loss or a weight is not finite; the
 * weights are then what the last step left, so save them before trying a bold rate. */
RUNG_API rung_status rung_fit(rung_model *model, const rung_dataset *dataset, const rung_fit_options *options);
RUNG_API rung_status rung_evaluate(rung_model *model, const rung_dataset *dataset, rung_metrics *metrics);

/* ---- History ---------------------------------------------------------------------------------------------------- */

/* What an epoch of training came to; NAN where there is no such number. */
typedef struct rung_epoch {
  int weight_bits, activation_bits; /* of its scheme; 0 where the model was in f32 */
  float rate;                       /* at its last step */
  float loss, accuracy;             /* over its examples, while it trained */
  float validation_loss, validation_accuracy;
} rung_epoch;

/* The epochs of all fits that the model went through, the oldest first; its file keeps them. */
RUNG_API int rung_model_epoch_count(const rung_model *model);
RUNG_API rung_epoch rung_model_epoch(const rung_model *model, int index);

/* ---- Quantizing ------------------------------------------------------------------------------------------------- */

/* What the model's forward pass computes with. One set of parameters stands behind all three. */
typedef enum rung_form {
  RUNG_FORM_FLOAT = 0, /* f32 */
  RUNG_FORM_INTEGER,   /* the integer program; what rung_calibrate leaves the model in */
  RUNG_FORM_SIMULATED  /* f32 with fake-quantization, as other frameworks train */
} rung_form;

/* Sets the scheme. A model already quantized is quantized anew, from its present parameters, uncalibrated. */
RUNG_API rung_status rung_quantize(rung_model *model, const rung_scheme *scheme);
/* The scheme in force, borrowed until the next rung_quantize; NULL if there is none. */
RUNG_API const rung_scheme *rung_model_scheme(const rung_model *model);
/* Observes `examples` (0 or more than there are: all) of the dataset, from its first on, through the float network, and
 * leaves the model in integer form. Post-training quantization ends here. A batch norm behind a linear layer is folded
 * into that layer's parameters, for good (src/quant/fold.h): the float network computes what it did, with other
 * numbers. Where the layer has no bias, the batch norm's shift is the bias from then on. RUNG_ERROR_UNSUPPORTED where
 * the network rescales inputs in f32 on their way into integers: only 8-bit ones have a table. */
RUNG_API rung_status rung_calibrate(rung_model *model, const rung_dataset *dataset, int64_t examples);

/* A range that needs no data because it is known: of what `node` of the float graph computes. */
typedef struct rung_known_range {
  const rung_node *node;
  float scale;
  int32_t zero_point;
} rung_known_range;

/* rung_calibrate with ranges from elsewhere, one for each value that the scheme quantizes. `inputs` tells what the data
 * will be: its type, and its scale and zero point if u8 or i8; its shape and data do not matter.
 * RUNG_ERROR_ARGUMENT: a value that is not quantized has a range, or one that is has none; the message names it. */
RUNG_API rung_status rung_calibrate_known(rung_model *model, const rung_tensor *inputs, const rung_known_range *ranges,
                                          int count);
/* RUNG_ERROR_STATE for a quantized form of a model that is not calibrated. */
RUNG_API rung_status rung_model_use(rung_model *model, rung_form form);
RUNG_API rung_form rung_model_form(const rung_model *model);
RUNG_API rung_quantization *rung_model_quantization(const rung_model *model); /* NULL if not calibrated */
/* The graph of the present form, its inputs bound to `dataset`. */
RUNG_API rung_graph *rung_model_bind(rung_model *model, const rung_dataset *dataset);

#ifdef __cplusplus
}
#endif

#endif
