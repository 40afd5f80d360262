/* Reads the bytes as an ONNX model and runs what comes of it on one example. */
#include "fuzz.h"

#include <rung/deploy.h>

/* 36 MiB: the chunk an arena may open at once. */
#define FIXED ((size_t)36 << 20)

static void evaluate(rung_model *model) {
  rung_graph *graph = rung_model_graph(model);
  const rung_node *input = rung_graph_node(graph, 0);
  for (int i = 0; i < rung_model_parameter_count(model); i++) {
    rung_parameter parameter = rung_model_parameter(model, i);
    fuzz_touch(&(rung_tensor){.type = RUNG_F32, .shape = parameter.shape, .data = parameter.value});
  }
  ENSURE(rung_model_status(model) == RUNG_OK && input != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  fuzz_bound_memory(bytes, size, FIXED, 64);
  rung_model *model =
      rung_model_import_onnx(fuzz_file(bytes, size), &(rung_model_options){.batch = 1, .threads = 1, .seed = 1});
  if (model == NULL) {
    fuzz_check_refusal();
    return 0;
  }
  fuzz_taken++;
  evaluate(model);
  rung_model_free(model);
  return 0;
}
