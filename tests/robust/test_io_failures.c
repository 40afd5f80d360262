#include "scenario.h"

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

#define GOLDEN TEST_DATA "/golden/data/"

static rung_status take_dataset(rung_dataset *dataset, uint64_t *result) {
  if (dataset == NULL) return rung_error_status();
  *result = hash_tensor(hash_tensor(*result, &dataset->inputs), &dataset->targets);
  if (dataset->labels != NULL)
    *result = hash_bytes(*result, dataset->labels, (size_t)dataset->count * sizeof *dataset->labels);
  rung_dataset_free(dataset);
  return RUNG_OK;
}

static char csv_path[1024];

static void *prepare_csv(int variant, int threads) {
  (void)threads;
  unsigned char member[256];
  static const char text[] = "a,b,kind\n1,2.5000000001,cat\n3,4,\"dog\"\n5,6,cat\n";
  size_t size = gzip_stored((const unsigned char *)text, sizeof text - 1, member);
  snprintf(csv_path, sizeof csv_path, "%s",
           variant == 0 ? scratch_write("t.csv", text, sizeof text - 1) : scratch_write("t.csv.gz", member, size));
  return csv_path;
}

static rung_status read_csv(void *path, uint64_t *result) {
  return take_dataset(rung_dataset_read_csv(path, NULL), result);
}

START_TEST(csv) {
  fail_each_allocation(&(scenario){"csv", prepare_csv, read_csv, NULL, false}, 0, 1);
  rung_dataset *compressed = rung_dataset_read_csv(prepare_csv(1, 1), NULL);
  if (compressed == NULL && strstr(rung_error(), "no zlib")) return;
  rung_dataset_free(compressed);
  fail_each_allocation(&(scenario){"csv.gz", prepare_csv, read_csv, NULL, false}, 1, 1);
}
END_TEST

static rung_status read_npy(void *state, uint64_t *result) {
  (void)state;
  return take_dataset(rung_dataset_read_npy(GOLDEN "i2_little.npy", GOLDEN "labels.npy", NULL), result);
}

static rung_status read_npy_targets(void *state, uint64_t *result) {
  (void)state;
  return take_dataset(rung_dataset_read_npy(GOLDEN "u1_byte.npy", GOLDEN "f2_big.npy", NULL), result);
}

START_TEST(npy) {
  fail_each_allocation(&(scenario){"npy labels", NULL, read_npy, NULL, false}, 0, 1);
  fail_each_allocation(&(scenario){"npy targets", NULL, read_npy_targets, NULL, false}, 0, 1);
}
END_TEST

static rung_status load_folder(void *state, uint64_t *result) {
  (void)state;
  return take_dataset(rung_dataset_load(TEST_DATA "/data/mnist-sample", RUNG_TEST), result);
}

START_TEST(idx_folder) {
  uint64_t result = 0;
  if (load_folder(NULL, &result) != RUNG_OK && strstr(rung_error(), "no zlib")) test_skip("no zlib");
  fail_each_allocation(&(scenario){"idx folder", NULL, load_folder, NULL, false}, 0, 1);
}
END_TEST

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

static float values[6] = {1, 2, 3, 4, 5, 6};
static const rung_metadata metadata[] = {{"format", "rung"}, {"text", "linear 2"}};

static rung_named_tensor named(const char *name) {
  return (rung_named_tensor){name, {.type = RUNG_F32, .shape = RUNG_SHAPE(2, 3), .data = values}};
}

static rung_status write_safetensors(void *state, uint64_t *result) {
  (void)state, (void)result;
  const rung_named_tensor tensors[] = {named("a"), named("b")};
  return rung_safetensors_write_with(scratch_path(SCENARIO_FILE), tensors, 2, metadata, 2);
}

static rung_status write_npy(void *state, uint64_t *result) {
  (void)state, (void)result;
  rung_named_tensor tensor = named("a");
  return rung_npy_write(scratch_path(SCENARIO_FILE), &tensor.tensor);
}

static rung_status write_bytes(void *state, uint64_t *result) {
  (void)state, (void)result;
  return rung_file_write(scratch_path(SCENARIO_FILE), "bytes", 5);
}

START_TEST(writing) {
  fail_each_allocation(&(scenario){"npy_write", NULL, write_npy, NULL, false}, 0, 1);
  fail_each_allocation(&(scenario){"file_write", NULL, write_bytes, NULL, false}, 0, 1);
  uint64_t result;
  if (write_safetensors(NULL, &result) == RUNG_ERROR_UNSUPPORTED) return;
  fail_each_allocation(&(scenario){"safetensors_write", NULL, write_safetensors, NULL, false}, 0, 1);
}
END_TEST

static void *prepare_safetensors(int variant, int threads) {
  static char path[1024];
  (void)variant, (void)threads;
  const rung_named_tensor tensors[] = {named("a"), named("b")};
  snprintf(path, sizeof path, "%s", scratch_path("t.safetensors"));
  ENSURE(rung_safetensors_write_with(path, tensors, 2, metadata, 2) == RUNG_OK);
  return path;
}

static rung_status read_safetensors(void *path, uint64_t *result) {
  rung_safetensors *file = rung_safetensors_open(path);
  if (file == NULL) return rung_error_status();
  for (int i = 0; i < rung_safetensors_count(file); i++) {
    rung_named_tensor tensor = rung_safetensors_tensor(file, i);
    *result = hash_tensor(hash_bytes(*result, tensor.name, strlen(tensor.name)), &tensor.tensor);
  }
  const char *text = rung_safetensors_metadata(file, "text");
  if (text != NULL) *result = hash_bytes(*result, text, strlen(text));
  rung_safetensors_free(file);
  return RUNG_OK;
}

START_TEST(safetensors) {
  uint64_t result;
  if (write_safetensors(NULL, &result) == RUNG_ERROR_UNSUPPORTED) test_skip("no cJSON");
  fail_each_allocation(&(scenario){"safetensors_open", prepare_safetensors, read_safetensors, NULL, false}, 0, 1);
}
END_TEST

TEST_MAIN(CASE(csv), CASE(npy), CASE(idx_folder), CASE(writing), CASE(safetensors))
