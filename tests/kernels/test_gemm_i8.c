/* The integer product: every level and team equals the plain loops to the byte; the plain loops equal the definition
 * (docs/quantization.md, eq. 8 and 9), written here once more with 128-bit integers. */
#include "harness.h"

#include <rung/kernels.h>
#include <stdio.h>

enum { most_members = 5 };

__extension__ typedef __int128 wide;

/* A problem with all its memory, and guard bytes round each output. */
typedef struct problem {
  rung_qgemm gemm;
  int64_t groups;
  void *a;
  int8_t *weight;
  int32_t *bias, *multiplier, *shift;
  int64_t *bias64;
  size_t y_bytes, mask_bytes;
} problem;

static void *random_bytes(int64_t count, rung_rng *rng) {
  uint8_t *bytes = malloc((size_t)count + (count == 0));
  for (int64_t i = 0; i < count; i++) bytes[i] = (uint8_t)rung_rng_u32(rng);
  return bytes;
}

static void fill_scales(problem *x, rung_rng *rng) {
  int64_t n = x->gemm.n, count = n * x->groups;
  x->bias = malloc((size_t)count * sizeof(int32_t));
  x->multiplier = malloc((size_t)count * sizeof(int32_t));
  x->shift = malloc((size_t)n * sizeof(int32_t));
  x->bias64 = malloc((size_t)n * sizeof(int64_t));
  for (int64_t i = 0; i < count; i++) {
    x->bias[i] = (int32_t)rung_rng_below(rng, 100001) - 50000;
    x->multiplier[i] = (int32_t)((1u << 30) + rung_rng_below(rng, 1u << 30));
    if (x->gemm.group && rung_rng_below(rng, 3) == 0) x->multiplier[i] = (int32_t)rung_rng_below(rng, 1u << 31);
  }
  bool any_shift = rung_rng_below(rng, 2);
  for (int64_t j = 0; j < n; j++) {
    /* mostly so that r is about a byte, now and then anything, and channels that are always 0 */
    x->shift[j] = 36 + (int32_t)rung_rng_below(rng, 6);
    if (rung_rng_below(rng, 8) == 0) x->shift[j] = 33 + (int32_t)rung_rng_below(rng, 22);
    if (any_shift && rung_rng_below(rng, 8) == 0) x->shift[j] = 1 + (int32_t)rung_rng_below(rng, 62);
    if (!x->gemm.group && rung_rng_below(rng, 16) == 0) x->multiplier[j] = 0, x->shift[j] = 1;
    x->bias64[j] = (int64_t)rung_rng_u32(rng) * 1000 - ((int64_t)500 << 32);
  }
}

static void fill_output(problem *x, rung_rng *rng) {
  rung_qgemm *g = &x->gemm;
  g->epilogue = rung_rng_below(rng, 8) ? RUNG_EPILOGUE_REQUANTIZE_8 : RUNG_EPILOGUE_REQUANTIZE_32;
  if (!g->group && rung_rng_below(rng, 8) == 0) g->epilogue = RUNG_EPILOGUE_ACCUMULATOR;
  g->y_type = rung_rng_below(rng, 2) ? RUNG_U8 : RUNG_I8;
  int32_t least = g->y_type == RUNG_U8 ? 0 : -128, bits = 2 + (int32_t)rung_rng_below(rng, 7);
  g->qmin = least;
  g->qmax = least + (1 << bits) - 1;
  g->zero_point = g->qmin + (int32_t)rung_rng_below(rng, 1u << bits);
  if (rung_rng_below(rng, 2)) g->qmin = g->zero_point;
  g->y_stride = g->n + (int64_t)rung_rng_below(rng, 2) * rung_rng_below(rng, 9);
  g->mask_stride = (g->n + 7) / 8 + (int64_t)rung_rng_below(rng, 2);
  g->mask_positive = rung_rng_below(rng, 2);
  g->binary = g->epilogue == RUNG_EPILOGUE_REQUANTIZE_8 && g->y_type == RUNG_I8 && rung_rng_below(rng, 3) == 0;
  x->y_bytes = (size_t)((g->m - 1) * g->y_stride + g->n) * (g->epilogue == RUNG_EPILOGUE_REQUANTIZE_8 ? 1 : 4);
  x->mask_bytes = (size_t)((g->m - 1) * g->mask_stride + (g->n + 7) / 8);
}

