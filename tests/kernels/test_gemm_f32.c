/* The f32 product: every level equals the plain loops to the bit; the plain loops equal exact integer arithmetic. */
#include "harness.h"

#include <math.h>
#include <rung/kernels.h>
#include <stdio.h>

enum { most_members = 5 };

/* A matrix operand in memory of exactly its size, so that a sanitizer sees any read past it. */
typedef struct operand {
  rung_matrix matrix;
  void *data;
  float *scale;
  int32_t *zero_point;
} operand;

static rung_dtype any_type(rung_rng *rng) {
  static const rung_dtype types[] = {RUNG_F32, RUNG_F32, RUNG_U8, RUNG_I8};
  return types[rung_rng_below(rng, 4)];
}

static void fill_scales(operand *x, int64_t rows, int64_t columns, rung_rng *rng) {
  x->matrix.group = rung_rng_below(rng, 2) ? 1 + rung_rng_below(rng, 40) : 0;
  int64_t groups = x->matrix.group ? (columns + x->matrix.group - 1) / x->matrix.group : 1;
  x->matrix.scale_stride = rung_rng_below(rng, 2) ? groups : 0;
  int64_t count = x->matrix.scale_stride ? rows * groups : groups;
  x->scale = malloc((size_t)count * sizeof(float));
  for (int64_t i = 0; i < count; i++) x->scale[i] = 0.01f + rung_rng_uniform(rng);
  x->matrix.scale = x->scale;
  if (rung_rng_below(rng, 4) == 0) return;
  x->zero_point = malloc((size_t)count * sizeof(int32_t));
  for (int64_t i = 0; i < count; i++) x->zero_point[i] = (int32_t)rung_rng_below(rng, 256) - 128;
  x->matrix.zero_point = x->zero_point;
}

/* An operand that the product sees as [rows, columns]. */
static operand operand_oriented(int64_t rows, int64_t columns, rung_dtype type, bool transpose, rung_rng *rng) {
  operand x = {.matrix = {.type = type, .transpose = transpose}};
  int64_t stored_rows = x.matrix.transpose ? columns : rows, stored_columns = x.matrix.transpose ? rows : columns;
  x.matrix.stride = stored_columns + (int64_t)rung_rng_below(rng, 2) * rung_rng_below(rng, 7);
  size_t count = (size_t)((stored_rows - 1) * x.matrix.stride + stored_columns);
  x.data = malloc(count * rung_dtype_size(type) + 1);
  for (size_t i = 0; i < count; i++)
    if (type == RUNG_F32)
      ((float *)x.data)[i] = rung_rng_normal(rng);
    else
      ((uint8_t *)x.data)[i] = (uint8_t)rung_rng_below(rng, 256);
  x.matrix.data = x.data;
  if (type != RUNG_F32) fill_scales(&x, stored_rows, stored_columns, rng);
  return x;
}

static operand operand_new(int64_t rows, int64_t columns, rung_dtype type, rung_rng *rng) {
  return operand_oriented(rows, columns, type, rung_rng_below(rng, 2), rng);
}

static void operand_free(operand *x) {
  free(x->data);
  free(x->scale);
  free(x->zero_point);
}

/* NaN is NaN whatever its bits, which differ between processors. */
static bool same_bits(const float *a, const float *b, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) return false;
  return true;
}

/* Every member, last first, in scratch of exactly the size asked for. */
static void run(const rung_kernels *level, const rung_gemm *gemm, int members) {
  const char guard[] = "guard";
  size_t size = rung_gemm_scratch(gemm);
  char *scratch = rung_allocate(size + sizeof guard);
  memcpy(scratch + size, guard, sizeof guard);
  for (int i = members - 1; i >= 0; i--) level->gemm_f32(gemm, scratch, i, members);
  ck_assert_mem_eq(scratch + size, guard, sizeof guard);
  rung_release(scratch);
}

/* The rows that a product hands over, put where c would be. A member's rows come in order, in whole grains. */
typedef struct taken {
  float *c;
  int64_t stride, rows, columns, next;
} taken;

static void take_rows(void *context, float *c, int64_t row, int64_t rows) {
  taken *to = context;
  ENSURE(row == to->next && row % RUNG_GEMM_GRAIN == 0);
  ENSURE(rows == RUNG_GEMM_GRAIN || (rows > 0 && row + rows == to->rows));
  to->next = row + rows;
  for (int64_t i = 0; i < rows; i++, c += to->columns) {
    memcpy(to->c + (row + i) * to->stride, c, (size_t)to->columns * sizeof(float));
    memset(c, 0xff, (size_t)to->columns * sizeof(float)); /* it is the taker's to write in */
  }
}

