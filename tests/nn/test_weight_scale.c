/* Scales of weights from outside: the integers that they give, through evaluation, training and files. */
#include "io/scratch.h"
#include "problem.h"

#include <math.h>

enum { GROUP = 8, MOST_SCALES = 64 };

typedef struct way {
  rung_scheme scheme;
  int64_t scales; /* of fc1, [8, 12] */
} way;

#define WAY(bits, granularity_, group, scales_)                                                                        \
  { .scheme = {.weight_bits = bits, .weight_granularity = granularity_, .weight_group = group}, .scales = scales_ }
static const way ways[] = {
    WAY(8, RUNG_PER_CHANNEL, 0, 8),    WAY(4, RUNG_PER_CHANNEL, 0, 8), WAY(2, RUNG_PER_CHANNEL, 0, 8),
    WAY(1, RUNG_PER_CHANNEL, 0, 8),    WAY(8, RUNG_PER_TENSOR, 0, 1),  WAY(3, RUNG_PER_TENSOR, 0, 1),
    WAY(4, RUNG_PER_GROUP, GROUP, 16),
};
enum { WAYS = sizeof ways / sizeof ways[0], ROWS = 8 };

/* fc1 of a model, its weight put onto a grid. */
typedef struct placed {
  problem *p;
  rung_model *model;
  const rung_node *linear;
  float scale[MOST_SCALES];
  int8_t q[ROWS * FEATURES];
} placed;

static rung_node *find_linear(const rung_model *model) {
  rung_graph *graph = rung_model_graph(model);
  for (int i = 0; i < rung_graph_node_count(graph); i++)
    if (rung_graph_node(graph, i)->op == &rung_op_linear) return rung_graph_node(graph, i);
  ck_abort_msg("no linear layer");
  return NULL;
}

static int64_t scale_index(const way *how, int64_t row, int64_t column) {
  if (how->scheme.weight_granularity == RUNG_PER_TENSOR) return 0;
  return how->scheme.weight_granularity == RUNG_PER_GROUP ? row * 2 + column / GROUP : row;
}

static rung_model *small_model(void) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = 2, .seed = 3});
  rung_node *x = rung_input(model, "x", RUNG_SHAPE(FEATURES));
  x = rung_linear(rung_relu(rung_linear(x, "fc1", ROWS)), "fc2", CLASSES);
  ck_assert_msg(rung_loss_cross_entropy(x) != NULL, "%s", rung_error());
  return model;
}

/* Every integer of the format occurs, and not only the largest decides. */
static placed place(const way *how) {
  placed at = {.p = problem_new(RUNG_U8, 103, 1), .model = small_model()};
  at.linear = find_linear(at.model);
  rung_rng rng = rung_rng_seed(7);
  const rung_format format = rung_scheme_weight_format(&how->scheme);
  int32_t qmin, qmax;
  rung_format_range(&format, &qmin, &qmax);
  for (int64_t i = 0; i < how->scales; i++) at.scale[i] = 0.001f + 0.01f * rung_rng_uniform(&rng);
  ck_assert_int_eq(rung_quantize(at.model, &how->scheme), RUNG_OK);
  ck_assert_msg(rung_calibrate(at.model, at.p->data, 0) == RUNG_OK, "%s", rung_error());
  float *w = at.linear->input[1]->value.data;
  for (int i = 0; i < ROWS * FEATURES; i++) {
    int q = (int)rung_rng_below(&rng, (uint32_t)(qmax > 1 ? qmax : 2 * qmax + 1)) - (qmax > 1 ? 0 : qmax);
    if (format.bits == 1) q = q < 0 ? -1 : 1;
    at.q[i] = (int8_t)(i % 5 == 0 ? -q : q);
    w[i] = (float)at.q[i] * at.scale[scale_index(how, i / FEATURES, i % FEATURES)];
  }
  rung_model_touch(at.model);
  return at;
}

static void release(placed *at) {
  rung_model_free(at->model);
  problem_free(at->p);
}

static rung_integer_layer integers_of(const rung_model *model, const rung_node *linear) {
  rung_quantization *quantization = rung_model_quantization(model);
  rung_integer_layer layer;
  rung_quantization_make_integers(quantization);
  ck_assert_msg(
      rung_integer_layer_view(rung_quantization_node(quantization, RUNG_ARITHMETIC_INTEGER, linear), &layer) == RUNG_OK,
      "%s", rung_error());
  return layer;
}

static void expect_placed(const placed *at, const rung_model *model, const way *how) {
  const rung_integer_layer layer = integers_of(model, find_linear(model));
  for (int i = 0; i < ROWS * FEATURES; i++) ck_assert_int_eq(layer.weight[i], at->q[i]);
  for (int64_t i = 0; i < ROWS * layer.groups; i++)
    ck_assert(layer.weight_scale[i] == at->scale[how->scales == 1 ? 0 : i]);
}

/* ---- In force --------------------------------------------------------------------------------------------------- */

START_TEST(weights_on_the_grid_give_back_their_integers) {
  const way *how = &ways[_i];
  placed at = place(how);
  ck_assert_int_eq(rung_quantization_set_weight_scale(rung_model_quantization(at.model), at.linear, at.scale), RUNG_OK);
  expect_placed(&at, at.model, how);
  ck_assert_int_eq(rung_quantization_set_weight_scale(rung_model_quantization(at.model), at.linear, NULL), RUNG_OK);
  const rung_integer_layer layer = integers_of(at.model, at.linear);
  int same = 0;
  for (int i = 0; i < ROWS * layer.groups; i++) same += layer.weight_scale[i] == at.scale[how->scales == 1 ? 0 : i];
  if (how->scheme.weight_bits > 2) ck_assert_int_lt(same, ROWS); /* without it the scales are the weights' own */
  release(&at);
}
END_TEST

