/* Fit: it learns, shows every example once an epoch, tells what it does, stops when told and when it must. */
#include "problem.h"

#include <math.h>

/* ---- It learns -------------------------------------------------------------------------------------------------- */

/* Metrics before and after. */
static void expect_to_learn(rung_model *model, const rung_dataset *data, const rung_fit_options *options,
                            double share) {
  rung_metrics before, after;
  ck_assert_msg(rung_evaluate(model, data, &before) == RUNG_OK, "%s", rung_error());
  ck_assert_msg(rung_fit(model, data, options) == RUNG_OK, "%s", rung_error());
  ck_assert_msg(rung_evaluate(model, data, &after) == RUNG_OK, "%s", rung_error());
  ck_assert_msg(after.loss < share * before.loss, "%g -> %g", before.loss, after.loss);
  if (data->labels) ck_assert_double_ge(after.accuracy, 0.95);
}

START_TEST(loss_falls_in_every_form) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1);
  problem_bring(model, p->data, &problem_forms[_i]);
  expect_to_learn(model, p->data, &(rung_fit_options){.epochs = 12, .rate = 1e-2f}, 0.2);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* From a network that was fitted a little, as it is meant to be used, and with the range of each step too. */
START_TEST(loss_falls_with_every_backward) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = perceptron(2, 1);
  const rung_scheme scheme = {.backward = (rung_backward)(_i % RUNG_BACKWARD_COUNT),
                              .ranges = (rung_ranges)(_i / RUNG_BACKWARD_COUNT)};
  ck_assert_int_eq(rung_fit(model, p->data, &(rung_fit_options){.epochs = 1, .rate = 2e-3f}), RUNG_OK);
  ck_assert_msg(rung_quantize(model, &scheme) == RUNG_OK, "%s", rung_error());
  ck_assert_msg(rung_calibrate(model, p->data, 0) == RUNG_OK, "%s", rung_error());
  expect_to_learn(model, p->data, &(rung_fit_options){.epochs = 12, .rate = 1e-2f}, 0.2);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(regression_learns_a_map_in_every_form) {
  problem *p = problem_regression(103, 1);
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = 1});
  rung_node *x = rung_relu(rung_linear(rung_input(model, "x", RUNG_SHAPE(FEATURES)), "fc1", 32));
  rung_loss_squared_error(rung_linear(x, "fc2", OUTPUTS));
  problem_bring(model, p->data, &problem_forms[_i]);
  expect_to_learn(model, p->data, &(rung_fit_options){.epochs = 20, .rate = 1e-2f}, 0.1);
  rung_metrics metrics;
  ck_assert_int_eq(rung_evaluate(model, p->data, &metrics), RUNG_OK);
  ck_assert(metrics.accuracy == 0 && metrics.examples == 103);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(hinge_learns) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = 1});
  rung_node *x = rung_relu(rung_linear(rung_input(model, "x", RUNG_SHAPE(FEATURES)), "fc1", 32));
  rung_loss_squared_hinge(rung_linear(x, "fc2", CLASSES));
  expect_to_learn(model, p->data, &(rung_fit_options){.epochs = 20, .rate = 1e-2f}, 0.2);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(every_optimizer_learns_by_the_defaults_but_the_rate) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1);
  const rung_optimizer_kind kind = (rung_optimizer_kind)_i;
  expect_to_learn(
      model, p->data,
      &(rung_fit_options){.epochs = 15, .rate = kind == RUNG_OPTIMIZER_SGD ? 0.2f : 1e-2f, .optimizer = kind}, 0.3);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* ---- Clipping --------------------------------------------------------------------------------------------------- */

