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
  int first, last;    /* alive from the instruction that writes it (-1: the caller) to the last that reads it (count of
                         instructions: the caller) */
  int64_t offset;     /* in SCRATCH: bytes an example, a multiple of 4. Buffers that are never alive together share */
} rung_buffer;

/* Instructions run in order, 0 .. count-1. NULL with a message where `index` is none. */
RUNG_API int rung_program_count(const rung_program *program);
RUNG_API const rung_instruction *rung_program_instruction(const rung_program *program, int index);
RUNG_API int rung_program_buffer_count(const rung_program *program);
RUNG_API const rung_buffer *rung_program_buffer(const rung_program *program, int index);
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
 * and digits_run gives, to the last bit, what rung_program_run gives. Compiled with -DDIGITS_TRACE it calls the user's
 * digits_trace(layer, output) behind each layer but the last. docs/integer-program.md describes the code.
 *
 * `options` may be NULL. Each file appears whole or not at all. RUNG_ERROR_ARGUMENT: `name` is no C identifier that
 * starts with a letter, a keyword, a standard header's name, or longer than 48 characters; RUNG_ERROR_IO: the folder or
 * a file cannot be written; RUNG_ERROR_UNSUPPORTED: a layer of more than 2^31 - 1 weights. */
RUNG_API rung_status rung_emit_c(const rung_program *program, const char *name, const char *folder,
                                 const rung_emit_options *options);

/* What the emitted code takes, in bytes of a machine with 32-bit pointers. */
typedef struct rung_emit_report {
  int64_t macs;           /* multiply-accumulates a run, those with the zeros that fill up units not counted */
  int64_t weight_bytes;   /* exact: weights as they are stored, out and in filled up to multiples of 4 */
  int64_t constant_bytes; /* exact: biases, multipliers, shifts, and the table of layers */
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

/* How the integers of a program compare with the model it was frozen from, over a whole dataset. */
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

#ifdef __cplusplus
}
#endif

#endif
