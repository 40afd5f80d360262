/* The product in bfloat16: every level but v4bf16 equals, to the bit, the f32 product (level ref) of operands that were
 * dequantized here and rounded by rung_float_encode; v4bf16 lies within the error of f32 sums. */
#include "harness.h"

#include <math.h>
#include <rung/kernels.h>

enum { most_members = 4 };

/* An operand in memory of exactly its size, and what the product should see of it, [rows, columns] dense. */
typedef struct operand {
  rung_matrix matrix;
  void *data;
  float *scale, *rounded;
  int32_t *zero_point;
} operand;

static float to_bf16(float x) {
  return rung_float_decode(RUNG_BF16, rung_float_encode(RUNG_BF16, x, false));
}

static float stored(const operand *x, int64_t row, int64_t column) {
  const rung_matrix *m = &x->matrix;
  int64_t at = row * m->stride + column, s = row * m->scale_stride + (m->group ? column / m->group : 0);
  if (m->type == RUNG_F32) return ((const float *)x->data)[at];
  int32_t q = m->type == RUNG_U8 ? ((const uint8_t *)x->data)[at] : ((const int8_t *)x->data)[at];
  return m->scale[s] * (float)(q - (m->zero_point ? m->zero_point[s] : 0));
}

static void fill_scales(operand *x, int64_t rows, int64_t columns, rung_rng *rng) {
  x->matrix.group = rung_rng_below(rng, 2) ? 1 + rung_rng_below(rng, 40) : 0;
  int64_t groups = x->matrix.group ? (columns + x->matrix.group - 1) / x->matrix.group : 1;
  x->matrix.scale_stride = rung_rng_below(rng, 2) ? groups : 0;
  x->scale = malloc((size_t)(rows * groups) * sizeof(float));
  x->zero_point = malloc((size_t)(rows * groups) * sizeof(int32_t));
  for (int64_t i = 0; i < rows * groups; i++) {
    x->scale[i] = 0.01f + rung_rng_uniform(rng);
    x->zero_point[i] = (int32_t)rung_rng_below(rng, 256) - 128;
  }
  x->matrix.scale = x->scale;
  if (rung_rng_below(rng, 4)) x->matrix.zero_point = x->zero_point;
}

static void round_operand(operand *x, int64_t rows, int64_t columns) {
  x->rounded = malloc((size_t)(rows * columns) * sizeof(float) + 1);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++)
      x->rounded[i * columns + j] = to_bf16(x->matrix.transpose ? stored(x, j, i) : stored(x, i, j));
}

static operand operand_new(int64_t rows, int64_t columns, rung_rng *rng) {
  static const rung_dtype types[] = {RUNG_F32, RUNG_F32, RUNG_U8, RUNG_I8};
  operand x = {.matrix = {.type = types[rung_rng_below(rng, 4)], .transpose = rung_rng_below(rng, 2)}};
  int64_t stored_rows = x.matrix.transpose ? columns : rows, stored_columns = x.matrix.transpose ? rows : columns;
  x.matrix.stride = stored_columns + (int64_t)rung_rng_below(rng, 2) * rung_rng_below(rng, 7);
  size_t count = stored_rows ? (size_t)((stored_rows - 1) * x.matrix.stride + stored_columns) : 0;
  x.matrix.data = x.data = malloc(count * rung_dtype_size(x.matrix.type) + 1);
  for (size_t i = 0; i < count; i++)
    if (x.matrix.type == RUNG_F32)
      ((float *)x.data)[i] = rung_rng_normal(rng);
    else
      ((uint8_t *)x.data)[i] = (uint8_t)rung_rng_u32(rng);
  if (x.matrix.type != RUNG_F32) fill_scales(&x, stored_rows, stored_columns, rng);
  round_operand(&x, rows, columns);
  return x;
}

static void operand_free(operand *x) {
  free(x->data);
  free(x->scale);
  free(x->zero_point);
  free(x->rounded);
}

/* Every member, last first, in scratch of exactly the size asked for. */
static void run(const rung_kernels *level, const rung_gemm *gemm, int members) {
  const char guard[] = "guard";
  size_t size = rung_gemm_scratch(gemm);
  char *scratch = rung_allocate(size + sizeof guard);
  memset(scratch, 0xA5, size);
  memcpy(scratch + size, guard, sizeof guard);
  for (int i = members - 1; i >= 0; i--) level->gemm_bf16(gemm, scratch, i, members);
  ck_assert_mem_eq(scratch + size, guard, sizeof guard);
  rung_release(scratch);
}

static bool has_dot_of_pairs(const rung_kernels *level) {
  return strcmp(level->level, "v4bf16") == 0;
}

