/* Floats without a scale: the code is the number's own bits in that type, nearest, ties to even; what is too large
 * becomes the largest finite value. */
#include "../storage.h"
#include "round.h"

static void encode(const storage_kind *kind, const float *w, int64_t n, float scale, uint32_t *code) {
  (void)scale;
  for (int64_t i = 0; i < n; i++) code[i] = rung_float_encode(kind->type, w[i], true);
}

static void decode(const storage_kind *kind, const uint32_t *code, int64_t n, float scale, float *w) {
  (void)scale;
  for (int64_t i = 0; i < n; i++) w[i] = rung_float_decode(kind->type, code[i]);
}

static void round_f16(const storage_kind *kind, const float *w, int64_t n, float scale, float *y) {
  static const float_shape shape = {.fraction_bits = 10, .smallest_exponent = -14, .largest = 65504};
  (void)kind, (void)scale;
  for (int64_t i = 0; i < n; i++) y[i] = round_to(&shape, w[i]);
}

/* Its exponents are f32's: on the bits, where a carry goes on into the exponent. */
static void round_bf16(const storage_kind *kind, const float *w, int64_t n, float scale, float *y) {
  const uint32_t largest = 0x7F7F0000;
  (void)kind, (void)scale;
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits, magnitude;
    memcpy(&bits, &w[i], sizeof bits);
    magnitude = bits & 0x7FFFFFFF;
    magnitude = (magnitude + 0x7FFF + (magnitude >> 16 & 1)) & 0xFFFF0000;
    bits = (bits & 0x80000000) | (magnitude < largest ? magnitude : largest);
    memcpy(&y[i], &bits, sizeof bits);
  }
}

const storage_kind f32_storage = {.name = "f32", .type = RUNG_F32, .bits = 32, .encode = encode, .decode = decode};
const storage_kind f16_storage = {
    .name = "f16", .type = RUNG_F16, .bits = 16, .encode = encode, .decode = decode, .round = round_f16};
const storage_kind bf16_storage = {
    .name = "bf16", .type = RUNG_BF16, .bits = 16, .encode = encode, .decode = decode, .round = round_bf16};
