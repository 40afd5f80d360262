/* What the files of the program share. */
#ifndef BENCH_TECHNIQUES_TABLE_H
#define BENCH_TECHNIQUES_TABLE_H

#include "technique.h"

/* ---- setting.c: "w4a8 per-tensor outliers" ---------------------------------------------------------------------- */

enum { SETTING_TEXT = 64, SETTINGS_MOST = 16 };

typedef struct setting {
  char text[SETTING_TEXT]; /* the words, one blank between them */
  rung_scheme scheme;
  bool outliers;
} setting;

/* The settings of a technique, in order; returns how many. Ends the program where a word is none. */
int setting_read_all(const technique *method, setting settings[SETTINGS_MOST]);

/* ---- trial.c: a dataset, and its FP32 network ------------------------------------------------------------------- */

typedef struct trial_options {
  const char *data, *folder; /* the folder for checkpoints */
  int epochs, qat_epochs;    /* 0: the dataset's own */
  int threads;
  bool quick;
} trial_options;

/* Loads the data; ends the program where it cannot. */
trial trial_begin(const trial_options *options);
/* The FP32 network of a seed: from its checkpoint, or trained now and kept there. */
void trial_train(trial *t, const trial_options *options, uint64_t seed);
void trial_end(trial *t);

/* ---- measure.c -------------------------------------------------------------------------------------------------- */

/* Runs the technique and measures what it left out. */
rung_status measure(const technique *method, const trial *t, const setting *at, technique_result *result);

/* ---- results.c: what was measured, one JSON object a line ------------------------------------------------------- */

typedef struct results results;

/* Reads FILE, if it is there; new results are added to its end. Lines that are none (of a run that was stopped) are
 * passed over. Ends the program where the file cannot be written. */
results *results_open(const char *path);
void results_free(results *r);
/* The result of this technique at this setting for this very FP32 network, if it was measured before. */
bool results_find(const results *r, const technique *method, const trial *t, const setting *where,
                  technique_result *result);
void results_add(results *r, const technique *method, const trial *t, const setting *where,
                 const technique_result *result);

#endif
