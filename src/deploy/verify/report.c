/* The outcome written down: a table for people, and JSON. */
#include "verify.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void report_writer(FILE *to, const rung_verification *verification);

static char *write_report(report_writer *writer, const rung_verification *verification) {
  char *text = NULL, *copy = NULL;
  size_t size = 0;
  FILE *to = open_memstream(&text, &size);
  if (to) writer(to, verification);
  bool whole = to && !ferror(to);
  if (to && (fclose(to) != 0 || !text)) whole = false; /* glibc's fclose may find no memory and return 0 */
  if (whole) copy = rung_allocate(size + 1);
  if (!whole) rung_fail(RUNG_ERROR_MEMORY, "verify: no memory for the report");
  if (copy) memcpy(copy, text, size);
  free(text);
  return copy;
}

static const char *outcome_name(rung_outcome outcome) {
  static const char *const names[] = {"not asked", "ran", "not available", "failed"};
  return names[outcome];
}

static bool ran(const rung_verification *verification, rung_execution execution) {
  return verification->execution[execution].outcome == RUNG_OUTCOME_RAN;
}

/* ---- For people ------------------------------------------------------------------------------------------------- */

static void write_executions(FILE *to, const rung_verification *verification) {
  fprintf(to, "%-12s %18s %10s %14s", "", "activations differ", "steps", "logits differ");
  if (verification->labelled) fprintf(to, " %12s %10s", "same top-1", "accuracy");
  fputc('\n', to);
  for (rung_execution e = 0; e < RUNG_EXECUTION_COUNT; e++) {
    const rung_execution_summary summary = rung_verification_summary(verification, e);
    const double examples = (double)verification->examples;
    if (summary.outcome == RUNG_OUTCOME_NOT_ASKED) continue;
    fprintf(to, "%-12s ", rung_execution_name(e));
    if (summary.outcome != RUNG_OUTCOME_RAN) {
      fprintf(to, "%s: %s\n", outcome_name(summary.outcome), summary.reason);
      continue;
    }
    fprintf(to, "%18" PRId64 " %10" PRId64 " %14" PRId64, summary.differ, summary.largest, summary.differ_logits);
    if (verification->labelled)
      fprintf(to, " %10.2f %% %8.2f %%", 100 * (double)summary.agree / examples,
              100 * (double)summary.correct / examples);
    fputc('\n', to);
  }
}

static void write_head(FILE *to, const rung_verification *verification, const char *title, int width) {
  fprintf(to, "\n%-16s", title);
  for (rung_execution e = 0; e < RUNG_EXECUTION_COUNT; e++)
    if (ran(verification, e)) fprintf(to, " %*s", width, rung_execution_name(e));
  fputc('\n', to);
}

/* Whether there is an execution whose logits are floats. */
static bool any_floats(const rung_verification *verification) {
  for (rung_execution e = 0; e < RUNG_EXECUTION_COUNT; e++)
    if (!verify_kind(e)->exact && ran(verification, e)) return true;
  return false;
}

static void write_layers(FILE *to, const rung_verification *verification) {
  write_head(to, verification, "differ (steps)", 15);
  for (int i = 0; i < verification->layers; i++) {
    fprintf(to, "%-16s", verification->name[i]);
    for (rung_execution e = 0; e < RUNG_EXECUTION_COUNT; e++) {
      const rung_layer_agreement at = rung_verification_at(verification, e, i);
      char text[64];
      snprintf(text, sizeof text, at.differ ? "%" PRId64 " (%" PRId64 ")" : "%" PRId64, at.differ, at.largest);
      if (ran(verification, e)) fprintf(to, " %15s", text);
    }
    fputc('\n', to);
  }
  if (any_floats(verification))
    fputs("\nA step of the logits is their scale, far below an activation's: executions in float differ in nearly all "
          "of them.\n",
          to);
}

static void write_noise(FILE *to, const rung_verification *verification) {
  if (!ran(verification, RUNG_EXECUTION_FLOAT)) return;
  write_head(to, verification, "SQNR, dB", 10);
  for (int i = 0; i < verification->layers; i++) {
    fprintf(to, "%-16s", verification->name[i]);
    for (rung_execution e = 0; e < RUNG_EXECUTION_COUNT; e++)
      if (ran(verification, e)) fprintf(to, " %10.2f", rung_verification_at(verification, e, i).sqnr);
    fputc('\n', to);
  }
}

