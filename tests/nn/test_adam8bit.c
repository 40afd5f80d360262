#include "bitsandbytes.h"
#include "optimizer.h"
#include "problem.h"

#include <math.h>

/* ---- Against bitsandbytes --------------------------------------------------------------------------------------- */

typedef struct training {
  rung_team *team;
  rung_graph *graph;
  rung_node *parameter;
  optimizer *optimizer;
} training;

static training training_new(int threads, int64_t count) {
  training run = {.team = rung_team_new(threads)};
  run.graph = rung_graph_new(&(rung_graph_options){.team = run.team});
  run.parameter = rung_graph_parameter(run.graph, "w", RUNG_SHAPE(count));
  run.optimizer = optimizer_new(run.graph, &(rung_fit_options){.optimizer = RUNG_OPTIMIZER_ADAM8BIT});
  ck_assert_msg(run.optimizer != NULL, "%s", rung_error());
  return run;
}

static void training_free(training *run) {
  optimizer_free(run->optimizer);
  rung_graph_free(run->graph);
  rung_team_free(run->team);
}

/* The steps that make_bitsandbytes.py takes. */
static void train(training *run, int count) {
  float *gradient = run->parameter->gradient.data;
  bnb_numbers(run->parameter->value.data, count, 2);
  for (int step = 0; step < BNB_STEPS; step++) {
    bnb_numbers(gradient, count, (uint32_t)(3 + step));
    for (int i = 0; i < count; i++) gradient[i] *= (float)(1 + i % 5) / 64;
    optimizer_begin(run->optimizer, 0.01f);
    rung_team_run(run->team, optimizer_update, run->optimizer);
  }
}

/* The two sides round some sums of products at other places, so a moment may lie on the other side of a bound between
 * two codes, and its successors near it: no more than a few codes are one apart. */
START_TEST(moments_after_six_steps_are_those_of_bitsandbytes) {
  static bitsandbytes data;
  bitsandbytes_read(&data);
  training run = training_new(1, BNB_ADAM);
  train(&run, BNB_ADAM);
  for (int k = 0; k < 2; k++) {
    optimizer_slot codes, scales;
    ck_assert(optimizer_slot_at(run.optimizer, 2 * k, &codes) && optimizer_slot_at(run.optimizer, 2 * k + 1, &scales));
    ck_assert_int_eq(codes.state.type, RUNG_U8);
    ck_assert_str_eq(scales.part, "absmax");
    ck_assert_int_eq(rung_tensor_count(&scales.state), BNB_ADAM_BLOCKS);
    int apart = 0;
    for (int i = 0; i < BNB_ADAM; i++) {
      const int off = abs(((const uint8_t *)codes.state.data)[i] - data.adam[k][i]);
      ck_assert_msg(off <= 1, "moment %d, code %d: %d", k + 1, i, off);
      apart += off;
    }
    ck_assert_msg(apart <= 4, "moment %d: %d codes differ", k + 1, apart);
    for (int b = 0; b < BNB_ADAM_BLOCKS; b++)
      ck_assert_float_eq_tol(((const float *)scales.state.data)[b], data.adam_absmax[k][b],
                             1e-4f * data.adam_absmax[k][b]); /* 1 - beta2 in f32: 5e-5 off */
  }
  const float *weight = run.parameter->value.data;
  for (int i = 0; i < BNB_ADAM_SEEN; i++) ck_assert_float_eq_tol(weight[8 * i], data.adam_weight[i], 2e-6f);
  training_free(&run);
}
END_TEST

START_TEST(small_parameters_stay_in_f32) {
  static bitsandbytes data;
  bitsandbytes_read(&data);
  training run = training_new(1, BNB_SMALL);
  train(&run, BNB_SMALL);
  optimizer_slot slot;
  ck_assert(optimizer_slot_at(run.optimizer, 1, &slot) && !optimizer_slot_at(run.optimizer, 2, &slot));
  ck_assert(optimizer_slot_at(run.optimizer, 0, &slot) && slot.state.type == RUNG_F32);
  const float *weight = run.parameter->value.data;
  for (int i = 0; i < BNB_SMALL; i++) ck_assert_float_eq_tol(weight[i], data.small_weight[i], 1e-6f);
  training_free(&run);
}
END_TEST

