#include "harness.h"
#include "rung/nn.h"

#include <math.h>

static rung_graph *graph_new(uint64_t seed) {
  return rung_graph_new(&(rung_graph_options){.batch = 4, .seed = seed});
}

static float *values(const rung_graph *graph, const char *name) {
  rung_node *node = rung_graph_find(graph, name);
  ck_assert_msg(node != NULL, "no '%s'", name);
  return node->value.data;
}

/* ---- How weights start ------------------------------------------------------------------------------------------ */

enum { IN = 400, OUT = 250, WEIGHTS = IN * OUT };

/* A weight [OUT, IN] in `weight`. */
static void draw(float *weight, uint64_t seed, rung_init init) {
  rung_graph *graph = graph_new(seed);
  rung_node *x = rung_graph_input(graph, "x", RUNG_SHAPE(IN));
  ck_assert_ptr_nonnull(rung_linear_init(x, "fc", OUT, &(rung_linear_options){.init = init}));
  memcpy(weight, values(graph, "fc.weight"), WEIGHTS * sizeof *weight);
  rung_graph_free(graph);
}

static double moment(const float *numbers, int power) {
  double sum = 0;
  for (int i = 0; i < WEIGHTS; i++) sum += pow((double)numbers[i], power);
  return sum / WEIGHTS;
}

/* Within four standard deviations of each estimate, of normal numbers of variance 2 / in; kurtosis 3. */
START_TEST(he_is_normal_with_variance_2_over_in) {
  static float weight[WEIGHTS];
  draw(weight, (uint64_t)_i, RUNG_INIT_HE);
  const double variance = 2.0 / IN, n = WEIGHTS;
  ck_assert_double_eq_tol(moment(weight, 1), 0, 4 * sqrt(variance / n));
  ck_assert_double_eq_tol(moment(weight, 2) / variance, 1, 4 * sqrt(2 / n));
  ck_assert_double_eq_tol(moment(weight, 4) / (variance * variance), 3, 4 * sqrt(96 / n));
}
END_TEST

/* Within four standard deviations of each estimate, of uniform numbers; and the bounds are approached but kept. */
START_TEST(xavier_is_uniform_within_its_bounds) {
  static float weight[WEIGHTS];
  draw(weight, (uint64_t)_i, RUNG_INIT_XAVIER);
  const double bound = sqrt(6.0 / (IN + OUT)), variance = bound * bound / 3, n = WEIGHTS;
  double min = 0, max = 0;
  for (int i = 0; i < WEIGHTS; i++) {
    min = fmin(min, (double)weight[i]);
    max = fmax(max, (double)weight[i]);
  }
  ck_assert_double_ge(min, -bound * (1 + 1e-7));
  ck_assert_double_le(max, bound * (1 + 1e-7));
  ck_assert_double_lt(min, -0.999 * bound);
  ck_assert_double_gt(max, 0.999 * bound);
  ck_assert_double_eq_tol(moment(weight, 1), 0, 4 * sqrt(variance / n));
  ck_assert_double_eq_tol(moment(weight, 2) / variance, 1, 4 * sqrt(0.8 / n));
}
END_TEST

START_TEST(weights_follow_from_the_seed) {
  static float a[WEIGHTS], b[WEIGHTS], c[WEIGHTS];
  draw(a, 5, (rung_init)_i);
  draw(b, 5, (rung_init)_i);
  draw(c, 6, (rung_init)_i);
  ck_assert_mem_eq(a, b, sizeof a);
  int same = 0;
  for (int i = 0; i < WEIGHTS; i++) same += a[i] == c[i];
  ck_assert_int_lt(same, 10);
}
END_TEST

/* Two layers of equal shape start differently, and dropout or an activation between them changes neither. */
START_TEST(weights_follow_from_the_order_of_parameters_alone) {
  rung_graph *plain = graph_new(1), *mixed = graph_new(1);
  rung_node *x = rung_graph_input(plain, "x", RUNG_SHAPE(8));
  ck_assert_ptr_nonnull(rung_linear(rung_linear(x, "a", 8), "b", 8));
  x = rung_relu(rung_graph_input(mixed, "x", RUNG_SHAPE(2, 4)));
  x = rung_dropout(rung_relu(rung_linear(x, "first", 8)), 0.5f);
  ck_assert_ptr_nonnull(rung_linear(x, "second", 8));
  ck_assert_mem_eq(values(plain, "a.weight"), values(mixed, "first.weight"), 64 * sizeof(float));
  ck_assert_mem_eq(values(plain, "b.weight"), values(mixed, "second.weight"), 64 * sizeof(float));
  ck_assert_mem_ne(values(plain, "a.weight"), values(plain, "b.weight"), 64 * sizeof(float));
  rung_graph_free(plain);
  rung_graph_free(mixed);
}
END_TEST