/* Why the f32 executions of the quantized network differ. */
static void write_reasons(FILE *to, const rung_verification *verification) {
  for (rung_execution e = 0; e < RUNG_EXECUTION_COUNT; e++) {
    rung_layer_agreement sum = {0};
    if (!verify_kind(e)->simulates || !ran(verification, e)) continue;
    for (int i = 0; i + 1 < verification->layers; i++) {
      const rung_layer_agreement at = rung_verification_at(verification, e, i);
      sum.differ += at.differ;
      sum.inherited += at.inherited;
      sum.ties += at.ties;
      sum.unexplained += at.unexplained;
      sum.distance = fmax(sum.distance, at.distance);
    }
    if (sum.differ == 0) continue;
    fprintf(to,
            "\n%s: of %" PRId64 " activations that differ %" PRId64
            " are ties (the exact value is within %.2g steps of "
            "a half), %" PRId64 " have another input, %" PRId64 " are unexplained\n",
            rung_execution_name(e), sum.differ, sum.ties, sum.distance, sum.inherited, sum.unexplained);
  }
}

static void write_difference(FILE *to, const rung_verification *verification, rung_execution a, rung_execution b) {
  rung_difference first;
  if (!rung_verification_first(verification, a, b, &first)) return;
  fprintf(to, "\n%s and %s first differ in example %" PRId64 ", %s[%" PRId64 "]: %d and %d\n  ", rung_execution_name(a),
          rung_execution_name(b), first.example, verification->name[first.layer], first.index, first.value[0],
          first.value[1]);
  if (first.multiplier != 0)
    fprintf(to, "%" PRId64 " * %d * 2^-%d", first.accumulator, first.multiplier, first.shift);
  else
    fputs("the sum over its groups", to);
  fprintf(to, " gives %.9g with the zero point, so %d", first.exact, first.expected);
  const rung_execution both[2] = {a, b};
  for (int i = 0; i < 2; i++)
    if (!isnan(first.before[i])) fprintf(to, "; %s had %.9g", rung_execution_name(both[i]), first.before[i]);
  fputc('\n', to);
}

/* Of the executions that simulate the program and came to an end, good or bad. */
static void write_steps(FILE *to, const rung_verification *verification) {
  const char *before = "\n";
  for (rung_execution e = 0; e < RUNG_EXECUTION_COUNT; e++) {
    const bool failed = verification->execution[e].outcome == RUNG_OUTCOME_FAILED;
    if (!verify_kind(e)->simulates || !(ran(verification, e) || failed)) continue;
    fprintf(to, "%s%s", before, rung_execution_name(e));
    before = " and ";
  }
  if (*before != '\n')
    fputs(rung_verification_within_a_step(verification) ? ": no activation more than one step away"
                                                        : ": NOT within one step",
          to);
  fputc('\n', to);
}

static void write_verdict(FILE *to, const rung_verification *verification) {
  fprintf(to, "\n%s", rung_verification_exact(verification) ? "exact: 0 values differ between" : "NOT exact:");
  for (rung_execution e = 0; e < RUNG_EXECUTION_COUNT; e++)
    if (verify_kind(e)->exact && ran(verification, e)) fprintf(to, " %s", rung_execution_name(e));
  write_steps(to, verification);
}

static void write_text(FILE *to, const rung_verification *verification) {
  fprintf(to, "%" PRId64 " examples, each execution held against the integer program\n\n", verification->examples);
  write_executions(to, verification);
  write_layers(to, verification);
  write_noise(to, verification);
  write_reasons(to, verification);
  for (rung_execution e = RUNG_EXECUTION_SIMULATED; e < RUNG_EXECUTION_COUNT; e++)
    write_difference(to, verification, e, RUNG_EXECUTION_PROGRAM);
  write_verdict(to, verification);
}

