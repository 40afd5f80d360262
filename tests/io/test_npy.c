#include "harness.h"
#include "scratch.h"

#include <rung/io.h>

#include <math.h>

#define GOLDEN TEST_DATA "/golden/data/"

static const struct {
  const char *name;
  rung_dtype type;
} golden[] = {
    {"b1_byte", RUNG_I8}, {"i1_byte", RUNG_I8},    {"u1_byte", RUNG_U8},    {"i2_little", RUNG_I32},
    {"i2_big", RUNG_I32}, {"i4_little", RUNG_I32}, {"i4_big", RUNG_I32},    {"i8_little", RUNG_I32},
    {"i8_big", RUNG_I32}, {"u2_little", RUNG_I32}, {"u2_big", RUNG_I32},    {"u4_little", RUNG_I32},
    {"u4_big", RUNG_I32}, {"u8_little", RUNG_I32}, {"u8_big", RUNG_I32},    {"f2_little", RUNG_F32},
    {"f2_big", RUNG_F32}, {"f4_little", RUNG_F32}, {"f4_big", RUNG_F32},    {"f8_little", RUNG_F32},
    {"f8_big", RUNG_F32}, {"version_2", RUNG_F32}, {"version_3", RUNG_F32},
};
#define GOLDENS ((int)(sizeof golden / sizeof *golden))

/* Element n as tests/golden/make_data.py made it. */
static float expected_value(const char *name, int n) {
  switch (name[0]) {
  case 'b': return (float)(n % 2);
  case 'u': return (float)n;
  case 'i': return (float)(n - 5);
  default: return (float)(n - 5) / 4.0f;
  }
}

static float value_at(const rung_tensor *tensor, int n) {
  switch (tensor->type) {
  case RUNG_U8: return ((const uint8_t *)tensor->data)[n];
  case RUNG_I8: return ((const int8_t *)tensor->data)[n];
  case RUNG_I32: return (float)((const int32_t *)tensor->data)[n];
  default: return ((const float *)tensor->data)[n];
  }
}

/* A file of version 1.0 with this header and these elements. */
static const char *write_npy(const char *header, const void *elements, size_t size) {
  unsigned char file[12000] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  size_t length = strlen(header);
  file[8] = (unsigned char)length, file[9] = (unsigned char)(length >> 8);
  memcpy(file + 10, header, length);
  memcpy(file + 10 + length, elements, size);
  return scratch_write("t.npy", file, 10 + length + size);
}

static void refuse(const char *path, rung_status expected, const char *says) {
  rung_tensor tensor;
  rung_status status = rung_npy_read(path, &tensor);
  ck_assert_msg(status == expected && strstr(rung_error(), says) != NULL, "%d '%s' lacks '%s'", (int)status,
                rung_error(), says);
  ck_assert(strncmp(rung_error(), path, strlen(path)) == 0 && tensor.data == NULL);
}

START_TEST(reads_every_type) {
  char path[256];
  rung_tensor tensor;
  snprintf(path, sizeof path, GOLDEN "%s.npy", golden[_i].name);
  ck_assert_msg(rung_npy_read(path, &tensor) == RUNG_OK, "%s", rung_error());
  ck_assert(tensor.type == golden[_i].type && rung_shape_equal(&tensor.shape, &RUNG_SHAPE(4, 3)));
  ck_assert(tensor.type == RUNG_F32 || (tensor.scale == 1.0f && tensor.zero_point == 0));
  for (int n = 0; n < 12; n++) ck_assert(value_at(&tensor, n) == expected_value(golden[_i].name, n));
  rung_npy_free(&tensor);
  rung_npy_free(&tensor);
  rung_npy_free(NULL);
}
END_TEST

START_TEST(reads_other_spellings_of_the_header) {
  static const char *const headers[] = {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }",
                                        "{\"shape\":(2L,),\"fortran_order\":False,\"descr\":'<u1'}\n",
                                        " { 'fortran_order' : False , 'shape' : ( 2 , ) , 'descr' : '>u1' } \n"};
  rung_tensor tensor;
  for (int i = 0; i < 3; i++) {
    ck_assert_msg(rung_npy_read(write_npy(headers[i], "\x01\x02", 2), &tensor) == RUNG_OK, "%s", rung_error());
    ck_assert(rung_shape_equal(&tensor.shape, &RUNG_SHAPE(2)));
    rung_npy_free(&tensor);
  }
  ck_assert_int_eq(
      rung_npy_read(write_npy("{'descr': '|u1', 'fortran_order': False, 'shape': ()}", "\x07", 1), &tensor), RUNG_OK);
  ck_assert(tensor.shape.rank == 0 && *(const uint8_t *)tensor.data == 7);
  rung_npy_free(&tensor);
}
END_TEST

