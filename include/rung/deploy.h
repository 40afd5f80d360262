/* rung/deploy.h: the frozen model, integers only. */
#ifndef RUNG_DEPLOY_H
#define RUNG_DEPLOY_H

#include <rung/nn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A program computes, with int8 and int32 operands, 64-bit products and shifts, what the model's evaluation computes,
 * to the last bit. There is no float and no division between its input and its logits. It owns all that it needs and
 * outlives the model. */
typedef struct rung_program rung_program;

/* Freezes a calibrated model, in its parameters' and ranges' present state. The model stays as it is.
 * RUNG_ERROR_STATE: not calibrated. RUNG_ERROR_UNSUPPORTED: an operation has no integer form (the message names it).
 * RUNG_ERROR_NUMERIC: a layer's accumulator could exceed int32, or its multiplier is out of range. */
RUNG_API rung_program *rung_freeze(rung_model *model);
RUNG_API void rung_program_free(rung_program *program);

typedef struct rung_program_info {
  int layers;
  int64_t inputs, outputs; /* integers an example */
  rung_dtype input_type;   /* U8 or I8 */
  float input_scale;       /* real input = input_scale * (q - input_zero_point) */
  int32_t input_zero_point;
  float logit_scale;    /* real logit = logit_scale * logit */
  int64_t weight_bytes; /* weights packed at their own bits, int32 biases, multipliers and shifts, scales: what a device
                           stores */
  int64_t macs;         /* multiply-accumulates an example */
} rung_program_info;

RUNG_API rung_program_info rung_program_describe(const rung_program *program);

/* For a model that was calibrated on f32 inputs: x [count, inputs] f32 -> q [count, inputs] of the input type, on the
 * grid that info.input_scale and info.input_zero_point tell (docs/quantization.md, eq. 2). This is all that stays
 * outside the integer program. RUNG_ERROR_NUMERIC, with q in part written, if x holds a NaN. */
RUNG_API rung_status rung_program_quantize(const rung_program *program, const float *x, void *q, int64_t count);
/* Whether the program takes the dataset's inputs. One whose model was calibrated on f32 takes f32, and u8 and i8 as the
 * reals that they stand for; another the integers of its own type, scale and zero point. RUNG_ERROR_ARGUMENT,
 * RUNG_ERROR_SHAPE. */
RUNG_API rung_status rung_program_check(const rung_program *program, const rung_dataset *dataset);
/* Inputs of examples first .. first+count-1, which the dataset has, as the program takes them: q [count, inputs] of the
 * input type. Errors of rung_program_check and, for a NaN, of rung_program_quantize. */
RUNG_API rung_status rung_program_take(const rung_program *program, const rung_dataset *dataset, int64_t first,
                                       int64_t count, void *q);

/* ---- A program as data (docs/integer-program.md) ----------------------------------------------------------------- */

typedef enum rung_instruction_kind {
  RUNG_INSTRUCTION_LINEAR = 0, /* integer product with bias, requantize and clamp: eq. 8, 9 and 11 */
  RUNG_INSTRUCTION_KIND_COUNT
} rung_instruction_kind;

RUNG_API const char *rung_instruction_name(rung_instruction_kind kind); /* "linear" */

/* One step of a program. Borrowed from it, with its arrays. */
typedef struct rung_instruction {
  const char *name; /* the layer's: "fc1"; unique in a program */
  rung_instruction_kind kind;
  int input, output; /* buffers */
  rung_integer_layer integers;
  int64_t bound; /* the largest magnitude that an accumulator can reach on any input ... */
  int bits;      /* ... and the bits that a two's complement integer needs to hold it: 1 .. 32 */
  int64_t macs;  /* multiply-accumulates an example */
} rung_instruction;

typedef enum rung_place {
  RUNG_PLACE_INPUT = 0, /* the caller's input */
  RUNG_PLACE_SCRATCH,
  RUNG_PLACE_LOGITS /* the caller's logits */
} rung_place;

/* What instructions read and write: `count` integers q an example, that stand for scale * (q - zero_point). */
typedef struct rung_buffer {
  rung_place place;
  rung_dtype type; /* U8 or I8; I32 for logits */
  int64_t count;
  float scale;
  int32_t zero_point;
  int32_t qmin, qmax; /* what q can be */
  bool binary;        /* -1 and 1 alone, not 0 */
  int first, last;    /* alive from the instruction that writes it (-1: the caller) to the last that reads it (count of
                         instructions: the caller) */
  int64_t offset;     /* in SCRATCH: bytes an example, a multiple of 4. Buffers that are never alive together share */
} rung_buffer;

