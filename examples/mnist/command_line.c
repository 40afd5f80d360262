#include "command_line.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "%s: ", program_name);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(2);
}

int64_t whole(const char *name, const char *text, int64_t low, int64_t high) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  if (end == text || *end || errno || value < low || value > high)
    fail("--%s '%s': expected a whole number in %lld..%lld", name, text, (long long)low, (long long)high);
  return value;
}

const char *writable(const char *name, const char *file) {
  char folder[4096];
  if (snprintf(folder, sizeof folder, "%s", file) >= (int)sizeof folder) fail("--%s: a path of over 4095 bytes", name);
  char *slash = strrchr(folder, '/');
  if (slash) slash[slash == folder] = '\0';
  if (access(slash ? folder : ".", W_OK) != 0) fail("--%s '%s': cannot be written", name, file);
  return file;
}
