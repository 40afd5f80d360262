/* Fits with a teacher: who may teach, that it is heard right, and that a resumed fit hears the same one. */
#include "io/scratch.h"
#include "problem.h"

#include <math.h>

#define EXPECT_OK(call) ck_assert_msg((call) == RUNG_OK, "%s", rung_error())

static rung_model *trained(const problem *p, int threads) {
  rung_model *model = perceptron(threads, 3);
  EXPECT_OK(rung_fit(model, p->data, &(rung_fit_options){.epochs = 3, .rate = 1e-2f}));
  return model;
}

static rung_model *copy_of(const rung_model *model, int threads) {
  rung_model *copy = rung_model_copy(model, &(rung_model_options){.threads = threads});
  ck_assert_msg(copy != NULL, "%s", rung_error());
  return copy;
}

/* A student that says what its teacher says has nothing to learn, example by example: no weight moves. Were a row of
 * the teacher another example's, they would. */
START_TEST(a_copy_learns_nothing_from_its_model) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = trained(p, 2);
  problem_bring(model, p->data, &problem_forms[_i == 0 ? 0 : 1]);
  rung_model *copy = copy_of(model, 1);
  const uint64_t hash = rung_model_hash(copy);
  const rung_fit_options options = {
      .optimizer = RUNG_OPTIMIZER_SGD, .rate = 0.1f, .teacher = model, .temperature = 3, .alpha = 1};
  if (_i == 0) {
    EXPECT_OK(rung_fit(copy, p->data, &options));
    ck_assert_uint_eq(rung_model_hash(copy), hash);
  } else { /* ranges move while a quantized student trains: it is the first step that learns nothing */
    rung_fit_options first = options;
    problem *batch = problem_new(RUNG_U8, BATCH, 1);
    EXPECT_OK(rung_fit(copy, batch->data, &first));
    ck_assert_uint_eq(rung_model_hash(copy), hash);
    problem_free(batch);
  }
  rung_fit_options labels = options;
  labels.alpha = 0.5f;
  EXPECT_OK(rung_fit(copy, p->data, &labels));
  ck_assert_uint_ne(rung_model_hash(copy), hash);
  rung_model_free(model);
  rung_model_free(copy);
  problem_free(p);
}
END_TEST

static bool keep_loss(void *context, const rung_progress *progress) {
  double *loss = context; /* of the first epoch, of the last one, and of the validation */
  if (progress->step < progress->steps) return false;
  if (progress->epoch == 1) loss[0] = progress->train.loss;
  loss[1] = progress->train.loss;
  loss[2] = progress->validation.loss;
  return false;
}

/* A student of 4 bits comes near to its teacher of 32, whatever form that is in; the validation is the labels' alone.
 */
START_TEST(a_quantized_student_comes_near_to_its_teacher) {
  problem *p = problem_new(RUNG_U8, 160, 1);
  rung_model *model = trained(p, 1), *student = copy_of(model, 1);
  problem_bring(model, p->data, &problem_forms[_i]);
  EXPECT_OK(rung_quantize(student, &(rung_scheme){.weight_bits = 4, .activation_bits = 4}));
  EXPECT_OK(rung_calibrate(student, p->data, 0));
  const uint64_t before = rung_model_hash(model);
  double loss[3];
  EXPECT_OK(rung_fit(student, p->data,
                     &(rung_fit_options){.epochs = 10,
                                         .rate = 2e-3f,
                                         .teacher = model,
                                         .alpha = 1,
                                         .validation = p->data,
                                         .progress = keep_loss,
                                         .context = loss}));
  ck_assert_msg(loss[1] < 0.5 * loss[0], "%s: loss %g, then %g", problem_forms[_i].name, loss[0], loss[1]);
  rung_metrics metrics;
  EXPECT_OK(rung_evaluate(student, p->data, &metrics));
  ck_assert(metrics.loss == loss[2]);
  ck_assert_uint_eq(rung_model_hash(model), before);
  rung_model_free(model);
  rung_model_free(student);
  problem_free(p);
}
END_TEST

