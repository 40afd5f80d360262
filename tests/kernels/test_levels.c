/* The choice of a level: by the processor, by RUNG_CPU, by rung_kernels_use. */
#include "harness.h"

#include <rung/kernels.h>
#include <sys/wait.h>
#include <unistd.h>

static const rung_kernels *best(void) {
  const rung_kernels *found = NULL;
  for (int l = 0; l < rung_kernels_level_count(); l++)
    if (rung_kernels_level(l)) found = rung_kernels_level(l);
  return found;
}

START_TEST(first_is_ref_and_names_differ) {
  ck_assert_int_ge(rung_kernels_level_count(), 2);
  ck_assert_str_eq(rung_kernels_level(0)->level, "ref");
  ck_assert_str_eq(rung_kernels_level(1)->level, "generic");
  for (int l = 1; l < rung_kernels_level_count(); l++)
    for (int before = 0; rung_kernels_level(l) && before < l; before++)
      if (rung_kernels_level(before)) ck_assert_str_ne(rung_kernels_level(before)->level, rung_kernels_level(l)->level);
}
END_TEST

START_TEST(no_level_past_the_ends) {
  ck_assert_ptr_null(rung_kernels_level(-1));
  ck_assert_ptr_null(rung_kernels_level(rung_kernels_level_count()));
}
END_TEST

START_TEST(every_table_is_full) {
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    const rung_kernels *level = rung_kernels_level(l);
    if (!level) continue;
#define IS_THERE(name) ck_assert_msg(level->name != NULL, "level %s lacks %s", level->level, #name);
    RUNG_KERNEL_LIST(IS_THERE)
  }
}
END_TEST

START_TEST(use_makes_a_level_active) {
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    const rung_kernels *level = rung_kernels_level(l);
    if (!level) continue;
    ck_assert_int_eq(rung_kernels_use(level->level), RUNG_OK);
    ck_assert_ptr_eq(rung_kernels_active(), level);
  }
}
END_TEST

START_TEST(unknown_level_is_refused) {
  const rung_kernels *before = rung_kernels_active();
  ck_assert_int_eq(rung_kernels_use("v9"), RUNG_ERROR_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(rung_error(), "'v9'"));
  ck_assert_ptr_null(strchr(rung_error(), '\n'));
  ck_assert_int_eq(rung_kernels_use(""), RUNG_ERROR_ARGUMENT);
  ck_assert_ptr_eq(rung_kernels_active(), before);
}
END_TEST

/* What a fresh process chose; the next test runs it in such processes. */
START_TEST(active_is_the_named_or_the_best) {
  const char *wanted = getenv("RUNG_CPU");
  const rung_kernels *expected = best();
  for (int l = 0; wanted && l < rung_kernels_level_count(); l++)
    if (rung_kernels_level(l) && strcmp(rung_kernels_level(l)->level, wanted) == 0) expected = rung_kernels_level(l);
  ck_assert_ptr_eq(rung_kernels_active(), expected);
}
END_TEST

static int choice_with(const char *value) {
  pid_t child = fork();
  if (child == 0) {
    setenv("RUNG_CPU", value, 1);
    execl("/proc/self/exe", "test_kernels_levels", "active_is_the_named_or_the_best", (char *)NULL);
    _exit(99);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

START_TEST(environment_names_the_level) {
  if (access("/proc/self/exe", X_OK) != 0) return;
  ck_assert_int_eq(choice_with("generic"), 0);
  ck_assert_int_eq(choice_with("ref"), 0);
  ck_assert_int_eq(choice_with("no-such-level"), 0);
  ck_assert_int_eq(choice_with(""), 0);
}
END_TEST

TEST_MAIN(CASE(first_is_ref_and_names_differ), CASE(no_level_past_the_ends), CASE(every_table_is_full),
          CASE(use_makes_a_level_active), CASE(unknown_level_is_refused), CASE(active_is_the_named_or_the_best),
          CASE(environment_names_the_level))