/* As `run`, of a product that hands its rows over: each member its own slice, all of it, in scratch of its own. */
static void run_taken(const rung_kernels *level, rung_gemm gemm, int members) {
  taken to = {gemm.c, gemm.c_stride, gemm.m, gemm.n, 0};
  gemm.c = NULL;
  gemm.take = take_rows;
  gemm.context = &to;
  for (int i = members - 1; i >= 0; i--) {
    const char guard[] = "guard";
    size_t size = rung_gemm_scratch(&gemm);
    char *scratch = rung_allocate(size + sizeof guard);
    memset(scratch, 0xff, size); /* NaN, which no result may see */
    memcpy(scratch + size, guard, sizeof guard);
    int64_t end;
    rung_slice(gemm.m, RUNG_GEMM_GRAIN, i, members, &to.next, &end);
    level->gemm_f32(&gemm, scratch, i, members);
    ck_assert_int_eq(to.next, end);
    ck_assert_mem_eq(scratch + size, guard, sizeof guard);
    rung_release(scratch);
  }
}

/* Runs `gemm`, whose c holds `count` floats, at every level and with teams of 1 to `members`, stored and, where it does
 * not accumulate, taken: all must give what the plain loops give, gaps between the rows included. */
static void check_all_levels(rung_gemm gemm, int64_t count, int members) {
  float *start = gemm.c;
  float *expected = malloc((size_t)count * sizeof(float)), *got = malloc((size_t)count * sizeof(float));
  memcpy(expected, start, (size_t)count * sizeof(float));
  gemm.c = expected;
  run(rung_kernels_level(0), &gemm, 1);
  gemm.c = got;
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    const rung_kernels *level = rung_kernels_level(l);
    for (int way = 0; level && way < (gemm.accumulate ? 1 : 2) * members; way++) {
      int nth = way % members + 1;
      memcpy(got, start, (size_t)count * sizeof(float));
      if (way < members)
        run(level, &gemm, nth);
      else
        run_taken(level, gemm, nth);
      ck_assert_msg(same_bits(expected, got, count),
                    "level %s, %d members, taken %d: [%d,%d,%d] types %d %d transposed %d %d accumulate %d",
                    level->level, nth, way >= members, (int)gemm.m, (int)gemm.n, (int)gemm.k, (int)gemm.a.type,
                    (int)gemm.b.type, gemm.a.transpose, gemm.b.transpose, gemm.accumulate);
    }
  }
  free(expected);
  free(got);
}

static void check_random(int64_t m, int64_t n, int64_t k, int members, rung_rng *rng) {
  operand a = operand_new(m, k, any_type(rng), rng), b = operand_new(k, n, any_type(rng), rng);
  int64_t stride = n + (int64_t)rung_rng_below(rng, 2) * rung_rng_below(rng, 9), count = (m - 1) * stride + n;
  float *c = malloc((size_t)count * sizeof(float)), *bias = malloc((size_t)n * sizeof(float));
  for (int64_t i = 0; i < count; i++) c[i] = rung_rng_normal(rng);
  for (int64_t j = 0; j < n; j++) bias[j] = rung_rng_normal(rng);
  rung_gemm gemm = {.m = m,
                    .n = n,
                    .k = k,
                    .a = a.matrix,
                    .b = b.matrix,
                    .c = c,
                    .c_stride = stride,
                    .accumulate = rung_rng_below(rng, 2),
                    .bias = rung_rng_below(rng, 2) ? bias : NULL,
                    .relu = rung_rng_below(rng, 2)};
  check_all_levels(gemm, count, members);
  free(c);
  free(bias);
  operand_free(&a);
  operand_free(&b);
}

/* Operands of every type in every orientation, with extents round the widths of vectors, tiles and grains; whether they
 * have groups, zero points and gaps between rows is left to chance. */
START_TEST(every_type_and_orientation_round_the_widths) {
  static const rung_dtype types[] = {RUNG_F32, RUNG_U8, RUNG_I8};
  static const int64_t around[] = {1, 7, 8, 9, 11, 12, 13, 15, 16, 17, 31, 32, 33, 63, 64, 65};
  rung_rng rng = rung_rng_seed(300 + (uint64_t)_i);
  const rung_dtype a_type = types[_i % 3], b_type = types[_i / 3 % 3];
  for (int extent = 0; extent < 3; extent++)
    for (int at = 0; at < 16; at++) {
      int64_t m = 1 + rung_rng_below(&rng, 40), n = 1 + rung_rng_below(&rng, 40), k = 1 + rung_rng_below(&rng, 40);
      *(extent == 0 ? &m : extent == 1 ? &n : &k) = around[at];
      operand a = operand_oriented(m, k, a_type, _i / 9 % 2, &rng), b = operand_oriented(k, n, b_type, _i / 18, &rng);
      float *c = malloc((size_t)(m * n) * sizeof(float));
      for (int64_t i = 0; i < m * n; i++) c[i] = rung_rng_normal(&rng);
      rung_gemm gemm = {.m = m, .n = n, .k = k, .a = a.matrix, .b = b.matrix, .c = c, .c_stride = n};
      gemm.accumulate = at % 4 == 3;
      check_all_levels(gemm, m * n, 2);
      free(c);
      operand_free(&a);
      operand_free(&b);
    }
}
END_TEST