/* The simulation computes with the same reals: on a grid of its own it would be far off. */
START_TEST(the_simulation_takes_the_same_scales) {
  const way *how = &ways[_i];
  placed at = place(how);
  ck_assert_int_eq(rung_quantization_set_weight_scale(rung_model_quantization(at.model), at.linear, at.scale), RUNG_OK);
  double loss[2];
  for (int form = RUNG_FORM_INTEGER; form <= RUNG_FORM_SIMULATED; form++) {
    rung_metrics metrics;
    ck_assert_int_eq(rung_model_use(at.model, (rung_form)form), RUNG_OK);
    ck_assert_int_eq(rung_evaluate(at.model, at.p->data, &metrics), RUNG_OK);
    loss[form - 1] = metrics.loss;
  }
  ck_assert_double_eq_tol(loss[0], loss[1], 2e-3);
  rung_graph *graph = rung_quantization_graph(rung_model_quantization(at.model), RUNG_ARITHMETIC_SIMULATED);
  const float *w = at.linear->input[1]->value.data;
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (strcmp(node->op->name, "fake_quantize_weight") != 0 || node->value.shape.extent[0] != ROWS) continue;
    for (int k = 0; k < ROWS * FEATURES; k++) ENSURE(((const float *)node->value.data)[k] == w[k]);
  }
  release(&at);
}
END_TEST

/* ---- Later ------------------------------------------------------------------------------------------------------ */

START_TEST(a_file_keeps_the_scales) {
  const way *how = &ways[_i];
  placed at = place(how);
  ck_assert_int_eq(rung_quantization_set_weight_scale(rung_model_quantization(at.model), at.linear, at.scale), RUNG_OK);
  const char *path = scratch_path("scaled.safetensors");
  if (rung_model_save(at.model, path) == RUNG_ERROR_UNSUPPORTED) test_skip(rung_error());
  rung_model *loaded = rung_model_load(path, NULL);
  ck_assert_msg(loaded != NULL, "%s", rung_error());
  expect_placed(&at, loaded, how);
  rung_model_free(loaded);
  release(&at);
}
END_TEST

/* With and without `take`, which quantizes the weights anew as the optimizer moves them. */
START_TEST(training_keeps_the_scales) {
  const way *how = &ways[_i % WAYS];
  placed at = place(how);
  ck_assert_int_eq(rung_quantization_set_weight_scale(rung_model_quantization(at.model), at.linear, at.scale), RUNG_OK);
  const rung_fit_options options = {.rate = 1e-3f, .clip_norm = _i < WAYS ? 0 : 1};
  ck_assert_int_eq(rung_fit(at.model, at.p->data, &options), RUNG_OK);
  const rung_integer_layer layer = integers_of(at.model, at.linear);
  const float *w = at.linear->input[1]->value.data;
  for (int i = 0; i < ROWS * FEATURES; i++) {
    const float scale = at.scale[scale_index(how, i / FEATURES, i % FEATURES)];
    const float most = how->scheme.weight_bits == 8 ? 127 : (float)((1 << (how->scheme.weight_bits - 1)) - 1);
    const float q = rintf(w[i] * (1 / scale)), clamped = q > most ? most : q < -most ? -most : q;
    if (how->scheme.weight_bits > 1) ck_assert_int_eq(layer.weight[i], (int)clamped);
  }
  for (int64_t i = 0; i < ROWS * layer.groups; i++)
    if (how->scheme.weight_bits > 2) ck_assert(layer.weight_scale[i] == at.scale[how->scales == 1 ? 0 : i]);
  ck_assert_int_eq(rung_calibrate(at.model, at.p->data, 0), RUNG_OK); /* anew */
  ck_assert(*(float *)rung_quantization_weight_scale(rung_model_quantization(at.model), at.linear)->data == 0);
  release(&at);
}
END_TEST

START_TEST(what_is_no_scale_is_refused) {
  placed at = place(&ways[0]);
  rung_quantization *quantization = rung_model_quantization(at.model);
  const float bad[] = {0, -1, INFINITY, NAN, 1e-40f};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    float scale[ROWS];
    memcpy(scale, at.scale, sizeof scale);
    scale[5] = bad[i];
    REFUSED(rung_quantization_set_weight_scale(quantization, at.linear, scale), RUNG_ERROR_ARGUMENT,
            "fc1.weight.scale: value 5");
  }
  REFUSED(rung_quantization_set_weight_scale(quantization, at.linear->input[0], at.scale), RUNG_ERROR_ARGUMENT,
          "no linear layer");
  REFUSED(rung_quantization_set_weight_scale(quantization, NULL, at.scale), RUNG_ERROR_ARGUMENT, "no linear layer");
  ck_assert_ptr_null(rung_quantization_weight_scale(quantization, at.linear->input[0]));
  release(&at);
}
END_TEST

TEST_MAIN(CASES(weights_on_the_grid_give_back_their_integers, WAYS), CASES(the_simulation_takes_the_same_scales, WAYS),
          CASES(a_file_keeps_the_scales, WAYS), CASES(training_keeps_the_scales, 2 * WAYS),
          CASE(what_is_no_scale_is_refused))
