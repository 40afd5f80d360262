/* The analysis of the quantized model, as tables and as JSON. */
#include "parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

static void put_counts(json *object, const char *key, const rung_histogram *histogram) {
  if (!histogram->bins) return;
  json *list = json_list(object, key);
  for (int i = 0; i < histogram->bins; i++) json_list_number(list, histogram->count[i]);
}

static void put_values(json *object, const rung_values_analysis *values) {
  json_whole(object, "bits", values->format.bits);
  json_whole(object, "count", values->count);
  json_number(object, "least", (double)values->least);
  json_number(object, "most", (double)values->most);
  json_number(object, "clip_least", (double)values->clip_least);
  json_number(object, "clip_most", (double)values->clip_most);
  json_number(object, "sqnr_db", values->sqnr);
  json_number(object, "clipped", values->clipped);
  json_number(object, "at_qmin", values->lowest);
  json_number(object, "at_qmax", values->highest);
  json *histogram = json_object(object, "histogram");
  json_number(histogram, "first", (double)values->before.first);
  json_number(histogram, "width", (double)values->before.width);
  put_counts(histogram, "before", &values->before);
  put_counts(histogram, "after", &values->after);
}

/* -1, not counted, is no number. */
static double counted(int64_t count) {
  return count < 0 ? NAN : (double)count;
}

static void put_layer(json *list, const rung_layer_analysis *layer) {
  json *object = json_list_object(list);
  json_text(object, "name", layer->name);
  json_whole(object, "in", layer->in);
  json_whole(object, "out", layer->out);
  put_values(json_object(object, "weights"), &layer->weights);
  json_number(object, "output_sqnr_db", layer->sqnr);
  json_whole(object, "dead", layer->dead);
  json_number(object, "flips", counted(layer->flips));
  json_number(object, "oscillating", counted(layer->oscillating));
  json_number(object, "frozen", counted(layer->frozen));
}

static void put_activation(json *list, const rung_activation_analysis *activation) {
  json *object = json_list_object(list);
  json_text(object, "name", activation->name);
  put_values(object, &activation->values);
}

/* ---- Tables ----------------------------------------------------------------------------------------------------- */

/* A decibel, or a word where there is none to tell. */
static const char *decibel(double ratio, char text[16]) {
  if (isfinite(ratio))
    snprintf(text, 16, "%.2f", ratio);
  else
    snprintf(text, 16, "%s", isnan(ratio) ? "-" : "exact");
  return text;
}

static void say_head(report *to, const char *what) {
  report_say(to, "%-12s %4s %21s %21s %7s %9s %9s %9s", what, "bits", "range", "clip", "SQNR dB", "clipped %",
             "at qmin %", "at qmax %");
}

static void say_values(report *to, const char *name, const rung_values_analysis *values) {
  char range[32], clip[32], sqnr[16];
  snprintf(range, sizeof range, "%.4g .. %.4g", (double)values->least, (double)values->most);
  snprintf(clip, sizeof clip, "%.4g .. %.4g", (double)values->clip_least, (double)values->clip_most);
  report_say(to, "%-12s %4d %21s %21s %7s %9.3f %9.2f %9.2f", name, values->format.bits, range, clip,
             decibel(values->sqnr, sqnr), 100 * values->clipped, 100 * values->lowest, 100 * values->highest);
}

static bool has_flips(const rung_analysis *analysis) {
  bool has = false;
  for (int i = 0; i < rung_analysis_layers(analysis); i++) has = has || rung_analysis_layer(analysis, i)->flips >= 0;
  return has;
}

static void say_flips(report *to, const rung_layer_analysis *layer) {
  if (layer->flips < 0)
    report_say(to, " %9s %11s %8s", "-", "-", "-");
  else
    report_say(to, " %9" PRId64 " %11" PRId64 " %8" PRId64, layer->flips, layer->oscillating, layer->frozen);
}

static void say_layers(report *to, const rung_analysis *analysis) {
  const bool flips = has_flips(analysis);
  char sqnr[16], dead[32];
  say_head(to, "weights");
  report_say(to, " %9s %10s", "output dB", "dead");
  if (flips) report_say(to, " %9s %11s %8s", "flips", "oscillating", "frozen");
  report_say(to, "\n");
  for (int i = 0; i < rung_analysis_layers(analysis); i++) {
    const rung_layer_analysis *layer = rung_analysis_layer(analysis, i);
    say_values(to, layer->name, &layer->weights);
    snprintf(dead, sizeof dead, "%" PRId64 "/%" PRId64, layer->dead, layer->out);
    report_say(to, " %9s %10s", decibel(layer->sqnr, sqnr), dead);
    if (flips) say_flips(to, layer);
    report_say(to, "\n");
  }
}

static void say_tables(report *to, const rung_analysis *analysis) {
  say_layers(to, analysis);
  say_head(to, "activations");
  report_say(to, "\n");
  for (int i = 0; i < rung_analysis_activations(analysis); i++) {
    const rung_activation_analysis *activation = rung_analysis_activation(analysis, i);
    say_values(to, activation->name, &activation->values);
    report_say(to, "\n");
  }
}

/* A layer that says the same of every example is one by mistake. */
static void say_constant(report *to, const rung_analysis *analysis) {
  for (int i = 0; i < rung_analysis_layers(analysis) && rung_analysis_examples(analysis) > 1; i++) {
    const rung_layer_analysis *layer = rung_analysis_layer(analysis, i);
    if (layer->dead == layer->out) report_say(to, "%s puts out the same on every example\n", layer->name);
  }
}

/* Beyond what any width reaches: no weight was lost, as a method of rung quantize had rounded it before. */
static bool is_rounded_before(const rung_analysis *analysis) {
  bool all = true;
  for (int i = 0; i < rung_analysis_layers(analysis); i++)
    all = all && rung_analysis_layer(analysis, i)->weights.sqnr > 100;
  return all;
}

rung_status part_analysis(const subject *of) {
  rung_analysis *analysis = rung_analyze_against(of->model, of->real, of->test, 0);
  if (!analysis) return rung_error_status();
  json *layers = json_list(of->object, "layers"), *activations = json_list(of->object, "activations");
  for (int i = 0; i < rung_analysis_layers(analysis); i++) put_layer(layers, rung_analysis_layer(analysis, i));
  for (int i = 0; i < rung_analysis_activations(analysis); i++)
    put_activation(activations, rung_analysis_activation(analysis, i));
  say_tables(&of->asked->report, analysis);
  say_constant(&of->asked->report, analysis);
  if (of->real == of->model && is_rounded_before(analysis))
    report_say(&of->asked->report,
               "the weights behind the integers are rounded already: --against FILE tells what that "
               "cost, FILE being the FP32 network\n");
  rung_analysis_free(analysis);
  return RUNG_OK;
}
