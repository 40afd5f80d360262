/* A function of vectors applied to arrays. What is left at the end goes through the same operations in a vector filled
 * up with zeros. All is inlined: the function is known, no call is left, and where `count` is VW so is that. */
#ifndef RUNG_VECTOR_MAP_H
#define RUNG_VECTOR_MAP_H

#include "simd.h"

#include <stdbool.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The first `count` (<= VW) elements. */
ALWAYS_INLINE vf vf_load_first(const float *x, int64_t count) {
  if (count == VW) return vf_load(x);
  return vf_load_part(x, count);
}

ALWAYS_INLINE void vf_store_first(float *y, vf v, int64_t count) {
  if (count == VW)
    vf_store(y, v);
  else
    vf_store_part(y, v, count);
}

ALWAYS_INLINE void map_unary(float *y, const float *x, int64_t n, vf (*f)(vf x)) {
  int64_t i = 0;
  for (; i + VW <= n; i += VW) vf_store(y + i, f(vf_load(x + i)));
  if (i < n) vf_store_part(y + i, f(vf_load_part(x + i, n - i)), n - i);
}

ALWAYS_INLINE void map_binary(float *y, const float *a, const float *b, int64_t n, vf (*f)(vf a, vf b)) {
  int64_t i = 0;
  for (; i + VW <= n; i += VW) vf_store(y + i, f(vf_load(a + i), vf_load(b + i)));
  if (i < n) vf_store_part(y + i, f(vf_load_part(a + i, n - i), vf_load_part(b + i, n - i)), n - i);
}

ALWAYS_INLINE void map_ternary(float *y, const float *a, const float *b, const float *c, int64_t n,
                               vf (*f)(vf a, vf b, vf c)) {
  int64_t i = 0;
  for (; i + VW <= n; i += VW) vf_store(y + i, f(vf_load(a + i), vf_load(b + i), vf_load(c + i)));
  if (i < n) {
    vf last = f(vf_load_part(a + i, n - i), vf_load_part(b + i, n - i), vf_load_part(c + i, n - i));
    vf_store_part(y + i, last, n - i);
  }
}

#endif
