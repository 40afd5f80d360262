/* A number that threads wait on until it changes: they spin for a while, then sleep.
 *
 * Spinning answers within a fraction of a microsecond; waking a sleeper takes tens. But on a machine with other work to
 * do, who is waited for may be waiting for a processor, and then sleeping gives it one. So the number keeps how long it
 * pays to spin: half as long after a wait that ended asleep, a quarter longer after one that did not. */
#ifndef RUNG_CORE_WATCHED_H
#define RUNG_CORE_WATCHED_H

#include "rung/core.h"

#include <stdatomic.h>

#ifdef __linux__
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <pthread.h>
#endif

typedef struct watched_number {
  _Alignas(RUNG_ALIGNMENT) atomic_uint value;
  atomic_int patience; /* spins before sleeping; shared by all who wait, a guess, so that none needs the latest */
  int most_spins;
#ifdef __linux__
  atomic_int sleepers; /* that may be asleep until the value changes */
#else
  pthread_mutex_t mutex;
  pthread_cond_t changed;
#endif
} watched_number;

static inline void spin_hint(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#ifdef __linux__

/* `number` is zero so far. */
static inline void watched_open(watched_number *number, int most_spins) {
  number->most_spins = most_spins;
  atomic_init(&number->patience, most_spins);
}

static inline void watched_close(watched_number *number) {
  (void)number;
}

/* A sleeper counts itself before it looks at the value a last time, and who changes the value does so before looking
 * for sleepers, so that one of the two sees the other: both in sequentially consistent order. */
static inline void sleep_until_changed(watched_number *number, unsigned old) {
  atomic_fetch_add(&number->sleepers, 1);
  while (atomic_load(&number->value) == old) syscall(SYS_futex, &number->value, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
  atomic_fetch_sub(&number->sleepers, 1);
}

static inline void watched_set(watched_number *number, unsigned value) {
  atomic_store(&number->value, value);
  if (atomic_load(&number->sleepers) > 0)
    syscall(SYS_futex, &number->value, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

#else

static inline void watched_open(watched_number *number, int most_spins) {
  number->most_spins = most_spins;
  atomic_init(&number->patience, most_spins);
  pthread_mutex_init(&number->mutex, NULL);
  pthread_cond_init(&number->changed, NULL);
}

static inline void watched_close(watched_number *number) {
  pthread_cond_destroy(&number->changed);
  pthread_mutex_destroy(&number->mutex);
}

static inline void sleep_until_changed(watched_number *number, unsigned old) {
  pthread_mutex_lock(&number->mutex);
  while (atomic_load(&number->value) == old) pthread_cond_wait(&number->changed, &number->mutex);
  pthread_mutex_unlock(&number->mutex);
}

static inline void watched_set(watched_number *number, unsigned value) {
  pthread_mutex_lock(&number->mutex);
  atomic_store(&number->value, value);
  pthread_cond_broadcast(&number->changed);
  pthread_mutex_unlock(&number->mutex);
}

#endif

/* At least 50 spins, lest a number on which all sleep is never spun on again; never more than the most. */
static inline void keep_patience(watched_number *number, int spins) {
  if (spins > number->most_spins) spins = number->most_spins;
  atomic_store_explicit(&number->patience, spins, memory_order_relaxed);
}

/* Returns once the value is no longer `old`; what was written before that watched_set can then be read. */
static inline void watched_wait(watched_number *number, unsigned old) {
  int patience = atomic_load_explicit(&number->patience, memory_order_relaxed);
  for (int i = 0; i < patience; i++) {
    if (atomic_load_explicit(&number->value, memory_order_acquire) != old) {
      if (patience < number->most_spins) keep_patience(number, patience + patience / 4 + 1);
      return;
    }
    spin_hint();
  }
  keep_patience(number, patience / 2 + 25);
  sleep_until_changed(number, old);
}

#endif
