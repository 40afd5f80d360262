#include "network.h"

/* ---- Recording -------------------------------------------------------------------------------------------------- */

static int record_threads;

static void *prepare_threads(int variant, int threads) {
  (void)variant;
  record_threads = threads;
  return &record_threads;
}

static rung_status take_model(rung_model *model, uint64_t *result) {
  rung_status status = model != NULL ? rung_model_status(model) : rung_error_status();
  if (status == RUNG_OK) *result = rung_model_hash(model);
  rung_model_free(model);
  return status;
}

static rung_status record(void *state, uint64_t *result) {
  (void)state;
  return take_model(network_new(record_threads), result);
}

static rung_status record_text(void *state, uint64_t *result) {
  (void)state;
  static const char text[] = "input 8 as x; linear 6 as a, batch-norm, relu, dropout 0.2, linear 3; cross-entropy";
  const rung_model_options options = {.batch = BATCH, .threads = record_threads, .seed = 3};
  return take_model(rung_model_from_text(text, &options), result);
}

START_TEST(recording) {
  fail_each_allocation(&(scenario){"record", prepare_threads, record, NULL, false}, 0, 1 + _i);
  fail_each_allocation(&(scenario){"model_from_text", prepare_threads, record_text, NULL, false}, 0, 1 + _i);
}
END_TEST

static void *prepare_text(int variant, int threads) {
  return network_prepare(variant, threads);
}

static rung_status tell_text(void *state, uint64_t *result) {
  char *text = rung_model_text(((network *)state)->model);
  if (text == NULL) return rung_error_status();
  *result = hash_bytes(*result, text, strlen(text));
  rung_release(text);
  return RUNG_OK;
}

START_TEST(text) {
  fail_each_allocation(&(scenario){"model_text", prepare_text, tell_text, network_finish, false}, 0, 1);
}
END_TEST

/* ---- Fitting ---------------------------------------------------------------------------------------------------- */

static const rung_scheme schemes[] = {
    {0},
    {.weight_bits = 4, .activation_bits = 4, .weight_granularity = RUNG_PER_GROUP, .weight_group = 4},
    {.observer = {.kind = RUNG_OBSERVER_PERCENTILE}},
    {.observer = {.kind = RUNG_OBSERVER_MSE}},
    {.observer = {.kind = RUNG_OBSERVER_ENTROPY}},
    {.backward = RUNG_BACKWARD_BF16},
    {.backward = RUNG_BACKWARD_INT8},
    {.observer = {.kind = RUNG_OBSERVER_MIN_MAX}},
};
#define SCHEMES ((int)(sizeof schemes / sizeof *schemes))

static void *prepare_float(int variant, int threads) {
  return network_prepare(variant, threads);
}

static rung_status fit(void *state, uint64_t *result) {
  network *net = state;
  const rung_fit_options options = {.epochs = 2,
                                    .optimizer = (rung_optimizer_kind)(net->variant % RUNG_OPTIMIZER_KIND_COUNT),
                                    .momentum = 0.9f,
                                    .clip_norm = net->variant >= RUNG_OPTIMIZER_KIND_COUNT ? 1.0f : 0.0f,
                                    .validation = net->data};
  rung_status status = rung_fit(net->model, net->data, &options);
  if (status == RUNG_OK) *result = rung_model_hash(net->model);
  return status;
}

START_TEST(fitting) {
  for (int variant = 0; variant < 2 * RUNG_OPTIMIZER_KIND_COUNT; variant++)
    fail_each_allocation(&(scenario){"fit", prepare_float, fit, network_finish, false}, variant, 1 + _i);
}
END_TEST

static rung_status evaluate(void *state, uint64_t *result) {
  network *net = state;
  rung_metrics metrics = {0};
  rung_status status = rung_evaluate(net->model, net->data, &metrics);
  *result = hash_bytes(*result, &metrics.loss, sizeof metrics.loss);
  return status;
}

/* ---- Quantizing ------------------------------------------------------------------------------------------------- */

static rung_status calibrate(void *state, uint64_t *result) {
  network *net = state;
  rung_status status = rung_quantize(net->model, &schemes[net->variant]);
  if (status == RUNG_OK) status = rung_calibrate(net->model, net->data, 0);
  if (status != RUNG_OK) return status;
  failing_end(); /* the hash is ours */
  *result = network_hash(net);
  return RUNG_OK;
}

START_TEST(calibrating) {
  for (int variant = 0; variant < SCHEMES; variant++)
    fail_each_allocation(&(scenario){"calibrate", prepare_float, calibrate, network_finish, false}, variant, 1 + _i);
}
END_TEST

