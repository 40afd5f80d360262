/* Reading safetensors: what the format allows, and every rule of it broken once. */
#include "harness.h"
#include "peers.h"
#include "scratch.h"

#include <rung/io.h>

#include <math.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* A file of this header, as it stands, and `data_size` bytes 0, 1, 2 ... */
static const char *write_file(const char *header, size_t header_size, size_t data_size) {
  unsigned char *bytes = calloc(8 + header_size + data_size, 1);
  ck_assert_ptr_nonnull(bytes);
  for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)header_size >> 8 * i);
  memcpy(bytes + 8, header, header_size);
  for (size_t i = 0; i < data_size; i++) bytes[8 + header_size + i] = (unsigned char)i;
  const char *path = scratch_write("f.safetensors", bytes, 8 + header_size + data_size);
  free(bytes);
  return path;
}

static rung_safetensors *open_good(const char *path) {
  rung_safetensors *file = rung_safetensors_open(path);
  if (file == NULL && rung_error_status() == RUNG_ERROR_UNSUPPORTED) test_skip(rung_error());
  ck_assert_msg(file != NULL, "%s", rung_error());
  return file;
}

static void expect_refused(const char *path, rung_status status, const char *says) {
  rung_safetensors *file = rung_safetensors_open(path);
  if (file == NULL && rung_error_status() == RUNG_ERROR_UNSUPPORTED) test_skip(rung_error());
  ck_assert_msg(file == NULL, "taken: %s", says);
  ck_assert_msg(rung_error_status() == status, "%s", rung_error());
  ck_assert_msg(strstr(rung_error(), says) && !strchr(rung_error(), '\n') && strstr(rung_error(), "safetensors"),
                "'%s' lacks '%s'", rung_error(), says);
}

/* ---- What is good ----------------------------------------------------------------------------------------------- */

#define A "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}"

