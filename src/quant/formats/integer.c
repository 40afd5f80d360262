/* Integers of 2 to 8 bits, signed and symmetric, exactly as a scheme's weights (eq. 2, eq. 5): the code is q in two's
 * complement.
 *
 * q = clamp(rne(w (1/s)), -qmax, qmax),  s = max|w| / qmax,  qmax = 2^(bits-1) - 1;  w' = s q */
#include "../qparams.h"
#include "../storage.h"

static rung_format format_of(const storage_kind *kind) {
  return (rung_format){.bits = kind->bits, .is_signed = true, .symmetric = true};
}

static float scale_of(const storage_kind *kind, const float *w, int64_t n) {
  const rung_format format = format_of(kind);
  return qparams_weight_scale(&format, w, n);
}

static void encode(const storage_kind *kind, const float *w, int64_t n, float scale, uint32_t *code) {
  const rung_format format = format_of(kind);
  int32_t qmin, qmax;
  int8_t q[STORAGE_CHUNK];
  rung_format_range(&format, &qmin, &qmax);
  rung_kernels_active()->quantize_i8(q, w, n, 1 / scale, 0, qmin, qmax);
  for (int64_t i = 0; i < n; i++) code[i] = (uint32_t)q[i] & ((1U << kind->bits) - 1);
}

static void decode(const storage_kind *kind, const uint32_t *code, int64_t n, float scale, float *w) {
  const uint32_t sign = 1U << (kind->bits - 1);
  for (int64_t i = 0; i < n; i++) w[i] = scale * (float)((int32_t)(code[i] ^ sign) - (int32_t)sign);
}

static void round_integers(const storage_kind *kind, const float *w, int64_t n, float scale, float *y) {
  const rung_format format = format_of(kind);
  int32_t qmin, qmax;
  rung_format_range(&format, &qmin, &qmax);
  rung_kernels_active()->fake_quantize(y, NULL, w, n, scale, 1 / scale, 0, qmin, qmax);
}

#define INTEGER(BITS)                                                                                                  \
  {                                                                                                                    \
    .name = "int" #BITS, .bits = BITS, .scales = SCALES_CHOSEN, .scale = scale_of, .encode = encode, .decode = decode, \
    .round = round_integers                                                                                            \
  }

const storage_kind int8_storage = INTEGER(8);
const storage_kind int7_storage = INTEGER(7);
const storage_kind int6_storage = INTEGER(6);
const storage_kind int5_storage = INTEGER(5);
const storage_kind int4_storage = INTEGER(4);
const storage_kind int3_storage = INTEGER(3);
const storage_kind int2_storage = INTEGER(2);
