/* Every operation of this floor, one row each: RUNG_OP_LIST(ROW) expands ROW(name) once for rung_op_name, which is
 * defined in ops/name.c. What is not in the public header stays within the library. */
#ifndef RUNG_OP_LIST_H
#define RUNG_OP_LIST_H

#include <rung/autograd.h>

#define RUNG_OP_LIST(ROW)                                                                                              \
  ROW(linear)                                                                                                          \
  ROW(matmul)                                                                                                          \
  ROW(add)                                                                                                             \
  ROW(multiply)                                                                                                        \
  ROW(relu)                                                                                                            \
  ROW(relu6)                                                                                                           \
  ROW(sigmoid)                                                                                                         \
  ROW(tanh)                                                                                                            \
  ROW(gelu)                                                                                                            \
  ROW(rescale)                                                                                                         \
  ROW(reshape)                                                                                                         \
  ROW(dropout)                                                                                                         \
  ROW(batch_norm)                                                                                                      \
  ROW(sum)                                                                                                             \
  ROW(mean)                                                                                                            \
  ROW(cross_entropy)                                                                                                   \
  ROW(squared_error)                                                                                                   \
  ROW(squared_hinge)

#define RUNG_DECLARE_OP(name) extern const rung_op rung_op_##name;
RUNG_OP_LIST(RUNG_DECLARE_OP)

#endif
