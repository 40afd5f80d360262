/* PTQ of a model: what each method leaves, the same bits for every team, and the case that each was made for. */
#include "io/scratch.h"
#include "recipes.h"

#include <math.h>
#include <rung/deploy.h>
#include <rung/nn/ptq.h>

#define METHOD(name) (UINT32_C(1) << RUNG_PTQ_##name)

/* ---- Models and what they compute ------------------------------------------------------------------------------- */

static rung_model *trained(const rung_dataset *data, int threads) {
  rung_model *model = perceptron(threads, 3);
  ck_assert_int_eq(rung_fit(model, data, &(rung_fit_options){.epochs = 8, .rate = 5e-3f}), RUNG_OK);
  return model;
}

/* Neurons 0, 7 and 14 of fc1 give 2^exponent times what they gave, and fc2 takes it for what it was: the network
 * computes the same, to the bit. */
static void put_outliers(rung_model *model, int exponent) {
  float *weight = problem_parameter(model, "fc1.weight"), *bias = problem_parameter(model, "fc1.bias");
  float *reader = problem_parameter(model, "fc2.weight");
  for (int j = 0; j < 21; j += 7) {
    for (int k = 0; k < FEATURES; k++) weight[j * FEATURES + k] = ldexpf(weight[j * FEATURES + k], exponent);
    bias[j] = ldexpf(bias[j], exponent);
    for (int i = 0; i < 24; i++) reader[i * 40 + j] = ldexpf(reader[i * 40 + j], -exponent);
  }
  rung_model_touch(model);
}

/* The logits of all examples, as reals. */
static void outputs(rung_model *model, const rung_dataset *data, float *to) {
  rung_graph *source = rung_model_graph(model), *graph = rung_model_bind(model, data);
  ck_assert_msg(graph != NULL, "%s", rung_error());
  const rung_node *scores = rung_graph_node(source, rung_graph_node_count(source) - 1)->input[0];
  if (rung_model_form(model) == RUNG_FORM_INTEGER)
    scores = rung_quantization_node(rung_model_quantization(model), RUNG_ARITHMETIC_INTEGER, scores);
  for (int64_t first = 0; first < data->count; first += BATCH) {
    const int64_t count = data->count - first < BATCH ? data->count - first : BATCH;
    ck_assert_int_eq(rung_graph_replay(graph, &(rung_replay_options){.count = count, .first = first}), RUNG_OK);
    for (int64_t i = 0; i < count * CLASSES; i++)
      to[first * CLASSES + i] = scores->value.type == RUNG_I32
                                    ? scores->value.scale * (float)((const int32_t *)scores->value.data)[i]
                                    : ((const float *)scores->value.data)[i];
  }
}

/* |y - reference|^2 / |reference|^2 */
static double relative_error(const float *y, const float *reference, int64_t n) {
  double error = 0, all = 0;
  for (int64_t i = 0; i < n; i++) {
    const double e = (double)y[i] - (double)reference[i];
    error += e * e;
    all += (double)reference[i] * (double)reference[i];
  }
  return error / all;
}

static void ptq(rung_model *model, const rung_dataset *data, const rung_scheme *scheme, uint32_t methods) {
  ck_assert_int_eq(rung_quantize(model, scheme), RUNG_OK);
  ck_assert_msg(rung_ptq(model, data, 0, &(rung_ptq_options){.methods = methods}) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_INTEGER);
}

/* How far the integer network is from the float one, with outliers of 2^exponent in it, on data that it was not
 * calibrated on. */
static double error_with(const rung_scheme *scheme, uint32_t methods, int exponent) {
  static float real[MOST * CLASSES], quantized[MOST * CLASSES];
  problem *p = problem_new(RUNG_U8, 120, 1), *held_out = problem_new(RUNG_U8, 150, 2);
  rung_model *model = trained(p->data, 1);
  put_outliers(model, exponent);
  outputs(model, held_out->data, real);
  ptq(model, p->data, scheme, methods);
  outputs(model, held_out->data, quantized);
  rung_model_free(model);
  problem_free(p), problem_free(held_out);
  return relative_error(quantized, real, 150 * CLASSES);
}

/* ---- What all methods leave ------------------------------------------------------------------------------------- */

