/* Pruning: which weights go, that they stay away whatever trains, and what is left when whole neurons went. */
#include "golden/prune.h"
#include "io/scratch.h"
#include "model.h"
#include "problem.h"

#include <math.h>

enum { FIRST = 40 * FEATURES, SECOND = 24 * 40, THIRD = CLASSES * 24, WEIGHTS = FIRST + SECOND + THIRD };

#define EXPECT_OK(call) ck_assert_msg((call) == RUNG_OK, "%s", rung_error())

static const uint8_t *mask_of(const rung_model *model, const char *name) {
  for (int i = 0; i < rung_model_parameter_count(model); i++)
    if (strcmp(rung_model_parameter(model, i).name, name) == 0) return rung_model_mask(model, i);
  ck_abort_msg("no parameter '%s'", name);
}

static int64_t zeros_of(const rung_model *model, const char *name, int64_t count) {
  const float *value = problem_parameter(model, name);
  int64_t zeros = 0;
  for (int64_t i = 0; i < count; i++) zeros += value[i] == 0;
  return zeros;
}

static int64_t zeros_of_all(const rung_model *model) {
  return zeros_of(model, "fc1.weight", FIRST) + zeros_of(model, "fc2.weight", SECOND) +
         zeros_of(model, "fc3.weight", THIRD);
}

/* Every masked parameter is 0 where its mask is 0, and, it being random, nowhere else. */
static void expect_masks(const rung_model *model, const char *what) {
  for (int p = 0; p < rung_model_parameter_count(model); p++) {
    const rung_parameter parameter = rung_model_parameter(model, p);
    const uint8_t *keep = rung_model_mask(model, p);
    const bool weight = strstr(parameter.name, "weight") != NULL;
    int64_t count;
    EXPECT_OK(rung_shape_count(&parameter.shape, &count));
    for (int64_t i = 0; keep && i < count; i++)
      ck_assert_msg(keep[i] ? !weight || parameter.value[i] != 0 : parameter.value[i] == 0,
                    "%s: %s[%d] is %g, its mask %d", what, parameter.name, (int)i, (double)parameter.value[i], keep[i]);
  }
}

/* ---- Which weights go ------------------------------------------------------------------------------------------- */

START_TEST(the_count_is_exact) {
  static const float shares[] = {0.001f, 0.1f, 0.5f, 0.9f, 0.99f};
  for (int i = 0; i < 5; i++) {
    int64_t weights;
    rung_model *model = perceptron(1, 3);
    EXPECT_OK(rung_prune(model, &(rung_prune_options){.sparsity = shares[i]}));
    ck_assert_int_eq(zeros_of_all(model), (int64_t)rint((double)shares[i] * WEIGHTS));
    ck_assert_int_eq(rung_model_pruned(model, &weights), zeros_of_all(model));
    ck_assert_int_eq(weights, WEIGHTS);
    expect_masks(model, "global");
    rung_model_free(model);
    model = perceptron(1, 3);
    EXPECT_OK(rung_prune(model, &(rung_prune_options){.method = RUNG_PRUNE_PER_LAYER, .sparsity = shares[i]}));
    ck_assert_int_eq(zeros_of(model, "fc1.weight", FIRST), (int64_t)rint((double)shares[i] * FIRST));
    ck_assert_int_eq(zeros_of(model, "fc2.weight", SECOND), (int64_t)rint((double)shares[i] * SECOND));
    ck_assert_int_eq(zeros_of(model, "fc3.weight", THIRD), (int64_t)rint((double)shares[i] * THIRD));
    rung_model_free(model);
  }
}
END_TEST

/* Magnitudes, not values; of equals the first ones. */
START_TEST(ties_go_by_index) {
  rung_model *model = perceptron(1, 3);
  float *first = problem_parameter(model, "fc1.weight"), *second = problem_parameter(model, "fc2.weight");
  for (int i = 0; i < FIRST; i++) first[i] = i % 2 ? -0.5f : 0.5f;
  for (int i = 0; i < SECOND; i++) second[i] = i % 3 ? 0.5f : -0.25f;
  const int64_t count = SECOND / 3 + 200; /* all the quarters, what is below a half, and some of the halves */
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.sparsity = (float)((double)count / WEIGHTS)}));
  int smaller = 0; /* in the third layer, whatever is below a half */
  for (int i = 0; i < THIRD; i++) smaller += !mask_of(model, "fc3.weight")[i];
  for (int i = 0; i < FIRST; i++) ck_assert_int_eq(first[i] == 0, i < 200 - smaller);
  for (int i = 0; i < SECOND; i++) ck_assert_int_eq(second[i] == 0, i % 3 == 0);
  ck_assert(smaller > 50 && smaller < THIRD);
  rung_model_free(model);
}
END_TEST

