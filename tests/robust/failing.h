/* Allocations that fail when they are told to, and the count of those that are alive.
 *
 * Where the C library lets a program stand in for malloc (glibc, no sanitizer), every allocation of the process counts:
 * also those of libc (fopen, open_memstream), cJSON, protobuf-c and zlib. Under a sanitizer, whose malloc must stay,
 * the linker's --wrap puts these functions before Rung's own calls of malloc, calloc, realloc, posix_memalign, fopen,
 * fdopen and open_memstream; LeakSanitizer then counts what is alive. In both, pthread_create counts and fails as an
 * allocation does. */
#ifndef TESTS_FAILING_H
#define TESTS_FAILING_H

#include <stdbool.h>

/* From here on allocations are numbered from 1, and number `index` fails (0: none does). On any thread. */
void failing_begin(long index);
/* How many there were. */
long failing_end(void);

/* Blocks alive; 0 always where that cannot be counted. */
long failing_alive(void);

#endif
