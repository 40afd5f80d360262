#include "harness.h"
#include "scratch.h"

#include <rung/io.h>

#include <locale.h>

#define GOLDEN TEST_DATA "/golden/data/"

static rung_dataset *read_text(const char *text, const rung_csv_options *options) {
  return rung_dataset_read_csv(scratch_write("t.csv", text, strlen(text)), options);
}

static void refuse(const char *text, const rung_csv_options *options, const char *says) {
  ck_assert_msg(read_text(text, options) == NULL, "expected '%s'", says);
  ck_assert_msg(strstr(rung_error(), says) != NULL && strstr(rung_error(), "t.csv: ") != NULL, "'%s' lacks '%s'",
                rung_error(), says);
}

/* Reads it as [count, width] with these inputs. */
static rung_dataset *expect(const char *text, const rung_csv_options *options, int64_t count, int64_t width,
                            const float *inputs) {
  rung_dataset *dataset = read_text(text, options);
  ck_assert_msg(dataset != NULL, "%s", rung_error());
  ck_assert(dataset->count == count && dataset->inputs.type == RUNG_F32);
  ck_assert(rung_shape_equal(&dataset->inputs.shape, &RUNG_SHAPE(count, width)));
  ck_assert_mem_eq(dataset->inputs.data, inputs, (size_t)(count * width) * sizeof *inputs);
  return dataset;
}

static void expect_labels(const char *text, const rung_csv_options *options, const int32_t labels[2], int32_t classes) {
  rung_dataset *dataset = expect(text, options, 2, 2, (const float[]){1, 2, 3, 4});
  ck_assert(dataset->targets.data == NULL && dataset->classes == classes);
  ck_assert_mem_eq(dataset->labels, labels, 2 * sizeof *labels);
  rung_dataset_free(dataset);
}

START_TEST(finds_the_label) {
  const int32_t labels[] = {1, 0};
  expect_labels("1,2,1\n3,4,0\n", NULL, labels, 2);
  expect_labels("1;2;1\r\n3;4;0\r\n", NULL, labels, 2);
  expect_labels("1\t2\t1\n\n3\t4\t0", &(rung_csv_options){.label = "last"}, labels, 2);
  expect_labels("1,1,2\n0,3,4\n", &(rung_csv_options){.label = "first"}, labels, 2);
  expect_labels("a,kind,b\n1,1,2\n3,0,4\n", &(rung_csv_options){.label = "kind"}, labels, 2);
  expect_labels("last,a,b\n1,1,2\n0,3,4\n", &(rung_csv_options){.label = "last"}, labels, 2);
  expect_labels("\"1\", 2 ,1.000e+00\n3,4,0\n", NULL, labels, 2);
  expect_labels("1,2,7\n3,4,0\n", NULL, (const int32_t[]){7, 0}, 8);
  expect_labels("1,2,0\n3,4,0\n", NULL, (const int32_t[]){0, 0}, 2);
}
END_TEST

START_TEST(detects_a_header) {
  const int32_t labels[] = {1, 0};
  expect_labels("a,b,c\n1,2,1\n3,4,0\n", NULL, labels, 2);
  expect_labels("5,6,7\n1,2,1\n3,4,0\n", &(rung_csv_options){.header = RUNG_CSV_HEADER_YES}, labels, 2);
  refuse("a,b,c\n1,2,1\n", &(rung_csv_options){.header = RUNG_CSV_HEADER_NO},
         "line 1, column 1: 'a', expected a number");
  refuse("0,1,label\n1,2,1\n", NULL, "line 2, column 3: '1', expected a class's name, as the first label is");
  refuse("nan,inf,cat\n1,2,cat\n", NULL, "line 1, column 1: 'nan', expected a number");
}
END_TEST

