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
  fail_each_allocation(&(scenario){"record", prepare_threads, record, NULL}, 0, 1 + _i);
  fail_each_allocation(&(scenario){"model_from_text", prepare_threads, record_text, NULL}, 0, 1 + _i);
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
  fail_each_allocation(&(scenario){"model_text", prepare_text, tell_text, network_finish}, 0, 1);
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
    fail_each_allocation(&(scenario){"fit", prepare_float, fit, network_finish}, variant, 1 + _i);
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
    fail_each_allocation(&(scenario){"calibrate", prepare_float, calibrate, network_finish}, variant, 1 + _i);
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
    fail_each_allocation(&(scenario){"fit quantized", prepare_quantized, fit_quantized, network_finish}, variant,
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

/* ---- Saving ----------------------------------------------------------------------------------------------------- */

static rung_status save(void *state, uint64_t *result) {
  (void)result;
  return rung_model_save(((network *)state)->model, scratch_path(SCENARIO_FILE));
}

START_TEST(saving) {
  network *net = network_prepare(0, 1);
  bool unsupported = rung_model_save(net->model, scratch_path("t.safetensors")) == RUNG_ERROR_UNSUPPORTED;
  network_finish(net);
  if (unsupported) test_skip("no cJSON");
  fail_each_allocation(&(scenario){"model_save", prepare_float, save, network_finish}, 0, 1);
  fail_each_allocation(&(scenario){"model_save quantized", prepare_quantized, save, network_finish}, 0, 1);
}
END_TEST

/* ---- Loading ---------------------------------------------------------------------------------------------------- */

static int load_threads;

/* A checkpoint within a fit, beside what the scenario may leave. */
static const char *checkpoint_of(int variant) {
  network *net = network_calibrated(variant, 1, &schemes[variant]);
  const char *path = scratch_path("before/checkpoint.safetensors");
  rung_status status =
      rung_fit(net->model, net->data, &(rung_fit_options){.epochs = 2, .rate = 1e-3f, .checkpoint = path});
  network_finish(net);
  if (status == RUNG_ERROR_UNSUPPORTED) test_skip("no cJSON");
  ck_assert_msg(status == RUNG_OK, "%s", rung_error());
  return path;
}

static void *prepare_load(int variant, int threads) {
  (void)variant;
  load_threads = threads;
  return &load_threads;
}

static rung_status load(void *state, uint64_t *result) {
  (void)state;
  const rung_model_options options = {.threads = load_threads};
  return take_model(rung_model_load(scratch_path("before/checkpoint.safetensors"), &options), result);
}

static rung_status resume(void *state, uint64_t *result) {
  network *net = state;
  const char *path = scratch_path("before/checkpoint.safetensors");
  rung_status status = rung_fit(net->model, net->data, &(rung_fit_options){.epochs = 2, .rate = 1e-3f, .resume = path});
  if (status == RUNG_OK) *result = rung_model_hash(net->model);
  return status;
}

START_TEST(loading) {
  checkpoint_of(_i ? 3 : 0); /* without and with histograms */
  fail_each_allocation(&(scenario){"model_load", prepare_load, load, NULL}, 0, 1);
  fail_each_allocation(&(scenario){"fit resumed", prepare_float, resume, network_finish}, 0, 1);
}
END_TEST

TEST_MAIN(CASES(recording, 2), CASE(text), CASES(fitting, 2), CASES(calibrating, 2), CASES(quantized_fitting, 2),
          CASES(evaluating, 2), CASE(saving), CASES(loading, 2))