char *rung_verification_text(const rung_verification *verification) {
  return write_report(write_text, verification);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

static void write_string(FILE *to, const char *name, const char *text) {
  fprintf(to, "\"%s\": \"", name);
  for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
    if (*c < 0x20)
      fprintf(to, "\\u%04x", (unsigned)*c);
    else
      fprintf(to, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
  }
  fputc('"', to);
}

static void write_integer(FILE *to, const char *name, int64_t value) {
  fprintf(to, ", \"%s\": %" PRId64, name, value);
}

/* null where JSON has no such number; a point, whatever the locale has. */
static void write_real(FILE *to, const char *name, double value) {
  char text[32];
  snprintf(text, sizeof text, "%.15g", value);
  char *comma = strchr(text, ',');
  if (comma) *comma = '.';
  fprintf(to, ", \"%s\": %s", name, isfinite(value) ? text : "null");
}

static void write_layer_json(FILE *to, const rung_verification *verification, rung_execution execution, int layer) {
  const rung_layer_agreement at = rung_verification_at(verification, execution, layer);
  fputs(layer ? ", {" : "{", to);
  write_string(to, "name", verification->name[layer]);
  write_integer(to, "values", at.values);
  write_integer(to, "differ", at.differ);
  write_integer(to, "largest_step", at.largest);
  if (verify_kind(execution)->simulates && layer + 1 < verification->layers) {
    write_integer(to, "inherited", at.inherited);
    write_integer(to, "ties", at.ties);
    write_integer(to, "unexplained", at.unexplained);
    write_real(to, "distance_from_half", at.distance);
  }
  write_real(to, "sqnr_db", at.sqnr);
  fputc('}', to);
}

static void write_execution_json(FILE *to, const rung_verification *verification, rung_execution execution) {
  const rung_execution_summary summary = rung_verification_summary(verification, execution);
  fputs(execution ? ",\n    {" : "    {", to);
  write_string(to, "name", rung_execution_name(execution));
  fputs(", ", to);
  write_string(to, "outcome", outcome_name(summary.outcome));
  if (*summary.reason) {
    fputs(", ", to);
    write_string(to, "reason", summary.reason);
  }
  if (summary.outcome == RUNG_OUTCOME_RAN) {
    write_integer(to, "activations_differ", summary.differ);
    write_integer(to, "largest_step", summary.largest);
    write_integer(to, "logits_differ", summary.differ_logits);
    write_integer(to, "top1_agree", summary.agree);
    if (summary.correct >= 0) write_integer(to, "correct", summary.correct);
    fputs(",\n     \"layers\": [", to);
    for (int i = 0; i < verification->layers; i++) write_layer_json(to, verification, execution, i);
    fputc(']', to);
  }
  fputc('}', to);
}

static void write_difference_json(FILE *to, const rung_verification *verification, rung_execution a, rung_execution b,
                                  bool *any) {
  rung_difference first;
  if (!rung_verification_first(verification, a, b, &first)) return;
  fputs(*any ? ",\n    {" : "\n    {", to);
  *any = true;
  fprintf(to, "\"between\": [\"%s\", \"%s\"]", rung_execution_name(a), rung_execution_name(b));
  write_integer(to, "example", first.example);
  fputs(", ", to);
  write_string(to, "layer", verification->name[first.layer]);
  write_integer(to, "index", first.index);
  fprintf(to, ", \"values\": [%d, %d]", first.value[0], first.value[1]);
  write_real(to, "before_a", first.before[0]);
  write_real(to, "before_b", first.before[1]);
  write_integer(to, "accumulator", first.accumulator);
  write_integer(to, "multiplier", first.multiplier);
  write_integer(to, "shift", first.shift);
  write_real(to, "exact", first.exact);
  write_integer(to, "expected", first.expected);
  fputc('}', to);
}

static void write_json(FILE *to, const rung_verification *verification) {
  fprintf(to, "{\"examples\": %" PRId64 ", \"exact\": %s, \"within_a_step\": %s,\n  \"executions\": [\n",
          verification->examples, rung_verification_exact(verification) ? "true" : "false",
          rung_verification_within_a_step(verification) ? "true" : "false");
  for (rung_execution e = 0; e < RUNG_EXECUTION_COUNT; e++) write_execution_json(to, verification, e);
  fputs("],\n  \"first_differences\": [", to);
  bool any = false;
  for (rung_execution a = 0; a < RUNG_EXECUTION_COUNT; a++)
    for (rung_execution b = a + 1; b < RUNG_EXECUTION_COUNT; b++) write_difference_json(to, verification, a, b, &any);
  fputs("]}\n", to);
}

char *rung_verification_json(const rung_verification *verification) {
  return write_report(write_json, verification);
}
