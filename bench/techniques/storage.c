/* Weights in formats that are decoded before they are multiplied (docs/formats.md): rounded to one, or trained with it.
 * Activations, biases and sums are f32; RTN beside it has integers throughout. */
#include "technique.h"

#include <rung/nn/formats.h>

static int64_t parameters(const rung_model *model) {
  int64_t all = 0, count;
  for (int i = 0; i < rung_model_parameter_count(model); i++) {
    const rung_parameter parameter = rung_model_parameter(model, i);
    if (rung_shape_count(&parameter.shape, &count) == RUNG_OK) all += count;
  }
  return all;
}

/* Leaves the float network with what the format keeps of its weights. */
static rung_status store(rung_model *model, const rung_scheme *scheme, rung_storage_format format,
                         technique_result *result) {
  const rung_storage storage = {
      .format = format, .granularity = scheme->weight_granularity, .group = scheme->weight_group};
  rung_stored stored;
  rung_status status = rung_model_use(model, RUNG_FORM_FLOAT);
  if (status == RUNG_OK) status = rung_model_store(model, &storage, &stored);
  if (status != RUNG_OK) return status;
  const int64_t biases = parameters(model) - stored.weights;
  result->bytes = (int64_t)stored.bytes + biases * (int64_t)sizeof(float);
  return RUNG_OK;
}

static rung_status train(const trial *t, rung_model *model, const rung_scheme *scheme, rung_storage_format format,
                         technique_result *result) {
  rung_scheme with = *scheme;
  with.weight_storage = format;
  rung_status status = trial_quantize(t, model, &with);
  if (status == RUNG_OK) status = trial_fit(t, model);
  return status == RUNG_OK ? store(model, scheme, format, result) : status;
}

#define STORED(NAME, TEXT, FORMAT, SETTINGS, HELP)                                                                     \
  static rung_status run_store_##NAME(const trial *t, rung_model *model, const rung_scheme *scheme,                    \
                                      technique_result *result) {                                                      \
    (void)t;                                                                                                           \
    return store(model, scheme, FORMAT, result);                                                                       \
  }                                                                                                                    \
  const technique technique_store_##NAME = {                                                                           \
      .name = "store-" TEXT, .help = HELP, .settings = SETTINGS, .rounds = true, .run = run_store_##NAME};

#define TRAINED(NAME, FORMAT, SETTINGS, HELP)                                                                          \
  static rung_status run_train_##NAME(const trial *t, rung_model *model, const rung_scheme *scheme,                    \
                                      technique_result *result) {                                                      \
    return train(t, model, scheme, FORMAT, result);                                                                    \
  }                                                                                                                    \
  const technique technique_train_##NAME = {                                                                           \
      .name = "train-" #NAME, .help = HELP, .settings = SETTINGS, .run = run_train_##NAME};

STORED(f16, "f16", RUNG_STORAGE_F16, "w8a8", "weights in FP16, no scale; activations f32")
STORED(bf16, "bf16", RUNG_STORAGE_BF16, "w8a8", "weights in bfloat16, no scale; activations f32")
STORED(e4m3, "e4m3", RUNG_STORAGE_E4M3, "w8a8, w8a8 per-tensor",
       "weights in FP8 E4M3 (Micikevicius et al., 2022); activations f32")
STORED(e5m2, "e5m2", RUNG_STORAGE_E5M2, "w8a8, w8a8 per-tensor", "weights in FP8 E5M2 (the same); activations f32")
STORED(nf4, "nf4", RUNG_STORAGE_NF4, "w4a8 group 64",
       "weights in NF4, blocks of 64 (Dettmers et al., QLoRA, 2023); activations f32")
STORED(nf4_double, "nf4-double", RUNG_STORAGE_NF4_DOUBLE, "w4a8 group 64",
       "NF4 with double quantization of its scales (the same); activations f32")
STORED(int4, "int4", RUNG_STORAGE_INT4, "w4a8 group 64, w4a8 group 32, w4a8",
       "weights in int4, RTN's own; activations f32")

TRAINED(bf16, RUNG_STORAGE_BF16, "w8a8", "trained with weights in bfloat16; activations f32")
TRAINED(e4m3, RUNG_STORAGE_E4M3, "w8a8 per-tensor, w8a8", "trained with weights in FP8 E4M3; activations f32")
TRAINED(e5m2, RUNG_STORAGE_E5M2, "w8a8 per-tensor, w8a8", "trained with weights in FP8 E5M2; activations f32")
TRAINED(nf4, RUNG_STORAGE_NF4, "w4a8 group 64", "trained with weights in NF4, blocks of 64; activations f32")