START_TEST(refuses_wrong_headers) {
#define REST "'fortran_order': False, 'shape': (2,)}"
  static const struct {
    const char *header;
    rung_status status;
    const char *says;
  } cases[] = {
      {"", RUNG_ERROR_FORMAT, "header at ''"},
      {"{}", RUNG_ERROR_FORMAT, "header at ''"},
      {"{'descr': '|u1', 'shape': (2,)}", RUNG_ERROR_FORMAT, "header at ''"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,)", RUNG_ERROR_FORMAT, "header at"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,)} x", RUNG_ERROR_FORMAT, "header at 'x'"},
      {"{'descr': '|u1' " REST, RUNG_ERROR_FORMAT, "header at"},
      {"{'descr': '|u1', 'descr': '|u1', " REST, RUNG_ERROR_FORMAT, "'descr' in the header"},
      {"{'colour': 1, 'descr': '|u1', " REST, RUNG_ERROR_FORMAT, "'colour' in the header"},
      {"{'descr': '<c8', " REST, RUNG_ERROR_UNSUPPORTED, "elements of type '<c8'"},
      {"{'descr': '<f1', " REST, RUNG_ERROR_UNSUPPORTED, "elements of type '<f1'"},
      {"{'descr': '|f4', " REST, RUNG_ERROR_UNSUPPORTED, "elements of type '|f4'"},
      {"{'descr': '|u16', " REST, RUNG_ERROR_UNSUPPORTED, "elements of type '|u16'"},
      {"{'descr': '|O', " REST, RUNG_ERROR_UNSUPPORTED, "elements of type '|O'"},
      {"{'descr': [('a', '<i4')], " REST, RUNG_ERROR_UNSUPPORTED, "elements of type [('a'"},
      {"{'descr': '|u1', 'fortran_order': True, 'shape': (2,)}", RUNG_ERROR_UNSUPPORTED, "numpy.ascontiguousarray"},
      {"{'descr': '|u1', 'fortran_order': 0, 'shape': (2,)}", RUNG_ERROR_FORMAT, "fortran_order is 0"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2)}", RUNG_ERROR_FORMAT, "expected a tuple"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': [2]}", RUNG_ERROR_FORMAT, "expected a tuple"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (-2,)}", RUNG_ERROR_FORMAT, "expected a tuple"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,)}", RUNG_ERROR_FORMAT, "a tuple"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,2)}", RUNG_ERROR_UNSUPPORTED, "6 dimensions"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,0)}", RUNG_ERROR_FORMAT, "extent 1 is 0"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296,4294967296)}", RUNG_ERROR_FORMAT, "overflows"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693951,)}", RUNG_ERROR_FORMAT, "expected"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}", RUNG_ERROR_FORMAT,
       "holds 2 bytes after its header, expected 3"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}", RUNG_ERROR_FORMAT,
       "holds 2 bytes after its header, expected 1"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976,)}", RUNG_ERROR_FORMAT,
       "expected 4611686018427387904"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    refuse(write_npy(cases[i].header, "\x01\x02", 2), cases[i].status, cases[i].says);
}
END_TEST

START_TEST(refuses_every_truncation) {
  size_t size;
  unsigned char *bytes = scratch_read(GOLDEN "f4_little.npy", &size);
  for (size_t length = 0; length < size; length++)
    refuse(scratch_write("short.npy", bytes, length), RUNG_ERROR_FORMAT,
           length < 128 ? "within its NPY header" : "expected 48");
  free(bytes);
  refuse(scratch_write("text.npy", "hello, world", 12), RUNG_ERROR_FORMAT, "not an NPY file");
  refuse(scratch_write("new.npy", "\x93NUMPY\x04\x00", 8), RUNG_ERROR_UNSUPPORTED, "NPY version 4.0");
  refuse(scratch_write("long.npy", "\x93NUMPY\x02\x00\xff\xff\xff\xff", 12), RUNG_ERROR_FORMAT,
         "NPY header of 4294967295 bytes, expected at most 10000");
  refuse(scratch_write("zero.npy", "\x93NUMPY\x01\x00\x02\x00{\0", 12), RUNG_ERROR_FORMAT, "a zero byte");
  refuse(scratch_path("absent.npy"), RUNG_ERROR_IO, "No such file");
}
END_TEST

