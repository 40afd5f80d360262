/* Freezing: what becomes of a model, what is refused and why, the bound on accumulators, a program's description. */
#include "deploy_model.h"

static const rung_scheme usual = {0};

/* ---- What is refused -------------------------------------------------------------------------------------------- */

static void expect_refusal(rung_model *model, const char *says) {
  ck_assert_ptr_null(rung_freeze(model));
  ck_assert_msg(strstr(rung_error(), says) != NULL, "'%s' lacks '%s'", rung_error(), says);
}

START_TEST(an_uncalibrated_model_is_refused) {
  pictures data = pictures_load(64, 64);
  rung_model *model = network_new(NETWORK_RELU, 1);
  expect_refusal(model, "freeze: the model is not calibrated; call rung_quantize and rung_calibrate first");
  expect_ok(rung_quantize(model, &usual));
  expect_refusal(model, "not calibrated");
  expect_ok(rung_calibrate(model, data.train, 0));
  rung_program_free(freeze(model));
  expect_ok(rung_quantize(model, &usual)); /* anew: calibration is gone */
  expect_refusal(model, "not calibrated");
  rung_model_free(model);
  pictures_free(&data);
  rung_program_free(NULL);
}
END_TEST

/* A network with an operation that has no integer form: the message names it. */
START_TEST(an_operation_without_an_integer_form_is_named) {
  static const struct {
    network kind;
    const char *says;
  } cases[] = {{NETWORK_TANH, "freeze: the tanh behind 'fc1' "},
               {NETWORK_RESIDUAL, "freeze: the linear 'skip' "},
               {NETWORK_LAST_RELU, "freeze: the relu behind 'fc5' "}};
  pictures data = pictures_load(64, 64);
  rung_model *model = calibrated(cases[_i].kind, data.train, &usual);
  expect_refusal(model, cases[_i].says);
  ck_assert_ptr_nonnull(strstr(rung_error(), "has no integer form"));
  rung_metrics metrics;
  expect_ok(rung_evaluate(model, data.test, &metrics)); /* as a model it computes all the same */
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

static rung_parameter parameter_named(const rung_model *model, const char *name) {
  for (int p = 0; p < rung_model_parameter_count(model); p++)
    if (strcmp(rung_model_parameter(model, p).name, name) == 0) return rung_model_parameter(model, p);
  ck_abort_msg("no parameter '%s'", name);
}

/* As PyTorch's users write it. Its float form stays the folded one when it trains on: no batch moves its statistics. */
START_TEST(a_batch_norm_behind_a_layer_without_a_bias_folds) {
  const char *text = "input 28x28 as image; linear 8 no-bias, batch-norm, relu, linear 10; cross-entropy";
  pictures data = pictures_load(256, 100);
  rung_model *model = rung_model_from_text(text, &(rung_model_options){.batch = BATCH, .threads = 1});
  ck_assert_msg(model != NULL, "%s", rung_error());
  fit(model, data.train, 2, 2e-3f);
  rung_metrics before, after;
  expect_ok(rung_evaluate(model, data.test, &before));
  calibrate(model, data.train, &usual);
  expect_ok(rung_model_use(model, RUNG_FORM_FLOAT));
  expect_ok(rung_evaluate(model, data.test, &after));
  ck_assert(fabs(after.loss - before.loss) < 1e-5 && after.accuracy == before.accuracy);
  const float variance = parameter_named(model, "bn1.running_var").value[0];
  for (rung_form form = RUNG_FORM_FLOAT; form <= RUNG_FORM_SIMULATED; form++) {
    const float shift = parameter_named(model, "bn1.bias").value[0];
    expect_ok(rung_model_use(model, form));
    fit(model, data.train, 1, 1e-3f);
    ck_assert(parameter_named(model, "bn1.bias").value[0] != shift);
    ck_assert(parameter_named(model, "bn1.running_mean").value[0] == 0);
    ck_assert(parameter_named(model, "bn1.running_var").value[0] == variance);
    rung_program *program = freeze(model);
    rung_agreement agreement;
    expect_ok(rung_program_compare(program, model, data.test, &agreement));
    ck_assert_int_eq(agreement.differ_evaluation, 0);
    rung_program_free(program);
  }
  char *same = rung_model_text(model);
  ck_assert_str_eq(same, text);
  rung_release(same);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* Real inputs would need a quantize in front, which is no integer operation. */
START_TEST(real_inputs_are_quantized_before_the_program) {
  pictures data = pictures_load(64, 64);
  float *reals = malloc(64 * 784 * sizeof *reals);
  for (int i = 0; i < 64 * 784; i++) reals[i] = (float)((const uint8_t *)data.train->inputs.data)[i] / 255;
  const rung_tensor inputs = {.shape = RUNG_SHAPE(64, 784), .data = reals};
  rung_dataset *real = rung_dataset_new("real", &inputs, data.train->labels, 10, NULL);
  rung_model *model = calibrated(NETWORK_RELU, real, &usual);
  rung_program *program = freeze(model);
  rung_metrics metrics, evaluation;
  expect_ok(rung_evaluate(model, real, &evaluation));
  expect_ok(rung_program_evaluate(program, real, &metrics));
  ck_assert(metrics.accuracy == evaluation.accuracy);
  rung_agreement agreement;
  expect_ok(rung_program_compare(program, model, real, &agreement));
  ck_assert_int_eq(agreement.differ_evaluation, 0);
  ck_assert_int_gt(agreement.activations, 0);
  uint8_t q[784];
  reals[5] = NAN;
  ck_assert_int_eq(rung_program_quantize(program, reals, q, 1), RUNG_ERROR_NUMERIC);
  ck_assert_str_eq(rung_error(), "quantize: example 0 holds a NaN");
  ck_assert_int_eq(rung_program_quantize(program, reals + 784, q, 1), RUNG_OK);
  rung_program_free(program);
  rung_model_free(model);
  rung_dataset_free(real);
  free(reals);
  pictures_free(&data);
}
END_TEST

/* Pixels in a program of reals are the reals that they stand for: the same integers, whatever its own are. */
START_TEST(pixels_are_taken_as_reals) {
  enum { COUNT = 64, VALUES = COUNT * 784 };
  static uint8_t from_reals[VALUES], from_pixels[VALUES];
  pictures data = pictures_load(COUNT, COUNT);
  const rung_tensor *pixels = &data.train->inputs;
  float *reals = malloc(VALUES * sizeof *reals);
  for (int i = 0; i < VALUES; i++) reals[i] = pixels->scale * (float)((const uint8_t *)pixels->data)[i];
  const rung_tensor inputs = {.shape = RUNG_SHAPE(COUNT, 784), .data = reals};
  rung_dataset *real = rung_dataset_new("real", &inputs, data.train->labels, 10, NULL);
  const rung_scheme scheme = {.weight_bits = 8, .activation_bits = _i < 2 ? 8 : 4, .activation_signed = _i % 2};
  rung_model *model = calibrated(NETWORK_RELU, real, &scheme);
  rung_program *program = freeze(model);
  expect_ok(rung_program_take(program, real, 0, COUNT, from_reals));
  expect_ok(rung_program_take(program, data.train, 0, 1, from_pixels));
  expect_ok(rung_program_take(program, data.train, 1, COUNT - 1, from_pixels + 784));
  ck_assert_mem_eq(from_pixels, from_reals, VALUES);
  rung_metrics want, have, evaluation;
  expect_ok(rung_program_evaluate(program, real, &want));
  expect_ok(rung_program_evaluate(program, data.train, &have));
  expect_ok(rung_evaluate(model, data.train, &evaluation));
  ck_assert(have.accuracy == want.accuracy && have.accuracy == evaluation.accuracy);
  rung_agreement agreement;
  expect_ok(rung_program_compare(program, model, data.train, &agreement));
  ck_assert(agreement.differ_evaluation == 0 && agreement.activations > 0);
  rung_program_free(program);
  rung_model_free(model);
  rung_dataset_free(real);
  free(reals);
  pictures_free(&data);
}
END_TEST

START_TEST(what_is_no_number_is_refused) {
  pictures data = pictures_load(64, 64);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &usual);
  parameter_named(model, _i ? "fc2.bias" : "fc1.weight").value[7] = _i ? INFINITY : NAN;
  rung_model_touch(model);
  expect_refusal(model, _i ? "fc2.bias: value 7 is inf" : "fc1.weight: value 7 is");
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

START_TEST(a_multiplier_out_of_range_is_refused) {
  pictures data = pictures_load(64, 64);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &usual);
  rung_quantization_quantizer(rung_model_quantization(model), 0)->scale = 1e-20f;
  expect_refusal(model, "freeze: fc1.weight: output channel 0 has effective scale");
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* ---- Accumulators ----------------------------------------------------------------------------------------------- */

/* One layer of `in` inputs and two outputs, all weights +1 and -1, both biases `bias`; calibrated. */
static rung_model *wide_model(int64_t in, float bias, rung_dataset **dataset) {
  static const int32_t labels[1];
  static uint8_t bytes[70000];
  memset(bytes, 255, sizeof bytes);
  const rung_tensor inputs = {.type = RUNG_U8, .shape = RUNG_SHAPE(1, in), .data = bytes, .scale = 1.0f / 255};
  *dataset = rung_dataset_new("wide", &inputs, labels, 2, NULL);
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 1, .threads = 1});
  ck_assert_ptr_nonnull(rung_loss_cross_entropy(rung_linear(rung_input(model, "x", RUNG_SHAPE(in)), "wide", 2)));
  const rung_parameter weight = parameter_named(model, "wide.weight"), b = parameter_named(model, "wide.bias");
  for (int64_t k = 0; k < in; k++) {
    weight.value[k] = 1;
    weight.value[in + k] = -1;
  }
  b.value[0] = b.value[1] = bias;
  calibrate(model, *dataset, &usual);
  return model;
}

