/* Every low-bit method to the end: a small network trained by it, and its program, which is the same to the bit. */
#include "io/scratch.h"
#include "verify_model.h"

#define METHOD(bits, of_weights, of_activations)                                                                       \
  {                                                                                                                    \
    .weight_bits = bits, .activation_bits = bits > 4 ? 4 : 2, .weights = RUNG_WEIGHTS_##of_weights,                    \
    .activations = RUNG_ACTIVATIONS_##of_activations                                                                   \
  }
static const rung_scheme low[] = {
    METHOD(1, LSQ, LSQ),      METHOD(2, LSQ, LSQ),     METHOD(7, LSQ, LSQ),    METHOD(8, LSQ, PACT),
    METHOD(2, MAX, PACT),     METHOD(2, DOREFA, UNIT), METHOD(7, DOREFA, LSQ), METHOD(1, DOREFA, UNIT),
    METHOD(2, TERNARY, PACT), METHOD(1, UNIT, UNIT),   METHOD(2, UNIT, UNIT),  METHOD(1, MAX, UNIT),
};
static const network kinds[] = {NETWORK_RELU, NETWORK_DEEP, NETWORK_NO_ACTIVATION, NETWORK_NORM};

/* Trained for an epoch, in the granularity that goes with the case's number. */
static rung_model *trained(int index, const rung_dataset *data) {
  rung_scheme scheme = low[index % LENGTH(low)];
  scheme.weight_granularity = (rung_granularity)(index % 3);
  if (scheme.weight_granularity == RUNG_PER_GROUP) scheme.weight_group = 16;
  const network kind = kinds[index / LENGTH(low)];
  if (kind == NETWORK_NORM) scheme.batch_norm = RUNG_BATCH_NORM_MERGE;
  rung_model *model = calibrated(kind, data, &scheme);
  fit(model, data, 2, 1e-3f);
  return model;
}

START_TEST(what_was_trained_is_the_program) {
  pictures data = pictures_load(160, 100);
  rung_model *model = trained(_i, data.train);
  rung_verification *verification = verify_these(model, data.test, WITHOUT_PEERS);
  expect_exact(verification, RUNG_EXECUTION_EVALUATION, 100);
  if (kinds[_i / LENGTH(low)] != NETWORK_NORM) /* whose training goes by the batch's statistics */
    expect_exact(verification, RUNG_EXECUTION_TRAINING, 100);
  expect_exact(verification, RUNG_EXECUTION_PROGRAM, 100);
  rung_verification_free(verification);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* Its file takes every integer that the method has. */
START_TEST(a_program_file_comes_back) {
  pictures data = pictures_load(160, 100);
  rung_model *model = trained(_i, data.train);
  rung_program *program = freeze(model);
  const char *path = scratch_path("low.program.safetensors");
  rung_status status = rung_program_save(program, path);
  if (status == RUNG_ERROR_UNSUPPORTED) test_skip(rung_error());
  expect_ok(status);
  rung_program *loaded = rung_program_load(path);
  ck_assert_msg(loaded != NULL, "%s", rung_error());
  int32_t *one = logits_of(program, data.test, 100), *other = logits_of(loaded, data.test, 100);
  ck_assert_int_eq(memcmp(one, other, 1000 * sizeof *one), 0);
  free(one), free(other);
  rung_program_free(loaded);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* A batch norm that turns channels around negates their weights, -2^(bits-1) among them. */
START_TEST(a_channel_turned_around_takes_a_bit_more) {
  pictures data = pictures_load(160, 100);
  rung_scheme scheme = low[1];
  scheme.batch_norm = RUNG_BATCH_NORM_MERGE;
  rung_model *model = network_new(NETWORK_NORM, 1);
  for (int p = 0; p < rung_model_parameter_count(model); p++) {
    const rung_parameter at = rung_model_parameter(model, p);
    for (int j = 0; j < HIDDEN && strcmp(at.name, "bn1.weight") == 0; j += 2) at.value[j] = -1;
  }
  calibrate(model, data.train, &scheme);
  fit(model, data.train, 1, 1e-3f);
  rung_verification *verification = verify_these(model, data.test, WITHOUT_PEERS);
  expect_exact(verification, RUNG_EXECUTION_EVALUATION, 100);
  expect_exact(verification, RUNG_EXECUTION_PROGRAM, 100);
  rung_program *program = freeze(model);
  ck_assert_int_eq(program->layer[0].instruction.integers.weight_format.bits, 3);
  ck_assert_int_eq(program->layer[1].instruction.integers.weight_format.bits, 2);
  rung_program_free(program);
  rung_verification_free(verification);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* A binary channel that would rather turn its sign: its scale sinks, but not so far that its bias does not fit. */
START_TEST(a_sinking_scale_can_be_frozen) {
  pictures data = pictures_load(160, 100);
  const rung_scheme scheme = low[0];
  rung_model *model = network_new(NETWORK_RELU, 1);
  fit(model, data.train, 1, 2e-3f);
  calibrate(model, data.train, &scheme);
  const rung_fit_options options = {
      .epochs = 60, .rate = 5e-2f, .optimizer = _i ? RUNG_OPTIMIZER_SGD : RUNG_OPTIMIZER_ADAM};
  expect_ok(rung_fit(model, data.train, &options));
  rung_program_free(freeze(model));
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

TEST_MAIN(CASES(what_was_trained_is_the_program, LENGTH(low) * LENGTH(kinds)),
          CASES(a_program_file_comes_back, LENGTH(low)), CASE(a_channel_turned_around_takes_a_bit_more),
          CASES(a_sinking_scale_can_be_frozen, 2))
