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

static void expect_link(const char *path) {
  struct stat about;
  ck_assert_int_eq(lstat(path, &about), 0);
  ck_assert(S_ISLNK(about.st_mode));
}

/* The link stays; what it leads to, over a second link and from its own folder, is replaced, or made. */
START_TEST(a_link_is_followed) {
  const char *target = scratch_write("linked/target", "old", 3), *link = scratch_path("linked/links/link");
  const char *middle = scratch_path("linked/middle");
  ck_assert_int_eq(symlink("../middle", link), 0);
  ck_assert_int_eq(symlink(target, middle), 0); /* absolute */
  for (int missing = 0; missing < 2; missing++) {
    ck_assert_int_eq(rung_file_write(link, "new", 3), RUNG_OK);
    expect_bytes(target, "new", 3);
    expect_link(link);
    expect_link(middle);
    ck_assert_int_eq(remove(target), 0);
  }
  ck_assert_int_eq(remove(link), 0);
  ck_assert_int_eq(remove(middle), 0);
  ck_assert_int_eq(rmdir(scratch_path("linked/links")), 0); /* nothing is left beside them */
  ck_assert_int_eq(rmdir(scratch_path("linked")), 0);
}
END_TEST

/* The target of a link, and what the message says. */
static const struct {
  const char *target, *says;
} bad_links[] = {{"nowhere/file", "No such file"},
                 {"/dev/null", "not a regular file"},
                 {".", "not a regular file"},
                 {"bad-link", "links"}};

START_TEST(a_link_that_cannot_be_followed_is_named) {
  const char *link = scratch_path("bad-link");
  ck_assert_int_eq(symlink(bad_links[_i].target, link), 0);
  ck_assert_int_eq(rung_file_write(link, "x", 1), RUNG_ERROR_IO);
  ck_assert_int_eq(strncmp(rung_error(), link, strlen(link)), 0);
  ck_assert_msg(strstr(rung_error(), bad_links[_i].says) != NULL, "%s", rung_error());
  expect_link(link);
  ck_assert_int_eq(remove(link), 0);
}
END_TEST

TEST_MAIN(CASE(a_file_replaces_what_was_there), CASE(what_cannot_be_written_is_named), CASE(a_link_is_followed),
          CASES(a_link_that_cannot_be_followed_is_named, sizeof bad_links / sizeof bad_links[0]))
