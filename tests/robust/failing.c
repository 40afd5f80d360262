#define _GNU_SOURCE
#include "failing.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_bool counting;
static atomic_long number, to_fail, alive;

void failing_begin(long index) {
  atomic_store(&number, 0);
  atomic_store(&to_fail, index);
  atomic_store(&counting, true);
}

long failing_end(void) {
  atomic_store(&counting, false);
  return atomic_load(&number);
}

long failing_alive(void) {
  return atomic_load(&alive);
}

/* Is this the one? */
static bool fails(void) {
  if (!atomic_load_explicit(&counting, memory_order_relaxed)) return false;
  if (atomic_fetch_add(&number, 1) + 1 != atomic_load(&to_fail)) return false;
  errno = ENOMEM;
  return true;
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
  return fails() ? EAGAIN : __real_pthread_create(thread, attributes, start, argument);
}

#ifdef FAILING_BY_WRAP

#define WRAPPED(type, name, parameters, ...)                                                                           \
  type __real_##name parameters;                                                                                       \
  type __wrap_##name parameters;                                                                                       \
  type __wrap_##name parameters {                                                                                      \
    return fails() ? NULL : __real_##name(__VA_ARGS__);                                                                \
  }

WRAPPED(void *, malloc, (size_t size), size)
WRAPPED(void *, calloc, (size_t count, size_t size), count, size)
WRAPPED(void *, realloc, (void *block, size_t size), block, size)
WRAPPED(char *, strdup, (const char *text), text)
WRAPPED(FILE *, fopen, (const char *path, const char *mode), path, mode)
WRAPPED(FILE *, fdopen, (int descriptor, const char *mode), descriptor, mode)
WRAPPED(FILE *, open_memstream, (char **text, size_t *size), text, size)

int __real_posix_memalign(void **block, size_t alignment, size_t size);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size) {
  return fails() ? ENOMEM : __real_posix_memalign(block, alignment, size);
}

#elif defined(__GLIBC__)

#pragma GCC visibility push(default) /* libc and the other libraries shall find them */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

static void *born(void *block) {
  if (block != NULL) atomic_fetch_add(&alive, 1);
  return block;
}

void *malloc(size_t size) {
  return fails() ? NULL : born(__libc_malloc(size));
}
void *calloc(size_t count, size_t size) {
  return fails() ? NULL : born(__libc_calloc(count, size));
}
void *memalign(size_t alignment, size_t size) {
  return fails() ? NULL : born(__libc_memalign(alignment, size));
}
void *aligned_alloc(size_t alignment, size_t size) {
  return memalign(alignment, size);
}
int posix_memalign(void **block, size_t alignment, size_t size) {
  *block = memalign(alignment, size);
  return *block != NULL ? 0 : ENOMEM;
}
void *realloc(void *block, size_t size) {
  if (fails()) return NULL;
  return block == NULL ? born(__libc_realloc(block, size)) : __libc_realloc(block, size);
}
/* What is read after it was freed is not what it was. */
void free(void *block) {
  if (block == NULL) return;
  atomic_fetch_sub(&alive, 1);
  memset(block, 0xdd, malloc_usable_size(block));
  __libc_free(block);
}

#pragma GCC visibility pop

#endif
