/* Evaluate, against the same sums written down plainly in double. */
#include "problem.h"

#include <math.h>

enum { HIDDEN = 20, COUNT = 103 };

/* x -> HIDDEN, ReLU -> out. */
static rung_node *scores(rung_model *model, int64_t out) {
  rung_node *x = rung_relu(rung_linear(rung_input(model, "x", RUNG_SHAPE(FEATURES)), "fc1", HIDDEN));
  return rung_linear(x, "fc2", out);
}

static rung_model *model_new(int threads) {
  return rung_model_new(&(rung_model_options){.batch = BATCH, .threads = threads, .seed = 5});
}

/* y[j] = sum_k w[j][k] x[k] + b[j] */
static void affine(const float *w, const float *b, const double *x, double *y, int in, int out) {
  for (int j = 0; j < out; j++) {
    y[j] = (double)b[j];
    for (int k = 0; k < in; k++) y[j] += (double)w[j * in + k] * x[k];
  }
}

static void plain_scores(const rung_model *model, const problem *p, int example, double *y, int out) {
  double x[FEATURES], hidden[HIDDEN];
  for (int k = 0; k < FEATURES; k++)
    x[k] = p->data->inputs.type == RUNG_F32 ? (double)p->x[example][k] : p->pixels[example][k] / 255.0;
  affine(problem_parameter(model, "fc1.weight"), problem_parameter(model, "fc1.bias"), x, hidden, FEATURES, HIDDEN);
  for (int j = 0; j < HIDDEN; j++) hidden[j] = fmax(hidden[j], 0);
  affine(problem_parameter(model, "fc2.weight"), problem_parameter(model, "fc2.bias"), hidden, y, HIDDEN, out);
}

typedef double plain_loss(const double *y, int label);

static double cross_entropy(const double *y, int label) {
  double sum = 0;
  for (int j = 0; j < CLASSES; j++) sum += exp(y[j] - y[label]);
  return log(sum);
}

static double squared_hinge(const double *y, int label) {
  double sum = 0;
  for (int j = 0; j < CLASSES; j++) sum += pow(fmax(0, 1 - (j == label ? y[j] : -y[j])), 2);
  return sum / CLASSES;
}

static void expect_metrics(rung_model *model, const problem *p, plain_loss *loss) {
  double sum = 0;
  int correct = 0;
  for (int i = 0; i < COUNT; i++) {
    double y[CLASSES];
    plain_scores(model, p, i, y, CLASSES);
    int best = 0;
    for (int j = 1; j < CLASSES; j++)
      if (y[j] > y[best]) best = j;
    correct += best == p->labels[i];
    sum += loss(y, p->labels[i]);
  }
  rung_metrics metrics;
  ck_assert_msg(rung_evaluate(model, p->data, &metrics) == RUNG_OK, "%s", rung_error());
  ck_assert_double_eq_tol(metrics.loss, sum / COUNT, 1e-6 * fabs(sum / COUNT));
  ck_assert_double_eq(metrics.accuracy, (double)correct / COUNT);
  ck_assert_int_eq(metrics.examples, COUNT);
  ck_assert(correct > 0 && correct < COUNT); /* else accuracy would show little */
}

START_TEST(classification_equals_a_plain_computation) {
  const rung_dtype types[] = {RUNG_F32, RUNG_U8};
  problem *p = problem_new(types[_i], COUNT, 1);
  rung_model *model = model_new(2), *hinge = model_new(1);
  rung_loss_cross_entropy(scores(model, CLASSES));
  rung_loss_squared_hinge(scores(hinge, CLASSES));
  expect_metrics(model, p, cross_entropy);
  expect_metrics(hinge, p, squared_hinge);
  rung_model_free(model);
  rung_model_free(hinge);
  problem_free(p);
}
END_TEST