/* What is pruned stays pruned, and counts; a smaller share gives nothing back. */
START_TEST(pruning_again_goes_on) {
  rung_model *model = perceptron(1, 3);
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.sparsity = 0.5f}));
  for (int i = 0; i < FIRST; i++) { /* what is left is smaller than what went */
    float *weight = &problem_parameter(model, "fc1.weight")[i];
    if (*weight != 0) *weight = 1e-6f;
  }
  static uint8_t before[FIRST];
  memcpy(before, mask_of(model, "fc1.weight"), FIRST);
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.sparsity = 0.6f}));
  ck_assert_int_eq(rung_model_pruned(model, NULL), (int64_t)rint((double)0.6f * WEIGHTS));
  for (int i = 0; i < FIRST; i++) ck_assert(mask_of(model, "fc1.weight")[i] <= before[i]);
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.sparsity = 0.2f}));
  ck_assert_int_eq(rung_model_pruned(model, NULL), (int64_t)rint((double)0.6f * WEIGHTS));
  rung_unprune(model);
  ck_assert_ptr_null(mask_of(model, "fc1.weight"));
  ck_assert_int_eq(rung_model_pruned(model, NULL), 0);
  ck_assert_int_eq(zeros_of_all(model), (int64_t)rint((double)0.6f * WEIGHTS));
  rung_model_free(model);
}
END_TEST

/* torch.nn.utils.prune, once and again on top. */
START_TEST(the_global_mask_is_that_of_pytorch) {
  enum { HIDDEN_WEIGHTS = GOLDEN_HIDDEN * GOLDEN_IN, ALL = HIDDEN_WEIGHTS + GOLDEN_OUT * GOLDEN_HIDDEN };
  rung_model *model = rung_model_new(NULL);
  rung_node *x = rung_relu(rung_linear(rung_input(model, "x", RUNG_SHAPE(GOLDEN_IN)), "fc1", GOLDEN_HIDDEN));
  rung_loss_cross_entropy(rung_linear(x, "fc2", GOLDEN_OUT));
  memcpy(problem_parameter(model, "fc1.weight"), golden_weights, HIDDEN_WEIGHTS * sizeof(float));
  memcpy(problem_parameter(model, "fc2.weight"), golden_weights + HIDDEN_WEIGHTS,
         (ALL - HIDDEN_WEIGHTS) * sizeof(float));
  const struct {
    float sparsity;
    const unsigned char *mask;
  } steps[] = {{0.7f, golden_mask_70}, {0.9f, golden_mask_90}};
  for (int s = 0; s < 2; s++) {
    EXPECT_OK(rung_prune(model, &(rung_prune_options){.sparsity = steps[s].sparsity}));
    ck_assert_mem_eq(mask_of(model, "fc1.weight"), steps[s].mask, HIDDEN_WEIGHTS);
    ck_assert_mem_eq(mask_of(model, "fc2.weight"), steps[s].mask + HIDDEN_WEIGHTS, ALL - HIDDEN_WEIGHTS);
  }
  rung_model_free(model);
}
END_TEST

/* Of every block of m all but the n largest; blocks begin anew with each row, whose last one may be short. */
START_TEST(n_of_m_holds_row_by_row) {
  static const int pairs[][2] = {{0, 0}, {1, 4}, {3, 5}, {2, 7}, {63, 64}};
  const int n = pairs[_i][0] ? pairs[_i][0] : 2, m = pairs[_i][1] ? pairs[_i][1] : 4;
  static float before[FIRST];
  rung_model *model = perceptron(1, 3);
  float *weight = problem_parameter(model, "fc1.weight");
  for (int i = 0; i < FIRST; i += 5) weight[i] = 0.25f; /* ties */
  memcpy(before, weight, sizeof before);
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.method = RUNG_PRUNE_N_M, .n = pairs[_i][0], .m = pairs[_i][1]}));
  for (int j = 0; j < 40; j++)
    for (int k = 0; k < FEATURES; k += m) {
      const int width = FEATURES - k < m ? FEATURES - k : m, at = j * FEATURES + k;
      int left = 0;
      for (int i = at; i < at + width; i++) {
        left += weight[i] != 0;
        for (int o = at; o < at + width; o++) /* no pruned one is larger than one that stays */
          ck_assert(weight[i] != 0 || weight[o] == 0 || fabsf(before[i]) <= fabsf(before[o]));
      }
      ck_assert_int_eq(left, width < n ? width : n);
    }
  expect_masks(model, "n:m");
  rung_model_free(model);
}
END_TEST

static rung_model *normed(int threads, bool bias) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = threads, .seed = 4});
  rung_node *x = rung_input(model, "x", RUNG_SHAPE(FEATURES));
  x = rung_linear_init(x, "fc1", 40, &(rung_linear_options){.no_bias = !bias});
  x = rung_dropout(rung_relu(rung_batch_norm(x, "bn1")), 0.1f);
  x = rung_batch_norm(rung_sigmoid(rung_linear(x, "fc2", 24)), "bn2");
  rung_loss_cross_entropy(rung_linear(x, "fc3", CLASSES));
  EXPECT_OK(rung_model_status(model));
  return model;
}

