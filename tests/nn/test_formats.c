/* A model whose weights are stored in few bits, and one that trains with such weights. */
#include "problem.h"
#include "rung/nn/formats.h"

#include <math.h>

/* Formats that can be trained with. */
static const rung_storage_format trained[] = {RUNG_STORAGE_F16, RUNG_STORAGE_BF16, RUNG_STORAGE_E4M3, RUNG_STORAGE_E5M2,
                                              RUNG_STORAGE_NF4, RUNG_STORAGE_INT8, RUNG_STORAGE_INT4};
enum { TRAINED = sizeof trained / sizeof trained[0] };

static int64_t count_of(const rung_parameter *parameter) {
  int64_t count;
  ck_assert_int_eq(rung_shape_count(&parameter->shape, &count), RUNG_OK);
  return count;
}

/* ---- Storing ---------------------------------------------------------------------------------------------------- */

START_TEST(storing_replaces_weights_and_measures_the_loss) {
  const rung_storage storage = {.format = (rung_storage_format)_i};
  rung_model *model = perceptron(1, 3), *before = perceptron(1, 3);
  rung_stored stored;
  ck_assert_msg(rung_model_store(model, &storage, &stored) == RUNG_OK, "%s", rung_error());
  double signal = 0, noise = 0, largest = 0;
  int64_t weights = 0;
  size_t bytes = 0;
  for (int i = 0; i < rung_model_parameter_count(model); i++) {
    const rung_parameter to = rung_model_parameter(model, i), from = rung_model_parameter(before, i);
    if (to.shape.rank != 2) {
      ck_assert_int_eq(memcmp(to.value, from.value, (size_t)count_of(&to) * sizeof(float)), 0);
      continue;
    }
    rung_storage_layout layout;
    ck_assert_int_eq(rung_storage_measure(&storage, to.shape.extent[0], to.shape.extent[1], &layout), RUNG_OK);
    weights += count_of(&to);
    bytes += layout.bytes;
    for (int64_t k = 0; k < count_of(&to); k++) {
      const double w = (double)from.value[k], error = w - (double)to.value[k];
      signal += w * w;
      noise += error * error;
      largest = fmax(largest, fabs(error));
    }
  }
  ck_assert_int_eq(stored.weights, weights);
  ck_assert_uint_eq(stored.bytes, bytes);
  ck_assert_double_eq_tol(stored.bits_per_weight, 8 * (double)bytes / (double)weights, 1e-12);
  ck_assert_double_eq(stored.largest_error, largest);
  if (storage.format == RUNG_STORAGE_F32)
    ck_assert(isinf(stored.sqnr) && noise == 0);
  else
    ck_assert_double_eq_tol(stored.sqnr, 10 * log10(signal / noise), 1e-9);
  rung_model_free(model);
  rung_model_free(before);
}
END_TEST

/* Each bit is worth 6 dB, and floats of more bits lose less. */
START_TEST(more_bits_lose_less) {
  double sqnr[RUNG_STORAGE_FORMAT_COUNT];
  for (int format = 0; format < RUNG_STORAGE_FORMAT_COUNT; format++) {
    rung_model *model = perceptron(1, 3);
    rung_stored stored;
    ck_assert_int_eq(rung_model_store(model, &(rung_storage){.format = (rung_storage_format)format}, &stored), RUNG_OK);
    sqnr[format] = stored.sqnr;
    rung_model_free(model);
  }
  for (int format = RUNG_STORAGE_INT8; format < RUNG_STORAGE_INT4; format++)
    ck_assert_double_eq_tol(sqnr[format] - sqnr[format + 1], 6.02, 1.5);
  ck_assert(sqnr[RUNG_STORAGE_F16] > sqnr[RUNG_STORAGE_BF16] && sqnr[RUNG_STORAGE_BF16] > sqnr[RUNG_STORAGE_E4M3]);
  ck_assert(sqnr[RUNG_STORAGE_E4M3] > sqnr[RUNG_STORAGE_E5M2] && sqnr[RUNG_STORAGE_NF4] > sqnr[RUNG_STORAGE_INT3]);
}
END_TEST

