/* Dropout: drops when the model trains, whatever the file's training_mode says. */
#include "import.h"

rung_status import_dropout(import_node *node) {
  float ratio = import_attribute_float(node, "ratio", 0.5f); /* an input since opset 12 */
  import_attribute_int(node, "seed", 0);
  if (import_has_input(node, 1)) {
    const import_tensor *tensor = import_known(node, 1, true);
    if (!tensor) return rung_error_status();
    if (tensor->count != 1) return import_refuse(node, "its ratio is no single number");
    ratio = import_real(tensor, 0);
  }
  rung_node *x = import_input(node, 0);
  if (!x) return rung_error_status();
  return import_output_node(node, ratio == 0 ? x : rung_dropout(x, ratio));
}