/* Signed integers of `bits` bits in the bytes of w; of one bit, -1 and 1. */
static void cut_weights(int8_t *w, int64_t count, int bits) {
  for (int64_t i = 0; i < count; i++)
    w[i] = bits == 1 ? (int8_t)(w[i] & 2) - 1 : (int8_t)((w[i] & ((1 << bits) - 1)) - (1 << (bits - 1)));
}

static problem problem_new(int64_t m, int64_t n, int64_t k, int64_t group, rung_rng *rng) {
  problem x = {.gemm = {.m = m, .n = n, .k = k, .group = group}};
  x.groups = group ? (k + group - 1) / group : 1;
  x.gemm.a_type = rung_rng_below(rng, 2) ? RUNG_U8 : RUNG_I8;
  x.gemm.a_stride = k + (int64_t)rung_rng_below(rng, 2) * rung_rng_below(rng, 9);
  x.a = random_bytes((m - 1) * x.gemm.a_stride + k, rng);
  x.weight = random_bytes(n * k, rng);
  x.gemm.weight_bits = (int)rung_rng_below(rng, 9);
  if (x.gemm.weight_bits) cut_weights(x.weight, n * k, x.gemm.weight_bits);
  fill_scales(&x, rng);
  fill_output(&x, rng);
  x.gemm.a = x.a;
  x.gemm.bias = x.bias, x.gemm.multiplier = x.multiplier, x.gemm.shift = x.shift;
  if (group) x.gemm.bias64 = x.bias64;
  return x;
}

static void problem_free(problem *x) {
  free(x->a);
  free(x->weight);
  free(x->bias);
  free(x->multiplier);
  free(x->shift);
  free(x->bias64);
}

typedef struct outputs {
  uint8_t *y, *mask;
  int32_t *acc_min, *acc_max;
} outputs;

static outputs outputs_new(const problem *x) {
  size_t columns = (size_t)x->gemm.n * sizeof(int32_t);
  outputs out = {malloc(x->y_bytes), malloc(x->mask_bytes), malloc(columns), malloc(columns)};
  memset(out.y, 0xAB, x->y_bytes);
  memset(out.mask, 0xAB, x->mask_bytes);
  memset(out.acc_min, 0xAB, columns);
  memset(out.acc_max, 0xAB, columns);
  return out;
}

static void outputs_free(outputs *out) {
  free(out->y);
  free(out->mask);
  free(out->acc_min);
  free(out->acc_max);
}

static const char guard[] = "guard";

/* Memory that ends in a guard, and the check that it still does. */
static void *guarded_new(size_t size) {
  char *memory = rung_allocate(size + sizeof guard);
  memcpy(memory + size, guard, sizeof guard);
  return memory;
}
static void guarded_free(void *memory, size_t size) {
  ck_assert_mem_eq((char *)memory + size, guard, sizeof guard);
  rung_release(memory);
}

/* What `level` with a team of `members` makes of x. Each member packs its own weights, just before. */
static outputs run(const rung_kernels *level, const problem *x, int members) {
  rung_qgemm gemm = x->gemm;
  outputs out = outputs_new(x);
  gemm.y = out.y;
  if (gemm.epilogue == RUNG_EPILOGUE_REQUANTIZE_8) gemm.mask = out.mask;
  if (!gemm.group) gemm.acc_min = out.acc_min, gemm.acc_max = out.acc_max;
  size_t scratch_size = rung_qgemm_scratch(&gemm);
  size_t packed_size = rung_qgemm_packed_size(gemm.n, gemm.k, gemm.group);
  void *scratch = guarded_new(scratch_size);
  gemm.packed = guarded_new(packed_size);
  for (int i = members - 1; i >= 0; i--) {
    int64_t begin, end;
    rung_slice(gemm.n, RUNG_QGEMM_GRAIN, i, members, &begin, &end);
    level->gemm_i8_pack(&gemm, x->weight, begin, end);
    level->gemm_i8(&gemm, scratch, i, members);
  }
  guarded_free(scratch, scratch_size);
  guarded_free(gemm.packed, packed_size);
  return out;
}

static int64_t products(const problem *x, int64_t i, int64_t j, int64_t from, int64_t to) {
  int64_t sum = 0, at = i * x->gemm.a_stride;
  for (int64_t p = from; p < to; p++) {
    int64_t a = x->gemm.a_type == RUNG_U8 ? ((uint8_t *)x->a)[at + p] : ((int8_t *)x->a)[at + p];
    sum += a * x->weight[j * x->gemm.k + p];
  }
  return sum;
}

