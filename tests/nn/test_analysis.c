/* The analysis against numbers worked out by hand, and against a second reckoning of the same data. */
#include "recipes.h"

#include <math.h>
#include <rung/nn/analysis.h>

static rung_analysis *analyze(rung_model *model, const rung_dataset *data, int64_t examples) {
  rung_analysis *analysis = rung_analyze(model, data, examples);
  ck_assert_msg(analysis != NULL, "%s", rung_error());
  return analysis;
}

static void quantize(rung_model *model, const rung_dataset *data, const rung_scheme *scheme) {
  ck_assert_msg(rung_quantize(model, scheme) == RUNG_OK, "%s", rung_error());
  ck_assert_msg(rung_calibrate(model, data, 0) == RUNG_OK, "%s", rung_error());
}

static double sum(const rung_histogram *histogram) {
  double all = 0;
  for (int i = 0; i < histogram->bins; i++) all += histogram->count[i];
  return all;
}

static void expect_near(double have, double want) {
  ck_assert_msg(fabs(have - want) <= 1e-6 * fabs(want), "%.9g, expected %.9g", have, want);
}

/* ---- By hand ---------------------------------------------------------------------------------------------------- */

static const float hand_x[4][2] = {{1, 0}, {0, 1}, {1, 1}, {-1, 2}};

/* [4, 2] -> fc1 [2, 2] -> relu -> fc2 [2, 2]. At two bits a row's scale is its largest magnitude, and q is -1, 0 or 1:
 *   fc1  [1, 0.4] -> 1 [1, 0];  [-2, 1.5] -> 2 [-1, 1] (0.75 is rounded to 1)
 *   signal 1 + 0.16 + 4 + 2.25 = 7.41, noise 0.16 + 0.25 = 0.41 */
static rung_model *hand_model(void) {
  static const float fc1[] = {1, 0.4f, -2, 1.5f}, fc2[] = {1, 0, 0, 1};
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 3, .threads = 1, .seed = 1});
  rung_node *x = rung_relu(rung_linear(rung_input(model, "x", RUNG_SHAPE(2)), "fc1", 2));
  rung_loss_cross_entropy(rung_linear(x, "fc2", 2));
  memcpy(problem_parameter(model, "fc1.weight"), fc1, sizeof fc1);
  memcpy(problem_parameter(model, "fc2.weight"), fc2, sizeof fc2);
  return model;
}

static rung_dataset *hand_data(void) {
  static const int32_t labels[4] = {0, 1, 0, 1};
  const rung_tensor inputs = {.type = RUNG_F32, .shape = RUNG_SHAPE(4, 2), .data = (void *)(uintptr_t)hand_x};
  rung_dataset *data = rung_dataset_new("hand", &inputs, labels, 2, NULL);
  ck_assert_msg(data != NULL, "%s", rung_error());
  return data;
}

START_TEST(weights_are_measured_as_by_hand) {
  rung_model *model = hand_model();
  rung_dataset *data = hand_data();
  quantize(model, data, &(rung_scheme){.weight_bits = 2});
  rung_analysis *analysis = analyze(model, data, 0);
  ck_assert_int_eq(rung_analysis_layers(analysis), 2);
  const rung_layer_analysis *fc1 = rung_analysis_layer(analysis, 0);
  ck_assert_str_eq(fc1->name, "fc1");
  ck_assert(fc1->in == 2 && fc1->out == 2 && fc1->weights.count == 4 && fc1->flips == -1);
  ck_assert(fc1->oscillating == -1 && fc1->frozen == -1);
  ck_assert(fc1->weights.least == -2 && fc1->weights.most == 1.5f);
  ck_assert(fc1->weights.clip_least == -2 && fc1->weights.clip_most == 2);
  expect_near(fc1->weights.sqnr, 10 * log10(7.41 / 0.41));
  ck_assert(fc1->weights.lowest == 0.25 && fc1->weights.highest == 0.5 && fc1->weights.clipped == 0);
  const rung_layer_analysis *fc2 = rung_analysis_layer(analysis, 1);
  ck_assert(isinf(fc2->weights.sqnr) && fc2->activation == -1); /* nothing is lost of 1 and 0; its output is logits */
  rung_analysis_free(analysis);
  rung_dataset_free(data);
  rung_model_free(model);
}
END_TEST

