/* A model that went through a file freezes to the program that it froze to before. */
#include "deploy_model.h"
#include "io/scratch.h"

static void expect_same_array(const void *a, const void *b, int64_t count, size_t size, const char *name) {
  ck_assert_msg(memcmp(a, b, (size_t)count * size) == 0, "%s differs", name);
}

static void expect_same_layer(const rung_integer_layer *a, const rung_integer_layer *b) {
  ck_assert(a->in == b->in && a->out == b->out && a->groups == b->groups);
  const int64_t channels = a->out, parts = channels * a->groups;
  expect_same_array(a->weight, b->weight, channels * a->in, 1, "weight");
  expect_same_array(a->weight_scale, b->weight_scale, parts, sizeof(float), "weight_scale");
  expect_same_array(a->bias, b->bias, parts, sizeof(int32_t), "bias");
  expect_same_array(a->multiplier, b->multiplier, parts, sizeof(int32_t), "multiplier");
  expect_same_array(a->shift, b->shift, channels, sizeof(int32_t), "shift");
  if (a->group) expect_same_array(a->bias64, b->bias64, channels, sizeof(int64_t), "bias64");
  ck_assert(a->input_scale == b->input_scale && a->output_scale == b->output_scale);
  ck_assert(a->input_zero_point == b->input_zero_point && a->output_zero_point == b->output_zero_point);
  ck_assert(a->qmin == b->qmin && a->qmax == b->qmax && a->input_type == b->input_type);
}

static void expect_same_program(const rung_program *a, const rung_program *b, const rung_dataset *data) {
  ck_assert_int_eq(rung_program_count(a), rung_program_count(b));
  for (int i = 0; i < rung_program_count(a); i++) {
    ck_assert_str_eq(rung_program_instruction(a, i)->name, rung_program_instruction(b, i)->name);
    expect_same_layer(&rung_program_instruction(a, i)->integers, &rung_program_instruction(b, i)->integers);
  }
  static int32_t one[100 * 10], other[100 * 10];
  expect_ok(rung_run(a, data->inputs.data, one, 100));
  expect_ok(rung_run(b, data->inputs.data, other, 100));
  ck_assert_mem_eq(one, other, sizeof one);
}

static const rung_scheme schemes[] = {
    {0},
    {.weight_bits = 4, .activation_bits = 4, .weight_granularity = RUNG_PER_GROUP, .weight_group = 8},
    {.weight_bits = 1, .weight_granularity = RUNG_PER_TENSOR, .activation_signed = true}};

START_TEST(a_loaded_model_freezes_to_the_same_program) {
  pictures data = pictures_load(200, 100);
  for (int s = 0; s < LENGTH(schemes); s++) {
    rung_model *model = network_new((network)_i, 1);
    expect_ok(rung_fit(model, data.train, NULL));
    expect_ok(rung_quantize(model, &schemes[s]));
    expect_ok(rung_calibrate(model, data.train, 0));
    expect_ok(rung_fit(model, data.train, &(rung_fit_options){.rate = 1e-4f}));
    const char *path = scratch_path("model.safetensors");
    rung_status status = rung_model_save(model, path);
    if (status == RUNG_ERROR_UNSUPPORTED) test_skip(rung_error());
    expect_ok(status);
    rung_model *loaded = rung_model_load(path, NULL);
    ck_assert_msg(loaded != NULL, "%s", rung_error());
    rung_program *before = rung_freeze(model), *after = rung_freeze(loaded); /* with no data in between */
    ck_assert_msg(before && after, "%s", rung_error());
    expect_same_program(before, after, data.test);
    rung_agreement agreement;
    expect_ok(rung_program_compare(before, loaded, data.test, &agreement));
    ck_assert_int_eq(agreement.differ_evaluation, 0);
    rung_program_free(before);
    rung_program_free(after);
    rung_model_free(model);
    rung_model_free(loaded);
  }
  pictures_free(&data);
}
END_TEST

TEST_MAIN(CASES(a_loaded_model_freezes_to_the_same_program, NETWORK_COUNT))
