/* Quantize, calibrate, use: in which order, what each leaves behind, and what is refused. */
#include "problem.h"

#include <math.h>

static double loss_of(rung_model *model, const rung_dataset *data) {
  rung_metrics metrics;
  ck_assert_msg(rung_evaluate(model, data, &metrics) == RUNG_OK, "%s", rung_error());
  return metrics.loss;
}

static void calibrate(rung_model *model, const rung_dataset *data, int64_t examples) {
  ck_assert_msg(rung_calibrate(model, data, examples) == RUNG_OK, "%s", rung_error());
}

/* How many batches each quantizer has seen. */
static void expect_observed(const rung_model *model, uint64_t batches) {
  const rung_quantization *quantization = rung_model_quantization(model);
  ck_assert_ptr_nonnull(quantization);
  int count = rung_quantization_quantizer_count(quantization);
  ck_assert_int_ge(count, 2);
  for (int i = 0; i < count; i++) ck_assert_uint_eq(rung_quantization_quantizer(quantization, i)->observed, batches);
}

/* ---- Order ------------------------------------------------------------------------------------------------------ */

START_TEST(calls_in_the_wrong_order_are_refused) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1);
  REFUSED(rung_calibrate(model, p->data, 0), RUNG_ERROR_STATE, "rung_quantize");
  REFUSED(rung_model_use(model, RUNG_FORM_INTEGER), RUNG_ERROR_STATE, "not calibrated");
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){0}), RUNG_OK);
  REFUSED(rung_model_use(model, RUNG_FORM_INTEGER), RUNG_ERROR_STATE, "not calibrated");
  REFUSED(rung_model_use(model, RUNG_FORM_SIMULATED), RUNG_ERROR_STATE, "not calibrated");
  ck_assert_int_eq(rung_model_use(model, RUNG_FORM_FLOAT), RUNG_OK);
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_FLOAT);
  ck_assert_ptr_null(rung_model_quantization(model));
  calibrate(model, p->data, 0);
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_INTEGER);
  ck_assert_ptr_nonnull(rung_model_quantization(model));
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){.weight_bits = 4}), RUNG_OK);
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_FLOAT); /* quantized anew, uncalibrated */
  ck_assert_ptr_null(rung_model_quantization(model));
  REFUSED(rung_model_use(model, RUNG_FORM_INTEGER), RUNG_ERROR_STATE, "not calibrated");
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* Each form is left and taken up again without a trace. */
START_TEST(forms_stand_side_by_side) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = perceptron(1, 1);
  ck_assert_int_eq(rung_fit(model, p->data, &(rung_fit_options){.epochs = 5, .rate = 1e-2f}), RUNG_OK);
  const double real = loss_of(model, p->data);
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){0}), RUNG_OK);
  ck_assert_double_eq(loss_of(model, p->data), real);
  calibrate(model, p->data, 0);
  const double integer = loss_of(model, p->data);
  ck_assert_int_eq(rung_model_use(model, RUNG_FORM_SIMULATED), RUNG_OK);
  const double simulated = loss_of(model, p->data);
  ck_assert_int_eq(rung_model_use(model, RUNG_FORM_FLOAT), RUNG_OK);
  ck_assert_double_eq(loss_of(model, p->data), real);
  ck_assert_int_eq(rung_model_use(model, RUNG_FORM_INTEGER), RUNG_OK);
  ck_assert_double_eq(loss_of(model, p->data), integer);
  ck_assert(integer != real && simulated != real); /* eight bits are near, not equal */
  ck_assert_double_eq_tol(integer, real, 0.05 * real);
  ck_assert_double_eq_tol(simulated, integer, 0.01 * real);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* Trained in one form, evaluated in another: there is one set of weights. */
