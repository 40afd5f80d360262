#include "fuzz.h"

#include <rung/io.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  fuzz_bound_memory(bytes, size, 1 << 22, 64); /* an arena opens chunks of 1 MiB, then 2 ... */
  rung_safetensors *file = rung_safetensors_open(fuzz_file(bytes, size));
  if (file == NULL) {
    fuzz_check_refusal();
    return 0;
  }
  fuzz_taken++;
  for (int i = 0; i < rung_safetensors_count(file); i++) {
    rung_named_tensor named = rung_safetensors_tensor(file, i);
    const rung_tensor *found = rung_safetensors_find(file, named.name);
    ENSURE(found != NULL && found->data == named.tensor.data);
    if (found->data != NULL) fuzz_touch(found);
  }
  const char *format = rung_safetensors_metadata(file, "format");
  ENSURE(format == NULL || strlen(format) < size);
  rung_safetensors_free(file);
  return 0;
}