START_TEST(numbers_names_in_order) {
  rung_dataset *dataset = read_text("1,dog\n2,\"a \"\"cat\"\"\"\n3,dog\n4,\"bird, \nsmall\"\n", NULL);
  ck_assert_msg(dataset != NULL, "%s", rung_error());
  ck_assert_int_eq(dataset->classes, 3);
  ck_assert_str_eq(dataset->class_names[0], "a \"cat\"");
  ck_assert_str_eq(dataset->class_names[1], "bird, \nsmall");
  ck_assert_str_eq(dataset->class_names[2], "dog");
  ck_assert_mem_eq(dataset->labels, ((const int32_t[]){2, 0, 2, 1}), 16);
  /* A test set has the classes of its training set, whichever occur in it. */
  rung_csv_options like = {.like = dataset};
  rung_dataset *test = read_text("1,dog\n2,dog\n", &like);
  ck_assert_msg(test != NULL, "%s", rung_error());
  ck_assert(test->classes == 3 && test->labels[0] == 2 && test->labels[1] == 2);
  ck_assert_str_eq(test->class_names[0], "a \"cat\"");
  refuse("1,dog\n2,cow\n", &like, "line 2, column 2: 'cow', expected a class of the set it shall be like");
  refuse("1,0\n", &like, "line 1, column 2: '0', expected a class of the set it shall be like");
  refuse("1,2,dog\n", &like, "inputs are [1, 2], expected [1, 1] as in t.csv");
  rung_dataset *view = rung_dataset_view(test, 1, 1);
  ck_assert_str_eq(view->class_names[view->labels[0]], "dog");
  rung_dataset_free(view);
  rung_dataset_free(test);
  rung_dataset_free(dataset);
}
END_TEST

START_TEST(takes_classes_from_another_set) {
  rung_dataset *train = read_text("1,0\n2,4\n", NULL);
  rung_csv_options like = {.like = train};
  rung_dataset *test = read_text("1,1\n", &like);
  ck_assert_int_eq(test->classes, 5);
  refuse("1,5\n", &like, "line 1, column 2: '5', expected a class of the set");
  refuse("1,cat\n", &like, "line 1, column 2: 'cat', expected a class's number");
  rung_dataset_free(test);
  like.targets = "last";
  refuse("1,1\n", &like, "targets are [1, 1], expected [] as in t.csv");
  rung_dataset_free(train);
}
END_TEST

static void expect_targets(const char *text, const char *targets, int64_t width, const float *expected) {
  rung_dataset *dataset = expect(text, &(rung_csv_options){.targets = targets}, 2, 2, (const float[]){1, 2, 3, 4});
  ck_assert(dataset->labels == NULL && dataset->classes == 0 && dataset->targets.type == RUNG_F32);
  ck_assert(rung_shape_equal(&dataset->targets.shape, &RUNG_SHAPE(2, width)));
  ck_assert_mem_eq(dataset->targets.data, expected, (size_t)(2 * width) * sizeof *expected);
  rung_dataset_free(dataset);
}

START_TEST(reads_targets) {
  expect_targets("1,2,-.5\n3,4,1e3\n", "last", 1, (const float[]){-0.5f, 1000});
  expect_targets("1,2,5,6\n3,4,7,8\n", "last 2", 2, (const float[]){5, 6, 7, 8});
  expect_targets("5,6,1,2\n7,8,3,4\n", "first 2", 2, (const float[]){5, 6, 7, 8});
  expect_targets("x,u,y,v\n1,5,2,6\n3,7,4,8\n", "v, u", 2, (const float[]){6, 5, 8, 7});
  expect_targets("x,y,u\n1,2,5\n3,4,7\n", "u", 1, (const float[]){5, 7});
  expect_targets("x,\"u,v\",y\n1,5,2\n3,7,4\n", "u,v", 1, (const float[]){5, 7});
}
END_TEST

START_TEST(keeps_pixels) {
  rung_dataset *dataset = read_text("7,0,255\n2,128,1.0\n", &(rung_csv_options){.label = "first", .pixels = true});
  ck_assert_msg(dataset != NULL, "%s", rung_error());
  ck_assert(dataset->inputs.type == RUNG_U8 && dataset->inputs.scale == 1.0f / 255.0f && dataset->classes == 8);
  ck_assert_mem_eq(dataset->inputs.data, ((const uint8_t[]){0, 255, 128, 1}), 4);
  rung_dataset_free(dataset);
  static const char *const wrong[] = {"256", "-1", "0.5", "x", "1e30"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char text[64], says[128];
    snprintf(text, sizeof text, "1,2,0\n3,%s,0\n", wrong[i]);
    snprintf(says, sizeof says, "line 2, column 2: '%s', expected a pixel: an integer in 0..255", wrong[i]);
    refuse(text, &(rung_csv_options){.pixels = true}, says);
  }
}
END_TEST

