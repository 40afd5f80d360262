#include "golden.h"
#include "optimizer.h"

#include <math.h>

/* A graph of parameters alone, whose gradients the test writes. */
typedef struct training {
  rung_team *team;
  rung_graph *graph;
  optimizer *optimizer;
} training;

static training training_new(int threads, const rung_fit_options *options, const int64_t *counts, int count) {
  training run = {.team = rung_team_new(threads)};
  run.graph = rung_graph_new(&(rung_graph_options){.team = run.team});
  for (int i = 0; i < count; i++) {
    char name[16];
    snprintf(name, sizeof name, "w%d", i);
    ck_assert_ptr_nonnull(rung_graph_parameter(run.graph, name, RUNG_SHAPE(counts[i])));
  }
  run.optimizer = optimizer_new(run.graph, options);
  ck_assert_msg(run.optimizer != NULL, "%s", rung_error());
  return run;
}

static void training_free(training *run) {
  optimizer_free(run->optimizer);
  rung_graph_free(run->graph);
  rung_team_free(run->team);
}

static float *value_of(const training *run, int parameter) {
  return rung_graph_node(run->graph, parameter)->value.data;
}
static float *gradient_of(const training *run, int parameter) {
  return rung_graph_node(run->graph, parameter)->gradient.data;
}

static void step(training *run, float rate) {
  optimizer_begin(run->optimizer, rate);
  rung_team_run(run->team, optimizer_update, run->optimizer);
}

/* ---- Against PyTorch -------------------------------------------------------------------------------------------- */

static const int64_t golden_counts[] = {GOLDEN_FIRST, GOLDEN_SECOND};

static void give(const training *run, float *(*where)(const training *, int), const float *numbers) {
  memcpy(where(run, 0), numbers, GOLDEN_FIRST * sizeof *numbers);
  memcpy(where(run, 1), numbers + GOLDEN_FIRST, GOLDEN_SECOND * sizeof *numbers);
}

static float weight_of(const training *run, int i) {
  return i < GOLDEN_FIRST ? value_of(run, 0)[i] : value_of(run, 1)[i - GOLDEN_FIRST];
}

/* PyTorch computed in float64: what is left is ten float32 roundings of weights up to 3, and of moments. */
START_TEST(weights_are_those_of_pytorch) {
  static golden data;
  golden_read(&data);
  training run = training_new(2, &golden_options[_i], golden_counts, 2);
  give(&run, value_of, data.start);
  for (int k = 0; k < GOLDEN_STEPS; k++) {
    give(&run, gradient_of, data.gradient[k]);
    step(&run, golden_options[_i].rate);
    for (int i = 0; i < GOLDEN_WEIGHTS; i++)
      ck_assert_msg(fabs((double)weight_of(&run, i) - data.weight[_i][k][i]) < 1e-6,
                    "case %d (%s), step %d, weight %d: %.9g, PyTorch %.9g", _i,
                    rung_optimizer_name(golden_options[_i].optimizer), k + 1, i, (double)weight_of(&run, i),
                    data.weight[_i][k][i]);
  }
  training_free(&run);
}
END_TEST

#define KIND_NAME(kind, structure) structure.name,
START_TEST(every_optimizer_of_the_list_is_held_against_pytorch) {
  const char *const names[] = {OPTIMIZER_LIST(KIND_NAME)};
  ck_assert_int_eq(sizeof names / sizeof names[0], RUNG_OPTIMIZER_KIND_COUNT);
  for (int kind = 0; kind < RUNG_OPTIMIZER_KIND_COUNT; kind++) {
    int cases = 0;
    for (int i = 0; i < GOLDEN_CASES; i++) cases += (int)golden_options[i].optimizer == kind;
    ck_assert_msg(cases > 0, "no golden case of %s", names[kind]);
    ck_assert_str_eq(rung_optimizer_name((rung_optimizer_kind)kind), names[kind]);
  }
  ck_assert_str_eq(rung_optimizer_name(RUNG_OPTIMIZER_KIND_COUNT), "unknown");
}
END_TEST

/* ---- For any team ----------------------------------------------------------------------------------------------- */

static const int64_t many_counts[] = {50003, 1, 4096, 64, 4097, 700};
enum { MANY = sizeof many_counts / sizeof many_counts[0] };

static void fill(float *numbers, int64_t count, rung_rng rng) {
  for (int64_t i = 0; i < count; i++) numbers[i] = 4 * rung_rng_uniform(&rng) - 2;
}