/* One layer alone, each by its own share; the others keep all of theirs. */
START_TEST(a_layer_may_be_pruned_alone) {
  rung_model *model = perceptron(1, 3);
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.sparsity = 0.75f, .layer = "fc2"}));
  ck_assert_int_eq(zeros_of(model, "fc2.weight", SECOND), SECOND / 4 * 3);
  ck_assert_int_eq(zeros_of_all(model), SECOND / 4 * 3);
  const rung_prune_options of_first = {.method = RUNG_PRUNE_NEURONS, .sparsity = 0.75f, .layer = "fc1"};
  EXPECT_OK(rung_prune(model, &of_first));
  rung_model *smaller = rung_model_without_pruned(model, NULL);
  ck_assert_int_eq(rung_graph_find(rung_model_graph(smaller), "fc1.weight")->value.shape.extent[0], 10);
  rung_model_free(smaller);
  REFUSED(rung_prune(model, &(rung_prune_options){.sparsity = 0.5f, .layer = "fc9"}), RUNG_ERROR_STATE,
          "no linear layer 'fc9'");
  REFUSED(rung_prune(model, &(rung_prune_options){.method = RUNG_PRUNE_NEURONS, .sparsity = 0.5f, .layer = "fc3"}),
          RUNG_ERROR_UNSUPPORTED, "no hidden layer");
  rung_model_free(model);
}
END_TEST

/* Half of the hidden neurons, whichever layers they are in: those that are small beside the others of their layer. */
START_TEST(neurons_are_chosen_over_all_layers) {
  rung_model *model = perceptron(1, 3);
  float *first = problem_parameter(model, "fc1.weight"), *second = problem_parameter(model, "fc2.weight");
  for (int i = 0; i < FIRST; i++) first[i] = i < 30 * FEATURES ? 0.01f : 1; /* 30 small ones of 40 */
  for (int i = 0; i < SECOND; i++)
    second[i] = i < 2 * 40 ? 0.5f : 1e-4f * (float)(1000 + i / 40); /* 2 large ones of 24 */
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.method = RUNG_PRUNE_NEURONS, .sparsity = 0.5f}));
  const uint8_t *one = mask_of(model, "fc1.bias"), *other = mask_of(model, "fc2.bias");
  for (int j = 0; j < 40; j++) ck_assert_int_eq(one[j], j >= 30);
  for (int j = 0; j < 24; j++) ck_assert_int_eq(other[j], j < 2 || j >= 4); /* 2 of the rest, the smallest */
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.method = RUNG_PRUNE_NEURONS, .sparsity = 0.999f}));
  int left[2] = {0};
  for (int j = 0; j < 40; j++) left[0] += one[j];
  for (int j = 0; j < 24; j++) left[1] += other[j];
  ck_assert(left[0] == 1 && left[1] == 1); /* the last one of a layer stays */
  rung_model_free(model);
}
END_TEST

static int count_kept(const rung_model *model, const char *name, int count) {
  int kept = 0;
  for (int i = 0; i < count; i++) kept += mask_of(model, name)[i];
  return kept;
}

/* Neurons of the first layer take 156 + 40 weights, those of the second 40 + 9: a fourth. All else being equal the
 * shares that stay are then as 1 to 2 (eq. 62b: f^2 c is the same for both), and all of the second as long as more than
 * half of the first are left; little by little as well as at once. */
START_TEST(neurons_that_take_more_go_sooner) {
  const struct {
    float sparsity;
    int first, second; /* left */
  } at[] = {{5.0f / 80, 35, 40}, {20.0f / 80, 20, 40}, {40.0f / 80, 13, 27}, {65.0f / 80, 5, 10}};
  rung_model *stepwise = NULL;
  for (int i = 0; i < 4; i++) {
    rung_model *model =
        rung_model_from_text("input 156; linear 40, relu, linear 40, relu, linear 9; cross-entropy", NULL);
    ck_assert_msg(model != NULL, "%s", rung_error());
    for (int k = 0; k < 40 * 156; k++) problem_parameter(model, "fc1.weight")[k] = 0.25f;
    for (int k = 0; k < 40 * 40; k++) problem_parameter(model, "fc2.weight")[k] = 3;
    if (!stepwise) stepwise = rung_model_copy(model, NULL);
    rung_model *both[] = {model, stepwise};
    for (int b = 0; b < 2; b++) {
      EXPECT_OK(rung_prune(both[b], &(rung_prune_options){.method = RUNG_PRUNE_NEURONS, .sparsity = at[i].sparsity}));
      ck_assert_int_eq(count_kept(both[b], "fc1.bias", 40), at[i].first);
      ck_assert_int_eq(count_kept(both[b], "fc2.bias", 40), at[i].second);
    }
    rung_model_free(model);
  }
  rung_model_free(stepwise);
}
END_TEST

