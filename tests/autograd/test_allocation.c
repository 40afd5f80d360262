/* A step allocates nothing: neither through rung_allocate nor, where the C library lets a program stand in for malloc,
 * through anything else. */
#include "harness.h"
#include "network.h"

#include <stdatomic.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

static atomic_long allocations;

#if defined(__GLIBC__) && !defined(SANITIZED)
#define COUNTS_MALLOC true
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size) {
  atomic_fetch_add(&allocations, 1);
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  atomic_fetch_add(&allocations, 1);
  return __libc_calloc(count, size);
}
void *realloc(void *memory, size_t size) {
  atomic_fetch_add(&allocations, 1);
  return __libc_realloc(memory, size);
}
#else
#define COUNTS_MALLOC false
#endif

static network_data data;

/* Gathered, in place, short, training, evaluating: after one of each kind none allocates. Without a check's macros,
 * which allocate. */
static bool steps(const network *net) {
  static const uint32_t rows[] = {5, 4, 3, 2, 1, 0, 39, 38};
  return network_step(net, 3, 8) == RUNG_OK && network_step(net, 3, 5) == RUNG_OK &&
         rung_graph_replay(net->graph, &(rung_replay_options){.count = 8, .rows = rows}) == RUNG_OK;
}

START_TEST(a_step_allocates_nothing) {
  network_data_make(&data);
  rung_team *team = rung_team_new(1 + _i);
  network net = network_new(team, 8);
  ck_assert_int_eq(network_bind(&net, &data), RUNG_OK);
  ck_assert_msg(steps(&net), "%s", rung_error());
  ck_assert(!COUNTS_MALLOC || allocations > 0);
  uint64_t before = rung_allocation_count();
  long malloc_before = allocations;
  bool good = steps(&net) && steps(&net);
  long malloc_after = allocations;
  ck_assert(good);
  ck_assert_uint_eq(rung_allocation_count(), before);
  ck_assert_int_eq(malloc_after, malloc_before);
  rung_graph_free(net.graph);
  rung_team_free(team);
}
END_TEST

TEST_MAIN(CASES(a_step_allocates_nothing, 2))
