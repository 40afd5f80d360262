/* rung/kernels.h: the arithmetic.
 *
 * Everything here gives the same bits at every level (docs/design.md, "Same bits everywhere"):
 *  - an element of a matrix product is one chain of fused multiply-adds, k ascending, whatever the blocking;
 *  - any other sum runs in 16 lanes (element i goes to lane i mod 16, in order), which are then added as a fixed tree:
 *    lane l += lane l+8, then l+4, l+2, l+1;
 *  - exp, log, tanh, erf are the same operations on every machine.
 *
 * Functions work on what they are given, on the calling thread. Those that take (ith, nth) do member ith's part of a
 * team of nth; the parts together write everything once, and no part reads what another writes. */
#ifndef RUNG_KERNELS_H
#define RUNG_KERNELS_H

#include <rung/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Vector kernels: one table a level -------------------------------------------------------------------------- */

/* Every kernel of the table: RUNG_KERNEL_LIST(ROW) expands ROW(name) once for each. Adding one: docs/adding.md. */
/* clang-format off */
#define RUNG_KERNEL_LIST(ROW) \
  ROW(exp) ROW(log) ROW(tanh) ROW(erf) \
  ROW(sigmoid) ROW(sigmoid_backward) ROW(tanh_backward) \
  ROW(relu) ROW(relu_backward) ROW(relu6) ROW(relu6_backward) \
  ROW(gelu) ROW(gelu_backward) \
  ROW(add) ROW(multiply) ROW(multiply_add) ROW(scale_add) \
  ROW(sum) ROW(dot) ROW(min_max) ROW(max_abs) ROW(sum_i8) ROW(column_sum) ROW(column_dot) \
  ROW(softmax) ROW(cross_entropy) \
  ROW(quantize_u8) ROW(quantize_i8) ROW(dequantize_u8) ROW(dequantize_i8) \
  ROW(fake_quantize) ROW(mask_apply) \
  ROW(sgd) ROW(adam) \
  ROW(gemm_f32) ROW(gemm_i8) ROW(gemm_i8_pack)
/* clang-format on */

typedef struct rung_gemm rung_gemm;
typedef struct rung_qgemm rung_qgemm;

typedef struct rung_adam_step {
  float rate;                     /* learning rate */
  float beta1, beta2, epsilon;    /* Kingma and Ba, "Adam", 2015 */
  float correction1, correction2; /* 1 / (1 - beta^t) of this step t */
  float weight_decay;             /* L2, added to the gradient (Adam) */
  float decoupled_decay;          /* times rate, straight on the weight (AdamW, Loshchilov and Hutter, 2019) */
  float gradient_scale;           /* multiplies every gradient first (clipping); 1 leaves it */
} rung_adam_step;

typedef struct rung_sgd_step {
  float rate, momentum, weight_decay, gradient_scale;
  bool nesterov;
} rung_sgd_step;