/* How far all weights together move in one step of SGD at rate 1. */
static double distance_moved(const problem *p, const problem_form *form, float clip_norm) {
  rung_model *model = perceptron(2, 1), *before = perceptron(1, 1);
  problem_bring(model, p->data, form);
  const rung_fit_options options = {.optimizer = RUNG_OPTIMIZER_SGD, .rate = 1, .clip_norm = clip_norm};
  ck_assert_msg(rung_fit(model, p->data, &options) == RUNG_OK, "%s", rung_error());
  double squares = 0;
  for (int i = 0; i < rung_model_parameter_count(model); i++) {
    const rung_parameter to = rung_model_parameter(model, i), from = rung_model_parameter(before, i);
    int64_t count;
    ck_assert_int_eq(rung_shape_count(&to.shape, &count), RUNG_OK);
    for (int64_t k = 0; k < count; k++) squares += pow((double)to.value[k] - (double)from.value[k], 2);
  }
  rung_model_free(model);
  rung_model_free(before);
  return sqrt(squares);
}

/* No weight moves before the norm of all gradients is known: the step is as long as the limit, or as the gradient. */
START_TEST(a_clipped_step_is_as_long_as_the_limit) {
  problem *p = problem_new(RUNG_U8, BATCH, 1);
  const double whole = distance_moved(p, &problem_forms[_i], 0);
  ck_assert_double_gt(whole, 0.1);
  ck_assert_double_eq_tol(distance_moved(p, &problem_forms[_i], (float)whole / 3), whole / 3, 1e-5 * whole);
  ck_assert_double_eq_tol(distance_moved(p, &problem_forms[_i], (float)whole * 3), whole, 1e-12 * whole);
  problem_free(p);
}
END_TEST

/* ---- Which examples a step sees --------------------------------------------------------------------------------- */

/* Example i has the label i and the input i, so that a step's batch can be read back. */
enum { NUMBERED = 43, NUMBERED_EPOCHS = 3, NUMBERED_STEPS = (NUMBERED + BATCH - 1) / BATCH };

typedef struct watch {
  rung_model *model;
  int32_t order[NUMBERED_EPOCHS][NUMBERED]; /* labels as they came */
  int calls;
  bool in_step; /* input and label of every row belong together */
} watch;

static bool read_batch(void *context, const rung_progress *progress) {
  watch *w = context;
  const rung_graph *graph = rung_model_graph(w->model);
  const float *x = rung_graph_find(graph, "x")->value.data;
  const int32_t *label = rung_graph_find(graph, "label")->value.data;
  int64_t first = (progress->step - 1) * BATCH, count = progress->train.examples - first;
  for (int64_t i = 0; i < count; i++) {
    w->order[progress->epoch - 1][first + i] = label[i];
    w->in_step = w->in_step && x[i] == (float)label[i];
  }
  w->calls++;
  return false;
}

static rung_dataset *numbered_data(void) {
  static float x[NUMBERED][1];
  static int32_t labels[NUMBERED];
  for (int i = 0; i < NUMBERED; i++) {
    x[i][0] = (float)i;
    labels[i] = i;
  }
  const rung_tensor inputs = {.type = RUNG_F32, .shape = RUNG_SHAPE(NUMBERED, 1), .data = x};
  return rung_dataset_new("numbered", &inputs, labels, NUMBERED, NULL);
}

static rung_model *numbered_model(uint64_t seed) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = 1, .seed = seed});
  rung_loss_cross_entropy(rung_linear(rung_input(model, "x", RUNG_SHAPE(1)), "fc", NUMBERED));
  return model;
}