START_TEST(refuses_what_is_no_number) {
  refuse("1,2,0\n3,abc,1\n", NULL, "line 2, column 2: 'abc', expected a number");
  refuse("1,2,0\n\n3,,1\n", NULL, "line 3, column 2: '', expected a number");
  refuse("1,2,0\nNaN,4,1\n", NULL, "line 2, column 1: 'NaN', expected a number");
  refuse("1,2,0\n3,-inf,1\n", NULL, "line 2, column 2: '-inf', expected a number");
  refuse("1,2,0\n3,3.5e38,1\n", NULL, "line 2, column 2: '3.5e38', expected a number that fits an f32");
  refuse("1;2,5;0\n", NULL, "line 1, column 2: '2,5', expected a number");
  refuse("1,0x10,0\n", NULL, "line 1, column 2: '0x10', expected a number");
  refuse("1,2,-1\n", NULL, "line 1, column 3: '-1', expected a class: an integer from 0 on");
  refuse("1,2,0.5\n", NULL, "line 1, column 3: '0.5', expected a class: an integer from 0 on");
  refuse("1,2,16777216\n", NULL, "expected a class: an integer from 0 on");
  refuse("1,2,0\n1,2,cat\n", NULL, "line 2, column 3: 'cat', expected a class's number, as the first label is");
  refuse("1,2,cat\n1,2,\n", NULL, "line 2, column 3: '', expected a class's name");
  refuse("1,2,nan\n", &(rung_csv_options){.targets = "last"}, "line 1, column 3: 'nan', expected a number");
  refuse("1,2,cat\n", NULL, "1 classes, expected >= 2");
}
END_TEST

START_TEST(refuses_tables_of_another_form) {
  refuse("", NULL, "holds no examples");
  refuse("\n\r\n", NULL, "holds no examples");
  refuse("a,b\n", NULL, "holds no examples");
  refuse("1,2,0\n\n3,4\n", NULL, "line 3 has 2 fields, expected 3 as in line 1");
  refuse("1,2\n3,4,5\n", NULL, "line 2 has 3 fields, expected 2 as in line 1");
  refuse("1\n2\n", NULL, "1 columns, expected at least 2: 'last' and one input");
  refuse("1,2\n", &(rung_csv_options){.targets = "last 2"}, "2 columns, expected at least 3: 'last 2' and one input");
  refuse("a,b\n1,2\n", &(rung_csv_options){.targets = "a,b"}, "no column is left for the inputs");
  refuse("a,b\n1,2\n", &(rung_csv_options){.targets = "a,a"}, "column 1 is asked for twice");
  refuse("a,b\n1,2\n", &(rung_csv_options){.targets = "a,c"}, "no column 'c' in the header");
  refuse("a,b\n1,2\n", &(rung_csv_options){.label = "c"},
         "no column 'c': expected a name in the header, first or last");
  refuse("1,2\n", &(rung_csv_options){.label = "c"}, "no column 'c': expected (there is no header) first or last");
  refuse("1,2\n", &(rung_csv_options){.targets = "last 0"}, "no column 'last 0'");
  refuse("1,2\n", &(rung_csv_options){.targets = "last 9223372036854775808"}, "2 columns, expected at least");
  refuse("1,2\n", &(rung_csv_options){.separator = '|'}, "separator '|'");
  refuse("1,2\n", &(rung_csv_options){.header = (rung_csv_header)3}, "header 3");
  refuse("1,2\n", &(rung_csv_options){.label = "a", .targets = "b"}, "label 'a' and targets 'b', expected one of them");
  ck_assert_ptr_null(rung_dataset_read_csv(scratch_path("absent.csv"), NULL));
  ck_assert_int_eq(rung_error_status(), RUNG_ERROR_IO);
  ck_assert_ptr_null(rung_dataset_read_csv(NULL, NULL));
}
END_TEST

