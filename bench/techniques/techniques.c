/* The table of techniques. docs/techniques.md.
 *
 *   bench_techniques --technique gptq --data mnist --seeds 5 --threads 1
 *
 * For each dataset and seed the FP32 network is trained once and kept; each technique starts from it, with
 * round-to-nearest at the same setting beside it. What was measured is written down as it comes, so that a run that was
 * stopped goes on where it was. */
#include "../options.h"
#include "table.h"

#include <math.h>
#include <string.h>

#define ROW(NAME) extern const technique technique_##NAME;
#include "technique_list.h"
#undef ROW

const technique *const techniques[] = {
#define ROW(NAME) &technique_##NAME,
#include "technique_list.h"
#undef ROW
};
const int technique_count = sizeof techniques / sizeof techniques[0];

enum { SEEDS_MOST = 64 };

typedef struct table {
  const char *technique; /* NULL: all */
  const char *setting;   /* NULL: all of the technique's */
  const char *results_path;
  bool fresh; /* measure again what was measured */
  int seeds;
  trial_options options;
  results *results;
  trial trial;
} table;

/* ---- Mean and spread over the seeds ----------------------------------------------------------------------------- */

typedef struct column {
  double values[SEEDS_MOST];
  int count;
} column;

static double mean(const column *c) {
  double sum = 0;
  for (int i = 0; i < c->count; i++) sum += c->values[i];
  return sum / c->count;
}

/* The standard deviation of a sample; 0 of one. */
static double deviation(const column *c) {
  double sum = 0, middle = mean(c);
  for (int i = 0; i < c->count; i++) sum += (c->values[i] - middle) * (c->values[i] - middle);
  return c->count > 1 ? sqrt(sum / (c->count - 1)) : 0;
}

/* ---- One row ---------------------------------------------------------------------------------------------------- */

static technique_result run(table *t, const technique *method, const setting *at) {
  technique_result result;
  if (!t->fresh && results_find(t->results, method, &t->trial, at, &result)) return result;
  if (measure(method, &t->trial, at, &result) != RUNG_OK)
    bench_fail("%s, %s, %s, seed %llu: %s", method->name, at->text, t->trial.data, (unsigned long long)t->trial.seed,
               rung_error());
  results_add(t->results, method, &t->trial, at, &result);
  return result;
}

/* The technique's, and round-to-nearest's behind it. */
static void print_error(const column *error, const column *rtn) {
  char text[32] = "-";
  if (mean(error) > 0) snprintf(text, sizeof text, "%.2e (%.2e)", mean(error), mean(rtn));
  printf(" %19s |", text);
}

/* A row of Markdown: docs/techniques.md takes it as it is. `c` and `errors` as in make_row. */
static void print_row(const technique *method, const setting *at, const column c[4], const column errors[4],
                      int64_t bytes) {
  printf("| %-16s | %-22s |", method->name, at->text);
  for (int i = 0; i < 3; i++) printf(" %5.2f ± %.2f |", mean(&c[i]), deviation(&c[i]));
  printf(" %+6.2f ± %.2f |", mean(&c[3]), deviation(&c[3]));
  print_error(&errors[0], &errors[1]);
  print_error(&errors[2], &errors[3]);
  if (bytes > 0)
    printf(" %7lld |\n", (long long)bytes);
  else
    printf(" %7s |\n", "-");
  fflush(stdout);
}