/* Whatever byte is wrong: taken or refused, and never more memory than the file has bytes. */
START_TEST(survives_every_byte) {
  size_t size;
  unsigned char *bytes = scratch_read(GOLDEN "i2_little.npy", &size);
  for (size_t at = 0; at < 128; at++) {
    unsigned char right = bytes[at];
    for (int value = 0; value < 256; value += at < 12 ? 1 : 15) {
      rung_tensor tensor;
      bytes[at] = (unsigned char)value;
      rung_status status = rung_npy_read(scratch_write("byte.npy", bytes, size), &tensor);
      ck_assert((status == RUNG_OK) == (tensor.data != NULL));
      ck_assert(status != RUNG_ERROR_MEMORY && status != RUNG_ERROR_IO);
      if (status == RUNG_OK) ck_assert_int_eq(rung_tensor_count(&tensor), 12);
      rung_npy_free(&tensor);
    }
    bytes[at] = right;
  }
  free(bytes);
}
END_TEST

START_TEST(refuses_what_does_not_fit) {
#define HEADER(type, count) "{'descr': '" type "', 'fortran_order': False, 'shape': (" count ",)}"
  static const unsigned char too_large[] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0};
  static const unsigned char too_small[] = {0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff};
  static const unsigned char smallest[] = {0, 0, 0, 0x80, 0xff, 0xff, 0xff, 0xff};
  refuse(write_npy(HEADER("<i8", "2"), too_large, 16), RUNG_ERROR_NUMERIC, "element 1 fits no i32");
  refuse(write_npy(HEADER("<u4", "4"), too_large, 16), RUNG_ERROR_NUMERIC, "element 2 fits no i32");
  refuse(write_npy(HEADER("<i8", "1"), too_small, 8), RUNG_ERROR_NUMERIC, "element 0 fits no i32");
  refuse(write_npy(HEADER("<u8", "1"), too_small, 8), RUNG_ERROR_NUMERIC, "element 0 fits no i32");
  rung_tensor tensor;
  ck_assert_int_eq(rung_npy_read(write_npy(HEADER("<i8", "1"), smallest, 8), &tensor), RUNG_OK);
  ck_assert_int_eq(*(const int32_t *)tensor.data, INT32_MIN);
  rung_npy_free(&tensor);
  /* 1e39 as f8; infinity and NaN are f32 as well */
  static const unsigned char beyond[] = {0x8f, 0xc2, 0xf5, 0x28, 0x5c, 0x8f, 0x07, 0x48};
  static const unsigned char special[] = {0, 0, 0, 0, 0, 0, 0xf0, 0xff, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f};
  refuse(write_npy(HEADER("<f8", "1"), beyond, 8), RUNG_ERROR_NUMERIC, "element 0 fits no f32");
  ck_assert_int_eq(rung_npy_read(write_npy(HEADER("<f8", "2"), special, 16), &tensor), RUNG_OK);
  const float *values = tensor.data;
  ck_assert(isinf(values[0]) && values[0] < 0 && isnan(values[1]));
  rung_npy_free(&tensor);
}
END_TEST

START_TEST(reads_gzip) {
  size_t size;
  unsigned char *bytes = scratch_read(GOLDEN "f4_little.npy", &size), member[1024];
  rung_tensor tensor;
  const char *path = scratch_write("t.npy", member, gzip_stored(bytes, size, member));
  rung_status status = rung_npy_read(path, &tensor);
  if (status == RUNG_ERROR_UNSUPPORTED) test_skip("no zlib");
  ck_assert_msg(status == RUNG_OK, "%s", rung_error());
  ck_assert_mem_eq(tensor.data, bytes + 128, 48);
  rung_npy_free(&tensor);
  refuse(scratch_write("t.npy", member, gzip_stored(bytes, size - 1, member)), RUNG_ERROR_FORMAT, "holds 47 bytes");
  bytes[size - 1] = 0;
  refuse(scratch_write("t.npy", member, gzip_stored(bytes, size + 1, member)), RUNG_ERROR_FORMAT, "more than 48 bytes");
  free(bytes);
}
END_TEST

