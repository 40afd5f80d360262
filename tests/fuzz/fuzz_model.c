/* Reads the bytes as a checkpoint: a whole model, weights for one that is there, and a fit that was broken off. */
#include "fuzz.h"

#include <rung/nn.h>

/* 36 MiB: the chunk an arena may open at once. */
#define FIXED ((size_t)36 << 20)

static const rung_model_options options = {.batch = 1, .threads = 1, .seed = 1};

static void load_weights(const char *path) {
  static rung_model *model;
  if (model == NULL) model = rung_model_from_text("input 4; linear 3, relu, linear 2; cross-entropy", &options);
  ENSURE(model != NULL);
  uint64_t before = rung_model_hash(model);
  if (rung_model_load_weights(model, path) == RUNG_OK) {
    ENSURE(rung_model_check_finite(model) == RUNG_OK);
    return;
  }
  fuzz_check_refusal();
  ENSURE(rung_model_hash(model) == before);
}

static void resume(const char *path) {
  static float numbers[8 * 4] = {1, -1, 0.5f};
  static const int32_t labels[8] = {0, 1, 0, 1};
  static rung_dataset *data;
  const rung_tensor inputs = {.type = RUNG_F32, .shape = RUNG_SHAPE(8, 4), .data = numbers};
  if (data == NULL) data = rung_dataset_new("numbers", &inputs, labels, 2, NULL);
  rung_model *model = rung_model_from_text("input 4; linear 3, relu, linear 2; cross-entropy",
                                           &(rung_model_options){.batch = 4, .threads = 1, .seed = 1});
  ENSURE(data != NULL && model != NULL);
  if (rung_fit(model, data, &(rung_fit_options){.epochs = 2, .momentum = 0.5f, .resume = path}) != RUNG_OK)
    fuzz_check_refusal();
  rung_model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  fuzz_bound_memory(bytes, size, FIXED, 64);
  const char *path = fuzz_file(bytes, size);
  load_weights(path);
  resume(path);
  rung_model *model = rung_model_load(path, &options);
  if (model == NULL) {
    fuzz_check_refusal();
    return 0;
  }
  fuzz_taken++;
  ENSURE(rung_model_status(model) == RUNG_OK && rung_model_check_finite(model) == RUNG_OK);
  rung_model_free(model);
  return 0;
}
