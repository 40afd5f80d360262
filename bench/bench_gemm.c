/* The matrix products at the shapes that training and inference use: f32 with operands in any representation, int8 with
 * its epilogues. One thread. */
#include "bench.h"

#include <string.h>

/* Random bytes, or floats in [-1, 1). Operands live as long as the program: nothing frees them. */
static void *make(rung_dtype type, int64_t count) {
  static uint64_t seed = 0;
  rung_rng rng = rung_rng_seed(++seed);
  void *data = rung_allocate((size_t)count * rung_dtype_size(type));
  bench_check(data != NULL);
  for (int64_t i = 0; i < count; i++) {
    if (type == RUNG_F32)
      ((float *)data)[i] = 2 * rung_rng_uniform(&rng) - 1;
    else
      ((uint8_t *)data)[i] = (uint8_t)rung_rng_u32(&rng);
  }
  return data;
}

static void *fill(int64_t count, int32_t value) {
  int32_t *data = rung_allocate((size_t)count * sizeof *data);
  bench_check(data != NULL);
  for (int64_t i = 0; i < count; i++) data[i] = value;
  return data;
}

/* ---- f32 -------------------------------------------------------------------------------------------------------- */

/* c [m, n] = a b: n as stored, t transposed. Forward is nt, the inputs' gradient nn, the weights' tn or, the other way
 * around, c's transpose. */
static const struct {
  int64_t m, n, k;
  const char *order;
  rung_dtype b_type;
} float_shapes[] = {
    {128, 512, 784, "nt", RUNG_F32}, {512, 784, 128, "tn", RUNG_F32}, {784, 512, 128, "tn", RUNG_F32},
    {512, 784, 128, "tn", RUNG_U8},  {512, 784, 128, "tn", RUNG_I8},  {512, 512, 512, "nn", RUNG_F32},
    {512, 512, 512, "nt", RUNG_F32}, {512, 512, 512, "tn", RUNG_F32}, {64, 256, 784, "nt", RUNG_F32},
    {256, 784, 64, "tn", RUNG_F32},  {256, 784, 64, "tn", RUNG_U8},   {64, 10, 128, "nt", RUNG_F32},
};

typedef struct float_product {
  rung_gemm gemm;
  void *scratch;
} float_product;

static void run_float(void *context) {
  const float_product *product = context;
  rung_gemm_run(&product->gemm, product->scratch, 0, 1);
}

static rung_matrix make_matrix(rung_dtype type, bool transpose, int64_t rows, int64_t columns) {
  static const float scale = 1.0f / 255;
  return (rung_matrix){.data = make(type, rows * columns),
                       .type = type,
                       .transpose = transpose,
                       .stride = transpose ? rows : columns,
                       .scale = type == RUNG_F32 ? NULL : &scale};
}

static void add_float(bench *b, size_t i) {
  static float_product products[sizeof float_shapes / sizeof float_shapes[0]];
  const int64_t m = float_shapes[i].m, n = float_shapes[i].n, k = float_shapes[i].k;
  const char *order = float_shapes[i].order;
  bench_row row = {
      .unit = "call", .peak = BENCH_F32, .work = 2.0 * (double)(m * n * k), .run = run_float, .context = &products[i]};
  snprintf(row.name, sizeof row.name, "gemm/%s/%lldx%lldx%lld/%s", rung_dtype_name(float_shapes[i].b_type),
           (long long)m, (long long)n, (long long)k, order);
  if (!bench_add(b, &row)) return;
  rung_gemm gemm = {.m = m, .n = n, .k = k, .c = make(RUNG_F32, m * n), .c_stride = n};
  gemm.a = make_matrix(RUNG_F32, order[0] == 't', m, k);
  gemm.b = make_matrix(float_shapes[i].b_type, order[1] == 't', k, n);
  products[i] = (float_product){gemm, rung_allocate(rung_gemm_scratch(&gemm))};
  bench_check(products[i].scratch != NULL);
}

/* ---- int8 ------------------------------------------------------------------------------------------------------- */

static const int64_t integer_shapes[][3] = {{252, 256, 784}, {1024, 1024, 1024}, {256, 256, 784}, {64, 128, 256},
                                            {128, 512, 784}, {1, 256, 784},      {256, 10, 128}};

typedef struct integer_product {
  rung_qgemm gemm;
  void *scratch;
} integer_product;

static void run_integer(void *context) {
  const integer_product *product = context;
  rung_qgemm_run(&product->gemm, product->scratch, 0, 1);
}

/* The epilogue of the integer program, or that of training: with the straight-through mask and the observed range. */
static void make_integer(integer_product *product, const int64_t shape[3], bool training) {
  const int64_t m = shape[0], n = shape[1], k = shape[2];
  rung_qgemm gemm = {.m = m, .n = n, .k = k, .a_type = RUNG_U8, .a = make(RUNG_U8, m * k), .a_stride = k};
  gemm.packed = rung_allocate(rung_qgemm_packed_size(n, k, 0));
  gemm.bias = fill(n, 0);
  gemm.multiplier = fill(n, (1 << 30) + 1);
  gemm.shift = fill(n, 44);
  gemm.epilogue = RUNG_EPILOGUE_REQUANTIZE_8;
  gemm.y_type = RUNG_U8;
  gemm.y = make(RUNG_U8, m * n);
  gemm.y_stride = n;
  gemm.qmax = 255;
  if (training) {
    gemm.mask_stride = (n + 7) / 8;
    gemm.mask = make(RUNG_U8, m * gemm.mask_stride);
    gemm.mask_positive = true;
    gemm.acc_min = fill(n, 0);
    gemm.acc_max = fill(n, 0);
  }
  *product = (integer_product){gemm, rung_allocate(rung_qgemm_scratch(&gemm))};
  bench_check(gemm.packed && product->scratch);
  int8_t *weight = make(RUNG_I8, n * k);
  rung_qgemm_pack(&gemm, weight, 0, n);
  rung_release(weight);
}

static void add_integer(bench *b, size_t i, bool training) {
  static integer_product products[sizeof integer_shapes / sizeof integer_shapes[0]][2];
  const int64_t *shape = integer_shapes[i];
  bench_row row = {.unit = "call",
                   .peak = BENCH_INT8,
                   .work = 2.0 * (double)(shape[0] * shape[1] * shape[2]),
                   .run = run_integer,
                   .context = &products[i][training]};
  snprintf(row.name, sizeof row.name, "gemm/int8/%lldx%lldx%lld/%s", (long long)shape[0], (long long)shape[1],
           (long long)shape[2], training ? "train" : "requantize");
  if (bench_add(b, &row)) make_integer(&products[i][training], shape, training);
}

int main(int argc, char **argv) {
  bench b = bench_begin("gemm", argc, argv, NULL, 0);
  for (size_t i = 0; i < sizeof float_shapes / sizeof float_shapes[0]; i++) add_float(&b, i);
  for (size_t i = 0; i < sizeof integer_shapes / sizeof integer_shapes[0]; i++)
    for (int training = 0; training < 2; training++) add_integer(&b, i, training);
  bench_run(&b);
  return bench_end(&b);
}
