/* Rows, and the rounds in which they are timed. */
#include "bench.h"
#include "options.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { own_options_most = 8 };

double bench_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double bench_peak_rss_mb(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return 1024e-6 * (double)usage.ru_maxrss; /* Linux counts in KiB */
}

static void *must(void *memory) {
  if (!memory) bench_fail("out of memory");
  return memory;
}

bench bench_begin(const char *name, int argc, char **argv, const bench_option *options, int option_count) {
  bench b = {.name = name, .seconds = 5, .threads = 1};
  const char *json = NULL;
  const bench_option common[] = {
      {"seconds", "about what the timing may take (5)", BENCH_SECONDS, &b.seconds, 0, 0},
      {"only", "rows whose name holds this", BENCH_TEXT, &b.only, 0, 0},
      {"json", "FILE for the results; - is standard output, the table then goes to standard error", BENCH_TEXT, &json,
       0, 0},
      {"quick", "the least that shows that it works", BENCH_FLAG, &b.quick, 0, 0},
  };
  enum { common_count = sizeof common / sizeof common[0] };
  const bench_option *all[own_options_most + common_count + 1] = {NULL};
  for (int i = 0; i < option_count; i++) all[i] = &options[i];
  for (int i = 0; i < common_count; i++) all[option_count + i] = &common[i];
  options_read(name, argc, argv, all);
  if (b.quick) b.seconds = 0.02;
  if (json) b.json = strcmp(json, "-") == 0 ? stdout : fopen(json, "w"); /* now: not after minutes of timing */
  if (json && !b.json) bench_fail("--json '%s': cannot be written", json);
  for (int i = 0; i < (b.quick ? 1 : 20); i++) bench_measure_arithmetic(b.peaks);
  return b;
}

bench_row *bench_add(bench *b, const bench_row *row) {
  if (b->only && !strstr(row->name, b->only)) return NULL;
  b->rows = must(realloc(b->rows, (size_t)(b->row_count + 1) * sizeof *b->rows));
  bench_row *kept = must(malloc(sizeof *kept));
  *kept = *row;
  if (kept->units == 0) kept->units = 1;
  if (kept->threads == 0) kept->threads = 1;
  return b->rows[b->row_count++] = kept;
}

void bench_add_note(bench_row *row, const char *key, double value) {
  if (row->note_count == BENCH_NOTES) bench_fail("%s: more than %d notes", row->name, BENCH_NOTES);
  row->notes[row->note_count++] = (bench_note){key, value};
}

/* ---- Samples ---------------------------------------------------------------------------------------------------- */

void bench_sample(bench_row *row, double seconds) {
  if (row->sample_count == row->sample_capacity) {
    row->sample_capacity = row->sample_capacity ? 2 * row->sample_capacity : 64;
    row->samples = must(realloc(row->samples, (size_t)row->sample_capacity * sizeof *row->samples));
  }
  row->samples[row->sample_count++] = seconds;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double bench_best(const bench_row *row) {
  double best = row->samples[0];
  for (int i = 1; i < row->sample_count; i++) best = row->samples[i] < best ? row->samples[i] : best;
  return best;
}

double bench_median(const bench_row *row) {
  size_t bytes = (size_t)row->sample_count * sizeof *row->samples;
  double *sorted = must(malloc(bytes));
  memcpy(sorted, row->samples, bytes);
  qsort(sorted, (size_t)row->sample_count, sizeof *sorted, ascending);
  double median = sorted[row->sample_count / 2];
  free(sorted);
  return median;
}

double bench_rate(const bench_row *row) {
  return row->work / bench_best(row);
}

/* ---- Rounds ----------------------------------------------------------------------------------------------------- */

static double time_calls(const bench_row *row) {
  double started = bench_clock();
  for (int64_t i = 0; i < row->calls; i++) row->run(row->context);
  return bench_clock() - started;
}

/* So many calls that the clock's steps and the reading of it do not count: half a ms. */
static void find_calls(bench_row *row) {
  for (row->calls = 1; time_calls(row) < 5e-4; row->calls *= 2) {
  }
}

/* The first call of a sample, which finds the caches as the other rows left them, is not timed. */
static void take_sample(bench_row *row) {
  row->run(row->context);
  bench_sample(row, time_calls(row) / (double)(row->calls * row->units));
}

void bench_run(bench *b) {
  for (int i = 0; i < b->row_count; i++) find_calls(b->rows[i]);
  double end = bench_clock() + b->seconds;
  do {
    bench_measure_arithmetic(b->peaks);
    for (int i = 0; i < b->row_count; i++) take_sample(b->rows[i]);
  } while (bench_clock() < end);
}