static const struct {
  const char *header;
  size_t data_size;
} good[] = {
    {"{}", 0},
    {"{}   \n\t\r ", 0},
    {"{" A "}", 2},
    {"{ \"a\" :\n{ \"shape\" : [ 2 ] , \"data_offsets\":[0,2],\"dtype\":\"U8\"} }", 2},
    {"{\"__metadata__\":{}," A "}", 2},
    {"{" A ",\"__metadata__\":{\"k\":\"v\",\"\":\"\"}}", 2},
    {"{\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[2,6]}," A "}", 6},
    {"{\"\":{\"dtype\":\"I8\",\"shape\":[1,2,1,1,1,1],\"data_offsets\":[0,2]}}", 2},
    {"{\"e\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[2,2]}," A "}", 2},
    {"{\"e\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[2,10]}," A "}", 10},
    {"{\"e\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[2,4]}," A "}", 4},
    {"{\"e\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1],\"data_offsets\":[2,3]}," A "}", 3},
    {"{\"\\u00e9\\\"\\\\\\n\xc3\xa9\\ud83e\\ude9c\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2},
};

START_TEST(takes_what_the_format_allows) {
  rung_safetensors *file = open_good(write_file(good[_i].header, strlen(good[_i].header), good[_i].data_size));
  const rung_tensor *a = rung_safetensors_find(file, "a");
  if (strstr(good[_i].header, "\"a\"")) {
    ck_assert_ptr_nonnull(a);
    ck_assert_int_eq(a->type, RUNG_U8);
    ck_assert_mem_eq(a->data, "\0\1", 2);
  } else {
    ck_assert_ptr_null(a);
  }
  rung_safetensors_free(file);
}
END_TEST

START_TEST(gives_tensors_in_the_order_of_the_data) {
  static const char header[] = "{\"z\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
                               "\"m\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[7,15]},"
                               "\"a\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[3,7]}}";
  rung_safetensors *file = open_good(write_file(header, strlen(header), 15));
  ck_assert_int_eq(rung_safetensors_count(file), 3);
  const char *const names[] = {"z", "a", "m"};
  for (int i = 0; i < 3; i++) {
    rung_named_tensor named = rung_safetensors_tensor(file, i);
    ck_assert_str_eq(named.name, names[i]);
    ck_assert_ptr_eq(rung_safetensors_find(file, names[i])->data, named.tensor.data);
    ck_assert_uint_eq((uintptr_t)named.tensor.data % RUNG_ALIGNMENT, 0); /* though their offsets are odd */
    ck_assert(named.tensor.scale == 1 && named.tensor.zero_point == 0);
  }
  ck_assert_int_eq(*(const int32_t *)rung_safetensors_find(file, "a")->data, 0x06050403);
  ck_assert_ptr_null(rung_safetensors_tensor(file, 3).name);
  ck_assert_ptr_null(rung_safetensors_tensor(file, -1).name);
  rung_safetensors_free(file);
}
END_TEST

START_TEST(names_what_it_does_not_read) {
  static const char header[] = "{\"wide\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
                               "\"flag\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[8,9]},"
                               "\"none\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[9,9]},"
                               "\"byte\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[9,10]}}";
  const char *const says[] = {"tensor 'wide' is F64, which", "tensor 'flag' is BOOL, which",
                              "tensor 'none' is F32 of an empty shape"};
  rung_safetensors *file = open_good(write_file(header, strlen(header), 10));
  for (int i = 0; i < 3; i++) {
    rung_named_tensor named = rung_safetensors_tensor(file, i);
    ck_assert_ptr_null(named.tensor.data);
    ck_assert_msg(strstr(rung_error(), says[i]) != NULL, "%s", rung_error());
    ck_assert_ptr_null(rung_safetensors_find(file, named.name)->data);
    ck_assert_ptr_null(rung_safetensors_expect(file, named.name, RUNG_F32, &RUNG_SHAPE(1)));
    ck_assert_msg(strstr(rung_error(), says[i]) != NULL, "%s", rung_error());
  }
  ck_assert_mem_eq(rung_safetensors_find(file, "byte")->data, "\x09", 1); /* behind them */
  rung_safetensors_free(file);
}
END_TEST

START_TEST(expects_type_and_shape) {
  rung_safetensors *file = open_good(write_file("{" A "}", strlen("{" A "}"), 2));
  ck_assert_ptr_nonnull(rung_safetensors_expect(file, "a", RUNG_U8, &RUNG_SHAPE(2)));
  ck_assert_ptr_null(rung_safetensors_expect(file, "b", RUNG_U8, &RUNG_SHAPE(2)));
  ck_assert_ptr_nonnull(strstr(rung_error(), "it has no tensor 'b'"));
  ck_assert_ptr_null(rung_safetensors_expect(file, "a", RUNG_F32, &RUNG_SHAPE(2)));
  ck_assert_ptr_nonnull(strstr(rung_error(), "tensor 'a' is u8, expected f32"));
  ck_assert_ptr_null(rung_safetensors_expect(file, "a", RUNG_U8, &RUNG_SHAPE(1, 2)));
  ck_assert_ptr_nonnull(strstr(rung_error(), "tensor 'a' is [2], expected [1, 2]"));
  ck_assert_int_eq(rung_error_status(), RUNG_ERROR_SHAPE);
  rung_safetensors_free(file);
  rung_safetensors_free(NULL);
}
END_TEST

/* ---- There and back --------------------------------------------------------------------------------------------- */

static rung_tensor tensor_of(rung_dtype type, rung_shape shape, const void *data) {
  return (rung_tensor){.type = type, .shape = shape, .data = (void *)(uintptr_t)data};
}

START_TEST(what_was_written_comes_back) {
  static unsigned char bytes[RUNG_DTYPE_COUNT][64];
  static const char *const names[RUNG_DTYPE_COUNT] = {
      "a", "", "\"\\/\b\f\n\r\t\x1f\x7f", "\xc3\xa9\xf0\x9f\xaa\x9c", "a.b", "__metadata", " ", "{}[],:"};
  rung_named_tensor tensors[RUNG_DTYPE_COUNT];
  rung_rng rng = rung_rng_seed(3);
  for (int i = 0; i < RUNG_DTYPE_COUNT; i++) {
    for (int k = 0; k < 64; k++) bytes[i][k] = (unsigned char)rung_rng_u32(&rng);
    tensors[i] = (rung_named_tensor){names[i], tensor_of((rung_dtype)i, RUNG_SHAPE(1 + i, 1 + i % 3), bytes[i])};
  }
  tensors[0].tensor.shape = (rung_shape){0};
  const rung_metadata metadata[] = {{"", ""}, {"key", "\"value\"\n\xc3\xa9"}, {"a", "{\"json\": [1, 2]}"}};
  const char *path = scratch_path("back.safetensors");
  rung_status status = rung_safetensors_write_with(path, tensors, RUNG_DTYPE_COUNT, metadata, COUNT(metadata));
  if (status == RUNG_ERROR_UNSUPPORTED) test_skip(rung_error());
  ck_assert_msg(status == RUNG_OK, "%s", rung_error());
  rung_safetensors *file = open_good(path);
  ck_assert_int_eq(rung_safetensors_count(file), RUNG_DTYPE_COUNT);
  for (int i = 0; i < RUNG_DTYPE_COUNT; i++) {
    const rung_tensor *was = &tensors[i].tensor;
    const rung_tensor *is = rung_safetensors_expect(file, names[i], was->type, &was->shape);
    ck_assert_msg(is != NULL, "%s", rung_error());
    ck_assert_mem_eq(is->data, was->data, (size_t)rung_tensor_count(was) * rung_dtype_size(was->type));
  }
  for (int i = 0; i < COUNT(metadata); i++)
    ck_assert_str_eq(rung_safetensors_metadata(file, metadata[i].key), metadata[i].value);
  ck_assert_ptr_null(rung_safetensors_metadata(file, "none"));
  ck_assert_int_eq(rung_safetensors_metadata_count(file), COUNT(metadata));
  ck_assert_str_eq(rung_safetensors_metadata_at(file, 1).key, "a");
  ck_assert_ptr_null(rung_safetensors_metadata_at(file, 3).key);
  rung_safetensors_free(file);
}
END_TEST

START_TEST(bad_metadata_are_not_written) {
  const char *path = scratch_path("none.safetensors");
  const rung_metadata bad[][2] = {{{"a", "b"}, {"a", "c"}},
                                  {{"a", "b"}, {NULL, "c"}},
                                  {{"a", "b"}, {"c", NULL}},
                                  {{"a", "b"}, {"\xff", "c"}},
                                  {{"a", "b"}, {"c", "\xc3"}}};
  for (int i = 0; i < COUNT(bad); i++) {
    ck_assert_int_eq(rung_safetensors_write_with(path, NULL, 0, bad[i], 2), RUNG_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(rung_error(), "metadata"));
  }
  ck_assert_int_eq(rung_safetensors_write_with(path, NULL, 0, NULL, 1), RUNG_ERROR_ARGUMENT);
  ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* ---- What is damaged -------------------------------------------------------------------------------------------- */

#define ENTRY(type, shape, offsets) "{\"t\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static const struct {
  const char *header;
  size_t data_size;
  const char *says;
} damaged[] = {
    {"", 0, "does not begin with '{'"},
    {" {}", 0, "does not begin with '{'"},
    {"[]", 0, "does not begin with '{'"},
    {"{", 0, "expected the JSON"},
    {"{}{}", 0, "expected the JSON"},
    {"{}\f", 0, "header, byte 2: expected the JSON"},
    {"{}x", 0, "header, byte 2: expected the JSON"},
    {"{\"a\":}", 0, "expected the JSON"},
    {"{\"a\" 1}", 0, "expected the JSON"},
    {"{\"\xff\":1}", 0, "not UTF-8"},
    {"{\"\xed\xa0\x80\":1}", 0, "not UTF-8"},
    {"{\"a\nb\":1}", 0, "a string that JSON does not allow"},
    {"{\"a\\u0000b\":1}", 0, "a string that JSON does not allow"},
    {"{\"a\\x\":1}", 0, "expected the JSON"},
    {"{\"a\\ud800\":1}", 0, "expected the JSON"},
    {"{\"a\\", 0, "a string that JSON does not allow"},
    {"{\"a\":[[[[]]]]}", 0, "beyond the format's"},
    {"{\"a\":true}", 0, "expected the JSON"},
    {"{\"a\":null}", 0, "expected the JSON"},
    {"{\"t\":1}", 0, "tensor 't': expected \"dtype\", \"shape\" and \"data_offsets\""},
    {"{\"t\":{}}", 0, "tensor 't': expected \"dtype\""},
    {"{\"t\":{\"dtype\":\"U8\",\"shape\":[2]}}", 2, "tensor 't': expected \"dtype\""},
    {"{\"t\":{\"dtype\":1,\"shape\":[2],\"data_offsets\":[0,2]}}", 2, "tensor 't': expected \"dtype\""},
    {"{\"t\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2],\"x\":1}}", 2, "tensor 't': expected \"dtype\""},
    {"{\"t\":{\"dtype\":\"U8\",\"shape\":[2],\"shape\":[2]}}", 2, "tensor 't': expected"},
    {ENTRY("Q3", "[2]", "[0,2]"), 2, "tensor 't' has dtype 'Q3'"},
    {ENTRY("u8", "[2]", "[0,2]"), 2, "tensor 't' has dtype 'u8'"},
    {ENTRY("U8", "2", "[0,2]"), 2, "expected a shape"},
    {ENTRY("U8", "[\"2\"]", "[0,2]"), 2, "expected a shape"},
    {ENTRY("U8", "[-2]", "[0,2]"), 2, "expected the JSON"},
    {ENTRY("U8", "[2.0]", "[0,2]"), 2, "expected the JSON"},
    {ENTRY("U8", "[2e0]", "[0,2]"), 2, "expected the JSON"},
    {ENTRY("U8", "[02]", "[0,2]"), 2, "expected the JSON"},
    {ENTRY("U8", "[99999999999999999999]", "[0,2]"), 2, "expected a shape"},
    {ENTRY("U8", "[4294967296,4294967296]", "[0,0]"), 0, "which is not its shape in U8"},
    {ENTRY("I64", "[4503599627370496,1024]", "[0,0]"), 0, "which is not its shape in I64"},
    {ENTRY("U8", "[2]", "[0]"), 2, "expected data_offsets"},
    {ENTRY("U8", "[2]", "[0,2,2]"), 2, "expected data_offsets"},
    {ENTRY("U8", "[2]", "[2,0]"), 2, "expected data_offsets"},
    {ENTRY("U8", "[2]", "[0,3]"), 2, "expected data_offsets"},
    {ENTRY("U8", "[2]", "[0,18446744073709551618]"), 2, "expected data_offsets"},
    {ENTRY("U8", "[2]", "{\"0\":0,\"1\":2}"), 2, "expected data_offsets"},
    {ENTRY("F32", "[1]", "[0,2]"), 2, "span 2 bytes, which is not its shape in F32"},
    {ENTRY("U8", "[3]", "[0,2]"), 2, "span 2 bytes"},
    {ENTRY("F4", "[3]", "[0,2]"), 2, "span 2 bytes"},
    {ENTRY("U8", "[1]", "[1,2]"), 2, "tensor 't' begins at byte 1 of the data, expected 0"},
    {ENTRY("U8", "[1]", "[0,1]"), 2, "the tensors end at byte 1 of the data, which has 2"},
    {"{}", 2, "the tensors end at byte 0 of the data, which has 2"},
    {"{" A ",\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3, "tensor 'b' begins at byte 1"},
    {"{" A ",\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[3,4]}}", 4, "tensor 'b' begins at byte 3"},
    {"{" A "," A "}", 2, "two tensors are named 'a'"},
    {"{" A ",\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]}}", 4, "two tensors are named 'a'"},
    {"{\"__metadata__\":[]}", 0, "expected one __metadata__, an object"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "expected one __metadata__"},
    {"{\"__metadata__\":{\"k\":1}}", 0, "metadata 'k': expected a string"},
    {"{\"__metadata__\":{\"k\":{}}}", 0, "metadata 'k': expected a string"},
    {"{\"__metadata__\":{\"k\":\"\",\"k\":\"\"}}", 0, "two metadata are named 'k'"},
};

START_TEST(every_rule_broken_is_one_line) {
  const char *header = damaged[_i].header;
  expect_refused(write_file(header, strlen(header), damaged[_i].data_size), RUNG_ERROR_FORMAT, damaged[_i].says);
}
END_TEST

START_TEST(a_list_beyond_any_rank_is_refused) {
  char header[512] = "{\"t\":{\"dtype\":\"U8\",\"shape\":[1";
  for (int i = 0; i < 40; i++) strcat(header, ",1");
  strcat(header, "],\"data_offsets\":[0,1]}}");
  expect_refused(write_file(header, strlen(header), 1), RUNG_ERROR_FORMAT, "beyond the format's");
}
END_TEST

START_TEST(a_nul_in_the_header_is_refused) {
  static const char header[] = "{}\0 ";
  expect_refused(write_file(header, sizeof header - 1, 0), RUNG_ERROR_FORMAT, "header, byte 2");
}
END_TEST

static const struct {
  uint64_t length;
  size_t size;
  const char *says;
} lengths[] = {{0, 7, "7 bytes, expected 8 at least"},
               {1, 8, "a header of 1 bytes, expected at most 100000000 and what follows in the file, 0"},
               {100000001, 8, "a header of 100000001 bytes"},
               {UINT64_MAX, 100, "a header of 18446744073709551615 bytes"},
               {0, 8, "does not begin with '{'"}};

START_TEST(lengths_are_checked) {
  unsigned char bytes[100] = {0};
  for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(lengths[_i].length >> 8 * i);
  expect_refused(scratch_write("f.safetensors", bytes, lengths[_i].size), RUNG_ERROR_FORMAT, lengths[_i].says);
}
END_TEST

START_TEST(what_is_no_file_is_refused) {
  expect_refused(scratch_path("missing.safetensors"), RUNG_ERROR_IO, "cannot be opened");
  expect_refused(scratch_path("folder.safetensors/"), RUNG_ERROR_IO, "not a regular file");
  ck_assert_ptr_null(rung_safetensors_open(NULL));
  ck_assert_int_eq(rung_error_status(), RUNG_ERROR_ARGUMENT);
}
END_TEST

/* A file cut short anywhere is refused; one with any one bit turned is refused or read, and nothing worse. */
START_TEST(cuts_and_turned_bits_do_no_harm) {
  size_t size;
  unsigned char *bytes = scratch_read(TEST_DATA "/golden/weights.safetensors", &size);
  rung_safetensors_free(open_good(TEST_DATA "/golden/weights.safetensors"));
  for (size_t cut = 0; cut < size; cut += cut < 1200 ? 7 : 1)
    expect_refused(scratch_write("f.safetensors", bytes, cut), RUNG_ERROR_FORMAT, "");
  volatile unsigned char read; /* every byte of what was taken is there */
  for (size_t at = 0; at < 1100; at++) {
    const unsigned char bit = (unsigned char)(1u << at % 8);
    bytes[at] ^= bit;
    rung_safetensors *file = rung_safetensors_open(scratch_write("f.safetensors", bytes, size));
    for (int i = 0; file != NULL && i < rung_safetensors_count(file); i++) {
      rung_tensor tensor = rung_safetensors_tensor(file, i).tensor;
      size_t length = tensor.data ? (size_t)rung_tensor_count(&tensor) * rung_dtype_size(tensor.type) : 0;
      for (size_t k = 0; k < length; k++) read = ((unsigned char *)tensor.data)[k];
    }
    rung_safetensors_free(file);
    bytes[at] ^= bit;
  }
  (void)read;
  free(bytes);
}
END_TEST

/* ---- Files of the Python package -------------------------------------------------------------------------------- */

/* tests/golden/make_weights.py made it. */
START_TEST(reads_what_pytorch_wrote) {
  rung_safetensors *file = open_good(TEST_DATA "/golden/weights.safetensors");
  ck_assert_int_eq(rung_safetensors_count(file), 14);
  ck_assert_str_eq(rung_safetensors_metadata(file, "made"), "by PyTorch");
  ck_assert_str_eq(rung_safetensors_metadata(file, "of"), "\"Rung\" \n \xc3\xa9");
  ck_assert_ptr_nonnull(rung_safetensors_expect(file, "fc1.weight", RUNG_F32, &RUNG_SHAPE(5, 6)));
  ck_assert_ptr_nonnull(rung_safetensors_expect(file, "fc1.bias", RUNG_F16, &RUNG_SHAPE(5)));
  ck_assert_ptr_nonnull(rung_safetensors_expect(file, "fc2.weight", RUNG_BF16, &RUNG_SHAPE(4, 5)));
  const char *const others[] = {"bn1.num_batches_tracked", "extra.f64", "extra.bool", "extra.empty", "extra.deep"};
  for (int i = 0; i < COUNT(others); i++) {
    ck_assert_ptr_nonnull(rung_safetensors_find(file, others[i]));
    ck_assert_ptr_null(rung_safetensors_find(file, others[i])->data);
  }
  rung_safetensors_free(file);
}
END_TEST

#define PYTHON_WRITER                                                                                                  \
  "import sys, numpy as n; from safetensors.numpy import save_file\n"                                                  \
  "save_file({'a': n.arange(6, dtype='f4').reshape(2, 3), 'b': n.array([-5], 'i4'), 'c': n.array(7, 'u1'),\n"          \
  "           'd': n.array([[1.5]], 'f2'), 'e': n.zeros((2, 2), 'i8')}, sys.argv[1], {'k': 'v'})"

START_TEST(reads_what_the_python_package_writes) {
  const char *python = peers_python("safetensors.numpy"), *path = scratch_path("python.safetensors");
  peers_run(python, PYTHON_WRITER, path);
  rung_safetensors *file = open_good(path);
  const rung_tensor *a = rung_safetensors_expect(file, "a", RUNG_F32, &RUNG_SHAPE(2, 3));
  ck_assert_ptr_nonnull(a);
  for (int i = 0; i < 6; i++) ck_assert(((const float *)a->data)[i] == (float)i);
  ck_assert_int_eq(*(const int32_t *)rung_safetensors_expect(file, "b", RUNG_I32, &RUNG_SHAPE(1))->data, -5);
  ck_assert_int_eq(*(const uint8_t *)rung_safetensors_expect(file, "c", RUNG_U8, &(rung_shape){0})->data, 7);
  ck_assert_int_eq(*(const uint16_t *)rung_safetensors_expect(file, "d", RUNG_F16, &RUNG_SHAPE(1, 1))->data, 0x3e00);
  ck_assert_ptr_null(rung_safetensors_find(file, "e")->data);
  ck_assert_str_eq(rung_safetensors_metadata(file, "k"), "v");
  rung_safetensors_free(file);
}
END_TEST

TEST_MAIN(CASES(takes_what_the_format_allows, COUNT(good)), CASE(gives_tensors_in_the_order_of_the_data),
          CASE(names_what_it_does_not_read), CASE(expects_type_and_shape), CASE(what_was_written_comes_back),
          CASE(bad_metadata_are_not_written), CASES(every_rule_broken_is_one_line, COUNT(damaged)),
          CASE(a_list_beyond_any_rank_is_refused), CASE(a_nul_in_the_header_is_refused),
          CASES(lengths_are_checked, COUNT(lengths)), CASE(what_is_no_file_is_refused),
          CASE(cuts_and_turned_bits_do_no_harm), CASE(reads_what_pytorch_wrote),
          CASE(reads_what_the_python_package_writes))
