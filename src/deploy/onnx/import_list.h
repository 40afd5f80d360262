/* The kinds of node that are read: IMPORT_LIST(ROW) expands ROW(op type, function) once for each. What is not here is
 * refused by name. Adding one: its function in a file of its family, read_NAME.c, and its row. */
#ifndef RUNG_IMPORT_LIST_H
#define RUNG_IMPORT_LIST_H

#define IMPORT_LIST(ROW)                                                                                               \
  ROW("Gemm", import_gemm)                                                                                             \
  ROW("MatMul", import_matmul)                                                                                         \
  ROW("Add", import_add)                                                                                               \
  ROW("Relu", import_relu)                                                                                             \
  ROW("Clip", import_clip)                                                                                             \
  ROW("Sigmoid", import_sigmoid)                                                                                       \
  ROW("Tanh", import_tanh)                                                                                             \
  ROW("Gelu", import_gelu)                                                                                             \
  ROW("Erf", import_erf)                                                                                               \
  ROW("Div", import_div)                                                                                               \
  ROW("Mul", import_mul)                                                                                               \
  ROW("BatchNormalization", import_batch_norm)                                                                         \
  ROW("Dropout", import_dropout)                                                                                       \
  ROW("Softmax", import_softmax)                                                                                       \
  ROW("LogSoftmax", import_softmax)                                                                                    \
  ROW("Flatten", import_flatten)                                                                                       \
  ROW("Reshape", import_reshape)                                                                                       \
  ROW("Shape", import_shape)                                                                                           \
  ROW("Gather", import_gather)                                                                                         \
  ROW("Concat", import_concat)                                                                                         \
  ROW("Squeeze", import_squeeze)                                                                                       \
  ROW("Unsqueeze", import_unsqueeze)                                                                                   \
  ROW("Identity", import_identity)                                                                                     \
  ROW("Cast", import_cast)                                                                                             \
  ROW("Constant", import_constant)                                                                                     \
  ROW("QuantizeLinear", import_quantize_linear)                                                                        \
  ROW("DequantizeLinear", import_dequantize_linear)

#endif
