#include "network.h"

static void *prepare_calibrated(int variant, int threads) {
  static const rung_scheme schemes[] = {
      {0}, {.weight_bits = 4, .activation_bits = 4, .weight_granularity = RUNG_PER_GROUP, .weight_group = 4}};
  return network_calibrated(variant, threads, &schemes[variant % 2]);
}

static void *prepare_program(int variant, int threads) {
  network *net = prepare_calibrated(variant, threads);
  net->program = rung_freeze(net->model);
  ENSURE(net->program != NULL);
  return net;
}

/* ---- Freezing and running --------------------------------------------------------------------------------------- */

static rung_status run_program(const network *net, const rung_program *program, uint64_t *result) {
  uint8_t input[EXAMPLES * INPUTS];
  int32_t logits[EXAMPLES * CLASSES];
  rung_status status = rung_program_quantize(program, net->data->inputs.data, input, EXAMPLES);
  if (status == RUNG_OK) status = rung_run(program, input, logits, EXAMPLES);
  if (status == RUNG_OK) *result = hash_bytes(*result, logits, sizeof logits);
  return status;
}

static rung_status freeze(void *state, uint64_t *result) {
  network *net = state;
  rung_program *program = rung_freeze(net->model);
  if (program == NULL) return rung_error_status();
  rung_status status = run_program(net, program, result);
  rung_program_free(program);
  return status;
}

static rung_status evaluate(void *state, uint64_t *result) {
  network *net = state;
  rung_metrics metrics = {0};
  rung_status status = rung_program_evaluate(net->program, net->data, &metrics);
  *result = hash_bytes(*result, &metrics.accuracy, sizeof metrics.accuracy);
  return status;
}

static rung_status compare(void *state, uint64_t *result) {
  network *net = state;
  rung_agreement agreement = {0};
  rung_status status = rung_program_compare(net->program, net->model, net->data, &agreement);
  *result = hash_bytes(*result, &agreement, sizeof agreement);
  return status;
}

START_TEST(freezing) {
  for (int variant = 0; variant < 2; variant++)
    fail_each_allocation(&(scenario){"freeze and run", prepare_calibrated, freeze, network_finish, false}, variant,
                         1 + _i);
}
END_TEST

START_TEST(comparing) {
  for (int variant = 0; variant < 2; variant++) {
    fail_each_allocation(&(scenario){"program_evaluate", prepare_program, evaluate, network_finish, false}, variant,
                         1 + _i);
    fail_each_allocation(&(scenario){"program_compare", prepare_program, compare, network_finish, false}, variant,
                         1 + _i);
  }
}
END_TEST

/* ---- Verifying -------------------------------------------------------------------------------------------------- */

static rung_status verify(void *state, uint64_t *result) {
  network *net = state;
  const unsigned inside = 1u << RUNG_EXECUTION_FLOAT | 1u << RUNG_EXECUTION_SIMULATED |
                          1u << RUNG_EXECUTION_EVALUATION | 1u << RUNG_EXECUTION_TRAINING |
                          1u << RUNG_EXECUTION_PROGRAM;
  rung_verification *made = rung_verify(net->model, net->data, &(rung_verify_options){.executions = inside});
  if (made == NULL) return rung_error_status();
  char *text = rung_verification_text(made), *json = text != NULL ? rung_verification_json(made) : NULL;
  rung_status status = json != NULL ? RUNG_OK : rung_error_status();
  if (json != NULL) *result = hash_bytes(hash_bytes(*result, text, strlen(text)), json, strlen(json));
  rung_release(text);
  rung_release(json);
  rung_verification_free(made);
  return status;
}

START_TEST(verifying) {
  fail_each_allocation(&(scenario){"verify", prepare_calibrated, verify, network_finish, false}, 0, 1 + _i);
}
END_TEST

/* ---- Exporting -------------------------------------------------------------------------------------------------- */

