/* A cross entropy with a teacher: PyTorch's numbers, differences, other rows, and where it does not listen. */
#include "harness.h"

#include "golden/distillation.h"

#include <rung/autograd.h>

#include <math.h>

typedef struct student {
  rung_graph *graph;
  rung_team *team;
  rung_node *weight, *scores, *loss;
} student;

static float unit[GOLDEN_ROWS][GOLDEN_ROWS];
static int32_t labels[GOLDEN_ROWS];

/* scores[i][j] = weight[j][i], the golden student's. */
static student student_new(int threads) {
  student s = {.team = rung_team_new(threads)};
  s.graph = rung_graph_new(&(rung_graph_options){.batch = GOLDEN_ROWS, .team = s.team});
  rung_node *x = rung_graph_input(s.graph, "x", RUNG_SHAPE(GOLDEN_ROWS)), *label = rung_graph_label(s.graph, "label");
  s.weight = rung_graph_parameter(s.graph, "weight", RUNG_SHAPE(GOLDEN_CLASSES, GOLDEN_ROWS));
  s.scores = rung_linear_with(x, s.weight, NULL);
  s.loss = rung_cross_entropy(s.scores, label);
  for (int i = 0; i < GOLDEN_ROWS; i++) {
    unit[i][i] = 1;
    labels[i] = golden_labels[i];
    for (int j = 0; j < GOLDEN_CLASSES; j++)
      ((float *)s.weight->value.data)[j * GOLDEN_ROWS + i] = golden_student[i][j];
  }
  const rung_tensor source = {.type = RUNG_F32, .shape = RUNG_SHAPE(GOLDEN_ROWS, GOLDEN_ROWS), .data = unit};
  const rung_tensor truth = {.type = RUNG_I32, .shape = RUNG_SHAPE(GOLDEN_ROWS), .data = labels};
  ck_assert_int_eq(rung_graph_bind(x, &source), RUNG_OK);
  ck_assert_int_eq(rung_graph_bind(label, &truth), RUNG_OK);
  return s;
}

static void student_free(student *s) {
  rung_graph_free(s->graph);
  rung_team_free(s->team);
}

static rung_distillation golden_case(int i) {
  return (rung_distillation){.logits = golden_teacher[0],
                             .examples = GOLDEN_ROWS,
                             .temperature = golden_cases[i][0],
                             .alpha = golden_cases[i][1]};
}

static float run(const student *s, bool training, const uint32_t *rows) {
  const rung_replay_options options = {.count = GOLDEN_ROWS, .training = training, .backward = training, .rows = rows};
  ck_assert_msg(rung_graph_replay(s->graph, &options) == RUNG_OK, "%s", rung_error());
  return *(const float *)s->loss->value.data;
}

START_TEST(loss_and_gradient_are_those_of_pytorch) {
  for (int threads = 1; threads <= 3; threads++) {
    student s = student_new(threads);
    const rung_distillation with = golden_case(_i);
    ck_assert_int_eq(rung_cross_entropy_distill(s.loss, &with), RUNG_OK);
    const double loss = (double)run(&s, true, NULL), t = (double)with.temperature;
    ck_assert_msg(fabs(loss - golden_losses[_i]) < 1e-6 * (1 + golden_losses[_i] + t * t), "loss %.9g, PyTorch %.9g",
                  loss, golden_losses[_i]);
    const float *gradient = s.scores->gradient.data;
    for (int k = 0; k < GOLDEN_ROWS * GOLDEN_CLASSES; k++)
      ck_assert_msg(fabs((double)gradient[k] - golden_gradients[_i][k]) < 1e-7 * (1 + t),
                    "gradient %d is %.9g, PyTorch %.9g", k, (double)gradient[k], golden_gradients[_i][k]);
    student_free(&s);
  }
}
END_TEST

/* Central differences at h and 2h, extrapolated; the loss in f32 is good to some 2^-22, of T^2 KL. */
START_TEST(the_gradient_is_that_of_the_loss) {
  const rung_distillation with = golden_case(_i);
  const float t = with.temperature, h = 0x1p-4f;
  if (t < 1) return; /* too curved for differences of this size */
  student s = student_new(1);
  ck_assert_int_eq(rung_cross_entropy_distill(s.loss, &with), RUNG_OK);
  for (int k = 0; k < GOLDEN_ROWS * GOLDEN_CLASSES; k++) {
    float *weight = (float *)s.weight->value.data + k, at = *weight;
    double loss[4];
    for (int i = 0; i < 4; i++) {
      *weight = at + (i < 2 ? h : 2 * h) * (i % 2 ? -1 : 1);
      loss[i] = (double)run(&s, true, NULL);
    }
    *weight = at;
    run(&s, true, NULL);
    const double near = (loss[0] - loss[1]) / (2 * (double)h), far = (loss[2] - loss[3]) / (4 * (double)h);
    const double expected = (4 * near - far) / 3, have = (double)((const float *)s.weight->gradient.data)[k];
    ck_assert_msg(fabs(have - expected) < 2e-5 * (1 + (double)(t * t)), "d[%d] is %.7g, differences say %.7g", k, have,
                  expected);
  }
  student_free(&s);
}
END_TEST