/* Half of each hidden layer, those of the smallest norm times the batch norm's factor; and all that belongs to them. */
START_TEST(neurons_go_with_all_that_is_theirs) {
  problem *p = problem_new(RUNG_U8, 100, 1);
  rung_model *model = normed(1, true);
  EXPECT_OK(rung_fit(model, p->data, &(rung_fit_options){.rate = 1e-2f}));
  double score[40];
  const float *weight = problem_parameter(model, "fc1.weight"), *scale = problem_parameter(model, "bn1.weight");
  for (int j = 0; j < 40; j++) {
    score[j] = 0;
    for (int k = 0; k < FEATURES; k++) score[j] += fabs((double)weight[j * FEATURES + k]);
    score[j] *= fabs((double)scale[j]) / sqrt((double)problem_parameter(model, "bn1.running_var")[j] + 1e-5);
  }
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.method = RUNG_PRUNE_NEURONS_PER_LAYER, .sparsity = 0.5f}));
  const uint8_t *bias = mask_of(model, "fc1.bias");
  int pruned = 0;
  for (int j = 0; j < 40; j++) {
    pruned += !bias[j];
    for (int i = 0; i < 40; i++) ck_assert(!bias[i] || bias[j] || score[j] <= score[i]);
    ck_assert_int_eq(mask_of(model, "bn1.bias")[j], bias[j]);
    ck_assert_int_eq(problem_parameter(model, "bn1.running_mean")[j] == 0, !bias[j]);
    for (int k = 0; k < FEATURES; k++) ck_assert_int_eq(weight[j * FEATURES + k] == 0, !bias[j]);
    for (int o = 0; o < 24; o++) ck_assert(bias[j] || problem_parameter(model, "fc2.weight")[o * 40 + j] == 0);
  }
  ck_assert_int_eq(pruned, 20);
  expect_masks(model, "neurons");
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(options_are_checked) {
  rung_model *model = perceptron(1, 3);
  const struct {
    rung_prune_options options;
    const char *says;
  } bad[] = {{{.sparsity = 0}, "sparsity 0, expected more than 0 and less than 1"},
             {{.sparsity = 1}, "sparsity 1"},
             {{.sparsity = -0.5f}, "sparsity -0.5"},
             {{.sparsity = NAN}, "sparsity"},
             {{.method = RUNG_PRUNE_METHOD_COUNT, .sparsity = 0.5f}, "method 5, expected 0 .. 4"},
             {{.method = RUNG_PRUNE_N_M, .n = 4, .m = 4}, "4:4, expected N:M with 1 <= N < M <= 64"},
             {{.method = RUNG_PRUNE_N_M, .n = 2, .m = 65}, "2:65"}};
  const uint64_t before = rung_model_hash(model);
  for (int i = 0; i < (int)(sizeof bad / sizeof bad[0]); i++)
    REFUSED(rung_prune(model, &bad[i].options), RUNG_ERROR_ARGUMENT, bad[i].says);
  REFUSED(rung_prune(NULL, &(rung_prune_options){.sparsity = 0.5f}), RUNG_ERROR_ARGUMENT, "NULL");
  problem_parameter(model, "fc1.bias")[0] = NAN;
  REFUSED(rung_prune(model, &(rung_prune_options){.sparsity = 0.5f}), RUNG_ERROR_NUMERIC, "fc1.bias");
  problem_parameter(model, "fc1.bias")[0] = 0;
  ck_assert_uint_eq(rung_model_hash(model), before);
  rung_model_free(model);
  model = rung_model_from_text("input 12; linear 4; cross-entropy", NULL);
  REFUSED(rung_prune(model, &(rung_prune_options){.method = RUNG_PRUNE_NEURONS, .sparsity = 0.5f}),
          RUNG_ERROR_UNSUPPORTED, "no hidden layer");
  rung_model_free(model);
  model = rung_model_from_text("input 12; relu; squared-error", NULL);
  REFUSED(rung_prune(model, &(rung_prune_options){.sparsity = 0.5f}), RUNG_ERROR_STATE, "no linear layer");
  rung_model_free(model);
}
END_TEST

START_TEST(methods_have_names) {
  rung_prune_options options = {0};
  for (int i = 0; i < RUNG_PRUNE_METHOD_COUNT; i++) {
    const char *name = i == RUNG_PRUNE_N_M ? "12:16" : rung_prune_method_name((rung_prune_method)i);
    EXPECT_OK(rung_prune_parse(name, &options));
    ck_assert_int_eq(options.method, i);
  }
  EXPECT_OK(rung_prune_parse("12:16", &options));
  ck_assert(options.n == 12 && options.m == 16);
  static const char *const bad[] = {"", "small", "n:m", "2", "2:", ":4", "4:2", "2:2", "0:4", "2:65", "2:4x", "2:444"};
  for (int i = 0; i < 12; i++)
    REFUSED(rung_prune_parse(bad[i], &options), RUNG_ERROR_ARGUMENT,
            "expected magnitude, per-layer, neurons, neurons-");
  ck_assert_str_eq(rung_prune_method_name(RUNG_PRUNE_METHOD_COUNT), "unknown");
}
END_TEST

/* ---- That they stay away ---------------------------------------------------------------------------------------- */

static const rung_fit_options optimizers[] = {
    {.weight_decay = 1e-2f},
    {.optimizer = RUNG_OPTIMIZER_ADAMW, .weight_decay = 1e-2f},
    {.optimizer = RUNG_OPTIMIZER_SGD, .momentum = 0.9f, .nesterov = true, .weight_decay = 1e-3f},
    {.optimizer = RUNG_OPTIMIZER_SGD, .momentum = 0.9f, .clip_norm = 0.5f},
    {.clip_norm = 0.5f},
};
enum { OPTIMIZERS = sizeof optimizers / sizeof optimizers[0] };

