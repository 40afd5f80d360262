/* rung/kernels.h: the arithmetic.
 *
 * Everything here, but for gemm_bf16 at level v4bf16, gives the same bits at every level (docs/design.md, "Same bits
 * everywhere"):
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
  ROW(gradient_range) ROW(gradient_quantize) \
  ROW(gemm_f32) ROW(gemm_bf16) ROW(gemm_i8) ROW(gemm_i8_pack) ROW(igemm)
/* clang-format on */

typedef struct rung_gemm rung_gemm;
typedef struct rung_qgemm rung_qgemm;
typedef struct rung_igemm rung_igemm;
typedef struct rung_gradient rung_gradient;
typedef struct rung_gradient_codes rung_gradient_codes;

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
  const char *level; /* "ref", "generic", "v2", "v3", "v4", "v4vnni", "v4bf16", "neon" */

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

  /* One optimizer step on n weights. `momentum` may be NULL where step->momentum is 0. A moment or momentum that
   * becomes subnormal is 0 at once: without a gradient it would decay to the least subnormal and stay there, and
   * processors compute with those many times slower. */
  void (*sgd)(float *weight, const float *gradient, float *momentum, int64_t n, const rung_sgd_step *step);
  void (*adam)(float *weight, const float *gradient, float *moment1, float *moment2, int64_t n,
               const rung_adam_step *step);

  /* The int8 gradient, below. */
  void (*gradient_range)(const rung_gradient *gradient, float *max, float *max_scaled, float *column_sum,
                         bool accumulate);
  void (*gradient_quantize)(const rung_gradient *gradient, const rung_gradient_codes *to);

  /* The matrix products below, member ith's part. */
  void (*gemm_f32)(const rung_gemm *gemm, void *scratch, int ith, int nth);
  void (*gemm_bf16)(const rung_gemm *gemm, void *scratch, int ith, int nth);
  void (*gemm_i8)(const rung_qgemm *gemm, void *scratch, int ith, int nth);
  void (*gemm_i8_pack)(const rung_qgemm *gemm, const int8_t *weight, int64_t begin, int64_t end);
  void (*igemm)(const rung_igemm *gemm, void *scratch, int ith, int nth);
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

/* The same product, in the same scratch, of operands that were rounded to bfloat16 (half to even) after they became
 * f32; the sums stay f32. At all levels but v4bf16 it is the same chain of fused multiply-adds, so the same bits.
 * v4bf16 uses the processor's dot product of pairs, which rounds in its own places and takes subnormals for 0: the one
 * exception to the same bits everywhere. An element then is within k 2^-23 sum |a b| of the chain, subnormals
 * aside. */
RUNG_API void rung_gemm_bf16_run(const rung_gemm *gemm, void *scratch, int ith, int nth);

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
  int weight_bits;           /* every weight is a signed integer of so many bits (1: -1 or 1); 0: 8 */
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
  /* REQUANTIZE_8 to i8: y is 1 where r's numerator before rounding (acc, or the int64 sum) is 0 or more, else -1,
   * whatever the three above (eq. 33); no mask. */
  bool binary;
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

/* ---- The int8 gradient of a linear layer ------------------------------------------------------------------------ */

/* The gradient of a layer's output, as its int8 backward (docs/quantization.md, eq. 14 to 16) reads it: where `mask` is
 * set, a value whose bit is 0 counts as 0 (the straight-through mask, laid out as rung_qgemm's). column_scale[j] is
 * what the scaled form multiplies column j by: the weight's scale of output channel j, which so need not be carried
 * through the sum over channels. To work on a part, rows or columns (multiples of 8), point at its start. g has no NaN.
 */
struct rung_gradient {
  int64_t rows, columns;
  const float *g; /* [rows, columns] */
  int64_t stride;
  const uint8_t *mask;       /* or NULL */
  int64_t mask_stride;       /* bytes */
  const float *column_scale; /* [columns], or NULL: all 1 */
};

/* gradient_range: *max = the largest |g|, *max_scaled = the largest |g column_scale[j]|, 0 where there are none, and,
 * unless NULL, column_sum[j] = the sum down column j, as the kernel column_sum makes it of the masked g: the gradient
 * of the bias in the same pass. */

