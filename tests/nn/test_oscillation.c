/* Oscillating weights in a fit, against the definition in plain loops over the integers that each step leaves. */
#include "io/scratch.h"
#include "recipes.h"

#include <math.h>

enum { EXAMPLES = 103, LAYERS = 3 };

static problem *train_set;

/* By the definition (docs/oscillation.md), from the integers of one layer after each step. */
typedef struct plain {
  int64_t count, flips;
  int8_t *last, *way, *next; /* next: to be seen at the next step */
  float *frequency, *mean;
} plain;

typedef struct watch {
  rung_model *model;
  bool lags; /* gradients are stored: the next forward pass makes the integers, and sees them */
  plain layer[LAYERS];
  int8_t *frozen_at[LAYERS]; /* the integers of frozen weights; INT8_MIN before */
} watch;

static const rung_node *linear_of(const rung_model *model, int index) {
  const rung_node *node;
  for (int i = 0; (node = rung_graph_node(rung_model_graph(model), i)) != NULL; i++)
    if (strcmp(node->op->name, "linear") == 0 && index-- == 0) return node;
  return NULL;
}

static rung_integer_layer integers_of(const rung_model *model, int index) {
  rung_quantization *quantization = rung_model_quantization(model);
  rung_integer_layer layer;
  const rung_node *node = rung_quantization_node(quantization, RUNG_ARITHMETIC_INTEGER, linear_of(model, index));
  ck_assert_int_eq(rung_integer_layer_view(node, &layer), RUNG_OK);
  return layer;
}

static void plain_begin(watch *at, int index) {
  const rung_integer_layer layer = integers_of(at->model, index);
  plain *p = &at->layer[index];
  const size_t count = (size_t)(layer.in * layer.out);
  *p = (plain){.count = (int64_t)count,
               .last = malloc(count),
               .next = malloc(count),
               .way = calloc(count, 1),
               .frequency = calloc(count, sizeof(float)),
               .mean = calloc(count, sizeof(float))};
  memcpy(p->last, layer.weight, count);
  memcpy(p->next, layer.weight, count);
  for (size_t i = 0; i < count; i++) p->mean[i] = layer.weight[i];
  at->frozen_at[index] = malloc(count);
  memset(at->frozen_at[index], INT8_MIN, count);
}

static void plain_step(plain *p, const int8_t *q) {
  for (int64_t i = 0; i < p->count; i++) {
    int d = q[i] - p->last[i], way = d > 0 ? 1 : d < 0 ? -1 : 0;
    float o = way != 0 && p->way[i] != 0 && p->way[i] != way;
    p->flips += way != 0;
    if (way) p->way[i] = (int8_t)way;
    p->last[i] = q[i];
    p->frequency[i] += 0.01f * (o - p->frequency[i]);
    p->mean[i] += 0.01f * ((float)q[i] - p->mean[i]);
  }
}

static bool follow(void *context, const rung_progress *progress) {
  watch *at = context;
  (void)progress;
  rung_quantization_make_integers(rung_model_quantization(at->model));
  for (int k = 0; k < LAYERS; k++) {
    const rung_integer_layer layer = integers_of(at->model, k);
    const rung_oscillation_state state =
        rung_quantization_oscillation_state(rung_model_quantization(at->model), linear_of(at->model, k));
    plain_step(&at->layer[k], at->lags ? at->layer[k].next : layer.weight);
    memcpy(at->layer[k].next, layer.weight, (size_t)at->layer[k].count);
    for (int64_t i = 0; i < at->layer[k].count; i++) {
      int8_t *held = &at->frozen_at[k][i];
      if (*held != INT8_MIN) ck_assert_int_eq(layer.weight[i], *held);
      if (state.frozen[i]) *held = state.code[i];
    }
  }
  return false;
}

static watch *begin(const rung_fit_options *options, int bits, int threads) {
  if (!train_set) train_set = problem_new(RUNG_U8, EXAMPLES, 1);
  watch *at = calloc(1, sizeof *at);
  const recipe plain_recipe = {.form = RUNG_FORM_FLOAT};
  at->model = recipe_model(&plain_recipe, threads, 5);
  ck_assert_int_eq(rung_fit(at->model, train_set->data, &(rung_fit_options){.rate = 1e-2f}), RUNG_OK);
  ck_assert_int_eq(rung_quantize(at->model, &(rung_scheme){.weight_bits = bits, .activation_bits = 4}), RUNG_OK);
  ck_assert_int_eq(rung_calibrate(at->model, train_set->data, 0), RUNG_OK);
  rung_quantization_make_integers(rung_model_quantization(at->model));
  for (int k = 0; k < LAYERS; k++) plain_begin(at, k);
  at->lags = options->clip_norm > 0;
  rung_fit_options with = *options;
  with.progress = follow;
  with.context = at;
  ck_assert_msg(rung_fit(at->model, train_set->data, &with) == RUNG_OK, "%s", rung_error());
  return at;
}

static void end(watch *at) {
  for (int k = 0; k < LAYERS; k++) {
    free(at->layer[k].last), free(at->layer[k].way), free(at->layer[k].next), free(at->layer[k].frequency),
        free(at->layer[k].mean);
    free(at->frozen_at[k]);
  }
  rung_model_free(at->model);
  free(at);
}

static rung_oscillation counts(const watch *at, int k) {
  return rung_quantization_oscillation(rung_model_quantization(at->model), linear_of(at->model, k));
}

