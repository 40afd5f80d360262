/* Batch norm's statistics: of the batch, running, short batches, a batch of one. */
#include "harness.h"

#include <rung/autograd.h>

#include <math.h>

enum { batch = 12, width = 37 };
static const float momentum = 0.25f;

typedef struct norm {
  rung_graph *graph;
  rung_node *x, *mean, *variance, *y;
} norm;

static float data[batch][width];

static norm norm_new(void) {
  const rung_shape row = RUNG_SHAPE(width);
  norm n = {.graph = rung_graph_new(&(rung_graph_options){.batch = batch})};
  n.x = rung_graph_input(n.graph, "x", row);
  rung_node *scale = rung_graph_parameter(n.graph, "scale", row), *shift = rung_graph_parameter(n.graph, "shift", row);
  n.mean = rung_graph_parameter(n.graph, "mean", row);
  n.variance = rung_graph_parameter(n.graph, "variance", row);
  n.y = rung_batch_norm_with(n.x, scale, shift, n.mean, n.variance, momentum, 1e-5f);
  ck_assert_msg(n.y, "%s", rung_error());
  rung_rng rng = rung_rng_seed(8);
  for (int j = 0; j < width; j++) {
    ((float *)scale->value.data)[j] = 1;
    ((float *)n.mean->value.data)[j] = (float)j;
    ((float *)n.variance->value.data)[j] = 2;
    for (int i = 0; i < batch; i++) data[i][j] = 3 + (float)(1 + j % 4) * rung_rng_normal(&rng);
  }
  const rung_tensor source = {.type = RUNG_F32, .shape = RUNG_SHAPE(batch, width), .data = data};
  ck_assert_int_eq(rung_graph_bind(n.x, &source), RUNG_OK);
  return n;
}

static void run(const norm *n, int64_t count, bool training) {
  const rung_replay_options options = {.count = count, .training = training};
  ck_assert_msg(rung_graph_replay(n->graph, &options) == RUNG_OK, "%s", rung_error());
}

static float at(const rung_node *node, int64_t i) {
  return ((const float *)node->value.data)[i];
}

/* Mean and (biased) variance of column j of the first `count` rows, in double. */
static void column(const float *x, int count, int j, double *mean, double *variance) {
  *mean = *variance = 0;
  for (int i = 0; i < count; i++) *mean += (double)x[i * width + j] / count;
  for (int i = 0; i < count; i++) {
    double apart = (double)x[i * width + j] - *mean;
    *variance += apart * apart / count;
  }
}

START_TEST(columns_get_mean_0_and_variance_1) {
  norm n = norm_new();
  const int count = _i == 0 ? batch : 5;
  run(&n, count, true);
  for (int j = 0; j < width; j++) {
    double of_x, mean, variance;
    column(data[0], count, j, &mean, &of_x);
    column(n.y->value.data, count, j, &mean, &variance);
    ck_assert(fabs(mean) < 1e-5 && fabs(variance - of_x / (of_x + 1e-5)) < 1e-5);
  }
  rung_graph_free(n.graph);
}
END_TEST

START_TEST(running_statistics_follow_the_batch) {
  norm n = norm_new();
  const int count = _i == 0 ? batch : 5;
  run(&n, count, true);
  for (int j = 0; j < width; j++) {
    double mean, variance;
    column(data[0], count, j, &mean, &variance);
    variance *= (double)count / (count - 1);
    ck_assert(fabs((double)at(n.mean, j) - (0.75 * j + 0.25 * mean)) < 1e-5);
    ck_assert(fabs((double)at(n.variance, j) - (0.75 * 2 + 0.25 * variance)) < 1e-4);
  }
  rung_graph_free(n.graph);
}
END_TEST

START_TEST(evaluation_uses_and_keeps_the_running_statistics) {
  norm n = norm_new();
  run(&n, batch, false);
  for (int j = 0; j < width; j++) {
    ck_assert(at(n.mean, j) == (float)j && at(n.variance, j) == 2);
    for (int i = 0; i < batch; i++)
      ck_assert_float_eq_tol(at(n.y, i * width + j), (data[i][j] - (float)j) / sqrtf(2 + 1e-5f), 1e-5f);
  }
  rung_graph_free(n.graph);
}
END_TEST

START_TEST(a_batch_of_one_tells_no_variance) {
  norm n = norm_new();
  run(&n, 1, true);
  for (int j = 0; j < width; j++) {
    ck_assert(at(n.y, j) == 0); /* the shift */
    ck_assert(at(n.variance, j) == 2);
    ck_assert_float_eq_tol(at(n.mean, j), 0.75f * (float)j + 0.25f * data[0][j], 1e-5f);
  }
  rung_graph_free(n.graph);
}
END_TEST

START_TEST(no_gradient_reaches_the_running_statistics) {
  norm n = norm_new();
  rung_sum(n.y);
  const rung_replay_options options = {.count = batch, .training = true, .backward = true};
  ck_assert_int_eq(rung_graph_replay(n.graph, &options), RUNG_OK);
  ck_assert(!rung_node_wants_gradient(n.mean) && !rung_node_wants_gradient(n.variance));
  for (int j = 0; j < width; j++) ck_assert(((const float *)n.mean->gradient.data)[j] == 0);
  ck_assert(rung_batch_norm_epsilon(n.y) == 1e-5f);
  rung_graph_free(n.graph);
}
END_TEST

TEST_MAIN(CASES(columns_get_mean_0_and_variance_1, 2), CASES(running_statistics_follow_the_batch, 2),
          CASE(evaluation_uses_and_keeps_the_running_statistics), CASE(a_batch_of_one_tells_no_variance),
          CASE(no_gradient_reaches_the_running_statistics))
