/* Batch norm merged, signs, inputs of few bits: what is trained, frozen, stored and emitted are the same integers. */
#include "io/scratch.h"
#include "verify_model.h"

#include <unistd.h>

static const char *const texts[] = {
    /* Brevitas' form of a small network: no biases, dropout behind the quantizers, one norm of the scores */
    "input 28x28; rescale 2 -1, dropout 0.2, linear 37 no-bias, batch-norm, dropout 0.2, linear 24 no-bias, "
    "batch-norm, "
    "dropout 0.2, linear 10 no-bias, batch-norm whole; squared-hinge",
    "input 28x28; linear 37, batch-norm, relu, linear 24 no-bias, batch-norm, relu6, linear 10, batch-norm; "
    "cross-entropy",
};

static const struct {
  int text;
  rung_scheme scheme;
} merges[] = {
    {0, {.weight_bits = 1, .activation_bits = 1, .input_bits = 1}},
    {0,
     {.weight_bits = 1,
      .activation_bits = 2,
      .input_bits = 2,
      .activation_signed = true,
      .activation_symmetric = true}},
    {0,
     {.weight_bits = 2,
      .activation_bits = 2,
      .input_bits = 2,
      .activation_signed = true,
      .activation_symmetric = true}},
    {0, {.activation_bits = 1, .weight_bits = 3, .weight_granularity = RUNG_PER_GROUP, .weight_group = 16}},
    {0, {.activation_bits = 1, .weight_bits = 2, .weight_granularity = RUNG_PER_TENSOR, .input_bits = 4}},
    {1, {.weight_bits = 2, .activation_bits = 2, .ranges = RUNG_RANGES_CURRENT}},
    {1, {.weight_bits = 4, .activation_bits = 4, .input_bits = 3}},
    {1, {.backward = RUNG_BACKWARD_INT8}},
    {1, {.weight_bits = 2, .activation_bits = 2, .weights = RUNG_WEIGHTS_LSQ, .activations = RUNG_ACTIVATIONS_LSQ}},
    {0, {.weight_bits = 3, .activation_bits = 1, .input_bits = 2, .weights = RUNG_WEIGHTS_LSQ}},
};

static float *values_of(const rung_model *model, const char *name) {
  for (int i = 0; i < rung_model_parameter_count(model); i++) {
    const rung_parameter parameter = rung_model_parameter(model, i);
    if (strcmp(parameter.name, name) == 0) return parameter.value;
  }
  ck_abort_msg("no parameter %s", name);
  return NULL;
}

/* Channels of both signs, of none, without variance: training does not get there in an epoch. */
static void disturb(rung_model *model) {
  float *gamma = values_of(model, "bn1.weight"), *variance = values_of(model, "bn1.running_var");
  for (int j = 0; j < 37; j += 3) gamma[j] = -gamma[j];
  gamma[1] = 0;
  gamma[4] = 1e-20f;
  variance[5] = 0;
  values_of(model, "bn2.weight")[7] *= -3;
  rung_model_touch(model);
}

static rung_model *merged(int which, const rung_dataset *data, int threads) {
  rung_model *model = rung_model_from_text(texts[merges[which].text],
                                           &(rung_model_options){.batch = 48, .threads = threads, .seed = 4});
  ck_assert_msg(model != NULL, "%s", rung_error());
  rung_scheme scheme = merges[which].scheme;
  scheme.batch_norm = RUNG_BATCH_NORM_MERGE;
  calibrate(model, data, &scheme);
  fit(model, data, 1, 1e-2f);
  return model;
}

/* 100 examples of blocks of 48: the last one is short. The simulation rounds the same numbers in f32; where it stands
 * on another side of a border is not this test's matter, how far off it is, is: one step, which of signs is 2. */
