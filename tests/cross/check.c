/* Runs the emitted network on the pictures of the file `inputs` (the first PICTURES, or all) and holds each logit
 * against the file `logits`, which the integer program wrote: int32, little-endian. Exit status 1 where one differs. */
#include "digits.h"
#include "port.h"

#ifndef PICTURES
#define PICTURES UINT32_MAX
#endif

static int32_t little_endian(const unsigned char byte[4]) {
  return (int32_t)((uint32_t)byte[0] | (uint32_t)byte[1] << 8 | (uint32_t)byte[2] << 16 | (uint32_t)byte[3] << 24);
}

static uint32_t count_differing(const int32_t logits[DIGITS_OUTPUTS], const unsigned char expected[][4]) {
  uint32_t differ = 0;
  int best = 0;
  for (int i = 0; i < DIGITS_OUTPUTS; i++) {
    differ += logits[i] != little_endian(expected[i]);
    if (logits[i] > logits[best]) best = i;
  }
  return differ + (digits_argmax(logits) != best);
}

int main(void) {
  static char input[DIGITS_INPUTS];
  static unsigned char expected[DIGITS_OUTPUTS][4];
  static int32_t logits[DIGITS_OUTPUTS];
  int inputs = port_open("inputs"), outputs = port_open("logits");
  if (inputs < 0 || outputs < 0) return 2;
  uint32_t pictures = 0, differ = 0;
  while (pictures < PICTURES && port_read(inputs, input, sizeof input) == sizeof input &&
         port_read(outputs, expected, sizeof expected) == sizeof expected) {
    digits_run((const void *)input, logits);
    differ += count_differing(logits, (const unsigned char(*)[4])expected);
    pictures++;
  }
  port_print_number(differ);
  port_print(" of ");
  port_print_number(pictures * DIGITS_OUTPUTS);
  port_print(" logits differ\n");
  return differ != 0 || pictures == 0;
}