typedef struct rung_kernels {
  const char *level; /* "ref", "generic", "v2", "v3", "v4", "v4vnni", "neon" */

  /* y[i] = f(x[i]), i < n. y may be x. Error in units in the last place: docs/kernels.md. */
  void (*exp)(float *y, const float *x, int64_t n);
  void (*log)(float *y, const float *x, int64_t n);
  void (*tanh)(float *y, const float *x, int64_t n);
  void (*erf)(float *y, const float *x, int64_t n);
  void (*sigmoid)(float *y, const float *x, int64_t n); /* 1 / (1 + e^-x) */
  void (*relu)(float *y, const float *x, int64_t n);    /* max(x, 0); NaN stays NaN */
  void (*relu6)(float *y, const float *x, int64_t n);   /* min(max(x, 0), 6) */
  void (*gelu)(float *y, const float *x, int64_t n);    /* x (1 + erf(x / sqrt 2)) / 2 */

  /* dx[i] = dy[i] f'(.), or dx[i] += that where `accumulate`. The last operand is what the derivative is written in:
   * the output y of sigmoid and tanh, the input x of the others. At the corners (0, 6) the derivative is 0. */
  void (*sigmoid_backward)(float *dx, const float *dy, const float *y, int64_t n, bool accumulate);
  void (*tanh_backward)(float *dx, const float *dy, const float *y, int64_t n, bool accumulate);
  void (*relu_backward)(float *dx, const float *dy, const float *x, int64_t n, bool accumulate);
  void (*relu6_backward)(float *dx, const float *dy, const float *x, int64_t n, bool accumulate);
  void (*gelu_backward)(float *dx, const float *dy, const float *x, int64_t n, bool accumulate);

  void (*add)(float *y, const float *a, const float *b, int64_t n);          /* y = a + b */
  void (*multiply)(float *y, const float *a, const float *b, int64_t n);     /* y = a b */
  void (*multiply_add)(float *y, const float *a, const float *b, int64_t n); /* y = fma(a, b, y) */
  /* y = alpha x, or fma(alpha, x, y) where `accumulate`. */
  void (*scale_add)(float *y, const float *x, float alpha, int64_t n, bool accumulate);

  float (*sum)(const float *x, int64_t n);                 /* 16 lanes and the tree; 0 for n = 0 */
  float (*dot)(const float *a, const float *b, int64_t n); /* the same, each lane an fma chain */
  /* Smallest and largest of x; *has_nan tells whether a NaN was met (it is skipped). n = 0, or only NaN: +inf, -inf. */
  void (*min_max)(const float *x, int64_t n, float *min, float *max, bool *has_nan);
  float (*max_abs)(const float *x, int64_t n); /* largest magnitude, NaN passed over; 0 for n = 0 */
  /* Of q and of |q|; n < 2^24. */
  void (*sum_i8)(const int8_t *q, int64_t n, int32_t *sum, int32_t *magnitude);
  /* y[j] = sum over rows i, ascending, of x[i stride + j] (column_dot: of a[..] b[..], as an fma chain), j < columns;
   * added to y[j] where `accumulate` (the chain then starts from y[j]). */
  void (*column_sum)(float *y, const float *x, int64_t rows, int64_t columns, int64_t stride, bool accumulate);
  void (*column_dot)(float *y, const float *a, const float *b, int64_t rows, int64_t columns, int64_t stride,
                     bool accumulate);

  /* Each row of x [rows, columns], dense: y = exp(x - max) / sum. y may be x. */
  void (*softmax)(float *y, const float *x, int64_t rows, int64_t columns);
  /* probability = softmax(x); loss[i] = log(sum exp(x_i - max)) - (x_i[label_i] - max). */
  void (*cross_entropy)(float *loss, float *probability, const float *x, const int32_t *label, int64_t rows,
                        int64_t columns);

  /* q = clamp(rne(x * inverse_scale) + zero_point, qmin, qmax)   (docs/quantization.md, eq. 2), +-inf saturates.
   * x has no NaN. [qmin, qmax] lies within the type. */
  void (*quantize_u8)(uint8_t *q, const float *x, int64_t n, float inverse_scale, int32_t zero_point, int32_t qmin,
                      int32_t qmax);
  void (*quantize_i8)(int8_t *q, const float *x, int64_t n, float inverse_scale, int32_t zero_point, int32_t qmin,
                      int32_t qmax);
  /* x = scale * (q - zero_point)   (eq. 1) */
  void (*dequantize_u8)(float *x, const uint8_t *q, int64_t n, float scale, int32_t zero_point);
  void (*dequantize_i8)(float *x, const int8_t *q, int64_t n, float scale, int32_t zero_point);
  /* y = scale * (quantize(x) - zero_point); bit i of `mask` (may be NULL; (n + 7) / 8 bytes, bit i % 8 of byte i / 8,
   * spare bits 0) is 1 where rne(x * inverse_scale) + zero_point lies in [qmin, qmax] (eq. 6). y may be x. */
  void (*fake_quantize)(float *y, uint8_t *mask, const float *x, int64_t n, float scale, float inverse_scale,
                        int32_t zero_point, int32_t qmin, int32_t qmax);
  /* dx[i] = bit i of mask ? dy[i] : 0, or dx[i] += that where `accumulate`. dx may be dy. */
  void (*mask_apply)(float *dx, const float *dy, const uint8_t *mask, int64_t n, bool accumulate);

  /* One optimizer step on n weights. `momentum` may be NULL where step->momentum is 0. */
  void (*sgd)(float *weight, const float *gradient, float *momentum, int64_t n, const rung_sgd_step *step);
  void (*adam)(float *weight, const float *gradient, float *moment1, float *moment2, int64_t n,
               const rung_adam_step *step);

  /* The matrix products below, member ith's part. */
  void (*gemm_f32)(const rung_gemm *gemm, void *scratch, int ith, int nth);
  void (*gemm_i8)(const rung_qgemm *gemm, void *scratch, int ith, int nth);
  void (*gemm_i8_pack)(const rung_qgemm *gemm, const int8_t *weight, int64_t begin, int64_t end);
} rung_kernels;