/* Of 1, 0.4, -2 and 1.5: 51 bins, 17 a code, over -3 .. 3; behind it the integers stand for 1, 0, -2 and 2. */
START_TEST(histograms_of_weights_have_a_bin_for_every_part_of_a_step) {
  rung_model *model = hand_model();
  rung_dataset *data = hand_data();
  quantize(model, data, &(rung_scheme){.weight_bits = 2});
  rung_analysis *analysis = analyze(model, data, 0);
  const rung_values_analysis *weights = &rung_analysis_layer(analysis, 0)->weights;
  const rung_histogram *before = &weights->before, *after = &weights->after;
  ck_assert(before->bins == 51 && before->first == -3 && after->bins == 51 && after->first == -3);
  expect_near((double)before->width, 6.0 / 51);
  const float had[] = {1, 0.4f, -2, 1.5f}, has[] = {1, 0, -2, 2};
  for (int i = 0; i < 4; i++) {
    ck_assert_double_eq(before->count[(int)((had[i] + 3) / before->width)], 1);
    ck_assert_double_eq(after->count[(int)((has[i] + 3) / after->width)], 1);
  }
  ck_assert_double_eq(sum(before), 4);
  ck_assert_double_eq(sum(after), 4);
  rung_analysis_free(analysis);
  rung_dataset_free(data);
  rung_model_free(model);
}
END_TEST

/* Weights of 8 bits that are whole 64ths up to 127 lose nothing, nor do inputs of -1 .. 2 with a step of 1. Behind its
 * ReLU fc1 then gives 127/64, 0.5, 159/64, 0 and 0, 1.5, 0, 319/64. With a step of 0.5 and 2 bits the clip is 0 .. 1.5:
 * 3 of 8 are lowest, 4 highest, and 3 are clipped, those beyond 1.75. */
START_TEST(activations_are_measured_as_by_hand) {
  rung_model *model = hand_model();
  rung_dataset *data = hand_data();
  static const float weights[] = {127 / 64.0f, 0.5f, -127 / 64.0f, 1.5f};
  const double a = 127 / 64.0, b = 159 / 64.0, c = 319 / 64.0;
  memcpy(problem_parameter(model, "fc1.weight"), weights, sizeof weights);
  quantize(model, data, &(rung_scheme){.activation_bits = 2});
  rung_quantization *quantization = rung_model_quantization(model);
  ck_assert_int_eq(rung_quantizer_set(rung_quantization_quantizer(quantization, 0), 1, 1), RUNG_OK);
  ck_assert_int_eq(rung_quantizer_set(rung_quantization_quantizer(quantization, 1), 0.5f, 0), RUNG_OK);
  rung_analysis *analysis = analyze(model, data, 0);
  ck_assert_int_eq(rung_analysis_activations(analysis), 2);
  ck_assert_str_eq(rung_analysis_activation(analysis, 0)->name, "x");
  ck_assert_int_eq(rung_analysis_layer(analysis, 0)->activation, 1);
  const rung_activation_analysis *fc1 = rung_analysis_activation(analysis, 1);
  const rung_values_analysis *values = &fc1->values;
  ck_assert_str_eq(fc1->name, "fc1");
  ck_assert(values->count == 8 && values->least == 0 && values->most == 319 / 64.0f);
  ck_assert(values->clip_least == 0 && values->clip_most == 1.5f);
  ck_assert(values->lowest == 0.375 && values->highest == 0.5 && values->clipped == 0.375);
  expect_near(values->sqnr, 10 * log10((a * a + b * b + c * c + 0.25 + 2.25) /
                                       ((a - 1.5) * (a - 1.5) + (b - 1.5) * (b - 1.5) + (c - 1.5) * (c - 1.5))));
  ck_assert(isinf(rung_analysis_activation(analysis, 0)->values.sqnr)); /* the input */
  ck_assert_double_eq(sum(&values->before), 8);
  ck_assert(values->before.first <= 0 &&
            values->before.first + values->before.width * (float)values->before.bins >= 319 / 64.0f);
  rung_analysis_free(analysis);
  rung_dataset_free(data);
  rung_model_free(model);
}
END_TEST