/* `spread` is what two f32 sums of the same products may differ by. */
static bool same(float expected, float got, bool exact, float spread) {
  if (isnan(expected)) return isnan(got);
  if (memcmp(&expected, &got, sizeof got) == 0) return true;
  return !exact && fabsf(expected - got) <= spread;
}

static float *copy(const float *from, int64_t count) {
  return memcpy(malloc((size_t)count * sizeof(float)), from, (size_t)count * sizeof(float));
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

/* `dense` is the product that gemm should make; c holds `count` floats. */
static void check_all_levels(rung_gemm gemm, rung_gemm dense, int64_t count) {
  float *start = gemm.c, *expected = copy(start, count), *spread = calloc((size_t)count, sizeof(float));
  dense.c = expected;
  void *scratch = rung_allocate(rung_gemm_scratch(&dense));
  rung_kernels_level(0)->gemm_f32(&dense, scratch, 0, 1);
  rung_release(scratch);
  const float *a = dense.a.data, *b = dense.b.data;
  for (int64_t i = 0; i < gemm.m; i++)
    for (int64_t j = 0; j < gemm.n; j++) {
      float sum = fabsf(start[i * gemm.c_stride + j]);
      for (int64_t p = 0; p < gemm.k; p++) sum += fabsf(a[i * gemm.k + p] * b[p * gemm.n + j]);
      spread[i * gemm.c_stride + j] = (float)(gemm.k + 2) * 0x1p-23f * sum;
    }
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    const rung_kernels *level = rung_kernels_level(l);
    for (int nth = 1; level && nth <= most_members; nth++) {
      float *got = copy(start, count);
      taken to = {got, gemm.c_stride, gemm.m, gemm.n};
      gemm.take = gemm.accumulate || nth == 2 ? NULL : take_rows;
      gemm.context = &to;
      gemm.c = gemm.take ? NULL : got;
      run(level, &gemm, nth);
      int64_t i = 0;
      while (i < count && same(expected[i], got[i], !has_dot_of_pairs(level), spread[i])) i++;
      ck_assert_msg(i == count, "level %s, %d members, taken %d: [%d,%d,%d] types %d %d transposed %d %d: element %d",
                    level->level, nth, gemm.take != NULL, (int)gemm.m, (int)gemm.n, (int)gemm.k, (int)gemm.a.type,
                    (int)gemm.b.type, gemm.a.transpose, gemm.b.transpose, (int)i);
      free(got);
    }
  }
  free(expected);
  free(spread);
}

static void check_random(int64_t m, int64_t n, int64_t k, rung_rng *rng) {
  operand a = operand_new(m, k, rng), b = operand_new(k, n, rng);
  int64_t stride = n + (int64_t)rung_rng_below(rng, 2) * rung_rng_below(rng, 9), count = (m - 1) * stride + n;
  float *c = malloc((size_t)count * sizeof(float)), *bias = malloc((size_t)n * sizeof(float));
  for (int64_t i = 0; i < count; i++) c[i] = rung_rng_normal(rng);
  for (int64_t j = 0; j < n; j++) bias[j] = rung_rng_normal(rng);
  rung_gemm gemm = {.m = m, .n = n, .k = k, .a = a.matrix, .b = b.matrix, .c = c, .c_stride = stride};
  gemm.accumulate = rung_rng_below(rng, 2);
  gemm.bias = rung_rng_below(rng, 2) ? bias : NULL;
  gemm.relu = rung_rng_below(rng, 2);
  rung_gemm dense = gemm;
  dense.a = (rung_matrix){.data = a.rounded, .type = RUNG_F32, .stride = k};
  dense.b = (rung_matrix){.data = b.rounded, .type = RUNG_F32, .stride = n};
  check_all_levels(gemm, dense, count);
  free(c);
  free(bias);
  operand_free(&a);
  operand_free(&b);
}

START_TEST(random_shapes) {
  rung_rng rng = rung_rng_seed((uint64_t)_i);
  for (int trial = 0; trial < 8; trial++)
    check_random(1 + rung_rng_below(&rng, 40), 1 + rung_rng_below(&rng, 70), 1 + rung_rng_below(&rng, 70), &rng);
}
END_TEST

/* Every number of rows, of columns and of products round the tiles and pairs. */
START_TEST(every_edge) {
  rung_rng rng = rung_rng_seed(50 + (uint64_t)_i);
  check_random(_i + 1, 33, 7, &rng);
  check_random(13, _i + 1, 7, &rng);
  check_random(13, 33, _i, &rng);
}
END_TEST

/* Past the blocks, and the chunks of packing. */
static const int64_t shapes[][3] = {{1, 1, 1},  {1, 5, 1701},  {5, 1, 1100},  {3, 1100, 5}, {260, 3, 7},
                                    {9, 9, 65}, {30, 40, 515}, {4, 520, 129}, {12, 32, 64}, {5, 48, 127}};

