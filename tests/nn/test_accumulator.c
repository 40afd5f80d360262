/* Networks trained for narrow accumulators: in every form and in what is frozen no sum leaves them. */
#include "recipes.h"

enum { EXAMPLES = 103 };

static const struct {
  rung_scheme scheme;
  int form;
} nets[] = {
    {{.weight_bits = 4, .activation_bits = 4, .accumulator_bits = 12}, RUNG_FORM_INTEGER},
    {{.accumulator_bits = 16}, RUNG_FORM_INTEGER},
    {{.weight_bits = 3, .accumulator_bits = 13, .weight_granularity = RUNG_PER_TENSOR}, RUNG_FORM_INTEGER},
    {{.accumulator_bits = 14, .weight_granularity = RUNG_PER_GROUP, .weight_group = 4}, RUNG_FORM_INTEGER},
    {{.weight_bits = 2,
      .activation_bits = 2,
      .accumulator_bits = 11,
      .weights = RUNG_WEIGHTS_LSQ,
      .activations = RUNG_ACTIVATIONS_LSQ},
     RUNG_FORM_INTEGER},
    {{.weight_bits = 4, .activation_bits = 4, .accumulator_bits = 12}, RUNG_FORM_SIMULATED},
};
enum { NETS = sizeof nets / sizeof nets[0] };

static rung_model *trained(int index) {
  problem *train = problem_new(RUNG_U8, EXAMPLES, 1);
  const recipe plain = {.form = RUNG_FORM_FLOAT};
  rung_model *model = recipe_model(&plain, 1, 5);
  const rung_fit_options options = {.epochs = 4, .rate = 1e-2f};
  ck_assert_int_eq(rung_fit(model, train->data, &options), RUNG_OK);
  ck_assert_msg(rung_quantize(model, &nets[index].scheme) == RUNG_OK, "%s", rung_error());
  ck_assert_msg(rung_calibrate(model, train->data, 0) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(rung_model_use(model, (rung_form)nets[index].form), RUNG_OK);
  ck_assert_msg(rung_fit(model, train->data, &options) == RUNG_OK, "%s", rung_error());
  problem_free(train);
  return model;
}

/* The largest sum of magnitudes of products within a channel and group. */
static int64_t largest_sum(const rung_integer_layer *layer, int64_t channel) {
  const int64_t width = layer->group ? layer->group : layer->in;
  const int64_t x = -layer->input_qmin > layer->input_qmax ? -layer->input_qmin : layer->input_qmax;
  int64_t largest = 0, sum = 0;
  for (int64_t k = 0; k < layer->in; k++) {
    const int q = layer->weight[channel * layer->in + k];
    if (k % width == 0) sum = 0;
    sum += x * (q < 0 ? -q : q);
    largest = sum > largest ? sum : largest;
  }
  return largest;
}

START_TEST(no_sum_leaves_the_accumulator) {
  rung_model *model = trained(_i);
  rung_quantization *quantization = rung_model_quantization(model);
  rung_graph *graph = rung_quantization_graph(quantization, RUNG_ARITHMETIC_INTEGER);
  const int64_t most = (INT64_C(1) << (nets[_i].scheme.accumulator_bits - 1)) - 1;
  int layers = 0;
  int64_t nearest = 0;
  rung_quantization_make_integers(quantization);
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    rung_integer_layer layer;
    if (rung_integer_layer_view(rung_graph_node(graph, i), &layer) != RUNG_OK) continue;
    layers++;
    for (int64_t j = 0; j < layer.out; j++) {
      const int64_t sum = largest_sum(&layer, j);
      ck_assert_msg(sum <= most, "layer %d, channel %lld: %lld", layers, (long long)j, (long long)sum);
      nearest = sum > nearest ? sum : nearest;
    }
  }
  ck_assert_int_eq(layers, 3);
  ck_assert_msg(nearest > most / 2, "the limit of %lld never mattered: %lld", (long long)most, (long long)nearest);
  rung_model_free(model);
}
END_TEST

/* The float simulation has the same weights. */
START_TEST(simulation_and_integers_agree) {
  problem *held_out = problem_new(RUNG_U8, 37, 2);
  rung_model *model = trained(_i);
  rung_metrics integers, simulated;
  ck_assert_int_eq(rung_model_use(model, RUNG_FORM_INTEGER), RUNG_OK);
  ck_assert_int_eq(rung_evaluate(model, held_out->data, &integers), RUNG_OK);
  ck_assert_int_eq(rung_model_use(model, RUNG_FORM_SIMULATED), RUNG_OK);
  ck_assert_int_eq(rung_evaluate(model, held_out->data, &simulated), RUNG_OK);
  ck_assert_double_lt(fabs(integers.loss - simulated.loss), 0.02 + 0.02 * simulated.loss);
  rung_model_free(model);
  problem_free(held_out);
}
END_TEST

START_TEST(what_cannot_be_is_refused) {
  problem *train = problem_new(RUNG_U8, EXAMPLES, 1);
  const recipe plain = {.form = RUNG_FORM_FLOAT};
  rung_model *model = recipe_model(&plain, 1, 5);
  REFUSED(rung_quantize(model, &(rung_scheme){.accumulator_bits = 7}), RUNG_ERROR_ARGUMENT,
          "accumulator_bits 7, expected 8..32");
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){.weight_bits = 1, .accumulator_bits = 9}), RUNG_OK);
  REFUSED(rung_calibrate(model, train->data, 0), RUNG_ERROR_ARGUMENT,
          "accumulator_bits 9: 'fc1.weight' has 12 inputs of magnitude up to 255, of which its weights, which have no "
          "0, can sum 1");
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){.accumulator_bits = 8}), RUNG_OK);
  REFUSED(rung_calibrate(model, train->data, 0), RUNG_ERROR_ARGUMENT, "of which its weights can sum 0");
  rung_model_free(model);
  problem_free(train);
}
END_TEST

TEST_MAIN(CASES(no_sum_leaves_the_accumulator, NETS), CASES(simulation_and_integers_agree, NETS),
          CASE(what_cannot_be_is_refused))