/* ---- What is recorded ------------------------------------------------------------------------------------------- */

START_TEST(linear_has_a_weight_and_a_bias) {
  rung_graph *graph = graph_new(0);
  rung_node *x = rung_graph_input(graph, "x", RUNG_SHAPE(2, 3, 5));
  rung_node *y = rung_linear(x, "fc", 7);
  ck_assert_ptr_nonnull(y);
  const rung_shape shape = RUNG_SHAPE(4, 7), weight = RUNG_SHAPE(7, 30), bias = RUNG_SHAPE(7);
  ck_assert(rung_shape_equal(&y->value.shape, &shape));
  ck_assert(rung_shape_equal(&rung_graph_find(graph, "fc.weight")->value.shape, &weight));
  ck_assert(rung_shape_equal(&rung_graph_find(graph, "fc.bias")->value.shape, &bias));
  ck_assert(rung_graph_find(graph, "fc.weight")->trainable && rung_graph_find(graph, "fc.bias")->trainable);
  for (int i = 0; i < 7; i++) ck_assert(values(graph, "fc.bias")[i] == 0);
  rung_graph_free(graph);
}
END_TEST

START_TEST(linear_can_do_without_a_bias) {
  rung_graph *graph = graph_new(0);
  rung_node *x = rung_graph_input(graph, "x", RUNG_SHAPE(3));
  ck_assert_ptr_nonnull(rung_linear_init(x, "fc", 2, &(rung_linear_options){.no_bias = true}));
  ck_assert_ptr_null(rung_graph_find(graph, "fc.bias"));
  ck_assert_int_eq(rung_graph_node_count(graph), 3);
  rung_graph_free(graph);
}
END_TEST

/* y[i][j] = sum_k x[i][k] w[j][k] + b[j], of pictures [2, 3] read as 6 numbers. */
START_TEST(linear_computes_what_it_says) {
  rung_graph *graph = graph_new(3);
  rung_node *x = rung_graph_input(graph, "x", RUNG_SHAPE(2, 3)), *y = rung_linear(x, "fc", 5);
  float data[4 * 6], *weight = values(graph, "fc.weight"), *bias = values(graph, "fc.bias");
  for (int i = 0; i < 24; i++) data[i] = (float)(i % 7) - 2.5f;
  for (int j = 0; j < 5; j++) bias[j] = (float)j;
  rung_tensor source = {.type = RUNG_F32, .shape = RUNG_SHAPE(4, 2, 3), .data = data};
  ck_assert_int_eq(rung_graph_bind(x, &source), RUNG_OK);
  ck_assert_msg(rung_graph_replay(graph, &(rung_replay_options){.count = 4}) == RUNG_OK, "%s", rung_error());
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 5; j++) {
      double sum = (double)bias[j];
      for (int k = 0; k < 6; k++) sum += (double)data[i * 6 + k] * (double)weight[j * 6 + k];
      ck_assert_double_eq_tol((double)((const float *)y->value.data)[i * 5 + j], sum, 1e-5);
    }
  rung_graph_free(graph);
}
END_TEST

/* In training every column comes out with mean 0 and variance 1; the running statistics, which no optimizer may train,
 * move a tenth of the way. */