/* After every step, and not only once the fit has tidied up. */
static bool expect_masks_now(void *context, const rung_progress *progress) {
  (void)progress;
  expect_masks(context, "during the fit");
  return false;
}

static uint64_t train_pruned(const problem *p, const problem_form *form, const rung_fit_options *options, int threads) {
  rung_model *model = perceptron(threads, 3);
  EXPECT_OK(rung_fit(model, p->data, &(rung_fit_options){.rate = 1e-2f}));
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.sparsity = 0.7f}));
  problem_bring(model, p->data, form);
  const uint64_t before = rung_model_hash(model);
  rung_fit_options watched = *options;
  watched.progress = expect_masks_now;
  watched.context = model;
  EXPECT_OK(rung_fit(model, p->data, &watched));
  expect_masks(model, form->name);
  ck_assert_int_eq(rung_model_pruned(model, NULL), (int64_t)rint((double)0.7f * WEIGHTS));
  const uint64_t hash = rung_model_hash(model);
  ck_assert_uint_ne(hash, before);
  rung_model_free(model);
  return hash;
}

/* Under every optimizer, with gradients taken as they come and stored, in every form, on any number of threads. */
START_TEST(no_fit_brings_them_back) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  for (int f = 0; f < FORMS; f++) {
    rung_fit_options options = optimizers[_i];
    options.rate = 1e-2f;
    const uint64_t one = train_pruned(p, &problem_forms[f], &options, 1);
    for (int threads = 2; threads <= 3; threads++)
      ck_assert_uint_eq(train_pruned(p, &problem_forms[f], &options, threads), one);
  }
  problem_free(p);
}
END_TEST

/* A gradient that a pruned weight would have does not count towards the norm that is clipped. */
START_TEST(clipping_looks_at_what_is_left) {
  problem *p = problem_new(RUNG_F32, 16, 1);
  rung_model *model = perceptron(1, 3);
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.sparsity = 0.9f}));
  EXPECT_OK(rung_fit(model, p->data,
                     &(rung_fit_options){.optimizer = RUNG_OPTIMIZER_SGD, .rate = 1e-3f, .clip_norm = 1e-3f}));
  double squares = 0;
  for (int i = 0; i < rung_model_parameter_count(model); i++) {
    const rung_parameter parameter = rung_model_parameter(model, i);
    const uint8_t *keep = rung_model_mask(model, i);
    int64_t count;
    EXPECT_OK(rung_shape_count(&parameter.shape, &count));
    for (int64_t k = 0; k < count; k++) {
      ck_assert(!keep || keep[k] || parameter.gradient[k] == 0);
      squares += (double)parameter.gradient[k] * (double)parameter.gradient[k];
    }
  }
  ck_assert(squares > 0);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(the_sparsity_rises_as_a_cube) {
  const rung_prune_schedule by = {.to = {.sparsity = 0.875f}, .initial = 0.125f, .begin = 100, .steps = 400};
  ck_assert(rung_prune_sparsity(&by, 0) == 0 && rung_prune_sparsity(&by, 99) == 0);
  ck_assert(rung_prune_sparsity(&by, 100) == 0.125f);
  ck_assert(rung_prune_sparsity(&by, 300) == 0.875f - 0.75f / 8);
  ck_assert(rung_prune_sparsity(&by, 500) == 0.875f && rung_prune_sparsity(&by, INT64_MAX) == 0.875f);
  for (int64_t t = 100; t < 490; t++) ck_assert(rung_prune_sparsity(&by, t) < rung_prune_sparsity(&by, t + 1));
}
END_TEST

typedef struct watched {
  const rung_model *model;
  int64_t pruned[64]; /* after step i */
  int steps;
} watched;

static bool watch(void *context, const rung_progress *progress) {
  watched *seen = context;
  (void)progress;
  seen->pruned[seen->steps++] = rung_model_pruned(seen->model, NULL);
  return false;
}

/* 2 epochs of 7 steps: before steps 2, 5, 8 and 9, and not before any other. */
START_TEST(a_fit_prunes_when_it_is_due) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = perceptron(1, 3);
  watched seen = {.model = model};
  const rung_prune_schedule by = {.to = {.sparsity = 0.9f}, .initial = 0.1f, .begin = 2, .steps = 7, .every = 3};
  EXPECT_OK(
      rung_fit(model, p->data, &(rung_fit_options){.epochs = 2, .prune = by, .progress = watch, .context = &seen}));
  ck_assert_int_eq(seen.steps, 14);
  for (int64_t t = 0; t < 14; t++) {
    const int64_t last = t < 2 ? 0 : t < 5 ? 2 : t < 8 ? 5 : t < 9 ? 8 : 9;
    ck_assert_int_eq(seen.pruned[t], (int64_t)rint((double)rung_prune_sparsity(&by, last) * WEIGHTS));
  }
  expect_masks(model, "little by little");
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(a_schedule_must_fit_into_the_fit) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = perceptron(1, 3);
  const struct {
    rung_prune_schedule by;
    const char *says;
  } bad[] = {{{.to = {.sparsity = 0.5f}, .steps = 7}, "ends before step 7 of the fit, which has 7"},
             {{.to = {.sparsity = 0.5f}, .begin = 7}, "ends before step 10 of the fit"},
             {{.to = {.method = RUNG_PRUNE_N_M}, .begin = 7}, "ends before step 7 of the fit"},
             {{.to = {.sparsity = 0.5f}, .initial = 0.6f}, "initial 0.6, expected at most the sparsity 0.5"},
             {{.to = {.sparsity = 0.5f}, .every = -1}, "every -1"},
             {{.to = {.sparsity = 0.5f, .layer = "fc1"}}, "layer 'fc1' in a fit"},
             {{.to = {.method = RUNG_PRUNE_PER_LAYER}}, "sparsity 0, expected more than 0"}};
  for (int i = 0; i < (int)(sizeof bad / sizeof bad[0]); i++)
    REFUSED(rung_fit(model, p->data, &(rung_fit_options){.prune = bad[i].by}), RUNG_ERROR_ARGUMENT, bad[i].says);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* ---- In integers ------------------------------------------------------------------------------------------------ */