/* Instructions run in order, 0 .. count-1. NULL with a message where `index` is none. */
RUNG_API int rung_program_count(const rung_program *program);
RUNG_API const rung_instruction *rung_program_instruction(const rung_program *program, int index);
RUNG_API int rung_program_buffer_count(const rung_program *program);
RUNG_API const rung_buffer *rung_program_buffer(const rung_program *program, int index);
/* What the caller's integers become before the first instruction reads them: buffer 0, which then is in scratch, has
 * table->q of them, byte for byte. NULL: buffer 0 is the caller's. */
RUNG_API const rung_input_table *rung_program_input_table(const rung_program *program);
/* Whether the model that was frozen took f32 inputs, quantized by rung_program_quantize. */
RUNG_API bool rung_program_takes_reals(const rung_program *program);

/* The bound and bits of instruction `index`. */
RUNG_API rung_status rung_program_bound(const rung_program *program, int index, int64_t *magnitude, int *bits);

/* A program as one safetensors file: tensors for the arrays, metadata for the instructions (docs/integer-program.md).
 * It appears whole or not at all. */
RUNG_API rung_status rung_program_save(const rung_program *program, const char *path);
/* The same program back: the same logits to the last bit. A file is not trusted: bounds are computed anew, and what
 * could overflow, or has multipliers that its scales do not give, is refused. NULL with a message that names the file
 * and the layer: RUNG_ERROR_IO, RUNG_ERROR_FORMAT, RUNG_ERROR_SHAPE, RUNG_ERROR_NUMERIC; RUNG_ERROR_UNSUPPORTED:
 * another version, or a build without cJSON. */
RUNG_API rung_program *rung_program_load(const char *path);

/* ---- Running ---------------------------------------------------------------------------------------------------- */

/* Bytes of scratch that rung_program_run needs for `count` examples at a time. */
RUNG_API size_t rung_program_scratch(const rung_program *program, int64_t count);
/* input [count, inputs] of the input type -> logits [count, outputs]. `scratch` is the caller's, aligned to
 * RUNG_ALIGNMENT; nothing is allocated. Any number of threads may run one program, each with its own scratch. */
RUNG_API rung_status rung_program_run(const rung_program *program, const void *input, int32_t *logits, int64_t count,
                                      void *scratch);
/* The same, with scratch of its own. */
RUNG_API rung_status rung_run(const rung_program *program, const void *input, int32_t *logits, int64_t count);

/* Called by rung_program_trace with layer `index`'s output [count, out]: integers of `type`, I32 for logits. */
typedef void rung_program_watch(void *context, int index, rung_dtype type, const void *output, int64_t count,
                                int64_t out);
/* rung_program_run that shows every layer's output. */
RUNG_API rung_status rung_program_trace(const rung_program *program, const void *input, int32_t *logits, int64_t count,
                                        void *scratch, rung_program_watch *watch, void *context);

/* ---- C source --------------------------------------------------------------------------------------------------- */

typedef struct rung_emit_options {
  bool with_test;   /* NAME_test.c as well: a program that runs some inputs and compares the logits */
  bool bits_packed; /* weights of 3 and 4 bits in 4 bits, of 2 in 2, of 1 in 1, unpacked in the loop; the same logits */
  bool cmsis;       /* Arm's SMLAD where the compiler says it is there, plain C elsewhere; the same logits */
  const void *examples; /* with_test: inputs [example_count, inputs] of the program's input type; NULL: the test makes
                           four from a seed */
  int64_t example_count;
} rung_emit_options;