/* Grains of rows, whole and short, more and fewer than members. */
START_TEST(rows_are_handed_over_in_grains) {
  static const int64_t rows[] = {1, 31, 32, 33, 63, 64, 65, 95, 96, 97, 128, 161};
  rung_rng rng = rung_rng_seed(400 + (uint64_t)_i);
  for (int deep = 0; deep < 2; deep++) {
    int64_t m = rows[_i], n = 1 + rung_rng_below(&rng, deep ? 20 : 70), k = deep ? 520 : 1 + rung_rng_below(&rng, 30);
    operand a = operand_new(m, k, any_type(&rng), &rng), b = operand_new(k, n, any_type(&rng), &rng);
    float *c = calloc((size_t)(m * n), sizeof(float));
    rung_gemm gemm = {.m = m, .n = n, .k = k, .a = a.matrix, .b = b.matrix, .c = c, .c_stride = n};
    check_all_levels(gemm, m * n, most_members);
    free(c);
    operand_free(&a);
    operand_free(&b);
  }
}
END_TEST

START_TEST(random_shapes) {
  rung_rng rng = rung_rng_seed((uint64_t)_i);
  for (int trial = 0; trial < 12; trial++) {
    int64_t m = 1 + rung_rng_below(&rng, 70), n = 1 + rung_rng_below(&rng, 70), k = 1 + rung_rng_below(&rng, 70);
    check_random(m, n, k, most_members, &rng);
  }
}
END_TEST

/* One extent is 1; k and m and n just past the blocks; one tile exactly. */
static const int64_t shapes[][3] = {{1, 1, 1},   {1, 70, 33},   {70, 1, 33},   {33, 70, 1},  {12, 32, 16},
                                    {6, 16, 64}, {13, 33, 65},  {1, 5, 1700},  {5, 1, 1100}, {3, 1100, 5},
                                    {500, 3, 7}, {30, 40, 513}, {200, 40, 50}, {4, 520, 12}, {10, 784, 64}};

START_TEST(edge_shapes) {
  rung_rng rng = rung_rng_seed(100 + (uint64_t)_i);
  for (int trial = 0; trial < 3; trial++) check_random(shapes[_i][0], shapes[_i][1], shapes[_i][2], 3, &rng);
}
END_TEST

START_TEST(no_products) {
  float c[6] = {1, 2, 3, 4, 5, 6}, bias[3] = {-10, 1, 2}, nothing = 0;
  rung_matrix empty = {.data = &nothing, .type = RUNG_F32, .stride = 3};
  rung_gemm gemm = {.m = 2, .n = 3, .k = 0, .a = empty, .b = empty, .c = c, .c_stride = 3, .bias = bias, .relu = true};
  check_all_levels(gemm, 6, 2);
  gemm.accumulate = true;
  check_all_levels(gemm, 6, 2);
  run(rung_kernels_level(0), &gemm, 1);
  const float expected[6] = {0, 3, 5, 0, 6, 8};
  ck_assert_mem_eq(c, expected, sizeof c);
}
END_TEST

/* Infinities, NaN, both zeros, subnormals and overflow, which padding along k or a split chain would change. */
START_TEST(special_values) {
  static const float special[] = {INFINITY, -INFINITY, NAN, 0.0f, -0.0f, 1e-45f, -3e-39f, 3e38f, -3e38f, 1.0f, 1e-30f};
  rung_rng rng = rung_rng_seed(200 + (uint64_t)_i);
  int64_t m = 1 + rung_rng_below(&rng, 30), n = 1 + rung_rng_below(&rng, 40), k = 1 + rung_rng_below(&rng, 20);
  operand a = operand_new(m, k, RUNG_F32, &rng), b = operand_new(k, n, RUNG_F32, &rng);
  float *values[2] = {a.data, b.data};
  int64_t counts[2] = {(a.matrix.transpose ? k : m) * a.matrix.stride, (b.matrix.transpose ? n : k) * b.matrix.stride};
  for (int x = 0; x < 2; x++)
    for (int64_t i = 0; i + 8 < counts[x]; i++)
      if (rung_rng_below(&rng, 4) == 0)
        values[x][i] = special[rung_rng_below(&rng, _i % 2 ? 11 : 8) + (_i % 2 ? 0 : 3)];
  float *c = calloc((size_t)(m * n), sizeof(float));
  for (int64_t i = 0; i < m * n; i++) c[i] = special[rung_rng_below(&rng, 11)];
  rung_gemm gemm = {.m = m, .n = n, .k = k, .a = a.matrix, .b = b.matrix, .c = c, .c_stride = n};
  for (int flags = 0; flags < 4; flags++) {
    gemm.accumulate = flags & 1;
    gemm.relu = flags & 2;
    check_all_levels(gemm, m * n, 2);
  }
  free(c);
  operand_free(&a);
  operand_free(&b);
}
END_TEST