static void print_head(const table *t) {
  printf("%s, %s; FP32 %d epochs, then %d where a technique trains; %d seed%s\n\n", t->options.data, t->trial.network,
         t->trial.epochs, t->trial.qat_epochs, t->seeds, t->seeds == 1 ? "" : "s");
  printf("| %-16s | %-22s | %-12s | %-12s | %-12s | %-13s | %-19s | %-19s | %-7s |\n", "technique", "setting", "FP32 %",
         "RTN %", "technique %", "over RTN", "layer error (RTN)", "output error (RTN)", "bytes");
  puts("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
}

static void make_row(table *t, const technique *method, const setting *at) {
  column c[4] = {{.count = 0}}, errors[4] = {{.count = 0}}; /* FP32, RTN, technique, its gain over RTN */
  technique_result result = {0};
  for (int s = 0; s < t->seeds; s++) {
    trial_train(&t->trial, &t->options, (uint64_t)s + 1);
    const technique_result rtn = run(t, &technique_ptq, at);
    result = method == &technique_ptq ? rtn : run(t, method, at);
    const double values[4] = {t->trial.accuracy, rtn.accuracy, result.accuracy, result.accuracy - rtn.accuracy};
    const double wrong[4] = {result.layer_error, rtn.layer_error, result.output_error, rtn.output_error};
    for (int i = 0; i < 4; i++) {
      c[i].values[c[i].count++] = 100 * values[i];
      errors[i].values[errors[i].count++] = wrong[i];
    }
  }
  print_row(method, at, c, errors, result.bytes);
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

static void check(const table *t) {
  char names[1024] = "";
  for (int i = 0; i < technique_count; i++) {
    if (!t->technique || !strcmp(t->technique, techniques[i]->name)) return;
    strcat(strcat(names, i ? ", " : ""), techniques[i]->name);
  }
  bench_fail("--technique '%s': expected one of %s", t->technique, names);
}

static void list(void) {
  for (int i = 0; i < technique_count; i++) printf("%-16s %s\n", techniques[i]->name, techniques[i]->help);
}

int main(int argc, char **argv) {
  table t = {.seeds = 1, .options = {.data = "mnist", .folder = "build/techniques", .threads = 1}};
  bool only_list = false;
  const bench_option options[] = {
      {"technique", "one of --list (all)", BENCH_TEXT, &t.technique, 0, 0},
      {"setting", "one of the technique's, as the table shows it (all)", BENCH_TEXT, &t.setting, 0, 0},
      {"data", "mnist, letters, or a folder of four IDX files (mnist)", BENCH_TEXT, &t.options.data, 0, 0},
      {"seeds", "seeds 1 .. N (1)", BENCH_WHOLE, &t.seeds, 1, SEEDS_MOST},
      {"epochs", "of FP32 training (mnist 10, letters 60)", BENCH_WHOLE, &t.options.epochs, 1, 10000},
      {"qat-epochs", "for what trains on (mnist 5, letters 20)", BENCH_WHOLE, &t.options.qat_epochs, 1, 10000},
      {"threads", "0: one a processor (1)", BENCH_WHOLE, &t.options.threads, 0, 256},
      {"folder", "for the trained networks and the results (build/techniques)", BENCH_TEXT, &t.options.folder, 0, 0},
      {"results", "FILE of JSON lines, read and added to (FOLDER/results.jsonl)", BENCH_TEXT, &t.results_path, 0, 0},
      {"fresh", "measure again what is in the results", BENCH_FLAG, &t.fresh, 0, 0},
      {"quick", "the first setting of each on a small network, in few steps: to see that it works", BENCH_FLAG,
       &t.options.quick, 0, 0},
      {"list", "the techniques", BENCH_FLAG, &only_list, 0, 0}};
  enum { COUNT = sizeof options / sizeof options[0] };
  const bench_option *all[COUNT + 1] = {NULL};
  for (int i = 0; i < COUNT; i++) all[i] = &options[i];
  options_read("techniques", argc, argv, all);
  if (only_list) {
    list();
    return 0;
  }
  check(&t);
  t.trial = trial_begin(&t.options);
  char path[4096];
  snprintf(path, sizeof path, "%s/results.jsonl", t.options.folder);
  t.results = results_open(t.results_path ? t.results_path : path);
  print_head(&t);
  for (int i = 0; i < technique_count; i++) {
    setting settings[SETTINGS_MOST];
    if (t.technique && strcmp(t.technique, techniques[i]->name) != 0) continue;
    const int count = setting_read_all(techniques[i], settings);
    for (int s = 0; s < (t.options.quick ? 1 : count); s++)
      if (!t.setting || !strcmp(t.setting, settings[s].text)) make_row(&t, techniques[i], &settings[s]);
  }
  results_free(t.results);
  trial_end(&t.trial);
  return 0;
}