/* Writes the program as C99 that needs no library: folder/NAME.c and folder/NAME.h, the folder made if it is not there.
 * NAME.h declares (NAME "digits", a program of u8 inputs)
 *
 *   #define DIGITS_INPUTS  784
 *   #define DIGITS_OUTPUTS 10
 *   void digits_run(const uint8_t input[DIGITS_INPUTS], int32_t logits[DIGITS_OUTPUTS]);
 *   int digits_argmax(const int32_t logits[DIGITS_OUTPUTS]);
 *
 * and digits_run gives, to the last bit, what rung_program_run gives. Layers whose weights and inputs are -1, 0 or 1
 * multiply 32 at a time, whatever the options. Compiled with -DDIGITS_TRACE it calls the user's
 * digits_trace(layer, output) behind each layer but the last. docs/integer-program.md describes the code.
 *
 * `options` may be NULL. Each file appears whole or not at all. RUNG_ERROR_ARGUMENT: `name` is no C identifier that
 * starts with a letter, a keyword, a standard header's name, or longer than 48 characters; RUNG_ERROR_IO: the folder or
 * a file cannot be written; RUNG_ERROR_UNSUPPORTED: a layer of more than 2^31 - 1 weights. */
RUNG_API rung_status rung_emit_c(const rung_program *program, const char *name, const char *folder,
                                 const rung_emit_options *options);

/* What the emitted code takes, in bytes of a machine with 32-bit pointers. */
typedef struct rung_emit_report {
  int64_t macs;         /* multiply-accumulates a run, those with the zeros that fill up units not counted */
  int64_t weight_bytes; /* exact: weights as they are stored, out and in filled up to multiples of 4; in to those of 32
                           where a layer multiplies bits */
  int64_t constant_bytes; /* exact: biases, multipliers, shifts or thresholds, and the table of layers */
  int64_t ram_bytes;      /* exact: the static scratch; input and logits are the caller's */
  int64_t code_bytes;     /* an estimate: measured on Cortex-M4 with gcc 12 -Os; a linker's map tells what it is */
  int64_t stack_bytes;    /* an estimate, likewise: the deepest call from NAME_run */
} rung_emit_report;

RUNG_API rung_status rung_emit_describe(const rung_program *program, const rung_emit_options *options,
                                        rung_emit_report *report);

/* ---- Comparing -------------------------------------------------------------------------------------------------- */

/* Share of the dataset's examples whose largest logit is their label's (the first on a tie). */
RUNG_API rung_status rung_program_evaluate(const rung_program *program, const rung_dataset *dataset,
                                           rung_metrics *metrics);

/* ---- Verifying -------------------------------------------------------------------------------------------------- */

/* The ways in which one model can be computed (docs/verify.md). */
typedef enum rung_execution {
  RUNG_EXECUTION_FLOAT = 0,  /* "fp32": the f32 network */
  RUNG_EXECUTION_SIMULATED,  /* "simulated": f32 with fake-quantization */
  RUNG_EXECUTION_EVALUATION, /* "evaluation": the model's evaluation in integers */
  RUNG_EXECUTION_TRAINING,   /* "training": a training step in integers, backward pass and all, but for the update. The
                                ranges are held, and dropout keeps everything */
  RUNG_EXECUTION_PROGRAM,    /* "program": the integer program. All others are held against it */
  RUNG_EXECUTION_EMITTED,    /* "emitted": the C that rung_emit_c writes, compiled, in a process of its own */
  RUNG_EXECUTION_ONNX,       /* "onnx": the file that rung_program_export_onnx writes, in ONNX Runtime */
  RUNG_EXECUTION_COUNT
} rung_execution;

RUNG_API const char *rung_execution_name(rung_execution execution);
/* RUNG_ERROR_ARGUMENT: "execution 'c': expected fp32, simulated, evaluation, training, program, emitted or onnx". */
RUNG_API rung_status rung_execution_parse(const char *name, rung_execution *execution);

typedef struct rung_verify_options {
  unsigned executions; /* the sum of 1u << RUNG_EXECUTION_... of those wanted; 0: all. The program always runs */
  int64_t examples;    /* of the dataset, from its first on; 0 or more than there are: all */
  const rung_program *program;   /* what the model was frozen to before, or loaded; NULL: the model is frozen now */
  const rung_emit_options *emit; /* how the C is written; NULL: plainly */
  /* Commands, each one or more words with spaces between, the first looked for in PATH. */
  const char *compiler; /* of C99, taking -std=c99 -O2 -D -o; NULL: $CC, else "cc" */
  const char *runner;   /* what starts what the compiler made, such as "qemu-aarch64"; NULL: nothing */
  const char *python;   /* one that has onnxruntime; NULL: $RUNG_PEERS_VENV/bin/python, else "python3" */
} rung_verify_options;

/* What came of running a model in all those ways, held against each other value by value. */
typedef struct rung_verification rung_verification;

