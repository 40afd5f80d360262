/* The promise: the program computes what the model's evaluation computes, 0 differ; and that a difference is seen. */
#include "deploy_model.h"

static const rung_scheme schemes[] = {
    {0},
    {.weight_bits = 4, .activation_bits = 4},
    {.weight_bits = 2, .activation_bits = 2},
    {.weight_bits = 1},
    {.weight_bits = 3, .activation_bits = 7, .weight_granularity = RUNG_PER_TENSOR},
    {.weight_bits = 4, .weight_granularity = RUNG_PER_GROUP, .weight_group = 16},
    {.weight_bits = 8, .weight_granularity = RUNG_PER_GROUP, .weight_group = 32, .activation_signed = true},
    {.activation_signed = true},
    {.activation_bits = 5, .activation_signed = true, .activation_symmetric = true},
    {.ranges = RUNG_RANGES_CURRENT},
    {.weight_bits = 1, .activation_bits = 3, .ranges = RUNG_RANGES_CURRENT, .weight_granularity = RUNG_PER_TENSOR},
    {.observer = {.kind = RUNG_OBSERVER_MIN_MAX}},
    {.observer = {.kind = RUNG_OBSERVER_PERCENTILE}},
    {.observer = {.kind = RUNG_OBSERVER_ENTROPY}},
    {.backward = RUNG_BACKWARD_BF16},
    {.backward = RUNG_BACKWARD_INT8},
    {.weight_bits = 4, .weight_granularity = RUNG_PER_GROUP, .weight_group = 16, .backward = RUNG_BACKWARD_INT8},
    {.weight_bits = 1, .weight_granularity = RUNG_PER_TENSOR, .backward = RUNG_BACKWARD_INT8},
};

static int64_t hidden_values(network kind) {
  return kind == NETWORK_ONE_LAYER ? 0 : kind == NETWORK_DEEP ? HIDDEN + 70 + 9 : HIDDEN;
}

/* 0 differ, and nothing was left out. */
static rung_agreement expect_agreement(rung_model *model, network kind, const rung_dataset *data) {
  rung_agreement agreement;
  rung_program *program = freeze(model);
  expect_ok(rung_program_compare(program, model, data, &agreement));
  ck_assert_int_eq(agreement.activations, data->count * hidden_values(kind));
  ck_assert_int_eq(agreement.logits, data->count * 10);
  ck_assert_int_eq(agreement.differ_evaluation, 0);
  rung_program_free(program);
  return agreement;
}