/* An output that is negative on all examples is 0 behind the ReLU on all of them. */
START_TEST(dead_outputs_are_counted) {
  rung_model *model = hand_model();
  rung_dataset *data = hand_data();
  problem_parameter(model, "fc1.bias")[1] = -100;
  quantize(model, data, &(rung_scheme){0});
  rung_analysis *analysis = analyze(model, data, 0);
  ck_assert_int_eq(rung_analysis_layer(analysis, 0)->dead, 1);
  rung_analysis_free(analysis);
  analysis = analyze(model, data, 1); /* of one example every output is */
  ck_assert_int_eq(rung_analysis_examples(analysis), 1);
  ck_assert_int_eq(rung_analysis_layer(analysis, 0)->dead, 2);
  rung_analysis_free(analysis);
  rung_dataset_free(data);
  rung_model_free(model);
}
END_TEST

/* ---- On what was trained ---------------------------------------------------------------------------------------- */

static void expect_shares(const rung_values_analysis *values) {
  ck_assert(values->clipped >= 0 && values->clipped <= 1);
  ck_assert(values->lowest >= 0 && values->highest >= 0 && values->lowest + values->highest <= 1);
  ck_assert(values->least <= values->most && values->clip_least < values->clip_most);
  ck_assert_double_eq(sum(&values->before), (double)values->count);
  const float end = values->before.first + values->before.width * (float)values->before.bins;
  ck_assert(values->before.first <= values->least && end >= values->most);
}

