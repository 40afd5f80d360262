/* NF4, 4-bit NormalFloat (Dettmers et al., "QLoRA", 2023): 16 values that divide a normal distribution into parts of
 * equal probability, 0, -1 and 1 among them (eq. 52).
 *
 * code = that of the value nearest to w (1/s), the lower on a tie,  s = max|w| of 64 weights;  w' = s value(code) */
#include "../storage.h"

#include <float.h>

enum { VALUES = 16, ZERO = 7, BLOCK = 64 };

/* Of the paper's appendix E. */
static const float value[VALUES] = {-1.0f,
                                    -0.6961928009986877f,
                                    -0.5250730514526367f,
                                    -0.39491748809814453f,
                                    -0.28444138169288635f,
                                    -0.18477343022823334f,
                                    -0.09105003625154495f,
                                    0.0f,
                                    0.07958029955625534f,
                                    0.16093020141124725f,
                                    0.24611230194568634f,
                                    0.33791524171829224f,
                                    0.44070982933044434f,
                                    0.5626170039176941f,
                                    0.7229568362236023f,
                                    1.0f};

static float scale_of(const storage_kind *kind, const float *w, int64_t n) {
  (void)kind;
  return rung_kernels_active()->max_abs(w, n);
}

static uint32_t nearest(float x) {
  uint32_t code = 0;
  for (int i = 0; i + 1 < VALUES; i++) code += x > (value[i] + value[i + 1]) / 2;
  return code;
}

/* A block of zeros, or as good as that, has no reciprocal. */
static void encode(const storage_kind *kind, const float *w, int64_t n, float scale, uint32_t *code) {
  (void)kind;
  const float inverse = scale < FLT_MIN ? 0 : 1 / scale;
  for (int64_t i = 0; i < n; i++) code[i] = nearest(w[i] * inverse);
}

static void decode(const storage_kind *kind, const uint32_t *code, int64_t n, float scale, float *w) {
  (void)kind;
  for (int64_t i = 0; i < n; i++) w[i] = value[code[i]] * scale;
}

const storage_kind nf4_storage = {.name = "nf4",
                                  .bits = 4,
                                  .scales = SCALES_BLOCKS,
                                  .block = BLOCK,
                                  .first_in_high = true,
                                  .scale = scale_of,
                                  .encode = encode,
                                  .decode = decode};
const storage_kind nf4_double_storage = {.name = "nf4-double",
                                         .bits = 4,
                                         .scales = SCALES_BLOCKS,
                                         .block = BLOCK,
                                         .first_in_high = true,
                                         .double_quantized = true,
                                         .scale = scale_of,
                                         .encode = encode,
                                         .decode = decode};