/* floor((numerator + 2^(shift-1)) / 2^shift), by division. */
static wide round_half_up(wide numerator, int32_t shift) {
  wide power = (wide)1 << shift, sum = numerator + power / 2, quotient = sum / power;
  return quotient - (sum % power < 0);
}

static void check_element(const problem *x, const outputs *out, int64_t i, int64_t j) {
  const rung_qgemm *g = &x->gemm;
  int64_t acc = products(x, i, j, 0, g->k) + x->bias[j], at = i * g->y_stride + j;
  wide numerator = (wide)acc * x->multiplier[j];
  bool positive = acc > 0;
  if (g->group) {
    numerator = x->bias64[j];
    for (int64_t q = 0; q < x->groups; q++) {
      int64_t from = q * g->group, to = from + g->group < g->k ? from + g->group : g->k, s = j * x->groups + q;
      numerator += (wide)(products(x, i, j, from, to) + x->bias[s]) * x->multiplier[s];
    }
    positive = numerator > 0;
  }
  if (g->epilogue == RUNG_EPILOGUE_ACCUMULATOR) {
    ck_assert_int_eq(((int32_t *)out->y)[at], acc);
    return;
  }
  wide r = round_half_up(numerator, x->shift[j]), y = r + g->zero_point;
  if (g->epilogue == RUNG_EPILOGUE_REQUANTIZE_32) {
    wide clamped = r < INT32_MIN ? INT32_MIN : r > INT32_MAX ? INT32_MAX : r;
    ck_assert_int_eq(((int32_t *)out->y)[at], (int32_t)clamped);
    return;
  }
  if (g->binary) {
    ck_assert_int_eq((int8_t)out->y[at], (g->group ? numerator : acc) >= 0 ? 1 : -1);
    return;
  }
  bool inside = y >= g->qmin && y <= g->qmax;
  int64_t clamped = (int64_t)(y < g->qmin ? g->qmin : y > g->qmax ? g->qmax : y);
  ck_assert_int_eq(g->y_type == RUNG_U8 ? out->y[at] : (int8_t)out->y[at], clamped);
  bool bit = out->mask[i * g->mask_stride + j / 8] >> (j % 8) & 1;
  ck_assert_int_eq(bit, inside && (positive || !g->mask_positive));
}

/* The plain loops against the definition. */
static void check_definition(const problem *x, const outputs *out) {
  const rung_qgemm *g = &x->gemm;
  for (int64_t i = 0; i < g->m; i++)
    for (int64_t j = 0; j < g->n; j++) check_element(x, out, i, j);
  for (int64_t j = 0; j < g->n && !g->group; j++) {
    int64_t least = INT64_MAX, most = INT64_MIN;
    for (int64_t i = 0; i < g->m; i++) {
      int64_t acc = products(x, i, j, 0, g->k) + x->bias[j];
      least = acc < least ? acc : least;
      most = acc > most ? acc : most;
    }
    ck_assert_int_eq(out->acc_min[j], least);
    ck_assert_int_eq(out->acc_max[j], most);
  }
  if (g->epilogue == RUNG_EPILOGUE_REQUANTIZE_8 && !g->binary && g->n % 8)
    for (int64_t i = 0; i < g->m; i++) ck_assert_int_eq(out->mask[i * g->mask_stride + g->n / 8] >> (g->n % 8), 0);
}

/* Everything at every level: same bytes, gaps between rows and spare memory included. */
static void check(const problem *x, int members) {
  outputs expected = run(rung_kernels_level(0), x, 1);
  check_definition(x, &expected);
  size_t columns = (size_t)x->gemm.n * sizeof(int32_t);
  for (int l = 0; l < rung_kernels_level_count(); l++)
    for (int nth = 1; rung_kernels_level(l) && nth <= members; nth++) {
      outputs got = run(rung_kernels_level(l), x, nth);
      bool same = memcmp(expected.y, got.y, x->y_bytes) == 0 && memcmp(expected.mask, got.mask, x->mask_bytes) == 0 &&
                  memcmp(expected.acc_min, got.acc_min, columns) == 0 &&
                  memcmp(expected.acc_max, got.acc_max, columns) == 0;
      outputs_free(&got);
      ck_assert_msg(same, "level %s, %d members: [%d,%d,%d] group %d, a is %s, epilogue %d",
                    rung_kernels_level(l)->level, nth, (int)x->gemm.m, (int)x->gemm.n, (int)x->gemm.k,
                    (int)x->gemm.group, rung_dtype_name(x->gemm.a_type), (int)x->gemm.epilogue);
    }
  outputs_free(&expected);
}