/* Runs `model`, calibrated, over `dataset`, block by block: memory does not grow with the dataset. The model is left as
 * it was. What a compiler and Python need is put in a folder in $TMPDIR, or where the system has such, that is removed
 * again. NULL with a message where the model cannot be frozen or the dataset does not fit it; an execution that cannot
 * run for reasons of its own does not stop the others (rung_execution_summary.outcome). */
RUNG_API rung_verification *rung_verify(rung_model *model, const rung_dataset *dataset,
                                        const rung_verify_options *options);
RUNG_API void rung_verification_free(rung_verification *verification);

RUNG_API int64_t rung_verification_examples(const rung_verification *verification);
RUNG_API int rung_verification_layers(const rung_verification *verification); /* the last one gives the logits */
RUNG_API const char *rung_verification_layer(const rung_verification *verification, int layer); /* "fc1" */

typedef enum rung_outcome {
  RUNG_OUTCOME_NOT_ASKED = 0,
  RUNG_OUTCOME_RAN,
  RUNG_OUTCOME_NOT_AVAILABLE, /* no such compiler, no onnxruntime ... */
  RUNG_OUTCOME_FAILED         /* what should have run did not: the emitted C does not compile, a process ended early */
} rung_outcome;

typedef struct rung_execution_summary {
  rung_outcome outcome;
  const char *reason; /* of what has not run, one line; "" otherwise */
  int64_t differ;     /* activations (all layers' values but the logits) that are not the program's ... */
  int64_t largest;    /* ... by at most so many quantization steps */
  int64_t differ_logits;
  int64_t agree;   /* examples whose largest output (the first on a tie) is the program's */
  int64_t correct; /* ... is the label's; -1 where the dataset has no labels */
} rung_execution_summary;

RUNG_API rung_execution_summary rung_verification_summary(const rung_verification *verification,
                                                          rung_execution execution);

/* One layer of one execution that ran. Reals (those of FP32, and the simulation's logits) are put on the layer's grid
 * first (eq. 2). */
typedef struct rung_layer_agreement {
  int64_t values;  /* compared */
  int64_t differ;  /* from the program's */
  int64_t largest; /* difference, in quantization steps */
  /* Why activations of the simulation and of ONNX Runtime differ: */
  int64_t inherited;   /* the layer's input was another one already */
  int64_t ties;        /* same input, and the exact value lies so near to a half that f32 may round it either way */
  int64_t unexplained; /* neither */
  double distance;     /* largest distance from a half of those that are not inherited, in steps */
  double sqnr;         /* signal to quantization noise, dB, of the real values against FP32; infinite where they are the
                          same, NaN where FP32 did not run */
} rung_layer_agreement;

RUNG_API rung_layer_agreement rung_verification_at(const rung_verification *verification, rung_execution execution,
                                                   int layer);

/* The first value that two executions do not have in common: of the lowest example, there of the lowest layer, there
 * of the lowest index. All that the layer read was therefore the same in both, on its grid. The logits of FP32, the
 * simulation and ONNX Runtime are no integers and left out. */
typedef struct rung_difference {
  int64_t example;
  int layer;
  int64_t index;    /* output channel */
  int32_t value[2]; /* what the two have */
  double before[2]; /* f32 executions: what they had before rounding, in the same steps; NaN for others */
  /* What the layer makes of that input by eq. 8 (9 with groups), computed anew in plain 64-bit arithmetic: */
  int64_t accumulator; /* bias included; with groups 0, as each group has its own */
  int32_t multiplier;  /* with groups 0 */
  int32_t shift;
  double exact;     /* before rounding, in steps, zero point included */
  int32_t expected; /* after rounding and clamping: who has another value is wrong */
} rung_difference;

/* False where the two have every value in common, or one of them did not run. */
RUNG_API bool rung_verification_first(const rung_verification *verification, rung_execution a, rung_execution b,
                                      rung_difference *difference);

/* None of the executions that must equal the program (evaluation, training, emitted C) and ran differs from it in any
 * value, and none failed. What is not available is not counted: see the summaries. */
RUNG_API bool rung_verification_exact(const rung_verification *verification);
/* No activation of the simulation and of ONNX Runtime, where they ran, is more than one step from the program's. */
RUNG_API bool rung_verification_within_a_step(const rung_verification *verification);

