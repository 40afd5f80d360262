/* Every vector kernel at every level against ref, to the bit: one check a row of RUNG_KERNEL_LIST, so that a kernel
 * without one does not compile. */
#include "harness.h"

#include <math.h>
#include <rung/kernels.h>

enum { most = 1100, slack = 16, rows = 5, input_size = rows * (most + 8), lengths_in_full = 70 };

typedef struct input {
  int64_t n;
  const float *a, *b, *c; /* [rows (n + 8)], unaligned */
  const uint8_t *bytes;
  bool accumulate, in_place;
} input;

/* All that a kernel may write. What lies beyond is compared as well. */
typedef struct output {
  float f[3][input_size];
  uint8_t bytes[most + slack];
  float scalar[2];
  int32_t sum[2];
  bool flag;
} output;

typedef void check(const rung_kernels *k, const input *in, output *out);

/* Where y may be x: the input itself, or its copy in the output. */
static const float *source(const input *in, output *out, int64_t count) {
  if (!in->in_place) return in->a;
  memcpy(out->f[0], in->a, (size_t)count * sizeof(float));
  return out->f[0];
}

/* An output that is also read. */
static float *changed(output *out, int which, const float *from, int64_t n) {
  return memcpy(out->f[which], from, (size_t)n * sizeof(float));
}

#define CHECK(name) static void check_##name(const rung_kernels *k, const input *in, output *out)

#define UNARY(name)                                                                                                    \
  CHECK(name) {                                                                                                        \
    k->name(out->f[0], source(in, out, in->n), in->n);                                                                 \
  }
UNARY(exp)
UNARY(log)
UNARY(tanh)
UNARY(erf)
UNARY(sigmoid)
UNARY(relu)
UNARY(relu6)
UNARY(gelu)

#define BACKWARD(name)                                                                                                 \
  CHECK(name) {                                                                                                        \
    k->name(changed(out, 0, in->c, in->n), in->a, in->b, in->n, in->accumulate);                                       \
  }
BACKWARD(sigmoid_backward)
BACKWARD(tanh_backward)
BACKWARD(relu_backward)
BACKWARD(relu6_backward)
BACKWARD(gelu_backward)

CHECK(add) {
  k->add(out->f[0], source(in, out, in->n), in->b, in->n);
}

CHECK(multiply) {
  k->multiply(out->f[0], source(in, out, in->n), in->b, in->n);
}

CHECK(multiply_add) {
  k->multiply_add(changed(out, 0, in->c, in->n), in->a, in->b, in->n);
}

CHECK(scale_add) {
  k->scale_add(changed(out, 0, in->c, in->n), in->a, 1.3f, in->n, in->accumulate);
}

CHECK(sum) {
  out->scalar[0] = k->sum(in->a, in->n);
}

CHECK(dot) {
  out->scalar[0] = k->dot(in->a, in->b, in->n);
}

CHECK(min_max) {
  k->min_max(in->a, in->n, &out->scalar[0], &out->scalar[1], &out->flag);
}

CHECK(max_abs) {
  out->scalar[0] = k->max_abs(in->a, in->n);
}

CHECK(sum_i8) {
  k->sum_i8((const int8_t *)in->bytes, in->n, &out->sum[0], &out->sum[1]);
}

CHECK(column_sum) {
  k->column_sum(changed(out, 0, in->c, in->n), in->a, rows, in->n, in->n + 3, in->accumulate);
}

CHECK(column_dot) {
  k->column_dot(changed(out, 0, in->c, in->n), in->a, in->b, rows, in->n, in->n + 3, in->accumulate);
}

CHECK(softmax) {
  if (in->n > 0) k->softmax(out->f[0], source(in, out, rows * in->n), rows, in->n);
}

CHECK(cross_entropy) {
  if (in->n == 0) return;
  int32_t label[rows];
  for (int i = 0; i < rows; i++) label[i] = (int32_t)(i * 7 % in->n);
  k->cross_entropy(out->f[1], out->f[0], source(in, out, rows * in->n), label, rows, in->n);
}

