/* Aligned, zeroed memory. */
#include "rung/core.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

static _Atomic uint64_t allocations;

uint64_t rung_allocation_count(void) {
  return atomic_load_explicit(&allocations, memory_order_relaxed);
}

void *rung_allocate(size_t bytes) {
  atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
  /* No object may be larger than PTRDIFF_MAX: pointers into it could not be subtracted. */
  if (bytes > PTRDIFF_MAX - RUNG_ALIGNMENT) {
    rung_fail(RUNG_ERROR_MEMORY, "allocation of %zu bytes, more than any object may have", bytes);
    return NULL;
  }
  size_t rounded = (bytes + RUNG_ALIGNMENT - 1) / RUNG_ALIGNMENT * RUNG_ALIGNMENT;
  if (rounded == 0) rounded = RUNG_ALIGNMENT;
  void *memory = NULL;
  if (posix_memalign(&memory, rounded >= HUGE_PAGE ? HUGE_PAGE : RUNG_ALIGNMENT, rounded) != 0) {
    rung_fail(RUNG_ERROR_MEMORY, "allocation of %zu bytes failed: out of memory", bytes);
    return NULL;
  }
#ifdef MADV_HUGEPAGE
  /* Advice only, and before the first touch, which is what makes the pages: the tail that fills no huge page is left.
   */
  if (rounded >= HUGE_PAGE) (void)madvise(memory, rounded / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
  return memset(memory, 0, rounded);
}

void rung_release(void *memory) {
  free(memory);
}
