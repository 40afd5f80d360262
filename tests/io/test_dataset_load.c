#include "harness.h"
#include "scratch.h"

#include <rung/io.h>

#define SAMPLE TEST_DATA "/data/mnist-sample"

/* Writes a file of `count` pictures [2, 2], or of `count` labels i % 10, below the scratch folder. */
static void write_pictures(const char *name, int count) {
  unsigned char file[512] = {0, 0, 8, 3, 0, 0, 0, (unsigned char)count, 0, 0, 0, 2, 0, 0, 0, 2};
  for (int i = 0; i < 4 * count; i++) file[16 + i] = (unsigned char)i;
  scratch_write(name, file, (size_t)(16 + 4 * count));
}

static void write_labels(const char *name, int count) {
  unsigned char file[512] = {0, 0, 8, 1, 0, 0, 0, (unsigned char)count};
  for (int i = 0; i < count; i++) file[8 + i] = (unsigned char)(i % 10);
  scratch_write(name, file, (size_t)(8 + count));
}

static void write_set(const char *folder, int train, int test) {
  char name[256];
  snprintf(name, sizeof name, "%s/train-images-idx3-ubyte", folder), write_pictures(name, train);
  snprintf(name, sizeof name, "%s/train-labels-idx1-ubyte", folder), write_labels(name, train);
  snprintf(name, sizeof name, "%s/t10k-images-idx3-ubyte", folder), write_pictures(name, test);
  snprintf(name, sizeof name, "%s/t10k-labels-idx1-ubyte", folder), write_labels(name, test);
}

static void expect_count(const char *name, rung_split split, int64_t count) {
  rung_dataset *dataset = rung_dataset_load(name, split);
  ck_assert_msg(dataset != NULL, "%s", rung_error());
  ck_assert_int_eq(dataset->count, count);
  rung_dataset_free(dataset);
}

static void refuse(const char *name, const char *says) {
  ck_assert_ptr_null(rung_dataset_load(name, RUNG_TRAIN));
  ck_assert_msg(strstr(rung_error(), says) != NULL, "'%s' lacks '%s'", rung_error(), says);
}

/* Facts of MNIST: its first labels, its classes' counts (numpy's), and a row of its first picture. */
static void expect_sample(rung_split split, int64_t count, int64_t sum, const int first[10], const int histogram[10]) {
  rung_dataset *dataset = rung_dataset_load(SAMPLE, split);
  if (dataset == NULL && strstr(rung_error(), "no zlib")) test_skip("no zlib");
  ck_assert_msg(dataset != NULL, "%s", rung_error());
  ck_assert(dataset->count == count && dataset->classes == 10 && dataset->targets.data == NULL);
  ck_assert(dataset->inputs.type == RUNG_U8 && rung_shape_equal(&dataset->inputs.shape, &RUNG_SHAPE(count, 28, 28)));
  ck_assert(dataset->inputs.scale == 1.0f / 255.0f && dataset->inputs.zero_point == 0);
  int seen[10] = {0};
  for (int64_t i = 0; i < count; i++) seen[dataset->labels[i]]++;
  for (int i = 0; i < 10; i++) {
    ck_assert_int_eq(dataset->labels[i], first[i]);
    ck_assert_int_eq(seen[i], histogram[i]);
  }
  const uint8_t *pixels = dataset->inputs.data;
  int64_t total = 0;
  for (int64_t i = 0; i < 784 * count; i++) total += pixels[i];
  ck_assert_int_eq(total, sum);
  static const uint8_t row[] = {3, 18, 18, 18, 126, 136, 175, 26, 166, 255, 247, 127};
  if (split == RUNG_TRAIN) ck_assert_mem_eq(pixels + 5 * 28 + 12, row, sizeof row);
  rung_dataset_free(dataset);
}

START_TEST(loads_the_training_sample) {
  expect_sample(RUNG_TRAIN, 2000, 52050445, (const int[]){5, 0, 4, 1, 9, 2, 1, 3, 1, 4},
                (const int[]){191, 220, 198, 191, 214, 180, 200, 224, 172, 210});
}
END_TEST

