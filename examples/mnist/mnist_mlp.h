/* What the three files of the example share: mnist_mlp.c is the tutorial, options.c reads the command line, report.c
 * draws the progress bar, the table and the JSON. */
#ifndef MNIST_MLP_H
#define MNIST_MLP_H

#include <rung/rung.h>

enum { MAX_HIDDEN = 16 };

typedef struct settings {
  const char *data;
  int64_t hidden[MAX_HIDDEN];
  int layers;
  int epochs, qat_epochs, threads;
  int64_t batch, validation; /* pictures held out of the training set */
  float rate, qat_rate;      /* 0: the default of each */
  rung_scheme scheme;
  const char *bits;
  uint64_t seed;
  const char *save, *json;
} settings;

/* Exits with 2 and one line on stderr if the command line is wrong, with 0 after --help. */
settings options_read(int argc, char **argv);

/* One row of the table. */
typedef struct outcome {
  const char *name;
  double accuracy_float;   /* FP32: as it is; PTQ and QAT: simulated in float */
  double accuracy_integer; /* of the integer program; 0 for FP32 */
  int64_t bytes;
  double seconds_per_epoch; /* 0: not trained */
  double us_per_picture;
  rung_agreement agreement;
} outcome;

/* Progress of a fit: a bar on a terminal, a line an epoch. */
typedef struct watcher {
  const char *name;
  double seconds; /* of all epochs so far */
  int epochs;
} watcher;

bool report_progress(void *context, const rung_progress *progress);
void report_table(const settings *options, const outcome results[3], uint64_t hash);
/* false with one line on stderr if the file cannot be written; nothing is left half-written. */
bool report_json(const settings *options, const outcome results[3], uint64_t hash);
double report_clock(void); /* seconds */

#endif
