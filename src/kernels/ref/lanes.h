/* The fixed shape of every sum that is not a matrix product: 16 lanes, then a tree. */
#ifndef RUNG_REF_LANES_H
#define RUNG_REF_LANES_H

#define LANES 16

static inline float ref_tree(float lane[LANES]) {
  for (int half = LANES / 2; half > 0; half /= 2)
    for (int l = 0; l < half; l++) lane[l] += lane[l + half];
  return lane[0];
}

#endif
