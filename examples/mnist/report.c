/* What mnist_mlp shows: progress, the table, the JSON. */
#include "mnist_mlp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double report_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void draw_bar(const watcher *watch, const rung_progress *progress) {
  enum { WIDTH = 24 };
  static const char full[] = "########################";
  int done = (int)(WIDTH * progress->step / progress->steps);
  fprintf(stderr, "\r%s %2d/%d [%.*s%*s] loss %.4f", watch->name, progress->epoch, progress->epochs, done, full,
          WIDTH - done, "", progress->train.loss);
}

bool report_progress(void *context, const rung_progress *progress) {
  watcher *watch = context;
  bool ends = progress->step == progress->steps, terminal = isatty(STDERR_FILENO);
  if (terminal && (ends || progress->step % 64 == 0)) draw_bar(watch, progress);
  if (!ends) return false;
  if (terminal) fputs("\r\033[K", stderr);
  watch->seconds += progress->seconds;
  watch->epochs++;
  printf("%s epoch %2d/%d  loss %.4f  train %.2f %%", watch->name, progress->epoch, progress->epochs,
         progress->train.loss, 100 * progress->train.accuracy);
  if (progress->validation.examples) printf("  validation %.2f %%", 100 * progress->validation.accuracy);
  printf("  %.2f s\n", progress->seconds);
  fflush(stdout);
  return false;
}

static void print_row(const outcome *result) {
  printf("%-5s %10.2f %%", result->name, 100 * result->accuracy_float);
  if (result->accuracy_integer > 0)
    printf(" %10.2f %%", 100 * result->accuracy_integer);
  else
    printf(" %12s", "-");
  printf(" %9" PRId64, result->bytes);
  if (result->seconds_per_epoch > 0)
    printf(" %9.2f", result->seconds_per_epoch);
  else
    printf(" %9s", "-");
  printf(" %11.2f\n", result->us_per_picture);
}

static void print_agreement(const outcome *result) {
  const rung_agreement *agreement = &result->agreement;
  printf("%s: of %" PRId64 " activations and %" PRId64 " logits, %" PRId64
         " differ between the model's evaluation and its integer program; %" PRId64
         " activations differ from the float simulation, by %" PRId64 " step%s at most\n",
         result->name, agreement->activations, agreement->logits, agreement->differ_evaluation,
         agreement->differ_simulation, agreement->largest_step, agreement->largest_step == 1 ? "" : "s");
}

void report_table(const settings *options, const outcome results[3], uint64_t hash) {
  const char *backward = options->scheme.backward ? rung_backward_name(options->scheme.backward) : NULL;
  printf("\n%s, %s%s%s, %s kernels\n", options->data, options->bits, backward ? ", backward " : "",
         backward ? backward : "", rung_kernels_active()->level);
  printf("       float        integer       bytes   s/epoch  us/picture\n");
  for (int i = 0; i < 3; i++) print_row(&results[i]);
  for (int i = 1; i < 3; i++) print_agreement(&results[i]);
  printf("weights %016" PRIx64 "\n", hash);
}

/* The options' strings are file names and the like: quotes, backslashes and control characters are escaped. */
static void json_string(FILE *file, const char *text) {
  fputc('"', file);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\')
      fprintf(file, "\\%c", *text);
    else if ((unsigned char)*text < 0x20)
      fprintf(file, "\\u%04x", (unsigned)*text);
    else
      fputc(*text, file);
  }
  fputc('"', file);
}

static void json_quantized(FILE *file, const char *key, const outcome *result) {
  fprintf(file, "  \"%s\": {\n    \"accuracy_simulated\": %.6f,\n    \"accuracy_integer\": %.6f,\n", key,
          result->accuracy_float, result->accuracy_integer);
  fprintf(file, "    \"bytes\": %" PRId64 ",\n    \"us_per_picture\": %.4f,\n", result->bytes, result->us_per_picture);
  if (!strcmp(key, "qat")) fprintf(file, "    \"seconds_per_epoch\": %.6f,\n", result->seconds_per_epoch);
  fprintf(file,
          "    \"activations\": %" PRId64 ",\n    \"differ_from_training_forward\": %" PRId64
          ",\n    \"differ_from_float_simulation\": %" PRId64 ",\n    \"largest_step\": %" PRId64 "\n  }",
          result->agreement.activations, result->agreement.differ_evaluation, result->agreement.differ_simulation,
          result->agreement.largest_step);
}

static void json_write(FILE *file, const settings *options, const outcome results[3], uint64_t hash) {
  fputs("{\n  \"data\": ", file);
  json_string(file, options->data);
  fprintf(file,
          ",\n  \"seed\": %" PRIu64
          ",\n  \"threads\": %d,\n  \"bits\": \"%s\",\n  \"backward\": \"%s\",\n  \"hidden\": [",
          options->seed, options->threads, options->bits, rung_backward_name(options->scheme.backward));
  for (int i = 0; i < options->layers; i++) fprintf(file, "%s%" PRId64, i ? ", " : "", options->hidden[i]);
  fprintf(file, "],\n  \"weights_hash\": \"%016" PRIx64 "\",\n", hash);
  fprintf(file,
          "  \"fp32\": {\n    \"accuracy\": %.6f,\n    \"seconds_per_epoch\": %.6f,\n    \"bytes\": %" PRId64
          ",\n    \"us_per_picture\": %.4f\n  },\n",
          results[0].accuracy_float, results[0].seconds_per_epoch, results[0].bytes, results[0].us_per_picture);
  json_quantized(file, "ptq", &results[1]);
  fputs(",\n", file);
  json_quantized(file, "qat", &results[2]);
  fputs("\n}\n", file);
}

bool report_json(const settings *options, const outcome results[3], uint64_t hash) {
  char temporary[4096];
  FILE *file = NULL;
  if (snprintf(temporary, sizeof temporary, "%s.%ld.tmp", options->json, (long)getpid()) < (int)sizeof temporary)
    file = fopen(temporary, "w");
  bool ok = file != NULL;
  if (ok) {
    json_write(file, options, results, hash);
    ok = fflush(file) == 0 && fsync(fileno(file)) == 0;
    ok = fclose(file) == 0 && ok && rename(temporary, options->json) == 0;
    if (!ok) remove(temporary);
  }
  if (!ok) fprintf(stderr, "mnist_mlp: --json '%s': cannot be written\n", options->json);
  return ok;
}