/* 66311 products of 255 and 127 are the most that an int32 holds: reached by white pictures, to the last bit. */
START_TEST(the_widest_sum_is_reached) {
  rung_dataset *dataset;
  rung_model *model = wide_model(66311, 0, &dataset);
  rung_program *program = freeze(model);
  int64_t bound;
  int bits;
  expect_ok(rung_program_bound(program, 0, &bound, &bits));
  ck_assert_int_eq(bound, 66311ll * 255 * 127);
  ck_assert_int_eq(bits, 32);
  const rung_integer_layer *layer = &program->layer[0].instruction.integers;
  int32_t logits[2];
  expect_ok(rung_run(program, dataset->inputs.data, logits, 1));
  ck_assert_int_eq(logits[0], rung_requantize(bound, layer->multiplier[0], layer->shift[0]));
  ck_assert_int_eq(logits[1], rung_requantize(-bound, layer->multiplier[1], layer->shift[1]));
  ck_assert_double_le(fabs(rung_program_describe(program).logit_scale * (double)logits[0] - 66311), 1);
  rung_program_free(program);
  rung_model_free(model);
  rung_dataset_free(dataset);
}
END_TEST

/* A channel of tiny weights leaves no room for its bias at s_x s_w in an int32. */
START_TEST(a_bias_that_does_not_fit_is_refused) {
  rung_dataset *dataset;
  rung_model *model = wide_model(4, 1, &dataset);
  rung_parameter weight = parameter_named(model, "wide.weight");
  for (int i = 0; i < 4; i++) weight.value[i] *= 1e-9f;
  rung_model_touch(model);
  expect_refusal(model, "freeze: wide.weight: the bias of output channel 0 is too large");
  rung_model_free(model);
  rung_dataset_free(dataset);
}
END_TEST

