#define _GNU_SOURCE /* pthread_setattr_default_np */
#include "harness.h"
#include "rung/core.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const int sizes[] = {1, 2, 3, 4, 5, 6, 7, 8, 19}; /* on most machines fewer and more than processors */
#define SIZES   9
#define LARGEST 19

typedef struct scene {
  rung_team *team;
  int calls[LARGEST], nth[LARGEST]; /* plain memory: that it is safe to write is what is tested */
  long turn[LARGEST];
  bool wrong[LARGEST];
  long runs;
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

/* The caller writes before the run what each member reads in it, and reads after it what each has written: thousands of
 * short runs, in a row and after a pause in which the workers fall asleep. */
static void echo(void *context, int ith, int nth) {
  scene *s = context;
  s->turn[ith] = s->runs * nth + ith;
}

static void run_echoes(scene *s, long runs) {
  const int size = rung_team_size(s->team);
  for (s->runs = 1; s->runs <= runs; s->runs++) {
    if (s->runs % (runs / 4) == 0) usleep(1000);
    rung_team_run(s->team, echo, s);
    for (int i = 0; i < size; i++) {
      if (s->turn[i] != s->runs * size + i) s->wrong[i] = true;
    }
  }
}

START_TEST(short_runs_see_the_caller_and_the_caller_sees_them) {
  scene s = {.team = rung_team_new(sizes[_i])};
  run_echoes(&s, 1000);
  for (int i = 0; i < LARGEST; i++) ck_assert(!s.wrong[i]);
  rung_team_free(s.team);
}
END_TEST

/* A sum that each member carries on from its neighbour's part, which needs the barrier within and the order of runs. */
static void pass_on(void *context, int ith, int nth) {
  scene *s = context;
  long neighbour = s->turn[(ith + 1) % nth];
  rung_team_barrier(s->team);
  s->turn[ith] = 3 * neighbour + ith;
}

START_TEST(runs_with_a_barrier_give_what_one_thread_gives) {
  const int size = sizes[_i];
  scene s = {.team = rung_team_new(size)};
  long expected[LARGEST] = {0};
  for (int run = 0; run < 400; run++) {
    long before[LARGEST];
    memcpy(before, expected, sizeof before);
    for (int i = 0; i < size; i++) expected[i] = (3 * before[(i + 1) % size] + i) % 1000003;
    rung_team_run(s.team, pass_on, &s);
    for (int i = 0; i < size; i++) s.turn[i] %= 1000003;
    ENSURE(memcmp(s.turn, expected, sizeof expected) == 0);
  }
  rung_team_free(s.team);
}
END_TEST

static void *use_a_team(void *context) {
  scene *s = context;
  s->team = rung_team_new(3);
  if (s->team == NULL) return NULL;
  run_echoes(s, 300);
  rung_team_run(s->team, take_turns, s);
  rung_team_free(s->team);
  return s;
}

START_TEST(threads_with_a_team_each_run_at_the_same_time) {
  enum { THREADS = 4 };
  static scene scenes[THREADS];
  pthread_t threads[THREADS];
  for (int t = 0; t < THREADS; t++) ck_assert_int_eq(pthread_create(&threads[t], NULL, use_a_team, &scenes[t]), 0);
  for (int t = 0; t < THREADS; t++) {
    void *used;
    pthread_join(threads[t], &used);
    ck_assert_ptr_nonnull(used);
    for (int i = 0; i < 3; i++) ck_assert(!scenes[t].wrong[i] && scenes[t].turn[i] == 100);
  }
}
END_TEST

/* One team that two threads use, one after the other. */
static void *run_once(void *context) {
  scene *s = context;
  rung_team_run(s->team, call, s);
  return NULL;
}

START_TEST(a_team_may_move_to_another_thread) {
  scene s = {.team = rung_team_new(3)};
  for (int run = 1; run <= 20; run++) {
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run_once, &s), 0);
    pthread_join(thread, NULL);
    run_once(&s);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(s.calls[i], 2 * run);
  }
  rung_team_free(s.team);
}
END_TEST

