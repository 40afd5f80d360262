/* Losses at the edges: labels that are none, scores far apart, NaN. */
#include "harness.h"

#include <rung/autograd.h>

#include <math.h>

enum { batch = 4, classes = 3 };

typedef struct classifier {
  rung_graph *graph;
  rung_node *loss, *weight, *scores;
} classifier;

static float unit[batch][batch] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
static int32_t label[batch];

typedef rung_node *record_loss(rung_node *scores, rung_node *label);
static record_loss *const losses[] = {rung_cross_entropy, rung_squared_hinge};

/* scores[i][j] = weight[j][i] */
static classifier classifier_new(record_loss *record) {
  classifier c = {.graph = rung_graph_new(&(rung_graph_options){.batch = batch})};
  rung_node *x = rung_graph_input(c.graph, "x", RUNG_SHAPE(batch)), *labels = rung_graph_label(c.graph, "label");
  c.weight = rung_graph_parameter(c.graph, "weight", RUNG_SHAPE(classes, batch));
  c.scores = rung_linear_with(x, c.weight, NULL);
  c.loss = record(c.scores, labels);
  const rung_tensor source = {.type = RUNG_F32, .shape = RUNG_SHAPE(batch, batch), .data = unit};
  const rung_tensor truth = {.type = RUNG_I32, .shape = RUNG_SHAPE(batch), .data = label};
  ck_assert_int_eq(rung_graph_bind(x, &source), RUNG_OK);
  ck_assert_int_eq(rung_graph_bind(labels, &truth), RUNG_OK);
  return c;
}

static float run(const classifier *c) {
  const rung_replay_options options = {.count = batch, .training = true, .backward = true};
  ck_assert_msg(rung_graph_replay(c->graph, &options) == RUNG_OK, "%s", rung_error());
  return *(const float *)c->loss->value.data;
}

START_TEST(a_label_that_is_no_class_gives_nan_and_no_gradient) {
  static const int32_t bad[] = {-1, classes, INT32_MAX, INT32_MIN};
  classifier c = classifier_new(losses[_i]);
  for (int k = 0; k < 4; k++)
    for (int at = 0; at < batch; at++) {
      for (int i = 0; i < batch; i++) label[i] = i % classes;
      ck_assert(isfinite(run(&c)));
      label[at] = bad[k];
      ck_assert(isnan(run(&c)));
      const float *gradient = c.scores->gradient.data;
      for (int i = 0; i < batch * classes; i++)
        ck_assert(i / classes == at ? gradient[i] == 0 : gradient[i] != 0 && isfinite(gradient[i]));
    }
  rung_graph_free(c.graph);
}
END_TEST

START_TEST(a_nan_score_gives_a_nan_loss) {
  classifier c = classifier_new(losses[_i]);
  for (int i = 0; i < batch; i++) label[i] = 0;
  ((float *)c.weight->value.data)[batch + 2] = NAN;
  ck_assert(isnan(run(&c)));
  rung_graph_free(c.graph);
}
END_TEST

/* Uniform scores cost log(classes); a winner by 10,000 costs nothing, a loser
 * 10,000 + log 2, for the two that share the rest; nothing overflows. */
START_TEST(cross_entropy_is_stable) {
  classifier c = classifier_new(rung_cross_entropy);
  float *weight = c.weight->value.data;
  for (int i = 0; i < batch; i++) label[i] = 1;
  ck_assert_float_eq_tol(run(&c), 1.0986123f, 1e-6f);
  for (int i = 0; i < batch; i++) weight[batch + i] = 10000;
  ck_assert_float_eq(run(&c), 0);
  for (int i = 0; i < batch; i++) weight[batch + i] = -10000;
  ck_assert_float_eq_tol(run(&c), 10000.693f, 0.001f);
  const float *gradient = c.scores->gradient.data;
  for (int i = 0; i < batch; i++) { /* p = 1/2, 0, 1/2, over 4 examples */
    ck_assert(gradient[3 * i] == 0.125f && gradient[3 * i + 1] == -0.25f && gradient[3 * i + 2] == 0.125f);
  }
  rung_graph_free(c.graph);
}
END_TEST

/* scores 0: every margin is 1. The label's class beyond 1 and the others below -1 cost nothing. */
START_TEST(squared_hinge_ends_at_the_margin) {
  classifier c = classifier_new(rung_squared_hinge);
  float *weight = c.weight->value.data;
  for (int i = 0; i < batch; i++) label[i] = 2;
  ck_assert_float_eq(run(&c), 1);
  for (int j = 0; j < classes; j++)
    for (int i = 0; i < batch; i++) weight[j * batch + i] = j == 2 ? 1 : -1;
  ck_assert_float_eq(run(&c), 0);
  for (int j = 0; j < classes; j++)
    for (int i = 0; i < batch; i++) weight[j * batch + i] *= -1;
  ck_assert_float_eq(run(&c), 4);
  rung_graph_free(c.graph);
}
END_TEST

TEST_MAIN(CASES(a_label_that_is_no_class_gives_nan_and_no_gradient, 2), CASES(a_nan_score_gives_a_nan_loss, 2),
          CASE(cross_entropy_is_stable), CASE(squared_hinge_ends_at_the_margin))
