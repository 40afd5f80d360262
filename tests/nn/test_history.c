/* What a model tells of the epochs that made it. */
#include "io/scratch.h"
#include "problem.h"

#include <math.h>

enum { MANY = 8 };

typedef struct watch {
  rung_progress seen[MANY]; /* each epoch's end */
  int count;
  int64_t stop_at; /* step of the second epoch; 0: never */
} watch;

static bool see(void *context, const rung_progress *progress) {
  watch *at = context;
  if (progress->step == progress->steps) at->seen[at->count++] = *progress;
  return at->stop_at && progress->epoch == 2 && progress->step == at->stop_at;
}

static void expect_epoch(const rung_model *model, int index, const rung_progress *seen, int bits) {
  const rung_epoch epoch = rung_model_epoch(model, index);
  ck_assert_int_eq(epoch.weight_bits, bits);
  ck_assert_int_eq(epoch.activation_bits, bits ? 8 : 0);
  ck_assert(epoch.rate == seen->rate && epoch.loss == (float)seen->train.loss);
  ck_assert(epoch.accuracy == (float)seen->train.accuracy);
  ck_assert(seen->validation.examples ? epoch.validation_accuracy == (float)seen->validation.accuracy
                                      : isnan(epoch.validation_accuracy) && isnan(epoch.validation_loss));
}

static void fit(rung_model *model, const problem *p, const rung_fit_options *options) {
  ck_assert_msg(rung_fit(model, p->data, options) == RUNG_OK, "%s", rung_error());
}

/* Two epochs in f32, held out examples beside them, and three of W4A8 without. */
static rung_model *trained(const problem *p, const problem *held_out, watch *at) {
  rung_model *model = perceptron(1, 1);
  ck_assert_int_eq(rung_model_epoch_count(model), 0);
  fit(model, p, &(rung_fit_options){.epochs = 2, .validation = held_out->data, .progress = see, .context = at});
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){.weight_bits = 4}), RUNG_OK);
  ck_assert_int_eq(rung_calibrate(model, p->data, 0), RUNG_OK);
  fit(model, p, &(rung_fit_options){.epochs = 3, .progress = see, .context = at});
  return model;
}

static void save(const rung_model *model, const char *path) {
  rung_status status = rung_model_save(model, path);
  if (status == RUNG_ERROR_UNSUPPORTED) test_skip(rung_error());
  ck_assert_msg(status == RUNG_OK, "%s", rung_error());
}

START_TEST(every_epoch_is_told_and_a_file_keeps_them) {
  problem *p = problem_new(RUNG_U8, 103, 1), *held_out = problem_new(RUNG_U8, 37, 2);
  watch at = {0};
  rung_model *model = trained(p, held_out, &at);
  const char *path = scratch_path("model.safetensors");
  save(model, path);
  rung_model *loaded = rung_model_load(path, NULL);
  ck_assert_msg(loaded != NULL, "%s", rung_error());
  ck_assert_int_eq(rung_model_epoch_count(model), 5);
  ck_assert_int_eq(rung_model_epoch_count(loaded), 5);
  for (int i = 0; i < 5; i++) {
    expect_epoch(model, i, &at.seen[i], i < 2 ? 0 : 4);
    expect_epoch(loaded, i, &at.seen[i], i < 2 ? 0 : 4);
  }
  ck_assert(rung_model_epoch(model, 5).loss == 0 && rung_model_epoch(model, -1).loss == 0);
  fit(loaded, p, &(rung_fit_options){0}); /* and goes on */
  ck_assert_int_eq(rung_model_epoch_count(loaded), 6);
  rung_model_free(loaded);
  rung_model_free(model);
  problem_free(held_out);
  problem_free(p);
}
END_TEST

