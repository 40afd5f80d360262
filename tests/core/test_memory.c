#include "harness.h"
#include "rung/core.h"

static bool zeroed(const unsigned char *memory, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) {
    if (memory[i] != 0) return false;
  }
  return true;
}

START_TEST(allocation_is_aligned_zeroed_and_rounded_up) {
  static const size_t sizes[] = {0, 1, 63, 64, 65, 1000, (2 << 20) - 64, 2 << 20, (6 << 20) + 1};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    size_t rounded = (sizes[i] + 63) / 64 * 64;
    for (int again = 0; again < 2; again++) { /* the second time the memory has been used */
      unsigned char *memory = rung_allocate(sizes[i]);
      ck_assert_ptr_nonnull(memory);
      ck_assert_uint_eq((uintptr_t)memory % RUNG_ALIGNMENT, 0);
      ck_assert(zeroed(memory, rounded));
      memset(memory, 0xA5, rounded);
      rung_release(memory);
    }
  }
}
END_TEST

START_TEST(release_takes_null) {
  rung_release(NULL);
}
END_TEST

START_TEST(impossible_sizes_are_refused) {
  static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 62, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX, (size_t)1 << 60};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    rung_fail(RUNG_OK, "none");
    ck_assert_ptr_null(rung_allocate(sizes[i]));
    ck_assert_ptr_nonnull(strstr(rung_error(), "bytes"));
  }
}
END_TEST

START_TEST(allocations_are_counted) {
  uint64_t before = rung_allocation_count();
  void *a = rung_allocate(10), *b = rung_allocate(20);
  ck_assert_uint_eq(rung_allocation_count() - before, 2);
  rung_release(a);
  rung_release(b);
  ck_assert_uint_eq(rung_allocation_count() - before, 2);
}
END_TEST

START_TEST(arena_pieces_are_aligned_zeroed_and_apart) {
  enum { PIECES = 400 };
  unsigned char *pieces[PIECES];
  size_t sizes[PIECES], total = 0;
  rung_rng rng = rung_rng_seed(1);
  rung_arena *arena = rung_arena_new();
  ck_assert_ptr_nonnull(arena);
  ck_assert_uint_eq(rung_arena_used(arena), 0);
  for (int i = 0; i < PIECES; i++) { /* mostly small, some of many times a small one, a few larger than a chunk */
    sizes[i] = i % 97 == 96 ? 3 << 20 : rung_rng_below(&rng, i % 7 == 6 ? 300000 : 3000);
    pieces[i] = rung_arena_allocate(arena, sizes[i]);
    ck_assert_ptr_nonnull(pieces[i]);
    ck_assert_uint_eq((uintptr_t)pieces[i] % RUNG_ALIGNMENT, 0);
    ck_assert(zeroed(pieces[i], sizes[i]));
    memset(pieces[i], 1 + i % 251, sizes[i]);
    total += sizes[i];
  }
  for (int i = 0; i < PIECES; i++) {
    for (size_t k = 0; k < sizes[i]; k++) ENSURE(pieces[i][k] == 1 + i % 251);
  }
  ck_assert_uint_ge(rung_arena_used(arena), total);
  ck_assert_uint_lt(rung_arena_used(arena), total + PIECES * RUNG_ALIGNMENT);
  rung_arena_free(arena);
}
END_TEST

START_TEST(arena_empty_pieces_are_valid_and_distinct) {
  rung_arena *arena = rung_arena_new();
  void *a = rung_arena_allocate(arena, 0), *b = rung_arena_array(arena, 0, 8), *c = rung_arena_array(arena, 8, 0);
  ck_assert(a != NULL && b != NULL && c != NULL && a != b && b != c);
  rung_arena_free(arena);
  rung_arena_free(NULL);
}
END_TEST

START_TEST(arena_takes_few_chunks) {
  rung_arena *arena = rung_arena_new();
  rung_arena_allocate(arena, 64);
  uint64_t before = rung_allocation_count();
  rung_arena_allocate(arena, 3 << 20); /* a chunk of its own, and the open one stays open */
  ck_assert_uint_eq(rung_allocation_count() - before, 1);
  for (int i = 0; i < 1000; i++) rung_arena_allocate(arena, 64);
  ck_assert_uint_eq(rung_allocation_count() - before, 1);
  for (int i = 0; i < 30000; i++) rung_arena_allocate(arena, 1000); /* 30 MB: chunks of 1, 2, 4, 8, 16 MiB */
  ck_assert_uint_le(rung_allocation_count() - before, 6);
  rung_arena_free(arena);
}
END_TEST

START_TEST(arena_refuses_impossible_sizes_and_lives_on) {
  rung_arena *arena = rung_arena_new();
  static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 63, PTRDIFF_MAX, PTRDIFF_MAX / 2, (size_t)1 << 60};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    rung_fail(RUNG_OK, "none");
    ck_assert_ptr_null(rung_arena_allocate(arena, sizes[i]));
    ck_assert_ptr_nonnull(strstr(rung_error(), "bytes"));
  }
  ck_assert_ptr_null(rung_arena_array(arena, SIZE_MAX / 4 + 2, 4)); /* would wrap to 4 */
  ck_assert_ptr_nonnull(strstr(rung_error(), "overflows"));
  ck_assert_uint_eq(rung_arena_used(arena), 0);
  ck_assert_ptr_nonnull(rung_arena_array(arena, 16, 4));
  ck_assert_uint_eq(rung_arena_used(arena), 64);
  rung_arena_free(arena);
}
END_TEST

START_TEST(arena_string_is_a_copy) {
  rung_arena *arena = rung_arena_new();
  char name[] = "fc1.weight";
  char *copy = rung_arena_string(arena, name);
  name[0] = 'x';
  ck_assert_str_eq(copy, "fc1.weight");
  ck_assert_str_eq(rung_arena_string(arena, ""), "");
  rung_arena_free(arena);
}
END_TEST

TEST_MAIN(CASE(allocation_is_aligned_zeroed_and_rounded_up), CASE(release_takes_null),
          CASE(impossible_sizes_are_refused), CASE(allocations_are_counted),
          CASE(arena_pieces_are_aligned_zeroed_and_apart), CASE(arena_empty_pieces_are_valid_and_distinct),
          CASE(arena_takes_few_chunks), CASE(arena_refuses_impossible_sizes_and_lives_on), CASE(arena_string_is_a_copy))