START_TEST(nearest_is_calibrate) {
  static float one[MOST * CLASSES], other[MOST * CLASSES];
  problem *p = problem_new(RUNG_U8, 103, 1);
  for (int bits = 1; bits <= 8; bits++) {
    const rung_scheme scheme = {.weight_bits = bits, .weight_granularity = (rung_granularity)_i, .weight_group = 8};
    rung_model *a = trained(p->data, 1), *b = trained(p->data, 2);
    ck_assert_int_eq(rung_quantize(a, &scheme), RUNG_OK);
    ck_assert_int_eq(rung_calibrate(a, p->data, 0), RUNG_OK);
    ck_assert_int_eq(rung_quantize(b, &scheme), RUNG_OK);
    ck_assert_int_eq(rung_ptq(b, p->data, 0, NULL), RUNG_OK);
    outputs(a, p->data, one), outputs(b, p->data, other);
    ck_assert_mem_eq(one, other, sizeof(float) * 103 * CLASSES);
    rung_model_free(a), rung_model_free(b);
  }
  problem_free(p);
}
END_TEST

/* The integers of every layer are its shadows on the scale that the method chose, and they freeze. */
static void ensure_shadows_are_integers(rung_model *model) {
  rung_quantization *quantization = rung_model_quantization(model);
  rung_graph *graph = rung_quantization_graph(quantization, RUNG_ARITHMETIC_INTEGER);
  rung_program *program = rung_freeze(model);
  ck_assert_msg(program != NULL, "%s", rung_error());
  rung_program_free(program);
  rung_integer_layer layer;
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (rung_integer_layer_view(node, &layer) != RUNG_OK) continue;
    const float *shadow = node->input[1]->value.data;
    for (int64_t k = 0; k < layer.out * layer.in; k++) {
      const int64_t row = k / layer.in, g = layer.group ? k % layer.in / layer.group : 0;
      ENSURE(shadow[k] == layer.weight_scale[row * layer.groups + g] * (float)layer.weight[k]);
    }
  }
}

START_TEST(every_method_in_every_format_freezes) {
  problem *p = problem_new(RUNG_U8, 60, 1);
  for (int method = 0; method < RUNG_PTQ_METHOD_COUNT; method++)
    for (int bits = 1; bits <= 8; bits += bits == 4 ? 4 : 1) {
      rung_model *model = perceptron(1, 3);
      const rung_scheme scheme = {.weight_bits = bits, .weight_granularity = (rung_granularity)_i, .weight_group = 8};
      ck_assert_int_eq(rung_quantize(model, &scheme), RUNG_OK);
      const rung_ptq_options options = {.methods = UINT32_C(1) << method, .adaround.steps = 100};
      rung_status status = rung_ptq(model, p->data, 50, &options);
      ck_assert_msg(status == RUNG_OK || (bits == 1 && status == RUNG_ERROR_UNSUPPORTED), "%s, %d bits: %s",
                    rung_ptq_method_name((rung_ptq_method)method), bits, rung_error());
      if (status == RUNG_OK) ensure_shadows_are_integers(model);
      rung_model_free(model);
    }
  problem_free(p);
}
END_TEST

START_TEST(the_same_bits_for_every_team) {
  const rung_ptq_method rounding[] = {RUNG_PTQ_MSE, RUNG_PTQ_GPTQ, RUNG_PTQ_AWQ};
  problem *p = problem_new(RUNG_U8, 103, 1);
  for (int r = 0; r < 3; r++) {
    uint64_t hash[3];
    for (int threads = 1; threads <= 3; threads++) {
      rung_model *model = trained(p->data, threads);
      put_outliers(model, 3);
      ptq(model, p->data, &(rung_scheme){.weight_bits = 3},
          METHOD(CLE) | METHOD(SMOOTHQUANT) | METHOD(AWQ) | METHOD(BIAS_CORRECTION) | UINT32_C(1) << rounding[r]);
      hash[threads - 1] = rung_model_hash(model);
      rung_model_free(model);
    }
    ck_assert(hash[0] == hash[1] && hash[0] == hash[2]);
  }
  problem_free(p);
}
END_TEST

/* What a file holds of a model after PTQ evaluates as the model did. */
START_TEST(a_checkpoint_holds_the_scales) {
  static float before[MOST * CLASSES], after[MOST * CLASSES];
  const char *path = scratch_path("ptq.safetensors");
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = trained(p->data, 1);
  ptq(model, p->data, &(rung_scheme){.weight_bits = 2}, METHOD(MSE) | METHOD(BIAS_CORRECTION));
  outputs(model, p->data, before);
  if (rung_model_save(model, path) == RUNG_ERROR_UNSUPPORTED) test_skip(rung_error());
  rung_model *loaded = rung_model_load(path, NULL);
  ck_assert_msg(loaded != NULL, "%s", rung_error());
  outputs(loaded, p->data, after);
  ck_assert_mem_eq(before, after, sizeof(float) * 103 * CLASSES);
  rung_model_free(model), rung_model_free(loaded);
  problem_free(p);
}
END_TEST

