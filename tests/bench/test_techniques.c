/* The parts of the program that makes the table of techniques. */
#include "harness.h"
#include "io/scratch.h"
#include "table.h"

#include <math.h>
#include <stdlib.h>

extern const technique technique_ptq, technique_store_int4, technique_llm_int8;

#define SAMPLE TEST_DATA "/data/mnist-sample"

static trial begin(trial_options *options) {
  rung_dataset *sample = rung_dataset_load(SAMPLE, RUNG_TEST);
  if (!sample) test_skip("no zlib");
  rung_dataset_free(sample);
  *options =
      (trial_options){.data = SAMPLE, .folder = scratch_path("techniques"), .epochs = 1, .threads = 1, .quick = true};
  trial t = trial_begin(options);
  trial_train(&t, options, 1);
  return t;
}

/* The outputs of one batch, and the largest value behind the first ReLU. */
static const float *run(rung_model *model, const rung_dataset *test, float *largest) {
  rung_graph *graph = rung_model_bind(model, test);
  ck_assert_int_eq(rung_graph_replay(graph, &(rung_replay_options){.count = 64}), RUNG_OK);
  *largest = 0;
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (node->op != &rung_op_relu) continue;
    for (int64_t k = 0; k < rung_tensor_count(&node->value); k++) {
      const float x = ((const float *)node->value.data)[k];
      if (x > *largest) *largest = x;
    }
    break;
  }
  return rung_graph_node(graph, rung_graph_node_count(graph) - 1)->input[0]->value.data;
}

START_TEST(outlier_channels_leave_the_outputs_bits) {
  trial_options options;
  trial t = begin(&options);
  float largest, outlier;
  rung_model *plain = trial_load(&t);
  t.outliers = true;
  rung_model *changed = trial_load(&t);
  ck_assert(plain && changed);
  ck_assert(rung_model_hash(plain) == t.hash && rung_model_hash(changed) != t.hash);
  const float *a = run(plain, t.test, &largest), *b = run(changed, t.test, &outlier);
  ck_assert_mem_eq(a, b, 64 * 10 * sizeof *a);
  ck_assert(outlier > 4 * largest);
  rung_model_free(changed);
  rung_model_free(plain);
  trial_end(&t);
}
END_TEST

START_TEST(a_network_is_trained_once) {
  trial_options options;
  trial t = begin(&options);
  const uint64_t hash = t.hash;
  trial_train(&t, &options, 2);
  ck_assert(t.hash != hash);
  rung_model *other = rung_model_load(t.checkpoint, NULL);
  ck_assert_uint_eq(rung_model_hash(other), t.hash);
  rung_model_free(other);
  trial_train(&t, &options, 1);
  ck_assert_uint_eq(t.hash, hash);
  trial_end(&t);
}
END_TEST

START_TEST(settings_are_read) {
  setting settings[SETTINGS_MOST];
  const technique method = {.name = "t", .settings = "w4a8, w3a4  per-tensor outliers,w2a8 group 32"};
  ck_assert_int_eq(setting_read_all(&method, settings), 3);
  ck_assert(settings[0].scheme.weight_bits == 4 && settings[0].scheme.activation_bits == 8);
  ck_assert(settings[0].scheme.weight_granularity == RUNG_PER_CHANNEL && !settings[0].outliers);
  ck_assert_str_eq(settings[1].text, "w3a4 per-tensor outliers");
  ck_assert(settings[1].scheme.weight_granularity == RUNG_PER_TENSOR && settings[1].outliers);
  ck_assert(settings[2].scheme.weight_granularity == RUNG_PER_GROUP && settings[2].scheme.weight_group == 32);
}
END_TEST

START_TEST(results_come_back) {
  const technique method = {.name = "t"}, other = {.name = "u"};
  const setting where = {.text = "w4a8"}, elsewhere = {.text = "w3a8"};
  const trial t = {.data = "some/folder", .seed = 3, .hash = UINT64_C(0x0123456789abcdef), .qat_epochs = 5};
  const technique_result told = {.accuracy = 0.987654, .bytes = 12, .layer_error = 1e-5, .output_error = 0.25};
  technique_result found;
  const char *path = scratch_path("results.jsonl");
  results *r = results_open(path);
  results_add(r, &method, &t, &where, &told);
  results_free(r);
  FILE *file = fopen(path, "a");
  fputs("{\"data\": \"folder\", \"tech", file); /* stopped within a line */
  fclose(file);
  for (int i = 0; i < 2; i++) {
    r = results_open(path);
    ck_assert(results_find(r, &method, &t, &where, &found));
    ck_assert(found.accuracy == told.accuracy && found.bytes == 12);
    ck_assert(found.layer_error == told.layer_error && found.output_error == told.output_error);
    trial changed = t;
    changed.hash++;
    ck_assert(!results_find(r, &method, &changed, &where, &found));
    changed = t;
    changed.seed = 4;
    ck_assert(!results_find(r, &method, &changed, &where, &found));
    ck_assert(!results_find(r, &method, &t, &elsewhere, &found));
    ck_assert(results_find(r, &other, &t, &where, &found) == (i == 1));
    if (i == 0) results_add(r, &other, &t, &where, &told);
    results_free(r);
  }
}
END_TEST

