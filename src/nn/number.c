#include "number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
  MOST_DIGITS = 15,  /* an integer of so many is a double, exactly */
  MOST_DECIMALS = 22 /* and so is this power of ten; the quotient of the two is rounded once */
};

static double power_of_ten(int exponent) {
  double power = 1;
  while (exponent-- > 0) power *= 10;
  return power;
}

const char *number_format(float value, char text[NUMBER_TEXT]) {
  for (int decimals = 0; decimals <= MOST_DECIMALS && value >= 0 && !signbit(value); decimals++) {
    const double power = power_of_ten(decimals), digits = rint((double)value * power);
    if (digits >= 1e15) break;
    if ((float)(digits / power) != value) continue;
    const double whole = floor(digits / power);
    snprintf(text, NUMBER_TEXT, decimals > 0 ? "%.0f.%0*.0f" : "%.0f", whole, decimals, digits - whole * power);
    return text;
  }
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  snprintf(text, NUMBER_TEXT, "#%08" PRIx32, bits);
  return text;
}

static bool parse_bits(const char *text, float *value) {
  uint32_t bits;
  int length = 0;
  if (sscanf(text, "#%8" SCNx32 "%n", &bits, &length) != 1 || length != 9 || text[length] != '\0') return false;
  memcpy(value, &bits, sizeof bits);
  return true;
}

bool number_parse(const char *text, float *value) {
  if (*text == '#') return parse_bits(text, value);
  double digits = 0;
  int count = 0, significant = 0, decimals = -1;
  for (const char *c = text; *c != '\0'; c++) {
    if (*c == '.' && decimals < 0) {
      decimals = 0;
    } else if (*c >= '0' && *c <= '9') {
      digits = digits * 10 + (*c - '0');
      count++;
      decimals += decimals >= 0;
      significant += digits > 0;
    } else {
      return false;
    }
    if (significant > MOST_DIGITS || decimals > MOST_DECIMALS) return false;
  }
  *value = (float)(digits / power_of_ten(decimals));
  return count > 0;
}
