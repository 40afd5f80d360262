/* What the peers in C share: the clock, operands, and the JSON that Rung's benchmarks write. */
#ifndef PEER_H
#define PEER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef void peer_work(void *argument);

static inline double peer_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static inline void *peer_allocate(size_t bytes) {
  void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (!memory) {
    fprintf(stderr, "%zu bytes: out of memory\n", bytes);
    exit(1);
  }
  return memory;
}

/* Small numbers of either sign, no two rows alike. */
static inline float *peer_floats(size_t count) {
  float *values = peer_allocate(count * sizeof *values);
  for (size_t i = 0; i < count; i++) values[i] = (float)(i * 2654435761u % 2001) / 1000.0f - 1.0f;
  return values;
}

static inline uint8_t *peer_bytes(size_t count) {
  uint8_t *values = peer_allocate(count);
  for (size_t i = 0; i < count; i++) values[i] = (uint8_t)(i * 2654435761u >> 7);
  return values;
}

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Writes one result, its `rate` ("gflops", "gops") that of the best: best and median seconds of a call, each the mean
 * of a block that is long enough for the clock. */
static void peer_measure(const char *peer, const char *name, const char *unit, const char *rate, double operations,
                         peer_work *work, void *argument, double seconds) {
  enum { MOST = 100000 };
  static double times[MOST];
  static const char *separator = "";
  double start = peer_now();
  int calls = 0, count = 0;
  do {
    work(argument);
    calls++;
  } while (calls < 5 || peer_now() - start < seconds / 5);
  int block = 1 + (int)(0.002 * calls / (peer_now() - start));
  for (double end = peer_now() + seconds; count < MOST && (count < 3 || peer_now() < end); count++) {
    start = peer_now();
    for (int i = 0; i < block; i++) work(argument);
    times[count] = (peer_now() - start) / block;
  }
  qsort(times, (size_t)count, sizeof *times, compare_doubles);
  printf(
      "%s\n  {\"peer\": \"%s\", \"name\": \"%s\", \"unit\": \"%s\", \"seconds\": %.6e, \"median\": %.6e, \"%s\": %.6g}",
      separator, peer, name, unit, times[0], times[count / 2], rate, operations / times[0] * 1e-9);
  separator = ",";
}

static inline void peer_begin(const char *benchmark, const char *version) {
  printf("{\"benchmark\": \"%s\", \"version\": \"%s\", \"machine\": {\"threads\": 1}, \"results\": [", benchmark,
         version);
}

static inline void peer_end(void) {
  printf("\n]}\n");
}

/* The command line of all of them: [SECONDS], of timing, a case. */
static inline double peer_seconds(int argc, char **argv) {
  double seconds = argc == 2 ? strtod(argv[1], NULL) : 1;
  if (argc > 2 || !(seconds > 0)) {
    fprintf(stderr, "usage: %s [SECONDS]\n", argv[0]);
    exit(2);
  }
  return seconds;
}

#endif
