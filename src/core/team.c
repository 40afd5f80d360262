/* A team is its workers, who wait for the next run, and the caller, who is member 0.
 *
 * A run is published by changing `run`; it ends with a barrier at which only the caller waits, since a worker has
 * nothing to do after it but wait for the next run. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "rung/core.h"
#include "watched.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define LARGEST_TEAM 256

/* Tens of microseconds to a hundred: more than members differ by in an operation and than the serial part between two
 * training steps, less than a time slice. */
#define MOST_SPINS 4000

typedef struct worker {
  pthread_t thread;
  rung_team *team;
  int ith;
} worker;

struct rung_team {
  int size;
  pid_t process;   /* whose threads the workers are: a forked child has none of them */
  int present;     /* members of this run */
  rung_task *task; /* of this run; NULL sends the workers home */
  void *context;
  watched_number run;                          /* runs published */
  watched_number gate;                         /* barriers completed */
  _Alignas(RUNG_ALIGNMENT) atomic_int arrived; /* members at the barrier */
  worker workers[];                            /* members 1 .. size-1 */
};

/* Every arrival is a read-modify-write that acquires and releases, so the last one has seen all the others' writes; it
 * hands them on with the change that the others wait for. Returns the gate's number before that change. A worker that
 * arrives at the end of a run may no longer look at what the next run writes. */
static unsigned arrive(rung_team *team) {
  int present = team->present;
  unsigned gate = atomic_load_explicit(&team->gate.value, memory_order_relaxed);
  if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) == present - 1) {
    atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
    watched_set(&team->gate, gate + 1);
  }
  return gate;
}

void rung_team_barrier(rung_team *team) {
  if (team->present == 1) return;
  watched_wait(&team->gate, arrive(team));
}

static void *work(void *argument) {
  const worker *self = argument;
  rung_team *team = self->team;
  for (unsigned run = 0;; run++) {
    watched_wait(&team->run, run);
    if (team->task == NULL) return NULL;
    team->task(team->context, self->ith, team->present);
    arrive(team);
  }
}

static void publish(rung_team *team, rung_task *task, void *context) {
  team->task = task;
  team->context = context;
  watched_set(&team->run, atomic_load_explicit(&team->run.value, memory_order_relaxed) + 1);
}

void rung_team_run(rung_team *team, rung_task *task, void *context) {
  team->present = team->size == 1 || getpid() != team->process ? 1 : team->size;
  if (team->present == 1) {
    task(context, 0, 1);
    return;
  }
  publish(team, task, context);
  task(context, 0, team->size);
  rung_team_barrier(team);
}

static int processors(void) {
#ifdef __linux__
  cpu_set_t set; /* those that this process may use */
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online < 1 ? 1 : online < LARGEST_TEAM ? (int)online : LARGEST_TEAM;
}

/* Workers take no signal that is meant for the process: its handlers run where they ran before there was a team. What a
 * thread brings upon itself stays with it. Returns pthread_create's error. */
static int start_workers(rung_team *team, int threads) {
  static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
  sigset_t blocked, before;
  sigfillset(&blocked);
  for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) sigdelset(&blocked, own[i]);
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  int error = 0;
  while (error == 0 && team->size < threads) {
    worker *next = &team->workers[team->size - 1];
    *next = (worker){.team = team, .ith = team->size};
    error = pthread_create(&next->thread, NULL, work, next);
    if (error == 0) team->size++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

rung_team *rung_team_new(int threads) {
  if (threads < 0 || threads > LARGEST_TEAM) {
    rung_fail(RUNG_ERROR_ARGUMENT, "threads is %d, wanted 1 .. %d, or 0 for one per processor", threads, LARGEST_TEAM);
    return NULL;
  }
  int available = processors();
  int wanted = threads > 0 ? threads : available < LARGEST_TEAM ? available : LARGEST_TEAM;
  rung_team *team = rung_allocate(sizeof *team + (size_t)(wanted - 1) * sizeof team->workers[0]);
  if (team == NULL) return NULL;
  team->size = team->present = 1;
  team->process = getpid();
  int spins = wanted <= available ? MOST_SPINS : 0; /* members that outnumber processors cannot all be running */
  watched_open(&team->run, spins);
  watched_open(&team->gate, spins);
  int error = start_workers(team, wanted);
  if (error != 0 && threads > 0) {
    rung_fail(RUNG_ERROR_MEMORY, "threads is %d, but the system grants no more than %d: %s", threads, team->size,
              strerror(error));
    rung_team_free(team);
    return NULL;
  }
  return team;
}

void rung_team_free(rung_team *team) {
  if (team == NULL) return;
  if (getpid() == team->process) { /* in a forked child nobody would come, and who waits there will for ever */
    publish(team, NULL, NULL);
    for (int i = 0; i < team->size - 1; i++) pthread_join(team->workers[i].thread, NULL);
    watched_close(&team->run);
    watched_close(&team->gate);
  }
  rung_release(team);
}

int rung_team_size(const rung_team *team) {
  return team->size;
}

void rung_slice(int64_t count, int64_t grain, int ith, int nth, int64_t *begin, int64_t *end) {
  int64_t grains = count / grain + (count % grain != 0);
  int64_t each = grains / nth, extra = grains % nth; /* the first `extra` members take one grain more */
  int64_t first = each * ith + (ith < extra ? ith : extra);
  int64_t last = first + each + (ith < extra);
  *begin = first == grains ? count : first * grain;
  *end = last == grains ? count : last * grain;
}
