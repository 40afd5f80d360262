/* Numbers as decimal text, the same in every locale and to the last bit. */
#ifndef RUNG_NUMBER_H
#define RUNG_NUMBER_H

#include <stdbool.h>

enum { NUMBER_TEXT = 40 };

/* The fewest decimals that read as `value` again: "0.2"; "#" and the bits in hexadecimal where that takes too many, or
 * for what is negative or not finite. Returns `text`. */
const char *number_format(float value, char text[NUMBER_TEXT]);
/* Such a text, or one with an exponent, "1e-5", of at most 15 digits that 10^-22 .. 10^22 is multiplied with; no sign.
 * False for any other. */
bool number_parse(const char *text, float *value);

#endif