/* The table in use: the best this processor has, or the level that the environment's RUNG_CPU names. Chosen once. */
RUNG_API const rung_kernels *rung_kernels_active(void);
/* Level `index`, best last, or NULL past the end or where this processor lacks it: for tests and benchmarks. Index 0 is
 * "ref", the plain loops that every other level must equal to the bit. */
RUNG_API const rung_kernels *rung_kernels_level(int index);
RUNG_API int rung_kernels_level_count(void);
/* Makes `level` the active one; not while a team runs. RUNG_ERROR_ARGUMENT where it is unknown or the processor lacks
 * it. */
RUNG_API rung_status rung_kernels_use(const char *level);

/* ---- Matrix product in f32, operands in any representation ------------------------------------------------------ */

/* A matrix operand as it is stored, row-major, `stride` elements from a stored row to the next. `transpose` makes the
 * operand the transpose of what is stored. Types F32, U8 and I8; an integer q of stored row r, column c stands for
 * scale[r * scale_stride + c / group] * (q - zero_point[same]), as f32, rounded once. */
typedef struct rung_matrix {
  const void *data;
  rung_dtype type;
  bool transpose;
  int64_t stride;
  const float *scale;        /* integer types only */
  const int32_t *zero_point; /* integer types; NULL means 0 everywhere */
  int64_t scale_stride;      /* scales from a stored row to the next; 0: the rows share them */
  int64_t group;             /* stored columns that share a scale; 0: all */
} rung_matrix;

/* Takes rows row .. row + rows - 1 of a product, dense [rows, n], while they are in the cache. */
typedef void rung_gemm_take(void *context, float *c, int64_t row, int64_t rows);
#define RUNG_GEMM_GRAIN 32

/* c [m, n] = a [m, k] b [k, n] (+ c where `accumulate`: the chain starts from c, else from 0), then + bias[j], then
 * max(., 0) where `relu`. Split over members by columns of c (by rows where c has few columns). With `take` there is no
 * c and no accumulating: each member hands the rows of rung_slice(m, RUNG_GEMM_GRAIN, ith, nth) over as they come,
 * RUNG_GEMM_GRAIN at a time, the last ones perhaps fewer. */
struct rung_gemm {
  int64_t m, n, k;
  rung_matrix a, b;
  float *c;
  int64_t c_stride;
  bool accumulate;
  const float *bias; /* [n] or NULL */
  bool relu;
  rung_gemm_take *take; /* or NULL */
  void *context;
};

/* Scratch bytes that each member needs at any level, aligned to RUNG_ALIGNMENT. */
RUNG_API size_t rung_gemm_scratch(const rung_gemm *gemm);
RUNG_API void rung_gemm_run(const rung_gemm *gemm, void *scratch, int ith, int nth);

/* ---- Integer matrix product ------------------------------------------------------------------------------------- */