/* A pruned weight is the integer 0, and a channel's scale is made by what is left of it. */
START_TEST(integers_of_pruned_weights_are_0) {
  static const int bits[] = {8, 4, 3, 2};
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = perceptron(1, 3);
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.sparsity = 0.8f}));
  EXPECT_OK(rung_quantize(model, &(rung_scheme){.weight_bits = bits[_i]}));
  EXPECT_OK(rung_calibrate(model, p->data, 0));
  EXPECT_OK(rung_fit(model, p->data, &(rung_fit_options){.rate = 1e-2f}));
  rung_quantization_make_integers(rung_model_quantization(model));
  static const char *const names[] = {"fc1.weight", "fc2.weight", "fc3.weight"};
  int layers = 0;
  rung_graph *graph = rung_quantization_graph(rung_model_quantization(model), RUNG_ARITHMETIC_INTEGER);
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    rung_integer_layer layer;
    if (rung_integer_layer_view(rung_graph_node(graph, i), &layer) != RUNG_OK) continue;
    const uint8_t *keep = mask_of(model, names[layers]);
    const float *weight = problem_parameter(model, names[layers++]);
    for (int64_t j = 0; j < layer.out; j++) {
      float most = 0;
      for (int64_t k = j * layer.in; k < (j + 1) * layer.in; k++) {
        ck_assert(keep[k] || layer.weight[k] == 0);
        if (keep[k] && fabsf(weight[k]) > most) most = fabsf(weight[k]);
      }
      ck_assert(most == 0 || layer.weight_scale[j] == most / (float)((1 << (bits[_i] - 1)) - 1));
    }
  }
  ck_assert_int_eq(layers, 3);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(one_bit_has_no_0) {
  rung_model *model = perceptron(1, 3);
  EXPECT_OK(rung_quantize(model, &(rung_scheme){.weight_bits = 1}));
  REFUSED(rung_prune(model, &(rung_prune_options){.sparsity = 0.5f}), RUNG_ERROR_UNSUPPORTED,
          "1-bit max weights have no 0");
  EXPECT_OK(rung_quantize(model, &(rung_scheme){.weight_bits = 2}));
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.sparsity = 0.5f}));
  REFUSED(rung_quantize(model, &(rung_scheme){.weight_bits = 1}), RUNG_ERROR_UNSUPPORTED,
          "1-bit max weights have no 0");
  const rung_scheme mixed = {.layers = &(rung_layer_scheme){.name = "fc2", .weight_bits = 1}, .layer_count = 1};
  REFUSED(rung_quantize(model, &mixed), RUNG_ERROR_UNSUPPORTED, "1-bit max weights of fc2 have no 0");
  const rung_scheme dorefa = {.weight_bits = 4, .weights = RUNG_WEIGHTS_DOREFA};
  REFUSED(rung_quantize(model, &dorefa), RUNG_ERROR_UNSUPPORTED, "4-bit dorefa weights have no 0");
  ck_assert_int_eq(rung_model_scheme(model)->weight_bits, 2);
  rung_unprune(model);
  EXPECT_OK(rung_quantize(model, &(rung_scheme){.weight_bits = 1}));
  rung_model_free(model);
}
END_TEST

/* ---- Copies, and models without their pruned neurons ------------------------------------------------------------ */

/* The bytes of the scores of all examples, in the model's form. */
static int64_t scores_of(rung_model *model, const problem *p, void *to) {
  rung_graph *graph = rung_model_bind(model, p->data);
  ck_assert_msg(graph != NULL, "%s", rung_error());
  rung_model_touch(model);
  int64_t count = 0;
  for (int64_t first = 0; first < p->data->count; first += BATCH) {
    const int64_t left = p->data->count - first;
    EXPECT_OK(rung_graph_replay(graph, &(rung_replay_options){.count = left < BATCH ? left : BATCH, .first = first}));
    const rung_tensor *scores = model_scores(model);
    memcpy((char *)to + count * 4, scores->data, (size_t)rung_tensor_count(scores) * 4);
    count += rung_tensor_count(scores);
  }
  return count;
}