/* One more input, far more of them, or room taken by a bias. */
START_TEST(a_sum_that_could_overflow_is_refused) {
  static const struct {
    int64_t in;
    float bias;
    const char *says;
  } cases[] = {{66312, 0, "freeze: wide.weight: an accumulator could reach 2147514120, more than an int32 holds"},
               {70000, 0, "could reach 2266950000,"},
               {66311, 0.1f, "more than an int32 holds"},
               {66311, -0.1f, "more than an int32 holds"},
               {33156, 1e6f, "more than an int32 holds"}};
  rung_dataset *dataset;
  rung_model *model = wide_model(cases[_i].in, cases[_i].bias, &dataset);
  expect_refusal(model, cases[_i].says);
  rung_model_free(model);
  rung_dataset_free(dataset);
}
END_TEST

/* The largest magnitude on the way to any sum, the input's own order: what the bound is for. */
static int64_t largest_on_the_way(const rung_integer_layer *layer, const void *input, int64_t count) {
  int64_t most = 0, length = layer->group ? layer->group : layer->in;
  for (int64_t i = 0; i < count; i++)
    for (int64_t j = 0; j < layer->out; j++) {
      int64_t sum = 0;
      for (int64_t k = 0; k < layer->in; k++) {
        if (k % length == 0) sum = layer->bias[j * layer->groups + k / length];
        int64_t at = i * layer->in + k;
        int64_t q = layer->input_type == RUNG_I8 ? ((const int8_t *)input)[at] : ((const uint8_t *)input)[at];
        sum += q * layer->weight[j * layer->in + k];
        if (llabs(sum) > most) most = llabs(sum);
      }
    }
  return most;
}

