/* The command line of a benchmark. */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *program = "";

void bench_fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "bench_%s: ", program);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(2);
}

void bench_check(bool ok) {
  if (!ok) bench_fail("%s", rung_error());
}

static void print_usage(const bench_option *const *options) {
  printf("usage: bench_%s [options]; RUNG_CPU in the environment chooses the level\n", program);
  for (; *options; options++) printf("  --%-10s %s\n", (*options)->name, (*options)->help);
}

static void take(const bench_option *option, const char *text) {
  char *end;
  errno = 0;
  switch (option->kind) {
  case BENCH_FLAG: *(bool *)option->target = true; break;
  case BENCH_TEXT: *(const char **)option->target = text; break;
  case BENCH_WHOLE: {
    long value = strtol(text, &end, 10);
    if (end == text || *end || errno || value < option->low || value > option->high)
      bench_fail("--%s '%s': expected a whole number in %d..%d", option->name, text, option->low, option->high);
    *(int *)option->target = (int)value;
    break;
  }
  case BENCH_SECONDS: {
    double value = strtod(text, &end);
    if (end == text || *end || !(value > 0 && value <= 3600))
      bench_fail("--%s '%s': expected a number in (0, 3600]", option->name, text);
    *(double *)option->target = value;
    break;
  }
  }
}

static const bench_option *find(const bench_option *const *options, const char *argument) {
  if (strncmp(argument, "--", 2) != 0) return NULL;
  while (*options && strcmp((*options)->name, argument + 2) != 0) options++;
  return *options;
}

void options_read(const char *name, int argc, char **argv, const bench_option *const *options) {
  program = name;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--help")) {
      print_usage(options);
      exit(0);
    }
    const bench_option *option = find(options, argv[i]);
    if (!option) bench_fail("'%s': unknown option (--help lists them)", argv[i]);
    if (option->kind != BENCH_FLAG && ++i == argc) bench_fail("'%s': its value is missing", argv[i - 1]);
    take(option, argv[i]);
  }
}