static watch watched_fit(rung_model *model, const rung_dataset *data, bool no_shuffle) {
  watch w = {.model = model, .in_step = true};
  const rung_fit_options options = {
      .epochs = NUMBERED_EPOCHS, .no_shuffle = no_shuffle, .progress = read_batch, .context = &w};
  ck_assert_msg(rung_fit(model, data, &options) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(w.calls, NUMBERED_EPOCHS * NUMBERED_STEPS);
  ck_assert(w.in_step);
  return w;
}

static void expect_each_once(const int32_t *order) {
  bool seen[NUMBERED] = {0};
  for (int i = 0; i < NUMBERED; i++) {
    ck_assert(order[i] >= 0 && order[i] < NUMBERED && !seen[order[i]]);
    seen[order[i]] = true;
  }
}

/* Six epochs of two fits: each a permutation, no two alike; a model of the same seed repeats them all. */
START_TEST(an_epoch_shows_each_example_once_in_an_order_of_its_own) {
  rung_dataset *data = numbered_data();
  rung_model *model = numbered_model(3), *same = numbered_model(3), *other = numbered_model(4);
  const watch fits[2] = {watched_fit(model, data, false), watched_fit(model, data, false)};
  const int32_t(*orders[2])[NUMBERED] = {fits[0].order, fits[1].order};
  for (int a = 0; a < 2 * NUMBERED_EPOCHS; a++) {
    const int32_t *order = orders[a / NUMBERED_EPOCHS][a % NUMBERED_EPOCHS];
    expect_each_once(order);
    for (int b = 0; b < a; b++)
      ck_assert_mem_ne(order, orders[b / NUMBERED_EPOCHS][b % NUMBERED_EPOCHS], sizeof fits[0].order[0]);
  }
  watch again = watched_fit(same, data, false);
  ck_assert_mem_eq(again.order, fits[0].order, sizeof again.order);
  again = watched_fit(same, data, false);
  ck_assert_mem_eq(again.order, fits[1].order, sizeof again.order);
  again = watched_fit(other, data, false);
  ck_assert_mem_ne(again.order[0], fits[0].order[0], sizeof again.order[0]);
  rung_model_free(model);
  rung_model_free(same);
  rung_model_free(other);
  rung_dataset_free(data);
}
END_TEST

START_TEST(no_shuffle_goes_in_order) {
  rung_dataset *data = numbered_data();
  rung_model *model = numbered_model(3);
  const watch w = watched_fit(model, data, true);
  for (int epoch = 0; epoch < NUMBERED_EPOCHS; epoch++)
    for (int i = 0; i < NUMBERED; i++) ck_assert_int_eq(w.order[epoch][i], i);
  rung_model_free(model);
  rung_dataset_free(data);
}
END_TEST

/* ---- What progress tells ---------------------------------------------------------------------------------------- */

typedef struct diary {
  rung_progress page[64];
  uint64_t allocations[64];
  int count, stop_at; /* calls; 0: never */
} diary;

static bool keep_diary(void *context, const rung_progress *progress) {
  diary *d = context;
  d->allocations[d->count] = rung_allocation_count();
  d->page[d->count++] = *progress;
  return d->count == d->stop_at;
}

START_TEST(progress_counts_epochs_steps_and_examples) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1);
  diary d = {0};
  const rung_schedule schedule = {.kind = RUNG_SCHEDULE_COSINE, .warm_up = 3};
  const rung_fit_options options = {
      .epochs = 4, .rate = 1e-2f, .schedule = schedule, .progress = keep_diary, .context = &d};
  ck_assert_int_eq(rung_fit(model, p->data, &options), RUNG_OK);
  ck_assert_int_eq(d.count, 4 * 7); /* 6 whole batches and one of 7 */
  for (int i = 0; i < d.count; i++) {
    const rung_progress *page = &d.page[i];
    ck_assert(page->epoch == 1 + i / 7 && page->epochs == 4 && page->step == 1 + i % 7 && page->steps == 7);
    ck_assert_int_eq(page->train.examples, page->step == 7 ? 103 : page->step * BATCH);
    ck_assert(page->rate == rung_schedule_rate(&schedule, 1e-2f, i, 4 * 7));
    ck_assert(isfinite(page->train.loss) && page->train.accuracy >= 0 && page->train.accuracy <= 1);
    ck_assert(page->seconds > 0 && (page->step == 1 || page->seconds >= d.page[i - 1].seconds));
    ck_assert_int_eq(page->validation.examples, 0);
  }
  ck_assert_double_lt(d.page[d.count - 1].train.loss, d.page[6].train.loss);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* The rate so small that no weight moves, the epoch's metrics are what evaluating gives, up to the order of the sum. */