START_TEST(every_form_is_analyzed_and_left_as_it_was) {
  const recipe *r = &recipes[_i];
  problem *p = problem_new(_i % 2 && !r->signs ? RUNG_F32 : RUNG_U8, 103, 1);
  rung_model *model = recipe_model(r, 2, 5);
  quantize(model, p->data, &r->scheme);
  ck_assert_msg(rung_fit(model, p->data, &r->fit) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(rung_model_use(model, r->form), RUNG_OK);
  rung_metrics before, after;
  ck_assert_int_eq(rung_evaluate(model, p->data, &before), RUNG_OK);
  const uint64_t hash = rung_model_hash(model);
  if (r->scheme.weight_storage != RUNG_STORAGE_F32) {
    REFUSED(rung_analyze(model, p->data, 0) ? RUNG_OK : rung_error_status(), RUNG_ERROR_UNSUPPORTED,
            rung_storage_name(r->scheme.weight_storage));
    rung_model_free(model);
    problem_free(p);
    return;
  }
  rung_analysis *analysis = analyze(model, p->data, 0);
  ck_assert(rung_model_form(model) == r->form && rung_model_hash(model) == hash);
  ck_assert_int_eq(rung_evaluate(model, p->data, &after), RUNG_OK);
  ck_assert(before.loss == after.loss);
  ck_assert(rung_analysis_examples(analysis) == 103 && rung_analysis_layers(analysis) == 3);
  for (int i = 0; i < 3; i++) {
    const rung_layer_analysis *layer = rung_analysis_layer(analysis, i);
    expect_shares(&layer->weights);
    ck_assert_double_eq(sum(&layer->weights.after), (double)layer->weights.count);
    ck_assert_msg((layer->flips >= 0) == (r->fit.oscillation.freeze > 0), "%s: flips %lld", r->name,
                  (long long)layer->flips);
    ck_assert_msg(layer->sqnr > -10 && (layer->activation >= 0) == (i < 2), "%s: %g dB", r->name, layer->sqnr);
  }
  for (int i = 0; i < rung_analysis_activations(analysis); i++)
    expect_shares(&rung_analysis_activation(analysis, i)->values);
  rung_analysis_free(analysis);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* ---- Against another model -------------------------------------------------------------------------------------- */

/* Weights that were rounded lose nothing against themselves, and what they lost against those that they came from. */
START_TEST(a_reference_tells_what_rounding_cost) {
  rung_model *model = hand_model(), *reference = hand_model();
  rung_dataset *data = hand_data();
  static const float rounded[] = {1, 0, -2, 2};
  memcpy(problem_parameter(model, "fc1.weight"), rounded, sizeof rounded);
  quantize(model, data, &(rung_scheme){.weight_bits = 2, .observer = {.kind = RUNG_OBSERVER_MIN_MAX}});
  rung_analysis *alone = analyze(model, data, 0), *against = rung_analyze_against(model, reference, data, 0);
  ck_assert_msg(against != NULL, "%s", rung_error());
  ck_assert(isinf(rung_analysis_layer(alone, 0)->weights.sqnr));
  const rung_layer_analysis *fc1 = rung_analysis_layer(against, 0);
  expect_near(fc1->weights.sqnr, 10 * log10(7.41 / 0.41));
  ck_assert(fc1->weights.most == 1.5f && fc1->sqnr < rung_analysis_layer(alone, 0)->sqnr - 10);
  rung_analysis_free(alone);
  rung_analysis_free(against);
  rung_dataset_free(data);
  rung_model_free(model);
  rung_model_free(reference);
}
END_TEST

/* Calibration changes no weight but folds batch norms, and the reference's are folded alike. Batches differ. */
START_TEST(a_reference_that_is_the_same_network_changes_nothing) {
  const recipe *r = &recipes[_i];
  if (r->scheme.weight_storage != RUNG_STORAGE_F32) return;
  problem *p = problem_new(_i % 2 && !r->signs ? RUNG_F32 : RUNG_U8, 103, 1);
  rung_model *model = recipe_model(r, 2, 5), *reference = recipe_model(r, 1, 5);
  quantize(model, p->data, &r->scheme);
  rung_analysis *alone = analyze(model, p->data, 0), *against = rung_analyze_against(model, reference, p->data, 0);
  ck_assert_msg(against != NULL, "%s: %s", r->name, rung_error());
  ck_assert(rung_model_form(reference) == RUNG_FORM_FLOAT && !rung_model_quantization(reference));
  for (int i = 0; i < rung_analysis_layers(alone); i++) {
    const rung_layer_analysis *one = rung_analysis_layer(alone, i), *other = rung_analysis_layer(against, i);
    ck_assert_msg(one->sqnr == other->sqnr && one->weights.sqnr == other->weights.sqnr, "%s, %s", r->name, one->name);
    ck_assert(one->activation == other->activation);
  }
  rung_analysis_free(alone);
  rung_analysis_free(against);
  rung_model_free(model);
  rung_model_free(reference);
  problem_free(p);
}
END_TEST

START_TEST(another_network_is_no_reference) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = perceptron(1, 1), *reference = perceptron(1, 1);
  rung_model *other = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = 1, .seed = 1});
  rung_loss_cross_entropy(rung_linear(rung_input(other, "x", RUNG_SHAPE(FEATURES)), "fc1", CLASSES));
  quantize(model, p->data, &(rung_scheme){0});
  quantize(reference, p->data, &(rung_scheme){0});
  REFUSED(rung_analyze_against(model, reference, p->data, 0) ? RUNG_OK : rung_error_status(), RUNG_ERROR_ARGUMENT,
          "analyze: the reference is quantized, expected it in FP32");
  REFUSED(rung_analyze_against(model, other, p->data, 0) ? RUNG_OK : rung_error_status(), RUNG_ERROR_SHAPE,
          "analyze: the reference is another network");
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_INTEGER);
  rung_model_free(model);
  rung_model_free(reference);
  rung_model_free(other);
  problem_free(p);
}
END_TEST

