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

/* The first `count` (< 16) elements, the other lanes `fill`. */
static inline lanes lanes_load_part(const float *x, int64_t count, float fill) {
  float lane[LANES];
  lanes_store(lane, lanes_set(fill));
  memcpy(lane, x, (size_t)count * sizeof *x);
  return lanes_load(lane);
}

static inline void lanes_store_part(float *x, lanes value, int64_t count) {
  float lane[LANES];
  lanes_store(lane, value);
  memcpy(x, lane, (size_t)count * sizeof *x);
}

static inline float lanes_tree(lanes value) {
  float lane[LANES];
  lanes_store(lane, value);
  for (int half = LANES / 2; half > 0; half /= 2)
    for (int l = 0; l < half; l++) lane[l] += lane[l + half];
  return lane[0];
}

#endif
