/* Files of any kind: whole or not at all. */
#include "harness.h"
#include "scratch.h"

#include <rung/io.h>

static void expect_bytes(const char *path, const void *bytes, size_t size) {
  size_t have;
  unsigned char *read = scratch_read(path, &have);
  ck_assert_uint_eq(have, size);
  ck_assert_mem_eq(read, bytes, size);
  free(read);
}

START_TEST(a_file_replaces_what_was_there) {
  const char *path = scratch_write("alone/file", "a longer text", 13);
  ck_assert_int_eq(rung_file_write(path, "short", 5), RUNG_OK);
  expect_bytes(path, "short", 5);
  ck_assert_int_eq(rung_file_write(path, "", 0), RUNG_OK);
  expect_bytes(path, "", 0);
  ck_assert_int_eq(remove(path), 0);
  ck_assert_int_eq(rmdir(scratch_path("alone")), 0); /* nothing is left beside it */
}
END_TEST

START_TEST(what_cannot_be_written_is_named) {
  const char *folder = scratch_path("folder/");
  ck_assert_int_eq(rung_file_write(folder, "x", 1), RUNG_ERROR_IO);
  ck_assert_ptr_nonnull(strstr(rung_error(), "not a regular file"));
  const char *missing = scratch_path("nowhere");
  char path[1200];
  snprintf(path, sizeof path, "%s/file", missing);
  ck_assert_int_eq(rung_file_write(path, "x", 1), RUNG_ERROR_IO);
  ck_assert_int_eq(strncmp(rung_error(), path, strlen(path)), 0);
}
END_TEST

TEST_MAIN(CASE(a_file_replaces_what_was_there), CASE(what_cannot_be_written_is_named))
