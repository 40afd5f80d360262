#define _GNU_SOURCE /* memfd_create */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

int fuzz_taken;

static size_t largest_allocation = SIZE_MAX;

/* In place of rung_allocate, by the linker's --wrap. */
void *__real_rung_allocate(size_t bytes);
void *__wrap_rung_allocate(size_t bytes);
void *__wrap_rung_allocate(size_t bytes) {
  if (bytes > largest_allocation) fprintf(stderr, "asked for %zu bytes of %zu\n", bytes, largest_allocation);
  ENSURE(bytes <= largest_allocation);
  return __real_rung_allocate(bytes);
}

void fuzz_bound_memory(const uint8_t *bytes, size_t size, size_t fixed, size_t factor) {
  bool gzip = size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
  largest_allocation = fixed + factor * (gzip ? 1100 * size + (1 << 20) : size);
}

const char *fuzz_file(const uint8_t *bytes, size_t size) {
  static char path[64];
  static int descriptor = -1;
  if (descriptor < 0) {
    descriptor = memfd_create("fuzz", MFD_CLOEXEC);
    ENSURE(descriptor >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
  }
  ENSURE(ftruncate(descriptor, (off_t)size) == 0);
  ENSURE(pwrite(descriptor, bytes, size, 0) == (ssize_t)size);
  return path;
}

void fuzz_touch(const rung_tensor *tensor) {
  static volatile unsigned char sink;
  int64_t count;
  ENSURE(rung_shape_count(&tensor->shape, &count) == RUNG_OK && tensor->data != NULL);
  const unsigned char *bytes = tensor->data;
  unsigned char sum = 0;
  for (size_t i = 0; i < (size_t)count * rung_dtype_size(tensor->type); i++) sum ^= bytes[i];
  sink = sum;
  (void)sink;
}

void fuzz_check_refusal(void) {
  ENSURE(rung_error_status() != RUNG_OK && rung_error()[0] != '\0' && strchr(rung_error(), '\n') == NULL);
}