/* Columns times lines far beyond what the file has fields: refused before anything of that size is asked for. */
START_TEST(asks_for_no_more_than_the_file_holds) {
  size_t columns = 100000, lines = 100000;
  char *text = malloc(2 * columns + 2 * lines + 1);
  for (size_t i = 0; i < columns; i++) memcpy(text + 2 * i, i + 1 < columns ? "1," : "1\n", 2);
  for (size_t i = 0; i < lines; i++) memcpy(text + 2 * columns + 2 * i, "1\n", 2);
  text[2 * columns + 2 * lines] = '\0';
  refuse(text, NULL, "line 2 has 1 fields, expected 100000 as in line 1");
  memset(text + 2 * columns, '\n', 2 * lines);
  rung_dataset *dataset = read_text(text, NULL);
  ck_assert_msg(dataset != NULL && dataset->count == 1 && dataset->inputs.shape.extent[1] == 99999, "%s", rung_error());
  rung_dataset_free(dataset);
  free(text);
}
END_TEST

static void expect_golden_numbers(void) {
  rung_dataset *dataset = rung_dataset_read_csv(GOLDEN "numbers.csv", &(rung_csv_options){.targets = "last 2"});
  ck_assert_msg(dataset != NULL && dataset->count > 150, "%s", rung_error());
  ck_assert_str_eq(dataset->name, "numbers.csv");
  const uint32_t *bits = dataset->inputs.data;
  const float *halves = dataset->targets.data;
  for (int64_t i = 0; i < dataset->count; i++)
    ck_assert_msg(bits[i] == ((uint32_t)halves[2 * i] << 16 | (uint32_t)halves[2 * i + 1]), "line %d: %08x", (int)i + 1,
                  (unsigned)bits[i]);
  rung_dataset_free(dataset);
}

START_TEST(rounds_to_the_nearest) {
  expect_golden_numbers();
}
END_TEST

/* One of the system's locales with a decimal comma, or one made for the test. */
static bool use_decimal_comma(void) {
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "fr_FR", "ru_RU.UTF-8"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (setlocale(LC_ALL, names[i]) != NULL) return strcmp(localeconv()->decimal_point, ",") == 0;
  char command[1024];
  snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 '%s/de_DE.UTF-8' 2>/dev/null", scratch_path(""));
  if (system(command) != 0) return false;
  setenv("LOCPATH", scratch_path(""), 1);
  return setlocale(LC_ALL, "de_DE.UTF-8") != NULL && strcmp(localeconv()->decimal_point, ",") == 0;
}

START_TEST(is_not_moved_by_the_locale) {
  if (!use_decimal_comma()) test_skip("no locale with a decimal comma, and none to be made");
  expect_golden_numbers();
  ck_assert_str_eq(localeconv()->decimal_point, ",");
  ck_assert_ptr_null(rung_dataset_read_csv(scratch_write("t.csv", "1,x,2\n", 6), NULL));
  ck_assert_str_eq(localeconv()->decimal_point, ","); /* after a failure too */
}
END_TEST

START_TEST(reads_what_numpy_saves) {
  rung_dataset *dataset = rung_dataset_read_csv(GOLDEN "savetxt.csv", NULL);
  ck_assert_msg(dataset != NULL, "%s", rung_error());
  ck_assert(dataset->classes == 3 && rung_shape_equal(&dataset->inputs.shape, &RUNG_SHAPE(4, 3)));
  for (int i = 0; i < 12; i++) ck_assert(((const float *)dataset->inputs.data)[i] == (float)(i - 5) / 4.0f);
  for (int i = 0; i < 4; i++) ck_assert_int_eq(dataset->labels[i], i % 3);
  rung_dataset_free(dataset);
}
END_TEST

START_TEST(reads_gzip) {
  unsigned char member[128];
  size_t size = gzip_stored((const unsigned char *)"1,2,1\n3,4,0\n", 12, member);
  rung_dataset *dataset = rung_dataset_read_csv(scratch_write("t.csv", member, size), NULL);
  if (dataset == NULL && strstr(rung_error(), "no zlib")) test_skip("no zlib");
  ck_assert_msg(dataset != NULL && dataset->count == 2, "%s", rung_error());
  rung_dataset_free(dataset);
}
END_TEST

TEST_MAIN(CASE(finds_the_label), CASE(detects_a_header), CASE(numbers_names_in_order),
          CASE(takes_classes_from_another_set), CASE(reads_targets), CASE(keeps_pixels),
          CASE(refuses_what_is_no_number), CASE(refuses_tables_of_another_form),
          CASE(asks_for_no_more_than_the_file_holds), CASE(rounds_to_the_nearest), CASE(is_not_moved_by_the_locale),
          CASE(reads_what_numpy_saves), CASE(reads_gzip))
