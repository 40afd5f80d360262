/* Rounding to a float format by f32 arithmetic, nearest, ties to even: training does it to every weight at every step.
 */
#ifndef RUNG_ROUND_H
#define RUNG_ROUND_H

#include <math.h>
#include <string.h>

/* A format whose numbers' exponents are so far from f32's ends that the sum below is exact but for its rounding. */
typedef struct float_shape {
  int fraction_bits, smallest_exponent;
  float largest;
} float_shape;

/* x + c - c with c = 1.5 2^(e + 23 - F), e the exponent of x or the format's smallest: the sum's last place is the
 * format's. Of magnitudes up to `largest`; what is beyond becomes that. */
static inline float round_to(const float_shape *shape, float x) {
  const float magnitude = fabsf(x) < shape->largest ? fabsf(x) : shape->largest;
  const uint32_t smallest = (uint32_t)(shape->smallest_exponent + 127) << 23;
  uint32_t bits;
  memcpy(&bits, &magnitude, sizeof bits);
  bits &= 0x7F800000;
  bits = (bits > smallest ? bits : smallest) + ((uint32_t)(23 - shape->fraction_bits) << 23) + 0x400000;
  float c;
  memcpy(&c, &bits, sizeof c);
  return copysignf(magnitude + c - c, x);
}

#endif
