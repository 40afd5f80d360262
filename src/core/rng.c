/* Random numbers: Philox4x32-10, and what is made of its 32-bit numbers with operations that are exact by IEEE 754. */
#include "rung/core.h"

#include <math.h>
#include <string.h>

/* The counter is (block, stream), the key is (key), each low word first. */
static void philox(uint64_t key, uint64_t block, uint64_t stream, uint32_t out[4]) {
  uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32);
  uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
  uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
  for (int round = 0; round < 10; round++) {
    uint64_t product0 = UINT64_C(0xD2511F53) * c0, product1 = UINT64_C(0xCD9E8D57) * c2;
    c0 = (uint32_t)(product1 >> 32) ^ c1 ^ k0;
    c2 = (uint32_t)(product0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)product1;
    c3 = (uint32_t)product0;
    k0 += 0x9E3779B9; /* Weyl sequences: the golden ratio, and sqrt(3) - 1 */
    k1 += 0xBB67AE85;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

rung_rng rung_rng_seed(uint64_t seed) {
  return (rung_rng){.key = seed};
}

/* The child's key and stream are a Philox block, under a key that no number of the parent is made with. */
rung_rng rung_rng_split(const rung_rng *parent, uint64_t label) {
  uint32_t words[4];
  philox(~parent->key, label, parent->stream, words);
  return (rung_rng){.key = (uint64_t)words[1] << 32 | words[0], .stream = (uint64_t)words[3] << 32 | words[2]};
}

void rung_rng_block(const rung_rng *rng, uint64_t block, uint32_t out[4]) {
  philox(rng->key, block, rng->stream, out);
}

uint32_t rung_rng_u32(rung_rng *rng) {
  uint32_t words[4];
  rung_rng_block(rng, rng->index / 4, words);
  return words[rng->index++ % 4];
}

/* Lemire, "Fast random integer generation in an interval", TOMACS 2019: the high word of u * bound is the number, once
 * the 2^32 mod bound values of u that would make some numbers likelier are refused. */
uint32_t rung_rng_below(rung_rng *rng, uint32_t bound) {
  uint32_t refused = (uint32_t)-bound % bound;
  uint64_t product;
  do {
    product = (uint64_t)rung_rng_u32(rng) * bound;
  } while ((uint32_t)product < refused);
  return (uint32_t)(product >> 32);
}

float rung_rng_uniform(rung_rng *rng) {
  return (float)(rung_rng_u32(rng) >> 8) * 0x1p-24f;
}

/* The natural logarithm of a normal x > 0, within 3 ulp (2.4 measured), by + - * / alone, which libm's is not.
 * x = 2^e m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh t with t = (m - 1) / (m + 1), so |t| < 0.1716, and
 * atanh t = t + t^3/3 + t^5/5 + ...; the first term left out, t^23/23, is below 2^-62 of the sum. */
static double logarithm(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  int e = (int)(bits >> 52) - 1023;
  bits = (bits & UINT64_C(0xFFFFFFFFFFFFF)) | UINT64_C(1023) << 52;
  double m;
  memcpy(&m, &bits, sizeof m);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    e++;
  }
  double t = (m - 1.0) / (m + 1.0), square = t * t, sum = 0.0;
  for (int k = 21; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
  return e * 0.69314718055994531 + 2.0 * t * sum;
}

/* Odd multiples of 2^-32 in (-1, 1): symmetric, and never 0. */
static double symmetric(rung_rng *rng) {
  return ((double)rung_rng_u32(rng) - 0x1p31 + 0.5) * 0x1p-31;
}

/* Marsaglia's polar method: (u, v) uniform in the unit disc, s = u^2 + v^2, then u sqrt(-2 log(s) / s) is normal. The
 * second number of the pair, with v, is not kept: a generator is its place and nothing else. */
float rung_rng_normal(rung_rng *rng) {
  double u, s;
  do {
    u = symmetric(rng);
    double v = symmetric(rng);
    s = u * u + v * v;
  } while (s >= 1.0);
  return (float)(u * sqrt(-2.0 * logarithm(s) / s));
}

void rung_rng_permutation(rung_rng *rng, uint32_t *order, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) order[i] = i;
  for (uint32_t i = count; i > 1; i--) {
    uint32_t j = rung_rng_below(rng, i), last = order[i - 1];
    order[i - 1] = order[j];
    order[j] = last;
  }
}
