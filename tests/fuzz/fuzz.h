/* What the fuzz targets share. A target is LLVMFuzzerTestOneInput: it reads the bytes as a file of its format and, if
 * that is taken, checks what must hold of the result. With clang's libFuzzer (the preset `fuzz`) it is a fuzzer; with
 * replay.c, in every build, a test that reads the committed seeds. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <rung/core.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define ENSURE(condition)                                                                                              \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "%s:%d: '%s' is false; the last message: %s\n", __FILE__, __LINE__, #condition, rung_error());   \
      abort();                                                                                                         \
    }                                                                                                                  \
  } while (0)

/* A file in memory with these bytes; its path. The same one each time, overwritten. */
const char *fuzz_file(const uint8_t *bytes, size_t size);

/* From here on rung_allocate aborts when asked, at once, for more than fixed + factor * size bytes: memory is bounded
 * by the file's size. 1100 times that where the file is compressed: gzip packs 1032 bytes into one. */
void fuzz_bound_memory(const uint8_t *bytes, size_t size, size_t fixed, size_t factor);

/* Reads every byte of the tensor, so that the sanitizers see that it is there, and its shape is one. */
void fuzz_touch(const rung_tensor *tensor);

/* Inputs that were taken so far: a target counts them. */
extern int fuzz_taken;

/* A refusal comes with a status and a message of one line. */
void fuzz_check_refusal(void);

#endif