CHECK(quantize_u8) {
  if (in->accumulate)
    k->quantize_u8(out->bytes, in->a, in->n, 7.0f, 3, 0, 15);
  else
    k->quantize_u8(out->bytes, in->a, in->n, 37.0f, 131, 0, 255);
}

CHECK(quantize_i8) {
  if (in->accumulate)
    k->quantize_i8((int8_t *)out->bytes, in->a, in->n, 2.0f, 0, -7, 7);
  else
    k->quantize_i8((int8_t *)out->bytes, in->a, in->n, 37.0f, -5, -128, 127);
}

CHECK(dequantize_u8) {
  k->dequantize_u8(out->f[0], in->bytes, in->n, 0.0173f, 131);
}

CHECK(dequantize_i8) {
  k->dequantize_i8(out->f[0], (const int8_t *)in->bytes, in->n, 0.0173f, -5);
}

CHECK(fake_quantize) {
  uint8_t *mask = in->accumulate ? NULL : out->bytes;
  k->fake_quantize(out->f[0], mask, source(in, out, in->n), in->n, 0.25f, 4.0f, 3, 0, 15);
}

CHECK(mask_apply) {
  const float *dy = in->accumulate ? in->a : source(in, out, in->n);
  float *dx = in->accumulate ? changed(out, 0, in->c, in->n) : out->f[0];
  k->mask_apply(dx, dy, in->bytes, in->n, in->accumulate);
}

CHECK(sgd) {
  const rung_sgd_step step = {.rate = 0.1f,
                              .momentum = in->accumulate ? 0.9f : 0.0f,
                              .weight_decay = 1e-4f,
                              .gradient_scale = 0.7f,
                              .nesterov = in->in_place};
  float *momentum = in->accumulate ? changed(out, 1, in->c, in->n) : NULL;
  k->sgd(changed(out, 0, in->a, in->n), in->b, momentum, in->n, &step);
}

CHECK(adam) {
  const rung_adam_step step = {.rate = 1e-3f,
                               .beta1 = 0.9f,
                               .beta2 = 0.999f,
                               .epsilon = 1e-8f,
                               .correction1 = 1.0f / (1.0f - 0.81f),
                               .correction2 = 1.0f / (1.0f - 0.998001f),
                               .weight_decay = in->accumulate ? 1e-2f : 0.0f,
                               .decoupled_decay = in->in_place ? 1e-2f : 0.0f,
                               .gradient_scale = 0.7f};
  k->adam(changed(out, 0, in->a, in->n), in->b, changed(out, 1, in->c, in->n), changed(out, 2, in->c, in->n), in->n,
          &step);
}

/* What takes a struct has a test of its own: test_gemm_f32.c, test_gemm_bf16.c, test_gemm_i8.c, test_igemm.c,
 * test_gradient.c. */
#define check_gemm_f32          NULL
#define check_gemm_i8           NULL
#define check_gemm_bf16         NULL
#define check_gemm_i8_pack      NULL
#define check_igemm             NULL
#define check_gradient_range    NULL
#define check_gradient_quantize NULL

static const struct {
  const char *name;
  check *run;
} checks[] = {
#define ROW(name) {#name, check_##name},
    RUNG_KERNEL_LIST(ROW)
#undef ROW
};
enum { check_count = (int)(sizeof checks / sizeof checks[0]) };

static const float special[] = {
    0.0f,      -0.0f,      1.0f,      -1.0f,          0.5f,           -0.5f,    INFINITY,  -INFINITY, NAN,
    0x1p-149f, -0x1p-149f, 0x1p-127f, -0x1p-126f,     3.4e38f,        -3.4e38f, 6.0f,      88.72f,    88.73f,
    -87.5f,    -103.9f,    -104.5f,   0x1.6a09e6p-1f, 0x1.fffffep-1f, 0.34657f, -0.34658f, 9.1f,      -14.5f,
    15.1f,     3.92f,      0.125f,    -0.125f,        3.0625f,        1e-20f,   -1e20f,    2.5f};

