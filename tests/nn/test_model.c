/* Models: what is recorded, parameters from outside, what data they take. */
#include "problem.h"

#include <math.h>

/* ---- Parameters ------------------------------------------------------------------------------------------------- */

START_TEST(parameters_come_in_order_of_recording) {
  static const struct {
    const char *name;
    rung_shape shape;
    bool trainable;
  } expected[] = {
      {"fc1.weight", {2, {5, 6}}, true},    {"fc1.bias", {1, {5}}, true},         {"bn.weight", {1, {5}}, true},
      {"bn.bias", {1, {5}}, true},          {"bn.running_mean", {1, {5}}, false}, {"bn.running_var", {1, {5}}, false},
      {"logits.weight", {2, {4, 5}}, true}, {"logits.bias", {1, {4}}, true},
  };
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 4, .threads = 1});
  rung_node *x = rung_batch_norm(rung_linear(rung_input(model, "x", RUNG_SHAPE(2, 3)), "fc1", 5), "bn");
  rung_loss_cross_entropy(rung_linear(rung_relu(x), "logits", 4));
  ck_assert_int_eq(rung_model_status(model), RUNG_OK);
  const int count = sizeof expected / sizeof expected[0];
  ck_assert_int_eq(rung_model_parameter_count(model), count);
  for (int i = 0; i < count; i++) {
    rung_parameter parameter = rung_model_parameter(model, i);
    ck_assert_str_eq(parameter.name, expected[i].name);
    ck_assert(rung_shape_equal(&parameter.shape, &expected[i].shape));
    ck_assert_int_eq(parameter.trainable, expected[i].trainable);
    ck_assert_ptr_nonnull(parameter.value);
    if (parameter.trainable) ck_assert_ptr_nonnull(parameter.gradient);
  }
  ck_assert_ptr_null(rung_model_parameter(model, count).name);
  ck_assert_ptr_null(rung_model_parameter(model, -1).name);
  rung_model_free(model);
}
END_TEST

/* By the published vectors (draft-eastlake-fnv): of no byte, and of "foob", which the weight holds as its bits. */
START_TEST(hash_is_fnv_1a) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 1, .threads = 1});
  rung_node *x = rung_input(model, "x", RUNG_SHAPE(1));
  ck_assert_uint_eq(rung_model_hash(model), 0xcbf29ce484222325u);
  rung_linear_init(x, "fc", 1, &(rung_linear_options){.no_bias = true});
  float *value = problem_parameter(model, "fc.weight");
  const uint32_t foob = 0x626f6f66; /* 'f' in the low byte */
  memcpy(value, &foob, sizeof foob);
  ck_assert_uint_eq(rung_model_hash(model), 0xdd120e790c2512afu);
  *value = -0.0f;
  uint64_t negative = rung_model_hash(model);
  *value = 0;
  ck_assert_uint_ne(rung_model_hash(model), negative); /* of bits, not values */
  rung_model_free(model);
}
END_TEST

/* Edited from outside and touched, the integer form follows; so does evaluating, which touches by itself. */
START_TEST(a_touched_model_computes_with_its_new_weights) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1);
  problem_bring(model, p->data, &problem_forms[_i]);
  rung_graph *graph = rung_model_bind(model, p->data);
  ck_assert_ptr_nonnull(graph);
  rung_node *loss = rung_graph_node(graph, rung_graph_node_count(graph) - 1);
  const rung_replay_options whole = {.count = BATCH};
  ck_assert_int_eq(rung_graph_replay(graph, &whole), RUNG_OK);
  const float before = *(const float *)loss->value.data;
  for (int k = 0; k < CLASSES * 24; k++) problem_parameter(model, "fc3.weight")[k] *= -3;
  rung_model_touch(model);
  ck_assert_int_eq(rung_graph_replay(graph, &whole), RUNG_OK);
  ck_assert(*(const float *)loss->value.data != before);
  for (int k = 0; k < CLASSES * 24; k++) problem_parameter(model, "fc3.weight")[k] /= -3;
  rung_model_touch(model);
  ck_assert_int_eq(rung_graph_replay(graph, &whole), RUNG_OK);
  ck_assert_float_eq_tol(*(const float *)loss->value.data, before, 1e-4f * before);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(values_that_are_not_finite_are_found) {
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  rung_model *model = perceptron(1, 1);
  ck_assert_int_eq(rung_model_check_finite(model), RUNG_OK);
  float *last = &problem_parameter(model, "fc3.bias")[CLASSES - 1];
  *last = bad[_i];
  REFUSED(rung_model_check_finite(model), RUNG_ERROR_NUMERIC, "fc3.bias: value 3 is ");
  problem_parameter(model, "fc1.weight")[0] = NAN;
  REFUSED(rung_model_check_finite(model), RUNG_ERROR_NUMERIC, "fc1.weight: value 0 is ");
  rung_model_free(model);
}
END_TEST

