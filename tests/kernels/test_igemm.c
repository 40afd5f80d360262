/* The integer product with f32 results: every level and team equals the plain loops to the bit; the plain loops equal
 * the definition in int64. */
#include "harness.h"

#include <rung/kernels.h>

enum { most_members = 4 };

/* A problem with operands in memory of exactly their size, so that a sanitizer sees any read past them. */
typedef struct problem {
  rung_igemm gemm;
  void *a, *b;
  float *row_scale, *c;
  size_t c_count;
} problem;

static void *random_bytes(int64_t count, rung_rng *rng) {
  uint8_t *bytes = malloc((size_t)count + (count == 0));
  for (int64_t i = 0; i < count; i++) bytes[i] = (uint8_t)rung_rng_u32(rng);
  return bytes;
}

static problem problem_new(int64_t m, int64_t n, int64_t k, rung_rng *rng) {
  problem x = {.gemm = {.m = m, .n = n, .k = k, .scale = 0.01f + rung_rng_uniform(rng)}};
  rung_igemm *g = &x.gemm;
  g->a_transposed = rung_rng_below(rng, 2);
  int64_t a_rows = g->a_transposed ? k : m, a_columns = g->a_transposed ? m : k;
  g->a_stride = a_columns + (int64_t)rung_rng_below(rng, 2) * rung_rng_below(rng, 9);
  g->b_type = rung_rng_below(rng, 2) ? RUNG_U8 : RUNG_I8;
  g->b_stride = n + (int64_t)rung_rng_below(rng, 2) * rung_rng_below(rng, 9);
  g->b_zero_point = (int32_t)rung_rng_below(rng, 256) - (g->b_type == RUNG_I8 ? 128 : 0);
  g->a = x.a = random_bytes(k ? (a_rows - 1) * g->a_stride + a_columns : 0, rng);
  g->b = x.b = random_bytes(k ? (k - 1) * g->b_stride + n : 0, rng);
  x.row_scale = malloc((size_t)m * sizeof(float));
  for (int64_t i = 0; i < m; i++) x.row_scale[i] = rung_rng_normal(rng);
  if (rung_rng_below(rng, 2)) g->row_scale = x.row_scale;
  g->c_stride = n + (int64_t)rung_rng_below(rng, 2) * rung_rng_below(rng, 9);
  x.c_count = (size_t)((m - 1) * g->c_stride + n);
  x.c = malloc(x.c_count * sizeof(float));
  for (size_t i = 0; i < x.c_count; i++) x.c[i] = rung_rng_normal(rng) * 1000;
  g->accumulate = rung_rng_below(rng, 2);
  return x;
}

static void problem_free(problem *x) {
  free(x->a);
  free(x->b);
  free(x->row_scale);
  free(x->c);
}

/* Member ith in scratch of exactly the size asked for, full of what no product may see. */
static void run_member(const rung_kernels *level, const rung_igemm *gemm, int ith, int nth) {
  const char guard[] = "guard";
  size_t size = rung_igemm_scratch(gemm);
  char *scratch = rung_allocate(size + sizeof guard);
  memset(scratch, 0xA5, size);
  memcpy(scratch + size, guard, sizeof guard);
  level->igemm(gemm, scratch, ith, nth);
  ck_assert_mem_eq(scratch + size, guard, sizeof guard);
  rung_release(scratch);
}

/* The rows that a product hands over, put where c would be. */
typedef struct taken {
  float *c;
  int64_t stride, rows, columns;
} taken;

static void take_rows(void *context, float *c, int64_t row, int64_t rows) {
  taken *to = context;
  ENSURE(row % RUNG_GEMM_GRAIN == 0 && rows == (to->rows - row < RUNG_GEMM_GRAIN ? to->rows - row : RUNG_GEMM_GRAIN));
  for (int64_t i = 0; i < rows; i++, c += to->columns)
    memcpy(to->c + (row + i) * to->stride, c, (size_t)to->columns * sizeof(float));
}

