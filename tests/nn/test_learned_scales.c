/* Scales that train: where they start, that they move, stay positive, are told by the hash, and cost no allocation. */
#include "problem.h"

#include <math.h>

typedef struct way {
  rung_form form;
  rung_granularity granularity;
  float clip_norm; /* 0: gradients are taken as they come */
  rung_activation_method activations;
} way;

static const way ways[] = {
    {RUNG_FORM_INTEGER, RUNG_PER_CHANNEL, 0, RUNG_ACTIVATIONS_LSQ},
    {RUNG_FORM_INTEGER, RUNG_PER_TENSOR, 0, RUNG_ACTIVATIONS_PACT},
    {RUNG_FORM_INTEGER, RUNG_PER_GROUP, 0, RUNG_ACTIVATIONS_LSQ},
    {RUNG_FORM_INTEGER, RUNG_PER_CHANNEL, 1e6f, RUNG_ACTIVATIONS_PACT},
    {RUNG_FORM_INTEGER, RUNG_PER_TENSOR, 1e6f, RUNG_ACTIVATIONS_LSQ},
    {RUNG_FORM_SIMULATED, RUNG_PER_CHANNEL, 0, RUNG_ACTIVATIONS_LSQ},
    {RUNG_FORM_SIMULATED, RUNG_PER_TENSOR, 0, RUNG_ACTIVATIONS_PACT},
};
enum { WAYS = sizeof ways / sizeof ways[0], MOST_SCALES = 1024 };

static rung_model *learner(const way *how, const problem *p) {
  rung_model *model = perceptron(2, 1);
  const rung_scheme scheme = {.weight_bits = 2,
                              .activation_bits = 2,
                              .weight_granularity = how->granularity,
                              .weight_group = how->granularity == RUNG_PER_GROUP ? 8 : 0,
                              .weights = RUNG_WEIGHTS_LSQ,
                              .activations = how->activations};
  ck_assert_msg(rung_quantize(model, &scheme) == RUNG_OK, "%s", rung_error());
  ck_assert_msg(rung_calibrate(model, p->data, 0) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(rung_model_use(model, how->form), RUNG_OK);
  return model;
}

/* All learned scales, one behind the other. */
static int scales_of(const rung_model *model, float *to) {
  const rung_graph *graph = rung_quantization_learned(rung_model_quantization(model));
  int count = 0;
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_tensor *scale = &rung_graph_node(graph, i)->value;
    ck_assert_int_lt(count + rung_tensor_count(scale), MOST_SCALES);
    memcpy(to + count, scale->data, (size_t)rung_tensor_count(scale) * sizeof(float));
    count += (int)rung_tensor_count(scale);
  }
  return count;
}

static void fit(rung_model *model, const problem *p, const way *how, float rate) {
  const rung_fit_options options = {.rate = rate,
                                    .clip_norm = how->clip_norm,
                                    .weight_decay = 0.1f,
                                    .optimizer = RUNG_OPTIMIZER_SGD,
                                    .schedule = {.kind = RUNG_SCHEDULE_CONSTANT}};
  ck_assert_msg(rung_fit(model, p->data, &options) == RUNG_OK, "%s", rung_error());
}

START_TEST(scales_start_and_move) {
  const way *how = &ways[_i];
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = learner(how, p);
  float before[MOST_SCALES], start[MOST_SCALES], after[MOST_SCALES];
  const int count = scales_of(model, before);
  ck_assert_int_ge(count, 6); /* three weights and what each reads */
  for (int i = 0; i < count; i++) ck_assert(before[i] == 0);
  fit(model, p, how, 1e-30f); /* nothing moves but to where it starts */
  scales_of(model, start);
  for (int i = 0; i < count; i++) ck_assert(start[i] > 0);
  const uint64_t hash = rung_model_hash(model);
  fit(model, p, how, 1e-2f);
  scales_of(model, after);
  int moved = 0;
  for (int i = 0; i < count; i++) moved += after[i] != start[i];
  ck_assert_int_gt(moved, count * 9 / 10);
  ck_assert_uint_ne(rung_model_hash(model), hash);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* A step that would take more than half away, or all. */
START_TEST(scales_stay_positive) {
  const way *how = &ways[_i];
  problem *p = problem_new(RUNG_F32, BATCH, 1); /* one step an epoch */
  rung_model *model = learner(how, p);
  float before[MOST_SCALES], after[MOST_SCALES];
  fit(model, p, how, 1e-30f);
  const int count = scales_of(model, before);
  fit(model, p, how, 1e3f);
  scales_of(model, after);
  int held = 0;
  for (int i = 0; i < count; i++) {
    ck_assert(after[i] >= before[i] / 2);
    held += after[i] == before[i] / 2;
  }
  ck_assert_int_gt(held, 0);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* The hash is over them too. */
START_TEST(the_hash_tells) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = learner(&ways[0], p);
  fit(model, p, &ways[0], 1e-3f);
  const uint64_t hash = rung_model_hash(model);
  const rung_graph *learned = rung_quantization_learned(rung_model_quantization(model));
  for (int i = 0; i < rung_graph_node_count(learned); i++) {
    float *value = rung_graph_node(learned, i)->value.data, kept = *value;
    *value *= 2;
    ck_assert_uint_ne(rung_model_hash(model), hash);
    *value = NAN;
    REFUSED(rung_model_check_finite(model), RUNG_ERROR_NUMERIC, rung_graph_node(learned, i)->name);
    *value = kept;
  }
  ck_assert_uint_eq(rung_model_hash(model), hash);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

typedef struct diary {
  uint64_t count[16];
  int steps;
} diary;

static bool note(void *context, const rung_progress *progress) {
  diary *d = context;
  (void)progress;
  if (d->steps < 16) d->count[d->steps++] = rung_allocation_count();
  return false;
}

START_TEST(a_step_allocates_nothing) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = learner(&ways[_i], p);
  diary d = {.steps = 0};
  const rung_fit_options options = {.epochs = 2, .clip_norm = ways[_i].clip_norm, .progress = note, .context = &d};
  ck_assert_msg(rung_fit(model, p->data, &options) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(d.steps, 14);
  for (int i = 1; i < d.steps; i++) ck_assert_uint_eq(d.count[i], d.count[0]);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

TEST_MAIN(CASES(scales_start_and_move, WAYS), CASES(scales_stay_positive, WAYS), CASE(the_hash_tells),
          CASES(a_step_allocates_nothing, WAYS))