START_TEST(edge_shapes) {
  rung_rng rng = rung_rng_seed(100 + (uint64_t)_i);
  for (int trial = 0; trial < 3; trial++) check_random(shapes[_i][0], shapes[_i][1], shapes[_i][2], &rng);
}
END_TEST

/* x times 1 is x rounded, at every level, the dot product of pairs too where nothing is subnormal: ties, what lies next
 * to them, the carry to the next exponent and to infinity, and floats of any bits. */
START_TEST(operands_are_rounded_half_to_even) {
  enum { count = 4000 };
  static float x[count], c[count], one = 1.0f;
  rung_rng rng = rung_rng_seed(5 + (uint64_t)_i);
  for (int i = 0; i < count; i++) {
    static const uint32_t ends[] = {0x8000, 0x7fff, 0x8001, 0xffff, 0x18000, 0x7f8000};
    uint32_t bits = rung_rng_u32(&rng);
    if (i % 3) bits = (bits & 0xffff0000u) ^ ends[i % 6];
    if (i % 50 == 0) bits = (bits & 0x80000000u) | 0x7f7f8000u; /* to infinity */
    if (i % 50 == 1) bits = (bits & 0x80000000u) | 0x7fffffffu; /* a NaN, whose carry would leave it */
    memcpy(&x[i], &bits, sizeof bits);
  }
  rung_matrix column = {.data = x, .type = RUNG_F32, .stride = 1}, row = {.data = &one, .type = RUNG_F32, .stride = 1};
  rung_gemm gemm = {.m = count, .n = 1, .k = 1, .a = column, .b = row, .c = c, .c_stride = 1};
  if (_i) gemm.m = 1, gemm.n = count, gemm.a = row, gemm.b = column, gemm.b.stride = count, gemm.c_stride = count;
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    const rung_kernels *level = rung_kernels_level(l);
    if (!level) continue;
    run(level, &gemm, 1);
    for (int i = 0; i < count; i++) {
      float expected = to_bf16(x[i]) + 0.0f;
      if (has_dot_of_pairs(level) && fpclassify(x[i]) == FP_SUBNORMAL) continue;
      if (!same(expected, c[i], true, 0))
        ck_abort_msg("level %s: %a to %a, not %a", level->level, (double)x[i], (double)c[i], (double)expected);
    }
  }
}
END_TEST

/* An infinity or a NaN in one operand shows where the f32 product shows it, and beside it nothing changes: what pads a
 * tile or an odd k must not meet it. */
START_TEST(what_is_not_finite_stays_in_its_row) {
  enum { m = 13, n = 35, k = 9 };
  static float a[m][k], b[k][n], c[m][n];
  for (int i = 0; i < m * k; i++) a[i / k][i % k] = (float)(i % 7 + 1);
  for (int i = 0; i < k * n; i++) b[i / n][i % n] = (float)(i % 5 + 1);
  a[m - 1][k - 1] = _i ? INFINITY : NAN;
  rung_gemm gemm = {.m = m, .n = n, .k = k, .c = c[0], .c_stride = n};
  gemm.a = (rung_matrix){.data = a, .type = RUNG_F32, .stride = k};
  gemm.b = (rung_matrix){.data = b, .type = RUNG_F32, .stride = n};
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    if (!rung_kernels_level(l)) continue;
    run(rung_kernels_level(l), &gemm, 1);
    for (int i = 0; i < m; i++)
      for (int j = 0; j < n; j++) {
        float sum = 0;
        for (int p = 0; p < k; p++) sum += a[i][p] * b[p][j]; /* small integers: exact */
        ENSURE(same(sum, c[i][j], true, 0));
      }
  }
}
END_TEST

START_TEST(run_uses_the_active_level) {
  float a[2] = {2, 3}, b[2] = {5, 7}, c = 1;
  rung_matrix row = {.data = a, .type = RUNG_F32, .stride = 2}, column = {.data = b, .type = RUNG_F32, .stride = 1};
  rung_gemm gemm = {.m = 1, .n = 1, .k = 2, .a = row, .b = column, .c = &c, .c_stride = 1};
  void *scratch = rung_allocate(rung_gemm_scratch(&gemm));
  rung_gemm_bf16_run(&gemm, scratch, 0, 1);
  rung_release(scratch);
  ck_assert_float_eq(c, 31.0f);
}
END_TEST

TEST_MAIN(CASES(random_shapes, 12), CASES(every_edge, 40), CASES(edge_shapes, (int)(sizeof shapes / sizeof shapes[0])),
          CASES(operands_are_rounded_half_to_even, 2), CASES(what_is_not_finite_stays_in_its_row, 2),
          CASE(run_uses_the_active_level))