static void check_all_levels(const problem *x) {
  size_t bytes = x->c_count * sizeof(float);
  rung_igemm gemm = x->gemm;
  float *expected = malloc(bytes), *got = malloc(bytes);
  memcpy(expected, x->c, bytes);
  gemm.c = expected;
  run_member(rung_kernels_level(0), &gemm, 0, 1);
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    const rung_kernels *level = rung_kernels_level(l);
    for (int nth = 1; level && nth <= most_members; nth++) {
      gemm.by_rows = (nth + l) % 2;
      taken to = {got, gemm.c_stride, gemm.m, gemm.n};
      gemm.take = gemm.accumulate || nth == 2 ? NULL : take_rows;
      gemm.context = &to;
      gemm.c = gemm.take ? NULL : got;
      memcpy(got, x->c, bytes);
      for (int i = nth - 1; i >= 0; i--) run_member(level, &gemm, i, nth);
      ck_assert_msg(memcmp(expected, got, bytes) == 0,
                    "level %s, %d members, by rows %d, taken %d: [%d,%d,%d] transposed %d type %d accumulate %d",
                    level->level, nth, gemm.by_rows, gemm.take != NULL, (int)gemm.m, (int)gemm.n, (int)gemm.k,
                    gemm.a_transposed, (int)gemm.b_type, gemm.accumulate);
    }
  }
  free(expected);
  free(got);
}

static void check_random(int64_t m, int64_t n, int64_t k, rung_rng *rng) {
  problem x = problem_new(m, n, k, rng);
  check_all_levels(&x);
  problem_free(&x);
}

START_TEST(random_shapes) {
  rung_rng rng = rung_rng_seed((uint64_t)_i);
  for (int trial = 0; trial < 16; trial++)
    check_random(1 + rung_rng_below(&rng, 40), 1 + rung_rng_below(&rng, 70), 1 + rung_rng_below(&rng, 70), &rng);
}
END_TEST

/* Every number of rows, and of columns, round the tiles. */
START_TEST(every_edge) {
  rung_rng rng = rung_rng_seed(50 + (uint64_t)_i);
  check_random(_i + 1, 33, 21, &rng);
  check_random(13, _i + 1, 21, &rng);
  check_random(13, 33, _i, &rng);
}
END_TEST

/* More of b than a block holds; long sums; one of all. */
static const int64_t shapes[][3] = {{1, 1, 1}, {5, 700, 1030}, {25, 40, 9000}, {300, 9, 5}, {12, 32, 64}};

START_TEST(edge_shapes) {
  rung_rng rng = rung_rng_seed(100 + (uint64_t)_i);
  for (int trial = 0; trial < 3; trial++) check_random(shapes[_i][0], shapes[_i][1], shapes[_i][2], &rng);
}
END_TEST

START_TEST(equals_the_definition) {
  rung_rng rng = rung_rng_seed(200 + (uint64_t)_i);
  problem x =
      problem_new(1 + rung_rng_below(&rng, 30), 1 + rung_rng_below(&rng, 50), 1 + rung_rng_below(&rng, 99), &rng);
  rung_igemm g = x.gemm;
  g.c = x.c;
  g.accumulate = false;
  g.scale = 0.25f; /* and whole row scales: all of it is exact */
  for (int64_t i = 0; i < g.m; i++) x.row_scale[i] = (float)(1 << i % 5);
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    if (!rung_kernels_level(l)) continue;
    run_member(rung_kernels_level(l), &g, 0, 1);
    for (int64_t i = 0; i < g.m; i++)
      for (int64_t j = 0; j < g.n; j++) {
        int64_t sum = 0;
        for (int64_t p = 0; p < g.k; p++) {
          int64_t a = ((const int8_t *)x.a)[g.a_transposed ? p * g.a_stride + i : i * g.a_stride + p];
          const uint8_t *b = (const uint8_t *)x.b + p * g.b_stride + j;
          sum += a * ((g.b_type == RUNG_U8 ? *b : (int8_t)*b) - g.b_zero_point);
        }
        ENSURE(g.c[i * g.c_stride + j] == (float)sum * 0.25f * (g.row_scale ? g.row_scale[i] : 1.0f));
      }
  }
  problem_free(&x);
}
END_TEST