START_TEST(what_cannot_be_stored_changes_nothing) {
  rung_model *model = perceptron(1, 3);
  const uint64_t hash = rung_model_hash(model);
  REFUSED(rung_model_store(model, &(rung_storage){.format = RUNG_STORAGE_FORMAT_COUNT}, NULL), RUNG_ERROR_ARGUMENT,
          "format 14, expected 0..13");
  ck_assert_uint_eq(rung_model_hash(model), hash);
  problem_parameter(model, "fc3.weight")[2] = INFINITY;
  const uint64_t infinite = rung_model_hash(model);
  REFUSED(rung_model_store(model, &(rung_storage){.format = RUNG_STORAGE_NF4}, NULL), RUNG_ERROR_NUMERIC, "fc3.weight");
  ck_assert_uint_eq(rung_model_hash(model), infinite);
  rung_model_free(model);
  model = rung_model_new(NULL);
  ck_assert_ptr_nonnull(rung_relu(rung_input(model, "x", RUNG_SHAPE(FEATURES))));
  REFUSED(rung_model_store(model, &(rung_storage){0}, NULL), RUNG_ERROR_STATE, "no linear layer");
  rung_model_free(model);
}
END_TEST

/* ---- Training with stored weights ------------------------------------------------------------------------------- */

static void simulate(rung_model *model, const rung_dataset *data, const rung_scheme *scheme) {
  ck_assert_msg(rung_quantize(model, scheme) == RUNG_OK, "%s", rung_error());
  ck_assert_msg(rung_calibrate(model, data, 1) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_SIMULATED);
}

/* The gradients of the float network with the weights that were stored are those that the shadows get. */
START_TEST(the_simulation_is_the_network_with_stored_weights) {
  problem *p = problem_new(RUNG_U8, BATCH, 1);
  for (int g = 0; g < 3; g++) {
    const rung_scheme scheme = {
        .weight_storage = trained[_i], .weight_granularity = (rung_granularity)g, .weight_group = 8};
    const rung_storage storage = {.format = trained[_i], .granularity = (rung_granularity)g, .group = 8};
    rung_model *simulated = perceptron(2, 1), *stored = perceptron(1, 1);
    simulate(simulated, p->data, &scheme);
    ck_assert_int_eq(rung_model_store(stored, &storage, NULL), RUNG_OK);
    rung_graph *graphs[] = {rung_model_bind(simulated, p->data), rung_model_bind(stored, p->data)};
    for (int m = 0; m < 2; m++) {
      const rung_replay_options options = {.count = BATCH, .training = true, .backward = true};
      ck_assert_msg(rung_graph_replay(graphs[m], &options) == RUNG_OK, "%s", rung_error());
    }
    for (int i = 0; i < rung_model_parameter_count(stored); i++) {
      const rung_parameter a = rung_model_parameter(simulated, i), b = rung_model_parameter(stored, i);
      ck_assert_msg(memcmp(a.gradient, b.gradient, (size_t)count_of(&a) * sizeof(float)) == 0, "%s: %s",
                    rung_storage_name(trained[_i]), a.name);
    }
    rung_model_free(simulated);
    rung_model_free(stored);
  }
  problem_free(p);
}
END_TEST

START_TEST(weights_in_few_bits_learn) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = perceptron(1, 1);
  rung_metrics before, after;
  simulate(model, p->data, &(rung_scheme){.weight_storage = trained[_i]});
  ck_assert_int_eq(rung_evaluate(model, p->data, &before), RUNG_OK);
  ck_assert_int_eq(rung_fit(model, p->data, &(rung_fit_options){.epochs = 15, .rate = 1e-2f}), RUNG_OK);
  ck_assert_int_eq(rung_evaluate(model, p->data, &after), RUNG_OK);
  ck_assert_msg(after.loss < 0.2 * before.loss && after.accuracy > 0.97, "%g %g", after.loss, after.accuracy);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

START_TEST(there_is_no_integer_form) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = perceptron(1, 1);
  simulate(model, p->data, &(rung_scheme){.weight_storage = RUNG_STORAGE_BF16});
  REFUSED(rung_model_use(model, RUNG_FORM_INTEGER), RUNG_ERROR_UNSUPPORTED,
          "model: its weights are simulated in bf16, which has no integer form");
  REFUSED(rung_quantize(model, &(rung_scheme){.weight_storage = RUNG_STORAGE_NF4_DOUBLE}), RUNG_ERROR_ARGUMENT,
          "weight_storage nf4-double: each scale depends on all weights; expected nf4");
  REFUSED(rung_quantize(model, &(rung_scheme){.weight_storage = (rung_storage_format)99}), RUNG_ERROR_ARGUMENT,
          "weight_storage 99, expected 0..13");
  rung_model_free(model);
  problem_free(p);
}
END_TEST

TEST_MAIN(CASES(storing_replaces_weights_and_measures_the_loss, RUNG_STORAGE_FORMAT_COUNT), CASE(more_bits_lose_less),
          CASE(what_cannot_be_stored_changes_nothing),
          CASES(the_simulation_is_the_network_with_stored_weights, TRAINED), CASES(weights_in_few_bits_learn, TRAINED),
          CASE(there_is_no_integer_form))
