/* Reading an ONNX file from the inside. A file's graph is walked once, node by node in its order: each name stands for
 * what the network computes (a recorded node), or for what is known beforehand (an initializer, a constant, a shape).
 * A kind of node is one function, and its row in import_list.h. */
#ifndef RUNG_IMPORT_H
#define RUNG_IMPORT_H

#include <rung/deploy.h>

#include <onnx/onnx.pb-c.h>

enum { IMPORT_MAX_INPUTS = 8, IMPORT_MAX_ATTRIBUTES = 32 };

/* The batch, as an element of a shape that is computed from another. */
#define IMPORT_BATCH INT64_MIN

/* What messages of the file may take in memory: bytes beside it, and as many times its size. */
#define IMPORT_MEMORY_BASE  (1 << 20)
#define IMPORT_MEMORY_TIMES 32

/* Element types of onnx.proto since version 1.16, which older headers lack. */
enum { IMPORT_UINT4 = 21, IMPORT_INT4 = 22, IMPORT_UINT2 = 25, IMPORT_INT2 = 26 };

/* A tensor of the file, its elements checked to be there, still in the file's own form. */
typedef struct import_tensor {
  const Onnx__TensorProto *proto; /* NULL: none */
  const uint8_t *raw;             /* its elements in bytes, the model's or another file's; NULL: in a typed field */
  rung_shape shape;               /* of rank 0 for one element */
  int64_t count;
} import_tensor;

/* r = scale (q - zero_point): of a tensor or, where `axis` is not negative, of each of its slices along that axis; with
 * `block` of each so many elements of it. */
typedef struct import_grid {
  import_tensor scale, zero_point; /* zero_point may be none: 0 */
  int32_t type;                    /* of q, as in TensorProto.data_type */
  int axis;
  int64_t block;
} import_grid;

/* How far a value is on the way to GELU, x/2 (1 + erf(x / sqrt 2)), where a file spells it out (read_gelu.c). */
typedef enum import_stage {
  STAGE_NONE = 0,
  STAGE_SCALED,     /* x / sqrt 2 */
  STAGE_ERF,        /* erf(x / sqrt 2) */
  STAGE_ERF_1,      /* 1 + erf(x / sqrt 2) */
  STAGE_HALF_ERF_1, /* (1 + erf(x / sqrt 2)) / 2 */
  STAGE_X_ERF_1,    /* x (1 + erf(x / sqrt 2)) */
  STAGE_HALF_X,     /* x / 2 */
  STAGE_WHOLE       /* all of it */
} import_stage;

/* A range that a file gives a value: `node` is what is quantized. */
typedef struct import_range {
  rung_node *node;
  import_grid grid;
  const char *by; /* the name of its integers */
  bool clamped;   /* by a Clip of the integers, to qmin .. qmax */
  int64_t qmin, qmax;
  struct import_range *next;
} import_range;

/* What a name stands for: `node`, or else `tensor`. */
typedef struct import_value {
  const char *name;
  rung_node *node;
  import_tensor tensor;
  import_grid grid; /* scale none: not quantized */
  bool dequantized; /* what a DequantizeLinear made of the grid's integers; else the integers themselves */
  const struct import_linear *linear; /* a product without a bias so far, not recorded yet (read_linear.c) */
  import_range *range;                /* of `node` in integers; NULL: none, or the logits, which stay as they are */
  import_stage stage;                 /* of `node` */
  bool probabilities;                 /* of `node`, by a softmax */
} import_value;

/* Integers that a file gives a linear layer, for comparing with what Rung makes of its shadows. */
typedef struct import_weight {
  const rung_node *layer;
  const import_value *value;
  bool transposed;          /* the file's weight is [in, out] */
  const import_value *bias; /* in integers; NULL: in reals, or none */
  struct import_weight *next;
} import_weight;

typedef struct import {
  const char *path;
  const Onnx__ModelProto *message;
  const Onnx__GraphProto *graph;
  size_t bytes; /* of the file, and of those beside it that were read */
  struct import_file *files;
  int64_t opset;     /* of the standard operators */
  rung_arena *arena; /* for what is needed only while reading */
  rung_model *model;
  rung_node *input;
  bool integer_input;  /* u8 or i8 by the file's own word */
  int64_t fixed_batch; /* that the file has written into its input's shape; 0: none */
  import_value *value;
  int count, capacity;
  int layers;      /* that took a name by number */
  int64_t numbers; /* that were asked for so far: parameters, constants, activations of an example */
  import_weight *weights;
  import_range *ranges;
  int float_layers; /* whose weights are reals */
} import;

/* One node while it is read. */
typedef struct import_node {
  import *in;
  const Onnx__NodeProto *proto;
  import_value *input[IMPORT_MAX_INPUTS]; /* NULL: left out */
  int inputs;
  uint32_t seen;     /* attributes that were asked for, by index */
  const char *wrong; /* what one of them should have been; NULL: nothing wrong so far */
} import_node;

/* Strings that are left out of a file are NULL. */
static inline const char *import_text(const char *string) {
  return string ? string : "";
}

/* ---- Files and tensors (read_file.c, read_tensor.c) -------------------------------------------------------------- */