/* gradient_quantize writes either or both of the codes
 *  - q[i][j] = floor(clamp(g inverse_scale, -127, 127) + u),
 *  - q_scaled[i][j] = the same of g column_scale[j], inverse_scale_scaled and a u of its own,
 * by stochastic rounding (Gupta et al., "Deep Learning with Limited Numerical Precision", 2015): u is uniform in [0,
 * 1), a multiple of 2^-15, to which the clamped value is first rounded (half to even). So the mean of q is the clamped
 * value to within 2^-16, and a whole number stays what it is. u depends on the key and on the place of the value in the
 * whole tensor (first_row + i, first_column + j) and on nothing else: any split gives the same codes. A new key each
 * step and layer. */
struct rung_gradient_codes {
  uint64_t key;
  int64_t first_row, first_column; /* columns < 2^32 */
  int8_t *q;                       /* or NULL */
  int64_t q_stride;
  float inverse_scale; /* 127 / max */
  int8_t *q_scaled;    /* or NULL */
  int64_t q_scaled_stride;
  float inverse_scale_scaled;
};

/* The random bits of a row and column: a 64-bit mixing function makes the row's key (Steele et al., "Fast Splittable
 * Pseudorandom Number Generators", 2014), its halves go into a 32-bit one (Appleby's MurmurHash3) at both rounds. The
 * definition that all levels equal. */
static inline uint64_t rung_gradient_row_key(uint64_t key, int64_t row) {
  uint64_t x = key + (uint64_t)row * 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}
static inline uint32_t rung_gradient_bits(uint64_t row_key, uint32_t column) {
  uint32_t x = column ^ (uint32_t)row_key;
  x = (x ^ x >> 16) * 0x85ebca6bu;
  x = x ^ (uint32_t)(row_key >> 32);
  x = (x ^ x >> 13) * 0xc2b2ae35u;
  return x ^ x >> 16;
}

/* c[i][j] = acc scale row_scale[i], acc = sum over p of a[i][p] (b[p][j] - b_zero_point), exact in int32: |acc| is
 * below 2^31 where k <= RUNG_IGEMM_K_MAX. acc goes to f32, and scale row_scale[i] is one f32 product; where
 * `accumulate`, c[i][j] = fma(acc, that, c[i][j]). The two gradients of y [n, out] = x [n, in] W^T, from the codes
 * above:
 *  - dx [n, in]: a = q_scaled [n, out], b = W's codes [out, in];
 *  - dW [out, in]: a = q transposed, stored [n, out], b = x's codes [n, in] with their zero point.
 *
 * With `take` c is handed over by rows as rung_gemm's is, and there is no accumulating. Without it, member ith computes
 * the rows rung_slice(m, RUNG_IGEMM_ROWS, ith, nth) where `by_rows`, for which each member packs all of b, else the
 * columns rung_slice(n, RUNG_IGEMM_COLUMNS, ith, nth), for which each packs all of a. */
struct rung_igemm {
  int64_t m, n, k;
  const int8_t *a; /* [m, k], or stored [k, m] where transposed */
  int64_t a_stride;
  bool a_transposed;
  rung_dtype b_type; /* U8 or I8 */
  const void *b;     /* [k, n] */
  int64_t b_stride;
  int32_t b_zero_point; /* within b's type */
  float *c;
  int64_t c_stride;
  float scale;
  const float *row_scale; /* [m], or NULL: all 1 */
  bool accumulate;
  bool by_rows;
  rung_gemm_take *take; /* or NULL */
  void *context;
};

#define RUNG_IGEMM_K_MAX   65793 /* 2^31 / (128 * 255), rounded down */
#define RUNG_IGEMM_ROWS    12
#define RUNG_IGEMM_COLUMNS 32
RUNG_API size_t rung_igemm_scratch(const rung_igemm *gemm); /* bytes a member, enough for any level */
RUNG_API void rung_igemm_run(const rung_igemm *gemm, void *scratch, int ith, int nth);

#ifdef __cplusplus
}
#endif

#endif
