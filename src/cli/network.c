#include "network.h"

#include "pruning.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

rung_model_options network_options(const session *asked) {
  return (rung_model_options){.batch = WHOLE_OF(asked, BATCH), /* 0 where none is given */
                              .threads = (int)WHOLE_OF(asked, THREADS),
                              .seed = (uint64_t)WHOLE_OF(asked, SEED)};
}

static rung_shape example_shape(const rung_dataset *data) {
  rung_shape shape = {.rank = data->inputs.shape.rank - 1};
  for (int i = 0; i < shape.rank; i++) shape.extent[i] = data->inputs.shape.extent[i + 1];
  return shape;
}

rung_model *network_record(const session *asked, const rung_dataset *data) {
  const rung_model_options model_options = network_options(asked);
  rung_model *model = rung_model_new(&model_options);
  if (!model) return NULL;
  const char *loss = TEXT_OF(asked, LOSS);
  if (!loss) loss = data->labels ? "cross-entropy" : "squared-error";
  rung_node *x = rung_input(model, "input", example_shape(data));
  rung_loss_text(rung_record_text(x, TEXT_OF(asked, MODEL)), loss);
  const char *weights = TEXT_OF(asked, WEIGHTS);
  rung_status status = rung_model_status(model);
  if (status == RUNG_OK && weights) status = rung_model_load_weights(model, weights);
  if (status == RUNG_OK) return model;
  rung_model_free(model);
  return NULL;
}

rung_status network_check_goes_with(const session *asked, option_id id, option_id with, const char *name) {
  const value *other = &asked->option[with];
  if (!asked->option[id].given || (other->text && strcmp(other->text, name) == 0)) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "--%s: goes with --%s %s only", options[id].name, options[with].name, name);
}

rung_status network_check_group(const session *asked) {
  if (WHOLE_OF(asked, GROUP) % 4 == 0) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "--group %s: expected a multiple of 4", TEXT_OF(asked, GROUP));
}

/* In a storage format the weights have no integers, and all else is in f32. */
static rung_status read_storage(const session *asked, rung_scheme *scheme) {
  static const option_id of_integers[] = {
      OPTION_BITS,          OPTION_INPUT_BITS,        OPTION_METHOD,    OPTION_LAYER,           OPTION_SIZE_LIMIT,
      OPTION_WEIGHT_METHOD, OPTION_OBSERVER,          OPTION_CALIBRATE, OPTION_RANGES,          OPTION_SIGNED,
      OPTION_SYMMETRIC,     OPTION_ACTIVATION_METHOD, OPTION_BACKWARD,  OPTION_ACCUMULATOR_BITS};
  if (!GIVEN(asked, STORAGE)) return RUNG_OK;
  for (size_t i = 0; i < sizeof of_integers / sizeof *of_integers; i++)
    if (asked->option[of_integers[i]].given)
      return rung_fail(RUNG_ERROR_ARGUMENT, "--%s and --storage: expected one of them", options[of_integers[i]].name);
  rung_status status = rung_storage_parse(TEXT_OF(asked, STORAGE), &scheme->weight_storage);
  if (status == RUNG_OK && GIVEN(asked, GRANULARITY) && !rung_storage_takes_granularity(scheme->weight_storage))
    return rung_fail(RUNG_ERROR_ARGUMENT, "--granularity: --storage %s takes none", TEXT_OF(asked, STORAGE));
  return status;
}

rung_status network_scheme(const session *asked, rung_scheme *scheme) {
  const bool symmetric = GIVEN(asked, SYMMETRIC);
  rung_status status = network_check_goes_with(asked, OPTION_GROUP, OPTION_GRANULARITY, "group");
  if (status == RUNG_OK) status = network_check_group(asked);
  if (status == RUNG_OK) status = network_check_goes_with(asked, OPTION_PERCENTILE, OPTION_OBSERVER, "percentile");
  if (status == RUNG_OK) status = network_check_goes_with(asked, OPTION_CLIP_DECAY, OPTION_ACTIVATION_METHOD, "pact");
  if (status != RUNG_OK) return status;
  *scheme = (rung_scheme){.weight_granularity = (rung_granularity)WHOLE_OF(asked, GRANULARITY),
                          .activation_signed = symmetric || GIVEN(asked, SIGNED),
                          .activation_symmetric = symmetric,
                          .ranges = (rung_ranges)WHOLE_OF(asked, RANGES),
                          .backward = (rung_backward)WHOLE_OF(asked, BACKWARD),
                          .weights = (rung_weight_method)WHOLE_OF(asked, WEIGHT_METHOD),
                          .activations = (rung_activation_method)WHOLE_OF(asked, ACTIVATION_METHOD),
                          .clip_decay = REAL_OF(asked, CLIP_DECAY),
                          .batch_norm = (rung_batch_norm_mode)WHOLE_OF(asked, BATCH_NORM)};
  if (GIVEN(asked, ACCUMULATOR_BITS)) scheme->accumulator_bits = (int)WHOLE_OF(asked, ACCUMULATOR_BITS);
  if (GIVEN(asked, INPUT_BITS)) scheme->input_bits = (int)WHOLE_OF(asked, INPUT_BITS);
  if (scheme->weight_granularity == RUNG_PER_GROUP) scheme->weight_group = WHOLE_OF(asked, GROUP);
  if (GIVEN(asked, OBSERVER)) scheme->observer.kind = (rung_observer_kind)(WHOLE_OF(asked, OBSERVER) + 1);
  if (scheme->observer.kind == RUNG_OBSERVER_PERCENTILE) scheme->observer.percentile = REAL_OF(asked, PERCENTILE);
  if (rung_scheme_parse_bits(TEXT_OF(asked, BITS), scheme) != RUNG_OK)
    return rung_fail(RUNG_ERROR_ARGUMENT, "--%s", rung_error());
  status = read_storage(asked, scheme);
  return status == RUNG_OK ? rung_scheme_check(scheme) : status;
}