/* What is written is numpy's own file, byte for byte, and reads as it was. */
START_TEST(writes_as_numpy_does) {
  static const struct {
    rung_dtype type;
    const char *golden;
  } cases[] = {{RUNG_F32, "f4_little"},
               {RUNG_U8, "u1_byte"},
               {RUNG_I8, "i1_byte"},
               {RUNG_I32, "i4_little"},
               {RUNG_F16, "f2_little"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char path[256];
    size_t size, written;
    rung_tensor tensor;
    snprintf(path, sizeof path, GOLDEN "%s.npy", cases[i].golden);
    unsigned char *expected = scratch_read(path, &size);
    ck_assert_int_eq(rung_npy_read(path, &tensor), RUNG_OK);
    uint16_t halves[12];
    if (cases[i].type == RUNG_F16) {
      for (int n = 0; n < 12; n++) halves[n] = (uint16_t)rung_float_encode(RUNG_F16, value_at(&tensor, n), false);
    }
    rung_tensor same = tensor;
    same.type = cases[i].type;
    if (same.type == RUNG_F16) same.data = halves;
    ck_assert_msg(rung_npy_write(scratch_path("w.npy"), &same) == RUNG_OK, "%s", rung_error());
    unsigned char *bytes = scratch_read(scratch_path("w.npy"), &written);
    ck_assert_uint_eq(written, size);
    ck_assert_mem_eq(bytes, expected, size);
    rung_npy_free(&tensor);
    free(bytes);
    free(expected);
  }
}
END_TEST

START_TEST(writes_every_rank) {
  float values[2] = {1.0f, -2.0f};
  for (int rank = 0; rank <= RUNG_MAX_RANK; rank++) {
    rung_tensor tensor = {.type = RUNG_F32, .shape = {.rank = rank}, .data = values}, read;
    for (int i = 0; i < rank; i++) tensor.shape.extent[i] = 1 + (i == rank - 1);
    ck_assert_int_eq(rung_npy_write(scratch_path("w.npy"), &tensor), RUNG_OK);
    ck_assert_msg(rung_npy_read(scratch_path("w.npy"), &read) == RUNG_OK, "%s", rung_error());
    ck_assert(rung_shape_equal(&read.shape, &tensor.shape));
    ck_assert_mem_eq(read.data, values, rank > 0 ? 8 : 4);
    rung_npy_free(&read);
  }
}
END_TEST

START_TEST(refuses_to_write_nonsense) {
  float value = 1.0f;
  rung_tensor tensor = {.type = RUNG_BF16, .shape = RUNG_SHAPE(1), .data = &value};
  ck_assert_int_eq(rung_npy_write(scratch_path("none.npy"), &tensor), RUNG_ERROR_UNSUPPORTED);
  tensor.type = RUNG_F32;
  tensor.shape.extent[0] = 0;
  ck_assert_int_eq(rung_npy_write(scratch_path("none.npy"), &tensor), RUNG_ERROR_SHAPE);
  tensor.shape.extent[0] = 1;
  ck_assert_int_eq(rung_npy_write(NULL, &tensor), RUNG_ERROR_ARGUMENT);
  ck_assert_int_eq(rung_npy_write(scratch_path("no-folder"), NULL), RUNG_ERROR_ARGUMENT);
  char path[600];
  snprintf(path, sizeof path, "%s/absent/none.npy", scratch_path(""));
  ck_assert_int_eq(rung_npy_write(path, &tensor), RUNG_ERROR_IO);
  ck_assert_int_ne(access(scratch_path("none.npy"), F_OK), 0);
}
END_TEST

TEST_MAIN(CASES(reads_every_type, GOLDENS), CASE(reads_other_spellings_of_the_header), CASE(refuses_wrong_headers),
          CASE(refuses_every_truncation), CASE(survives_every_byte), CASE(refuses_what_does_not_fit), CASE(reads_gzip),
          CASE(writes_as_numpy_does), CASE(writes_every_rank), CASE(refuses_to_write_nonsense))