START_TEST(forms_share_their_weights) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1), *fresh = perceptron(1, 1);
  problem_bring(model, p->data, &problem_forms[1]);
  const double before = loss_of(model, p->data);
  ck_assert_int_eq(rung_model_use(model, (rung_form)_i), RUNG_OK);
  ck_assert_int_eq(rung_fit(model, p->data, &(rung_fit_options){.epochs = 5, .rate = 1e-2f}), RUNG_OK);
  for (int form = 0; form < 3; form++) {
    ck_assert_int_eq(rung_model_use(model, (rung_form)form), RUNG_OK);
    ck_assert_double_lt(loss_of(model, p->data), 0.7 * before);
  }
  for (int i = 0; i < rung_model_parameter_count(model); i++) {
    rung_parameter from = rung_model_parameter(model, i), to = rung_model_parameter(fresh, i);
    int64_t count;
    ck_assert_int_eq(rung_shape_count(&from.shape, &count), RUNG_OK);
    memcpy(to.value, from.value, (size_t)count * sizeof(float));
  }
  ck_assert_int_eq(rung_model_use(model, RUNG_FORM_FLOAT), RUNG_OK);
  ck_assert_double_eq(loss_of(model, p->data), loss_of(fresh, p->data));
  rung_model_free(model);
  rung_model_free(fresh);
  problem_free(p);
}
END_TEST

/* ---- Calibration ------------------------------------------------------------------------------------------------ */

START_TEST(calibration_sees_the_first_examples) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1), *other = perceptron(1, 1);
  rung_dataset *head = rung_dataset_view(p->data, 0, 40);
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){0}), RUNG_OK);
  ck_assert_int_eq(rung_quantize(other, &(rung_scheme){0}), RUNG_OK);
  calibrate(model, p->data, 0);
  expect_observed(model, 7);
  const double all = loss_of(model, p->data);
  calibrate(model, p->data, 1000);
  expect_observed(model, 7);
  ck_assert_double_eq(loss_of(model, p->data), all);
  calibrate(model, p->data, 40); /* two batches of 16 and one of 8: again from nothing */
  expect_observed(model, 3);
  calibrate(other, head, 0);
  ck_assert_double_eq(loss_of(model, p->data), loss_of(other, p->data));
  ck_assert(loss_of(model, p->data) != all);
  calibrate(model, p->data, 1);
  expect_observed(model, 1);
  rung_dataset_free(head);
  rung_model_free(model);
  rung_model_free(other);
  problem_free(p);
}
END_TEST

START_TEST(calibration_changes_no_weight) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = perceptron(1, 1);
  uint64_t hash = rung_model_hash(model);
  for (int bits = 2; bits <= 8; bits += 3) {
    ck_assert_int_eq(rung_quantize(model, &(rung_scheme){.weight_bits = bits, .activation_bits = bits}), RUNG_OK);
    calibrate(model, p->data, 0);
    ck_assert_uint_eq(rung_model_hash(model), hash);
  }
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* A number that no range can hold stops it; half calibrated is not calibrated. */
START_TEST(a_failed_calibration_leaves_none) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1);
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){0}), RUNG_OK);
  p->x[50][3] = INFINITY;
  ck_assert_int_eq(rung_calibrate(model, p->data, 0), RUNG_ERROR_NUMERIC);
  ck_assert_ptr_null(strchr(rung_error(), '\n'));
  ck_assert_ptr_null(rung_model_quantization(model));
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_FLOAT);
  REFUSED(rung_model_use(model, RUNG_FORM_INTEGER), RUNG_ERROR_STATE, "not calibrated");
  p->x[50][3] = 0;
  problem_parameter(model, "fc1.bias")[2] = NAN;
  REFUSED(rung_calibrate(model, p->data, 0), RUNG_ERROR_NUMERIC, "fc1.bias: value 2 is ");
  problem_parameter(model, "fc1.bias")[2] = 0;
  REFUSED(rung_calibrate(model, p->data, -1), RUNG_ERROR_ARGUMENT, "-1");
  REFUSED(rung_calibrate(model, NULL, 0), RUNG_ERROR_ARGUMENT, "empty");
  calibrate(model, p->data, 0);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(a_model_calibrated_on_one_type_refuses_another) {
  problem *real = problem_new(RUNG_F32, 103, 1), *pixels = problem_new(RUNG_U8, 103, 1);
  rung_model *model = perceptron(1, 1);
  rung_metrics metrics;
  problem_bring(model, pixels->data, &problem_forms[1 + _i]);
  REFUSED(rung_evaluate(model, real->data, &metrics), RUNG_ERROR_ARGUMENT,
          "inputs are f32, the model was calibrated on u8");
  REFUSED(rung_fit(model, real->data, NULL), RUNG_ERROR_ARGUMENT, "inputs are f32, the model was calibrated on u8");
  ck_assert_int_eq(rung_fit(model, pixels->data, NULL), RUNG_OK);
  uint64_t hash = rung_model_hash(model);
  REFUSED(rung_fit(model, pixels->data, &(rung_fit_options){.validation = real->data}), RUNG_ERROR_ARGUMENT, "f32");
  ck_assert_uint_eq(rung_model_hash(model), hash);                   /* found before the first step */
  ck_assert_int_eq(rung_model_use(model, RUNG_FORM_FLOAT), RUNG_OK); /* which takes both */
  ck_assert_int_eq(rung_evaluate(model, real->data, &metrics), RUNG_OK);
  rung_model_free(model);
  problem_free(real);
  problem_free(pixels);
}
END_TEST

