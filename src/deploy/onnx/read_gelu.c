/* GELU, x/2 (1 + erf(x / sqrt 2)) (Hendrycks and Gimpel, 2016): a node since opset 20. Before, exporters spell it out
 * with Div, Erf, Add and Mul in any order; each of these takes a value one stage on, and the last one records it. */
#include "import.h"

#include <math.h>
#include <string.h>

/* Of float16 constants too. */
static bool is_near(const import_node *node, int index, float x) {
  const import_value *value = import_has_input(node, index) ? node->input[index] : NULL;
  return value && !value->node && !value->linear && !value->grid.type && import_is_real(&value->tensor) &&
         value->tensor.count == 1 && fabsf(import_real(&value->tensor, 0) - x) < 1e-3f;
}

rung_status import_gelu_output(import_node *node, const import_value *value, import_stage stage) {
  if (stage == STAGE_WHOLE) return import_output_node(node, rung_gelu(value->node));
  return import_output_value(node, &(import_value){.node = value->node, .stage = stage});
}

/* A plain value that is about to become part of a GELU. */
static rung_status begin(import_node *node, int index, import_stage stage) {
  rung_node *x = import_input(node, index);
  return x ? import_gelu_output(node, node->input[index], stage) : rung_error_status();
}

rung_status import_gelu(import_node *node) {
  const Onnx__AttributeProto *approximate = import_attribute(node, "approximate");
  if (approximate && (approximate->s.len != 4 || memcmp(approximate->s.data, "none", 4) != 0))
    return import_refuse(node, "it is approximated (by tanh), expected the form with erf");
  rung_node *x = import_input(node, 0);
  return x ? import_output_node(node, rung_gelu(x)) : rung_error_status();
}

rung_status import_div(import_node *node) {
  if (is_near(node, 1, 1.41421356f)) return begin(node, 0, STAGE_SCALED);
  return import_refuse(node, "no such layer in Rung; it is read only as the x / sqrt 2 of a GELU");
}

rung_status import_erf(import_node *node) {
  if (import_has_input(node, 0) && node->input[0]->stage == STAGE_SCALED)
    return import_gelu_output(node, node->input[0], STAGE_ERF);
  return import_refuse(node, "no such layer in Rung; it is read only as the erf(x / sqrt 2) of a GELU");
}

bool import_gelu_add(const import_node *node, int known) {
  return import_has_input(node, 1 - known) && node->input[1 - known]->stage == STAGE_ERF && is_near(node, known, 1);
}

/* Times 1/2, or 1 / sqrt 2, which is input `known`. */
static rung_status multiply_by_constant(import_node *node, int known) {
  const import_value *value = node->input[1 - known];
  if (is_near(node, known, 0.70710678f)) return begin(node, 1 - known, STAGE_SCALED);
  if (value->stage == STAGE_ERF_1) return import_gelu_output(node, value, STAGE_HALF_ERF_1);
  if (value->stage == STAGE_X_ERF_1) return import_gelu_output(node, value, STAGE_WHOLE);
  return begin(node, 1 - known, STAGE_HALF_X);
}

/* What the product of two stages of the same x is. */
static import_stage product_of(import_stage a, import_stage b) {
  if (a == STAGE_NONE && b == STAGE_ERF_1) return STAGE_X_ERF_1;
  if (a == STAGE_NONE && b == STAGE_HALF_ERF_1) return STAGE_WHOLE;
  if (a == STAGE_HALF_X && b == STAGE_ERF_1) return STAGE_WHOLE;
  return STAGE_NONE;
}

rung_status import_mul(import_node *node) {
  for (int known = 0; known < 2 && import_has_input(node, 0) && import_has_input(node, 1); known++) {
    const import_value *a = node->input[known], *b = node->input[1 - known];
    if (is_near(node, known, 0.5f) || is_near(node, known, 0.70710678f)) return multiply_by_constant(node, known);
    import_stage stage = a->node && a->node == b->node ? product_of(a->stage, b->stage) : STAGE_NONE;
    if (stage != STAGE_NONE) return import_gelu_output(node, a, stage);
  }
  return import_refuse(node, "no such layer in Rung; it is read only as part of a GELU");
}