START_TEST(regression_equals_a_plain_computation) {
  problem *p = problem_regression(COUNT, 1);
  rung_model *model = model_new(1);
  rung_loss_squared_error(scores(model, OUTPUTS));
  double sum = 0;
  for (int i = 0; i < COUNT; i++) {
    double y[OUTPUTS];
    plain_scores(model, p, i, y, OUTPUTS);
    for (int j = 0; j < OUTPUTS; j++) sum += pow(y[j] - (double)p->targets[i][j], 2) / OUTPUTS;
  }
  rung_metrics metrics;
  ck_assert_msg(rung_evaluate(model, p->data, &metrics) == RUNG_OK, "%s", rung_error());
  ck_assert_double_eq_tol(metrics.loss, sum / COUNT, 1e-6 * sum / COUNT);
  ck_assert(metrics.accuracy == 0);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* Rows of the last weight made alike score alike in any form: the lowest index wins. */
START_TEST(the_first_of_equal_scores_wins) {
  problem *p = problem_new(RUNG_F32, COUNT, 1);
  rung_model *model = model_new(1);
  rung_loss_cross_entropy(scores(model, CLASSES));
  float *weight = problem_parameter(model, "fc2.weight"), *bias = problem_parameter(model, "fc2.bias");
  for (int j = 0; j < CLASSES; j++) {
    for (int k = 0; k < HIDDEN; k++) weight[j * HIDDEN + k] = 0.01f * (float)(k % 5);
    bias[j] = j == 0 ? -1 : 1; /* classes 1, 2 and 3 tie above class 0 */
  }
  problem_bring(model, p->data, &problem_forms[_i]);
  int ones = 0;
  for (int i = 0; i < COUNT; i++) ones += p->labels[i] == 1;
  rung_metrics metrics;
  ck_assert_msg(rung_evaluate(model, p->data, &metrics) == RUNG_OK, "%s", rung_error());
  ck_assert_double_eq(metrics.accuracy, (double)ones / COUNT);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* A whole set in one evaluation, and the same in two views, one of them smaller than a batch. */
START_TEST(metrics_are_means_over_the_examples) {
  problem *p = problem_new(RUNG_F32, COUNT, 1);
  rung_model *model = perceptron(1, 1);
  problem_bring(model, p->data, &problem_forms[_i]);
  rung_dataset *head = rung_dataset_view(p->data, 0, 96), *tail = rung_dataset_view(p->data, 96, 7);
  rung_metrics all, first, last;
  ck_assert_int_eq(rung_evaluate(model, p->data, &all), RUNG_OK);
  ck_assert_int_eq(rung_evaluate(model, head, &first), RUNG_OK);
  ck_assert_int_eq(rung_evaluate(model, tail, &last), RUNG_OK);
  ck_assert(first.examples == 96 && last.examples == 7);
  ck_assert_double_eq_tol(all.loss, (96 * first.loss + 7 * last.loss) / COUNT, 1e-12);
  ck_assert_double_eq_tol(all.accuracy, (96 * first.accuracy + 7 * last.accuracy) / COUNT, 1e-12);
  rung_dataset_free(head);
  rung_dataset_free(tail);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* Dropout passes all, batch norm keeps its statistics, quantizers their ranges. */
START_TEST(evaluating_changes_nothing) {
  problem *p = problem_new(RUNG_F32, COUNT, 1), *other = problem_new(RUNG_F32, COUNT, 2);
  rung_model *model = model_new(1);
  rung_node *x = rung_batch_norm(rung_linear(rung_input(model, "x", RUNG_SHAPE(FEATURES)), "fc1", HIDDEN), "bn");
  rung_loss_cross_entropy(rung_linear(rung_dropout(rung_relu(x), 0.5f), "fc2", CLASSES));
  ck_assert_int_eq(rung_fit(model, p->data, NULL), RUNG_OK);
  problem_bring(model, p->data, &problem_forms[_i]);
  uint64_t hash = rung_model_hash(model);
  rung_metrics first, between, again;
  ck_assert_int_eq(rung_evaluate(model, p->data, &first), RUNG_OK);
  ck_assert_int_eq(rung_evaluate(model, other->data, &between), RUNG_OK);
  ck_assert_int_eq(rung_evaluate(model, p->data, &again), RUNG_OK);
  ck_assert(first.loss == again.loss && first.accuracy == again.accuracy && first.loss != between.loss);
  ck_assert_uint_eq(rung_model_hash(model), hash);
  rung_model_free(model);
  problem_free(p);
  problem_free(other);
}
END_TEST

START_TEST(a_failure_leaves_zero_metrics) {
  rung_model *model = perceptron(1, 1);
  rung_metrics metrics = {.loss = 1, .accuracy = 1, .examples = 1};
  REFUSED(rung_evaluate(model, NULL, &metrics), RUNG_ERROR_ARGUMENT, "the dataset is empty");
  ck_assert(metrics.loss == 0 && metrics.accuracy == 0 && metrics.examples == 0);
  rung_model_free(model);
}
END_TEST

TEST_MAIN(CASES(classification_equals_a_plain_computation, 2), CASE(regression_equals_a_plain_computation),
          CASES(the_first_of_equal_scores_wins, FORMS), CASES(metrics_are_means_over_the_examples, FORMS),
          CASES(evaluating_changes_nothing, FORMS), CASE(a_failure_leaves_zero_metrics))
