/* The interface of emitted C, over the network that one writes first: bench/cortex_m. */
#ifndef DIGITS_H
#define DIGITS_H

#include <stdint.h>

#define DIGITS_INPUTS  784
#define DIGITS_OUTPUTS 10

void digits_run(const uint8_t input[DIGITS_INPUTS], int32_t logits[DIGITS_OUTPUTS]);

#endif