START_TEST(random_shapes) {
  rung_rng rng = rung_rng_seed((uint64_t)_i);
  for (int trial = 0; trial < 20; trial++) {
    int64_t m = 1 + rung_rng_below(&rng, 70), n = 1 + rung_rng_below(&rng, 70), k = 1 + rung_rng_below(&rng, 70);
    problem x = problem_new(m, n, k, 0, &rng);
    check(&x, most_members);
    problem_free(&x);
  }
}
END_TEST

START_TEST(random_groups) {
  rung_rng rng = rung_rng_seed(50 + (uint64_t)_i);
  for (int trial = 0; trial < 8; trial++) {
    int64_t m = 1 + rung_rng_below(&rng, 30), n = 1 + rung_rng_below(&rng, 70), k = 1 + rung_rng_below(&rng, 150);
    problem x = problem_new(m, n, k, 4 * (1 + (int64_t)rung_rng_below(&rng, 16)), &rng);
    check(&x, 3);
    problem_free(&x);
  }
}
END_TEST

/* What runs one picture or a few, and what has too few columns to fill a panel. */
START_TEST(few_rows_and_narrow_outputs) {
  rung_rng rng = rung_rng_seed(400 + (uint64_t)_i);
  for (int trial = 0; trial < 12; trial++) {
    bool few_rows = trial % 3 < 2;
    int64_t m = 1 + rung_rng_below(&rng, few_rows ? 4 : 40), n = 1 + rung_rng_below(&rng, few_rows ? 100 : 20);
    problem x = problem_new(m, n, 1 + rung_rng_below(&rng, 400), 0, &rng);
    check(&x, 2);
    problem_free(&x);
  }
}
END_TEST

static const int64_t shapes[][3] = {{1, 1, 1},     {1, 64, 70},   {64, 1, 70},   {64, 70, 1},   {12, 32, 64},
                                    {13, 33, 5},   {6, 16, 4},    {5, 300, 20},  {300, 20, 33}, {3, 3, 9000},
                                    {40, 5, 9001}, {500, 2, 800}, {1, 34, 33001}};

START_TEST(edge_shapes) {
  rung_rng rng = rung_rng_seed(100 + (uint64_t)_i);
  for (int trial = 0; trial < 3; trial++) {
    problem x = problem_new(shapes[_i][0], shapes[_i][1], shapes[_i][2], 0, &rng);
    check(&x, 3);
    problem_free(&x);
  }
}
END_TEST

START_TEST(no_products) {
  rung_rng rng = rung_rng_seed(3);
  problem x = problem_new(5, 40, 0, 0, &rng);
  check(&x, 2);
  problem_free(&x);
}
END_TEST

/* All operands at an extreme: a saturating instruction anywhere would show. */
START_TEST(extreme_operands) {
  static const uint8_t a_values[] = {255, 128, 127, 0};
  static const int8_t w_values[] = {-128, 127};
  rung_rng rng = rung_rng_seed(200 + (uint64_t)_i);
  int64_t k = 1 + rung_rng_below(&rng, 300);
  problem x = problem_new(14, 35, k, 0, &rng);
  memset(x.a, a_values[_i % 4], (size_t)(13 * x.gemm.a_stride + k));
  x.gemm.weight_bits = 0;
  memset(x.weight, w_values[_i / 4 % 2], (size_t)(35 * k));
  x.gemm.a_type = _i / 8 % 2 ? RUNG_I8 : RUNG_U8;
  check(&x, 1);
  problem_free(&x);
}
END_TEST

/* Long sums of narrow weights, all operands at an extreme. */
START_TEST(extreme_narrow_weights) {
  rung_rng rng = rung_rng_seed(500 + (uint64_t)_i);
  int64_t k = _i < 4 ? 1 << 15 : 1 << 17;
  problem x = problem_new(2, 33, k, 0, &rng);
  x.gemm.weight_bits = _i % 2 ? 4 : 2;
  x.gemm.a_type = _i / 2 % 2 ? RUNG_I8 : RUNG_U8;
  memset(x.a, x.gemm.a_type == RUNG_U8 ? 255 : 128, (size_t)(x.gemm.a_stride + k));
  memset(x.weight, -(1 << (x.gemm.weight_bits - 1)), (size_t)(33 * k));
  check(&x, 1);
  problem_free(&x);
}
END_TEST