/* Pixels that stand for other numbers. */
START_TEST(a_model_calibrated_on_one_grid_refuses_another) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_tensor coarse = p->data->inputs, shifted = p->data->inputs;
  coarse.scale = 0.5f;
  shifted.zero_point = 7;
  rung_dataset *others[] = {rung_dataset_new("coarse", &coarse, p->labels, CLASSES, NULL),
                            rung_dataset_new("shifted", &shifted, p->labels, CLASSES, NULL)};
  static const char *const says[] = {
      "coarse: inputs have scale 0.5 and zero point 0, the model was calibrated on 0.00392157 and 0",
      "shifted: inputs have scale 0.00392157 and zero point 7, the model was calibrated on 0.00392157 and 0"};
  rung_model *model = perceptron(1, 1);
  rung_metrics metrics;
  problem_bring(model, p->data, &problem_forms[1 + _i]);
  uint64_t hash = rung_model_hash(model);
  for (int i = 0; i < 2; i++) {
    REFUSED(rung_evaluate(model, others[i], &metrics), RUNG_ERROR_ARGUMENT, says[i]);
    REFUSED(rung_fit(model, others[i], NULL), RUNG_ERROR_ARGUMENT, says[i]);
    REFUSED(rung_fit(model, p->data, &(rung_fit_options){.validation = others[i]}), RUNG_ERROR_ARGUMENT, says[i]);
    ck_assert_ptr_null(rung_model_bind(model, others[i]));
    ck_assert_str_eq(rung_error(), says[i]);
  }
  ck_assert_uint_eq(rung_model_hash(model), hash);
  ck_assert_int_eq(rung_evaluate(model, p->data, &metrics), RUNG_OK);
  ck_assert_int_eq(rung_model_use(model, RUNG_FORM_FLOAT), RUNG_OK); /* which reads what the pixels stand for */
  ck_assert_int_eq(rung_evaluate(model, others[0], &metrics), RUNG_OK);
  calibrate(model, others[0], 0); /* and another calibration, another grid */
  ck_assert_int_eq(rung_evaluate(model, others[0], &metrics), RUNG_OK);
  REFUSED(rung_evaluate(model, p->data, &metrics), RUNG_ERROR_ARGUMENT, "the model was calibrated on 0.5 and 0");
  for (int i = 0; i < 2; i++) rung_dataset_free(others[i]);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(a_scheme_out_of_range_is_refused_and_changes_nothing) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1);
  problem_bring(model, p->data, &problem_forms[1]);
  REFUSED(rung_quantize(model, &(rung_scheme){.weight_bits = 9}), RUNG_ERROR_ARGUMENT, "weight_bits 9");
  REFUSED(rung_quantize(model, &(rung_scheme){.activation_bits = 9}), RUNG_ERROR_ARGUMENT, "activation_bits 9");
  REFUSED(rung_quantize(model, &(rung_scheme){.backward = RUNG_BACKWARD_COUNT}), RUNG_ERROR_ARGUMENT, "backward 3");
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_INTEGER);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* ---- Training on ------------------------------------------------------------------------------------------------ */