START_TEST(train_metrics_are_means_over_the_epoch) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1);
  diary d = {0};
  rung_metrics metrics;
  ck_assert_int_eq(rung_fit(model, p->data, &(rung_fit_options){.rate = 1e-30f, .progress = keep_diary, .context = &d}),
                   RUNG_OK);
  ck_assert_int_eq(rung_evaluate(model, p->data, &metrics), RUNG_OK);
  ck_assert_double_eq_tol(d.page[6].train.loss, metrics.loss, 1e-6);
  ck_assert_double_eq(d.page[6].train.accuracy, metrics.accuracy);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(progress_can_stop_the_fit) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1);
  diary d = {.stop_at = 9};
  ck_assert_int_eq(rung_fit(model, p->data, &(rung_fit_options){.epochs = 5, .progress = keep_diary, .context = &d}),
                   RUNG_OK);
  ck_assert_int_eq(d.count, 9);
  ck_assert(d.page[8].epoch == 2 && d.page[8].step == 2);
  d = (diary){.stop_at = 7}; /* an epoch's last step stops the next epoch */
  ck_assert_int_eq(rung_fit(model, p->data, &(rung_fit_options){.epochs = 5, .progress = keep_diary, .context = &d}),
                   RUNG_OK);
  ck_assert_int_eq(d.count, 7);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* ---- Validation ------------------------------------------------------------------------------------------------- */

START_TEST(validation_is_what_evaluate_gives_and_changes_nothing) {
  problem *p = problem_new(RUNG_F32, 103, 1), *held_out = problem_new(RUNG_F32, 37, 2);
  rung_model *model = perceptron(1, 1), *without = perceptron(1, 1);
  problem_bring(model, p->data, &problem_forms[_i]);
  problem_bring(without, p->data, &problem_forms[_i]);
  diary d = {0};
  const rung_fit_options options = {.epochs = 3, .validation = held_out->data, .progress = keep_diary, .context = &d};
  ck_assert_msg(rung_fit(model, p->data, &options) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(rung_fit(without, p->data, &(rung_fit_options){.epochs = 3}), RUNG_OK);
  ck_assert_uint_eq(rung_model_hash(model), rung_model_hash(without)); /* the training set was bound again */
  for (int i = 0; i < d.count; i++)
    ck_assert_int_eq(d.page[i].validation.examples, d.page[i].step == d.page[i].steps ? 37 : 0);
  rung_metrics metrics;
  ck_assert_int_eq(rung_evaluate(model, held_out->data, &metrics), RUNG_OK);
  ck_assert(metrics.loss == d.page[d.count - 1].validation.loss);
  ck_assert(metrics.accuracy == d.page[d.count - 1].validation.accuracy);
  rung_model_free(model);
  rung_model_free(without);
  problem_free(p);
  problem_free(held_out);
}
END_TEST

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

/* After the first step, which sizes the threads' scratch, and the first validation. */
START_TEST(steps_allocate_nothing) {
  problem *p = problem_new(RUNG_F32, 103, 1), *held_out = problem_new(RUNG_F32, 37, 2);
  rung_model *model = perceptron(2, 1);
  problem_bring(model, p->data, &problem_forms[_i]);
  diary d = {0};
  const rung_fit_options options = {
      .epochs = 2, .clip_norm = 1, .validation = held_out->data, .progress = keep_diary, .context = &d};
  ck_assert_int_eq(rung_fit(model, p->data, &options), RUNG_OK);
  ck_assert_int_eq(d.count, 2 * 7);
  for (int i = 1; i < d.count; i++)
    if (i != 6) ck_assert_uint_eq(d.allocations[i], d.allocations[i - 1]);
  rung_model_free(model);
  problem_free(p);
  problem_free(held_out);
}
END_TEST

/* ---- Failures --------------------------------------------------------------------------------------------------- */

START_TEST(divergence_is_told) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1);
  problem_bring(model, p->data, &problem_forms[_i]);
  REFUSED(rung_fit(model, p->data, &(rung_fit_options){.epochs = 20, .rate = 1e38f}), RUNG_ERROR_NUMERIC,
          "fit: the loss is nan at epoch 1, step 2 (rate ");
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* The loss of the only step is a number; the weights that the step leaves are not. */
START_TEST(what_the_last_step_ruined_is_named) {
  problem *p = problem_regression(BATCH, 1);
  for (int i = 0; i < BATCH; i++) p->x[i][0] = 1e6f;
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = 1});
  rung_loss_squared_error(rung_linear(rung_input(model, "x", RUNG_SHAPE(FEATURES)), "fc", OUTPUTS));
  const rung_fit_options options = {.rate = 1e30f, .optimizer = RUNG_OPTIMIZER_SGD};
  REFUSED(rung_fit(model, p->data, &options), RUNG_ERROR_NUMERIC, "fc.weight: value 0 is ");
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(a_weight_that_is_no_number_is_named) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1);
  rung_metrics metrics;
  problem_bring(model, p->data, &problem_forms[_i]);
  problem_parameter(model, "fc2.weight")[7] = _i % 2 ? NAN : INFINITY;
  uint64_t before = rung_model_hash(model);
  REFUSED(rung_fit(model, p->data, NULL), RUNG_ERROR_NUMERIC, "fc2.weight: value 7 is ");
  REFUSED(rung_evaluate(model, p->data, &metrics), RUNG_ERROR_NUMERIC, "fc2.weight: value 7 is ");
  ck_assert_uint_eq(rung_model_hash(model), before);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