static uint64_t taught(const problem *p, const problem_form *form, int threads, int teacher_threads) {
  rung_model *model = trained(p, teacher_threads), *student = perceptron(threads, 8);
  problem_bring(model, p->data, form);
  problem_bring(student, p->data, form);
  EXPECT_OK(rung_fit(student, p->data, &(rung_fit_options){.epochs = 2, .rate = 1e-2f, .teacher = model}));
  const uint64_t hash = rung_model_hash(student);
  rung_model_free(model);
  rung_model_free(student);
  return hash;
}

START_TEST(any_number_of_threads_gives_the_same_bits) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  const uint64_t one = taught(p, &problem_forms[_i], 1, 1);
  for (int threads = 2; threads <= 3; threads++)
    ck_assert_uint_eq(taught(p, &problem_forms[_i], threads, 4 - threads), one);
  problem_free(p);
}
END_TEST

/* A larger teacher, of another batch; the defaults are what they stand for; after the fit it is forgotten. */
START_TEST(the_teacher_is_heard_in_its_fit_alone) {
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *larger = rung_model_from_text("input 12; linear 90, relu, dropout 0.2, linear 4; cross-entropy",
                                            &(rung_model_options){.batch = 40, .threads = 2, .seed = 1});
  EXPECT_OK(rung_fit(larger, p->data, &(rung_fit_options){.epochs = 3, .rate = 1e-2f}));
  rung_model *one = perceptron(1, 8), *other = perceptron(2, 8);
  EXPECT_OK(rung_fit(one, p->data, &(rung_fit_options){.rate = 1e-2f, .teacher = larger}));
  EXPECT_OK(
      rung_fit(other, p->data, &(rung_fit_options){.rate = 1e-2f, .teacher = larger, .temperature = 4, .alpha = 0.9f}));
  ck_assert_uint_eq(rung_model_hash(one), rung_model_hash(other));
  rung_model_free(other);
  other = copy_of(one, 2); /* that has never had one */
  EXPECT_OK(rung_fit(one, p->data, &(rung_fit_options){.rate = 1e-2f}));
  EXPECT_OK(rung_fit(other, p->data, &(rung_fit_options){.rate = 1e-2f}));
  ck_assert_uint_eq(rung_model_hash(one), rung_model_hash(other));
  rung_model_free(one);
  rung_model_free(other);
  rung_model_free(larger);
  problem_free(p);
}
END_TEST

static void refuse(rung_model *student, const problem *p, const rung_fit_options *options, rung_status status,
                   const char *says) {
  const uint64_t hash = rung_model_hash(student);
  REFUSED(rung_fit(student, p->data, options), status, says);
  ck_assert_uint_eq(rung_model_hash(student), hash);
}

static void refuse_teacher(const char *student, const char *teacher, const problem *p, rung_status status,
                           const char *says) {
  rung_model *taught_by = rung_model_from_text(teacher, NULL), *model = rung_model_from_text(student, NULL);
  ck_assert_msg(taught_by && model, "%s", rung_error());
  refuse(model, p, &(rung_fit_options){.teacher = taught_by}, status, says);
  rung_model_free(taught_by);
  rung_model_free(model);
}

