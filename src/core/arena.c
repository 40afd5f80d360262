/* An arena: a list of chunks, of which the first is open. A piece is cut off the open chunk; one that is large against
 * a chunk gets a chunk of its own, behind the open one, so that no open chunk is given up half empty for it. */
#include "rung/core.h"

#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ADDRESS_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAVE_ADDRESS_SANITIZER
#endif

/* Under AddressSanitizer what was not handed out is poisoned, and every piece is followed by a red zone. */
#ifdef HAVE_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#define RED_ZONE ((size_t)RUNG_ALIGNMENT)
#else
#define ASAN_POISON_MEMORY_REGION(address, size)   ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define RED_ZONE                                   ((size_t)0)
#endif

#ifndef FIRST_CHUNK
#define FIRST_CHUNK ((size_t)1 << 20) /* the fuzzers, and the tests of failing allocations, take less */
#endif
#define LARGEST_CHUNK ((size_t)32 << 20)

typedef struct chunk {
  struct chunk *next;
  size_t size, taken; /* bytes of data */
  _Alignas(RUNG_ALIGNMENT) unsigned char data[];
} chunk;

struct rung_arena {
  chunk *chunks;
  size_t next_size; /* of the next chunk to be opened: doubles, so that n bytes take O(log n) chunks */
  size_t used;
};

rung_arena *rung_arena_new(void) {
  rung_arena *arena = rung_allocate(sizeof *arena);
  if (arena != NULL) arena->next_size = FIRST_CHUNK;
  return arena;
}

void rung_arena_free(rung_arena *arena) {
  if (arena == NULL) return;
  for (chunk *c = arena->chunks; c != NULL;) {
    chunk *next = c->next;
    rung_release(c);
    c = next;
  }
  rung_release(arena);
}

static chunk *chunk_new(size_t size) {
  chunk *c = rung_allocate(sizeof *c + size);
  if (c == NULL) return NULL;
  c->size = size;
  ASAN_POISON_MEMORY_REGION(c->data, size);
  return c;
}

/* A chunk with room for `size` bytes: the open one, or a new one. */
static chunk *chunk_for(rung_arena *arena, size_t size) {
  chunk *open = arena->chunks;
  if (open != NULL && size <= open->size - open->taken) return open;
  bool own = size > arena->next_size / 4;
  chunk *c = chunk_new(own ? size : arena->next_size);
  if (c == NULL) return NULL;
  if (own && open != NULL) {
    c->next = open->next;
    open->next = c;
  } else {
    c->next = open;
    arena->chunks = c;
  }
  if (!own && arena->next_size < LARGEST_CHUNK) arena->next_size *= 2;
  return c;
}

void *rung_arena_allocate(rung_arena *arena, size_t bytes) {
  if (bytes > PTRDIFF_MAX / 2) { /* so that no sum below can wrap */
    rung_fail(RUNG_ERROR_MEMORY, "arena piece of %zu bytes, more than any object may have", bytes);
    return NULL;
  }
  size_t rounded = (bytes + RUNG_ALIGNMENT - 1) / RUNG_ALIGNMENT * RUNG_ALIGNMENT;
  if (rounded == 0) rounded = RUNG_ALIGNMENT;
  chunk *c = chunk_for(arena, rounded + RED_ZONE);
  if (c == NULL) return NULL;
  void *piece = c->data + c->taken;
  c->taken += rounded + RED_ZONE;
  arena->used += rounded;
  ASAN_UNPOISON_MEMORY_REGION(piece, bytes);
  return piece;
}

void *rung_arena_array(rung_arena *arena, size_t count, size_t size) {
  size_t bytes;
  if (!rung_size_multiply(count, size, &bytes)) {
    rung_fail(RUNG_ERROR_MEMORY, "array of %zu elements of %zu bytes: the size overflows", count, size);
    return NULL;
  }
  return rung_arena_allocate(arena, bytes);
}

char *rung_arena_string(rung_arena *arena, const char *string) {
  size_t bytes = strlen(string) + 1;
  char *copy = rung_arena_allocate(arena, bytes);
  return copy == NULL ? NULL : memcpy(copy, string, bytes);
}

size_t rung_arena_used(const rung_arena *arena) {
  return arena->used;
}