/* ---- Transforms ------------------------------------------------------------------------------------------------- */

typedef struct notes {
  char text[1024];
} notes;

static void take_note(void *context, const char *layer, const char *what) {
  notes *n = context;
  const size_t used = strlen(n->text);
  snprintf(n->text + used, sizeof n->text - used, "%s|%s\n", layer, what);
}

/* Stated tolerance: every row and column is divided and multiplied, one rounding of f32 each; 1e-5 of the largest
 * output. The weights that rounding leaves are taken out of it by quantizing to no more than the float network. */
START_TEST(transforms_leave_the_function) {
  static const uint32_t transforms[] = {METHOD(CLE), METHOD(SMOOTHQUANT), METHOD(AWQ),
                                        METHOD(CLE) | METHOD(SMOOTHQUANT) | METHOD(AWQ)};
  static float before[MOST * CLASSES], after[MOST * CLASSES];
  const recipe r = {.dropout = true, .batch_norm = _i & 1, .no_bias = _i & 2};
  problem *p = problem_new(RUNG_F32, 103, 1);
  for (int t = 0; t < 4; t++) {
    rung_model *model = recipe_model(&r, 1, 3);
    ck_assert_int_eq(rung_fit(model, p->data, &(rung_fit_options){.epochs = 4, .rate = 5e-3f}), RUNG_OK);
    outputs(model, p->data, before);
    ck_assert_int_eq(rung_quantize(model, &(rung_scheme){0}), RUNG_OK);
    ck_assert_int_eq(rung_calibrate(model, p->data, 1), RUNG_OK); /* folds batch norms */
    ck_assert_int_eq(rung_model_use(model, RUNG_FORM_FLOAT), RUNG_OK);
    const uint64_t hash = rung_model_hash(model);
    int count;
    rung_ptq_layer *layers = rung_ptq_layers_new(rung_model_graph(model), &(rung_scheme){0}, &count);
    ck_assert_int_eq(count, 3);
    ck_assert(!layers[0].before && layers[1].before == &layers[0] && layers[2].before == &layers[1]);
    ck_assert(layers[0].clamp == RUNG_CLAMP_RELU && layers[2].clamp == RUNG_CLAMP_NONE);
    static float x[3][103 * 40];
    rung_rng rng = rung_rng_seed(9);
    for (int l = 0; l < 3; l++) {
      for (int i = 0; i < 103 * 40; i++) x[l][i] = fmaxf(rung_rng_normal(&rng), 0);
      layers[l].x_float = x[l];
      layers[l].n = 103;
    }
    const rung_ptq_options options = {.methods = transforms[t]};
    ck_assert_int_eq(rung_ptq_transform_network(layers, count, &options), RUNG_OK);
    for (int m = 0; m < RUNG_PTQ_METHOD_COUNT; m++)
      for (int l = 0; l < 3; l++)
        ck_assert_int_eq(rung_ptq_transform_layer(&layers[l], (rung_ptq_method)m, &options), RUNG_OK);
    ck_assert(rung_model_hash(model) != hash);
    outputs(model, p->data, after);
    float largest = 0;
    for (int i = 0; i < 103 * CLASSES; i++) largest = fmaxf(largest, fabsf(before[i]));
    for (int i = 0; i < 103 * CLASSES; i++) ENSURE(fabsf(after[i] - before[i]) <= 1e-5f * largest);
    rung_release(layers);
    rung_model_free(model);
  }
  problem_free(p);
}
END_TEST

static rung_model *relu6_model(void) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = 1, .seed = 3});
  rung_node *x = rung_relu6(rung_linear(rung_input(model, "x", RUNG_SHAPE(FEATURES)), "fc1", 40));
  x = rung_sigmoid(rung_linear(x, "fc2", 24));
  rung_loss_cross_entropy(rung_linear(x, "fc3", CLASSES));
  ck_assert_int_eq(rung_model_status(model), RUNG_OK);
  return model;
}

