/* rung/quant/formats.h: how the numbers of a weight are stored in few bits: floats of 16 and 8 bits, NF4, integers.
 *
 * A weight [rows, columns], row-major, becomes codes of a fixed number of bits, and scales that blocks of weights share
 * (docs/formats.md). Only the integers run as such (rung/quant.h); the others are decoded before they are multiplied.
 *
 *   rung_storage nf4 = {.format = RUNG_STORAGE_NF4};
 *   rung_storage_layout layout;
 *   rung_storage_measure(&nf4, 256, 784, &layout);          (layout.bits_per_weight is 4.5)
 *   void *bytes = malloc(layout.bytes);
 *   rung_storage_encode(&nf4, weight, 256, 784, bytes);
 *   rung_storage_decode(&nf4, bytes, 256, 784, weight); */
#ifndef RUNG_QUANT_FORMATS_H
#define RUNG_QUANT_FORMATS_H

#include <rung/core.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Formats ---------------------------------------------------------------------------------------------------- */

/* Which weights share a scale. */
typedef enum rung_granularity {
  RUNG_PER_CHANNEL = 0, /* one scale an output channel (a row of the weight) */
  RUNG_PER_TENSOR,
  RUNG_PER_GROUP /* one scale a channel and group of inputs */
} rung_granularity;

typedef enum rung_storage_format {
  RUNG_STORAGE_F32 = 0,    /* as they are */
  RUNG_STORAGE_F16,        /* IEEE binary16, no scale; beyond 65504 saturates */
  RUNG_STORAGE_BF16,       /* bfloat16, no scale */
  RUNG_STORAGE_E4M3,       /* FP8 (Micikevicius et al., 2022): scale = max|w| / 448 */
  RUNG_STORAGE_E5M2,       /* FP8, scale = max|w| / 57344 */
  RUNG_STORAGE_NF4,        /* 4-bit NormalFloat (Dettmers et al., QLoRA, 2023): blocks of 64, scale = max|w| in f32 */
  RUNG_STORAGE_NF4_DOUBLE, /* the same, its scales less their mean in 8-bit dynamic codes, blocks of 256 */
  RUNG_STORAGE_INT8,       /* signed, symmetric: scale = max|w| / (2^(bits-1) - 1), as rung_scheme's weights */
  RUNG_STORAGE_INT7,
  RUNG_STORAGE_INT6,
  RUNG_STORAGE_INT5,
  RUNG_STORAGE_INT4,
  RUNG_STORAGE_INT3,
  RUNG_STORAGE_INT2,
  RUNG_STORAGE_FORMAT_COUNT
} rung_storage_format;

RUNG_API const char *rung_storage_name(rung_storage_format format); /* "bf16", "e4m3", "nf4-double", "int4", ... */
RUNG_API rung_status rung_storage_parse(const char *name, rung_storage_format *format);

typedef struct rung_storage {
  rung_storage_format format;
  rung_granularity granularity; /* of FP8 and integers; the others have no scales, or blocks of their own */
  int64_t group;                /* RUNG_PER_GROUP: inputs a group, 1 or more */
} rung_storage;

/* RUNG_ERROR_ARGUMENT where it is none of the above. `what` names it: "weight_storage 99, expected 0..13". */
RUNG_API rung_status rung_storage_check(const rung_storage *storage, const char *what);
/* Whether the format shares scales as `granularity` says. */
RUNG_API bool rung_storage_takes_granularity(rung_storage_format format);

/* What a stored weight takes: first the codes, in order, each `bits` wide, the first in the lowest bits of the first
 * byte (NF4: the highest, as bitsandbytes packs them); then the scales, f32 in the machine's byte order. NF4_DOUBLE has
 * scales as a byte each, an f32 for every 256 of them, and their f32 mean. */
typedef struct rung_storage_layout {
  int bits;               /* a code */
  int64_t scales;         /* 0: none */
  size_t code_bytes;      /* the last byte filled up with zeros */
  size_t scale_bytes;     /* all that stands behind the codes */
  size_t bytes;           /* both */
  double bits_per_weight; /* exact: 8 bytes / (rows columns) */
} rung_storage_layout;