/* All of it, as a table for people and as one JSON object (docs/verify.md); rung_release it. NULL: no memory. */
RUNG_API char *rung_verification_text(const rung_verification *verification);
RUNG_API char *rung_verification_json(const rung_verification *verification);

/* The short form: how the integers of a program compare with the model it was frozen from, over a whole dataset. */
typedef struct rung_agreement {
  int64_t activations;       /* values compared: of all layers but the logits */
  int64_t logits;            /* logits compared */
  int64_t differ_evaluation; /* activations and logits in which the model's integer evaluation differs: 0 */
  int64_t differ_simulation; /* activations in which the float simulation differs, by ... */
  int64_t largest_step;      /* ... at most so many quantization steps */
} rung_agreement;

/* Leaves the model in the form it was in. */
RUNG_API rung_status rung_program_compare(const rung_program *program, rung_model *model, const rung_dataset *dataset,
                                          rung_agreement *agreement);

/* ---- ONNX (docs/onnx.md) ---------------------------------------------------------------------------------------- */

typedef struct rung_onnx_options {
  int opset;  /* the version of ONNX's operators: 13 or 21; 0: 13 where that is enough. Weights of 4 bits and less are
                 INT4 in 21 and INT8 in 13; weights with a scale a group need 21 */
  bool trace; /* the integers that each layer but the last puts out are outputs of the file too, named after it */
} rung_onnx_options;

/* Writes the program in QDQ form: input [batch, ...] f32, under the model's name for it; output "logits" [batch,
 * outputs] f32. Weights are INT8 per channel (or see above), biases INT32 at scale s_x s_w, activations UINT8, or INT8
 * where the scheme is signed. Appears whole or not at all. `options` may be NULL. RUNG_ERROR_UNSUPPORTED: this build
 * has no ONNX, or opset 13 and groups; RUNG_ERROR_ARGUMENT: another opset, two values of one name; RUNG_ERROR_IO. */
RUNG_API rung_status rung_program_export_onnx(const rung_program *program, const char *path,
                                              const rung_onnx_options *options);
/* Writes the float network, without loss and dropout, whatever form the model is in: the model's inputs [batch, ...]
 * f32, output "logits" [batch, ...] f32; opset 13, or 20 where there is a gelu. RUNG_ERROR_UNSUPPORTED: this build has
 * no ONNX, or an operation has no counterpart (the message names it); RUNG_ERROR_NUMERIC: a parameter is not finite;
 * RUNG_ERROR_ARGUMENT: two values of one name; RUNG_ERROR_IO. */
RUNG_API rung_status rung_model_export_onnx(const rung_model *model, const char *path);

typedef struct rung_onnx_import_options {
  rung_model_options model;
  const char *loss; /* which a file lacks, as rung_loss_text takes it; NULL: "cross-entropy", for a classifier, and a
                       softmax at the file's end is left out, being in the loss. "squared-error" is for a regression */
} rung_onnx_import_options;

/* A model from an ONNX file (github.com/onnx/onnx), operator set 9 or newer: a network of Gemm, MatMul, Add, Relu, Clip
 * (0..6, or 0 and up), Sigmoid, Tanh, Gelu, BatchNormalization, Dropout, Flatten, Reshape and, at its end, Softmax, as
 * PyTorch's exporters write them, in evaluation mode; one input [batch, ...] and one output [batch, scores]. Weights of
 * float, double, float16 and bfloat16 become f32 parameters, with the file's names where these are PyTorch's
 * ("fc1.weight"). Ready to be evaluated, trained and quantized.
 * A quantized file (QuantizeLinear and DequantizeLinear on all activations and weights, these symmetric) gives a
 * calibrated model in integer form, with the file's scales, zero points and integers.
 * NULL with a message. RUNG_ERROR_UNSUPPORTED: what Rung has no layer for, named: "model.onnx: node '/conv1/Conv'
 * (Conv): no such layer in Rung"; or the build has no ONNX. RUNG_ERROR_FORMAT, RUNG_ERROR_SHAPE: a file that is damaged
 * or contradicts itself. RUNG_ERROR_IO: it cannot be read. Memory is bounded by the file's size. */
RUNG_API rung_model *rung_model_import_onnx(const char *path, const rung_model_options *options);
RUNG_API rung_model *rung_model_import_onnx_with(const char *path, const rung_onnx_import_options *options);

#ifdef __cplusplus
}
#endif

#endif