typedef enum rung_epilogue {
  RUNG_EPILOGUE_ACCUMULATOR = 0, /* y i32 = acc; no groups */
  RUNG_EPILOGUE_REQUANTIZE_8,    /* y u8 or i8 = clamp(zero_point + r, qmin, qmax) */
  RUNG_EPILOGUE_REQUANTIZE_32    /* y i32 = clamp(r) to int32: logits on one common scale */
} rung_epilogue;

/* acc[i][j] = bias[j] + sum_k a[i][k] w[j][k], exact in int32, and
 *   r = (acc * multiplier[j] + 2^(shift[j]-1)) >> shift[j]                               (docs/quantization.md, eq. 8).
 * With groups (`group` > 0 input columns each, a multiple of 4; the last may be short) the products of group g are
 * summed apart, acc_g[i][j] = group_bias[j][g] + ..., and
 *   r = (bias64[j] + sum_g acc_g * multiplier[j][g] + 2^(shift[j]-1)) >> shift[j],  the sum in int64   (eq. 9).
 * Weights are [n, k] int8, `packed` for the active level by rung_qgemm_pack. */
struct rung_qgemm {
  int64_t m, n, k;
  rung_dtype a_type; /* U8 or I8 */
  const void *a;     /* [m, k] */
  int64_t a_stride;
  void *packed;              /* rung_qgemm_packed_size bytes, aligned to RUNG_ALIGNMENT */
  int64_t group;             /* 0: no groups */
  const int32_t *bias;       /* [n], or [n, groups]: here goes -zero_point_x * sum_k w as well */
  const int64_t *bias64;     /* [n], groups only */
  const int32_t *multiplier; /* [n], or [n, groups]; in [2^30, 2^31), with groups [0, 2^31) */
  const int32_t *shift;      /* [n], in 1 .. 62 */
  rung_epilogue epilogue;
  rung_dtype y_type; /* REQUANTIZE_8: U8 or I8 */
  void *y;
  int64_t y_stride;
  int32_t zero_point, qmin, qmax; /* REQUANTIZE_8; ReLU is qmin = zero_point */
  /* REQUANTIZE_8: the straight-through mask (may be NULL): bit j % 8 of byte j / 8 of a row is 1 where qmin <= r +
   * zero_point <= qmax and, with `mask_positive`, r's numerator before rounding (acc, or the int64 sum) is > 0. Spare
   * bits are 0. */
  uint8_t *mask;
  int64_t mask_stride; /* bytes; >= (n + 7) / 8 */
  bool mask_positive;
  /* Observed range (may be NULL, both or none; no groups): the smallest and the largest acc of column j over all m
   * rows. m >= 1. */
  int32_t *acc_min, *acc_max; /* [n] */
};

/* Bytes of packed weights that are enough for any level. */
RUNG_API size_t rung_qgemm_packed_size(int64_t n, int64_t k, int64_t group);
/* Packs rows begin .. end-1 of weight [n, k] (dense). `begin` is a multiple of RUNG_QGEMM_GRAIN; so is `end` unless it
 * is n. Reads gemm's n, k, group; writes gemm->packed. */
RUNG_API void rung_qgemm_pack(const rung_qgemm *gemm, const int8_t *weight, int64_t begin, int64_t end);
#define RUNG_QGEMM_GRAIN 32
RUNG_API size_t rung_qgemm_scratch(const rung_qgemm *gemm); /* bytes a member, enough for any level */
/* Member ith works on the output columns rung_slice(n, RUNG_QGEMM_GRAIN, ith, nth), so that it can pack those rows of
 * the weight itself, just before, without a barrier. */
RUNG_API void rung_qgemm_run(const rung_qgemm *gemm, void *scratch, int ith, int nth);

/* eq. 8 on one accumulator, before zero_point: the definition that all levels and the emitted C equal. */
static inline int64_t rung_requantize(int64_t acc, int32_t multiplier, int32_t shift) {
  return (acc * multiplier + ((int64_t)1 << (shift - 1))) >> shift;
}

#ifdef __cplusplus
}
#endif

#endif
