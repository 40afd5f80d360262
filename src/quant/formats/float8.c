/* FP8 with a scale (Micikevicius et al., "FP8 formats for deep learning", 2022): the largest magnitude of a block is
 * brought to the format's largest finite value (eq. 51).
 *
 * code = the E4M3 or E5M2 nearest to w (1/s), ties to even,  s = max|w| / largest;  w' = s value(code) */
#include "../storage.h"
#include "round.h"

#include <float.h>

static float scale_of(const storage_kind *kind, const float *w, int64_t n) {
  const float largest = rung_float_decode(kind->type, rung_float_encode(kind->type, FLT_MAX, true));
  const float absmax = rung_kernels_active()->max_abs(w, n), scale = absmax / largest;
  if (absmax == 0) return 1;
  return scale < FLT_MIN ? FLT_MIN : scale; /* 1 / scale is finite */
}

static void encode(const storage_kind *kind, const float *w, int64_t n, float scale, uint32_t *code) {
  const float inverse = 1 / scale;
  for (int64_t i = 0; i < n; i++) code[i] = rung_float_encode(kind->type, w[i] * inverse, true);
}

static void decode(const storage_kind *kind, const uint32_t *code, int64_t n, float scale, float *w) {
  for (int64_t i = 0; i < n; i++) w[i] = scale * rung_float_decode(kind->type, code[i]);
}

static void round_e4m3(const storage_kind *kind, const float *w, int64_t n, float scale, float *y) {
  static const float_shape shape = {.fraction_bits = 3, .smallest_exponent = -6, .largest = 448};
  const float inverse = 1 / scale;
  (void)kind;
  for (int64_t i = 0; i < n; i++) y[i] = scale * round_to(&shape, w[i] * inverse);
}

static void round_e5m2(const storage_kind *kind, const float *w, int64_t n, float scale, float *y) {
  static const float_shape shape = {.fraction_bits = 2, .smallest_exponent = -14, .largest = 57344};
  const float inverse = 1 / scale;
  (void)kind;
  for (int64_t i = 0; i < n; i++) y[i] = scale * round_to(&shape, w[i] * inverse);
}

const storage_kind e4m3_storage = {.name = "e4m3",
                                   .type = RUNG_E4M3,
                                   .bits = 8,
                                   .scales = SCALES_CHOSEN,
                                   .scale = scale_of,
                                   .encode = encode,
                                   .decode = decode,
                                   .round = round_e4m3};
const storage_kind e5m2_storage = {.name = "e5m2",
                                   .type = RUNG_E5M2,
                                   .bits = 8,
                                   .scales = SCALES_CHOSEN,
                                   .scale = scale_of,
                                   .encode = encode,
                                   .decode = decode,
                                   .round = round_e5m2};
