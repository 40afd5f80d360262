#include "harness.h"
#include "rung/core.h"

START_TEST(shape_macro_counts_its_arguments) {
  rung_shape shape = RUNG_SHAPE(64, 784);
  ck_assert_int_eq(shape.rank, 2);
  ck_assert_int_eq(shape.extent[0], 64);
  ck_assert_int_eq(shape.extent[1], 784);
  ck_assert_int_eq(RUNG_SHAPE(1, 2, 3, 4, 5, 6).rank, RUNG_MAX_RANK);
}
END_TEST

START_TEST(count_is_the_product) {
  int64_t count = 0;
  rung_shape scalar = {0}, pictures = RUNG_SHAPE(60000, 1, 28, 28), largest = RUNG_SHAPE(INT64_MAX / 4);
  ck_assert_int_eq(rung_shape_count(&scalar, &count), RUNG_OK);
  ck_assert_int_eq(count, 1);
  ck_assert_int_eq(rung_shape_count(&pictures, &count), RUNG_OK);
  ck_assert_int_eq(count, 47040000);
  ck_assert_int_eq(rung_shape_count(&largest, &count), RUNG_OK);
  ck_assert_int_eq(count, INT64_MAX / 4);
  rung_tensor tensor = {.shape = pictures}, one = {.shape = scalar};
  ck_assert_int_eq(rung_tensor_count(&tensor), 47040000);
  ck_assert_int_eq(rung_tensor_count(&one), 1);
}
END_TEST

START_TEST(invalid_shapes_are_refused) {
  static const struct {
    rung_shape shape;
    const char *message;
  } cases[] = {
      {{.rank = -1}, "shape of rank -1, wanted 0 .. 6"},
      {{.rank = 7}, "shape of rank 7, wanted 0 .. 6"},
      {{.rank = 2, .extent = {3, 0}}, "shape [3, 0]: extent 1 is 0, wanted at least 1"},
      {{.rank = 1, .extent = {-5}}, "shape [-5]: extent 0 is -5, wanted at least 1"},
      {{.rank = 2, .extent = {-1, -1}}, "shape [-1, -1]: extent 0 is -1, wanted at least 1"},
      {{.rank = 1, .extent = {INT64_MAX / 4 + 1}}, "shape [2305843009213693952]: the number of elements overflows"},
      {{.rank = 2, .extent = {4294967296, 4294967296}},
       "shape [4294967296, 4294967296]: the number of elements overflows"},
      {{.rank = 3, .extent = {2097152, 2097152, 2097152}},
       "shape [2097152, 2097152, 2097152]: the number of elements overflows"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    int64_t count = 7;
    ck_assert_int_eq(rung_shape_count(&cases[i].shape, &count), RUNG_ERROR_SHAPE);
    ck_assert_int_eq(count, 7);
    ck_assert_str_eq(rung_error(), cases[i].message);
  }
}
END_TEST

START_TEST(shapes_are_equal_by_rank_and_extents) {
  rung_shape a = RUNG_SHAPE(2, 3), same = RUNG_SHAPE(2, 3), turned = RUNG_SHAPE(3, 2), longer = RUNG_SHAPE(2, 3, 1);
  rung_shape scalar = {0}, dirty_scalar = {.extent = {9, 9}};
  ck_assert(rung_shape_equal(&a, &same));
  ck_assert(!rung_shape_equal(&a, &turned));
  ck_assert(!rung_shape_equal(&a, &longer));
  ck_assert(rung_shape_equal(&scalar, &dirty_scalar)); /* what is beyond the rank does not count */
}
END_TEST

START_TEST(shape_text) {
  char text[RUNG_SHAPE_TEXT];
  rung_shape scalar = {0}, one = RUNG_SHAPE(10), two = RUNG_SHAPE(64, 784);
  rung_shape longest = RUNG_SHAPE(INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN);
  ck_assert_str_eq(rung_shape_format(&scalar, text, sizeof text), "[]");
  ck_assert_str_eq(rung_shape_format(&one, text, sizeof text), "[10]");
  ck_assert_str_eq(rung_shape_format(&two, text, sizeof text), "[64, 784]");
  rung_shape_format(&longest, text, sizeof text);
  ck_assert_uint_eq(strlen(text), 6 * 20 + 5 * 2 + 2);
}
END_TEST

START_TEST(shape_text_is_cut_to_its_room) {
  const rung_shape shape = RUNG_SHAPE(64, 784);
  for (size_t size = 1; size <= 12; size++) {
    char text[16], wanted[] = "[64, 784]";
    memset(text, '#', sizeof text);
    rung_shape_format(&shape, text, size);
    if (size <= strlen(wanted)) wanted[size - 1] = '\0';
    ck_assert_str_eq(text, wanted);
    ck_assert_int_eq(text[size], '#');
  }
}
END_TEST

TEST_MAIN(CASE(shape_macro_counts_its_arguments), CASE(count_is_the_product), CASE(invalid_shapes_are_refused),
          CASE(shapes_are_equal_by_rank_and_extents), CASE(shape_text), CASE(shape_text_is_cut_to_its_room))
