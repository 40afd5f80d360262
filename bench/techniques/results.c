#include "table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct line {
  char data[64], technique[32], setting[SETTING_TEXT];
  uint64_t seed, hash;
  int qat_epochs;
  technique_result result;
} line;

struct results {
  FILE *file;
  line *lines;
  int count;
};

/* The last part of a path. */
static const char *short_name(const char *data) {
  const char *slash = strrchr(data, '/');
  return slash ? slash + 1 : data;
}

static void keep(results *r, const line *new) {
  r->lines = realloc(r->lines, (size_t)(r->count + 1) * sizeof *r->lines);
  if (!r->lines) bench_fail("out of memory");
  r->lines[r->count++] = *new;
}

static bool parse(const char *text, line *to) {
  int end = 0;
  double accuracy; /* of the FP32 network: for readers */
  sscanf(text,
         "{\"data\": \"%63[^\"]\", \"technique\": \"%31[^\"]\", \"setting\": \"%63[^\"]\", \"seed\": %" SCNu64
         ", \"qat_epochs\": %d, \"fp32_hash\": \"%" SCNx64 "\", \"fp32\": %lf, \"accuracy\": %lf, \"bytes\": %" SCNd64
         ", \"layer_error\": %lf, \"output_error\": %lf}%n",
         to->data, to->technique, to->setting, &to->seed, &to->qat_epochs, &to->hash, &accuracy, &to->result.accuracy,
         &to->result.bytes, &to->result.layer_error, &to->result.output_error, &end);
  return end > 0;
}

results *results_open(const char *path) {
  results *r = calloc(1, sizeof *r);
  char text[1024], last = '\n';
  if (!r) bench_fail("out of memory");
  r->file = fopen(path, "a+");
  if (!r->file) bench_fail("--results '%s': cannot be written", path);
  rewind(r->file);
  while (fgets(text, sizeof text, r->file)) {
    line new = {0};
    if (parse(text, &new)) keep(r, &new);
    last = text[strlen(text) - 1];
  }
  fseek(r->file, 0, SEEK_END);
  if (last != '\n') fputc('\n', r->file); /* of a run that was stopped within a line */
  return r;
}

void results_free(results *r) {
  if (!r) return;
  if (fclose(r->file) != 0) bench_fail("the results cannot be written: %s", strerror(errno));
  free(r->lines);
  free(r);
}

bool results_find(const results *r, const technique *method, const trial *t, const setting *where,
                  technique_result *result) {
  for (int i = 0; i < r->count; i++) {
    const line *at = &r->lines[i];
    if (strcmp(at->technique, method->name) || strcmp(at->setting, where->text) || at->seed != t->seed ||
        at->hash != t->hash || at->qat_epochs != t->qat_epochs || strcmp(at->data, short_name(t->data)))
      continue;
    *result = at->result;
    return true;
  }
  return false;
}

void results_add(results *r, const technique *method, const trial *t, const setting *where,
                 const technique_result *result) {
  line new = {.seed = t->seed, .hash = t->hash, .qat_epochs = t->qat_epochs, .result = *result};
  snprintf(new.data, sizeof new.data, "%s", short_name(t->data));
  snprintf(new.technique, sizeof new.technique, "%s", method->name);
  snprintf(new.setting, sizeof new.setting, "%s", where->text);
  keep(r, &new);
  fprintf(r->file,
          "{\"data\": \"%s\", \"technique\": \"%s\", \"setting\": \"%s\", \"seed\": %" PRIu64
          ", \"qat_epochs\": %d, \"fp32_hash\": \"%016" PRIx64
          "\", \"fp32\": %.6f, \"accuracy\": %.6f, \"bytes\": %" PRId64
          ", \"layer_error\": %.9g, \"output_error\": %.9g}\n",
          new.data, new.technique, new.setting, new.seed, new.qat_epochs, new.hash, t->accuracy, result->accuracy,
          result->bytes, result->layer_error, result->output_error);
  if (fflush(r->file) != 0) bench_fail("the results cannot be written: %s", strerror(errno));
}