/* The largest sums there are, at the most k: each product -128 * (255 - 0), or of the other sign. */
START_TEST(largest_sums_fit) {
  enum { k = RUNG_IGEMM_K_MAX, rows = 2 };
  int8_t *a = malloc((size_t)rows * k);
  uint8_t *b = malloc(k);
  float c[rows];
  memset(a, -128, k);
  memset(a + k, 127, k);
  memset(b, _i ? 255 : 0, k);
  rung_igemm gemm = {.m = rows, .n = 1, .k = k, .a = a, .a_stride = k, .b_type = RUNG_U8, .b = b, .b_stride = 1};
  gemm.c = c, gemm.c_stride = 1, gemm.scale = 1.0f, gemm.b_zero_point = _i ? 0 : 255;
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    if (!rung_kernels_level(l)) continue;
    run_member(rung_kernels_level(l), &gemm, 0, 1);
    ck_assert_float_eq(c[0], (_i ? -1.0f : 1.0f) * (float)(128 * 255 * (int64_t)k));
    ck_assert_float_eq(c[1], (_i ? 1.0f : -1.0f) * (float)(127 * 255 * (int64_t)k));
  }
  free(a);
  free(b);
}
END_TEST

/* A member writes its own rows or columns and nothing else. */
START_TEST(members_own_what_the_header_says) {
  enum { m = 40, n = 100, k = 8, members = 3 };
  rung_rng rng = rung_rng_seed(9);
  problem x = problem_new(m, n, k, &rng);
  rung_igemm g = x.gemm;
  g.c = x.c, g.accumulate = false, g.by_rows = _i;
  for (int l = 0; l < rung_kernels_level_count(); l++)
    for (int ith = 0; rung_kernels_level(l) && ith < members; ith++) {
      for (size_t i = 0; i < x.c_count; i++) x.c[i] = 0x1p100f;
      run_member(rung_kernels_level(l), &g, ith, members);
      int64_t begin, end;
      rung_slice(_i ? m : n, _i ? RUNG_IGEMM_ROWS : RUNG_IGEMM_COLUMNS, ith, members, &begin, &end);
      for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
          bool mine = (_i ? i : j) >= begin && (_i ? i : j) < end;
          ENSURE((x.c[i * g.c_stride + j] != 0x1p100f) == mine);
        }
    }
  problem_free(&x);
}
END_TEST

START_TEST(run_uses_the_active_level) {
  const int8_t a[2] = {2, -3};
  const uint8_t b[2] = {5, 7};
  float c = 1;
  rung_igemm gemm = {.m = 1, .n = 1, .k = 2, .a = a, .a_stride = 2, .b_type = RUNG_U8, .b = b, .b_stride = 1};
  gemm.c = &c, gemm.c_stride = 1, gemm.scale = 0.5f, gemm.b_zero_point = 1, gemm.accumulate = true;
  void *scratch = rung_allocate(rung_igemm_scratch(&gemm));
  rung_igemm_run(&gemm, scratch, 0, 1);
  rung_release(scratch);
  ck_assert_float_eq(c, -4.0f);
}
END_TEST

TEST_MAIN(CASES(random_shapes, 12), CASES(every_edge, 40), CASES(edge_shapes, (int)(sizeof shapes / sizeof shapes[0])),
          CASES(equals_the_definition, 8), CASES(largest_sums_fit, 2), CASES(members_own_what_the_header_says, 2),
          CASE(run_uses_the_active_level))
