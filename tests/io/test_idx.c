#include "harness.h"
#include "scratch.h"

#include <rung/io.h>

#define SAMPLE_LABELS TEST_DATA "/data/mnist-sample/t10k-labels-idx1-ubyte.gz"

/* [2, 3] of u8. */
static const unsigned char small[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 10, 20, 30, 40, 50, 255};
#define SMALL_HEADER 12

static void refuse(rung_status expected, const char *path, const char *what) {
  rung_tensor tensor;
  ck_assert_msg(rung_idx_read(path, &tensor) == expected, "%s: %s", what, rung_error());
  ck_assert_ptr_null(tensor.data);
  ck_assert_msg(strncmp(rung_error(), path, strlen(path)) == 0, "names the file: %s", rung_error());
  ck_assert_msg(strstr(rung_error(), what) != NULL, "says '%s': %s", what, rung_error());
}

static void expect_small(const char *path) {
  rung_tensor tensor;
  ck_assert_msg(rung_idx_read(path, &tensor) == RUNG_OK, "%s", rung_error());
  ck_assert(tensor.type == RUNG_U8 && rung_shape_equal(&tensor.shape, &RUNG_SHAPE(2, 3)));
  ck_assert_mem_eq(tensor.data, small + SMALL_HEADER, 6);
  ck_assert(tensor.scale == 1.0f && tensor.zero_point == 0);
  rung_idx_free(&tensor);
  ck_assert_ptr_null(tensor.data);
  rung_idx_free(&tensor);
  rung_idx_free(NULL);
}

/* Tests of compressed files stand aside (77: skipped) in a build that has no zlib, once it has refused them well. */
static void need_zlib(void) {
  rung_tensor tensor;
  if (rung_idx_read(SAMPLE_LABELS, &tensor) == RUNG_ERROR_UNSUPPORTED) {
    ck_assert_ptr_nonnull(strstr(rung_error(), "no zlib"));
    test_skip("no zlib");
  }
  rung_idx_free(&tensor);
}

START_TEST(reads_u8) {
  expect_small(scratch_write("small", small, sizeof small));
}
END_TEST

START_TEST(reads_i8) {
  const unsigned char file[] = {0, 0, 9, 1, 0, 0, 0, 4, 0x80, 0xff, 0, 0x7f};
  rung_tensor tensor;
  ck_assert_int_eq(rung_idx_read(scratch_write("i8", file, sizeof file), &tensor), RUNG_OK);
  ck_assert(tensor.type == RUNG_I8 && rung_shape_equal(&tensor.shape, &RUNG_SHAPE(4)) && tensor.scale == 1.0f);
  const int8_t expected[] = {-128, -1, 0, 127};
  ck_assert_mem_eq(tensor.data, expected, sizeof expected);
  rung_idx_free(&tensor);
}
END_TEST

START_TEST(reads_i32_big_endian) {
  const unsigned char file[] = {0, 0, 12, 1, 0, 0, 0, 3, 0x12, 0x34, 0x56, 0x78, 0xff, 0xff, 0xff, 0xfe, 0x80, 0, 0, 0};
  rung_tensor tensor;
  ck_assert_int_eq(rung_idx_read(scratch_write("i32", file, sizeof file), &tensor), RUNG_OK);
  ck_assert(tensor.type == RUNG_I32 && tensor.scale == 1.0f);
  const int32_t expected[] = {0x12345678, -2, INT32_MIN};
  ck_assert_mem_eq(tensor.data, expected, sizeof expected);
  rung_idx_free(&tensor);
}
END_TEST

START_TEST(reads_f32_big_endian) {
  const unsigned char file[] = {0, 0, 13, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x3f, 0x80, 0, 0, 0xc0, 0x49, 0x0f, 0xdb};
  rung_tensor tensor;
  ck_assert_int_eq(rung_idx_read(scratch_write("f32", file, sizeof file), &tensor), RUNG_OK);
  ck_assert(tensor.type == RUNG_F32 && rung_shape_equal(&tensor.shape, &RUNG_SHAPE(1, 2)));
  const float expected[] = {1.0f, -3.14159274f};
  ck_assert_mem_eq(tensor.data, expected, sizeof expected);
  rung_idx_free(&tensor);
}
END_TEST

START_TEST(reads_every_rank) {
  int rank = _i;
  unsigned char file[4 + 4 * 8 + 1] = {0, 0, 8, (unsigned char)rank};
  for (int i = 0; i < rank; i++) file[4 + 4 * i + 3] = 1;
  file[4 + 4 * rank] = 77;
  const char *path = scratch_write("rank", file, (size_t)(4 + 4 * rank + 1));
  if (rank < 1 || rank > RUNG_MAX_RANK) {
    refuse(RUNG_ERROR_FORMAT, path, "rank");
    return;
  }
  rung_tensor tensor;
  ck_assert_int_eq(rung_idx_read(path, &tensor), RUNG_OK);
  ck_assert_int_eq(tensor.shape.rank, rank);
  ck_assert_int_eq(*(const uint8_t *)tensor.data, 77);
  rung_idx_free(&tensor);
}
END_TEST

