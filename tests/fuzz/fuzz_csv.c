/* The first byte chooses the options, the others are the text. */
#include "fuzz.h"

#include <rung/io.h>

#include <math.h>

static void check(const rung_dataset *dataset, const rung_csv_options *options) {
  fuzz_touch(&dataset->inputs);
  const float *values = dataset->inputs.data;
  int64_t inputs = rung_tensor_count(&dataset->inputs);
  ENSURE(dataset->inputs.type == (options->pixels ? RUNG_U8 : RUNG_F32));
  for (int64_t i = 0; !options->pixels && i < inputs; i++) ENSURE(isfinite(values[i]));
  ENSURE((options->targets != NULL) == (dataset->targets.data != NULL));
  if (options->targets != NULL) fuzz_touch(&dataset->targets);
  for (int64_t i = 0; dataset->labels != NULL && i < dataset->count; i++)
    ENSURE(dataset->labels[i] >= 0 && dataset->labels[i] < dataset->classes);
  for (int32_t i = 1; dataset->class_names != NULL && i < dataset->classes; i++)
    ENSURE(strcmp(dataset->class_names[i - 1], dataset->class_names[i]) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const char separators[] = {'\0', ',', ';', '\t'};
  static const char *const labels[] = {NULL, "first", "label", NULL};
  static const char *const targets[] = {NULL, NULL, NULL, "last 2", "first", "a,b", "a", "last"};
  if (size < 1) return 0;
  rung_csv_options options = {
      .separator = separators[bytes[0] & 3],
      .header = (rung_csv_header)((bytes[0] >> 2 & 3) % 3),
      .targets = targets[bytes[0] >> 4 & 7],
      .pixels = bytes[0] >> 7,
  };
  if (options.targets == NULL) options.label = labels[bytes[0] >> 4 & 3];
  fuzz_bound_memory(bytes + 1, size - 1, 1 << 17, 32);
  const char *path = fuzz_file(bytes + 1, size - 1);
  rung_dataset *dataset = rung_dataset_read_csv(path, &options);
  if (dataset == NULL) {
    fuzz_check_refusal();
    return 0;
  }
  fuzz_taken++;
  check(dataset, &options);
  /* As a test set of itself it is the same. */
  options.like = dataset;
  rung_dataset *again = rung_dataset_read_csv(path, &options);
  ENSURE(again != NULL && again->count == dataset->count && again->classes == dataset->classes);
  for (int64_t i = 0; dataset->labels != NULL && i < dataset->count; i++)
    ENSURE(again->labels[i] == dataset->labels[i]);
  rung_dataset_free(again);
  rung_dataset_free(dataset);
  return 0;
}