static const struct {
  rung_fit_options options;
  const char *says;
} bad_options[] = {
    {{.epochs = -1}, "epochs -1"},
    {{.rate = -1e-3f}, "rate -0.001"},
    {{.rate = NAN}, "rate nan"},
    {{.rate = INFINITY}, "rate inf"},
    {{.optimizer = (rung_optimizer_kind)RUNG_OPTIMIZER_KIND_COUNT}, "optimizer 4"},
    {{.momentum = 1.5f}, "1.5"},
    {{.beta2 = -0.5f}, "-0.5"},
    {{.epsilon = -1}, "-1"},
    {{.weight_decay = -2}, "-2"},
    {{.clip_norm = NAN}, "nan"},
    {{.schedule = {.kind = (rung_schedule_kind)9}}, "schedule 9"},
    {{.schedule = {.warm_up = -4}}, "-4"},
};
enum { BAD_OPTIONS = sizeof bad_options / sizeof bad_options[0] };

START_TEST(options_out_of_range_are_refused) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1);
  uint64_t before = rung_model_hash(model);
  REFUSED(rung_fit(model, p->data, &bad_options[_i].options), RUNG_ERROR_ARGUMENT, bad_options[_i].says);
  ck_assert_uint_eq(rung_model_hash(model), before);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

TEST_MAIN(CASES(loss_falls_in_every_form, FORMS), CASES(a_clipped_step_is_as_long_as_the_limit, FORMS),
          CASES(loss_falls_with_every_backward, 2 * RUNG_BACKWARD_COUNT),
          CASES(regression_learns_a_map_in_every_form, FORMS), CASE(hinge_learns),
          CASES(every_optimizer_learns_by_the_defaults_but_the_rate, RUNG_OPTIMIZER_KIND_COUNT),
          CASE(an_epoch_shows_each_example_once_in_an_order_of_its_own), CASE(no_shuffle_goes_in_order),
          CASE(progress_counts_epochs_steps_and_examples), CASE(train_metrics_are_means_over_the_epoch),
          CASE(progress_can_stop_the_fit), CASES(validation_is_what_evaluate_gives_and_changes_nothing, FORMS),
          CASES(steps_allocate_nothing, FORMS), CASES(divergence_is_told, FORMS),
          CASE(what_the_last_step_ruined_is_named), CASES(a_weight_that_is_no_number_is_named, FORMS),
          CASES(options_out_of_range_are_refused, BAD_OPTIONS))