START_TEST(what_no_scale_passes_is_left_and_told) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = relu6_model();
  notes n = {0};
  rung_ptq_options options = {.methods = METHOD(CLE), .note = take_note, .context = &n};
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){0}), RUNG_OK);
  const uint64_t hash = rung_model_hash(model);
  REFUSED(rung_ptq(model, p->data, 0, &options), RUNG_ERROR_UNSUPPORTED, "cle: no two linear layers with");
  ck_assert_uint_eq(rung_model_hash(model), hash);
  ck_assert_ptr_null(rung_model_quantization(model));
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_FLOAT);
  ck_assert_str_eq(n.text, "fc2|cle: reads through a ReLU6, which no scale passes; not equalized\n");
  n.text[0] = '\0';
  options.methods = METHOD(SMOOTHQUANT) | METHOD(AWQ);
  ck_assert_int_eq(rung_ptq(model, p->data, 0, &options), RUNG_OK);
  const char *expected[] = {"fc1|smoothquant: no layer before",       "fc2|smoothquant: fc2 reads fc1 through a ReLU6",
                            "fc3|smoothquant: no layer before",       "fc1|awq: no layer before",
                            "fc2|awq: fc2 reads fc1 through a ReLU6", "fc3|awq: no layer before"};
  for (int i = 0; i < 6; i++) ck_assert_msg(strstr(n.text, expected[i]) != NULL, "%s", n.text);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

static void mean_outputs(rung_model *model, const rung_dataset *data, double *mean) {
  static float y[MOST * CLASSES];
  outputs(model, data, y);
  for (int j = 0; j < CLASSES; j++) mean[j] = 0;
  for (int64_t i = 0; i < data->count * CLASSES; i++) mean[i % CLASSES] += (double)y[i] / (double)data->count;
}

/* The last layer's correction makes good for all before it only if what it reads is what the integer network computes,
 * and if what it is held against is the float network, whose earlier layers are not rounded. */
START_TEST(corrected_networks_keep_their_means) {
  double real[CLASSES], corrected[CLASSES], nearest[CLASSES], worst = 0, largest = 0;
  problem *p = problem_new(RUNG_U8, 160, 1);
  rung_model *model = trained(p->data, 1);
  mean_outputs(model, p->data, real);
  ptq(model, p->data, &(rung_scheme){.weight_bits = 2}, METHOD(BIAS_CORRECTION));
  mean_outputs(model, p->data, corrected);
  rung_model_free(model);
  model = trained(p->data, 1);
  ptq(model, p->data, &(rung_scheme){.weight_bits = 2}, METHOD(NEAREST));
  mean_outputs(model, p->data, nearest);
  rung_model_free(model);
  for (int j = 0; j < CLASSES; j++) {
    worst = fmax(worst, fabs(corrected[j] - real[j]));
    largest = fmax(largest, fabs(nearest[j] - real[j]));
  }
  ck_assert_msg(worst < 0.01 * largest, "mean logits are off by %g, without correction by %g", worst, largest);
  problem_free(p);
}
END_TEST

/* ---- The case that each was made for ---------------------------------------------------------------------------- */

typedef struct made_for {
  const char *name;
  rung_scheme scheme;
  uint32_t methods, beside; /* beside: what it must beat */
  int exponent;             /* of the outliers */
  double at_most;           /* times the error of `beside` */
} made_for;

static const made_for special_cases[] = {
    {"cle", {.weight_bits = 8, .weight_granularity = RUNG_PER_TENSOR}, METHOD(CLE), 0, 8, 0.1},
    {"smoothquant", {.weight_bits = 8}, METHOD(SMOOTHQUANT), 0, 6, 0.2},
    {"awq", {.weight_bits = 4}, METHOD(AWQ), 0, 5, 0.5},
    {"bias correction", {.weight_bits = 3}, METHOD(BIAS_CORRECTION), 0, 0, 0.8},
    {"mse", {.weight_bits = 3, .weight_granularity = RUNG_PER_TENSOR}, METHOD(MSE), 0, 0, 0.9},
};
enum { MADE_FOR = sizeof special_cases / sizeof special_cases[0] };

START_TEST(each_beats_nearest_where_it_was_made_for) {
  const made_for *c = &special_cases[_i];
  const double with = error_with(&c->scheme, c->methods, c->exponent);
  const double without = error_with(&c->scheme, c->beside, c->exponent);
  ck_assert_msg(with <= c->at_most * without, "%s: error %g, nearest %g", c->name, with, without);
}
END_TEST

TEST_MAIN(CASES(nearest_is_calibrate, 3), CASES(every_method_in_every_format_freezes, 3),
          CASE(the_same_bits_for_every_team), CASE(a_checkpoint_holds_the_scales),
          CASES(transforms_leave_the_function, 4), CASE(what_no_scale_passes_is_left_and_told),
          CASE(corrected_networks_keep_their_means), CASES(each_beats_nearest_where_it_was_made_for, MADE_FOR))