typedef struct walk {
  const rung_program *program;
  const void *input;
} walk;

static void expect_within_bound(void *context, int index, rung_dtype type, const void *output, int64_t count,
                                int64_t out) {
  (void)type;
  (void)out;
  walk *at = context;
  int64_t bound, most = largest_on_the_way(&at->program->layer[index].instruction.integers, at->input, count);
  int bits;
  expect_ok(rung_program_bound(at->program, index, &bound, &bits));
  ENSURE(most <= bound && most > bound / 50);
  ENSURE(bound < (int64_t)1 << (bits - 1) && bound >= (int64_t)1 << (bits - 2));
  at->input = output;
}

START_TEST(real_sums_stay_within_the_bound) {
  static const rung_scheme schemes[] = {{0},
                                        {.weight_bits = 2, .activation_bits = 3},
                                        {.activation_signed = true},
                                        {.weight_granularity = RUNG_PER_GROUP, .weight_group = 32}};
  pictures data = pictures_load(128, 40);
  rung_model *model = calibrated(NETWORK_DEEP, data.train, &schemes[_i]);
  rung_program *program = freeze(model);
  int32_t logits[40 * 10];
  void *scratch = rung_allocate(rung_program_scratch(program, 40));
  walk at = {program, data.test->inputs.data};
  expect_ok(rung_program_trace(program, at.input, logits, 40, scratch, expect_within_bound, &at));
  int64_t bound;
  int bits;
  ck_assert_int_eq(rung_program_bound(program, 4, &bound, &bits), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), "program: layer 4, expected 0..3");
  ck_assert_int_eq(rung_program_bound(program, -1, &bound, &bits), RUNG_ERROR_ARGUMENT);
  rung_release(scratch);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* ---- A program of its own --------------------------------------------------------------------------------------- */

/* It stays what it was while the model trains on, and after the model and its data are gone. */
START_TEST(a_program_outlives_its_model) {
  pictures data = pictures_load(128, 50);
  uint8_t *input = malloc(50 * 784);
  memcpy(input, data.test->inputs.data, 50 * 784);
  rung_model *model = calibrated(NETWORK_DROPOUT, data.train, &usual);
  rung_program *program = freeze(model), *twin = freeze(model);
  int32_t *before = logits_of(program, data.test, 50), after[50 * 10];
  fit(model, data.train, 1, 1e-2f);
  rung_program *trained = freeze(model);
  int32_t *other = logits_of(trained, data.test, 50);
  rung_model_free(model);
  pictures_free(&data);
  expect_ok(rung_run(program, input, after, 50));
  ck_assert_mem_eq(after, before, sizeof after);
  rung_program_free(program);
  expect_ok(rung_run(twin, input, after, 50));
  ck_assert_mem_eq(after, before, sizeof after);
  ck_assert_mem_ne(after, other, sizeof after);
  rung_program_free(twin);
  rung_program_free(trained);
  free(before);
  free(other);
  free(input);
}
END_TEST

