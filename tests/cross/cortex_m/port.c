/* Semihosting: the debugger, or here qemu, reads files and prints for the program (Arm IHI 0100, "Semihosting for
 * AArch32 and AArch64"). A request is its number in r0 and a block of arguments in r1; the answer comes in r0. */
#include "../port.h"

enum { SYS_OPEN = 0x01, SYS_WRITE0 = 0x04, SYS_READ = 0x06, SYS_EXIT_EXTENDED = 0x20 };
enum { MODE_RB = 1, ADP_STOPPED_APPLICATION_EXIT = 0x20026 };

static uint32_t request(uint32_t number, const void *arguments) {
  register uint32_t r0 __asm__("r0") = number;
  register const void *r1 __asm__("r1") = arguments;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

static uint32_t address(const void *data) {
  return (uint32_t)(uintptr_t)data;
}

int port_open(const char *name) {
  uint32_t length = 0;
  while (name[length]) length++;
  const uint32_t arguments[] = {address(name), MODE_RB, length};
  return (int)request(SYS_OPEN, arguments);
}

size_t port_read(int file, void *data, size_t size) {
  const uint32_t arguments[] = {(uint32_t)file, address(data), size};
  return size - request(SYS_READ, arguments); /* the answer is what is missing */
}

void port_print(const char *text) {
  request(SYS_WRITE0, text);
}

__attribute__((noreturn)) void port_exit(int status) {
  const uint32_t arguments[] = {ADP_STOPPED_APPLICATION_EXIT, (uint32_t)status};
  for (;;) request(SYS_EXIT_EXTENDED, arguments);
}