/* (1 + 2^-12)^2 - (1 + 2^-11) is 2^-24 where the product is not rounded before the sum, 0 where it is. */
START_TEST(products_are_not_rounded) {
  float a = 1.0f + 0x1p-12f, c = -(1.0f + 0x1p-11f);
  rung_matrix one = {.data = &a, .type = RUNG_F32, .stride = 1};
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    if (!rung_kernels_level(l)) continue;
    float sum = c;
    rung_gemm gemm = {.m = 1, .n = 1, .k = 1, .a = one, .b = one, .c = &sum, .c_stride = 1, .accumulate = true};
    run(rung_kernels_level(l), &gemm, 1);
    ck_assert_float_eq(sum, 0x1p-24f);
  }
}
END_TEST

/* Small integers, where every f32 operation is exact: the product of the dequantized operands in int64. */
START_TEST(exact_on_integers) {
  enum { m = 17, n = 35, k = 70 };
  rung_rng rng = rung_rng_seed(7);
  static uint8_t a[k][m];
  static int8_t b[n][k];
  static float c[m][n];
  for (int p = 0; p < k; p++)
    for (int i = 0; i < m; i++) a[p][i] = (uint8_t)rung_rng_u32(&rng);
  for (int j = 0; j < n; j++)
    for (int p = 0; p < k; p++) b[j][p] = (int8_t)rung_rng_u32(&rng);
  float scale_a = 2.0f, scale_b[n];
  int32_t zero_a = 131, zero_b[n];
  for (int j = 0; j < n; j++) scale_b[j] = (float)(1 << (j % 3)), zero_b[j] = j - 15;
  rung_gemm gemm = {.m = m, .n = n, .k = k, .c = c[0], .c_stride = n};
  gemm.a = (rung_matrix){a, RUNG_U8, true, m, &scale_a, &zero_a, 0, 0};
  gemm.b = (rung_matrix){b, RUNG_I8, true, k, scale_b, zero_b, 1, 0};
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    if (!rung_kernels_level(l)) continue;
    run(rung_kernels_level(l), &gemm, 1);
    for (int i = 0; i < m; i++)
      for (int j = 0; j < n; j++) {
        int64_t sum = 0;
        for (int p = 0; p < k; p++) sum += (int64_t)2 * (a[p][i] - zero_a) * (b[j][p] - zero_b[j]) * (1 << (j % 3));
        ck_assert_float_eq(c[i][j], (float)sum);
      }
  }
}
END_TEST

START_TEST(run_uses_the_active_level) {
  float a[2] = {2, 3}, b[2] = {5, 7}, c = 1;
  rung_matrix row = {.data = a, .type = RUNG_F32, .stride = 2}, column = {.data = b, .type = RUNG_F32, .stride = 1};
  rung_gemm gemm = {.m = 1, .n = 1, .k = 2, .a = row, .b = column, .c = &c, .c_stride = 1};
  void *scratch = rung_allocate(rung_gemm_scratch(&gemm));
  rung_gemm_run(&gemm, scratch, 0, 1);
  rung_release(scratch);
  ck_assert_float_eq(c, 31.0f);
}
END_TEST

START_TEST(scratch_is_bounded) {
  rung_gemm gemm = {.m = 1 << 20, .n = 1 << 20, .k = 1 << 20};
  ck_assert_uint_le(rung_gemm_scratch(&gemm), 2 << 20);
}
END_TEST

TEST_MAIN(CASES(every_type_and_orientation_round_the_widths, 36), CASES(rows_are_handed_over_in_grains, 12),
          CASES(random_shapes, 12), CASES(edge_shapes, (int)(sizeof shapes / sizeof shapes[0])), CASE(no_products),
          CASES(special_values, 12), CASE(products_are_not_rounded), CASE(exact_on_integers),
          CASE(run_uses_the_active_level), CASE(scratch_is_bounded))