/* Every method: rounding ones put all back where they fail; a transform may have got somewhere. */
static rung_status round_to_integers(void *state, uint64_t *result) {
  network *net = state;
  const rung_ptq_options options = {.methods = UINT32_C(1) << net->variant, .adaround.steps = 20};
  rung_status status = rung_quantize(net->model, &(rung_scheme){.weight_bits = 4});
  if (status == RUNG_OK) status = rung_ptq(net->model, net->data, 0, &options);
  if (status != RUNG_OK) return status;
  failing_end();
  *result = network_hash(net);
  return RUNG_OK;
}

START_TEST(rounding) {
  for (int method = 0; method < RUNG_PTQ_METHOD_COUNT; method++) {
    const bool transforms = rung_ptq_method_phase((rung_ptq_method)method) == RUNG_PTQ_TRANSFORM;
    fail_each_allocation(&(scenario){"ptq", prepare_float, round_to_integers, network_finish, transforms}, method, 1);
  }
}
END_TEST

static rung_status choose_bits(void *state, uint64_t *result) {
  network *net = state;
  const rung_mixed_options options = {.least_bits = 3, .most_bits = 5};
  rung_status status = rung_quantize(net->model, &(rung_scheme){0});
  if (status == RUNG_OK) status = rung_mixed_precision(net->model, net->data, 1000, &options);
  if (status != RUNG_OK) return status;
  failing_end();
  const rung_scheme *scheme = rung_model_scheme(net->model);
  for (int i = 0; i < scheme->layer_count; i++)
    *result = hash_bytes(*result, &scheme->layers[i].weight_bits, sizeof(int));
  *result = hash_bytes(*result, &scheme->layer_count, sizeof(int));
  return RUNG_OK;
}

START_TEST(choosing_bits) {
  fail_each_allocation(&(scenario){"choose bits", prepare_float, choose_bits, network_finish, false}, 0, 1);
}
END_TEST

static void *prepare_quantized(int variant, int threads) {
  return network_calibrated(variant, threads, &schemes[variant]);
}

static rung_status fit_quantized(void *state, uint64_t *result) {
  network *net = state;
  rung_status status = rung_fit(net->model, net->data, &(rung_fit_options){.epochs = 2, .rate = 1e-3f});
  if (status == RUNG_OK) *result = rung_model_hash(net->model);
  return status;
}

START_TEST(quantized_fitting) {
  for (int variant = 0; variant < SCHEMES; variant++)
    fail_each_allocation(&(scenario){"fit quantized", prepare_quantized, fit_quantized, network_finish, false}, variant,
                         1 + _i);
}
END_TEST

/* Once a form has been evaluated, doing it again allocates nothing, so nothing can fail. */
START_TEST(evaluating) {
  network *net = network_calibrated(0, 1 + _i, &schemes[0]);
  for (int form = RUNG_FORM_FLOAT; form <= RUNG_FORM_SIMULATED; form++) {
    uint64_t result = 0;
    ck_assert_int_eq(rung_model_use(net->model, (rung_form)form), RUNG_OK);
    ck_assert_int_eq(evaluate(net, &result), RUNG_OK);
    failing_begin(0);
    rung_status status = evaluate(net, &result);
    long allocations = failing_end();
    ck_assert_int_eq(status, RUNG_OK);
    ck_assert_int_eq(allocations, 0);
  }
  network_finish(net);
}
END_TEST

static rung_status analyze(void *state, uint64_t *result) {
  network *net = state;
  rung_analysis *analysis = rung_analyze(net->model, net->data, 0);
  if (!analysis) return rung_error_status();
  for (int i = 0; i < rung_analysis_layers(analysis); i++) {
    const rung_layer_analysis *layer = rung_analysis_layer(analysis, i);
    *result = hash_bytes(*result, &layer->sqnr, sizeof layer->sqnr);
  }
  rung_analysis_free(analysis);
  return RUNG_OK;
}

START_TEST(analyzing) {
  fail_each_allocation(&(scenario){"analyze", prepare_quantized, analyze, network_finish, false}, 0, 1 + _i);
}
END_TEST

/* ---- Files ------------------------------------------------------------------------------------------------------ */

static rung_status save(void *state, uint64_t *result) {
  (void)result;
  return rung_model_save(((network *)state)->model, scratch_path(SCENARIO_FILE));
}

