#include "accumulator.h"

#include <stdlib.h>

enum { MAGNITUDES = 129 }; /* 0 .. 128 */

int32_t accumulator_limit(int bits, int32_t input) {
  if (bits == 0) return INT32_MAX;
  const int32_t most = (int32_t)((UINT32_C(1) << (bits - 1)) - 1);
  return input > 0 ? most / input : most;
}

/* The sum when every magnitude has lost `loss`. */
static int64_t sum_after(const int64_t count[MAGNITUDES], int loss) {
  int64_t sum = 0;
  for (int v = loss + 1; v < MAGNITUDES; v++) sum += count[v] * (v - loss);
  return sum;
}

/* give[v]: how many of the integers of magnitude v, the first ones, lose one less. */
static void share_out(const int64_t count[MAGNITUDES], int loss, int64_t left, int64_t give[MAGNITUDES]) {
  for (int v = MAGNITUDES - 1; v >= 0; v--) {
    give[v] = v < loss ? 0 : left < count[v] ? left : count[v];
    left -= give[v];
  }
}

void accumulator_shrink(int8_t *q, int64_t n, int32_t limit) {
  int64_t count[MAGNITUDES] = {0}, give[MAGNITUDES];
  for (int64_t i = 0; i < n; i++) count[abs(q[i])]++;
  if (sum_after(count, 0) <= limit) return;
  int loss = 1;
  while (sum_after(count, loss) > limit) loss++;
  share_out(count, loss, limit - sum_after(count, loss), give);
  for (int64_t i = 0; i < n; i++) {
    const int magnitude = abs(q[i]);
    int kept = magnitude > loss ? magnitude - loss : 0;
    if (give[magnitude] > 0) {
      give[magnitude]--;
      kept++;
    }
    q[i] = (int8_t)(q[i] < 0 ? -kept : kept);
  }
}