START_TEST(a_team_may_be_freed_unused_and_right_after_a_run) {
  scene s = {0};
  for (int i = 0; i < 10; i++) {
    rung_team_free(rung_team_new(sizes[_i]));
    s.team = rung_team_new(sizes[_i]);
    rung_team_run(s.team, call, &s);
    rung_team_free(s.team);
  }
  for (int i = 0; i < sizes[_i]; i++) ck_assert_int_eq(s.calls[i], 10);
}
END_TEST

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
    for (int i = 0; i < 3; i++) {
      ck_assert(inner[t].calls[i] == 1 && inner[t].nth[i] == 3 && !inner[t].wrong[i] && inner[t].turn[i] == 100);
    }
    rung_team_free(inner[t].team);
  }
  rung_team_free(outer);
}
END_TEST

START_TEST(a_forked_child_runs_alone) {
  scene s = {.team = rung_team_new(3)};
  rung_team_run(s.team, call, &s);
  pid_t child = fork();
  if (child == 0) {
    alarm(20); /* a child that waits for workers would do so for ever */
    rung_team_run(s.team, call, &s);
    rung_team_run(s.team, take_turns, &s);
    rung_team_free(s.team);
    _exit(s.calls[0] == 2 && s.calls[1] == 1 && s.nth[0] == 1 && s.turn[0] == 100 ? 0 : 1);
  }
  int status = -1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
  rung_team_run(s.team, call, &s);
  for (int i = 0; i < 3; i++) ck_assert(s.calls[i] == 2 && s.nth[i] == 3);
  rung_team_free(s.team);
}
END_TEST

/* A task sees which signals its thread holds back. */
static void look_at_signals(void *context, int ith, int nth) {
  (void)nth;
  pthread_sigmask(SIG_SETMASK, NULL, (sigset_t *)context + ith);
}

START_TEST(workers_take_no_signals_and_the_caller_keeps_its_own) {
  sigset_t before, after, seen[2];
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  rung_team *team = rung_team_new(2);
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  rung_team_run(team, look_at_signals, seen);
  for (int number = 1; number < 32; number++)
    ck_assert_int_eq(sigismember(&before, number), sigismember(&after, number));
  ck_assert(sigismember(&seen[0], SIGINT) == 0 && sigismember(&seen[0], SIGTERM) == 0);
  ck_assert(sigismember(&seen[1], SIGINT) == 1 && sigismember(&seen[1], SIGTERM) == 1);
  ck_assert(sigismember(&seen[1], SIGSEGV) == 0);
  rung_team_free(team);
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

/* No address space has room for a stack of 256 TiB. */
START_TEST(threads_that_are_not_granted_are_an_error) {
#ifdef __GLIBC__
  pthread_attr_t before, huge;
  pthread_getattr_default_np(&before);
  pthread_getattr_default_np(&huge);
  ck_assert_int_eq(pthread_attr_setstacksize(&huge, (size_t)1 << 48), 0);
  ck_assert_int_eq(pthread_setattr_default_np(&huge), 0);
  rung_team *asked = rung_team_new(3), *automatic = rung_team_new(0);
  pthread_setattr_default_np(&before);
  ck_assert_ptr_null(asked);
  ck_assert_int_eq(rung_error_status(), RUNG_ERROR_MEMORY);
  ck_assert_str_eq(rung_error(),
                   "threads is 3, but the system grants no more than 1: Resource temporarily unavailable");
  ck_assert_int_eq(rung_team_size(automatic), 1);
  scene s = {.team = automatic};
  rung_team_run(automatic, call, &s);
  ck_assert_int_eq(s.calls[0], 1);
  rung_team_free(automatic);
#else
  test_skip("no way to have threads refused");
#endif
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
          CASES(short_runs_see_the_caller_and_the_caller_sees_them, SIZES),
          CASES(runs_with_a_barrier_give_what_one_thread_gives, SIZES),
          CASE(threads_with_a_team_each_run_at_the_same_time), CASE(a_team_may_move_to_another_thread),
          CASES(a_team_may_be_freed_unused_and_right_after_a_run, SIZES), CASE(a_forked_child_runs_alone),
          CASE(workers_take_no_signals_and_the_caller_keeps_its_own), CASE(threads_that_are_not_granted_are_an_error),
          CASE(a_team_within_a_team_runs), CASE(teams_of_different_sizes_take_turns), CASE(a_run_allocates_nothing),
          CASE(sizes_out_of_range_are_refused), CASE(slices_cover_exactly_and_evenly),
          CASE(slices_of_the_largest_count_do_not_overflow))
