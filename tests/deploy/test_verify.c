/* The executions of a model that need nobody else, held against its program: that equal ones are found equal, and that
 * what differs is found, counted and named rightly. test_verify_peers.c has the others. */
#include "verify_model.h"

/* ---- What is equal is found equal ------------------------------------------------------------------------------- */

/* Every scheme on every network, calibrated and trained; 100 examples are a block and a short one. */
START_TEST(what_is_equal_is_found_equal) {
  const rung_scheme *scheme = &schemes[_i % LENGTH(schemes)];
  const network kind = (network)(_i / LENGTH(schemes));
  pictures data = pictures_load(160, 100);
  rung_model *model = calibrated(kind, data.train, scheme);
  fit(model, data.train, 1, 1e-3f);
  rung_verification *verification = verify_these(model, data.test, WITHOUT_PEERS);
  expect_exact(verification, RUNG_EXECUTION_EVALUATION, 100);
  expect_exact(verification, RUNG_EXECUTION_TRAINING, 100);
  expect_exact(verification, RUNG_EXECUTION_PROGRAM, 100);
  ck_assert(rung_verification_exact(verification));
  ck_assert_int_eq(rung_verification_examples(verification), 100);
  for (int i = 0; i < rung_verification_layers(verification); i++) {
    const rung_layer_agreement at = rung_verification_at(verification, RUNG_EXECUTION_SIMULATED, i);
    const bool logits = i + 1 == rung_verification_layers(verification);
    ck_assert_int_gt(at.values, 0);
    ck_assert_int_eq(at.unexplained, 0);
    ck_assert_int_eq(at.ties + at.inherited, logits ? 0 : at.differ);
    ck_assert(at.distance <= 0.5);
  }
  rung_verification_free(verification);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* Two models alike, one of them verified, train on to the same bits: dropout's stream, ranges and weights are where
 * they were. */
START_TEST(the_model_is_left_as_it_was) {
  pictures data = pictures_load(160, 100);
  uint64_t hash[2];
  for (int verified = 0; verified < 2; verified++) {
    rung_model *model = calibrated(_i ? NETWORK_RELU6 : NETWORK_DROPOUT, data.train, &schemes[0]);
    fit(model, data.train, 1, 1e-3f);
    expect_ok(rung_model_use(model, RUNG_FORM_SIMULATED));
    if (verified) rung_verification_free(verify_these(model, data.test, WITHOUT_PEERS));
    ck_assert_int_eq(rung_model_form(model), RUNG_FORM_SIMULATED);
    const rung_quantizer *quantizer = rung_quantization_quantizer(rung_model_quantization(model), 0);
    ck_assert_int_ne(quantizer->state, RUNG_QUANTIZER_FROZEN);
    expect_ok(rung_model_use(model, RUNG_FORM_INTEGER));
    fit(model, data.train, 1, 1e-3f);
    hash[verified] = rung_model_hash(model);
    rung_model_free(model);
  }
  ck_assert_uint_eq(hash[0], hash[1]);
  pictures_free(&data);
}
END_TEST

/* Nor does a step start the scales that are still to be learned. */
START_TEST(learned_scales_are_left_unstarted) {
  pictures data = pictures_load(160, 100);
  const rung_scheme scheme = {
      .weight_bits = 2, .activation_bits = 2, .weights = RUNG_WEIGHTS_LSQ, .activations = RUNG_ACTIVATIONS_LSQ};
  rung_model *model = calibrated(NETWORK_RELU, data.train, &scheme);
  const uint64_t hash = rung_model_hash(model);
  rung_verification_free(verify_these(model, data.test, WITHOUT_PEERS));
  ck_assert_uint_eq(rung_model_hash(model), hash);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* ---- What differs is found -------------------------------------------------------------------------------------- */

/* The outputs of the program's first layer, [count, HIDDEN]. */
static void collect_first(void *context, int index, rung_dtype type, const void *output, int64_t count, int64_t out) {
  (void)type;
  if (index == 0) memcpy(context, output, (size_t)(count * out));
}

static uint8_t *first_layer_of(const rung_program *program, const rung_dataset *data) {
  uint8_t *made = malloc((size_t)data->count * HIDDEN);
  int32_t *logits = malloc((size_t)data->count * 10 * sizeof *logits);
  void *scratch = rung_allocate(rung_program_scratch(program, data->count));
  expect_ok(rung_program_trace(program, data->inputs.data, logits, data->count, scratch, collect_first, made));
  rung_release(scratch);
  free(logits);
  return made;
}

/* Another weight in one channel of the program: what it changes is counted, and the first is named. */
START_TEST(the_first_difference_is_named) {
  pictures data = pictures_load(300, 150);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &schemes[0]);
  rung_program *program = freeze(model);
  uint8_t *good = first_layer_of(program, data.test);
  program_layer *layer = &program->layer[0];
  int8_t *weight = (int8_t *)(uintptr_t)layer->instruction.integers.weight;
  for (int j = 5; j < 8; j++) weight[j * 784 + 14 * 28 + 14] ^= 0x40; /* the middle of the picture */
  rung_qgemm_pack(&layer->product, weight, 0, HIDDEN);
  uint8_t *bad = first_layer_of(program, data.test);
  int64_t differ = 0, at = -1;
  for (int64_t i = 0; i < 150 * HIDDEN; i++) {
    if (at < 0 && good[i] != bad[i]) at = i;
    differ += good[i] != bad[i];
  }
  rung_verification *verification =
      verify(model, data.test, &(rung_verify_options){.program = program, .executions = WITHOUT_PEERS});
  ck_assert_int_gt(differ, 0);
  ck_assert(!rung_verification_exact(verification) && !rung_verification_within_a_step(verification));
  for (rung_execution e = RUNG_EXECUTION_EVALUATION; e <= RUNG_EXECUTION_TRAINING; e++) {
    rung_difference first, back;
    ck_assert_int_eq(rung_verification_at(verification, e, 0).differ, differ);
    ck_assert(rung_verification_first(verification, e, RUNG_EXECUTION_PROGRAM, &first));
    ck_assert_int_eq(first.example, at / HIDDEN);
    ck_assert_int_eq(first.layer, 0);
    ck_assert_int_eq(first.index, at % HIDDEN);
    ck_assert_int_eq(first.value[0], good[at]);
    ck_assert_int_eq(first.value[1], bad[at]);
    ck_assert(isnan(first.before[0]) && isnan(first.before[1]));
    ck_assert_int_eq(first.expected, bad[at]); /* the program keeps to its own numbers, which are not the model's */
    expect_by_hand(program, data.test, &first);
    ck_assert(rung_verification_first(verification, RUNG_EXECUTION_PROGRAM, e, &back));
    ck_assert(back.value[0] == first.value[1] && back.value[1] == first.value[0]);
  }
  rung_difference none;
  ck_assert(!rung_verification_first(verification, RUNG_EXECUTION_EVALUATION, RUNG_EXECUTION_TRAINING, &none));
  const rung_layer_agreement simulated = rung_verification_at(verification, RUNG_EXECUTION_SIMULATED, 0);
  ck_assert_int_gt(simulated.unexplained, 0);
  ck_assert_int_eq(simulated.unexplained + simulated.ties, simulated.differ);
  ck_assert_int_eq(simulated.inherited, 0);
  free(good);
  free(bad);
  rung_verification_free(verification);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* A bias of the last layer: one logit an example, and no activation. With groups the sum has no one multiplier. */
START_TEST(a_logit_that_differs_is_named) {
  pictures data = pictures_load(200, 150);
  rung_model *model = calibrated(NETWORK_RELU, data.train, _i ? &schemes[3] : &schemes[0]);
  rung_program *program = freeze(model);
  const rung_integer_layer *last = &program->layer[1].instruction.integers;
  int32_t *good = logits_of(program, data.test, 1);
  ((int32_t *)(uintptr_t)last->bias)[3 * last->groups] += 100;
  int32_t *bad = logits_of(program, data.test, 1);
  rung_verification *verification =
      verify(model, data.test, &(rung_verify_options){.program = program, .executions = OF(EVALUATION) | OF(TRAINING)});
  const rung_execution_summary summary = rung_verification_summary(verification, RUNG_EXECUTION_TRAINING);
  ck_assert_int_eq(summary.differ, 0);
  ck_assert_int_eq(summary.differ_logits, 150);
  ck_assert(!rung_verification_exact(verification));
  rung_difference first;
  ck_assert(rung_verification_first(verification, RUNG_EXECUTION_TRAINING, RUNG_EXECUTION_PROGRAM, &first));
  ck_assert_int_eq(first.example, 0);
  ck_assert_int_eq(first.layer, 1);
  ck_assert_int_eq(first.index, 3);
  ck_assert_int_eq(first.value[0], good[3]);
  ck_assert_int_eq(first.value[1], bad[3]);
  ck_assert_int_eq(first.expected, bad[3]);
  ck_assert_int_eq((int64_t)floor(first.exact + 0.5), bad[3]);
  ck_assert_int_eq(first.multiplier, _i ? 0 : last->multiplier[3]);
  ck_assert_int_eq(rung_verification_summary(verification, RUNG_EXECUTION_FLOAT).outcome, RUNG_OUTCOME_NOT_ASKED);
  free(good);
  free(bad);
  rung_verification_free(verification);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* ---- The float network ------------------------------------------------------------------------------------------ */

/* SQNR, differences, agreement and accuracy of FP32 beside the program, from the logits of both. */
START_TEST(numbers_of_the_float_network) {
  pictures data = pictures_load(300, BATCH);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &schemes[1]);
  rung_program *program = freeze(model);
  const float scale = rung_program_describe(program).logit_scale;
  int32_t *logits = logits_of(program, data.test, BATCH);
  expect_ok(rung_model_use(model, RUNG_FORM_FLOAT));
  rung_metrics real, integer;
  expect_ok(rung_evaluate(model, data.test, &real));
  expect_ok(rung_program_evaluate(program, data.test, &integer));
  const rung_graph *graph = rung_model_graph(model);
  const float *x = rung_graph_node(graph, rung_graph_node_count(graph) - 1)->input[0]->value.data;
  double signal = 0, noise = 0;
  int64_t differ = 0, largest = 0, agree = 0;
  for (int i = 0; i < BATCH; i++) {
    int best[2] = {0};
    for (int j = 0; j < 10; j++) {
      double off = (double)scale * logits[i * 10 + j] - (double)x[i * 10 + j];
      int64_t step = llabs((int64_t)rintf(x[i * 10 + j] * (1 / scale)) - logits[i * 10 + j]);
      signal += (double)x[i * 10 + j] * (double)x[i * 10 + j];
      noise += off * off;
      differ += step != 0;
      largest = step > largest ? step : largest;
      if (x[i * 10 + j] > x[i * 10 + best[0]]) best[0] = j;
      if (logits[i * 10 + j] > logits[i * 10 + best[1]]) best[1] = j;
    }
    agree += best[0] == best[1];
  }
  rung_verification *verification = verify_these(model, data.test, OF(FLOAT));
  const rung_layer_agreement of_float = rung_verification_at(verification, RUNG_EXECUTION_FLOAT, 1);
  const rung_layer_agreement of_program = rung_verification_at(verification, RUNG_EXECUTION_PROGRAM, 1);
  ck_assert_double_eq_tol(of_program.sqnr, 10 * log10(signal / noise), 1e-6);
  ck_assert(isinf(of_float.sqnr));
  ck_assert_int_eq(of_float.differ, differ);
  ck_assert_int_eq(of_float.largest, largest);
  ck_assert_int_eq(of_float.values, BATCH * 10);
  const rung_execution_summary summary = rung_verification_summary(verification, RUNG_EXECUTION_FLOAT);
  ck_assert_int_eq(summary.agree, agree);
  ck_assert_int_eq(summary.correct, (int64_t)rint(real.accuracy * BATCH));
  ck_assert_int_eq(rung_verification_summary(verification, RUNG_EXECUTION_PROGRAM).correct,
                   (int64_t)rint(integer.accuracy * BATCH));
  rung_difference first;
  ck_assert(rung_verification_first(verification, RUNG_EXECUTION_FLOAT, RUNG_EXECUTION_PROGRAM, &first));
  ck_assert_int_eq(first.layer, 0);
  const double on_grid = floor(first.before[0] + 0.5);
  ck_assert_double_eq(
      fmin(fmax(on_grid, program->layer[0].instruction.integers.qmin), program->layer[0].instruction.integers.qmax),
      first.value[0]);
  ck_assert(isnan(first.before[1]));
  expect_by_hand(program, data.test, &first);
  free(logits);
  rung_verification_free(verification);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* A value of the simulation that is rounded the other way: what it had before, and how near a half the program's is. */
START_TEST(a_tie_is_seen) {
  pictures data = pictures_load(1000, 1000);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &schemes[0]);
  rung_program *program = freeze(model);
  rung_verification *verification = verify_these(model, data.test, OF(SIMULATED));
  const rung_layer_agreement at = rung_verification_at(verification, RUNG_EXECUTION_SIMULATED, 0);
  ck_assert_int_gt(at.ties, 0);
  ck_assert_int_eq(at.ties, at.differ);
  ck_assert_int_eq(at.largest, 1);
  ck_assert(rung_verification_within_a_step(verification));
  rung_difference first;
  ck_assert(rung_verification_first(verification, RUNG_EXECUTION_SIMULATED, RUNG_EXECUTION_PROGRAM, &first));
  if (first.layer == 0) {
    expect_by_hand(program, data.test, &first);
    ck_assert_int_eq(first.expected, first.value[1]);
    ck_assert_double_le(fabs(fabs(first.exact - first.value[1]) - 0.5), at.distance + 1e-9);
    ck_assert_double_eq(rint(first.before[0]), first.value[0]);
    ck_assert_double_le(fabs(first.before[0] - first.exact), 0.05);
  }
  rung_verification_free(verification);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* ---- Other kinds of data ---------------------------------------------------------------------------------------- */

/* Real inputs and real targets: no accuracy. */
START_TEST(a_regression) {
  enum { EXAMPLES = 90, INPUTS = 5 };
  float x[EXAMPLES * INPUTS], y[EXAMPLES * 2];
  for (int i = 0; i < EXAMPLES; i++) {
    for (int k = 0; k < INPUTS; k++) x[i * INPUTS + k] = sinf((float)(i * 7 + k * 3)) * 2;
    y[i * 2] = x[i * INPUTS] + x[i * INPUTS + 1];
    y[i * 2 + 1] = x[i * INPUTS + 2];
  }
  const rung_tensor inputs = {.shape = RUNG_SHAPE(EXAMPLES, INPUTS), .data = x};
  const rung_tensor targets = {.shape = RUNG_SHAPE(EXAMPLES, 2), .data = y};
  rung_dataset *data = rung_dataset_new("waves", &inputs, NULL, 0, &targets);
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 32, .threads = 1, .seed = 3});
  rung_loss_squared_error(
      rung_linear(rung_relu(rung_linear(rung_input(model, "x", RUNG_SHAPE(INPUTS)), "fc1", 16)), "fc2", 2));
  fit(model, data, 5, 1e-2f);
  calibrate(model, data, &schemes[_i]);
  rung_verification *verification = verify_these(model, data, WITHOUT_PEERS);
  ck_assert(rung_verification_exact(verification));
  expect_exact(verification, RUNG_EXECUTION_TRAINING, EXAMPLES);
  ck_assert_int_eq(rung_verification_summary(verification, RUNG_EXECUTION_PROGRAM).correct, -1);
  ck_assert_int_eq(rung_verification_at(verification, RUNG_EXECUTION_SIMULATED, 0).unexplained, 0);
  char *text = rung_verification_text(verification);
  expect_says(text, "logits differ\n");
  ck_assert_ptr_null(strstr(text, "top-1")); /* a regression has no classes */
  ck_assert_ptr_null(strstr(text, "accuracy"));
  rung_release(text);
  rung_verification_free(verification);
  rung_model_free(model);
  rung_dataset_free(data);
}
END_TEST

START_TEST(a_part_of_the_data) {
  pictures data = pictures_load(100, 100);
  rung_model *model = calibrated(NETWORK_ONE_LAYER, data.train, &schemes[0]);
  const int64_t asked[] = {0, 1, 64, 65, 100, 1000}, examples[] = {100, 1, 64, 65, 100, 100};
  for (int i = 0; i < LENGTH(asked); i++) {
    rung_verification *verification =
        verify(model, data.test, &(rung_verify_options){.examples = asked[i], .executions = OF(TRAINING)});
    ck_assert_int_eq(rung_verification_examples(verification), examples[i]);
    ck_assert_int_eq(rung_verification_at(verification, RUNG_EXECUTION_TRAINING, 0).values, examples[i] * 10);
    expect_exact(verification, RUNG_EXECUTION_TRAINING, examples[i]);
    ck_assert_int_eq(rung_verification_layers(verification), 1);
    char *text = rung_verification_text(verification);
    ck_assert_ptr_null(strstr(text, "step away")); /* nothing simulated, nothing in float */
    ck_assert_ptr_null(strstr(text, "in float"));
    rung_release(text);
    ck_assert_str_eq(rung_verification_layer(verification, 0), "fc2");
    ck_assert_str_eq(rung_verification_layer(verification, 1), "");
    rung_verification_free(verification);
  }
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* ---- Written down ----------------------------------------------------------------------------------------------- */

START_TEST(the_report_says_so) {
  pictures data = pictures_load(300, 100);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &schemes[0]);
  rung_program *program = freeze(model);
  ((int32_t *)(uintptr_t)program->layer[0].instruction.integers.bias)[7] += 5000;
  for (int broken = 0; broken < 2; broken++) {
    rung_verification *verification = verify(
        model, data.test, &(rung_verify_options){.program = broken ? program : NULL, .executions = WITHOUT_PEERS});
    char *text = rung_verification_text(verification), *json = rung_verification_json(verification);
    expect_says(text, broken ? "NOT exact: evaluation training program\n"
                             : "exact: 0 values differ between evaluation training program\n");
    expect_says(text, "logits differ   same top-1   accuracy\n");
    expect_says(text, "executions in float differ in nearly all of them");
    if (!broken) expect_says(text, "\nsimulated: no activation more than one step away\n"); /* onnx did not run */
    expect_says(json, broken ? "\"exact\": false" : "\"exact\": true");
    expect_says(json, "{\"name\": \"emitted\", \"outcome\": \"not asked\"}");
    expect_says(json, "\"sqnr_db\": null"); /* FP32 beside itself */
    if (broken) expect_says(text, "training and program first differ in example 0, fc1[7]: ");
    if (broken) expect_says(json, "{\"between\": [\"evaluation\", \"program\"], \"example\": 0, \"layer\": \"fc1\"");
    int depth = 0;
    for (const char *c = json; *c; c++) depth += (*c == '{' || *c == '[') - (*c == '}' || *c == ']');
    ck_assert_int_eq(depth, 0);
    rung_release(text);
    rung_release(json);
    rung_verification_free(verification);
  }
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

START_TEST(executions_have_names) {
  for (rung_execution e = 0; e < RUNG_EXECUTION_COUNT; e++) {
    rung_execution parsed;
    expect_ok(rung_execution_parse(rung_execution_name(e), &parsed));
    ck_assert_int_eq(parsed, e);
  }
  rung_execution parsed;
  ck_assert_int_eq(rung_execution_parse("c", &parsed), RUNG_ERROR_ARGUMENT);
  expect_says(rung_error(), "execution 'c': expected fp32, ");
}
END_TEST

/* ---- Refusals --------------------------------------------------------------------------------------------------- */

START_TEST(what_does_not_fit_is_refused) {
  pictures data = pictures_load(64, 20);
  rung_model *model = network_new(NETWORK_RELU, 1);
  ck_assert_ptr_null(rung_verify(model, data.test, NULL));
  ck_assert_int_eq(rung_error_status(), RUNG_ERROR_STATE);
  calibrate(model, data.train, &schemes[0]);
  ck_assert_ptr_null(rung_verify(NULL, data.test, NULL));
  ck_assert_ptr_null(rung_verify(model, NULL, NULL));
  expect_says(rung_error(), "the dataset is NULL");
  ck_assert_ptr_null(rung_verify(model, data.test, &(rung_verify_options){.examples = -1}));
  expect_says(rung_error(), "-1 examples");
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_INTEGER);
  static float reals[4 * 784];
  static const int32_t labels[4];
  rung_dataset *floats =
      rung_dataset_new("floats", &(rung_tensor){.shape = RUNG_SHAPE(4, 784), .data = reals}, labels, 10, NULL);
  ck_assert_ptr_null(rung_verify(model, floats, NULL));
  expect_says(rung_error(), "floats: inputs are f32");
  rung_dataset_free(floats);
  rung_model *other = calibrated(NETWORK_DEEP, data.train, &schemes[0]);
  rung_program *program = freeze(other);
  ck_assert_ptr_null(rung_verify(model, data.test, &(rung_verify_options){.program = program}));
  expect_says(rung_error(), "no layer 'fc3.weight'");
  rung_program_free(program);
  rung_model_free(other);
  rung_model_free(model);
  rung_verification_free(NULL);
  pictures_free(&data);
}
END_TEST

TEST_MAIN(CASES(what_is_equal_is_found_equal, NETWORK_COUNT *LENGTH(schemes)), CASES(the_model_is_left_as_it_was, 2),
          CASE(learned_scales_are_left_unstarted), CASE(the_first_difference_is_named),
          CASES(a_logit_that_differs_is_named, 2), CASE(numbers_of_the_float_network), CASE(a_tie_is_seen),
          CASES(a_regression, LENGTH(schemes)), CASE(a_part_of_the_data), CASE(the_report_says_so),
          CASE(executions_have_names), CASE(what_does_not_fit_is_refused))