/* By another way: the layers' errors from the program's own integers, the accuracy from the frozen program. */
START_TEST(what_is_left_out_is_measured) {
  trial_options options;
  trial t = begin(&options);
  setting settings[SETTINGS_MOST];
  const technique two = {.name = "two", .settings = "w8a8, w3a8", .rounds = true, .run = technique_ptq.run};
  ck_assert_int_eq(setting_read_all(&two, settings), 2);
  technique_result fine, coarse;
  ck_assert_int_eq(measure(&two, &t, &settings[0], &fine), RUNG_OK);
  ck_assert_int_eq(measure(&two, &t, &settings[1], &coarse), RUNG_OK);
  rung_model *model = trial_load(&t);
  ck_assert_int_eq(trial_quantize(&t, model, &settings[1].scheme), RUNG_OK);
  rung_program *program = rung_freeze(model);
  rung_metrics metrics;
  ck_assert_int_eq(rung_program_evaluate(program, t.test, &metrics), RUNG_OK);
  ck_assert(coarse.accuracy == metrics.accuracy);
  ck_assert_int_eq(coarse.bytes, rung_program_describe(program).weight_bytes);
  /* A step of 3 bits is 127/3 as wide as one of 8: the error of rounding grows with its square. */
  const double wider = (127.0 / 3) * (127.0 / 3), grew = coarse.layer_error / fine.layer_error;
  ck_assert(grew > 0.7 * wider && grew < 1.3 * wider);
  ck_assert(coarse.output_error > 100 * fine.output_error && fine.output_error > 0);
  rung_program_free(program);
  rung_model_free(model);
  trial_end(&t);
}
END_TEST

/* int4 that are decoded first are the weights that RTN's integers stand for. */
START_TEST(weights_without_a_program_are_measured_alike) {
  trial_options options;
  trial t = begin(&options);
  setting settings[SETTINGS_MOST];
  const int count = setting_read_all(&technique_store_int4, settings);
  for (int i = 0; i < count; i++) {
    technique_result stored, rtn;
    ck_assert_int_eq(measure(&technique_store_int4, &t, &settings[i], &stored), RUNG_OK);
    ck_assert_int_eq(measure(&technique_ptq, &t, &settings[i], &rtn), RUNG_OK);
    ck_assert(rtn.layer_error > 0 && fabs(stored.layer_error - rtn.layer_error) < 1e-6 * rtn.layer_error);
    if (settings[i].scheme.weight_granularity == RUNG_PER_CHANNEL) /* 784-32-16-10: half a byte, a scale, a bias */
      ck_assert_int_eq(stored.bytes, (784 * 32 + 32 * 16 + 16 * 10) / 2 + 4 * (32 + 16 + 10) + 4 * (32 + 16 + 10));
  }
  trial_end(&t);
}
END_TEST

START_TEST(outputs_of_no_form_are_measured) {
  trial_options options;
  trial t = begin(&options);
  rung_model *real = trial_load(&t);
  float *y = calloc((size_t)(t.test->count * t.test->classes), sizeof *y);
  technique_result result = {0};
  int64_t zeros = 0;
  for (int64_t i = 0; i < t.test->count; i++) zeros += t.test->labels[i] == 0;
  ck_assert_int_eq(trial_measure_outputs(&t, real, y, &result), RUNG_OK);
  ck_assert(result.output_error == 1 && result.accuracy == (double)zeros / (double)t.test->count);
  for (int64_t i = 0; i < t.test->count; i++) y[i * t.test->classes + t.test->labels[i]] = 1;
  ck_assert_int_eq(trial_measure_outputs(&t, real, y, &result), RUNG_OK);
  ck_assert(result.output_error != 1 && result.accuracy == 1);
  free(y);
  rung_model_free(real);
  trial_end(&t);
}
END_TEST

/* What the decomposition is for. */
START_TEST(llm_int8_bears_outliers) {
  trial_options options;
  trial t = begin(&options);
  setting settings[SETTINGS_MOST];
  ck_assert_int_eq(setting_read_all(&technique_llm_int8, settings), 2);
  technique_result plain, outliers, rtn;
  ck_assert_int_eq(measure(&technique_llm_int8, &t, &settings[0], &plain), RUNG_OK);
  ck_assert_int_eq(measure(&technique_llm_int8, &t, &settings[1], &outliers), RUNG_OK);
  ck_assert_int_eq(measure(&technique_ptq, &t, &settings[1], &rtn), RUNG_OK);
  ck_assert(outliers.output_error < 2 * plain.output_error && outliers.output_error < rtn.output_error / 4);
  ck_assert(fabs(plain.accuracy - t.accuracy) < 0.01 && outliers.bytes > plain.bytes);
  trial_end(&t);
}
END_TEST

TEST_MAIN(CASE(outlier_channels_leave_the_outputs_bits), CASE(a_network_is_trained_once), CASE(settings_are_read),
          CASE(results_come_back), CASE(what_is_left_out_is_measured),
          CASE(weights_without_a_program_are_measured_alike), CASE(outputs_of_no_form_are_measured),
          CASE(llm_int8_bears_outliers))