/* Kinds of data: 0 values of an ordinary size, 1 floats of any bits and special values among them. */
static void fill(float *x, int64_t n, int kind, rung_rng *rng) {
  enum { specials = (int)(sizeof special / sizeof special[0]) };
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits = rung_rng_u32(rng), choice = kind == 0 ? 0 : 1 + rung_rng_below(rng, 3);
    if (choice == 0) x[i] = ((float)bits * 0x1p-32f - 0.5f) * 8.0f;
    if (choice == 1) x[i] = special[bits % specials];
    if (choice == 2) memcpy(&x[i], &bits, sizeof bits);
    if (choice == 3) x[i] = ((float)bits * 0x1p-32f - 0.5f) * 64.0f;
  }
}

/* Equal bits, or both NaN: which NaN it is, is not promised. */
static bool same_floats(const float *a, const float *b, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]))) return false;
  return true;
}

static bool same_outputs(const output *a, const output *b, int64_t n) {
  int64_t reached = rows * n + slack;
  for (int i = 0; i < 3; i++)
    if (!same_floats(a->f[i], b->f[i], reached)) return false;
  return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0 && same_floats(a->scalar, b->scalar, 2) &&
         memcmp(a->sum, b->sum, sizeof a->sum) == 0 && a->flag == b->flag;
}

static output want, got;
static float values[3][input_size + slack];
static uint8_t some_bytes[most + slack];

static void compare_levels(int which, input *in) {
  memset(&want, 0x5a, sizeof want);
  want.flag = false;
  checks[which].run(rung_kernels_level(0), in, &want);
  for (int l = 1; l < rung_kernels_level_count(); l++) {
    const rung_kernels *level = rung_kernels_level(l);
    if (!level) continue;
    memset(&got, 0x5a, sizeof got);
    got.flag = false;
    checks[which].run(level, in, &got);
    ck_assert_msg(same_outputs(&want, &got, in->n), "%s at level %s: n %d, accumulate %d, in place %d differs from ref",
                  checks[which].name, level->level, (int)in->n, in->accumulate, in->in_place);
  }
}

START_TEST(every_level_equals_ref) {
  if (!checks[_i].run) return;
  static const int64_t longer[] = {127, 256, 259, 1027};
  rung_rng rng = rung_rng_seed(7 + (uint64_t)_i);
  for (int length = 0; length <= lengths_in_full + 4; length++)
    for (int variant = 0; variant < 4; variant++) {
      int64_t n = length <= lengths_in_full ? length : longer[length - lengths_in_full - 1];
      int64_t offset = (length * 5 + variant) % slack;
      for (int i = 0; i < 3; i++) fill(values[i] + offset, rows * (n + 8), (length + variant / 2) % 2, &rng);
      for (int64_t i = 0; i < n + slack; i++) some_bytes[i] = (uint8_t)rung_rng_u32(&rng);
      input in = {n,
                  values[0] + offset,
                  values[1] + offset,
                  values[2] + offset,
                  some_bytes + length % 3,
                  variant % 2 == 1,
                  variant / 2 == 1};
      compare_levels(_i, &in);
    }
}
END_TEST

/* The comparison itself: a bit that differs, a sign of zero, and a byte past the end are seen; another NaN is not. */
START_TEST(comparison_sees_a_difference) {
  memset(&want, 0, sizeof want);
  memcpy(&got, &want, sizeof got);
  ck_assert(same_outputs(&want, &got, 10));
  got.f[2][50 + slack - 1] = 0x1p-149f;
  ck_assert(!same_outputs(&want, &got, 10));
  got.f[2][50 + slack - 1] = -0.0f;
  ck_assert(!same_outputs(&want, &got, 10));
  got.f[2][50 + slack - 1] = want.f[2][50 + slack - 1] = NAN;
  got.f[2][0] = -NAN;
  want.f[2][0] = NAN;
  ck_assert(same_outputs(&want, &got, 10));
  got.bytes[most + slack - 1] = 1;
  ck_assert(!same_outputs(&want, &got, 10));
}
END_TEST

TEST_MAIN(CASES(every_level_equals_ref, check_count), CASE(comparison_sees_a_difference))
