#include "harness.h"
#include "rung/core.h"

#include <stdio.h>

START_TEST(fail_returns_its_status_and_keeps_the_message) {
  ck_assert_int_eq(rung_fail(RUNG_ERROR_SHAPE, "fc1 is [%d, %d]", 3, 4), RUNG_ERROR_SHAPE);
  ck_assert_str_eq(rung_error(), "fc1 is [3, 4]");
  ck_assert_int_eq(rung_fail(RUNG_ERROR_IO, "no such file"), RUNG_ERROR_IO);
  ck_assert_str_eq(rung_error(), "no such file");
}
END_TEST

START_TEST(message_may_quote_the_last_message) {
  rung_fail(RUNG_ERROR_FORMAT, "bad magic");
  rung_fail(RUNG_ERROR_FORMAT, "train.idx: %s", rung_error());
  ck_assert_str_eq(rung_error(), "train.idx: bad magic");
}
END_TEST

START_TEST(message_is_one_line) {
  rung_fail(RUNG_ERROR_IO, "file 'a\nb\r' is missing");
  ck_assert_str_eq(rung_error(), "file 'a b ' is missing");
}
END_TEST

START_TEST(long_message_is_cut) {
  rung_fail(RUNG_ERROR_IO, "%05000d", 0);
  ck_assert_uint_eq(strlen(rung_error()), 511);
}
END_TEST

#define MEMBERS 4

typedef struct failures {
  rung_team *team;
  bool kept[MEMBERS];
} failures;

static void fail_each(void *context, int ith, int nth) {
  failures *all = context;
  (void)nth;
  char wanted[32];
  snprintf(wanted, sizeof wanted, "member %d", ith);
  rung_fail(RUNG_ERROR_STATE, "member %d", ith);
  rung_team_barrier(all->team);
  all->kept[ith] = strcmp(rung_error(), wanted) == 0;
}

START_TEST(every_thread_has_its_own_message) {
  failures all = {.team = rung_team_new(MEMBERS)};
  rung_team_run(all.team, fail_each, &all);
  for (int i = 0; i < MEMBERS; i++) ck_assert_msg(all.kept[i], "member %d lost its message", i);
  rung_team_free(all.team);
}
END_TEST

START_TEST(size_products_are_checked) {
  size_t result = 7;
  ck_assert(rung_size_multiply(6, 7, &result) && result == 42);
  ck_assert(rung_size_multiply(SIZE_MAX, 0, &result) && result == 0);
  ck_assert(rung_size_multiply(0, SIZE_MAX, &result) && result == 0);
  ck_assert(rung_size_multiply(SIZE_MAX, 1, &result) && result == SIZE_MAX);
  ck_assert(rung_size_multiply(SIZE_MAX / 3, 3, &result) && result == SIZE_MAX / 3 * 3);
  result = 7;
  ck_assert(!rung_size_multiply(SIZE_MAX / 2 + 1, 2, &result) && result == 7);
  ck_assert(!rung_size_multiply(SIZE_MAX, SIZE_MAX, &result) && result == 7);
}
END_TEST

START_TEST(size_sums_are_checked) {
  size_t result = 7;
  ck_assert(rung_size_add(SIZE_MAX - 1, 1, &result) && result == SIZE_MAX);
  ck_assert(rung_size_add(0, 0, &result) && result == 0);
  result = 7;
  ck_assert(!rung_size_add(SIZE_MAX, 1, &result) && result == 7);
  ck_assert(!rung_size_add(SIZE_MAX, SIZE_MAX, &result) && result == 7);
}
END_TEST

TEST_MAIN(CASE(fail_returns_its_status_and_keeps_the_message), CASE(message_may_quote_the_last_message),
          CASE(message_is_one_line), CASE(long_message_is_cut), CASE(every_thread_has_its_own_message),
          CASE(size_products_are_checked), CASE(size_sums_are_checked))
