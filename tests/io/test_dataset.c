#include "harness.h"

#include <rung/io.h>

#include <math.h>
#include <stdio.h>

#define COUNT 7
#define WIDTH 3

static float numbers[COUNT * WIDTH], wanted[COUNT * 2];
static uint8_t pixels[COUNT * WIDTH];
static const int32_t labels[COUNT] = {0, 1, 2, 3, 2, 1, 0};

static rung_tensor f32_inputs(void) {
  for (int i = 0; i < COUNT * WIDTH; i++) numbers[i] = (float)i / 4.0f;
  return (rung_tensor){.type = RUNG_F32, .shape = RUNG_SHAPE(COUNT, WIDTH), .data = numbers};
}

static rung_tensor u8_inputs(void) {
  for (int i = 0; i < COUNT * WIDTH; i++) pixels[i] = (uint8_t)(11 * i);
  return (rung_tensor){
      .type = RUNG_U8, .shape = RUNG_SHAPE(COUNT, WIDTH, 1), .data = pixels, .scale = 0.5f, .zero_point = 3};
}

static rung_tensor f32_targets(void) {
  for (int i = 0; i < COUNT * 2; i++) wanted[i] = (float)-i;
  return (rung_tensor){.type = RUNG_F32, .shape = RUNG_SHAPE(COUNT, 2), .data = wanted};
}

/* The constructor must refuse, and its message must name the dataset and hold `says`. */
static void refuse(const rung_tensor *inputs, const int32_t *of, int32_t classes, const rung_tensor *targets,
                   const char *says) {
  ck_assert_ptr_null(rung_dataset_new("digits", inputs, of, classes, targets));
  ck_assert_msg(strncmp(rung_error(), "digits: ", 8) == 0 && strstr(rung_error(), says) != NULL, "'%s' lacks '%s'",
                rung_error(), says);
}

START_TEST(borrows_labelled_f32) {
  rung_tensor inputs = f32_inputs();
  rung_dataset *dataset = rung_dataset_new("digits", &inputs, labels, 4, NULL);
  ck_assert_msg(dataset != NULL, "%s", rung_error());
  ck_assert_str_eq(dataset->name, "digits");
  ck_assert_int_eq(dataset->count, COUNT);
  ck_assert_int_eq(dataset->classes, 4);
  ck_assert(dataset->inputs.data == numbers && dataset->labels == labels && dataset->targets.data == NULL);
  ck_assert_ptr_null(dataset->owned);
  rung_dataset_free(dataset);
  rung_dataset_free(NULL);
}
END_TEST

START_TEST(borrows_labelled_u8) {
  rung_tensor inputs = u8_inputs();
  rung_dataset *dataset = rung_dataset_new("digits", &inputs, labels, 4, NULL);
  ck_assert_msg(dataset != NULL, "%s", rung_error());
  ck_assert(dataset->inputs.data == pixels && dataset->inputs.scale == 0.5f && dataset->inputs.zero_point == 3);
  rung_dataset_free(dataset);
}
END_TEST

START_TEST(borrows_regression) {
  rung_tensor inputs = f32_inputs(), targets = f32_targets();
  rung_dataset *dataset = rung_dataset_new("curve", &inputs, NULL, 9, &targets);
  ck_assert_msg(dataset != NULL, "%s", rung_error());
  ck_assert(dataset->classes == 0 && dataset->labels == NULL && dataset->targets.data == wanted);
  rung_dataset_free(dataset);
}
END_TEST

START_TEST(cuts_a_long_name) {
  char name[200] = {0};
  memset(name, 'n', sizeof name - 1);
  rung_tensor inputs = f32_inputs();
  rung_dataset *dataset = rung_dataset_new(name, &inputs, labels, 4, NULL);
  ck_assert_ptr_nonnull(dataset);
  ck_assert_uint_eq(strlen(dataset->name), sizeof dataset->name - 1);
  rung_dataset_free(dataset);
  dataset = rung_dataset_new(NULL, &inputs, labels, 4, NULL);
  ck_assert_str_eq(dataset->name, "dataset");
  rung_dataset_free(dataset);
}
END_TEST

START_TEST(refuses_nan_anywhere) {
  for (int i = 0; i < COUNT * WIDTH; i++) {
    rung_tensor inputs = f32_inputs();
    numbers[i] = NAN;
    char says[64];
    snprintf(says, sizeof says, "inputs hold NaN in example %d,", i / WIDTH);
    refuse(&inputs, labels, 4, NULL, says);
  }
  rung_tensor inputs = f32_inputs(), targets = f32_targets();
  wanted[5] = -NAN;
  refuse(&inputs, NULL, 0, &targets, "targets hold NaN in example 2,");
  targets = f32_targets();
  numbers[0] = INFINITY; /* saturates when quantized: a number, if a large one */
  rung_dataset *dataset = rung_dataset_new("digits", &inputs, NULL, 0, &targets);
  ck_assert_ptr_nonnull(dataset);
  rung_dataset_free(dataset);
}
END_TEST

START_TEST(refuses_labels_out_of_range) {
  rung_tensor inputs = f32_inputs();
  for (int i = 0; i < COUNT; i++) {
    int32_t wrong[COUNT];
    char says[64];
    memcpy(wrong, labels, sizeof wrong);
    wrong[i] = i % 2 ? -1 : 4;
    snprintf(says, sizeof says, "label %d at %d, expected 0..3", wrong[i], i);
    refuse(&inputs, wrong, 4, NULL, says);
  }
  refuse(&inputs, labels, 1, NULL, "1 classes");
  refuse(&inputs, labels, -4, NULL, "-4 classes");
}
END_TEST