/* off -> calibrate -> train: seven batches observed, then seven more in an epoch; evaluating observes none. */
START_TEST(training_observes_each_step) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = perceptron(1, 1);
  problem_bring(model, p->data, &problem_forms[1 + _i]);
  const rung_quantizer *first = rung_quantization_quantizer(rung_model_quantization(model), 0);
  ck_assert_int_eq(first->state, RUNG_QUANTIZER_CALIBRATE);
  expect_observed(model, 7);
  ck_assert_int_eq(rung_fit(model, p->data, NULL), RUNG_OK);
  ck_assert_int_eq(first->state, RUNG_QUANTIZER_TRAIN);
  expect_observed(model, 14);
  loss_of(model, p->data);
  expect_observed(model, 14);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* At few bits, rounding alone ruins what training with the integers in the loop mends. */
START_TEST(training_with_the_integers_mends_what_rounding_broke) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = perceptron(1, 1);
  ck_assert_int_eq(rung_fit(model, p->data, &(rung_fit_options){.epochs = 10, .rate = 1e-2f}), RUNG_OK);
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){.weight_bits = 2, .activation_bits = 3}), RUNG_OK);
  calibrate(model, p->data, 0);
  const double rounded = loss_of(model, p->data);
  ck_assert_int_eq(rung_fit(model, p->data, &(rung_fit_options){.epochs = 10, .rate = 5e-3f}), RUNG_OK);
  ck_assert_double_lt(loss_of(model, p->data), 0.5 * rounded);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* ---- Ranges that are known -------------------------------------------------------------------------------------- */

static int ranges_of(rung_model *model, rung_known_range *ranges) {
  int count = 0;
  rung_graph *graph = rung_model_graph(model);
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    const rung_quantizer *quantizer = rung_quantization_quantizer_of(rung_model_quantization(model), node);
    if (quantizer) ranges[count++] = (rung_known_range){node, quantizer->scale, quantizer->zero_point};
  }
  return count;
}

/* A second model with the first one's ranges evaluates as that does. */
START_TEST(known_ranges_calibrate_without_data) {
  problem *p = problem_new(_i ? RUNG_U8 : RUNG_F32, 103, 1);
  rung_model *first = perceptron(1, 1), *second = perceptron(1, 1);
  ck_assert_int_eq(rung_quantize(first, &(rung_scheme){0}), RUNG_OK);
  calibrate(first, p->data, 0);
  rung_known_range ranges[8], others[8];
  const int count = ranges_of(first, ranges);
  ck_assert_int_eq(count, _i ? 2 : 3);
  for (int i = 0; i < count; i++) {
    others[i] = ranges[i];
    others[i].node = rung_graph_node(rung_model_graph(second), ranges[i].node->index);
  }
  REFUSED(rung_calibrate_known(second, &p->data->inputs, others, count), RUNG_ERROR_STATE, "rung_quantize");
  ck_assert_int_eq(rung_quantize(second, &(rung_scheme){0}), RUNG_OK);
  ck_assert_int_eq(rung_calibrate_known(second, &p->data->inputs, others, count), RUNG_OK);
  ck_assert_int_eq(rung_model_form(second), RUNG_FORM_INTEGER);
  ck_assert_double_eq(loss_of(second, p->data), loss_of(first, p->data));
  ck_assert_int_eq(rung_fit(second, p->data, NULL), RUNG_OK);
  rung_model_free(first);
  rung_model_free(second);
  problem_free(p);
}
END_TEST

