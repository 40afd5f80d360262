/* Softmax and LogSoftmax, at the end of a classifier: Rung's cross entropy takes logits and has the softmax in it, so
 * the model ends before. */
#include "import.h"

rung_status import_softmax(import_node *node) {
  int64_t axis = import_attribute_int(node, "axis", node->in->opset < 13 ? 1 : -1);
  rung_node *x = import_input(node, 0);
  if (!x) return rung_error_status();
  if (x->value.shape.rank != 2 || (axis != 1 && axis != -1))
    return import_refuse(node, "axis %lld of rank %d, expected the last of [batch, classes]", (long long)axis,
                         x->value.shape.rank);
  return import_output_value(node, &(import_value){.node = x, .probabilities = true});
}
