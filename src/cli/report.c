#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double report_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

rung_status report_begin(report *to, bool quiet, bool wants_json) {
  *to = (report){.quiet = quiet};
  if (!wants_json) return RUNG_OK;
  if (!json_available()) return rung_fail(RUNG_ERROR_UNSUPPORTED, "--json: this build has no cJSON");
  to->object = json_new();
  return to->object ? RUNG_OK : rung_fail(RUNG_ERROR_MEMORY, "--json: no memory");
}

rung_status report_end(report *to, bool well) {
  rung_status status = RUNG_OK;
  if (to->object && well) {
    char *text = json_print(to->object);
    if (text)
      puts(text);
    else
      status = rung_fail(RUNG_ERROR_MEMORY, "--json: no memory");
    free(text);
  }
  json_free(to->object);
  errno = 0;
  if (fflush(stdout) != 0 || ferror(stdout))
    status = rung_fail(RUNG_ERROR_IO, "standard output cannot be written: %s", strerror(errno ? errno : EIO));
  return status;
}

const char *report_reason(void) {
  static const char *const steps[] = {"quantize: ", "freeze: ", "run: ", "emit: ", "export: ", "verify: ", "import: "};
  const char *reason = rung_error();
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
    if (strncmp(reason, steps[i], strlen(steps[i])) == 0) return reason + strlen(steps[i]);
  return reason;
}

void report_say(report *to, const char *format, ...) {
  if (to->quiet || to->object) return;
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
}

void report_note(report *to, const char *format, ...) {
  if (to->quiet) return;
  FILE *file = to->object ? stderr : stdout;
  va_list arguments;
  va_start(arguments, format);
  vfprintf(file, format, arguments);
  va_end(arguments);
  fflush(file);
}

/* ---- Progress --------------------------------------------------------------------------------------------------- */

void report_clear(report *to) {
  if (to->drawn) fputs("\r\033[K", stderr);
  to->drawn = false;
}

/* Seconds until the last epoch ends, as fast as this one goes. */
static double seconds_left(const rung_progress *progress) {
  double step = progress->seconds / (double)progress->step;
  return step * (double)(progress->steps * (progress->epochs - progress->epoch + 1) - progress->step);
}

/* "FP32  3/10 [##########              ] loss 0.0671  98.02 %  0:04 left" */
static void draw_bar(report *to, const char *what, const rung_progress *progress, bool classifies) {
  enum { WIDTH = 24 };
  static const char full[] = "########################";
  int done = (int)(WIDTH * progress->step / progress->steps), left = (int)seconds_left(progress);
  fprintf(stderr, "\r\033[K%s %2d/%d [%.*s%*s] loss %.4f", what, progress->epoch, progress->epochs, done, full,
          WIDTH - done, "", progress->train.loss);
  if (classifies) fprintf(stderr, "  %.2f %%", 100 * progress->train.accuracy);
  if (progress->seconds > 0.2) fprintf(stderr, "  %d:%02d left", left / 60, left % 60); /* before, it is a guess */
  fflush(stderr);
  to->drawn = true;
  to->drawn_at = report_clock();
}

void report_progress(report *to, const char *what, const rung_progress *progress, bool classifies) {
  bool ends = progress->step == progress->steps;
  if (to->quiet) return;
  if (!ends && isatty(STDERR_FILENO) && (!to->drawn || report_clock() - to->drawn_at > 0.1))
    draw_bar(to, what, progress, classifies);
  if (!ends) return;
  report_clear(to);
  char train[32] = "", validation[64] = "";
  if (classifies) snprintf(train, sizeof train, "  train %.2f %%", 100 * progress->train.accuracy);
  if (progress->validation.examples && classifies)
    snprintf(validation, sizeof validation, "  validation %.2f %%", 100 * progress->validation.accuracy);
  else if (progress->validation.examples)
    snprintf(validation, sizeof validation, "  validation loss %.4f", progress->validation.loss);
  report_note(to, "%s epoch %2d/%d  loss %.4f%s%s  %.2f s\n", what, progress->epoch, progress->epochs,
              progress->train.loss, train, validation, progress->seconds);
}
