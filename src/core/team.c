/* A team is one OpenMP parallel region a run, and a barrier of our own.
 *
 * Size: OpenMP may give a region fewer threads than it asks for (OMP_THREAD_LIMIT, OMP_DYNAMIC, a region within a
 * region). A run then has the members that came: nth says how many, and the barrier counts that many. Since no result
 * depends on the number of members, nothing else changes.
 *
 * ThreadSanitizer: libgomp and libomp are not instrumented, so the happens-before edges of fork and join are told to it
 * by hand, and the function with the region, where the compiler passes `team` through memory of its own, is left out.
 */
#include "rung/core.h"

#include <omp.h>
#include <stdatomic.h>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <sched.h>
#endif

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HAVE_THREAD_SANITIZER
#endif
#elif defined(__SANITIZE_THREAD__)
#define HAVE_THREAD_SANITIZER
#endif

#ifdef HAVE_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#define UNSEEN __attribute__((no_sanitize("thread")))
#else
#define __tsan_acquire(address) ((void)(address))
#define __tsan_release(address) ((void)(address))
#define UNSEEN
#endif

#define LARGEST_TEAM 256
#define SPINS        4000 /* some tens of microseconds: more than members differ by in an op, less than a time slice */

struct rung_team {
  int size;
  int spins; /* at a barrier, before sleeping: 0 where members outnumber processors and some cannot be running */
  rung_task *task;
  void *context;
  _Alignas(RUNG_ALIGNMENT) atomic_int present;     /* members of this run */
  _Alignas(RUNG_ALIGNMENT) atomic_int arrived;     /* members at the barrier */
  _Alignas(RUNG_ALIGNMENT) atomic_uint generation; /* barriers completed */
  atomic_int sleepers;                             /* members that may be asleep until the next generation */
};

rung_team *rung_team_new(int threads) {
  if (threads < 0 || threads > LARGEST_TEAM) {
    rung_fail(RUNG_ERROR_ARGUMENT, "threads is %d, wanted 1 .. %d, or 0 for one per processor", threads, LARGEST_TEAM);
    return NULL;
  }
  int processors = omp_get_num_procs();
  if (threads == 0) threads = processors < LARGEST_TEAM ? processors : LARGEST_TEAM;
  rung_team *team = rung_allocate(sizeof *team);
  if (team == NULL) return NULL;
  team->size = threads;
  team->spins = threads <= processors ? SPINS : 0;
  return team;
}

void rung_team_free(rung_team *team) {
  rung_release(team);
}

int rung_team_size(const rung_team *team) {
  return team->size;
}

static void member(rung_team *team, int ith, int nth) {
  __tsan_acquire(team);
  atomic_store_explicit(&team->present, nth, memory_order_relaxed); /* the same number by every member */
  team->task(team->context, ith, nth);
  __tsan_release(team);
}

UNSEEN static void fork_and_join(rung_team *team) {
#pragma omp parallel num_threads(team->size) default(none) firstprivate(team)
  member(team, omp_get_thread_num(), omp_get_num_threads());
}

void rung_team_run(rung_team *team, rung_task *task, void *context) {
  team->task = task;
  team->context = context;
  if (team->size == 1) {
    member(team, 0, 1);
    return;
  }
  __tsan_release(team);
  fork_and_join(team);
  __tsan_acquire(team);
}

static inline void spin_hint(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Sleeping rather than spinning on hands the processor to whoever keeps the late member from running: on a machine with
 * other work to do, a barrier that spins costs a time slice each. A sleeper counts itself before it looks at the
 * generation a last time, and the last to arrive sets the generation before it looks for sleepers, so one of the two
 * sees the other. */
static void sleep_until_past(rung_team *team, unsigned generation) {
#ifdef __linux__
  atomic_fetch_add(&team->sleepers, 1);
  while (atomic_load(&team->generation) == generation)
    syscall(SYS_futex, &team->generation, FUTEX_WAIT_PRIVATE, generation, NULL, NULL, 0);
  atomic_fetch_sub(&team->sleepers, 1);
#else
  while (atomic_load(&team->generation) == generation) sched_yield();
#endif
}

static void wake_all(rung_team *team) {
#ifdef __linux__
  if (atomic_load(&team->sleepers) > 0)
    syscall(SYS_futex, &team->generation, FUTEX_WAKE_PRIVATE, LARGEST_TEAM, NULL, NULL, 0);
#else
  (void)team;
#endif
}

/* Every arrival is a read-modify-write that acquires and releases, so the last one has seen all the others' writes; it
 * hands them on by releasing the next generation, which everybody else waits for. */
void rung_team_barrier(rung_team *team) {
  int present = atomic_load_explicit(&team->present, memory_order_relaxed);
  if (present == 1) return;
  unsigned generation = atomic_load_explicit(&team->generation, memory_order_relaxed);
  if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) == present - 1) {
    atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
    atomic_store(&team->generation, generation + 1);
    wake_all(team);
    return;
  }
  for (int i = 0; i < team->spins; i++) {
    if (atomic_load_explicit(&team->generation, memory_order_acquire) != generation) return;
    spin_hint();
  }
  sleep_until_past(team, generation);
}

void rung_slice(int64_t count, int64_t grain, int ith, int nth, int64_t *begin, int64_t *end) {
  int64_t grains = count / grain + (count % grain != 0);
  int64_t each = grains / nth, extra = grains % nth; /* the first `extra` members take one grain more */
  int64_t first = each * ith + (ith < extra ? ith : extra);
  int64_t last = first + each + (ith < extra);
  *begin = first == grains ? count : first * grain;
  *end = last == grains ? count : last * grain;
}