/* The teacher's row is the example's, wherever it stands in the batch. */
START_TEST(shuffled_rows_keep_their_teacher) {
  static const uint32_t rows[GOLDEN_ROWS] = {3, 0, 5, 1, 4, 2};
  student s = student_new(2);
  const rung_distillation with = golden_case(1);
  ck_assert_int_eq(rung_cross_entropy_distill(s.loss, &with), RUNG_OK);
  run(&s, true, rows);
  const float *gradient = s.scores->gradient.data;
  for (int i = 0; i < GOLDEN_ROWS; i++)
    for (int j = 0; j < GOLDEN_CLASSES; j++) {
      const double expected = golden_gradients[1][rows[i] * GOLDEN_CLASSES + (uint32_t)j];
      ck_assert(fabs((double)gradient[i * GOLDEN_CLASSES + j] - expected) < 1e-6);
    }
  student_free(&s);
}
END_TEST

START_TEST(it_listens_in_training_only_and_until_told_not_to) {
  student s = student_new(1);
  const rung_distillation with = golden_case(1);
  const float alone = run(&s, false, NULL);
  ck_assert(run(&s, true, NULL) == alone);
  ck_assert_int_eq(rung_cross_entropy_distill(s.loss, &with), RUNG_OK);
  ck_assert(run(&s, false, NULL) == alone);
  ck_assert(run(&s, true, NULL) != alone);
  ck_assert_int_eq(rung_cross_entropy_distill(s.loss, NULL), RUNG_OK);
  ck_assert(run(&s, true, NULL) == alone);
  student_free(&s);
}
END_TEST

/* As with a label that is no class. */
START_TEST(an_example_without_an_answer_gives_nan_and_no_gradient) {
  student s = student_new(1);
  rung_distillation with = golden_case(1);
  with.examples = GOLDEN_ROWS - 1;
  ck_assert_int_eq(rung_cross_entropy_distill(s.loss, &with), RUNG_OK);
  ck_assert(isnan(run(&s, true, NULL)));
  const float *gradient = (const float *)s.scores->gradient.data + (GOLDEN_ROWS - 1) * GOLDEN_CLASSES;
  for (int j = 0; j < GOLDEN_CLASSES; j++) ck_assert(gradient[j] == 0);
  with.examples = GOLDEN_ROWS;
  ck_assert_int_eq(rung_cross_entropy_distill(s.loss, &with), RUNG_OK);
  labels[2] = -1;
  ck_assert(isnan(run(&s, true, NULL)));
  for (int j = 0; j < GOLDEN_CLASSES; j++)
    ck_assert(((const float *)s.scores->gradient.data)[2 * GOLDEN_CLASSES + j] == 0);
  student_free(&s);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused) {
  student s = student_new(1);
  const struct {
    rung_distillation with;
    const char *says;
  } bad[] = {{{.examples = 1, .temperature = 1, .alpha = 1}, "logits of 1 examples"},
             {{.logits = golden_teacher[0], .temperature = 1, .alpha = 1}, "logits of 0 examples"},
             {{.logits = golden_teacher[0], .examples = 1, .alpha = 1}, "temperature 0"},
             {{.logits = golden_teacher[0], .examples = 1, .temperature = INFINITY, .alpha = 1}, "temperature inf"},
             {{.logits = golden_teacher[0], .examples = 1, .temperature = NAN, .alpha = 1}, "temperature"},
             {{.logits = golden_teacher[0], .examples = 1, .temperature = 1}, "alpha 0"},
             {{.logits = golden_teacher[0], .examples = 1, .temperature = 1, .alpha = 1.5f}, "alpha 1.5"}};
  for (int i = 0; i < (int)(sizeof bad / sizeof bad[0]); i++) {
    ck_assert_int_eq(rung_cross_entropy_distill(s.loss, &bad[i].with), RUNG_ERROR_ARGUMENT);
    ck_assert_msg(strstr(rung_error(), bad[i].says) != NULL, "%s", rung_error());
  }
  const rung_distillation good = golden_case(0);
  ck_assert_int_eq(rung_cross_entropy_distill(s.scores, &good), RUNG_ERROR_ARGUMENT);
  ck_assert_int_eq(rung_cross_entropy_distill(NULL, &good), RUNG_ERROR_ARGUMENT);
  student_free(&s);
}
END_TEST

TEST_MAIN(CASES(loss_and_gradient_are_those_of_pytorch, GOLDEN_CASES),
          CASES(the_gradient_is_that_of_the_loss, GOLDEN_CASES), CASE(shuffled_rows_keep_their_teacher),
          CASE(it_listens_in_training_only_and_until_told_not_to),
          CASE(an_example_without_an_answer_gives_nan_and_no_gradient), CASE(what_makes_no_sense_is_refused))