/* Freezing reads the shadows as they are, without an evaluation before it, and leaves the model as it was. */
START_TEST(freezing_leaves_the_model_as_it_is) {
  pictures data = pictures_load(128, 50);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &usual);
  rung_program *straight = freeze(model);
  uint64_t hash = rung_model_hash(model);
  const rung_quantizer *quantizer = rung_quantization_quantizer(rung_model_quantization(model), 0);
  const rung_quantizer before = *quantizer;
  rung_metrics metrics;
  expect_ok(rung_evaluate(model, data.test, &metrics));
  expect_ok(rung_model_use(model, RUNG_FORM_FLOAT));
  rung_program *later = freeze(model);
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_FLOAT);
  ck_assert_uint_eq(rung_model_hash(model), hash);
  ck_assert(quantizer->scale == before.scale && quantizer->observed == before.observed &&
            quantizer->state == before.state);
  int32_t *a = logits_of(straight, data.test, 50), *b = logits_of(later, data.test, 50);
  ck_assert_mem_eq(a, b, 50 * 10 * sizeof *a);
  free(a);
  free(b);
  rung_program_free(straight);
  rung_program_free(later);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* Bytes by hand. A channel takes a bias and a multiplier of 4 bytes, a shift of 1; so does, without the shift, each of
 * its groups, and then 8 for the bias of the sum. */
START_TEST(programs_are_described) {
  static const struct {
    rung_scheme scheme;
    int64_t bytes;
  } cases[] = {
      {{.weight_bits = 8}, 784 * HIDDEN + HIDDEN * 10 + (HIDDEN + 10) * 9},
      {{.weight_bits = 4}, 784 * HIDDEN / 2 + HIDDEN * 10 / 2 + (HIDDEN + 10) * 9},
      {{.weight_bits = 1}, 784 * HIDDEN / 8 + (HIDDEN * 10 + 7) / 8 + (HIDDEN + 10) * 9},
      {{.weight_bits = 3, .weight_granularity = RUNG_PER_TENSOR},
       784 * HIDDEN * 3 / 8 + (HIDDEN * 10 * 3 + 7) / 8 + (HIDDEN + 10) * 9},
      {{.weight_bits = 8, .weight_granularity = RUNG_PER_GROUP, .weight_group = 16},
       784 * HIDDEN + HIDDEN * 10 + HIDDEN * (49 * 8 + 9) + 10 * (3 * 8 + 9)},
  };
  pictures data = pictures_load(64, 64);
  rung_model *model = calibrated(NETWORK_RELU6, data.train, &cases[_i].scheme);
  rung_program *program = freeze(model);
  const rung_program_info info = rung_program_describe(program);
  ck_assert_int_eq(info.layers, 2);
  ck_assert(info.inputs == 784 && info.outputs == 10 && info.input_type == RUNG_U8);
  ck_assert(info.input_scale == data.train->inputs.scale && info.input_zero_point == 0);
  ck_assert_int_eq(info.macs, 784 * HIDDEN + HIDDEN * 10);
  ck_assert_int_eq(info.weight_bytes, cases[_i].bytes);
  ck_assert(info.logit_scale > 0 && info.logit_scale < 1);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

TEST_MAIN(CASE(an_uncalibrated_model_is_refused), CASES(an_operation_without_an_integer_form_is_named, 3),
          CASE(a_batch_norm_behind_a_layer_without_a_bias_folds), CASE(a_bias_that_does_not_fit_is_refused),
          CASE(real_inputs_are_quantized_before_the_program), CASES(pixels_are_taken_as_reals, 4),
          CASES(what_is_no_number_is_refused, 2), CASE(a_multiplier_out_of_range_is_refused),
          CASE(the_widest_sum_is_reached), CASES(a_sum_that_could_overflow_is_refused, 5),
          CASES(real_sums_stay_within_the_bound, 4), CASE(a_program_outlives_its_model),
          CASE(freezing_leaves_the_model_as_it_is), CASES(programs_are_described, 5))