const char *network_bits(const rung_model *model, char text[8]) {
  const rung_scheme *scheme = rung_model_quantization(model) ? rung_model_scheme(model) : NULL;
  if (scheme && scheme->weight_storage != RUNG_STORAGE_F32)
    snprintf(text, 8, "%s", rung_storage_name(scheme->weight_storage));
  else if (scheme && scheme->layer_count > 0)
    snprintf(text, 8, "mixed");
  else if (scheme)
    snprintf(text, 8, "w%da%d", rung_scheme_weight_format(scheme).bits & 15,
             rung_scheme_activation_format(scheme).bits & 15);
  else
    snprintf(text, 8, "fp32");
  return text;
}

int64_t network_parameters(const rung_model *model) {
  int64_t all = 0, count;
  for (int i = 0; i < rung_model_parameter_count(model); i++) {
    const rung_parameter parameter = rung_model_parameter(model, i);
    if (rung_shape_count(&parameter.shape, &count) == RUNG_OK) all += count;
  }
  return all;
}

rung_status network_test(session *asked, rung_model *model, const rung_dataset *test, const char *key,
                         double *percent) {
  rung_metrics metrics;
  char bits[8];
  *percent = NAN;
  rung_status status = rung_evaluate(model, test, &metrics);
  if (status != RUNG_OK) return status;
  if (test->labels) *percent = 100 * metrics.accuracy;
  network_bits(model, bits);
  if (test->labels)
    report_say(&asked->report, "%s test: %.2f %% of %" PRId64 " examples, loss %.4f\n", bits, *percent,
               metrics.examples, metrics.loss);
  else
    report_say(&asked->report, "%s test: loss %.6g over %" PRId64 " examples\n", bits, metrics.loss, metrics.examples);
  json *object = json_object(asked->report.object, key);
  if (test->labels) json_number(object, "accuracy", metrics.accuracy);
  json_number(object, "loss", metrics.loss);
  json_whole(object, "examples", metrics.examples);
  return RUNG_OK;
}

rung_status network_check_accuracy(const session *asked, const rung_dataset *data) {
  if (!GIVEN(asked, REQUIRE_ACCURACY) || data->labels) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "--require-accuracy: %s is a regression, which has no accuracy", data->name);
}

ending network_judge(session *asked, double percent) {
  if (!GIVEN(asked, REQUIRE_ACCURACY)) return ENDS_WELL;
  double wanted = asked->option[OPTION_REQUIRE_ACCURACY].number;
  bool reached = percent >= wanted; /* false for NaN: nothing was tested */
  json_truth(asked->report.object, "accuracy_reached", reached);
  if (reached) return ENDS_WELL;
  if (isnan(percent))
    report_say(&asked->report, "--require-accuracy %g: nothing was tested\n", wanted);
  else
    report_say(&asked->report, "--require-accuracy %g: only %.2f %% are right\n", wanted, percent);
  return FALLS_SHORT;
}

rung_program *network_freeze(session *asked, rung_model *model) {
  rung_program *program = rung_freeze(model);
  if (program) return program;
  report_note(&asked->report, "no integer program: %s\n", report_reason());
  json_text(asked->report.object, "not_frozen", report_reason());
  return NULL;
}

void network_tell(session *asked, const rung_model *model) {
  char bits[8];
  uint64_t hash = rung_model_hash(model);
  json *object = asked->report.object;
  report_say(&asked->report, "weights %016" PRIx64 "\n", hash);
  pruning_tell(asked, model);
  json_text(object, "bits", network_bits(model, bits));
  json_whole(object, "parameters", network_parameters(model));
  json_hash(object, "weights_hash", hash);
}