/* ---- Taken by rows ---------------------------------------------------------------------------------------------- */

/* 32 rows of 24 hold three blocks, 32 rows of 25 do not end with one. */
START_TEST(weights_whose_rows_cut_blocks_are_not_taken) {
  for (int columns = 24; columns <= 25; columns++) {
    rung_graph *graph = rung_graph_new(NULL);
    rung_node *large = rung_graph_parameter(graph, "large", RUNG_SHAPE(200, columns));
    rung_node *bias = rung_graph_parameter(graph, "bias", RUNG_SHAPE(5000));
    rung_node *small = rung_graph_parameter(graph, "small", RUNG_SHAPE(100, columns));
    optimizer *rule = optimizer_new(graph, &(rung_fit_options){.optimizer = RUNG_OPTIMIZER_ADAM8BIT});
    ck_assert_ptr_nonnull(rule);
    rung_gradient_takes *takes = optimizer_takes(rule);
    ck_assert(takes(rule, large) == (columns == 24) && takes(rule, small) && !takes(rule, bias));
    optimizer_free(rule);
    rung_graph_free(graph);
  }
}
END_TEST

/* ---- Against Adam ----------------------------------------------------------------------------------------------- */

/* Accuracy on the sample's 1,000 test pictures, of FP32 and then of QAT. */
static void train_both(rung_optimizer_kind kind, double accuracy[2]) {
  rung_dataset *data = rung_dataset_load(TEST_DATA "/data/mnist-sample", RUNG_TRAIN);
  if (!data && strstr(rung_error(), "no zlib")) test_skip("no zlib");
  rung_dataset *test = rung_dataset_load(TEST_DATA "/data/mnist-sample", RUNG_TEST);
  ck_assert_msg(data && test, "%s", rung_error());
  rung_model *model = rung_model_from_text("input 28x28; linear 32, relu, linear 10; cross-entropy", NULL);
  ck_assert_ptr_nonnull(model);
  const rung_fit_options options = {.epochs = 4, .rate = 4e-3f, .optimizer = kind};
  for (int qat = 0; qat < 2; qat++) {
    rung_metrics metrics;
    if (qat) ck_assert_int_eq(rung_quantize(model, &(rung_scheme){.weight_bits = 4, .activation_bits = 4}), RUNG_OK);
    if (qat) ck_assert_int_eq(rung_calibrate(model, data, 200), RUNG_OK);
    ck_assert_msg(rung_fit(model, data, &options) == RUNG_OK, "%s", rung_error());
    ck_assert_int_eq(rung_evaluate(model, test, &metrics), RUNG_OK);
    accuracy[qat] = metrics.accuracy;
  }
  rung_model_free(model);
  rung_dataset_free(data);
  rung_dataset_free(test);
}

/* To 2 points: an accuracy of 86 % on 1,000 pictures has a standard error of 1.1. */
START_TEST(accuracy_is_that_of_adam) {
  double adam[2], adam8bit[2];
  train_both(RUNG_OPTIMIZER_ADAM, adam);
  train_both(RUNG_OPTIMIZER_ADAM8BIT, adam8bit);
  for (int qat = 0; qat < 2; qat++) {
    ck_assert_double_gt(adam8bit[qat], 0.8);
    ck_assert_double_eq_tol(adam8bit[qat], adam[qat], 0.02);
  }
}
END_TEST

TEST_MAIN(CASE(moments_after_six_steps_are_those_of_bitsandbytes), CASE(small_parameters_stay_in_f32),
          CASE(weights_whose_rows_cut_blocks_are_not_taken), CASE(accuracy_is_that_of_adam))
