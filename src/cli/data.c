#include "data.h"

#include "path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum format { FORMAT_IDX, FORMAT_CSV, FORMAT_NPY } format;

static format format_of(const char *name) {
  static const struct {
    const char *ending;
    format is;
  } endings[] = {{".csv", FORMAT_CSV}, {".csv.gz", FORMAT_CSV}, {".tsv", FORMAT_CSV},
                 {".txt", FORMAT_CSV}, {".npy", FORMAT_NPY},    {".npy.gz", FORMAT_NPY}};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
    if (path_ends_with(name, endings[i].ending)) return endings[i].is;
  return FORMAT_IDX;
}

/* An option of one format was meant for data of that format. */
static rung_status check_used(const session *asked, option_id id, bool used, const char *goes_with) {
  if (!asked->option[id].given || used) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "--%s: goes with %s; --data is %s", options[id].name, goes_with,
                   TEXT_OF(asked, DATA));
}

static rung_status check_options(const session *asked) {
  const char *data = TEXT_OF(asked, DATA), *test = TEXT_OF(asked, TEST);
  const bool test_npy = test && format_of(test) == FORMAT_NPY;
  const bool csv = format_of(data) == FORMAT_CSV || (test && format_of(test) == FORMAT_CSV);
  const bool regression = strcmp(TEXT_OF(asked, TASK), "regression") == 0;
  rung_status status = check_used(asked, OPTION_LABEL, csv && !regression, "the classes of a CSV file");
  if (status == RUNG_OK)
    status = check_used(asked, OPTION_TARGETS, format_of(data) == FORMAT_NPY || (csv && regression),
                        "an NPY file, or a CSV file and --task regression");
  if (status == RUNG_OK) status = check_used(asked, OPTION_TASK, csv, "a CSV file");
  if (status == RUNG_OK) status = check_used(asked, OPTION_PIXELS, csv, "a CSV file");
  if (status == RUNG_OK) status = check_used(asked, OPTION_TEST_TARGETS, test_npy, "an NPY file of --test");
  return status;
}

static rung_dataset *load_csv(const session *asked, const char *name, const rung_dataset *like) {
  rung_csv_options how = {.pixels = GIVEN(asked, PIXELS), .like = like};
  if (strcmp(TEXT_OF(asked, TASK), "regression") == 0)
    how.targets = TEXT_OF(asked, TARGETS) ? TEXT_OF(asked, TARGETS) : "last";
  else
    how.label = TEXT_OF(asked, LABEL);
  return rung_dataset_read_csv(name, &how);
}

static rung_dataset *load_npy(const char *name, const char *targets, const char *name_of_targets,
                              const rung_dataset *like) {
  if (!targets) {
    rung_fail(RUNG_ERROR_ARGUMENT, "%s: an NPY file holds the inputs only: --%s FILE.npy is missing", name,
              name_of_targets);
    return NULL;
  }
  return rung_dataset_read_npy(name, targets, &(rung_npy_options){.like = like});
}

/* The names that rung_dataset_load knows. */
static bool is_known(const char *name) {
  static const char *const names[] = {"mnist", "fashion-mnist", "letters"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0) return true;
  return false;
}

/* What is neither a known name nor a folder may have been meant as a file. */
static rung_dataset *load_idx(const char *name, rung_split split) {
  rung_dataset *data = rung_dataset_load(name, split);
  if (data || path_is_folder(name) || is_known(name)) return data;
  rung_fail(
      RUNG_ERROR_IO,
      "%s: no such dataset: expected mnist, fashion-mnist, letters, a folder with IDX files, or the name of a CSV "
      "or NPY file, which ends in .csv or .npy",
      name);
  return NULL;
}

/* `name` of --data or --test; `targets` is what goes with an NPY file. */
static rung_dataset *load(const session *asked, const char *name, option_id targets, rung_split split,
                          const rung_dataset *like) {
  switch (format_of(name)) {
  case FORMAT_CSV: return load_csv(asked, name, like);
  case FORMAT_NPY: return load_npy(name, asked->option[targets].text, options[targets].name, like);
  case FORMAT_IDX: break;
  }
  return load_idx(name, split);
}

/* "500" of 60,000, or "0.1". */
static rung_status read_validation(const char *text, int64_t count, int64_t *held_out) {
  char *end;
  double number = strtod(text, &end);
  bool share = strchr(text, '.') != NULL;
  if (end != text && !*end && number >= 0 && (share ? number < 1 : number < (double)count)) {
    *held_out = share ? (int64_t)(number * (double)count) : (int64_t)number;
    if ((double)*held_out == number || share) return RUNG_OK;
  }
  return rung_fail(
      RUNG_ERROR_ARGUMENT,
      "--validation '%s': expected fewer than the %lld training examples, or a share from 0.0 to below 1.0", text,
      (long long)count);
}

static rung_status load_test_part(const session *asked, data_sets *to) {
  const char *test = TEXT_OF(asked, TEST), *name = TEXT_OF(asked, DATA);
  if (test)
    to->test = load(asked, test, OPTION_TEST_TARGETS, RUNG_TEST, to->all);
  else if (format_of(name) == FORMAT_IDX)
    to->test = rung_dataset_load(name, RUNG_TEST);
  else
    return RUNG_OK;
  return to->test ? RUNG_OK : rung_error_status();
}

rung_status data_load(const session *asked, data_sets *to) {
  if (check_options(asked) != RUNG_OK) return rung_error_status();
  to->all = load(asked, TEXT_OF(asked, DATA), OPTION_TARGETS, RUNG_TRAIN, NULL);
  if (!to->all) return rung_error_status();
  int64_t held_out = 0;
  rung_status status = RUNG_OK;
  if (TEXT_OF(asked, VALIDATION)) status = read_validation(TEXT_OF(asked, VALIDATION), to->all->count, &held_out);
  if (status == RUNG_OK) status = load_test_part(asked, to);
  if (status != RUNG_OK) return status;
  int64_t kept = to->all->count - held_out;
  to->train = rung_dataset_view(to->all, 0, kept);
  if (held_out) to->validation = rung_dataset_view(to->all, kept, held_out);
  return to->train && (to->validation || !held_out) ? RUNG_OK : rung_error_status();
}

void data_tell_classes(session *asked, const rung_dataset *data) {
  enum { MOST = 12 };
  if (!data->class_names) return;
  json *names = json_list(asked->report.object, "classes");
  report_say(&asked->report, "classes:");
  for (int32_t i = 0; i < data->classes; i++) {
    json_list_text(names, data->class_names[i]);
    if (i < MOST) report_say(&asked->report, "%s %" PRId32 " %s", i ? "," : "", i, data->class_names[i]);
  }
  if (data->classes > MOST) report_say(&asked->report, ", ... (%" PRId32 " in all)", data->classes);
  report_say(&asked->report, "\n");
}

void data_free(data_sets *of) {
  rung_dataset_free(of->test);
  rung_dataset_free(of->validation);
  rung_dataset_free(of->train);
  rung_dataset_free(of->all);
}

rung_dataset *data_load_test(const session *asked, rung_dataset **owner) {
  if (check_options(asked) != RUNG_OK) return NULL;
  *owner = load(asked, TEXT_OF(asked, DATA), OPTION_TARGETS, RUNG_TEST, NULL);
  if (!*owner) return NULL;
  int64_t count = (*owner)->count, wanted = WHOLE_OF(asked, EXAMPLES);
  return rung_dataset_view(*owner, 0, wanted && wanted < count ? wanted : count);
}
