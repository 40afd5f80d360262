/* What every test program shares. A program ends with TEST_MAIN(CASE(name), CASES(name, count), ...); ctest runs it
 * once per START_TEST with that test's name as the argument, and without an argument it runs them all. */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ck_assert records every call, which is slow; this one, for long loops, speaks up only when it fails. */
#define ENSURE(condition)                                                                                              \
  do {                                                                                                                 \
    if (!(condition)) ck_abort_msg("'%s' is false", #condition);                                                       \
  } while (0)

/* What the sanitizers, where built in, are told: that a size which cannot be had is a failed malloc, not the end of the
 * program. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__asan_default_options(void) {
  return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void) {
  return "allocator_may_return_null=1";
}

/* Ends the test as one that cannot be run here; scripts/test says why. */
static inline void test_skip(const char *why) {
  puts(why);
  exit(77);
}

typedef struct test_case {
  const char *name;
  const TTest *test;
  int count; /* the test sees _i = 0 .. count-1 */
} test_case;

#define CASE(name)                                                                                                     \
  { #name, name, 1 }
#define CASES(name, count)                                                                                             \
  { #name, name, count }

static inline int test_main(int argc, char **argv, const char *file, const test_case *cases, int count) {
  Suite *suite = suite_create(file);
  int chosen = 0;
  for (int i = 0; i < count; i++) {
    if (argc > 1 && strcmp(argv[1], cases[i].name) != 0) continue;
    TCase *tcase = tcase_create(cases[i].name);
    tcase_set_timeout(tcase, 0);
    tcase_add_loop_test(tcase, cases[i].test, 0, cases[i].count);
    suite_add_tcase(suite, tcase);
    chosen++;
  }
  SRunner *runner = srunner_create(suite);
  srunner_set_fork_status(runner, CK_NOFORK); /* one process a test already, by ctest */
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 && chosen > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define TEST_MAIN(...)                                                                                                 \
  int main(int argc, char **argv) {                                                                                    \
    const test_case cases[] = {__VA_ARGS__};                                                                           \
    (void)argc;                                                                                                        \
    return test_main(argc, argv, __FILE__, cases, (int)(sizeof cases / sizeof cases[0]));                              \
  }

#endif