/* Of a weight [rows, columns]. RUNG_ERROR_SHAPE where one is < 1 or the size overflows. */
RUNG_API rung_status rung_storage_measure(const rung_storage *storage, int64_t rows, int64_t columns,
                                          rung_storage_layout *layout);
/* Writes layout.bytes bytes. Each code stands for the value nearest to the weight; ties: floats and integers to the
 * even code, NF4 and dynamic codes to the lower value. RUNG_ERROR_NUMERIC where a weight is not finite. */
RUNG_API rung_status rung_storage_encode(const rung_storage *storage, const float *weight, int64_t rows,
                                         int64_t columns, void *bytes);
RUNG_API rung_status rung_storage_decode(const rung_storage *storage, const void *bytes, int64_t rows, int64_t columns,
                                         float *weight);

/* ---- The dynamic map -------------------------------------------------------------------------------------------- */

/* 256 values in [-1, 1], or [0, 1], that lie dense towards 0: seven decades, each with twice as many values as the one
 * below (Dettmers, "8-bit approximations for parallelism in deep learning", 2016; docs/formats.md). In ascending order,
 * 0 and 1 among them. */
enum { RUNG_DYNAMIC_BLOCK = 256, RUNG_DYNAMIC_PLACES = 23 * 128 + 2 };
typedef struct rung_dynamic_map {
  float value[256];
  float bound[256];                      /* halfway between value[i] and value[i + 1]; the last infinite */
  uint8_t first[2][RUNG_DYNAMIC_PLACES]; /* the codes of numbers by sign, exponent and 7 bits: the lower of two */
} rung_dynamic_map;

RUNG_API void rung_dynamic_map_make(rung_dynamic_map *map, bool is_signed);
/* Blocks of RUNG_DYNAMIC_BLOCK, the last perhaps shorter: absmax [blocks] = max|x|, code [n] = the value nearest to
 * x / absmax, the lower on a tie. No NaN. */
RUNG_API void rung_dynamic_encode(const rung_dynamic_map *map, const float *x, int64_t n, uint8_t *code, float *absmax);
/* x = value[code] absmax */
RUNG_API void rung_dynamic_decode(const rung_dynamic_map *map, const uint8_t *code, const float *absmax, int64_t n,
                                  float *x);

/* ---- LLM.int8() ------------------------------------------------------------------------------------------------- */

/* What the product below is made of. Made by it, released by rung_llm_int8_free. */
typedef struct rung_llm_int8_parts {
  int64_t n, in, out;
  int8_t *x;            /* [n, in] codes; 0 in outlier columns */
  float *x_absmax;      /* [n]: of a row, without its outliers */
  int8_t *weight;       /* [out, in] codes */
  float *weight_absmax; /* [out] */
  int64_t outlier_count;
  int64_t *outlier;     /* [outlier_count]: the columns of x, ascending */
  int32_t *accumulator; /* [n, out]: sum of x weight over the other columns */
} rung_llm_int8_parts;

/* y [n, out] = x [n, in] W^T, W [out, in], by vector-wise quantization with a decomposition (Dettmers et al.,
 * "LLM.int8()", 2022): a column of x with a value of magnitude `threshold` (0: 6) or more is an outlier, and is
 * multiplied in f16 with W's column in f16, summed in f32; all others as int8, scaled by the largest magnitude of x's
 * row and W's row over 127. x and W are rounded to f16 first. `parts` may be NULL. RUNG_ERROR_NUMERIC where a number is
 * not finite, or beyond what f16 holds. */
RUNG_API rung_status rung_llm_int8(const float *x, const float *weight, int64_t n, int64_t in, int64_t out,
                                   float threshold, float *y, rung_llm_int8_parts *parts);
RUNG_API void rung_llm_int8_free(rung_llm_int8_parts *parts);

#ifdef __cplusplus
}
#endif

#endif
