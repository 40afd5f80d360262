/* Between bench.c and the command line. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "bench.h"

/* `options` ends with a NULL. */
void options_read(const char *name, int argc, char **argv, const bench_option *const *options);

#endif
