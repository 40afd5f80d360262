#include "op.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

rung_status op_expect_f32(const rung_node *node, int index) {
  const rung_node *input = node->input[index];
  if (!input || input->value.type == RUNG_F32) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "%s: '%s' is %s, expected f32", node->op->name, input->name,
                   rung_dtype_name(input->value.type));
}

rung_status op_expect_unbatched(const rung_node *node, int index) {
  const rung_node *input = node->input[index];
  if (!input || !input->batched) return RUNG_OK;
  return rung_fail(RUNG_ERROR_SHAPE, "%s: the outermost extent of '%s' is the batch, expected a fixed one",
                   node->op->name, input->name);
}

rung_status op_refuse(const rung_node *node, const char *names, const char *expected, ...) {
  char shapes[384] = "", wanted[256], text[RUNG_SHAPE_TEXT];
  size_t length = 0;
  for (int i = 0; i < node->op->input_count && *names; i++) {
    size_t name = strcspn(names, " ");
    if (node->input[i] && length < sizeof shapes)
      length += (size_t)snprintf(shapes + length, sizeof shapes - length, "%s%.*s is %s", length ? ", " : "", (int)name,
                                 names, rung_shape_format(&node->input[i]->value.shape, text, sizeof text));
    names += name + strspn(names + name, " ");
  }
  va_list arguments;
  va_start(arguments, expected);
  vsnprintf(wanted, sizeof wanted, expected, arguments);
  va_end(arguments);
  return rung_fail(RUNG_ERROR_SHAPE, "%s: %s; expected %s", node->op->name, shapes, wanted);
}

void op_reserve_products(rung_node *node, const rung_gemm *gemm, int count) {
  for (int i = 0; i < count; i++) op_reserve(node, rung_gemm_scratch(&gemm[i]));
}