START_TEST(all_are_the_same_integers) {
  pictures data = pictures_load(160, 100);
  rung_model *model = merged(_i, data.train, 1);
  for (int disturbed = 0; disturbed < 2; disturbed++) {
    if (disturbed) disturb(model);
    const rung_emit_options emit = {.bits_packed = disturbed};
    rung_verification *verification =
        verify(model, data.test,
               &(rung_verify_options){.executions = OF(EVALUATION) | OF(EMITTED) | OF(TRAINING) | OF(SIMULATED),
                                      .emit = &emit});
    expect_exact(verification, RUNG_EXECUTION_EVALUATION, 100);
    expect_exact(verification, RUNG_EXECUTION_EMITTED, 100);
    const rung_execution_summary training = rung_verification_summary(verification, RUNG_EXECUTION_TRAINING);
    ck_assert_int_eq(training.outcome, RUNG_OUTCOME_NOT_AVAILABLE);
    ck_assert_ptr_nonnull(strstr(training.reason, "'fc1.weight'"));
    const rung_layer_agreement first = rung_verification_at(verification, RUNG_EXECUTION_SIMULATED, 0);
    ck_assert_int_le(first.largest, merges[_i].scheme.activation_bits == 1 ? 2 : 1);
    ck_assert_int_le(first.differ, first.values / 200);
    rung_verification_free(verification);
  }
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

START_TEST(the_file_is_the_program) {
  pictures data = pictures_load(96, 60);
  rung_model *model = merged(_i, data.train, 1);
  disturb(model);
  rung_program *program = freeze(model), *loaded;
  const char *path = scratch_path("program.safetensors");
  expect_ok(rung_program_save(program, path));
  loaded = rung_program_load(path);
  ck_assert_msg(loaded != NULL, "%s", rung_error());
  int32_t *a = logits_of(program, data.test, 60), *b = logits_of(loaded, data.test, 60);
  ck_assert_mem_eq(a, b, 600 * sizeof *a);
  const rung_input_table *table = rung_program_input_table(program), *again = rung_program_input_table(loaded);
  ck_assert((table != NULL) == (merges[_i].text == 0 || merges[_i].scheme.input_bits));
  ck_assert((table == NULL) == (again == NULL));
  if (table) ck_assert(memcmp(table->q, again->q, 256) == 0 && again->scale == table->scale && again->type == RUNG_U8);
  for (int i = 0; i < rung_program_buffer_count(program); i++)
    ck_assert_int_eq(rung_program_buffer(program, i)->binary, rung_program_buffer(loaded, i)->binary);
  ck_assert(rung_program_buffer(program, 1)->binary == (merges[_i].scheme.activation_bits == 1));
  ck_assert_int_eq(rung_program_describe(loaded).input_type, RUNG_U8);
  expect_ok(rung_program_check(loaded, data.test));
  unlink(path);
  free(a);
  free(b);
  rung_program_free(program);
  rung_program_free(loaded);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* What takes one bit cannot be 0. */
START_TEST(a_table_of_signs_has_no_0) {
  pictures data = pictures_load(96, 60);
  rung_model *model = merged(0, data.train, 1);
  rung_program *program = freeze(model);
  const char *path = scratch_path("program.safetensors");
  expect_ok(rung_program_save(program, path));
  FILE *file = fopen(path, "r+b");
  static char bytes[1 << 20];
  const size_t size = fread(bytes, 1, sizeof bytes, file);
  size_t at = 0; /* of the table */
  while (at + 256 < size && memcmp(bytes + at, rung_program_input_table(program)->q, 256) != 0) at++;
  ck_assert(at + 256 < size);
  fseek(file, (long)at + 17, SEEK_SET);
  fputc(0, file);
  fclose(file);
  ck_assert_ptr_null(rung_program_load(path));
  ck_assert_msg(strstr(rung_error(), "input_table.q': value 17 is 0, expected -1 or 1") != NULL, "%s", rung_error());
  unlink(path);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* A checkpoint evaluates and freezes as the model that it was made of. */
START_TEST(a_checkpoint_freezes_the_same) {
  pictures data = pictures_load(96, 60);
  rung_model *model = merged(_i, data.train, 1);
  disturb(model);
  const char *path = scratch_path("model.safetensors");
  expect_ok(rung_model_save(model, path));
  rung_model *loaded = rung_model_load(path, &(rung_model_options){.threads = 2});
  ck_assert_msg(loaded != NULL, "%s", rung_error());
  ck_assert_int_eq(rung_model_scheme(loaded)->batch_norm, RUNG_BATCH_NORM_MERGE);
  ck_assert_int_eq(rung_model_scheme(loaded)->input_bits, merges[_i].scheme.input_bits);
  rung_program *one = freeze(model), *two = freeze(loaded);
  int32_t *a = logits_of(one, data.test, 60), *b = logits_of(two, data.test, 60);
  ck_assert_mem_eq(a, b, 600 * sizeof *a);
  unlink(path);
  free(a);
  free(b);
  rung_program_free(one);
  rung_program_free(two);
  rung_model_free(model);
  rung_model_free(loaded);
  pictures_free(&data);
}
END_TEST

START_TEST(a_relu_has_no_sign) {
  pictures data = pictures_load(96, 60);
  rung_model *model = rung_model_from_text(texts[1], &(rung_model_options){.batch = 48, .threads = 1});
  expect_ok(rung_quantize(model, &(rung_scheme){.activation_bits = 1, .batch_norm = RUNG_BATCH_NORM_MERGE}));
  ck_assert_int_eq(rung_calibrate(model, data.train, 0), RUNG_ERROR_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(rung_error(), "has no negative values"));
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

TEST_MAIN(CASE(a_table_of_signs_has_no_0), CASES(all_are_the_same_integers, LENGTH(merges)),
          CASES(the_file_is_the_program, LENGTH(merges)), CASES(a_checkpoint_freezes_the_same, LENGTH(merges)),
          CASE(a_relu_has_no_sign))