static rung_status save_weights(void *state, uint64_t *result) {
  (void)result;
  return rung_model_save_weights(((network *)state)->model, scratch_path(SCENARIO_FILE));
}

static char saved_path[1024];
static int saved_threads;

static void need_json(void) {
  network *net = network_prepare(0, 1);
  bool unsupported = rung_model_save(net->model, scratch_path("t.model")) == RUNG_ERROR_UNSUPPORTED;
  network_finish(net);
  if (unsupported) test_skip("no cJSON");
}

START_TEST(saving) {
  need_json();
  fail_each_allocation(&(scenario){"model_save", prepare_float, save, network_finish, false}, 0, 1);
  fail_each_allocation(&(scenario){"model_save quantized", prepare_quantized, save, network_finish, false}, 3, 1);
  fail_each_allocation(&(scenario){"model_save_weights", prepare_float, save_weights, network_finish, false}, 0, 1);
}
END_TEST

/* The file of a calibrated model, made once. */
static void make_saved(int variant) {
  network *net = network_calibrated(variant, 1, &schemes[variant]);
  snprintf(saved_path, sizeof saved_path, "%s", scratch_path("t.model"));
  ENSURE(rung_model_save(net->model, saved_path) == RUNG_OK);
  network_finish(net);
}

static rung_status load(void *state, uint64_t *result) {
  (void)state;
  return take_model(rung_model_load(saved_path, &(rung_model_options){.threads = saved_threads}), result);
}

static rung_status restore(void *state, uint64_t *result) {
  network *net = state;
  rung_status status = rung_model_restore(net->model, saved_path);
  if (status != RUNG_OK) return status;
  failing_end(); /* the hash is ours */
  *result = network_hash(net);
  return RUNG_OK;
}

static rung_status load_weights(void *state, uint64_t *result) {
  network *net = state;
  rung_status status = rung_model_load_weights(net->model, saved_path);
  if (status == RUNG_OK) *result = rung_model_hash(net->model);
  return status;
}

START_TEST(loading) {
  need_json();
  saved_threads = 1 + _i;
  for (int variant = 0; variant < SCHEMES - _i * (SCHEMES - 1); variant += 4) {
    make_saved(variant);
    fail_each_allocation(&(scenario){"model_load", NULL, load, NULL, false}, variant, 1 + _i);
    fail_each_allocation(&(scenario){"model_restore", prepare_float, restore, network_finish, false}, variant, 1 + _i);
  }
  fail_each_allocation(&(scenario){"model_load_weights", prepare_float, load_weights, network_finish, false}, 0,
                       1 + _i);
}
END_TEST

static rung_status fit_with_checkpoint(void *state, uint64_t *result) {
  network *net = state;
  (void)result;
  return rung_fit(net->model, net->data, &(rung_fit_options){.checkpoint = scratch_path(SCENARIO_FILE)});
}

static bool stop_at_once(void *context, const rung_progress *progress) {
  (void)context, (void)progress;
  return true;
}

/* The file of a fit that was stopped after its first step, made once. */
static void make_stopped(int variant) {
  network *net = variant == 0 ? network_prepare(variant, 1) : network_calibrated(0, 1, &schemes[0]);
  snprintf(saved_path, sizeof saved_path, "%s", scratch_path("t.model"));
  const rung_fit_options options = {.epochs = 2, .checkpoint = saved_path, .progress = stop_at_once};
  ENSURE(rung_fit(net->model, net->data, &options) == RUNG_OK);
  network_finish(net);
}

static rung_status resume(void *state, uint64_t *result) {
  network *net = state;
  rung_status status = rung_fit(net->model, net->data, &(rung_fit_options){.epochs = 2, .resume = saved_path});
  if (status == RUNG_OK) *result = rung_model_hash(net->model);
  return status;
}

START_TEST(resuming) {
  need_json();
  if (_i == 0)
    fail_each_allocation(&(scenario){"fit with checkpoint", prepare_float, fit_with_checkpoint, network_finish, true},
                         0, 1);
  for (int variant = 0; variant < 2; variant++) {
    make_stopped(variant);
    fail_each_allocation(&(scenario){"resume", prepare_float, resume, network_finish, false}, variant, 1 + _i);
  }
}
END_TEST

TEST_MAIN(CASES(recording, 2), CASE(text), CASES(fitting, 2), CASES(calibrating, 2), CASE(rounding),
          CASE(choosing_bits), CASES(quantized_fitting, 2), CASES(evaluating, 2), CASES(analyzing, 2), CASE(saving),
          CASES(loading, 2), CASES(resuming, 2))
