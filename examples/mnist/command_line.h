/* What the command lines of the examples share. */
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H

#include <stdint.h>

extern const char program_name[]; /* each program's own */

/* One line on standard error, the program's name in front, and exit status 2. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* The value of option --NAME, low .. high. */
int64_t whole(const char *name, const char *text, int64_t low, int64_t high);
/* Told before hours of training, not after: the folder that FILE is to be in is there and can be written. */
const char *writable(const char *name, const char *file);

#endif
