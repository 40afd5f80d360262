/* 784-32-10 as plain loops, one output after the other: what emitted C is held against. Its numbers mean nothing; the
 * instructions do not depend on them. */
#include "digits.h"

#define HIDDEN     32
#define MULTIPLIER 1518500250
#define SHIFT      40

static const int8_t fc1_weight[HIDDEN][DIGITS_INPUTS] = {{1}}, fc2_weight[DIGITS_OUTPUTS][HIDDEN] = {{1}};
static const int32_t fc1_bias[HIDDEN] = {1}, fc2_bias[DIGITS_OUTPUTS] = {1};

static int32_t requantize(int32_t sum) {
  return (int32_t)(((int64_t)sum * MULTIPLIER + ((int64_t)1 << (SHIFT - 1))) >> SHIFT);
}

static int32_t product(const int8_t *weight, const uint8_t *x, int in) {
  int32_t sum = 0;
  for (int k = 0; k < in; k++) sum += weight[k] * x[k];
  return sum;
}

void digits_run(const uint8_t input[DIGITS_INPUTS], int32_t logits[DIGITS_OUTPUTS]) {
  static uint8_t hidden[HIDDEN];
  for (int j = 0; j < HIDDEN; j++) {
    int32_t y = requantize(fc1_bias[j] + product(fc1_weight[j], input, DIGITS_INPUTS));
    hidden[j] = (uint8_t)(y < 0 ? 0 : y > 255 ? 255 : y);
  }
  for (int j = 0; j < DIGITS_OUTPUTS; j++) logits[j] = requantize(fc2_bias[j] + product(fc2_weight[j], hidden, HIDDEN));
}
