/* Accuracy against size: the FP32 network rounded to each of several widths, by round-to-nearest, nothing trained. */
#include "parts.h"

#include "files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LIST = 256 };

/* --frontier in `text`, to be taken apart; NULL: "none". */
static char *list_of(const session *asked, char text[LIST]) {
  if (strcmp(TEXT_OF(asked, FRONTIER), "none") == 0) return NULL;
  snprintf(text, LIST, "%s", TEXT_OF(asked, FRONTIER));
  return text;
}

rung_status part_check_frontier(const session *asked) {
  char text[LIST], *rest = list_of(asked, text), *bits;
  if (rest && strlen(TEXT_OF(asked, FRONTIER)) >= LIST)
    return rung_fail(RUNG_ERROR_ARGUMENT, "--frontier: longer than %d characters", LIST - 1);
  while (rest && (bits = strsep(&rest, ",")))
    if (rung_scheme_parse_bits(bits, &(rung_scheme){0}) != RUNG_OK)
      return rung_fail(RUNG_ERROR_ARGUMENT, "--frontier: %s", rung_error());
  return RUNG_OK;
}

/* Of the model's scheme, what round-to-nearest goes by, at other bits. */
static rung_status scheme_at(const rung_model *model, const char *bits, rung_scheme *scheme) {
  const rung_scheme *own = rung_model_scheme(model);
  *scheme = (rung_scheme){.weight_granularity = own->weight_granularity,
                          .weight_group = own->weight_group,
                          .activation_signed = own->activation_signed,
                          .activation_symmetric = own->activation_symmetric};
  rung_status status = rung_scheme_parse_bits(bits, scheme);
  return status == RUNG_OK ? rung_scheme_check(scheme) : status;
}

static rung_status put_point(const subject *of, json *list, const char *bits, rung_model *model) {
  rung_metrics metrics;
  rung_status status = rung_evaluate(model, of->test, &metrics);
  if (status != RUNG_OK) return status;
  rung_program *program = rung_freeze(model); /* NULL: some of it stays in f32, and has no size of its own */
  json *row = json_list_object(list);
  json_text(row, "bits", bits);
  if (program) json_whole(row, "bytes", rung_program_describe(program).weight_bytes);
  if (of->test->labels) json_number(row, "accuracy", metrics.accuracy);
  json_number(row, "loss", metrics.loss);
  if (of->test->labels) report_say(&of->asked->report, " %s %.2f %%", bits, 100 * metrics.accuracy);
  rung_program_free(program);
  return RUNG_OK;
}

static rung_status add_point(const subject *of, json *list, const char *bits, rung_model *model) {
  rung_scheme scheme;
  rung_status status = scheme_at(of->model, bits, &scheme);
  if (status == RUNG_OK) status = rung_model_use(model, RUNG_FORM_FLOAT);
  if (status == RUNG_OK) status = rung_quantize(model, &scheme);
  if (status == RUNG_OK) status = rung_calibrate(model, of->train, WHOLE_OF(of->asked, CALIBRATE));
  return status == RUNG_OK ? put_point(of, list, bits, model) : status;
}

/* On a model of its own: quantizing folds batch norms into the weights for good. */
rung_status part_frontier(const subject *of) {
  char text[LIST], *rest = list_of(of->asked, text), *bits;
  json *list = json_list(of->object, "frontier");
  if (!rest) return RUNG_OK;
  rung_model *model = file_open_model(of->asked, of->real_path);
  rung_status status = model ? RUNG_OK : rung_error_status();
  if (status == RUNG_OK) report_say(&of->asked->report, "rounded to nearest:");
  while (status == RUNG_OK && (bits = strsep(&rest, ","))) status = add_point(of, list, bits, model);
  if (status == RUNG_OK) report_say(&of->asked->report, "\n");
  rung_model_free(model);
  return status;
}