/* Every scheme on every network: calibrated, trained, trained in simulation; on batches of 64, the last one short. */
START_TEST(nothing_differs) {
  const rung_scheme *scheme = &schemes[_i % LENGTH(schemes)];
  const network kind = (network)(_i / LENGTH(schemes));
  const bool fine = (scheme->weight_bits == 0 || scheme->weight_bits == 8) && scheme->activation_bits == 0;
  pictures data = pictures_load(160, 100);
  rung_model *model = calibrated(kind, data.train, scheme);
  for (int round = 0; round < 3; round++) {
    rung_agreement agreement = expect_agreement(model, kind, data.test);
    if (fine) ck_assert_int_le(agreement.largest_step, 1);
    expect_ok(rung_model_use(model, round == 0 ? RUNG_FORM_INTEGER : RUNG_FORM_SIMULATED));
    fit(model, data.train, 1, 1e-3f);
  }
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* ---- Differences are seen --------------------------------------------------------------------------------------- */

typedef struct collected {
  int8_t *activations; /* [examples, HIDDEN], as bytes */
  int64_t seen;
} collected;

static void collect(void *context, int index, rung_dtype type, const void *output, int64_t count, int64_t out) {
  (void)type;
  collected *into = context;
  if (index != 0) return;
  memcpy(into->activations + into->seen * out, output, (size_t)(count * out));
  into->seen += count;
}

static int8_t *activations_of(const rung_program *program, const rung_dataset *data) {
  collected into = {.activations = malloc((size_t)data->count * HIDDEN)};
  int32_t *logits = malloc((size_t)data->count * 10 * sizeof *logits);
  void *scratch = rung_allocate(rung_program_scratch(program, data->count));
  expect_ok(rung_program_trace(program, data->inputs.data, logits, data->count, scratch, collect, &into));
  rung_release(scratch);
  free(logits);
  return into.activations;
}

/* One weight of the program is another: exactly what it changes is counted. */
START_TEST(a_broken_weight_is_counted) {
  pictures data = pictures_load(300, 150);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &schemes[0]);
  rung_program *program = freeze(model);
  int8_t *good = activations_of(program, data.test);
  int32_t *good_logits = logits_of(program, data.test, data.test->count);
  program_layer *first = &program->layer[0];
  int8_t *weight = (int8_t *)(uintptr_t)first->instruction.integers.weight;
  for (int j = 0; j < HIDDEN; j++) weight[j * 784 + 14 * 28 + 14] ^= 0x40; /* the middle of the picture */
  rung_qgemm_pack(&first->product, weight, 0, HIDDEN);
  int8_t *bad = activations_of(program, data.test);
  int32_t *bad_logits = logits_of(program, data.test, data.test->count);
  int64_t differ = 0;
  for (int64_t i = 0; i < data.test->count * HIDDEN; i++) differ += good[i] != bad[i];
  for (int64_t i = 0; i < data.test->count * 10; i++) differ += good_logits[i] != bad_logits[i];
  ck_assert_int_gt(differ, 0);
  rung_agreement agreement;
  expect_ok(rung_program_compare(program, model, data.test, &agreement));
  ck_assert_int_eq(agreement.differ_evaluation, differ);
  ck_assert_int_gt(agreement.largest_step, 1);
  free(good);
  free(bad);
  free(good_logits);
  free(bad_logits);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* A bias of the last layer: one logit an example, no activation. */
START_TEST(a_broken_bias_is_counted) {
  pictures data = pictures_load(200, 150);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &schemes[0]);
  rung_program *program = freeze(model);
  rung_agreement good, agreement;
  expect_ok(rung_program_compare(program, model, data.test, &good));
  ((int32_t *)(uintptr_t)program->layer[1].product.bias)[3] += 1000;
  expect_ok(rung_program_compare(program, model, data.test, &agreement));
  ck_assert_int_eq(agreement.differ_evaluation, data.test->count);
  ck_assert_int_eq(agreement.differ_simulation, good.differ_simulation);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* What the float simulation differs by, counted apart. */
START_TEST(the_simulation_is_counted) {
  pictures data = pictures_load(300, BATCH);
  rung_model *model = calibrated((network)_i, data.train, &schemes[0]);
  fit(model, data.train, 1, 1e-3f);
  rung_program *program = freeze(model);
  int8_t *q = activations_of(program, data.test);
  expect_ok(rung_model_use(model, RUNG_FORM_SIMULATED));
  rung_metrics metrics;
  expect_ok(rung_evaluate(model, data.test, &metrics));
  const rung_quantizer *quantizer = rung_quantization_quantizer(rung_model_quantization(model), 0);
  const rung_node *node = rung_graph_find(rung_model_graph(model), quantizer->name);
  const float *x = rung_quantization_node(rung_model_quantization(model), RUNG_ARITHMETIC_SIMULATED, node)->value.data;
  int64_t differ = 0, largest = 0;
  for (int i = 0; i < BATCH * HIDDEN; i++) {
    double step = fabs(rint((double)x[i] / quantizer->scale) + quantizer->zero_point - (uint8_t)q[i]);
    differ += step > 0;
    largest = step > (double)largest ? (int64_t)step : largest;
  }
  rung_agreement agreement;
  expect_ok(rung_program_compare(program, model, data.test, &agreement));
  ck_assert_int_eq(agreement.differ_simulation, differ);
  ck_assert_int_eq(agreement.largest_step, largest);
  ck_assert_int_le(largest, 1);
  free(q);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

START_TEST(the_model_keeps_its_form) {
  pictures data = pictures_load(100, 100);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &schemes[0]);
  rung_program *program = freeze(model);
  rung_agreement agreement;
  expect_ok(rung_model_use(model, (rung_form)_i));
  expect_ok(rung_program_compare(program, model, data.test, &agreement));
  ck_assert_int_eq(rung_model_form(model), (rung_form)_i);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* A model that is no longer what was frozen is compared as it now is, or refused where it cannot be compared. */
START_TEST(a_model_that_moved_on) {
  pictures data = pictures_load(200, 100);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &schemes[0]);
  rung_program *program = freeze(model);
  rung_agreement agreement;
  fit(model, data.train, 1, 1e-3f);
  expect_ok(rung_program_compare(program, model, data.test, &agreement));
  ck_assert_int_gt(agreement.differ_evaluation, 0);
  calibrate(model, data.train, &schemes[0]); /* new graphs */
  expect_ok(rung_program_compare(program, model, data.test, &agreement));
  ck_assert_int_eq(agreement.activations, data.test->count * HIDDEN);
  ck_assert_int_gt(agreement.differ_evaluation, 0);
  calibrate(model, data.train, &(rung_scheme){.activation_signed = true});
  ck_assert_int_eq(rung_program_compare(program, model, data.test, &agreement), RUNG_ERROR_ARGUMENT);
  ck_assert_msg(strstr(rung_error(), "fc1.weight") != NULL, "%s", rung_error());
  rung_model_free(model);
  model = calibrated(NETWORK_DEEP, data.train, &schemes[0]);
  ck_assert_int_eq(rung_program_compare(program, model, data.test, &agreement), RUNG_ERROR_ARGUMENT);
  rung_model_free(model);
  model = network_new(NETWORK_RELU, 1);
  ck_assert_int_eq(rung_program_compare(program, model, data.test, &agreement), RUNG_ERROR_STATE);
  rung_model_free(model);
  rung_program_free(program);
  pictures_free(&data);
}
END_TEST

/* ---- Accuracy --------------------------------------------------------------------------------------------------- */

/* Two epochs on the sample: quantized to 8 bits after training, a point at most is lost; the program's accuracy is the
 * model's; its logits are the simulation's but for the rounding of a few activations. */
START_TEST(accuracy_survives) {
  pictures data = pictures_load(2000, 1000);
  rung_model *model = network_new(NETWORK_RELU, 1);
  fit(model, data.train, 2, 2e-3f);
  rung_metrics real, integer, simulated, program_metrics;
  expect_ok(rung_evaluate(model, data.test, &real));
  ck_assert_double_ge(real.accuracy, 0.75);
  calibrate(model, data.train, &schemes[0]);
  expect_ok(rung_evaluate(model, data.test, &integer));
  rung_program *program = freeze(model);
  expect_ok(rung_program_evaluate(program, data.test, &program_metrics));
  ck_assert(program_metrics.accuracy == integer.accuracy);
  ck_assert_int_eq(program_metrics.examples, 1000);
  ck_assert_double_le(fabs(real.accuracy - integer.accuracy), 0.01);
  expect_ok(rung_model_use(model, RUNG_FORM_SIMULATED));
  expect_ok(rung_evaluate(model, data.test, &simulated));
  ck_assert_double_le(fabs(simulated.accuracy - integer.accuracy), 0.005);
  ck_assert_double_le(fabs(simulated.loss - integer.loss), 1e-3 * simulated.loss);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

START_TEST(logits_are_the_simulations) {
  pictures data = pictures_load(300, BATCH);
  rung_model *model = calibrated((network)_i, data.train, &schemes[0]);
  rung_program *program = freeze(model);
  const float scale = rung_program_describe(program).logit_scale;
  int32_t *logits = logits_of(program, data.test, BATCH);
  expect_ok(rung_model_use(model, RUNG_FORM_SIMULATED));
  rung_metrics metrics;
  expect_ok(rung_evaluate(model, data.test, &metrics));
  rung_graph *graph = rung_quantization_graph(rung_model_quantization(model), RUNG_ARITHMETIC_SIMULATED);
  const float *x = rung_graph_node(graph, rung_graph_node_count(graph) - 1)->input[0]->value.data;
  double difference = 0, largest = 0;
  for (int i = 0; i < BATCH * 10; i++) {
    difference = fmax(difference, fabs((double)scale * logits[i] - x[i]));
    largest = fmax(largest, fabs((double)x[i]));
  }
  ck_assert_double_le(difference, 0.01 * largest);
  free(logits);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* Where logits tie the first counts: with weights of 0 all tie. */
START_TEST(the_first_of_equals_counts) {
  pictures data = pictures_load(100, 200);
  rung_model *model = network_new(NETWORK_RELU, 1);
  for (int p = 0; p < rung_model_parameter_count(model); p++) {
    const rung_parameter parameter = rung_model_parameter(model, p);
    int64_t count;
    expect_ok(rung_shape_count(&parameter.shape, &count));
    memset(parameter.value, 0, (size_t)count * sizeof(float));
  }
  calibrate(model, data.train, &schemes[0]);
  rung_program *program = freeze(model);
  int zeros = 0;
  for (int i = 0; i < 200; i++) zeros += data.test->labels[i] == 0;
  rung_metrics metrics, integer;
  expect_ok(rung_program_evaluate(program, data.test, &metrics));
  expect_ok(rung_evaluate(model, data.test, &integer));
  ck_assert(metrics.accuracy == zeros / 200.0 && integer.accuracy == metrics.accuracy);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* ---- Refusals --------------------------------------------------------------------------------------------------- */

START_TEST(data_that_does_not_fit_is_refused) {
  static float reals[4 * 784], targets[4 * 10];
  static uint8_t bytes[4 * 700];
  static const int32_t labels[4];
  const rung_tensor f32 = {.shape = RUNG_SHAPE(4, 784), .data = reals};
  const rung_tensor narrow = {.type = RUNG_U8, .shape = RUNG_SHAPE(4, 700), .data = bytes, .scale = 1};
  static uint8_t pixels[4 * 784];
  const rung_tensor coarse = {.type = RUNG_U8, .shape = RUNG_SHAPE(4, 784), .data = pixels, .scale = 0.5f};
  rung_tensor shifted = coarse;
  shifted.scale = 1.0f / 255.0f;
  shifted.zero_point = 9;
  const rung_tensor wanted = {.shape = RUNG_SHAPE(4, 10), .data = targets};
  pictures data = pictures_load(100, 4);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &schemes[0]);
  rung_program *program = freeze(model);
  const struct {
    rung_dataset *dataset;
    rung_status status;
    const char *says;
  } cases[] = {
      {rung_dataset_new("floats", &f32, labels, 10, NULL), RUNG_ERROR_ARGUMENT, "floats: inputs are f32"},
      {rung_dataset_new("narrow", &narrow, labels, 10, NULL), RUNG_ERROR_SHAPE, "narrow: an example has 700 values"},
      {rung_dataset_new("coarse", &coarse, labels, 10, NULL), RUNG_ERROR_ARGUMENT,
       "coarse: inputs have scale 0.5 and zero point 0, the "},
      {rung_dataset_new("shifted", &shifted, labels, 10, NULL), RUNG_ERROR_ARGUMENT,
       "shifted: inputs have scale 0.00392157 and zero point 9, the "},
      {rung_dataset_new("regression", &data.test->inputs, NULL, 0, &wanted), RUNG_ERROR_ARGUMENT, "regression: "}};
  for (int i = 0; i < LENGTH(cases); i++) {
    rung_agreement agreement;
    rung_metrics metrics;
    ck_assert_msg(cases[i].dataset != NULL, "%s", rung_error());
    ck_assert_int_eq(rung_program_evaluate(program, cases[i].dataset, &metrics), cases[i].status);
    ck_assert_msg(strncmp(rung_error(), cases[i].says, strlen(cases[i].says)) == 0, "%s", rung_error());
    ck_assert_int_eq(rung_program_compare(program, model, cases[i].dataset, &agreement), cases[i].status);
    ck_assert_msg(strncmp(rung_error(), cases[i].says, strlen(cases[i].says)) == 0, "%s", rung_error());
    rung_dataset_free(cases[i].dataset);
  }
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

START_TEST(what_is_missing_is_named) {
  pictures data = pictures_load(64, 20);
  rung_model *model = calibrated(NETWORK_ONE_LAYER, data.train, &schemes[0]);
  rung_program *program = freeze(model);
  rung_agreement agreement;
  rung_metrics metrics;
  ck_assert_int_eq(rung_program_compare(NULL, model, data.test, &agreement), RUNG_ERROR_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(rung_error(), "program"));
  ck_assert_int_ne(rung_program_compare(program, NULL, data.test, &agreement), RUNG_OK);
  ck_assert_ptr_nonnull(strstr(rung_error(), "model"));
  ck_assert_int_eq(rung_program_compare(program, model, NULL, &agreement), RUNG_ERROR_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(rung_error(), "dataset"));
  ck_assert_int_eq(rung_program_evaluate(program, NULL, &metrics), RUNG_ERROR_ARGUMENT);
  ck_assert_int_eq(rung_program_evaluate(NULL, data.test, &metrics), RUNG_ERROR_ARGUMENT);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

TEST_MAIN(CASES(nothing_differs, NETWORK_COUNT *LENGTH(schemes)), CASE(a_broken_weight_is_counted),
          CASE(a_broken_bias_is_counted), CASES(the_simulation_is_counted, NETWORK_NORM + 1),
          CASES(the_model_keeps_its_form, 3), CASE(a_model_that_moved_on), CASE(accuracy_survives),
          CASES(logits_are_the_simulations, NETWORK_COUNT), CASE(the_first_of_equals_counts),
          CASE(data_that_does_not_fit_is_refused), CASE(what_is_missing_is_named))