START_TEST(loads_the_test_sample) {
  expect_sample(RUNG_TEST, 1000, 24443134, (const int[]){7, 2, 1, 0, 4, 1, 4, 9, 5, 9},
                (const int[]){85, 126, 116, 107, 110, 87, 87, 99, 89, 94});
}
END_TEST

START_TEST(loads_a_folder_of_any_counts) {
  write_set("any", 5, 1);
  expect_count(scratch_path("any"), RUNG_TRAIN, 5);
  expect_count(scratch_path("any"), RUNG_TEST, 1);
  expect_count(scratch_path("any/"), RUNG_TEST, 1);
}
END_TEST

START_TEST(searches_rung_data_before_the_working_folder) {
  write_set("root/data/mnist", 3, 4);
  write_set("elsewhere/mnist", 5, 6);
  ck_assert_int_eq(chdir(scratch_path("root")), 0);
  unsetenv("RUNG_DATA");
  expect_count("mnist", RUNG_TRAIN, 3);
  setenv("RUNG_DATA", scratch_path("elsewhere"), 1);
  expect_count("mnist", RUNG_TRAIN, 5);
  expect_count("mnist", RUNG_TEST, 6);
  setenv("RUNG_DATA", scratch_path("absent"), 1);
  expect_count("mnist", RUNG_TEST, 4);
  setenv("RUNG_DATA", "", 1);
  expect_count("mnist", RUNG_TEST, 4);
}
END_TEST

START_TEST(tells_how_to_get_what_is_missing) {
  if (access("/usr/share/datasets/mnist", F_OK) == 0) test_skip("the system has a MNIST of its own");
  write_set("empty/other", 1, 1);
  ck_assert_int_eq(chdir(scratch_path("empty")), 0);
  unsetenv("RUNG_DATA");
  refuse("mnist", "mnist: not found");
  refuse("mnist", "run scripts/get-data mnist");
  setenv("RUNG_DATA", "/nowhere", 1);
  refuse("mnist", "/nowhere");
  refuse("mnits", "mnits: no such dataset: expected mnist, fashion-mnist, letters or a folder");
}
END_TEST

START_TEST(reads_plain_before_gzip) {
  write_set("both", 2, 2);
  scratch_write("both/train-images-idx3-ubyte.gz", "junk", 4);
  expect_count(scratch_path("both"), RUNG_TRAIN, 2);
  remove(scratch_path("both/train-images-idx3-ubyte"));
  refuse(scratch_path("both"), "both/train-images-idx3-ubyte.gz: not an IDX file");
}
END_TEST

START_TEST(refuses_label_200) {
  write_set("label", 30, 1);
  unsigned char file[8 + 30] = {0, 0, 8, 1, 0, 0, 0, 30};
  file[8 + 17] = 200;
  scratch_write("label/train-labels-idx1-ubyte", file, sizeof file);
  refuse(scratch_path("label"), "train-labels-idx1-ubyte: label 200 at 17, expected 0..9");
  file[8 + 17] = 10;
  scratch_write("label/train-labels-idx1-ubyte", file, sizeof file);
  refuse(scratch_path("label"), "train-labels-idx1-ubyte: label 10 at 17, expected 0..9");
}
END_TEST