START_TEST(known_ranges_that_do_not_fit_are_refused) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1);
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){0}), RUNG_OK);
  calibrate(model, p->data, 0);
  rung_known_range ranges[8];
  const int count = ranges_of(model, ranges);
  REFUSED(rung_calibrate_known(model, &p->data->inputs, ranges, count - 1), RUNG_ERROR_ARGUMENT,
          "calibrate: no range for 'relu.");
  ck_assert_ptr_null(rung_model_quantization(model));
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_FLOAT);
  ranges[1].scale = 0;
  REFUSED(rung_calibrate_known(model, &p->data->inputs, ranges, count), RUNG_ERROR_ARGUMENT, "scale 0");
  ranges[1].scale = 1;
  ranges[2].node = rung_graph_node(rung_model_graph(model), rung_graph_node_count(rung_model_graph(model)) - 1);
  REFUSED(rung_calibrate_known(model, &p->data->inputs, ranges, count), RUNG_ERROR_ARGUMENT, "which is not quantized");
  REFUSED(rung_calibrate_known(model, &(rung_tensor){.type = RUNG_I32}, ranges, count), RUNG_ERROR_ARGUMENT, "i32");
  REFUSED(rung_calibrate_known(model, &(rung_tensor){.type = RUNG_U8}, ranges, count), RUNG_ERROR_ARGUMENT, "scale 0");
  ck_assert_ptr_null(rung_model_quantization(model));
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* Where reals were calibrated on, integers are read as the reals that they stand for. */
START_TEST(a_model_calibrated_on_reals_takes_integers) {
  problem *pixels = problem_new(RUNG_U8, 103, 1), *real = problem_new(RUNG_F32, 103, 1);
  for (int i = 0; i < MOST; i++)
    for (int k = 0; k < FEATURES; k++) real->x[i][k] = (float)real->pixels[i][k] * (1.0f / 255.0f);
  rung_model *model = perceptron(1, 1);
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){0}), RUNG_OK);
  calibrate(model, real->data, 0);
  ck_assert_double_eq(loss_of(model, pixels->data), loss_of(model, real->data));
  rung_model_free(model);
  problem_free(pixels);
  problem_free(real);
}
END_TEST

/* Its table is one of bytes: of reals it is refused before anything is calibrated; weights in a storage format are
 * behind no integers. */
START_TEST(reals_are_not_rescaled_in_integers) {
  problem *real = problem_new(RUNG_F32, 103, 1), *pixels = problem_new(RUNG_U8, 103, 1);
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = 1, .seed = 1});
  rung_node *x = rung_rescale(rung_input(model, "x", RUNG_SHAPE(FEATURES)), 2, -1);
  rung_loss_cross_entropy(rung_linear(x, "fc1", CLASSES));
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){0}), RUNG_OK);
  REFUSED(rung_calibrate(model, real->data, 0), RUNG_ERROR_UNSUPPORTED, "'x' is f32; give it u8 or i8, or rescale the");
  ck_assert_ptr_null(rung_model_quantization(model));
  ck_assert_int_eq(rung_calibrate(model, pixels->data, 0), RUNG_OK);
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){.weight_storage = RUNG_STORAGE_BF16}), RUNG_OK);
  ck_assert_int_eq(rung_calibrate(model, real->data, 0), RUNG_OK);
  rung_model_free(model);
  problem_free(real);
  problem_free(pixels);
}
END_TEST

TEST_MAIN(CASE(calls_in_the_wrong_order_are_refused), CASE(forms_stand_side_by_side),
          CASES(forms_share_their_weights, 3), CASE(calibration_sees_the_first_examples),
          CASE(calibration_changes_no_weight), CASES(known_ranges_calibrate_without_data, 2),
          CASE(known_ranges_that_do_not_fit_are_refused), CASE(a_model_calibrated_on_reals_takes_integers),
          CASE(a_failed_calibration_leaves_none), CASES(a_model_calibrated_on_one_type_refuses_another, FORMS - 1),
          CASES(a_model_calibrated_on_one_grid_refuses_another, FORMS - 1),
          CASE(a_scheme_out_of_range_is_refused_and_changes_nothing), CASES(training_observes_each_step, FORMS - 1),
          CASE(training_with_the_integers_mends_what_rounding_broke), CASE(reals_are_not_rescaled_in_integers))
