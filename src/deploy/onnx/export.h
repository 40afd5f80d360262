/* Writing an ONNX file from the inside: a model under construction, all of it in one arena. Recording is sticky, as in
 * a graph: the first failure stays, later calls do nothing of use but no harm, and export_end tells.
 *
 * Every value of the file has a name; a node is named after the one value that it computes. */
#ifndef RUNG_EXPORT_H
#define RUNG_EXPORT_H

#include <rung/deploy.h>

#include <onnx/onnx.pb-c.h>

/* Element types: those of onnx.proto, and one of its version 1.16 that older headers lack. */
enum {
  EXPORT_FLOAT = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
  EXPORT_UINT8 = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
  EXPORT_INT8 = ONNX__TENSOR_PROTO__DATA_TYPE__INT8,
  EXPORT_INT32 = ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
  EXPORT_INT64 = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
  EXPORT_INT4 = 22
};

typedef struct export_file {
  rung_status status; /* of building */
  rung_arena *arena;
  Onnx__ModelProto *model;
} export_file;

/* Begins a file whose nodes are those of the standard operator set `opset`. */
void export_begin(export_file *file, const char *graph_name, int opset);
/* Writes what was built to `path`, whole or not at all, if all went well, and releases it. RUNG_ERROR_ARGUMENT: two
 * values of one name; RUNG_ERROR_UNSUPPORTED: more bytes than protobuf takes. */
rung_status export_end(export_file *file, const char *path);

/* Zeroed memory that lives as long as the file; NULL on failure. */
void *export_array(export_file *file, size_t count, size_t size);
/* A string in it; printf's format. "" on failure. */
const char *export_name(export_file *file, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The graph's inputs and outputs: [batch, example...], the batch left open. */
void export_input(export_file *file, const char *name, int32_t type, const rung_shape *example);
void export_output(export_file *file, const char *name, int32_t type, const rung_shape *example);

/* A node that computes `output` from `inputs`, of which the last is followed by NULL. Returns `output`. */
const char *export_node(export_file *file, const char *op, const char *const *inputs, const char *output);
#define INPUTS(...) ((const char *[]){__VA_ARGS__, NULL})
/* Attributes of the node recorded last. */
void export_attribute_int(export_file *file, const char *name, int64_t value);
void export_attribute_float(export_file *file, const char *name, float value);

/* Initializers; a rank of 0 is a scalar. Values of 32 bits are borrowed until export_end. Each
 * returns `name`. */
const char *export_floats(export_file *file, const char *name, rung_shape shape, const float *values);
const char *export_int32s(export_file *file, const char *name, rung_shape shape, const int32_t *values);
const char *export_int64s(export_file *file, const char *name, rung_shape shape, const int64_t *values);
/* Integers of `type` UINT8, INT8 or INT4, from the low bits of `values`; NULL: zeros. Two INT4 share a byte, the first
 * in its low half. */
const char *export_integers(export_file *file, const char *name, int32_t type, rung_shape shape, const int8_t *values);
/* Scalars. */
const char *export_float(export_file *file, const char *name, float value);
const char *export_integer(export_file *file, const char *name, int32_t type, int32_t value);

#endif
