/* rung formats */
#include "data.h"
#include "files.h"
#include "network.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct comparing {
  session *asked;
  rung_model *model;
  const rung_dataset *test;
  float *weights; /* all parameters, as the model came */
  json *list;
} comparing;

/* ---- The model's own weights ------------------------------------------------------------------------------------ */

static rung_status save_weights(comparing *of) {
  of->weights = rung_allocate((size_t)network_parameters(of->model) * sizeof *of->weights);
  if (!of->weights) return RUNG_ERROR_MEMORY;
  float *to = of->weights;
  int64_t count;
  for (int i = 0; i < rung_model_parameter_count(of->model); i++) {
    const rung_parameter parameter = rung_model_parameter(of->model, i);
    if (rung_shape_count(&parameter.shape, &count) != RUNG_OK) return rung_error_status();
    memcpy(to, parameter.value, (size_t)count * sizeof *to);
    to += count;
  }
  return RUNG_OK;
}

static void restore_weights(const comparing *of) {
  const float *from = of->weights;
  int64_t count;
  for (int i = 0; i < rung_model_parameter_count(of->model); i++) {
    const rung_parameter parameter = rung_model_parameter(of->model, i);
    if (rung_shape_count(&parameter.shape, &count) != RUNG_OK) return;
    memcpy(parameter.value, from, (size_t)count * sizeof *from);
    from += count;
  }
  rung_model_touch(of->model);
}

/* ---- One row a format ------------------------------------------------------------------------------------------- */

/* What shares a scale: "channel", "tensor", "32", "64" or "-". */
static const char *scales_of(const rung_storage *storage, char text[24]) {
  const bool chosen = rung_storage_takes_granularity(storage->format);
  if (storage->format == RUNG_STORAGE_NF4 || storage->format == RUNG_STORAGE_NF4_DOUBLE) return "64";
  if (!chosen) return "-";
  snprintf(text, 24, "%" PRId64, storage->group);
  return storage->granularity == RUNG_PER_GROUP ? text : storage->granularity == RUNG_PER_TENSOR ? "tensor" : "channel";
}

static void tell_head(const comparing *of) {
  report_say(&of->asked->report, "%-11s %-8s %10s %7s %9s %14s %10s\n", "format", "scales", "bytes", "bits", "SQNR, dB",
             "largest error", of->test->labels ? "accuracy" : "loss");
}

static void tell_row(const comparing *of, const rung_storage *storage, const rung_stored *stored,
                     const rung_metrics *metrics) {
  char text[24], sqnr[24], result[32];
  const char *name = rung_storage_name(storage->format), *scales = scales_of(storage, text);
  snprintf(sqnr, sizeof sqnr, isinf(stored->sqnr) ? "-" : "%.2f", stored->sqnr);
  if (of->test->labels)
    snprintf(result, sizeof result, "%.2f %%", 100 * metrics->accuracy);
  else
    snprintf(result, sizeof result, "%.6g", metrics->loss);
  report_say(&of->asked->report, "%-11s %-8s %10zu %7.3f %9s %14.6g %10s\n", name, scales, stored->bytes,
             stored->bits_per_weight, sqnr, stored->largest_error, result);
  json *row = json_list_object(of->list);
  json_text(row, "format", name);
  json_text(row, "scales", scales);
  json_whole(row, "bytes", (int64_t)stored->bytes);
  json_number(row, "bits_per_weight", stored->bits_per_weight);
  json_number(row, "sqnr_db", isinf(stored->sqnr) ? NAN : stored->sqnr);
  json_number(row, "largest_error", stored->largest_error);
  if (of->test->labels) json_number(row, "accuracy", metrics->accuracy);
  json_number(row, "loss", metrics->loss);
}

static rung_status compare(const comparing *of, const rung_storage *storage) {
  rung_stored stored;
  rung_metrics metrics;
  rung_status status = rung_model_store(of->model, storage, &stored);
  if (status == RUNG_OK) status = rung_evaluate(of->model, of->test, &metrics);
  restore_weights(of);
  if (status == RUNG_OK) tell_row(of, storage, &stored, &metrics);
  return status;
}

/* Integers, unless asked for otherwise, per channel and in groups. */
static rung_status compare_all(const comparing *of) {
  const session *asked = of->asked;
  const bool both = !GIVEN(asked, GRANULARITY);
  rung_status status = RUNG_OK;
  tell_head(of);
  for (int format = 0; format < RUNG_STORAGE_FORMAT_COUNT && status == RUNG_OK; format++) {
    rung_storage storage = {.format = (rung_storage_format)format,
                            .granularity = (rung_granularity)WHOLE_OF(asked, GRANULARITY),
                            .group = WHOLE_OF(asked, GROUP)};
    status = compare(of, &storage);
    if (status != RUNG_OK || !both || format < RUNG_STORAGE_INT8) continue;
    storage.granularity = RUNG_PER_GROUP;
    status = compare(of, &storage);
  }
  return status;
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

static rung_status open_model(comparing *of, const rung_dataset *test) {
  session *asked = of->asked;
  of->test = test;
  of->model = file_open_model(asked, asked->positional[0]);
  if (!of->model) return rung_error_status();
  rung_status status = rung_model_use(of->model, RUNG_FORM_FLOAT);
  if (status == RUNG_OK && !rung_model_bind(of->model, test)) status = rung_error_status();
  if (status == RUNG_OK) status = save_weights(of);
  return status;
}

static ending run(session *asked) {
  rung_dataset *owner = NULL, *test = NULL;
  comparing of = {.asked = asked};
  rung_status status = RUNG_OK;
  if (GIVEN(asked, GRANULARITY)) status = network_check_goes_with(asked, OPTION_GROUP, OPTION_GRANULARITY, "group");
  if (status == RUNG_OK) status = network_check_group(asked);
  if (status == RUNG_OK && !(test = data_load_test(asked, &owner))) status = rung_error_status();
  if (status == RUNG_OK) status = open_model(&of, test);
  of.list = json_list(asked->report.object, "formats");
  if (status == RUNG_OK) {
    data_tell_classes(asked, test);
    json_whole(asked->report.object, "examples", test->count);
    status = compare_all(&of);
  }
  rung_release(of.weights);
  rung_model_free(of.model);
  rung_dataset_free(test);
  rung_dataset_free(owner);
  return status == RUNG_OK ? ENDS_WELL : ENDS_BADLY;
}

const command formats_command = {
    .name = "formats",
    .summary = "compares the formats that a model's weights can be stored in: size, error, accuracy",
    .about =
        "Every format in turn: the weights of the linear layers are encoded and decoded again, and the network, whose "
        "activations stay f32, is run on the data. Bytes are those of codes and scales, bits a weight among them. "
        "FP8 and integers have a scale per channel, integers in a second row one per group; --granularity says "
        "otherwise. A quantized model is compared by the FP32 weights behind it.",
    .positionals = {{.name = "MODEL", .kind = KIND_INPUT, .help = "a model that rung train or rung import wrote"}},
    .required = {HAS(DATA)},
    .taken = {DATA_OPTIONS, HAS(EXAMPLES), HAS(GRANULARITY), HAS(GROUP), WORK_OPTIONS},
    .examples = {{"formats digits.safetensors --data mnist", NULL},
                 {"formats digits.safetensors --data mnist --granularity tensor --json", "one scale a weight"}},
    .run = run};
