/* The table and the JSON. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static const struct {
  const char *key, *unit; /* of a rate in JSON and in the table; both in 10^9 a second */
} rates[BENCH_PEAKS] = {[BENCH_F32] = {"gflops", "GFLOP/s"},
                        [BENCH_INT8] = {"gops", "GOP/s"},
                        [BENCH_BF16] = {"gflops", "GFLOP/s"},
                        [BENCH_COPY] = {"gbs", "GB/s"}};
static const char *const peak_names[BENCH_PEAKS] = {
    [BENCH_F32] = "f32", [BENCH_INT8] = "int8", [BENCH_BF16] = "bf16", [BENCH_COPY] = "copy"};

static double share(const bench *b, const bench_row *row) {
  return bench_rate(row) / (row->beside ? bench_rate(row->beside) : row->threads * b->peaks[row->peak]);
}

/* The processor's name, as the system tells it. */
static const char *processor(void) {
  static char name[256];
  struct utsname system;
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file && fgets(name, sizeof name, file)) {
    if (strncmp(name, "model name", 10) != 0 || !strchr(name, ':')) continue;
    name[strcspn(name, "\n")] = '\0';
    fclose(file);
    return strchr(name, ':') + 2;
  }
  if (file) fclose(file);
  snprintf(name, sizeof name, "%s", uname(&system) == 0 ? system.machine : "unknown");
  return name;
}

static const char *compiler(void) {
#if defined(__clang__)
  return __VERSION__; /* "Clang 14.0.6", perhaps with a distribution's name before it */
#else
  return "gcc " __VERSION__;
#endif
}

/* ---- Table ------------------------------------------------------------------------------------------------------ */

static void print_table(FILE *file, const bench *b) {
  fprintf(file, "%s: rung %s, %s, level %s, %s\npeaks of a thread:", b->name, RUNG_VERSION, processor(),
          rung_kernels_active()->level, compiler());
  for (int i = 0; i < BENCH_PEAKS; i++)
    if (b->peaks[i] > 0) fprintf(file, "  %s %.1f %s", peak_names[i], 1e-9 * b->peaks[i], rates[i].unit);
  fprintf(file, "\n\n%-44s %11s %11s %9s %7s %7s\n", "", "best us", "median us", "a", "10^9/s", "share");
  for (int i = 0; i < b->row_count; i++) {
    const bench_row *row = b->rows[i];
    fprintf(file, "%-44s %11.3f %11.3f %9s %7.1f %6.1f%%", row->name, 1e6 * bench_best(row), 1e6 * bench_median(row),
            row->unit, 1e-9 * bench_rate(row), 100 * share(b, row));
    for (int j = 0; j < row->note_count; j++) fprintf(file, "  %s %.4g", row->notes[j].key, row->notes[j].value);
    fputc('\n', file);
  }
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

static void write_string(FILE *file, const char *key, const char *text) {
  fprintf(file, "\"%s\": \"", key);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') fputc('\\', file);
    fputc((unsigned char)*text < 0x20 ? ' ' : *text, file);
  }
  fputc('"', file);
}

static void write_row(FILE *file, const bench *b, const bench_row *row) {
  fputs("    {", file);
  write_string(file, "name", row->name);
  fputs(", ", file);
  write_string(file, "unit", row->unit);
  fprintf(file, ", \"threads\": %d, \"seconds\": %.6e, \"median\": %.6e, \"%s\": %.6g, \"share\": %.4f", row->threads,
          bench_best(row), bench_median(row), rates[row->peak].key, 1e-9 * bench_rate(row), share(b, row));
  for (int i = 0; i < row->note_count; i++) fprintf(file, ", \"%s\": %.6g", row->notes[i].key, row->notes[i].value);
  fputc('}', file);
}

static void write_json(FILE *file, const bench *b) {
  fputs("{\n  ", file);
  write_string(file, "benchmark", b->name);
  fputs(",\n  ", file);
  write_string(file, "version", RUNG_VERSION);
  fputs(",\n  ", file);
  write_string(file, "compiler", compiler());
  fputs(",\n  \"machine\": {", file);
  write_string(file, "cpu", processor());
  fputs(", ", file);
  write_string(file, "level", rung_kernels_active()->level);
  fprintf(file, ", \"threads\": %d},\n  \"peaks\": {", b->threads);
  for (int i = 0; i < BENCH_PEAKS; i++)
    fprintf(file, "%s\"%s_%s\": %.6g", i ? ", " : "", peak_names[i], rates[i].key, 1e-9 * b->peaks[i]);
  fputs("},\n  \"results\": [\n", file);
  for (int i = 0; i < b->row_count; i++) {
    write_row(file, b, b->rows[i]);
    fputs(i + 1 < b->row_count ? ",\n" : "\n", file);
  }
  fputs("  ]\n}\n", file);
}

int bench_end(bench *b) {
  bench_measure_copy(b->peaks);
  print_table(b->json == stdout ? stderr : stdout, b);
  bool written = true;
  if (b->json) {
    write_json(b->json, b);
    written = fclose(b->json) == 0;
  }
  for (int i = 0; i < b->row_count; i++) {
    free(b->rows[i]->samples);
    free(b->rows[i]);
  }
  free(b->rows);
  if (!written) bench_fail("--json: cannot be written");
  return 0;
}