/* The message of a file, to be freed by import_message_free; NULL with a message. */
Onnx__ModelProto *import_message_read(const char *path, size_t *bytes);
void import_message_free(Onnx__ModelProto *message);

/* The bytes of a regular file, to be released; NULL with a message. */
uint8_t *import_file_read(const char *path, size_t *size);

/* Checks the tensor's extents against its data. */
rung_status import_tensor_view(import *in, const Onnx__TensorProto *proto, import_tensor *tensor);
bool import_is_real(const import_tensor *tensor);    /* float, double, float16, bfloat16 */
bool import_is_integer(const import_tensor *tensor); /* up to 64 bits, and bool */
float import_real(const import_tensor *tensor, int64_t i);
int64_t import_integer(const import_tensor *tensor, int64_t i);
/* A tensor of the import's own: [count] int64, zero at first; *elements is where they lie. NULL with a message. */
Onnx__TensorProto *import_tensor_new(import *in, int64_t count, int64_t **elements);
/* Whether it is the one number x. */
bool import_tensor_is(const import_tensor *tensor, float x);
/* Whether an integer type, its bits and sign. */
bool import_type_is_integer(int32_t type, int *bits, bool *is_signed);

/* ---- External data (read_external.c) ----------------------------------------------------------------------------- */

/* Whether the tensor's bytes are in another file; where they are, *size of them, until import_files_free. */
bool import_is_external(const Onnx__TensorProto *proto);
rung_status import_external(import *in, const Onnx__TensorProto *proto, const uint8_t **bytes, size_t *size);
void import_files_free(import *in);

/* ---- Nodes (read_node.c) ----------------------------------------------------------------------------------------- */

typedef rung_status import_function(import_node *node);

/* "model.onnx: node 'fc1' (Gemm): " and the reason. */
rung_status import_refuse(const import_node *node, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As the last message says, with the node before it, if it is not there already. */
rung_status import_blame(const import_node *node, rung_status status);
int64_t import_attribute_int(import_node *node, const char *name, int64_t otherwise);
float import_attribute_float(import_node *node, const char *name, float otherwise);
const Onnx__AttributeProto *import_attribute(import_node *node, const char *name); /* NULL if there is none */
/* Refuses the node where an attribute is of the wrong type or was not asked for. */
rung_status import_check_attributes(const import_node *node);

/* Input `index` as a recorded node. NULL, with the node refused, if it is left out, known beforehand, or in a form that
 * only some nodes read. */
rung_node *import_input(import_node *node, int index);
/* Input `index` as a tensor that is known beforehand, its reals if `real`, else its integers. */
const import_tensor *import_known(import_node *node, int index, bool real);
bool import_has_input(const import_node *node, int index);

/* The node's first output is what `computed` holds; a failure to record, if it is NULL. */
rung_status import_output_node(import_node *node, rung_node *computed);
rung_status import_output_tensor(import_node *node, const Onnx__TensorProto *proto);
/* A copy of `value` under the output's name. */
rung_status import_output_value(import_node *node, const import_value *value);
/* NULL if there is none by that name. */
import_value *import_find(const import *in, const char *name);
bool import_is_output(const import *in, const char *name);
/* How many nodes and graph outputs read the name. */
int import_readers(const import *in, const char *name);
/* Counts `count` more numbers that the model is to hold. A small file of many nodes could ask for far more memory than
 * it has bytes: refuses what is out of proportion. */
rung_status import_count(import *in, int64_t count);
/* A new value of the graph; refuses a name that is taken. NULL with a message. */
import_value *import_define(import *in, const char *name);

/* The `length` bytes of `text` with '_' for what a name in a model text cannot hold (docs/model-text.md), and for what
 * is not ASCII. NULL: no memory. */
const char *import_name(import *in, const char *text, size_t length);
/* The layer of a tensor named "LAYER.PART" (or "LAYER.PART_quantized"), with a number behind it where the model has one
 * of that name; NULL if the tensor is not named so, or without memory. */
const char *import_layer_name(import *in, const char *tensor, const char *part);
/* "KIND1", "KIND2", ... */
const char *import_layer_number(import *in, const char *kind);
/* The parameter "LAYER.PART" of the model. NULL with a message. */
rung_node *import_parameter(import *in, const char *layer, const char *part, rung_shape shape);

/* ---- Deferred products (read_linear.c) --------------------------------------------------------------------------- */

/* Records the value's product, without a bias, where that was not done yet. */
rung_status import_linear_record(import_node *node, import_value *value);

/* ---- GELU spelled out (read_gelu.c) ------------------------------------------------------------------------------ */

/* Whether this Add is the 1 + erf of a GELU, its constant being input `known`. */
bool import_gelu_add(const import_node *node, int known);
rung_status import_gelu_output(import_node *node, const import_value *value, import_stage stage);

/* ---- Quantization (read_calibration.c) --------------------------------------------------------------------------- */

/* Element i of a constant, plain or dequantized, and the scale of a dequantized one. */
float import_dequantized(const import_value *value, int64_t i);
float import_scale(const import_value *value, int64_t i);
/* Leaves the model calibrated with the ranges and integers that the file gives, if it gives any. */
rung_status import_calibrate(import *in);

#endif
