#include "harness.h"
#include "scratch.h"

#include <rung/io.h>

#include <math.h>

#define GOLDEN TEST_DATA "/golden/data/"

static const char *write_tensor(const char *name, rung_dtype type, rung_shape shape, const void *data) {
  const char *path = scratch_path(name);
  rung_tensor tensor = {.type = type, .shape = shape, .scale = 1.0f};
  tensor.data = (void *)(uintptr_t)data;
  ck_assert_msg(rung_npy_write(path, &tensor) == RUNG_OK, "%s", rung_error());
  return path;
}

static void refuse(const char *inputs, const char *targets, const rung_npy_options *options, const char *says) {
  ck_assert_ptr_null(rung_dataset_read_npy(inputs, targets, options));
  ck_assert_msg(strstr(rung_error(), says) != NULL, "'%s' lacks '%s'", rung_error(), says);
}

START_TEST(reads_pictures_and_labels) {
  rung_dataset *dataset = rung_dataset_read_npy(GOLDEN "u1_byte.npy", GOLDEN "labels.npy", NULL);
  ck_assert_msg(dataset != NULL, "%s", rung_error());
  ck_assert(dataset->inputs.type == RUNG_U8 && dataset->inputs.scale == 1.0f / 255.0f && dataset->classes == 3);
  ck_assert(dataset->count == 4 && rung_shape_equal(&dataset->inputs.shape, &RUNG_SHAPE(4, 3)));
  ck_assert_str_eq(dataset->name, "u1_byte.npy");
  for (int i = 0; i < 12; i++) ck_assert_int_eq(((const uint8_t *)dataset->inputs.data)[i], i);
  for (int i = 0; i < 4; i++) ck_assert_int_eq(dataset->labels[i], i % 3);
  rung_dataset_free(dataset);
  dataset = rung_dataset_read_npy(GOLDEN "u1_byte.npy", GOLDEN "labels.npy", &(rung_npy_options){.scale = 0.5f});
  ck_assert(dataset != NULL && dataset->inputs.scale == 0.5f);
  rung_dataset_free(dataset);
}
END_TEST

START_TEST(reads_numbers_as_f32) {
  static const char *const names[] = {"i1_byte", "i2_big", "i8_little"};
  for (int i = 0; i < 3; i++) {
    char path[256];
    snprintf(path, sizeof path, GOLDEN "%s.npy", names[i]);
    rung_dataset *dataset = rung_dataset_read_npy(path, GOLDEN "f8_big.npy", NULL);
    ck_assert_msg(dataset != NULL && dataset->inputs.type == RUNG_F32 && dataset->labels == NULL, "%s", rung_error());
    ck_assert(dataset->targets.type == RUNG_F32 && rung_shape_equal(&dataset->targets.shape, &RUNG_SHAPE(4, 3)));
    for (int n = 0; n < 12; n++) ck_assert(((const float *)dataset->inputs.data)[n] == (float)(n - 5));
    for (int n = 0; n < 12; n++) ck_assert(((const float *)dataset->targets.data)[n] == (float)(n - 5) / 4.0f);
    rung_dataset_free(dataset);
  }
}
END_TEST

START_TEST(takes_one_number_an_example) {
  static const float numbers[] = {1, 2, 3};
  const char *path = write_tensor("x.npy", RUNG_F32, RUNG_SHAPE(3), numbers);
  rung_dataset *dataset = rung_dataset_read_npy(path, path, NULL);
  ck_assert_msg(dataset != NULL, "%s", rung_error());
  ck_assert(rung_shape_equal(&dataset->inputs.shape, &RUNG_SHAPE(3, 1)));
  ck_assert(rung_shape_equal(&dataset->targets.shape, &RUNG_SHAPE(3, 1)));
  rung_dataset_free(dataset);
}
END_TEST

START_TEST(takes_classes_from_another_set) {
  static const int8_t one[] = {0, 1, 1, 0}, four[] = {0, 3, 1, 0};
  const char *labels = write_tensor("one.npy", RUNG_I8, RUNG_SHAPE(4), one);
  rung_dataset *train = rung_dataset_read_npy(GOLDEN "f4_little.npy", GOLDEN "labels.npy", NULL);
  rung_npy_options like = {.like = train};
  rung_dataset *test = rung_dataset_read_npy(GOLDEN "f4_little.npy", labels, &like);
  ck_assert_msg(test != NULL && test->classes == 3, "%s", rung_error());
  refuse(GOLDEN "f4_little.npy", write_tensor("four.npy", RUNG_I8, RUNG_SHAPE(4), four), &like,
         "four.npy: label 3 at 1, expected 0..2");
  static const float flat[4];
  refuse(write_tensor("flat.npy", RUNG_F32, RUNG_SHAPE(4), flat), labels, &like,
         "flat.npy: inputs are [4, 1], expected [4, 3] as in f4_little.npy");
  rung_dataset_free(test);
  rung_dataset_free(train);
}
END_TEST

START_TEST(refuses_what_does_not_fit) {
  static const float values[] = {1, 2, 3, NAN, 5, -INFINITY};
  static const int32_t labels[] = {0, -1, 2};
  const char *good = GOLDEN "f4_little.npy", *label_path = write_tensor("l.npy", RUNG_I32, RUNG_SHAPE(3), labels);
  refuse(good, label_path, NULL, "l.npy: 3 examples, expected 4 as there are inputs");
  refuse(good, GOLDEN "i4_big.npy", NULL, "i4_big.npy: integers [4, 3], expected one label an example, or floats");
  const char *bad = write_tensor("b.npy", RUNG_F32, RUNG_SHAPE(3, 2), values);
  refuse(bad, label_path, NULL, "b.npy: nan in example 1 at 1, expected finite numbers");
  refuse(write_tensor("i.npy", RUNG_F32, RUNG_SHAPE(3, 1), values + 3), label_path, NULL,
         "i.npy: nan in example 0 at 0");
  const char *three = write_tensor("three.npy", RUNG_F32, RUNG_SHAPE(3, 1), values);
  refuse(three, label_path, NULL, "l.npy: label -1 at 1, expected 0..");
  refuse(three, bad, NULL, "b.npy: nan in example 1 at 1");
  refuse(write_tensor("s.npy", RUNG_F32, (rung_shape){0}, values), label_path, NULL, "s.npy: a scalar");
  refuse(scratch_path("absent.npy"), label_path, NULL, "absent.npy: cannot be opened");
  refuse(good, scratch_path("absent.npy"), NULL, "absent.npy: cannot be opened");
  refuse(NULL, label_path, NULL, "expected two paths");
  refuse(good, NULL, NULL, "expected two paths");
  refuse(GOLDEN "u1_byte.npy", GOLDEN "labels.npy", &(rung_npy_options){.scale = -1.0f}, "inputs have scale -1");
}
END_TEST

TEST_MAIN(CASE(reads_pictures_and_labels), CASE(reads_numbers_as_f32), CASE(takes_one_number_an_example),
          CASE(takes_classes_from_another_set), CASE(refuses_what_does_not_fit))