/* +0 and -0 are one number. */
static void expect_same_scores(rung_model *one, rung_model *other, const problem *p, const char *what) {
  static float a[MOST * CLASSES], b[MOST * CLASSES];
  const int64_t count = scores_of(one, p, a);
  ck_assert_int_eq(scores_of(other, p, b), count);
  const bool integers = model_scores(one)->type == RUNG_I32;
  for (int64_t i = 0; i < count; i++)
    ck_assert_msg(integers ? memcmp(&a[i], &b[i], 4) == 0 : a[i] == b[i], "%s: score %d: %.9g and %.9g", what, (int)i,
                  (double)a[i], (double)b[i]);
}

static rung_model *made(const problem *p, const problem_form *form, bool bias, const rung_prune_options *prune) {
  rung_model *model = normed(2, bias);
  EXPECT_OK(rung_fit(model, p->data, &(rung_fit_options){.epochs = 2, .rate = 1e-2f}));
  if (prune) EXPECT_OK(rung_prune(model, prune));
  EXPECT_OK(rung_fit(model, p->data, &(rung_fit_options){.rate = 1e-2f}));
  problem_bring(model, p->data, form);
  EXPECT_OK(rung_fit(model, p->data, &(rung_fit_options){.rate = 1e-3f}));
  return model;
}

/* It computes what the model computes, and trains to the same bits. */
START_TEST(a_copy_is_the_model_once_more) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = made(p, &problem_forms[_i], true, &(rung_prune_options){.sparsity = 0.5f});
  rung_model *copy = rung_model_copy(model, &(rung_model_options){.threads = 1});
  ck_assert_msg(copy != NULL, "%s", rung_error());
  ck_assert_uint_eq(rung_model_hash(copy), rung_model_hash(model));
  ck_assert_int_eq(rung_model_form(copy), rung_model_form(model));
  ck_assert_int_eq(rung_model_pruned(copy, NULL), rung_model_pruned(model, NULL));
  expect_same_scores(model, copy, p, problem_forms[_i].name);
  EXPECT_OK(rung_fit(model, p->data, &(rung_fit_options){.epochs = 2, .rate = 1e-2f}));
  ck_assert_uint_ne(rung_model_hash(copy), rung_model_hash(model));
  EXPECT_OK(rung_fit(copy, p->data, &(rung_fit_options){.epochs = 2, .rate = 1e-2f}));
  ck_assert_uint_eq(rung_model_hash(copy), rung_model_hash(model));
  expect_same_scores(model, copy, p, problem_forms[_i].name);
  rung_model_free(model);
  rung_model_free(copy);
  problem_free(p);
}
END_TEST

/* 12-40-24-4 without half of its hidden neurons is 12-20-12-4, computes the same bits, and goes on from there. */
START_TEST(without_pruned_neurons_it_computes_the_same) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  for (int bias = 0; bias < 2; bias++) {
    const rung_prune_options half = {.method = RUNG_PRUNE_NEURONS_PER_LAYER, .sparsity = 0.5f};
    rung_model *model = made(p, &problem_forms[_i], bias, &half);
    rung_model *smaller = rung_model_without_pruned(model, NULL);
    ck_assert_msg(smaller != NULL, "%s", rung_error());
    char *text = rung_model_text(smaller);
    ck_assert_ptr_nonnull(strstr(text, bias ? "linear 20, batch-norm" : "linear 20 no-bias, batch-norm"));
    ck_assert_ptr_nonnull(strstr(text, "linear 12, sigmoid, batch-norm, linear 4"));
    rung_release(text);
    ck_assert_int_eq(rung_model_pruned(smaller, NULL), 0);
    expect_same_scores(model, smaller, p, problem_forms[_i].name);
    EXPECT_OK(rung_fit(smaller, p->data, &(rung_fit_options){.rate = 1e-3f}));
    rung_model_free(model);
    rung_model_free(smaller);
  }
  problem_free(p);
}
END_TEST

/* Learned scales of weights and activations go along, each with its neuron; so do those of a merged batch norm's net.
 */
START_TEST(learned_scales_are_copied) {
  static const rung_scheme schemes[] = {
      {.weight_bits = 4, .activation_bits = 4, .weights = RUNG_WEIGHTS_LSQ, .activations = RUNG_ACTIVATIONS_LSQ},
      {.weight_bits = 2, .activation_bits = 2, .activations = RUNG_ACTIVATIONS_PACT},
      {.weight_bits = 4, .activation_bits = 4, .batch_norm = RUNG_BATCH_NORM_MERGE}};
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = rung_model_from_text(
      "input 12; linear 40, batch-norm, relu, linear 24, batch-norm, relu, linear 4; cross-entropy",
      &(rung_model_options){.batch = BATCH, .threads = 1, .seed = 2});
  EXPECT_OK(rung_fit(model, p->data, &(rung_fit_options){.rate = 1e-2f}));
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.method = RUNG_PRUNE_NEURONS, .sparsity = 0.5f}));
  EXPECT_OK(rung_quantize(model, &schemes[_i]));
  EXPECT_OK(rung_calibrate(model, p->data, 0));
  EXPECT_OK(rung_fit(model, p->data, &(rung_fit_options){.rate = 1e-3f}));
  rung_model *copy = rung_model_copy(model, NULL), *smaller = rung_model_without_pruned(model, NULL);
  ck_assert_msg(copy && smaller, "%s", rung_error());
  ck_assert_uint_eq(rung_model_hash(copy), rung_model_hash(model));
  expect_same_scores(model, copy, p, "copy");
  expect_same_scores(model, smaller, p, "smaller");
  EXPECT_OK(rung_fit(model, p->data, &(rung_fit_options){.rate = 1e-3f}));
  EXPECT_OK(rung_fit(copy, p->data, &(rung_fit_options){.rate = 1e-3f}));
  ck_assert_uint_eq(rung_model_hash(copy), rung_model_hash(model));
  rung_model_free(copy);
  rung_model_free(smaller);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* Weights that were pruned one by one take no neuron with them unless nobody reads it; a layer keeps one at least. */