START_TEST(seeds_choose_the_weights) {
  rung_model *a = perceptron(1, 1), *b = perceptron(2, 1), *c = perceptron(1, 2);
  ck_assert_uint_eq(rung_model_hash(a), rung_model_hash(b));
  ck_assert_uint_ne(rung_model_hash(a), rung_model_hash(c));
  rung_model_free(a);
  rung_model_free(b);
  rung_model_free(c);
}
END_TEST

/* ---- What is refused -------------------------------------------------------------------------------------------- */

START_TEST(options_out_of_range_give_no_model) {
  static const struct {
    rung_model_options options;
    const char *says;
  } bad[] = {{{.batch = -1}, "-1"}, {{.threads = 257}, "257"}, {{.threads = -2}, "-2"}};
  rung_model *model = rung_model_new(&bad[_i].options);
  ck_assert_ptr_null(model);
  ck_assert_msg(strstr(rung_error(), bad[_i].says) && !strchr(rung_error(), '\n'), "'%s'", rung_error());
  ck_assert_ptr_null(rung_input(model, "x", RUNG_SHAPE(3))); /* and recording goes on without harm */
  ck_assert_ptr_null(rung_loss_cross_entropy(rung_linear(NULL, "fc", 3)));
  ck_assert_ptr_null(rung_loss_squared_hinge(NULL));
  ck_assert_ptr_null(rung_loss_squared_error(NULL));
  rung_model_free(model);
}
END_TEST

START_TEST(the_first_failure_of_recording_stays) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = rung_model_new(NULL);
  rung_metrics metrics;
  rung_node *x = rung_linear(rung_input(model, "x", RUNG_SHAPE(FEATURES)), "fc1", 0);
  rung_loss_cross_entropy(rung_linear(rung_relu(x), "fc2", -5));
  REFUSED(rung_model_status(model), RUNG_ERROR_ARGUMENT, "linear 'fc1': 0 outputs");
  REFUSED(rung_fit(model, p->data, NULL), RUNG_ERROR_ARGUMENT, "linear 'fc1': 0 outputs");
  REFUSED(rung_evaluate(model, p->data, &metrics), RUNG_ERROR_ARGUMENT, "linear 'fc1': 0 outputs");
  REFUSED(rung_quantize(model, &(rung_scheme){0}), RUNG_ERROR_ARGUMENT, "linear 'fc1': 0 outputs");
  ck_assert_ptr_null(rung_model_bind(model, p->data));
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* A model that could not be made, used all the same: the line tells why there is none. */
START_TEST(no_model_is_refused_with_the_reason) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_metrics metrics = {.examples = 1};
  for (int i = 0; i < 6; i++) {
    ck_assert_ptr_null(rung_model_new(&(rung_model_options){.threads = 257}));
    char expected[512];
    snprintf(expected, sizeof expected, "model: it is NULL; the last failure before: %s", rung_error());
    rung_status status = i == 0   ? rung_model_status(NULL)
                         : i == 1 ? rung_fit(NULL, p->data, NULL)
                         : i == 2 ? rung_evaluate(NULL, p->data, &metrics)
                         : i == 3 ? rung_quantize(NULL, NULL)
                         : i == 4 ? rung_calibrate(NULL, p->data, 0)
                                  : rung_model_use(NULL, RUNG_FORM_FLOAT);
    ck_assert_int_eq(status, RUNG_ERROR_ARGUMENT);
    ck_assert_str_eq(rung_error(), expected);
    ck_assert_ptr_nonnull(strstr(expected, "257"));
  }
  ck_assert_int_eq(metrics.examples, 0);
  ck_assert_ptr_null(rung_model_bind(NULL, p->data));
  ck_assert_ptr_null(rung_model_quantization(NULL));
  rung_model_free(NULL);
  problem_free(p);
}
END_TEST

/* So for a dataset that could not be loaded. */
START_TEST(no_dataset_is_refused_with_the_reason) {
  rung_model *model = perceptron(1, 1);
  rung_metrics metrics;
  for (int i = 0; i < 3; i++) {
    const rung_dataset *data = rung_dataset_load("nowhere", RUNG_TRAIN);
    ck_assert_ptr_null(data);
    char expected[512];
    snprintf(expected, sizeof expected, "model: the dataset is empty (NULL); the last failure before: %s",
             rung_error());
    ck_assert_ptr_nonnull(strstr(expected, "nowhere"));
    ck_assert_int_eq(rung_quantize(model, NULL), RUNG_OK);
    REFUSED(i == 0   ? rung_fit(model, data, NULL)
            : i == 1 ? rung_evaluate(model, data, &metrics)
                     : rung_calibrate(model, data, 0),
            RUNG_ERROR_ARGUMENT, expected);
  }
  ck_assert_ptr_null(rung_model_bind(model, NULL));
  rung_model_free(model);
}
END_TEST

