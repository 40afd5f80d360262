/* The C of README.md, compiled as it stands there. */
#include <rung/rung.h>

void readme(void);

void readme(void) {
#include "readme.inc"
}
