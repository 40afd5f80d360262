#include "ref/matrix.h"

#include <string.h>

/* x with 7 fraction bits, half to even: the carry of the sum goes into the exponent, and past it to infinity. A NaN is
 * kept one. */
static float to_bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  if (isnan(x))
    bits |= 0x400000;
  else
    bits += 0x7fff + (bits >> 16 & 1);
  bits &= 0xffff0000u;
  memcpy(&x, &bits, sizeof x);
  return x;
}

void RUNG_AT_LEVEL(gemm_bf16)(const rung_gemm *gemm, void *scratch, int ith, int nth) {
  ref_product(gemm, scratch, ith, nth, to_bf16);
}