/* Inputs [count, ...] of any rank, and labels up to that dataset's own. */
START_TEST(letters_have_26_classes) {
  write_set("names/letters", 30, 1);
  unsigned char labels[8 + 30] = {0, 0, 8, 1, 0, 0, 0, 30},
                           measures[12 + 30 * 16] = {0, 0, 8, 2, 0, 0, 0, 30, 0, 0, 0, 16};
  labels[8 + 17] = 25;
  measures[12 + 17 * 16] = 255;
  scratch_write("names/letters/train-images-idx3-ubyte", measures, sizeof measures);
  scratch_write("names/letters/train-labels-idx1-ubyte", labels, sizeof labels);
  setenv("RUNG_DATA", scratch_path("names"), 1);
  rung_dataset *letters = rung_dataset_load("letters", RUNG_TRAIN);
  ck_assert_msg(letters != NULL, "%s", rung_error());
  ck_assert(letters->classes == 26 && letters->labels[17] == 25);
  ck_assert(rung_shape_equal(&letters->inputs.shape, &RUNG_SHAPE(30, 16)));
  ck_assert_int_eq(((const uint8_t *)letters->inputs.data)[17 * 16], 255);
  rung_dataset_free(letters);
  labels[8 + 17] = 26;
  scratch_write("names/letters/train-labels-idx1-ubyte", labels, sizeof labels);
  refuse("letters", "train-labels-idx1-ubyte: label 26 at 17, expected 0..25");
}
END_TEST

START_TEST(refuses_mismatched_counts) {
  write_set("counts", 6, 1);
  write_labels("counts/train-labels-idx1-ubyte", 5);
  refuse(scratch_path("counts"), "counts/train-labels-idx1-ubyte: 5 labels, expected as many as the 6 pictures of ");
  refuse(scratch_path("counts"), "counts/train-images-idx3-ubyte");
}
END_TEST

START_TEST(refuses_missing_files) {
  write_set("missing", 2, 2);
  remove(scratch_path("missing/train-labels-idx1-ubyte"));
  refuse(scratch_path("missing"), "missing: holds neither train-labels-idx1-ubyte nor train-labels-idx1-ubyte.gz");
  remove(scratch_path("missing/train-images-idx3-ubyte"));
  refuse(scratch_path("missing"), "train-images-idx3-ubyte");
  expect_count(scratch_path("missing"), RUNG_TEST, 2);
}
END_TEST

START_TEST(refuses_files_of_another_kind) {
  static const unsigned char f32[] = {0, 0, 13, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0x7f, 0xc0, 0, 0};
  write_set("kind", 1, 1);
  scratch_write("kind/train-images-idx3-ubyte", f32, sizeof f32);
  refuse(scratch_path("kind"), "train-images-idx3-ubyte: f32 of rank 2, expected u8 of rank 2 or more");
  write_labels("kind/train-images-idx3-ubyte", 1);
  refuse(scratch_path("kind"), "train-images-idx3-ubyte: u8 of rank 1, expected u8 of rank 2 or more");
  write_pictures("kind/train-images-idx3-ubyte", 1);
  write_pictures("kind/train-labels-idx1-ubyte", 1);
  refuse(scratch_path("kind"), "train-labels-idx1-ubyte: u8 of rank 3, expected u8 of rank 1");
}
END_TEST

START_TEST(refuses_nonsense_arguments) {
  refuse(NULL, "no name");
  ck_assert_ptr_null(rung_dataset_load("mnist", (rung_split)2));
  ck_assert_ptr_nonnull(strstr(rung_error(), "split 2"));
  refuse("", "no such dataset");
  char *name = malloc(10001);
  memset(name, 'a', 10000);
  name[10000] = '\0';
  ck_assert_ptr_null(rung_dataset_load(name, RUNG_TRAIN));
  setenv("RUNG_DATA", name, 1);
  ck_assert_int_eq(chdir(scratch_path("")), 0);
  if (access("/usr/share/datasets/mnist", F_OK) != 0) ck_assert_ptr_null(rung_dataset_load("mnist", RUNG_TRAIN));
  free(name);
}
END_TEST

TEST_MAIN(CASE(loads_the_training_sample), CASE(loads_the_test_sample), CASE(loads_a_folder_of_any_counts),
          CASE(searches_rung_data_before_the_working_folder), CASE(tells_how_to_get_what_is_missing),
          CASE(reads_plain_before_gzip), CASE(refuses_label_200), CASE(letters_have_26_classes),
          CASE(refuses_mismatched_counts), CASE(refuses_missing_files), CASE(refuses_files_of_another_kind),
          CASE(refuses_nonsense_arguments))
