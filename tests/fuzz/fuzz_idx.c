#include "fuzz.h"

#include <rung/io.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  rung_tensor tensor;
  fuzz_bound_memory(bytes, size, 1 << 17, 2);
  if (rung_idx_read(fuzz_file(bytes, size), &tensor) == RUNG_OK) {
    fuzz_taken++;
    fuzz_touch(&tensor);
  } else {
    ENSURE(tensor.data == NULL);
    fuzz_check_refusal();
  }
  rung_idx_free(&tensor);
  return 0;
}