/* Accumulators at the ends of int32, with every shift and with multipliers at their ends. */
START_TEST(extreme_accumulators) {
  static const int32_t accumulators[] = {INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX - 1, INT32_MAX};
  static const int32_t multipliers[] = {1 << 30, (1 << 30) + 1, INT32_MAX};
  rung_rng rng = rung_rng_seed(300 + (uint64_t)_i);
  for (int trial = 0; trial < 12; trial++) {
    problem x = problem_new(2, 62, 3, 0, &rng);
    memset(x.a, 0, (size_t)(x.gemm.a_stride + 3));
    for (int j = 0; j < 62; j++) {
      x.bias[j] = accumulators[rung_rng_below(&rng, 7)];
      x.multiplier[j] = multipliers[rung_rng_below(&rng, 3)];
      x.shift[j] = _i % 2 ? j + 1 : 33 + j % 22;
    }
    check(&x, 1);
    problem_free(&x);
  }
}
END_TEST

/* Ties: a numerator that is an odd multiple of 2^(shift-1), of either sign, rounds up. */
START_TEST(ties_round_up) {
  rung_rng rng = rung_rng_seed(9);
  problem x = problem_new(1, 64, 1, 0, &rng);
  *(uint8_t *)x.a = 0;
  x.gemm.epilogue = RUNG_EPILOGUE_REQUANTIZE_32;
  for (int j = 0; j < 64; j++) x.bias[j] = 2 * j - 63, x.multiplier[j] = 1 << 30, x.shift[j] = 31;
  x.y_bytes = 64 * sizeof(int32_t);
  check(&x, 1);
  for (int l = 0; l < rung_kernels_level_count(); l++) {
    if (!rung_kernels_level(l)) continue;
    outputs out = run(rung_kernels_level(l), &x, 1);
    for (int j = 0; j < 64; j++) ck_assert_int_eq(((int32_t *)out.y)[j], j - 31); /* (2j - 63)/2 + 1/2 */
    outputs_free(&out);
  }
  problem_free(&x);
}
END_TEST

/* Without mask and range nothing of them is touched, and the same y comes out. */
START_TEST(mask_and_range_are_optional) {
  rung_rng rng = rung_rng_seed(11);
  problem x = problem_new(30, 45, 50, 0, &rng);
  x.gemm.epilogue = RUNG_EPILOGUE_REQUANTIZE_8;
  x.y_bytes = (size_t)(29 * x.gemm.y_stride + 45);
  outputs expected = run(rung_kernels_level(0), &x, 1), got = outputs_new(&x);
  x.gemm.y = got.y;
  x.gemm.packed = rung_allocate(rung_qgemm_packed_size(45, 50, 0));
  void *scratch = rung_allocate(rung_qgemm_scratch(&x.gemm));
  rung_qgemm_pack(&x.gemm, x.weight, 0, 45);
  rung_qgemm_run(&x.gemm, scratch, 0, 1);
  ck_assert_mem_eq(expected.y, got.y, x.y_bytes);
  rung_release(scratch);
  rung_release(x.gemm.packed);
  outputs_free(&expected);
  outputs_free(&got);
  problem_free(&x);
}
END_TEST

START_TEST(scratch_is_bounded) {
  rung_qgemm gemm = {.m = 1 << 20, .n = 1 << 20, .k = 1 << 12};
  ck_assert_uint_le(rung_qgemm_scratch(&gemm), 1 << 20);
  gemm.m = 1, gemm.k = 784;
  ck_assert_uint_le(rung_qgemm_scratch(&gemm), 64 << 10);
}
END_TEST

TEST_MAIN(CASES(random_shapes, 10), CASES(random_groups, 10), CASES(few_rows_and_narrow_outputs, 10),
          CASES(edge_shapes, (int)(sizeof shapes / sizeof shapes[0])), CASE(no_products), CASES(extreme_operands, 16),
          CASES(extreme_narrow_weights, 8), CASES(extreme_accumulators, 8), CASE(ties_round_up),
          CASE(mask_and_range_are_optional), CASE(scratch_is_bounded))
