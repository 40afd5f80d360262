/* What the programs here need of the machine they run on: port.c for one with a C library, cortex_m/port.c for one
 * without. Files are looked for where the program was started. */
#ifndef TESTS_CROSS_PORT_H
#define TESTS_CROSS_PORT_H

#include <stddef.h>
#include <stdint.h>

int port_open(const char *name);                     /* for reading; < 0: cannot be had */
size_t port_read(int file, void *data, size_t size); /* the bytes that were there, `size` unless the file ended */
void port_print(const char *text);
__attribute__((noreturn)) void port_exit(int status);

static inline void port_print_number(uint32_t number) {
  char digits[11], *at = digits + sizeof digits - 1;
  *at = '\0';
  do *--at = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  port_print(at);
}

#endif
