/* What a command tells: lines for people, one JSON object for programs, a bar on a terminal. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "json.h"

#include <rung/rung.h>

typedef struct report {
  bool quiet;
  json *object;    /* what --json prints at the end; NULL: not wanted */
  bool drawn;      /* a bar stands on the terminal */
  double drawn_at; /* seconds */
} report;

/* RUNG_ERROR_UNSUPPORTED where JSON is wanted and this build has none. */
rung_status report_begin(report *report, bool quiet, bool wants_json);
/* Prints the object, if there is one and all went well, and releases it. RUNG_ERROR_IO where standard output did not
 * take all that was printed. */
rung_status report_end(report *report, bool well);

/* Results for people, on standard output: not with --quiet, and not with --json, whose object has them. */
void report_say(report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* How the work goes on: on standard output, with --json on standard error, with --quiet not at all. */
void report_note(report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Progress of a fit: a bar on standard error if that is a terminal, a line at an epoch's end. */
void report_progress(report *report, const char *what, const rung_progress *progress, bool classifies);
/* Takes the bar away. */
void report_clear(report *report);

/* rung_error() without the "freeze: " or "emit: " in front: what the command is doing is known, and said before it. */
const char *report_reason(void);

double report_clock(void); /* seconds */

#endif