/* With gradients that the optimizer takes as they come, and with those that are stored; one thread and two. */
START_TEST(what_is_counted_is_the_definition) {
  rung_fit_options options = {.epochs = 12, .rate = 2e-2f, .oscillation.watch = true};
  if (_i & 1) options.clip_norm = 1;
  watch *at = begin(&options, 2, 1 + _i / 2);
  int64_t oscillating = 0;
  for (int k = 0; k < LAYERS; k++) {
    const plain *p = &at->layer[k];
    const rung_oscillation seen = counts(at, k);
    const rung_oscillation_state state =
        rung_quantization_oscillation_state(rung_model_quantization(at->model), linear_of(at->model, k));
    int64_t often = 0;
    for (int64_t i = 0; i < p->count; i++) {
      often += p->frequency[i] > 0.005f;
      ck_assert_msg(p->frequency[i] == state.frequency[i] && p->mean[i] == state.mean[i] && p->last[i] == state.code[i],
                    "layer %d, weight %lld", k, (long long)i);
    }
    ck_assert_int_eq(seen.weights, p->count);
    ck_assert_int_eq(seen.flips, p->flips);
    ck_assert_int_eq(seen.oscillating, often);
    ck_assert_int_eq(seen.frozen, 0);
    oscillating += often;
  }
  ck_assert_int_gt(oscillating, 10);
  end(at);
}
END_TEST

/* follow() sees that they stay. */
START_TEST(what_is_frozen_stays) {
  const rung_fit_options options = {.epochs = 12, .rate = 2e-2f, .oscillation.freeze = 0.01f};
  watch *at = begin(&options, 2, 1 + _i);
  rung_oscillation all = {0};
  for (int k = 0; k < LAYERS; k++) all.frozen += counts(at, k).frozen;
  ck_assert_int_gt(all.frozen, 10);
  const rung_fit_options later = {.epochs = 2, .rate = 5e-2f, .progress = follow, .context = at};
  ck_assert_int_eq(rung_fit(at->model, train_set->data, &later), RUNG_OK);
  for (int k = 0; k < LAYERS; k++) all.frozen -= counts(at, k).frozen;
  ck_assert_int_eq(all.frozen, 0); /* a fit without does not freeze, nor let go */
  end(at);
}
END_TEST

/* Mean distance of the weights from what their integers stand for, in steps of the scale. */
static double distance(const watch *at) {
  double sum = 0;
  int64_t count = 0;
  rung_quantization_make_integers(rung_model_quantization(at->model));
  for (int k = 0; k < LAYERS; k++) {
    const rung_integer_layer layer = integers_of(at->model, k);
    const float *w = linear_of(at->model, k)->input[1]->value.data;
    for (int64_t i = 0; i < layer.in * layer.out; i++, count++)
      sum += fabs((double)(w[i] / layer.weight_scale[i / layer.in] - (float)layer.weight[i]));
  }
  return sum / (double)count;
}

START_TEST(damping_draws_weights_to_the_middle) {
  rung_fit_options options = {.epochs = 12, .rate = 2e-2f, .oscillation.watch = true};
  watch *free_ones = begin(&options, 3, 1);
  options.oscillation.damping = 0.1f;
  watch *damped = begin(&options, 3, 1);
  ck_assert_double_lt(distance(damped), 0.6 * distance(free_ones));
  end(free_ones);
  end(damped);
}
END_TEST

START_TEST(what_has_no_meaning_is_refused) {
  if (!train_set) train_set = problem_new(RUNG_U8, EXAMPLES, 1);
  const recipe plain_recipe = {.form = RUNG_FORM_FLOAT};
  rung_model *model = recipe_model(&plain_recipe, 1, 5);
  rung_fit_options options = {.oscillation.watch = true};
  REFUSED(rung_fit(model, train_set->data, &options), RUNG_ERROR_STATE, "not in integer form");
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){.weight_bits = 2, .weights = RUNG_WEIGHTS_DOREFA}), RUNG_OK);
  ck_assert_int_eq(rung_calibrate(model, train_set->data, 0), RUNG_OK);
  REFUSED(rung_fit(model, train_set->data, &options), RUNG_ERROR_UNSUPPORTED, "by dorefa stand on no grid");
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){.weight_bits = 2}), RUNG_OK);
  ck_assert_int_eq(rung_calibrate(model, train_set->data, 0), RUNG_OK);
  options.oscillation = (rung_oscillation_options){.damping = -1};
  REFUSED(rung_fit(model, train_set->data, &options), RUNG_ERROR_ARGUMENT, "damping -1, expected");
  options.oscillation = (rung_oscillation_options){.freeze = 2};
  REFUSED(rung_fit(model, train_set->data, &options), RUNG_ERROR_ARGUMENT, "freeze 2, expected 0 .. 1");
  options.oscillation = (rung_oscillation_options){.watch = true, .momentum = NAN};
  REFUSED(rung_fit(model, train_set->data, &options), RUNG_ERROR_ARGUMENT, "momentum nan, expected 0 .. 1");
  rung_model_free(model);
}
END_TEST

TEST_MAIN(CASES(what_is_counted_is_the_definition, 4), CASES(what_is_frozen_stays, 2),
          CASE(damping_draws_weights_to_the_middle), CASE(what_has_no_meaning_is_refused))
