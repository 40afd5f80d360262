#include "fuzz.h"

#include <rung/io.h>

#include <math.h>

/* Integers are labels of themselves, floats the targets of themselves. */
static void read_dataset(const char *path) {
  rung_dataset *dataset = rung_dataset_read_npy(path, path, NULL);
  if (dataset == NULL) {
    fuzz_check_refusal();
    return;
  }
  fuzz_touch(&dataset->inputs);
  if (dataset->targets.data != NULL) fuzz_touch(&dataset->targets);
  for (int64_t i = 0; dataset->labels != NULL && i < dataset->count; i++)
    ENSURE(dataset->labels[i] >= 0 && dataset->labels[i] < dataset->classes);
  rung_dataset_free(dataset);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  rung_tensor tensor;
  fuzz_bound_memory(bytes, size, 1 << 17, 4);
  const char *path = fuzz_file(bytes, size);
  if (rung_npy_read(path, &tensor) == RUNG_OK) {
    fuzz_taken++;
    fuzz_touch(&tensor);
    read_dataset(path);
  } else {
    ENSURE(tensor.data == NULL);
    fuzz_check_refusal();
  }
  rung_npy_free(&tensor);
  return 0;
}