/* FNV-1a over the bits of all weights after three clipped steps. */
static uint64_t train(int kind, int threads) {
  const rung_fit_options options = {
      .optimizer = (rung_optimizer_kind)kind, .momentum = 0.9f, .weight_decay = 0.01f, .clip_norm = 3};
  const rung_rng seed = rung_rng_seed(11);
  training run = training_new(threads, &options, many_counts, MANY);
  for (uint64_t p = 0; p < MANY; p++) fill(value_of(&run, (int)p), many_counts[p], rung_rng_split(&seed, p));
  for (uint64_t k = 1; k <= 3; k++) {
    for (uint64_t p = 0; p < MANY; p++)
      fill(gradient_of(&run, (int)p), many_counts[p], rung_rng_split(&seed, k * MANY + p));
    step(&run, 0.05f);
  }
  uint64_t hash = 14695981039346656037u;
  for (int p = 0; p < MANY; p++)
    for (int64_t i = 0; i < many_counts[p]; i++) {
      uint32_t bits;
      memcpy(&bits, value_of(&run, p) + i, sizeof bits);
      hash = (hash ^ bits) * 1099511628211u;
    }
  training_free(&run);
  return hash;
}

START_TEST(same_bits_for_every_team) {
  static const int teams[] = {2, 3, 5};
  const uint64_t alone = train(_i, 1);
  for (int i = 0; i < 3; i++)
    ck_assert_msg(train(_i, teams[i]) == alone, "%s: a team of %d differs",
                  rung_optimizer_name((rung_optimizer_kind)_i), teams[i]);
}
END_TEST

START_TEST(a_step_allocates_nothing) {
  const rung_fit_options options = {.optimizer = (rung_optimizer_kind)_i, .clip_norm = 1};
  training run = training_new(2, &options, many_counts, MANY);
  uint64_t before = rung_allocation_count();
  for (int k = 0; k < 3; k++) step(&run, 0.1f);
  ck_assert_uint_eq(rung_allocation_count(), before);
  training_free(&run);
}
END_TEST

/* ---- Clipping --------------------------------------------------------------------------------------------------- */

/* SGD at rate 1 moves the weights, 0 at first, by the clipped gradient itself: its norm is the limit, its direction the
 * gradient's, over all parameters together. */
START_TEST(clipping_holds_the_norm_of_all_gradients_together) {
  const rung_fit_options options = {.optimizer = RUNG_OPTIMIZER_SGD, .clip_norm = 2.5f};
  training run = training_new(3, &options, many_counts, MANY);
  double squares = 0, clipped = 0;
  for (int p = 0; p < MANY; p++) {
    fill(gradient_of(&run, p), many_counts[p], rung_rng_seed((uint64_t)p));
    for (int64_t i = 0; i < many_counts[p]; i++) squares += pow((double)gradient_of(&run, p)[i], 2);
  }
  step(&run, 1);
  const double scale = 2.5 / sqrt(squares);
  for (int p = 0; p < MANY; p++)
    for (int64_t i = 0; i < many_counts[p]; i++) {
      double moved = -(double)value_of(&run, p)[i];
      ENSURE(fabs(moved - scale * (double)gradient_of(&run, p)[i]) < 1e-7);
      clipped += moved * moved;
    }
  ck_assert_double_eq_tol(sqrt(clipped), 2.5, 1e-5);
  training_free(&run);
}
END_TEST

START_TEST(a_gradient_within_the_limit_is_left_alone) {
  const rung_fit_options options = {.optimizer = RUNG_OPTIMIZER_SGD, .clip_norm = 5};
  training run = training_new(2, &options, (const int64_t[]){1, 1}, 2);
  gradient_of(&run, 0)[0] = 3;
  gradient_of(&run, 1)[0] = -4; /* the norm is the limit */
  step(&run, 1);
  ck_assert(value_of(&run, 0)[0] == -3 && value_of(&run, 1)[0] == 4);
  gradient_of(&run, 0)[0] = 6;
  gradient_of(&run, 1)[0] = -8;
  step(&run, 1);
  ck_assert(value_of(&run, 0)[0] == -6 && value_of(&run, 1)[0] == 8);
  training_free(&run);
}
END_TEST

START_TEST(clipping_does_not_hide_what_is_not_a_number) {
  const rung_fit_options options = {.optimizer = (rung_optimizer_kind)_i, .clip_norm = 1};
  training run = training_new(1, &options, (const int64_t[]){3}, 1);
  gradient_of(&run, 0)[1] = NAN;
  step(&run, 0.1f);
  ck_assert(isnan(value_of(&run, 0)[1]));
  training_free(&run);
}
END_TEST

/* ---- What is trained, with which options ------------------------------------------------------------------------ */

