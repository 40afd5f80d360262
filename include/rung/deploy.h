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

/* The largest magnitude that layer `index`'s accumulator can reach on any input, and the bits that a two's complement
 * integer needs to hold it. */
RUNG_API rung_status rung_program_bound(const rung_program *program, int index, int64_t *magnitude, int *bits);

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

/* ---- ONNX in (docs/onnx-import.md) ----------------------------------------------------------------------------------
 */

/* The loss that an imported model gets at its end; a file has none. */
typedef enum rung_onnx_loss {
  RUNG_ONNX_CROSS_ENTROPY = 0, /* of a classifier: a softmax at the file's end is in the loss, and left out */
  RUNG_ONNX_SQUARED_ERROR,     /* of a regression */
  RUNG_ONNX_SQUARED_HINGE
} rung_onnx_loss;

typedef struct rung_onnx_import_options {
  rung_model_options model;
  rung_onnx_loss loss;
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