/* What the integers did in a fit is told of each layer as the quantization tells it. */
START_TEST(flips_are_those_that_were_seen) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = perceptron(1, 1);
  quantize(model, p->data, &(rung_scheme){.weight_bits = 2});
  const rung_fit_options options = {.epochs = 8, .rate = 0.01f, .oscillation = {.freeze = 0.005f}};
  ck_assert_msg(rung_fit(model, p->data, &options) == RUNG_OK, "%s", rung_error());
  rung_analysis *analysis = analyze(model, p->data, 0);
  const rung_node *node;
  int64_t layers = 0, frozen = 0;
  for (int i = 0; (node = rung_graph_node(rung_model_graph(model), i)) != NULL; i++) {
    if (node->op != &rung_op_linear) continue;
    const rung_oscillation seen = rung_quantization_oscillation(rung_model_quantization(model), node);
    const rung_layer_analysis *layer = rung_analysis_layer(analysis, (int)layers++);
    ck_assert(layer->flips > 0 && layer->flips == seen.flips && layer->frozen == seen.frozen);
    ck_assert_int_eq(layer->oscillating, seen.oscillating);
    frozen += layer->frozen;
  }
  ck_assert(layers == rung_analysis_layers(analysis) && frozen > 0);
  rung_analysis_free(analysis);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* A bit more halves the step: 6 dB. */
START_TEST(each_bit_is_worth_six_decibel) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = perceptron(1, 1);
  double before = 0;
  for (int bits = 4; bits <= 8; bits++) {
    quantize(model, p->data, &(rung_scheme){.weight_bits = bits});
    rung_analysis *analysis = analyze(model, p->data, 0);
    const double sqnr = rung_analysis_layer(analysis, 1)->weights.sqnr;
    ck_assert_msg(bits == 4 || fabs(sqnr - before - 6.02) < 1, "%d bits: %g dB after %g", bits, sqnr, before);
    before = sqnr;
    rung_analysis_free(analysis);
  }
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(what_cannot_be_analyzed_is_refused) {
  problem *p = problem_new(RUNG_U8, 103, 1), *other = problem_new(RUNG_F32, 103, 1);
  rung_model *model = perceptron(1, 1);
  REFUSED(rung_analyze(model, p->data, 0) ? RUNG_OK : rung_error_status(), RUNG_ERROR_STATE, "not calibrated");
  quantize(model, p->data, &(rung_scheme){0});
  REFUSED(rung_analyze(model, NULL, 0) ? RUNG_OK : rung_error_status(), RUNG_ERROR_ARGUMENT, "empty");
  REFUSED(rung_analyze(model, p->data, -1) ? RUNG_OK : rung_error_status(), RUNG_ERROR_ARGUMENT, "-1 examples");
  REFUSED(rung_analyze(model, other->data, 0) ? RUNG_OK : rung_error_status(), RUNG_ERROR_ARGUMENT, "inputs are f32");
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_INTEGER);
  rung_analysis *analysis = analyze(model, p->data, 500); /* more than there are */
  ck_assert_int_eq(rung_analysis_examples(analysis), 103);
  ck_assert_ptr_null(rung_analysis_layer(analysis, 3));
  ck_assert_ptr_null(rung_analysis_activation(analysis, -1));
  rung_analysis_free(analysis);
  rung_analysis_free(NULL);
  problem_parameter(model, "fc1.weight")[3] = NAN;
  REFUSED(rung_analyze(model, p->data, 0) ? RUNG_OK : rung_error_status(), RUNG_ERROR_NUMERIC, "fc1.weight");
  rung_model_free(model);
  problem_free(other);
  problem_free(p);
}
END_TEST

TEST_MAIN(CASE(weights_are_measured_as_by_hand), CASE(histograms_of_weights_have_a_bin_for_every_part_of_a_step),
          CASE(activations_are_measured_as_by_hand), CASE(dead_outputs_are_counted),
          CASES(every_form_is_analyzed_and_left_as_it_was, RECIPES), CASE(flips_are_those_that_were_seen),
          CASE(a_reference_tells_what_rounding_cost),
          CASES(a_reference_that_is_the_same_network_changes_nothing, RECIPES), CASE(another_network_is_no_reference),
          CASE(each_bit_is_worth_six_decibel), CASE(what_cannot_be_analyzed_is_refused))