/* Stopped in its second epoch and resumed, a fit has the history of one that never was. */
START_TEST(a_resumed_fit_has_the_same_history) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  watch at = {0}, stopped = {.stop_at = _i};
  const char *path = scratch_path("checkpoint.safetensors");
  rung_model *whole = perceptron(1, 1), *model = perceptron(1, 1);
  const rung_fit_options options = {.epochs = 3, .progress = see, .context = &at};
  fit(whole, p, &options);
  save(model, path);
  fit(model, p, &(rung_fit_options){.epochs = 3, .progress = see, .context = &stopped, .checkpoint = path});
  rung_model *resumed = rung_model_load(path, NULL);
  ck_assert_msg(resumed != NULL, "%s", rung_error());
  fit(resumed, p, &(rung_fit_options){.epochs = 3, .resume = path});
  ck_assert_int_eq(rung_model_epoch_count(resumed), 3);
  for (int i = 0; i < 3; i++) {
    expect_epoch(resumed, i, &at.seen[i], 0);
    expect_epoch(whole, i, &at.seen[i], 0);
  }
  rung_model_free(resumed);
  rung_model_free(model);
  rung_model_free(whole);
  problem_free(p);
}
END_TEST

START_TEST(a_regression_has_no_accuracy) {
  problem *p = problem_regression(40, 1);
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = 1});
  rung_loss_squared_error(rung_linear(rung_input(model, "x", RUNG_SHAPE(FEATURES)), "fc", OUTPUTS));
  fit(model, p, &(rung_fit_options){.validation = p->data});
  const rung_epoch epoch = rung_model_epoch(model, 0);
  ck_assert(isnan(epoch.accuracy) && isnan(epoch.validation_accuracy) && epoch.validation_loss > 0);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* A file with another history in it, or none. */
static rung_model *load_with(const rung_model *model, const rung_tensor *history) {
  rung_named_tensor tensors[64];
  rung_metadata metadata[64];
  const char *path = scratch_path("one.safetensors"), *other = scratch_path("other.safetensors");
  int count = 0, texts = 0;
  save(model, path);
  rung_safetensors *file = rung_safetensors_open(path);
  ck_assert(rung_safetensors_count(file) < 64 && rung_safetensors_metadata_count(file) < 64);
  for (int i = 0; i < rung_safetensors_count(file); i++) {
    tensors[count] = rung_safetensors_tensor(file, i);
    if (strcmp(tensors[count].name, "rung.history") != 0) count++;
  }
  for (; texts < rung_safetensors_metadata_count(file); texts++)
    metadata[texts] = rung_safetensors_metadata_at(file, texts);
  if (history) tensors[count++] = (rung_named_tensor){"rung.history", *history};
  ck_assert_int_eq(rung_safetensors_write_with(other, tensors, count, metadata, texts), RUNG_OK);
  rung_safetensors_free(file);
  return rung_model_load(other, NULL);
}

START_TEST(a_damaged_history_is_refused_and_a_missing_one_is_none) {
  problem *p = problem_new(RUNG_U8, 40, 1);
  float numbers[14] = {1e30f, -3, NAN};
  rung_model *model = perceptron(1, 1), *loaded;
  fit(model, p, &(rung_fit_options){.epochs = 2});
  loaded = load_with(model, NULL);
  ck_assert_msg(loaded && rung_model_epoch_count(loaded) == 0, "%s", rung_error());
  rung_model_free(loaded);
  rung_tensor history = {.type = RUNG_F32, .shape = RUNG_SHAPE(2, 7), .data = numbers};
  loaded = load_with(model, &history); /* numbers are not judged, but bits are bits */
  ck_assert(loaded && rung_model_epoch_count(loaded) == 2);
  ck_assert(rung_model_epoch(loaded, 0).weight_bits == 0 && rung_model_epoch(loaded, 0).activation_bits == 0);
  rung_model_free(loaded);
  history.shape = RUNG_SHAPE(7, 2);
  REFUSED(load_with(model, &history) ? RUNG_OK : rung_error_status(), RUNG_ERROR_SHAPE, "'rung.history' is [7, 2]");
  history = (rung_tensor){.type = RUNG_I32, .shape = RUNG_SHAPE(2, 7), .data = numbers};
  REFUSED(load_with(model, &history) ? RUNG_OK : rung_error_status(), RUNG_ERROR_FORMAT, "'rung.history'");
  rung_model_free(model);
  problem_free(p);
}
END_TEST

TEST_MAIN(CASE(every_epoch_is_told_and_a_file_keeps_them), CASES(a_resumed_fit_has_the_same_history, 8),
          CASE(a_regression_has_no_accuracy), CASE(a_damaged_history_is_refused_and_a_missing_one_is_none))
