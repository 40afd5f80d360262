/* 16 lanes over vectors of any width, and the tree that adds them up: the fixed shape of ref/lanes.h. */
#ifndef RUNG_VECTOR_LANES_H
#define RUNG_VECTOR_LANES_H

#include "simd.h"

#define LANES 16
#define PARTS (LANES / VW) /* vectors that hold them */

typedef struct lanes {
  vf part[PARTS];
} lanes;

static inline lanes lanes_set(float x) {
  lanes result;
  for (int p = 0; p < PARTS; p++) result.part[p] = vf_set(x);
  return result;
}

static inline lanes lanes_load(const float *x) {
  lanes result;
  for (int p = 0; p < PARTS; p++) result.part[p] = vf_load(x + p * VW);
  return result;
}

static inline void lanes_store(float *x, lanes value) {
  for (int p = 0; p < PARTS; p++) vf_store(x + p * VW, value.part[p]);
}

/* How many of part p's lanes are among the first `count`. */
static inline int64_t lanes_of_part(int p, int64_t count) {
  int64_t left = count - p * VW;
  return left < 0 ? 0 : left > VW ? VW : left;
}

/* The first `count` (< 16) elements, the other lanes `fill`. */
static inline lanes lanes_load_part(const float *x, int64_t count, float fill) {
  vi lane;
  for (int l = 0; l < VW; l++) lane[l] = l;
  lanes result;
  for (int p = 0; p < PARTS; p++) {
    int64_t here = lanes_of_part(p, count);
    vf v = here == VW ? vf_load(x + p * VW) : vf_load_part(x + p * VW, here);
    result.part[p] = vf_select(lane < vi_set((int32_t)here), v, vf_set(fill));
  }
  return result;
}

static inline void lanes_store_part(float *x, lanes value, int64_t count) {
  for (int p = 0; p < PARTS; p++) {
    int64_t here = lanes_of_part(p, count);
    if (here == VW)
      vf_store(x + p * VW, value.part[p]);
    else
      vf_store_part(x + p * VW, value.part[p], here);
  }
}

static inline lanes lanes_add(lanes sum, lanes x) {
  for (int p = 0; p < PARTS; p++) sum.part[p] += x.part[p];
  return sum;
}

typedef float quad __attribute__((vector_size(16)));
typedef int32_t quad_int __attribute__((vector_size(16)));

/* The lanes by fours, by way of memory. */
static inline void lanes_quads(lanes value, quad q[LANES / 4]) {
  float lane[LANES];
  lanes_store(lane, value);
  memcpy(q, lane, sizeof lane);
}

/* Lane l with lane l + 8, then l + 4, l + 2, l + 1. */
static inline float lanes_tree(lanes value) {
  quad q[LANES / 4];
  lanes_quads(value, q);
  quad sum = (q[0] + q[2]) + (q[1] + q[3]);
  return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

static inline quad quad_max(quad a, quad b) {
  quad_int mask = a > b;
  return (quad)((mask & (quad_int)a) | (~mask & (quad_int)b));
}

/* The largest lane, none of which is NaN. */
static inline float lanes_max(lanes value) {
  quad q[LANES / 4];
  lanes_quads(value, q);
  quad max = quad_max(quad_max(q[0], q[2]), quad_max(q[1], q[3]));
  float even = max[0] > max[2] ? max[0] : max[2], odd = max[1] > max[3] ? max[1] : max[3];
  return even > odd ? even : odd;
}

#endif