START_TEST(teachers_that_do_not_fit_are_refused) {
  static const char good[] = "input 12; linear 4; cross-entropy";
  problem *p = problem_new(RUNG_F32, 40, 1), *map = problem_regression(40, 1);
  refuse_teacher(good, "input 12; linear 5; cross-entropy", p, RUNG_ERROR_SHAPE, "teacher gives 5 scores, the model 4");
  refuse_teacher(good, "input 13; linear 4; cross-entropy", p, RUNG_ERROR_SHAPE, "teacher: clusters: 12 inputs an");
  refuse_teacher(good, "input 12; linear 4; squared-error", p, RUNG_ERROR_ARGUMENT, "teacher is a regression");
  refuse_teacher(good, "input 12; linear 4", p, RUNG_ERROR_STATE, "does not end in a loss");
  refuse_teacher("input 12; linear 4; squared-hinge", good, p, RUNG_ERROR_ARGUMENT, "the loss is squared_hinge");
  refuse_teacher("input 12; linear 3; squared-error", good, map, RUNG_ERROR_ARGUMENT, "the loss is squared_error");
  rung_model *model = rung_model_from_text(good, NULL), *other = rung_model_from_text(good, NULL);
  refuse(model, p, &(rung_fit_options){.teacher = model}, RUNG_ERROR_ARGUMENT, "the teacher is the model that is");
  refuse(model, p, &(rung_fit_options){.alpha = 0.5f}, RUNG_ERROR_ARGUMENT, "alpha 0.5 without a teacher");
  refuse(model, p, &(rung_fit_options){.temperature = 2}, RUNG_ERROR_ARGUMENT, "temperature 2, alpha 0 without");
  refuse(model, p, &(rung_fit_options){.teacher = other, .temperature = -1}, RUNG_ERROR_ARGUMENT, "temperature -1");
  refuse(model, p, &(rung_fit_options){.teacher = other, .alpha = 2}, RUNG_ERROR_ARGUMENT, "alpha 2, expected");
  problem_parameter(other, "fc1.bias")[1] = INFINITY;
  refuse(model, p, &(rung_fit_options){.teacher = other}, RUNG_ERROR_NUMERIC, "teacher: fc1.bias: value 1 is inf");
  REFUSED(rung_fit(model, NULL, &(rung_fit_options){.teacher = other}), RUNG_ERROR_ARGUMENT, "dataset");
  rung_model_free(model);
  rung_model_free(other);
  problem_free(p);
  problem_free(map);
}
END_TEST

/* ---- Stopped and resumed ---------------------------------------------------------------------------------------- */

static bool stop_there(void *context, const rung_progress *progress) {
  return (progress->epoch - 1) * progress->steps + progress->step == *(const int64_t *)context;
}

START_TEST(a_resumed_fit_has_the_same_teacher) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *teacher = trained(p, 1), *whole = perceptron(1, 8);
  rung_fit_options options = {.epochs = 2, .rate = 1e-2f, .teacher = teacher, .temperature = 2};
  EXPECT_OK(rung_fit(whole, p->data, &options));
  char path[1024];
  snprintf(path, sizeof path, "%s", scratch_path("taught.safetensors"));
  for (int64_t stop = 1; stop < 14; stop++) {
    rung_model *model = perceptron(1, 8);
    rung_fit_options part = options;
    part.checkpoint = path;
    part.progress = stop_there;
    part.context = &stop;
    const rung_status status = rung_fit(model, p->data, &part);
    if (status == RUNG_ERROR_UNSUPPORTED) test_skip("no cJSON");
    EXPECT_OK(status);
    rung_model_free(model);
    model = rung_model_load(path, &(rung_model_options){.threads = 2});
    part = options;
    part.resume = path;
    EXPECT_OK(rung_fit(model, p->data, &part));
    ck_assert_uint_eq(rung_model_hash(model), rung_model_hash(whole));
    rung_model_free(model);
  }
  rung_model *model = perceptron(1, 8);
  options.resume = path;
  problem_bring(teacher, p->data, &problem_forms[1]); /* the same weights, but it says something else */
  refuse(model, p, &options, RUNG_ERROR_ARGUMENT, "the fit had a teacher of hash ");
  options.teacher = NULL;
  options.temperature = 0;
  refuse(model, p, &options, RUNG_ERROR_ARGUMENT, "had temperature 2, this one has 0");
  rung_model_free(model);
  rung_model_free(whole);
  rung_model_free(teacher);
  problem_free(p);
}
END_TEST

TEST_MAIN(CASES(a_copy_learns_nothing_from_its_model, 2), CASES(a_quantized_student_comes_near_to_its_teacher, FORMS),
          CASES(any_number_of_threads_gives_the_same_bits, FORMS), CASE(the_teacher_is_heard_in_its_fit_alone),
          CASE(teachers_that_do_not_fit_are_refused), CASE(a_resumed_fit_has_the_same_teacher))
