/* Floats without a scale: the code is the number's own bits in that type, nearest, ties to even; what is too large
 * becomes the largest finite value. */
#include "../storage.h"

static void encode(const storage_kind *kind, const float *w, int64_t n, float scale, uint32_t *code) {
  (void)scale;
  for (int64_t i = 0; i < n; i++) code[i] = rung_float_encode(kind->type, w[i], true);
}

static void decode(const storage_kind *kind, const uint32_t *code, int64_t n, float scale, float *w) {
  (void)scale;
  for (int64_t i = 0; i < n; i++) w[i] = rung_float_decode(kind->type, code[i]);
}

const storage_kind f32_storage = {.name = "f32", .type = RUNG_F32, .bits = 32, .encode = encode, .decode = decode};
const storage_kind f16_storage = {.name = "f16", .type = RUNG_F16, .bits = 16, .encode = encode, .decode = decode};
const storage_kind bf16_storage = {.name = "bf16", .type = RUNG_BF16, .bits = 16, .encode = encode, .decode = decode};