START_TEST(refuses_every_truncation) {
  for (size_t size = 0; size < sizeof small; size++)
    refuse(RUNG_ERROR_FORMAT, scratch_write("short", small, size), size < SMALL_HEADER ? "header" : "expected 6");
}
END_TEST

START_TEST(refuses_what_follows_the_end) {
  unsigned char longer[sizeof small + 1] = {0};
  memcpy(longer, small, sizeof small);
  refuse(RUNG_ERROR_FORMAT, scratch_write("long", longer, sizeof longer), "holds 7 bytes after its header, expected 6");
}
END_TEST

/* Of all that one wrong byte can make of the header, only i8 for u8 fits the file's size. */
START_TEST(survives_every_header_byte) {
  for (int at = 0; at < SMALL_HEADER; at++) {
    for (int value = 0; value < 256; value++) {
      unsigned char file[sizeof small];
      memcpy(file, small, sizeof small);
      file[at] = (unsigned char)value;
      rung_tensor tensor;
      rung_status status = rung_idx_read(scratch_write("header", file, sizeof file), &tensor);
      bool valid = value == small[at] || (at == 2 && value == 9);
      ck_assert_msg(status == (valid ? RUNG_OK : RUNG_ERROR_FORMAT), "byte %d is %d: %s", at, value, rung_error());
      ck_assert(valid == (tensor.data != NULL));
      if (valid) ck_assert_mem_eq(tensor.data, small + SMALL_HEADER, 6);
      rung_idx_free(&tensor);
    }
  }
}
END_TEST

/* Headers that claim the world before six bytes. An allocation of what they claim would fail with
 * RUNG_ERROR_MEMORY (2^60 bytes), so RUNG_ERROR_FORMAT shows that none was tried. */