START_TEST(refuses_missing_parts) {
  rung_tensor inputs = f32_inputs(), targets = f32_targets();
  refuse(NULL, labels, 4, NULL, "expected inputs");
  refuse(&inputs, NULL, 4, NULL, "either labels or targets");
  refuse(&inputs, labels, 4, &targets, "either labels or targets");
  inputs.data = NULL;
  refuse(&inputs, labels, 4, NULL, "inputs have no data");
  inputs.data = numbers;
  targets.data = NULL;
  refuse(&inputs, NULL, 4, &targets, "targets have no data");
}
END_TEST

START_TEST(refuses_wrong_tensors) {
  rung_tensor inputs = f32_inputs(), targets = f32_targets();
  inputs.shape = RUNG_SHAPE(COUNT);
  refuse(&inputs, labels, 4, NULL, "inputs are [7], expected [count, ...]");
  inputs.shape = RUNG_SHAPE(COUNT, 0);
  refuse(&inputs, labels, 4, NULL, "inputs are [7, 0]");
  inputs.shape = RUNG_SHAPE(INT64_MAX / 2, INT64_MAX / 2);
  refuse(&inputs, labels, 4, NULL, "expected [count, ...]");
  inputs = f32_inputs();
  inputs.type = RUNG_I32;
  refuse(&inputs, labels, 4, NULL, "inputs are i32, expected f32 or u8");
  inputs = f32_inputs();
  targets.shape.extent[0] = COUNT - 1;
  refuse(&inputs, NULL, 0, &targets, "6 targets, expected as many as the 7 inputs");
  targets.type = RUNG_U8;
  refuse(&inputs, NULL, 0, &targets, "targets are u8, expected f32");
}
END_TEST

START_TEST(refuses_wrong_quantization) {
  const float scales[] = {0.0f, -1.0f, INFINITY, NAN};
  for (int i = 0; i < 4; i++) {
    rung_tensor inputs = u8_inputs();
    inputs.scale = scales[i];
    refuse(&inputs, labels, 4, NULL, "scale");
  }
  const int32_t zero_points[] = {-1, 256};
  for (int i = 0; i < 2; i++) {
    rung_tensor inputs = u8_inputs();
    inputs.zero_point = zero_points[i];
    refuse(&inputs, labels, 4, NULL, "zero point");
  }
}
END_TEST

static void expect_part(const rung_dataset *view, int64_t begin, int64_t count) {
  ck_assert_int_eq(view->count, count);
  ck_assert_int_eq(view->inputs.shape.extent[0], count);
  ck_assert_int_eq(view->inputs.shape.extent[1], WIDTH);
  ck_assert(view->inputs.data ==
            (view->inputs.type == RUNG_F32 ? (void *)(numbers + WIDTH * begin) : (void *)(pixels + WIDTH * begin)));
  ck_assert(view->labels == NULL || view->labels == labels + begin);
  ck_assert(view->targets.data == NULL ||
            (view->targets.data == wanted + 2 * begin && view->targets.shape.extent[0] == count));
  ck_assert(view->owned == NULL && (view->labels == NULL) != (view->targets.data == NULL));
}

/* Every view of three kinds of set, and of every view every view. */
START_TEST(views_every_part) {
  rung_tensor f32 = f32_inputs(), u8 = u8_inputs(), targets = f32_targets();
  rung_dataset *sets[] = {rung_dataset_new("a", &f32, labels, 4, NULL), rung_dataset_new("b", &u8, labels, 4, NULL),
                          rung_dataset_new("c", &f32, NULL, 0, &targets)};
  rung_dataset *set = sets[_i];
  for (int64_t begin = 0; begin < COUNT; begin++) {
    for (int64_t count = 1; begin + count <= COUNT; count++) {
      rung_dataset *view = rung_dataset_view(set, begin, count);
      ck_assert_msg(view != NULL, "%s", rung_error());
      expect_part(view, begin, count);
      for (int64_t skip = 0; skip < count; skip++) {
        rung_dataset *inner = rung_dataset_view(view, skip, count - skip);
        expect_part(inner, begin + skip, count - skip);
        rung_dataset_free(inner);
      }
      rung_dataset_free(view);
    }
  }
  for (int i = 0; i < 3; i++) rung_dataset_free(sets[i]);
}
END_TEST

START_TEST(refuses_views_out_of_range) {
  static const int64_t wrong[][2] = {{-1, 1}, {0, 0},  {0, -1},        {0, COUNT + 1}, {COUNT, 1},
                                     {6, 2},  {99, 1}, {3, INT64_MAX}, {INT64_MAX, 2}, {INT64_MIN, 1}};
  rung_tensor inputs = f32_inputs();
  rung_dataset *set = rung_dataset_new("digits", &inputs, labels, 4, NULL);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    ck_assert_ptr_null(rung_dataset_view(set, wrong[i][0], wrong[i][1]));
    ck_assert_ptr_nonnull(strstr(rung_error(), "expected 1 or more within 0..6"));
  }
  rung_dataset_free(set);
}
END_TEST

TEST_MAIN(CASE(borrows_labelled_f32), CASE(borrows_labelled_u8), CASE(borrows_regression), CASE(cuts_a_long_name),
          CASE(refuses_nan_anywhere), CASE(refuses_labels_out_of_range), CASE(refuses_missing_parts),
          CASE(refuses_wrong_tensors), CASE(refuses_wrong_quantization), CASES(views_every_part, 3),
          CASE(refuses_views_out_of_range))
