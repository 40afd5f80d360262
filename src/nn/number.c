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

/* "e-5", "E+05": at most two digits. */
static bool parse_exponent(const char *text, int *exponent) {
  const bool negative = text[1] == '-';
  const char *c = text + 1 + (text[1] == '-' || text[1] == '+'), *first = c;
  for (*exponent = 0; *c >= '0' && *c <= '9' && c - first < 2; c++) *exponent = *exponent * 10 + (*c - '0');
  if (negative) *exponent = -*exponent;
  return c > first && *c == '\0';
}

bool number_parse(const char *text, float *value) {
  if (*text == '#') return parse_bits(text, value);
  double digits = 0;
  int count = 0, significant = 0, decimals = 0, exponent = 0;
  bool point = false;
  const char *c = text;
  for (; (*c >= '0' && *c <= '9') || (*c == '.' && !point); c++) {
    if (*c == '.') {
      point = true;
      continue;
    }
    digits = digits * 10 + (*c - '0');
    count++;
    decimals += point;
    significant += digits > 0;
    if (significant > MOST_DIGITS || decimals > MOST_DECIMALS) return false;
  }
  if (count == 0) return false;
  if (*c == 'e' || *c == 'E' ? !parse_exponent(c, &exponent) : *c != '\0') return false;
  const int places = decimals - exponent;
  if (places > MOST_DECIMALS || places < -MOST_DECIMALS) return false;
  *value = (float)(places >= 0 ? digits / power_of_ten(places) : digits * power_of_ten(-places));
  return true;
}