START_TEST(a_model_without_a_loss_is_refused) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = rung_model_new(NULL);
  REFUSED(rung_fit(model, p->data, NULL), RUNG_ERROR_STATE, "does not end in a loss");
  rung_node *x = rung_linear(rung_input(model, "x", RUNG_SHAPE(FEATURES)), "fc1", 3);
  REFUSED(rung_fit(model, p->data, NULL), RUNG_ERROR_STATE, "does not end in a loss");
  rung_sum(x); /* a scalar, but nothing to compare with */
  REFUSED(rung_fit(model, p->data, NULL), RUNG_ERROR_STATE, "does not end in a loss");
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(a_model_without_parameters_has_nothing_to_train) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = rung_model_new(NULL);
  rung_loss_cross_entropy(rung_relu(rung_input(model, "x", RUNG_SHAPE(FEATURES))));
  rung_metrics metrics;
  ck_assert_msg(rung_evaluate(model, p->data, &metrics) == RUNG_OK, "%s", rung_error());
  REFUSED(rung_fit(model, p->data, NULL), RUNG_ERROR_STATE, "nothing to train");
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* ---- Data that does not fit ------------------------------------------------------------------------------------- */

/* Refused alike by all that binds it, with one line that names the dataset. */
static void expect_refused(rung_model *model, const rung_dataset *data, rung_status status, const char *says) {
  rung_metrics metrics;
  ck_assert_ptr_nonnull(data);
  REFUSED(rung_fit(model, data, NULL), status, says);
  REFUSED(rung_evaluate(model, data, &metrics), status, says);
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){0}), RUNG_OK);
  REFUSED(rung_calibrate(model, data, 0), status, says);
  ck_assert_ptr_null(rung_model_bind(model, data));
  ck_assert_ptr_nonnull(strstr(rung_error(), says));
}

START_TEST(labels_are_not_targets) {
  problem *labels = problem_new(RUNG_F32, 103, 1), *targets = problem_regression(103, 1);
  rung_model *classifier = perceptron(1, 1), *regression = rung_model_new(&(rung_model_options){.threads = 1});
  rung_node *x = rung_input(regression, "x", RUNG_SHAPE(FEATURES));
  rung_loss_squared_error(rung_linear(x, "fc", OUTPUTS));
  expect_refused(classifier, targets->data, RUNG_ERROR_ARGUMENT, "map: has targets, the model's loss wants labels");
  expect_refused(regression, labels->data, RUNG_ERROR_ARGUMENT, "clusters: has labels, the model's loss wants targets");
  rung_model_free(classifier);
  rung_model_free(regression);
  problem_free(labels);
  problem_free(targets);
}
END_TEST

START_TEST(more_classes_than_scores_are_refused) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1);
  rung_dataset *data = rung_dataset_new("many", &p->data->inputs, p->labels, CLASSES + 1, NULL);
  expect_refused(model, data, RUNG_ERROR_SHAPE, "many: has 5 classes, the model gives 4 scores");
  rung_dataset_free(data);
  data = rung_dataset_new("few", &p->data->inputs, p->labels, CLASSES, NULL);
  ck_assert_int_eq(rung_fit(model, data, NULL), RUNG_OK);
  rung_dataset_free(data);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(examples_of_another_shape_are_refused) {
  problem *p = problem_new(RUNG_F32, 103, 1), *map = problem_regression(103, 1);
  rung_model *model = perceptron(1, 1), *regression = rung_model_new(&(rung_model_options){.threads = 1});
  rung_loss_squared_error(rung_linear(rung_input(regression, "x", RUNG_SHAPE(FEATURES)), "fc", OUTPUTS + 1));
  rung_tensor narrow = p->data->inputs;
  narrow.shape = RUNG_SHAPE(103, FEATURES - 1);
  rung_dataset *data = rung_dataset_new("narrow", &narrow, p->labels, CLASSES, NULL);
  expect_refused(model, data, RUNG_ERROR_SHAPE, "narrow: 11 inputs an example, the network takes 12");
  expect_refused(regression, map->data, RUNG_ERROR_SHAPE, "map: 3 targets an example, the network gives 4");
  rung_dataset_free(data);
  rung_model_free(model);
  rung_model_free(regression);
  problem_free(p);
  problem_free(map);
}
END_TEST

TEST_MAIN(CASE(parameters_come_in_order_of_recording), CASE(hash_is_fnv_1a),
          CASES(a_touched_model_computes_with_its_new_weights, FORMS), CASES(values_that_are_not_finite_are_found, 3),
          CASE(seeds_choose_the_weights), CASES(options_out_of_range_give_no_model, 3),
          CASE(the_first_failure_of_recording_stays), CASE(no_model_is_refused_with_the_reason),
          CASE(no_dataset_is_refused_with_the_reason), CASE(a_model_without_a_loss_is_refused),
          CASE(a_model_without_parameters_has_nothing_to_train), CASE(labels_are_not_targets),
          CASE(more_classes_than_scores_are_refused), CASE(examples_of_another_shape_are_refused))