START_TEST(batch_norm_starts_as_a_plain_normalization) {
  rung_graph *graph = graph_new(0);
  rung_node *x = rung_graph_input(graph, "x", RUNG_SHAPE(2)), *y = rung_batch_norm(x, "norm");
  ck_assert_msg(y != NULL, "%s", rung_error());
  ck_assert(rung_graph_find(graph, "norm.weight")->trainable && rung_graph_find(graph, "norm.bias")->trainable);
  ck_assert(!rung_graph_find(graph, "norm.running_mean")->trainable);
  ck_assert(!rung_graph_find(graph, "norm.running_var")->trainable);
  float data[] = {1, 10, 2, 30, 3, 20, 6, 40}; /* columns of mean 3 and 25, variance 3.5 and 125 */
  rung_tensor source = {.type = RUNG_F32, .shape = RUNG_SHAPE(4, 2), .data = data};
  ck_assert_int_eq(rung_graph_bind(x, &source), RUNG_OK);
  ck_assert_int_eq(rung_graph_replay(graph, &(rung_replay_options){.count = 4, .training = true}), RUNG_OK);
  const float *out = y->value.data;
  for (int i = 0; i < 4; i++) {
    ck_assert_float_eq_tol(out[2 * i], (data[2 * i] - 3) / sqrtf(3.5f), 1e-5f);
    ck_assert_float_eq_tol(out[2 * i + 1], (data[2 * i + 1] - 25) / sqrtf(125), 1e-5f);
  }
  ck_assert_float_eq_tol(values(graph, "norm.running_mean")[0], 0.3f, 1e-6f);
  ck_assert_float_eq_tol(values(graph, "norm.running_mean")[1], 2.5f, 1e-6f);
  ck_assert_float_eq_tol(values(graph, "norm.running_var")[0], 0.9f + 0.1f * 3.5f * 4 / 3, 1e-5f);
  ck_assert_float_eq_tol(values(graph, "norm.running_var")[1], 0.9f + 0.1f * 125 * 4 / 3, 1e-5f);
  rung_graph_free(graph);
}
END_TEST

/* ---- What is refused -------------------------------------------------------------------------------------------- */

static rung_node *no_outputs(rung_node *x) {
  return rung_linear(x, "fc1", 0);
}
static rung_node *too_many_outputs(rung_node *x) {
  return rung_linear(x, "fc1", INT64_MAX / 8);
}
static rung_node *unknown_init(rung_node *x) {
  return rung_linear_init(x, "fc1", 2, &(rung_linear_options){.init = (rung_init)9});
}
static rung_node *no_name(rung_node *x) {
  return rung_linear(x, NULL, 2);
}
static rung_node *same_name(rung_node *x) {
  return rung_linear(rung_linear(x, "fc1", 3), "fc1", 3);
}
static rung_node *nameless_norm(rung_node *x) {
  return rung_batch_norm(x, NULL);
}
static rung_node *norm_of_pictures(rung_node *x) {
  return rung_batch_norm(x, "norm");
}

static const struct {
  rung_node *(*record)(rung_node *x);
  rung_status status;
  const char *message; /* how it begins */
} refused[] = {
    {no_outputs, RUNG_ERROR_ARGUMENT, "linear 'fc1': 0 outputs, expected 1 or more"},
    {too_many_outputs, RUNG_ERROR_SHAPE, "shape [1152921504606846975, 6]: the number of elements overflows"},
    {unknown_init, RUNG_ERROR_ARGUMENT, "linear 'fc1': init 9, expected 0 (He) or 1 (Xavier)"},
    {no_name, RUNG_ERROR_ARGUMENT, "linear: the name is NULL, expected a string"},
    {same_name, RUNG_ERROR_ARGUMENT, "graph: the name 'fc1.weight' is taken"},
    {nameless_norm, RUNG_ERROR_ARGUMENT, "batch_norm: the name is NULL, expected a string"},
    {norm_of_pictures, RUNG_ERROR_SHAPE, "batch_norm: x is [4, 2, 3]"},
};
enum { REFUSED = sizeof refused / sizeof refused[0] };

/* The first failure stays, whatever is recorded after it. */
START_TEST(a_refusal_is_one_line_and_sticks) {
  rung_graph *graph = graph_new(0);
  rung_node *x = rung_graph_input(graph, "x", RUNG_SHAPE(2, 3)), *y = refused[_i].record(x);
  ck_assert_ptr_null(y);
  ck_assert_ptr_null(rung_linear(y, "later", 3));
  ck_assert_ptr_null(rung_batch_norm(y, "later"));
  ck_assert_ptr_null(rung_linear(x, "later", 0));
  ck_assert_int_eq(rung_graph_status(graph), refused[_i].status);
  ck_assert_msg(strncmp(rung_error(), refused[_i].message, strlen(refused[_i].message)) == 0, "'%s'", rung_error());
  rung_graph_free(graph);
}
END_TEST

TEST_MAIN(CASES(he_is_normal_with_variance_2_over_in, 3), CASES(xavier_is_uniform_within_its_bounds, 3),
          CASES(weights_follow_from_the_seed, 2), CASE(weights_follow_from_the_order_of_parameters_alone),
          CASE(linear_has_a_weight_and_a_bias), CASE(linear_can_do_without_a_bias), CASE(linear_computes_what_it_says),
          CASE(batch_norm_starts_as_a_plain_normalization), CASES(a_refusal_is_one_line_and_sticks, REFUSED))