static rung_status emit(void *state, uint64_t *result) {
  (void)result;
  network *net = state;
  const rung_emit_options options = {.with_test = true, .bits_packed = net->variant == 1};
  return rung_emit_c(net->program, "digits", scratch_path(SCENARIO_FOLDER), &options);
}

START_TEST(emitting) {
  for (int variant = 0; variant < 2; variant++)
    fail_each_allocation(&(scenario){"emit_c", prepare_program, emit, network_finish, false}, variant, 1);
}
END_TEST

static rung_status save(void *state, uint64_t *result) {
  (void)result;
  return rung_program_save(((network *)state)->program, scratch_path(SCENARIO_FILE));
}

static char program_path[1024];

static void *prepare_saved(int variant, int threads) {
  network *net = prepare_program(variant, threads);
  snprintf(program_path, sizeof program_path, "%s", scratch_path("t.program"));
  ENSURE(rung_program_save(net->program, program_path) == RUNG_OK);
  return net;
}

static rung_status load(void *state, uint64_t *result) {
  rung_program *program = rung_program_load(program_path);
  if (program == NULL) return rung_error_status();
  rung_status status = run_program(state, program, result);
  rung_program_free(program);
  return status;
}

START_TEST(saving) {
  network *net = prepare_program(0, 1);
  bool unsupported = rung_program_save(net->program, scratch_path("t.program")) == RUNG_ERROR_UNSUPPORTED;
  network_finish(net);
  if (unsupported) test_skip("no cJSON");
  for (int variant = 0; variant < 2; variant++) {
    fail_each_allocation(&(scenario){"program_save", prepare_program, save, network_finish, false}, variant, 1);
    fail_each_allocation(&(scenario){"program_load and run", prepare_saved, load, network_finish, false}, variant, 1);
  }
}
END_TEST

static rung_status export_program(void *state, uint64_t *result) {
  (void)result;
  return rung_program_export_onnx(((network *)state)->program, scratch_path(SCENARIO_FILE), NULL);
}

static rung_status export_model(void *state, uint64_t *result) {
  (void)result;
  return rung_model_export_onnx(((network *)state)->model, scratch_path(SCENARIO_FILE));
}

static char onnx_path[1024];
static bool onnx_missing;

static void *prepare_import(int variant, int threads) {
  network *net = prepare_program(0, threads);
  net->variant = threads;
  snprintf(onnx_path, sizeof onnx_path, "%s", scratch_path("t.onnx"));
  rung_status status = variant == 0 ? rung_model_export_onnx(net->model, onnx_path)
                                    : rung_program_export_onnx(net->program, onnx_path, NULL);
  onnx_missing = status == RUNG_ERROR_UNSUPPORTED;
  ENSURE(status == RUNG_OK || onnx_missing);
  return net;
}

static rung_status import(void *state, uint64_t *result) {
  network *net = state;
  const rung_model_options options = {.batch = BATCH, .threads = net->variant, .seed = 1};
  rung_model *model = rung_model_import_onnx(onnx_path, &options);
  if (model == NULL) return rung_error_status();
  *result = rung_model_hash(model);
  rung_model_free(model);
  return RUNG_OK;
}

static void need_onnx(void) {
  network_finish(prepare_import(0, 1));
  if (onnx_missing) test_skip("no ONNX");
}

START_TEST(exporting_onnx) {
  need_onnx();
  fail_each_allocation(&(scenario){"program_export_onnx", prepare_program, export_program, network_finish, false}, 0,
                       1);
  fail_each_allocation(&(scenario){"model_export_onnx", prepare_program, export_model, network_finish, false}, 0, 1);
}
END_TEST

START_TEST(importing_onnx) {
  need_onnx();
  for (int variant = 0; variant < 2; variant++)
    fail_each_allocation(&(scenario){"model_import_onnx", prepare_import, import, network_finish, false}, variant,
                         1 + _i);
}
END_TEST

TEST_MAIN(CASES(freezing, 2), CASES(comparing, 2), CASES(verifying, 2), CASE(emitting), CASE(saving),
          CASE(exporting_onnx), CASES(importing_onnx, 2))
