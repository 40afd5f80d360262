/* Small ONNX files for the tests of the reader, written by hand from a line a node:
 *   "Gemm(x, w, b) -> y; transB=1, alpha=0.5"
 * An attribute with a point in it is a float, another an integer. "x" is the input [batch, 3], "y" the output; besides
 * there are some initializers (onnx_file_new). */
#ifndef TESTS_ONNX_FILE_H
#define TESTS_ONNX_FILE_H

#include "harness.h"
#include "io/scratch.h"

#include <math.h>

/* A protobuf message under construction. */
typedef struct message {
  size_t size;
  uint8_t bytes[8192];
} message;

static inline void put_varint(message *to, uint64_t value) {
  do {
    ck_assert_uint_lt(to->size, sizeof to->bytes);
    to->bytes[to->size++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    value >>= 7;
  } while (value);
}

static inline void put_int(message *to, int field, int64_t value) {
  put_varint(to, (uint64_t)field << 3);
  put_varint(to, (uint64_t)value);
}

static inline void put_bytes(message *to, int field, const void *bytes, size_t size) {
  put_varint(to, (uint64_t)field << 3 | 2);
  put_varint(to, size);
  ck_assert_uint_le(to->size + size, sizeof to->bytes);
  memcpy(to->bytes + to->size, bytes, size);
  to->size += size;
}

static inline void put_text(message *to, int field, const char *text) {
  put_bytes(to, field, text, strlen(text));
}

static inline void put_message(message *to, int field, const message *inner) {
  put_bytes(to, field, inner->bytes, inner->size);
}

/* An initializer (field 5 of a graph) of rank `rank`: raw data. */
static inline void put_tensor(message *graph, const char *name, int type, int rank, const int64_t *dims,
                              const void *data, size_t size) {
  message tensor = {0};
  for (int i = 0; i < rank; i++) put_int(&tensor, 1, dims[i]);
  put_int(&tensor, 2, type);
  put_text(&tensor, 8, name);
  put_bytes(&tensor, 9, data, size);
  put_message(graph, 5, &tensor);
}

/* A graph's input (field 11) or output (field 12): [batch, extents...], f32. */
static inline void put_value(message *graph, int field, const char *name, int count, const int64_t *extents) {
  message dim = {0}, shape = {0}, tensor = {0}, type = {0}, value = {0};
  put_text(&dim, 2, "batch");
  put_message(&shape, 1, &dim);
  for (int i = 0; i < count; i++) {
    dim.size = 0;
    put_int(&dim, 1, extents[i]);
    put_message(&shape, 1, &dim);
  }
  put_int(&tensor, 1, 1);
  put_message(&tensor, 2, &shape);
  put_message(&type, 1, &tensor);
  put_text(&value, 1, name);
  put_message(&value, 2, &type);
  put_message(graph, field, &value);
}

static inline void put_attribute(message *node, const char *name, const char *value) {
  message attribute = {0};
  put_text(&attribute, 1, name);
  if (strchr(value, '.')) {
    float number = strtof(value, NULL);
    put_varint(&attribute, 2 << 3 | 5);
    memcpy(attribute.bytes + attribute.size, &number, sizeof number);
    attribute.size += sizeof number;
  } else {
    put_int(&attribute, 3, strtol(value, NULL, 10));
  }
  put_message(node, 5, &attribute);
}

static inline void put_node(message *graph, const char *line) {
  char text[256], *save;
  message node = {0};
  snprintf(text, sizeof text, "%s", line);
  char *inputs = strchr(text, '('), *outputs = strstr(text, ") -> "), *attributes = strchr(text, ';');
  ck_assert_msg(inputs && outputs, "%s", line);
  *inputs++ = *outputs = '\0';
  outputs += strlen(") -> ");
  if (attributes) *attributes++ = '\0';
  for (char *name = strtok_r(inputs, ", ", &save); name; name = strtok_r(NULL, ", ", &save))
    put_text(&node, 1, strcmp(name, "_") == 0 ? "" : name);
  for (char *name = strtok_r(outputs, ", ", &save); name; name = strtok_r(NULL, ", ", &save)) put_text(&node, 2, name);
  put_text(&node, 4, text);
  for (char *name = attributes ? strtok_r(attributes, "=, ", &save) : NULL; name; name = strtok_r(NULL, "=, ", &save))
    put_attribute(&node, name, strtok_r(NULL, "=, ", &save));
  put_message(graph, 1, &node);
}

/* x, y, and initializers: w [2, 3], wt [3, 2] its transpose, v [2, 2], b [2], c [3], one, half, six, zero, nan_w [2, 3]
 * with a NaN; q [2, 3] and zq (int8; q64 reaches only 64, the second row of q1 126, z1 is 1, 1), q4 (int4) 7, -7, 1 and
 * 7, 0, -7, q2 (int2) 1, -1, 0 and 1, 0, -1, s, s2 [2]; i0, i3, minus [2] = (-1, 3), batch1 [2] = (1, 3), wide [2] =
 * (0, 6).
 */
static inline void put_initializers(message *graph) {
  enum { FLOAT = 1, INT8 = 3, INT64 = 7, INT4 = 22, INT2 = 26 };
  static const float w[] = {1, -2, 3, 0.5f, 0.25f, -1}, wt[] = {1, 0.5f, -2, 0.25f, 3, -1}, v[] = {1, 2, 3, 4},
                     b[] = {0.5f, -0.5f}, c[] = {1, 2, 3}, numbers[] = {1, 0.5f, 6, 0, 1.41421356f},
                     nan_w[] = {1, -2, 3, 0.5f, NAN, -1}, scales[] = {0.5f, 0.25f}, one2[] = {1, 1};
  static const int8_t q[] = {127, -64, 1, 127, 0, -127}, zeros[2] = {0}, ones[] = {1, 1}, q64[] = {64, 1, 2, -64, 0, 3},
                      q1[] = {127, 0, 1, 126, 3, 4};
  static const uint8_t q4[] = {0x97, 0x71, 0x90}, q2[] = {0x4d, 0x0c}; /* the first in the low bits */
  static const int64_t integers[] = {0, 3}, minus[] = {-1, 3}, batch1[] = {1, 3}, wide[] = {0, 6};
  put_tensor(graph, "w", FLOAT, 2, (int64_t[]){2, 3}, w, sizeof w);
  put_tensor(graph, "wt", FLOAT, 2, (int64_t[]){3, 2}, wt, sizeof wt);
  put_tensor(graph, "v", FLOAT, 2, (int64_t[]){2, 2}, v, sizeof v);
  put_tensor(graph, "b", FLOAT, 1, (int64_t[]){2}, b, sizeof b);
  put_tensor(graph, "c", FLOAT, 1, (int64_t[]){3}, c, sizeof c);
  put_tensor(graph, "nan_w", FLOAT, 2, (int64_t[]){2, 3}, nan_w, sizeof nan_w);
  static const char *const names[] = {"one", "half", "six", "zero", "sqrt2"};
  for (int i = 0; i < 5; i++) put_tensor(graph, names[i], FLOAT, 0, NULL, &numbers[i], sizeof(float));
  put_tensor(graph, "q", INT8, 2, (int64_t[]){2, 3}, q, sizeof q);
  put_tensor(graph, "q4", INT4, 2, (int64_t[]){2, 3}, q4, sizeof q4);
  put_tensor(graph, "q2", INT2, 2, (int64_t[]){2, 3}, q2, sizeof q2);
  put_tensor(graph, "q64", INT8, 2, (int64_t[]){2, 3}, q64, sizeof q64);
  put_tensor(graph, "q1", INT8, 2, (int64_t[]){2, 3}, q1, sizeof q1);
  put_tensor(graph, "z1", INT8, 1, (int64_t[]){2}, ones, sizeof ones);
  put_tensor(graph, "one2", FLOAT, 1, (int64_t[]){2}, one2, sizeof one2);
  put_tensor(graph, "zq", INT8, 1, (int64_t[]){2}, zeros, sizeof zeros);
  put_tensor(graph, "s2", FLOAT, 1, (int64_t[]){2}, scales, sizeof scales);
  put_tensor(graph, "s", FLOAT, 0, NULL, scales, sizeof(float));
  put_tensor(graph, "i0", INT64, 0, NULL, &integers[0], 8);
  put_tensor(graph, "i3", INT64, 0, NULL, &integers[1], 8);
  put_tensor(graph, "minus", INT64, 1, (int64_t[]){2}, minus, sizeof minus);
  put_tensor(graph, "batch1", INT64, 1, (int64_t[]){2}, batch1, sizeof batch1);
  put_tensor(graph, "wide", INT64, 1, (int64_t[]){2}, wide, sizeof wide);
}

static inline void put_model(message *model, const message *graph, int opset) {
  message version = {0};
  put_int(&version, 2, opset);
  put_int(model, 1, 8);
  put_message(model, 7, graph);
  put_message(model, 8, &version);
}

/* "file.onnx" in the scratch folder: the path. `nodes` ends with NULL. */
static inline const char *onnx_file(const char *const *nodes) {
  static message graph, model;
  graph.size = model.size = 0;
  for (; *nodes; nodes++) put_node(&graph, *nodes);
  put_initializers(&graph);
  put_value(&graph, 11, "x", 1, (int64_t[]){3});
  put_value(&graph, 12, "y", 0, NULL);
  put_model(&model, &graph, 13);
  return scratch_write("file.onnx", model.bytes, model.size);
}

#endif
