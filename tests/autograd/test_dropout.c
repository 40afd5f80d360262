/* The mask of dropout: how much it drops, that both directions and every team see the same one, and when it changes. */
#include "harness.h"

#include <rung/autograd.h>

#include <math.h>

enum { batch = 40, width = 1003 };
static const float probability = 0.3f;

typedef struct drop {
  rung_graph *graph;
  rung_node *x, *y, *z; /* z: a second dropout of x */
} drop;

static drop drop_new(rung_team *team, uint64_t seed, float p) {
  drop d = {.graph = rung_graph_new(&(rung_graph_options){.batch = batch, .team = team, .seed = seed})};
  d.x = rung_graph_parameter(d.graph, "x", RUNG_SHAPE(batch, width));
  d.y = rung_dropout(d.x, p);
  d.z = rung_dropout(d.x, p);
  rung_node *coefficient = rung_graph_parameter(d.graph, "coefficient", RUNG_SHAPE(batch, width));
  rung_sum(rung_multiply(d.y, coefficient));
  ck_assert_msg(rung_graph_status(d.graph) == RUNG_OK, "%s", rung_error());
  for (int i = 0; i < batch * width; i++) {
    ((float *)d.x->value.data)[i] = 1 + (float)(i % 17);
    ((float *)coefficient->value.data)[i] = 1 + (float)(i % 5);
  }
  return d;
}

static const float *run(const drop *d, bool training) {
  const rung_replay_options options = {.count = batch, .training = training, .backward = true};
  ck_assert_int_eq(rung_graph_replay(d->graph, &options), RUNG_OK);
  return d->y->value.data;
}

/* The count of a binomial variable lies within 5 standard deviations, but for one in two million. */
static void expect_share(int count, int of, double share) {
  ck_assert_msg(fabs(count - of * share) < 5 * sqrt(of * share * (1 - share)), "%d of %d, expected a share of %g",
                count, of, share);
}

START_TEST(drops_its_share_and_scales_the_rest) {
  drop d = drop_new(NULL, 1, probability);
  const float *y = run(&d, true), *x = d.x->value.data;
  int dropped = 0;
  for (int i = 0; i < batch * width; i++) {
    dropped += y[i] == 0;
    ck_assert(y[i] == 0 || fabsf(y[i] - x[i] / (1 - probability)) <= 1e-6f * y[i]);
  }
  expect_share(dropped, batch * width, (double)probability);
  rung_graph_free(d.graph);
}
END_TEST

START_TEST(backward_sees_the_mask_of_forward) {
  drop d = drop_new(NULL, 1, probability);
  const float *y = run(&d, true), *gradient = d.x->gradient.data;
  for (int i = 0; i < batch * width; i++) {
    float expected = y[i] == 0 ? 0 : (float)(1 + i % 5) / (1 - probability);
    ck_assert(fabsf(gradient[i] - expected) <= 1e-6f * expected);
  }
  rung_graph_free(d.graph);
}
END_TEST

START_TEST(every_team_draws_the_same_mask) {
  drop alone = drop_new(NULL, 1, probability);
  run(&alone, true);
  for (int threads = 2; threads <= 5; threads++) {
    rung_team *team = rung_team_new(threads);
    drop d = drop_new(team, 1, probability);
    run(&d, true);
    ck_assert_mem_eq(d.y->value.data, alone.y->value.data, sizeof(float) * batch * width);
    ck_assert_mem_eq(d.x->gradient.data, alone.x->gradient.data, sizeof(float) * batch * width);
    rung_graph_free(d.graph);
    rung_team_free(team);
  }
  rung_graph_free(alone.graph);
}
END_TEST

/* How often both keep: (1 - p)^2 if they know nothing of each other. */
static void expect_independent(const float *a, const float *b) {
  int both = 0;
  for (int i = 0; i < batch * width; i++) both += a[i] != 0 && b[i] != 0;
  expect_share(both, batch * width, (1 - (double)probability) * (1 - (double)probability));
}

START_TEST(steps_nodes_and_seeds_draw_apart) {
  static float first[batch * width];
  drop d = drop_new(NULL, 1, probability), other = drop_new(NULL, 2, probability);
  memcpy(first, run(&d, true), sizeof first);
  expect_independent(first, d.z->value.data);
  expect_independent(first, run(&other, true));
  expect_independent(first, run(&d, true)); /* the next step */
  rung_graph_free(d.graph);
  rung_graph_free(other.graph);
}
END_TEST

START_TEST(an_evaluation_takes_no_step) {
  static float second[batch * width];
  drop a = drop_new(NULL, 1, probability), b = drop_new(NULL, 1, probability);
  run(&a, true);
  memcpy(second, run(&a, true), sizeof second);
  run(&b, true);
  run(&b, false);
  ck_assert_mem_eq(run(&b, true), second, sizeof second);
  rung_graph_free(a.graph);
  rung_graph_free(b.graph);
}
END_TEST

/* It keeps everything, in both directions, and the stream goes on as if it had not been. */
START_TEST(a_rehearsal_keeps_all_and_takes_no_step) {
  const rung_replay_options rehearsal = {.count = batch, .training = true, .rehearsal = true, .backward = true};
  static float second[batch * width];
  drop a = drop_new(NULL, 1, probability), b = drop_new(NULL, 1, probability);
  run(&a, true);
  memcpy(second, run(&a, true), sizeof second);
  run(&b, true);
  ck_assert_int_eq(rung_graph_replay(b.graph, &rehearsal), RUNG_OK);
  ck_assert_mem_eq(b.y->value.data, b.x->value.data, sizeof second);
  for (int i = 0; i < batch * width; i++) ENSURE(((const float *)b.x->gradient.data)[i] == (float)(1 + i % 5));
  ck_assert_mem_eq(run(&b, true), second, sizeof second);
  rung_graph_free(a.graph);
  rung_graph_free(b.graph);
}
END_TEST

START_TEST(is_the_identity_outside_training_and_at_probability_0) {
  drop d = drop_new(NULL, 1, probability), zero = drop_new(NULL, 1, 0);
  ck_assert_mem_eq(run(&d, false), d.x->value.data, sizeof(float) * batch * width);
  ck_assert_mem_eq(run(&zero, true), zero.x->value.data, sizeof(float) * batch * width);
  for (int i = 0; i < batch * width; i++) {
    ck_assert(((const float *)d.x->gradient.data)[i] == (float)(1 + i % 5));
    ck_assert(((const float *)zero.x->gradient.data)[i] == (float)(1 + i % 5));
  }
  ck_assert(rung_dropout_probability(d.y) == probability);
  rung_graph_free(d.graph);
  rung_graph_free(zero.graph);
}
END_TEST

TEST_MAIN(CASE(drops_its_share_and_scales_the_rest), CASE(backward_sees_the_mask_of_forward),
          CASE(every_team_draws_the_same_mask), CASE(steps_nodes_and_seeds_draw_apart),
          CASE(an_evaluation_takes_no_step), CASE(a_rehearsal_keeps_all_and_takes_no_step),
          CASE(is_the_identity_outside_training_and_at_probability_0))
