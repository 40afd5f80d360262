/* rung report */
#include "../report/page.h"
#include "../report/parts.h"

#include "data.h"
#include "files.h"
#include "network.h"

#include <stdlib.h>

/* The dataset that all is measured on: the test part, or where there is none what there is; --examples of it. */
static rung_dataset *choose_test(const session *asked, const data_sets *data) {
  const rung_dataset *from = data->test ? data->test : data->train;
  const int64_t wanted = WHOLE_OF(asked, EXAMPLES);
  return rung_dataset_view(from, 0, wanted && wanted < from->count ? wanted : from->count);
}

static void put_head(const subject *of) {
  session *asked = of->asked;
  char bits[8], *text = rung_model_text(of->model);
  rung_program *program = network_freeze(asked, of->model);
  json_text(of->object, "name", asked->positional[0]);
  json_text(of->object, "version", RUNG_VERSION);
  json_text(of->object, "bits", network_bits(of->model, bits));
  json_text(of->object, "text", text);
  json_whole(of->object, "parameters", network_parameters(of->model));
  json_hash(of->object, "weights_hash", rung_model_hash(of->model));
  json_whole(of->object, "float_bytes", 4 * network_parameters(of->real));
  if (program) json_whole(of->object, "bytes", rung_program_describe(program).weight_bytes);
  json_text(of->object, "against", GIVEN(asked, AGAINST) ? TEXT_OF(asked, AGAINST) : NULL);
  json_text(of->object, "data", TEXT_OF(asked, TEST) ? TEXT_OF(asked, TEST) : TEXT_OF(asked, DATA));
  json_whole(of->object, "examples", of->test->count);
  rung_program_free(program);
  rung_release(text);
}

static rung_status measure(const subject *of) {
  put_head(of);
  part_history(of);
  rung_status status = part_answers(of);
  if (status == RUNG_OK) status = part_analysis(of);
  return status == RUNG_OK ? part_frontier(of) : status;
}

static rung_status write_page(const subject *of) {
  const char *path = TEXT_OF(of->asked, PAGE);
  if (!path) return RUNG_OK;
  rung_status status = page_write(path, of->object);
  if (status != RUNG_OK) return status;
  if (!page_has_charts()) report_note(&of->asked->report, "no charts: this build has no Chart.js\n");
  report_say(&of->asked->report, "wrote %s\n", path);
  json_text(of->asked->report.object, "out", path);
  return RUNG_OK;
}

/* What --json prints is what the page draws. */
static rung_status print(const subject *of) {
  char *text = of->asked->report.object ? json_print(of->object) : NULL;
  if (text) json_raw(of->asked->report.object, "report", text);
  free(text);
  return RUNG_OK;
}

static bool has_parameters_of(const rung_model *model, const rung_model *other) {
  const int count = rung_model_parameter_count(model);
  bool alike = count == rung_model_parameter_count(other);
  for (int i = 0; i < count && alike; i++) {
    const rung_parameter a = rung_model_parameter(model, i), b = rung_model_parameter(other, i);
    alike = rung_shape_equal(&a.shape, &b.shape);
  }
  return alike;
}

/* The network of --against, or the weights behind the integers. */
static rung_model *open_real(const session *asked, rung_model *model) {
  if (!GIVEN(asked, AGAINST)) return model;
  char bits[8];
  rung_model *real = file_open_model(asked, TEXT_OF(asked, AGAINST));
  if (real && !rung_model_quantization(real) && has_parameters_of(real, model)) return real;
  if (real && rung_model_quantization(real))
    rung_fail(RUNG_ERROR_ARGUMENT, "--against '%s': a model in %s, expected the FP32 network that %s came from",
              TEXT_OF(asked, AGAINST), network_bits(real, bits), asked->positional[0]);
  else if (real)
    rung_fail(RUNG_ERROR_SHAPE, "--against '%s': has other layers than %s, expected the FP32 network that it came from",
              TEXT_OF(asked, AGAINST), asked->positional[0]);
  rung_model_free(real);
  return NULL;
}

static ending report_on(subject *of, data_sets *data, rung_dataset **test) {
  session *asked = of->asked;
  if (part_check_frontier(asked) != RUNG_OK || data_load(asked, data) != RUNG_OK) return ENDS_BADLY;
  of->train = data->train;
  of->test = *test = choose_test(asked, data);
  of->model = of->test ? file_open_quantized(asked, asked->positional[0]) : NULL;
  if (!of->model) return ENDS_BADLY;
  of->real_path = GIVEN(asked, AGAINST) ? TEXT_OF(asked, AGAINST) : asked->positional[0];
  of->real = open_real(asked, of->model);
  of->object = of->real ? json_new() : NULL;
  if (!of->object) return ENDS_BADLY;
  rung_status status = measure(of);
  if (status == RUNG_OK) status = write_page(of);
  if (status == RUNG_OK) status = print(of);
  return status == RUNG_OK ? ENDS_WELL : ENDS_BADLY;
}

static ending run(session *asked) {
  data_sets data = {0};
  rung_dataset *test = NULL;
  subject of = {.asked = asked};
  ending end = report_on(&of, &data, &test);
  json_free(of.object);
  if (of.real != of.model) rung_model_free(of.real);
  rung_model_free(of.model);
  rung_dataset_free(test);
  data_free(&data);
  return end;
}

const command report_command = {
    .name = "report",
    .summary = "measures what quantizing did to each layer, and draws it as one HTML page",
    .about =
        "Prints for each layer the signal to quantization noise, the range beside the clip, what is clipped and "
        "saturated, and dead outputs. With --out one HTML file that needs no network: how the training went, "
        "histograms of weights before and after, ranges of activations, accuracy against size at other widths "
        "(round-to-nearest, calibrated on training data, measured here), the confusion matrix, and the pictures that "
        "the integer network answers otherwise than FP32. docs/report.md tells how to read each figure.",
    .positionals = {{.name = "MODEL",
                     .kind = KIND_INPUT,
                     .help = "a model that rung quantize wrote, trained on or not"}},
    .required = {HAS(DATA)},
    .taken = {TEST_OPTIONS, HAS(EXAMPLES), HAS(CALIBRATE), HAS(AGAINST), HAS(FRONTIER), HAS(PAGE), WORK_OPTIONS},
    .examples = {{"report digits-qat.safetensors --data mnist -o report.html", NULL},
                 {"report digits-qat.safetensors --data mnist --against digits.safetensors -o report.html",
                  "beside the FP32 network that it came from"},
                 {"report digits-w4a4.safetensors --data mnist --frontier none", "the tables alone"}},
    .run = run};