static const struct {
  int rank;
  uint32_t extent[6];
  const char *says;
} claims[] = {
    {2, {1u << 30, 1u << 30}, "expected 1152921504606846976"},
    {2, {0xffffffff, 0xffffffff}, "a product that fits"},
    {2, {1u << 31, 1u << 31}, "a product that fits"},
    {3, {1u << 22, 1u << 21, 1u << 21}, "a product that fits"}, /* 2^64: 0 in 64 bits */
    {6, {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, "a product that fits"},
    {3, {2, 0, 3}, "each >= 1"},
    {1, {0}, "each >= 1"},
};
#define CLAIMS ((int)(sizeof claims / sizeof *claims))

static size_t claim_file(int index, unsigned char file[64]) {
  size_t size = 4 + 4 * (size_t)claims[index].rank;
  memset(file, 0, 64);
  file[2] = 8;
  file[3] = (unsigned char)claims[index].rank;
  for (int i = 0; i < claims[index].rank; i++)
    for (int byte = 0; byte < 4; byte++)
      file[4 + 4 * i + byte] = (unsigned char)(claims[index].extent[i] >> (24 - 8 * byte));
  return size + 6;
}

START_TEST(refuses_claims) {
  unsigned char file[64];
  size_t size = claim_file(_i, file);
  refuse(RUNG_ERROR_FORMAT, scratch_write("claim", file, size), claims[_i].says);
}
END_TEST

START_TEST(refuses_claims_gzip) {
  need_zlib();
  unsigned char file[64], member[128];
  size_t size = gzip_stored(file, claim_file(_i, file), member);
  refuse(RUNG_ERROR_FORMAT, scratch_write("claim.gz", member, size), claims[_i].says);
}
END_TEST

START_TEST(refuses_what_is_no_file) {
  refuse(RUNG_ERROR_IO, scratch_path("absent"), "No such file");
  refuse(RUNG_ERROR_IO, scratch_path(""), "not a regular file");
  refuse(RUNG_ERROR_FORMAT, scratch_write("text", "hello, world", 12), "not an IDX file");
}
END_TEST

START_TEST(reads_gzip_by_content) {
  need_zlib();
  unsigned char member[256];
  size_t size = gzip_stored(small, sizeof small, member);
  expect_small(scratch_write("small.gz", member, size));
  expect_small(scratch_write("without-ending", member, size));
  expect_small(scratch_write("plain-inside.gz", small, sizeof small));
}
END_TEST

/* RFC 1952: a file is one or more members, cut anywhere. */
START_TEST(reads_gzip_of_two_members) {
  need_zlib();
  for (size_t cut = 0; cut <= sizeof small; cut++) {
    unsigned char members[256];
    size_t size = gzip_stored(small, cut, members);
    size += gzip_stored(small + cut, sizeof small - cut, members + size);
    expect_small(scratch_write("two.gz", members, size));
  }
}
END_TEST

/* More than the reader first allocates, so that its memory has to grow; sizes about the doublings. */
START_TEST(reads_large_gzip) {
  need_zlib();
  const int64_t counts[] = {(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 1 << 21, (1 << 21) + 1, 3000000};
  int64_t count = counts[_i];
  size_t size = 8 + (size_t)count;
  unsigned char *file = calloc(1, size), *member = malloc(size + size / 1000 + 64);
  ck_assert(file != NULL && member != NULL);
  file[2] = 8, file[3] = 1;
  for (int i = 0; i < 4; i++) file[4 + i] = (unsigned char)(count >> (24 - 8 * i));
  for (size_t i = 8; i < size; i++) file[i] = (unsigned char)(1 + i % 251);
  const char *path = scratch_write("large.gz", member, gzip_stored(file, size, member));
  rung_tensor tensor;
  ck_assert_msg(rung_idx_read(path, &tensor) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(tensor.shape.extent[0], count);
  ck_assert_mem_eq(tensor.data, file + 8, (size_t)count);
  rung_idx_free(&tensor);
  free(file);
  free(member);
}
END_TEST

START_TEST(refuses_gzip_of_wrong_length) {
  need_zlib();
  unsigned char longer[sizeof small + 1] = {0}, member[256];
  memcpy(longer, small, sizeof small);
  refuse(RUNG_ERROR_FORMAT, scratch_write("long.gz", member, gzip_stored(longer, sizeof longer, member)),
         "holds more than 6 bytes");
  for (size_t size = 0; size < sizeof small; size++)
    refuse(RUNG_ERROR_FORMAT, scratch_write("short.gz", member, gzip_stored(small, size, member)),
           size < SMALL_HEADER ? "header" : "expected 6");
  size_t size = gzip_stored(small, sizeof small, member);
  for (int byte = 0; byte < 256; byte++) {
    member[size] = (unsigned char)byte;
    refuse(RUNG_ERROR_FORMAT, scratch_write("garbage.gz", member, size + 1), "gzip stream");
  }
}
END_TEST

START_TEST(refuses_every_gzip_truncation) {
  need_zlib();
  size_t size;
  unsigned char *bytes = scratch_read(SAMPLE_LABELS, &size);
  for (size_t length = 2; length < size; length++)
    refuse(RUNG_ERROR_FORMAT, scratch_write("short.gz", bytes, length), "middle of its gzip stream");
  free(bytes);
}
END_TEST

/* Whatever bit is wrong: an error, or, where gzip has bits without a meaning, the same labels. */
START_TEST(survives_every_gzip_bit) {
  need_zlib();
  size_t size;
  unsigned char *bytes = scratch_read(SAMPLE_LABELS, &size);
  rung_tensor truth, tensor;
  ck_assert_int_eq(rung_idx_read(SAMPLE_LABELS, &truth), RUNG_OK);
  int refused = 0;
  for (size_t bit = 0; bit < 8 * size; bit++) {
    bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    rung_status status = rung_idx_read(scratch_write("bit.gz", bytes, size), &tensor);
    bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    ck_assert(status == RUNG_OK || status == RUNG_ERROR_FORMAT);
    refused += status != RUNG_OK;
    if (status == RUNG_OK) {
      ck_assert(tensor.type == RUNG_U8 && rung_shape_equal(&tensor.shape, &truth.shape));
      ck_assert_mem_eq(tensor.data, truth.data, 1000);
    }
    rung_idx_free(&tensor);
  }
  ck_assert_int_gt(refused, (int)(8 * size) - 8 * 10);
  rung_idx_free(&truth);
  free(bytes);
}
END_TEST

TEST_MAIN(CASE(reads_u8), CASE(reads_i8), CASE(reads_i32_big_endian), CASE(reads_f32_big_endian),
          CASES(reads_every_rank, 9), CASE(refuses_every_truncation), CASE(refuses_what_follows_the_end),
          CASE(survives_every_header_byte), CASES(refuses_claims, CLAIMS), CASES(refuses_claims_gzip, CLAIMS),
          CASE(refuses_what_is_no_file), CASE(reads_gzip_by_content), CASE(reads_gzip_of_two_members),
          CASES(reads_large_gzip, 6), CASE(refuses_gzip_of_wrong_length), CASE(refuses_every_gzip_truncation),
          CASE(survives_every_gzip_bit))
