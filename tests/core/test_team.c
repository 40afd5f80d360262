#include "harness.h"
#include "rung/core.h"

static const int sizes[] = {1, 2, 3, 8};
#define SIZES   4
#define LARGEST 8

typedef struct scene {
  rung_team *team;
  int calls[LARGEST], nth[LARGEST]; /* plain memory: that it is safe to write is what is tested */
  long turn[LARGEST];
  bool wrong[LARGEST];
} scene;

static void call(void *context, int ith, int nth) {
  scene *s = context;
  s->calls[ith]++;
  s->nth[ith] = nth;
}

START_TEST(every_member_runs_once) {
  scene s = {.team = rung_team_new(sizes[_i])};
  ck_assert_int_eq(rung_team_size(s.team), sizes[_i]);
  for (int run = 1; run <= 20; run++) {
    rung_team_run(s.team, call, &s);
    for (int i = 0; i < LARGEST; i++) {
      ck_assert_int_eq(s.calls[i], i < sizes[_i] ? run : 0);
      ck_assert_int_eq(s.nth[i], i < sizes[_i] ? sizes[_i] : 0);
    }
  }
  rung_team_free(s.team);
}
END_TEST

/* Between two barriers each member writes its own turn, and reads everybody's in the next interval. */
static void take_turns(void *context, int ith, int nth) {
  scene *s = context;
  for (long turn = 1; turn <= 100; turn++) {
    s->turn[ith] = turn;
    rung_team_barrier(s->team);
    for (int i = 0; i < nth; i++) {
      if (s->turn[i] != turn) s->wrong[ith] = true;
    }
    rung_team_barrier(s->team);
  }
}

START_TEST(nobody_passes_a_barrier_before_all_have_come) {
  scene s = {.team = rung_team_new(sizes[_i])};
  for (int run = 0; run < 3; run++) rung_team_run(s.team, take_turns, &s);
  for (int i = 0; i < sizes[_i]; i++) {
    ck_assert(!s.wrong[i]);
    ck_assert_int_eq(s.turn[i], 100);
  }
  rung_team_free(s.team);
}
END_TEST

/* Within a parallel region OpenMP grants an inner region one thread: the run is smaller, and still right. */
static void run_inner(void *context, int ith, int nth) {
  (void)nth;
  scene *inner = (scene *)context + ith;
  rung_team_run(inner->team, call, inner);
  rung_team_run(inner->team, take_turns, inner);
}

START_TEST(a_team_within_a_team_runs) {
  scene inner[2] = {{.team = rung_team_new(3)}, {.team = rung_team_new(3)}};
  rung_team *outer = rung_team_new(2);
  rung_team_run(outer, run_inner, inner);
  for (int t = 0; t < 2; t++) {
    int nth = inner[t].nth[0];
    ck_assert(nth >= 1 && nth <= 3);
    for (int i = 0; i < nth; i++) ck_assert(inner[t].calls[i] == 1 && !inner[t].wrong[i] && inner[t].turn[i] == 100);
    rung_team_free(inner[t].team);
  }
  rung_team_free(outer);
}
END_TEST

START_TEST(teams_of_different_sizes_take_turns) {
  scene s[SIZES] = {0};
  for (int t = 0; t < SIZES; t++) s[t].team = rung_team_new(sizes[t]);
  for (int run = 1; run <= 5; run++) {
    for (int t = 0; t < SIZES; t++) {
      rung_team_run(s[t].team, call, &s[t]);
      for (int i = 0; i < sizes[t]; i++) ck_assert_int_eq(s[t].calls[i], run);
    }
  }
  for (int t = 0; t < SIZES; t++) rung_team_free(s[t].team);
}
END_TEST

START_TEST(a_run_allocates_nothing) {
  scene s = {.team = rung_team_new(3)};
  uint64_t before = rung_allocation_count();
  rung_team_run(s.team, call, &s);
  ck_assert_uint_eq(rung_allocation_count(), before);
  rung_team_free(s.team);
}
END_TEST

START_TEST(sizes_out_of_range_are_refused) {
  ck_assert_ptr_null(rung_team_new(-1));
  ck_assert_str_eq(rung_error(), "threads is -1, wanted 1 .. 256, or 0 for one per processor");
  ck_assert_ptr_null(rung_team_new(257));
  rung_team *largest = rung_team_new(256);
  ck_assert_int_eq(rung_team_size(largest), 256);
  rung_team_free(largest);
  rung_team *automatic = rung_team_new(0);
  ck_assert(rung_team_size(automatic) >= 1 && rung_team_size(automatic) <= 256);
  rung_team_free(automatic);
  rung_team_free(NULL);
}
END_TEST

START_TEST(slices_cover_exactly_and_evenly) {
  static const int64_t grains[] = {1, 3, 16, 64, 1000};
  for (int64_t count = 0; count <= 200; count++) {
    for (int g = 0; g < 5; g++) {
      for (int nth = 1; nth <= 9; nth++) {
        int64_t grain = grains[g], next = 0, least = INT64_MAX, most = 0;
        for (int ith = 0; ith < nth; ith++) {
          int64_t begin, end;
          rung_slice(count, grain, ith, nth, &begin, &end);
          ENSURE(begin == next && end >= begin);
          ENSURE(begin % grain == 0 || begin == count);
          ENSURE(end % grain == 0 || end == count);
          int64_t grains_here = (end - begin + grain - 1) / grain;
          least = grains_here < least ? grains_here : least;
          most = grains_here > most ? grains_here : most;
          next = end;
        }
        ENSURE(next == count && most - least <= 1);
      }
    }
  }
}
END_TEST

START_TEST(slices_of_the_largest_count_do_not_overflow) {
  int64_t next = 0, begin, end;
  for (int ith = 0; ith < 256; ith++) {
    rung_slice(INT64_MAX, 64, ith, 256, &begin, &end);
    ENSURE(begin == next && end > begin);
    next = end;
  }
  ck_assert(next == INT64_MAX);
}
END_TEST

TEST_MAIN(CASES(every_member_runs_once, SIZES), CASES(nobody_passes_a_barrier_before_all_have_come, SIZES),
          CASE(a_team_within_a_team_runs), CASE(teams_of_different_sizes_take_turns), CASE(a_run_allocates_nothing),
          CASE(sizes_out_of_range_are_refused), CASE(slices_cover_exactly_and_evenly),
          CASE(slices_of_the_largest_count_do_not_overflow))