START_TEST(parameters_that_are_not_trained_stay) {
  rung_graph *graph = rung_graph_new(NULL);
  rung_node *trained = rung_graph_parameter(graph, "trained", RUNG_SHAPE(2));
  rung_node *fixed = rung_graph_parameter(graph, "fixed", RUNG_SHAPE(2));
  rung_node_set_trainable(fixed, false);
  optimizer *rule = optimizer_new(graph, &(rung_fit_options){.optimizer = (rung_optimizer_kind)_i});
  ((float *)trained->gradient.data)[1] = ((float *)fixed->gradient.data)[1] = 1;
  optimizer_begin(rule, 0.5f);
  optimizer_update(rule, 0, 1);
  ck_assert(((float *)trained->value.data)[0] == 0 && ((float *)trained->value.data)[1] < -0.49f);
  ck_assert(((float *)fixed->value.data)[1] == 0);
  optimizer_free(rule);
  rung_graph_free(graph);
}
END_TEST

/* Without a gradient, decay alone moves weights. */
START_TEST(decay_leaves_alone_what_does_not_decay) {
  const rung_fit_options options = {.optimizer = (rung_optimizer_kind)_i, .weight_decay = 0.1f};
  const int64_t counts[] = {100, 100};
  training run = training_new(1, &options, counts, 2);
  rung_node_set_decays(rung_graph_node(run.graph, 1), false);
  for (int i = 0; i < 100; i++) value_of(&run, 0)[i] = value_of(&run, 1)[i] = 1;
  step(&run, 0.01f);
  for (int i = 0; i < 100; i++) {
    ck_assert(value_of(&run, 0)[i] < 1);
    ck_assert(value_of(&run, 1)[i] == 1);
  }
  training_free(&run);
}
END_TEST

START_TEST(nothing_to_train_is_refused) {
  rung_graph *graph = rung_graph_new(NULL);
  rung_node_set_trainable(rung_graph_parameter(graph, "fixed", RUNG_SHAPE(2)), false);
  ck_assert_ptr_null(optimizer_new(graph, &(rung_fit_options){0}));
  ck_assert_str_eq(rung_error(), "fit: nothing to train: the network has no trainable parameter");
  rung_graph_free(graph);
}
END_TEST

static const struct {
  rung_fit_options options;
  const char *message;
} refused[] = {
    {{.optimizer = RUNG_OPTIMIZER_KIND_COUNT}, "fit: optimizer 4, expected 0 .. 3"},
    {{.momentum = -0.1f}, "fit: momentum -0.1, expected 0 or more and less than 1"},
    {{.momentum = 1}, "fit: momentum 1, expected 0 or more and less than 1"},
    {{.momentum = NAN}, "fit: momentum nan, expected 0 or more and less than 1"},
    {{.beta2 = 1}, "fit: beta2 1, expected 0 or more and less than 1"},
    {{.epsilon = -1}, "fit: epsilon -1, expected a number that is 0 or more"},
    {{.weight_decay = -0.5f}, "fit: weight_decay -0.5, expected a number that is 0 or more"},
    {{.weight_decay = NAN}, "fit: weight_decay nan, expected a number that is 0 or more"},
    {{.clip_norm = -1}, "fit: clip_norm -1, expected a number that is 0 or more"},
    {{.clip_norm = INFINITY}, "fit: clip_norm inf, expected a number that is 0 or more"},
    {{.optimizer = RUNG_OPTIMIZER_SGD, .nesterov = true},
     "fit: nesterov with sgd and momentum 0, expected sgd and a momentum above 0"},
    {{.momentum = 0.5f, .nesterov = true},
     "fit: nesterov with adam and momentum 0.5, expected sgd and a momentum above 0"},
    {{.schedule.warm_up = -2}, "fit: warm-up of -2 steps, expected 0 or more"},
};
enum { REFUSED = sizeof refused / sizeof refused[0] };

START_TEST(options_out_of_range_are_refused) {
  rung_graph *graph = rung_graph_new(NULL);
  ck_assert_ptr_nonnull(rung_graph_parameter(graph, "w", RUNG_SHAPE(2)));
  ck_assert_ptr_null(optimizer_new(graph, &refused[_i].options));
  ck_assert_str_eq(rung_error(), refused[_i].message);
  rung_graph_free(graph);
}
END_TEST

TEST_MAIN(CASES(weights_are_those_of_pytorch, GOLDEN_CASES), CASE(every_optimizer_of_the_list_is_held_against_pytorch),
          CASES(same_bits_for_every_team, RUNG_OPTIMIZER_KIND_COUNT),
          CASES(a_step_allocates_nothing, RUNG_OPTIMIZER_KIND_COUNT),
          CASE(clipping_holds_the_norm_of_all_gradients_together), CASE(a_gradient_within_the_limit_is_left_alone),
          CASES(clipping_does_not_hide_what_is_not_a_number, RUNG_OPTIMIZER_KIND_COUNT),
          CASES(parameters_that_are_not_trained_stay, RUNG_OPTIMIZER_KIND_COUNT),
          CASES(decay_leaves_alone_what_does_not_decay, RUNG_OPTIMIZER_KIND_COUNT), CASE(nothing_to_train_is_refused),
          CASES(options_out_of_range_are_refused, REFUSED))