START_TEST(only_what_nobody_reads_is_removed) {
  problem *p = problem_new(RUNG_F32, 50, 1);
  rung_model *model = perceptron(1, 3);
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.sparsity = 0.9f}));
  int read = 0;
  for (int j = 0; j < 24; j++) {
    bool any = false;
    for (int o = 0; o < CLASSES; o++) any |= mask_of(model, "fc3.weight")[o * 24 + j] == 1;
    read += any;
  }
  ck_assert(read < 24);
  rung_model *smaller = rung_model_without_pruned(model, NULL);
  ck_assert_int_eq(rung_graph_find(rung_model_graph(smaller), "fc3.weight")->value.shape.extent[1], read);
  ck_assert_int_gt(rung_model_pruned(smaller, NULL), 0);
  expect_same_scores(model, smaller, p, "one by one");
  rung_model_free(smaller);
  EXPECT_OK(rung_prune(model, &(rung_prune_options){.sparsity = 0.9999f}));
  smaller = rung_model_without_pruned(model, NULL);
  ck_assert_int_eq(rung_graph_find(rung_model_graph(smaller), "fc2.weight")->value.shape.extent[0], 1);
  expect_same_scores(model, smaller, p, "nearly nothing");
  rung_model_free(smaller);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* ---- Files ------------------------------------------------------------------------------------------------------ */

START_TEST(checkpoints_keep_masks) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  const char *path = scratch_path("pruned");
  rung_model *model = made(p, &problem_forms[1], true, &(rung_prune_options){.sparsity = 0.6f});
  const rung_status saved = rung_model_save(model, path);
  if (saved == RUNG_ERROR_UNSUPPORTED) test_skip("no cJSON");
  EXPECT_OK(saved);
  rung_model *loaded = rung_model_load(path, NULL);
  ck_assert_msg(loaded != NULL, "%s", rung_error());
  ck_assert_int_eq(rung_model_pruned(loaded, NULL), rung_model_pruned(model, NULL));
  for (int i = 0; i < rung_model_parameter_count(model); i++) {
    const uint8_t *one = rung_model_mask(model, i), *other = rung_model_mask(loaded, i);
    const rung_parameter parameter = rung_model_parameter(model, i);
    int64_t count;
    EXPECT_OK(rung_shape_count(&parameter.shape, &count));
    ck_assert_int_eq(one == NULL, other == NULL);
    if (one) ck_assert_mem_eq(one, other, (size_t)count);
  }
  EXPECT_OK(rung_fit(model, p->data, &(rung_fit_options){.rate = 1e-2f}));
  EXPECT_OK(rung_fit(loaded, p->data, &(rung_fit_options){.rate = 1e-2f}));
  ck_assert_uint_eq(rung_model_hash(model), rung_model_hash(loaded));
  expect_masks(loaded, "loaded");
  const char *dense = scratch_path("dense"); /* which has no masks, and takes them away */
  rung_unprune(model);
  EXPECT_OK(rung_model_save(model, dense));
  EXPECT_OK(rung_model_restore(loaded, dense));
  ck_assert_int_eq(rung_model_pruned(loaded, NULL), 0);
  rung_model_free(model);
  rung_model_free(loaded);
  problem_free(p);
}
END_TEST

TEST_MAIN(CASE(the_count_is_exact), CASE(ties_go_by_index), CASE(pruning_again_goes_on),
          CASE(the_global_mask_is_that_of_pytorch), CASES(n_of_m_holds_row_by_row, 5),
          CASE(a_layer_may_be_pruned_alone), CASE(neurons_are_chosen_over_all_layers),
          CASE(neurons_that_take_more_go_sooner), CASE(neurons_go_with_all_that_is_theirs), CASE(options_are_checked),
          CASE(methods_have_names), CASES(no_fit_brings_them_back, OPTIMIZERS), CASE(clipping_looks_at_what_is_left),
          CASE(the_sparsity_rises_as_a_cube), CASE(a_fit_prunes_when_it_is_due), CASE(a_schedule_must_fit_into_the_fit),
          CASES(integers_of_pruned_weights_are_0, 4), CASE(one_bit_has_no_0),
          CASES(a_copy_is_the_model_once_more, FORMS), CASES(without_pruned_neurons_it_computes_the_same, FORMS),
          CASES(learned_scales_are_copied, 3), CASE(only_what_nobody_reads_is_removed), CASE(checkpoints_keep_masks))
