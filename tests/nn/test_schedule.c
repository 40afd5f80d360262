#include "golden.h"
#include "schedule.h"

#include <math.h>

/* PyTorch in float64, rounded to float32: the library rounds once, so it may be off by one unit at a near tie. */
START_TEST(rates_are_those_of_pytorch) {
  static golden data;
  golden_read(&data);
  for (int64_t step = 0; step < GOLDEN_TOTAL; step++) {
    float rate = rung_schedule_rate(&golden_schedules[_i].schedule, golden_schedules[_i].rate, step, GOLDEN_TOTAL);
    double want = data.rate[_i][step];
    ck_assert_msg(fabs((double)rate - want) <= 1e-7 * want, "step %d: %.9g, PyTorch %.9g", (int)step, (double)rate,
                  want);
  }
}
END_TEST

START_TEST(schedules_of_pytorch_hold_every_kind) {
  bool seen[RUNG_SCHEDULE_KIND_COUNT] = {false};
  for (int i = 0; i < GOLDEN_SCHEDULES; i++) seen[golden_schedules[i].schedule.kind] = true;
  for (int kind = 0; kind < RUNG_SCHEDULE_KIND_COUNT; kind++) ck_assert_msg(seen[kind], "kind %d is missing", kind);
}
END_TEST

/* Against libm in long double, over a long run: nowhere more than a rounding away. */
START_TEST(cosine_is_a_cosine) {
  const int64_t total = 46900;
  const long double pi = 3.141592653589793238462643383279502884L;
  for (int64_t step = 0; step < total; step++) {
    float rate = rung_schedule_rate(&(rung_schedule){0}, 1.0f, step, total);
    long double root = sinl(pi * (long double)(total - step) / (2 * (long double)total)), want = root * root;
    ENSURE(fabsl((long double)rate - want) <= 0x1.000002p-24L * want);
  }
}
END_TEST

START_TEST(cosine_falls_from_the_rate_and_is_symmetric) {
  const int64_t total = 1000;
  const rung_schedule cosine = {0};
  ck_assert(rung_schedule_rate(&cosine, 0.3f, 0, total) == 0.3f);
  ck_assert(rung_schedule_rate(&cosine, 0.5f, total / 2, total) == 0.25f);
  for (int64_t step = 1; step < total; step++) {
    float rate = rung_schedule_rate(&cosine, 1, step, total),
          mirrored = rung_schedule_rate(&cosine, 1, total - step, total);
    ck_assert(rate > 0 && rate <= rung_schedule_rate(&cosine, 1, step - 1, total));
    ck_assert_float_eq_tol(rate + mirrored, 1, 1.2e-7f);
  }
}
END_TEST

START_TEST(warm_up_rises_by_equal_parts_to_the_whole_rate) {
  for (int kind = 0; kind < RUNG_SCHEDULE_KIND_COUNT; kind++) {
    const rung_schedule schedule = {.kind = (rung_schedule_kind)kind, .warm_up = 7};
    for (int64_t step = 0; step < 7; step++) ck_assert(rung_schedule_rate(&schedule, 8, step, 50) == (float)(step + 1));
    const rung_schedule bare = {.kind = (rung_schedule_kind)kind};
    for (int64_t step = 7; step < 50; step++)
      ck_assert(rung_schedule_rate(&schedule, 8, step, 50) == rung_schedule_rate(&bare, 8, step - 7, 43));
  }
}
END_TEST

START_TEST(a_warm_up_may_fill_the_whole_run) {
  const rung_schedule schedule = {.warm_up = 10};
  ck_assert(rung_schedule_rate(&schedule, 1, 9, 10) == (float)(10.0 / 11));
  ck_assert(rung_schedule_rate(&schedule, 1, 10, 10) == 1);
}
END_TEST

START_TEST(the_default_staircase_has_three_steps) {
  const rung_schedule schedule = {.kind = RUNG_SCHEDULE_STEP};
  for (int64_t total = 1; total < 40; total++) {
    const int64_t third = (total + 2) / 3;
    for (int64_t step = 0; step < total; step++) {
      float want = step < third ? 1 : step < 2 * third ? 0.1f : 0.01f;
      ck_assert_float_eq_tol(rung_schedule_rate(&schedule, 1, step, total), want, 1e-9f);
    }
  }
}
END_TEST

START_TEST(schedules_out_of_range_are_refused) {
  static const struct {
    rung_schedule schedule;
    const char *message;
  } refused[] = {
      {{.kind = RUNG_SCHEDULE_KIND_COUNT}, "fit: schedule 3, expected 0 .. 2"},
      {{.warm_up = -1}, "fit: warm-up of -1 steps, expected 0 or more"},
      {{.period = -4}, "fit: schedule period -4, expected 1 or more, or 0 for a third of all"},
      {{.factor = -0.5f}, "fit: schedule factor -0.5, expected more than 0 and at most 1, or 0 for 0.1"},
      {{.factor = 2}, "fit: schedule factor 2, expected more than 0 and at most 1, or 0 for 0.1"},
      {{.factor = NAN}, "fit: schedule factor nan, expected more than 0 and at most 1, or 0 for 0.1"},
  };
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    ck_assert_int_eq(schedule_check(&refused[i].schedule), RUNG_ERROR_ARGUMENT);
    ck_assert_str_eq(rung_error(), refused[i].message);
  }
  ck_assert_int_eq(schedule_check(&(rung_schedule){0}), RUNG_OK);
  ck_assert_int_eq(schedule_check(&(rung_schedule){.kind = RUNG_SCHEDULE_STEP, .period = 1, .factor = 1}), RUNG_OK);
}
END_TEST

TEST_MAIN(CASES(rates_are_those_of_pytorch, GOLDEN_SCHEDULES), CASE(schedules_of_pytorch_hold_every_kind),
          CASE(cosine_is_a_cosine), CASE(cosine_falls_from_the_rate_and_is_symmetric),
          CASE(warm_up_rises_by_equal_parts_to_the_whole_rate), CASE(a_warm_up_may_fill_the_whole_run),
          CASE(the_default_staircase_has_three_steps), CASE(schedules_out_of_range_are_refused))
