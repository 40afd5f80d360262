/* What the benchmarks share. A benchmark is a list of rows; a row is a name, the work that a unit of it does, and a
 * function. Rows are timed in turn, round after round, so that a change of the machine's clock or load meets them all;
 * of a row's samples the best and the median count. Results are held against peaks that the same process measured.
 *
 * The JSON: {"benchmark", "version", "compiler", "machine": {"cpu", "level", "threads"},
 *   "peaks": {"f32_gflops", "int8_gops", "bf16_gflops", "copy_gbs"} of one thread, 0 where there is no such
 * instruction, "results": [{"name", "unit", "threads", "seconds" (a unit, at best), "median" (the same), "gflops" |
 * "gops" | "gbs" (at best), "share" (of the peak, threads times one's, or of the copy in the same place), and the row's
 * notes}]}. */
#ifndef BENCH_H
#define BENCH_H

#include <rung/rung.h>

#include <stdio.h>

/* ---- What bounds a piece of work -------------------------------------------------------------------------------- */

typedef enum bench_peak { BENCH_F32 = 0, BENCH_INT8, BENCH_BF16, BENCH_COPY, BENCH_PEAKS } bench_peak;

/* Measures the arithmetic peaks of one thread, operations a second (a multiply-add is 2), at the level in use, and
 * raises peaks[] to what it finds: clocks move. 0 where the machine has no such instruction. Takes about a ms. */
void bench_measure_arithmetic(double peaks[BENCH_PEAKS]);
/* The same of copying out of cache, bytes read and written a second. Takes 128 MiB. */
void bench_measure_copy(double peaks[BENCH_PEAKS]);

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

typedef struct bench_note { /* a further result: one key of the row's JSON */
  const char *key;
  double value;
} bench_note;

enum { BENCH_NOTES = 8 };

typedef struct bench_row bench_row;
struct bench_row {
  char name[64];
  const char *unit;        /* "step", "picture", "call" */
  bench_peak peak;         /* what bounds it */
  double work;             /* of a unit: operations, a multiply-add counting 2; for BENCH_COPY bytes read and written */
  const bench_row *beside; /* the share is that of this row's rate; NULL: of the peak */
  int threads;             /* 0: 1. The peak is so many times that of one */

  void (*run)(void *context); /* what bench_run times; NULL: the program adds the samples */
  void *context;
  int64_t units; /* that a call of `run` does; 0: 1 */
  int64_t calls; /* a sample; bench_run finds it */

  double *samples; /* seconds a unit */
  int sample_count, sample_capacity;
  bench_note notes[BENCH_NOTES];
  int note_count;
};

typedef struct bench {
  const char *name; /* the program is bench_NAME */
  double seconds;   /* about what the timing may take */
  bool quick;       /* to see that it works, not how fast it is */
  const char *only; /* rows whose name holds this; NULL: all */
  int threads;      /* the most that a row uses */
  FILE *json;       /* NULL: none */
  double peaks[BENCH_PEAKS];
  bench_row **rows;
  int row_count;
} bench;

/* ---- A program ---------------------------------------------------------------------------------------------------
 *
 *   bench b = bench_begin("gemm", argc, argv, NULL, 0);
 *   bench_add(&b, &(bench_row){.name = "...", .unit = "call", .work = 2e6, .run = work, .context = &operands});
 *   bench_run(&b);
 *   return bench_end(&b);
 */

typedef enum bench_option_kind { BENCH_FLAG, BENCH_TEXT, BENCH_WHOLE, BENCH_SECONDS } bench_option_kind;

typedef struct bench_option { /* --NAME, or --NAME VALUE */
  const char *name, *help;
  bench_option_kind kind;
  void *target;  /* bool, const char *, int, double */
  int low, high; /* of a whole number */
} bench_option;

/* Reads the options that all benchmarks have and the program's own; one line and exit status 2 where they are wrong. */
bench bench_begin(const char *name, int argc, char **argv, const bench_option *options, int option_count);
/* The row as it is kept, or NULL if it is not wanted (--only). */
bench_row *bench_add(bench *b, const bench_row *row);
/* Times every row's function. */
void bench_run(bench *b);
/* Prints the table, writes the JSON, frees the rows; gives the exit status. */
int bench_end(bench *b);

double bench_clock(void); /* seconds */
void bench_sample(bench_row *row, double seconds);
double bench_best(const bench_row *row);
double bench_median(const bench_row *row);
double bench_rate(const bench_row *row); /* work a second at the best */
void bench_add_note(bench_row *row, const char *key, double value);
double bench_peak_rss_mb(void); /* of this process so far, in 10^6 bytes */

/* "bench_NAME: ..." on standard error and exit status 2. */
void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* The same with rung_error() where `ok` is false. */
void bench_check(bool ok);

#endif
