/* rung/core.h: what everything rests on: errors, memory, random numbers, threads, number formats, tensors.
 *
 * Conventions of the whole library:
 *  - a function that can fail returns rung_status, RUNG_OK (0) when all went well; a constructor returns NULL when it
 *    could not construct. In both cases rung_error() says why, in one line, for the calling thread;
 *  - NAME_new makes what NAME_free releases, and every NAME_free takes NULL; NAME_view borrows;
 *  - an options struct may be zero: a zero field means the default its comment gives. */
#ifndef RUNG_CORE_H
#define RUNG_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(RUNG_STATIC)
#define RUNG_API
#else
#define RUNG_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Failure ---------------------------------------------------------------------------------------------------- */

typedef enum rung_status {
  RUNG_OK = 0,
  RUNG_ERROR_ARGUMENT,    /* a value the function does not take: weight_bits 9, hidden 0 */
  RUNG_ERROR_SHAPE,       /* extents that do not fit each other, or whose product overflows */
  RUNG_ERROR_MEMORY,      /* an allocation failed */
  RUNG_ERROR_IO,          /* a file that cannot be opened, read or written */
  RUNG_ERROR_FORMAT,      /* a file that is not what it should be */
  RUNG_ERROR_NUMERIC,     /* NaN where a number must be; a scale out of range; a sum that could overflow */
  RUNG_ERROR_UNSUPPORTED, /* meaningful, but this build or this form cannot do it */
  RUNG_ERROR_STATE        /* called too early or too late: freeze before calibrate */
} rung_status;

/* The calling thread's last message, one line without a line end; "" if nothing failed yet. Valid until the thread's
 * next failure. */
RUNG_API const char *rung_error(void);

/* The status of that failure: what a constructor that returned NULL would have returned. RUNG_OK if nothing failed yet.
 */
RUNG_API rung_status rung_error_status(void);

/* Sets the calling thread's message (printf's format) and returns `status`: `return rung_fail(RUNG_ERROR_SHAPE, ...)`.
 */
RUNG_API rung_status rung_fail(rung_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* a * b and a + b in *result; false, with *result untouched, where the true value does not fit a size_t. */
RUNG_API bool rung_size_multiply(size_t a, size_t b, size_t *result);
RUNG_API bool rung_size_add(size_t a, size_t b, size_t *result);

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

#define RUNG_ALIGNMENT 64 /* bytes: a cache line, and the widest vector */

/* Zeroed memory aligned to RUNG_ALIGNMENT, `bytes` rounded up to a multiple of it, huge pages advised for blocks of
 * 2 MiB or more. NULL (with a message) on failure. Release with rung_release. */
RUNG_API void *rung_allocate(size_t bytes);
RUNG_API void rung_release(void *memory);

/* How many times rung_allocate has been called in this process: what tests use to prove that a step allocates nothing.
 */
RUNG_API uint64_t rung_allocation_count(void);

/* An arena hands out zeroed, RUNG_ALIGNMENT-aligned pieces that live until the arena is freed. */
typedef struct rung_arena rung_arena;
RUNG_API rung_arena *rung_arena_new(void);
RUNG_API void rung_arena_free(rung_arena *arena);
/* NULL with a message on failure. A piece of 0 bytes is a valid pointer. */
RUNG_API void *rung_arena_allocate(rung_arena *arena, size_t bytes);
/* count * size bytes, checked for overflow. */
RUNG_API void *rung_arena_array(rung_arena *arena, size_t count, size_t size);
RUNG_API char *rung_arena_string(rung_arena *arena, const char *string); /* a copy */
RUNG_API size_t rung_arena_used(const rung_arena *arena);                /* bytes handed out */

/* ---- Random numbers --------------------------------------------------------------------------------------------- */

/* Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11): a number is a function of
 * (key, stream, index), so any thread can compute any of them and the order of asking does not matter. Plain data: copy
 * it to remember a place, compare it, store it in a file. */
typedef struct rung_rng {
  uint64_t key;    /* the seed */
  uint64_t stream; /* which of 2^64 independent sequences */
  uint64_t index;  /* how many 32-bit numbers of the sequence were taken */
} rung_rng;

RUNG_API rung_rng rung_rng_seed(uint64_t seed);
/* An independent generator for a purpose: the same parent (its key and stream; the index plays no part) and the same
 * label give the same child. Does not advance. */
RUNG_API rung_rng rung_rng_split(const rung_rng *parent, uint64_t label);
/* The four 32-bit numbers of block `block` (numbers 4*block .. 4*block+3), without advancing. */
RUNG_API void rung_rng_block(const rung_rng *rng, uint64_t block, uint32_t out[4]);
RUNG_API uint32_t rung_rng_u32(rung_rng *rng);
RUNG_API uint32_t rung_rng_below(rung_rng *rng, uint32_t bound); /* 0 .. bound-1, no bias; bound >= 1 */
RUNG_API float rung_rng_uniform(rung_rng *rng);                  /* [0, 1), a multiple of 2^-24 */
RUNG_API float rung_rng_normal(rung_rng *rng); /* mean 0, variance 1; the same bits on every machine */
/* order[0 .. count-1] becomes a permutation of 0 .. count-1 (Fisher and Yates). */
RUNG_API void rung_rng_permutation(rung_rng *rng, uint32_t *order, uint32_t count);

/* ---- Threads ---------------------------------------------------------------------------------------------------- */

/* A team runs one function on every member at once; members split the work by (ith, nth) and meet at barriers. The
 * results of all of Rung are the same for every team size. */
typedef struct rung_team rung_team;
typedef void rung_task(void *context, int ith, int nth);
/* `threads` 1 .. 256, or 0 for one per processor available to this process: as many of them as the system grants, where
 * a number that is asked for and not granted is RUNG_ERROR_MEMORY. The caller of a run is one of them; the others live
 * until rung_team_free, take no signals of the process, and spin for at most a tenth of a millisecond or so after each
 * run, then sleep. */
RUNG_API rung_team *rung_team_new(int threads);
RUNG_API void rung_team_free(rung_team *team);
/* The nth that a task of this team is called with. */
RUNG_API int rung_team_size(const rung_team *team);
/* Returns when every member has returned. The caller is member 0; a team of 1 calls `task` directly. One run of a team
 * at a time; a task may run another team. A forked child has no workers: there the caller is the only member, and
 * nth 1. */
RUNG_API void rung_team_run(rung_team *team, rung_task *task, void *context);
/* To be called by every member from within a task: nobody goes on before all have come. Spins before it sleeps. */
RUNG_API void rung_team_barrier(rung_team *team);
/* The half-open slice [begin, end) of `count` things that belongs to member ith of nth, in multiples of `grain`. */
RUNG_API void rung_slice(int64_t count, int64_t grain, int ith, int nth, int64_t *begin, int64_t *end);

/* ---- Number formats --------------------------------------------------------------------------------------------- */

typedef enum rung_dtype {
  RUNG_F32 = 0, /* IEEE 754 binary32: 1 sign, 8 exponent, 23 fraction bits */
  RUNG_F16,     /* IEEE 754 binary16: 1, 5, 10 */
  RUNG_BF16,    /* bfloat16: 1, 8, 7 */
  RUNG_E4M3,    /* FP8 E4M3 (OCP 8-bit floating point 1.0): 1, 4, 3; no infinity, largest 448 */
  RUNG_E5M2,    /* FP8 E5M2 (OCP 8-bit floating point 1.0): 1, 5, 2; largest finite 57344 */
  RUNG_I32,
  RUNG_I8,
  RUNG_U8,
  RUNG_DTYPE_COUNT
} rung_dtype;

RUNG_API const char *rung_dtype_name(rung_dtype type); /* "f32", "f16", "bf16", "e4m3", "e5m2", "i32", "i8", "u8" */
RUNG_API size_t rung_dtype_size(rung_dtype type);      /* bytes an element */

/* The bits of `type` nearest to x, ties to even. Subnormals are kept, NaN stays NaN. Overflow: F16, BF16 and E5M2 give
 * infinity and E4M3 gives NaN, as the formats define; with `saturate` every one gives its largest finite value of that
 * sign (infinities included). `type` is one of the five float formats. */
RUNG_API uint32_t rung_float_encode(rung_dtype type, float x, bool saturate);
/* The exact value of the low bits of `bits` read as `type`. Every value of the five formats is an f32. */
RUNG_API float rung_float_decode(rung_dtype type, uint32_t bits);

typedef enum rung_float_class {
  RUNG_FLOAT_ZERO,
  RUNG_FLOAT_SUBNORMAL,
  RUNG_FLOAT_NORMAL,
  RUNG_FLOAT_INFINITE,
  RUNG_FLOAT_NAN
} rung_float_class;

/* A float taken apart. For a finite number the value is
 *   (-1)^sign * 2^(exponent) * (fraction / 2^fraction_bits + (kind == NORMAL ? 1 : 0)). */
typedef struct rung_float_parts {
  rung_float_class kind;
  uint32_t sign;            /* 0 or 1 */
  uint32_t biased_exponent; /* the exponent field as stored */
  int exponent;             /* unbiased; that of the smallest normal number for zero and subnormals */
  uint32_t fraction;        /* the fraction field as stored */
  int exponent_bits, fraction_bits;
} rung_float_parts;

RUNG_API rung_float_parts rung_float_take_apart(rung_dtype type, uint32_t bits);

/* ---- Shapes and tensors ----------------------------------------------------------------------------------------- */

#define RUNG_MAX_RANK 6

typedef struct rung_shape {
  int rank;                      /* 0 .. RUNG_MAX_RANK; a scalar has rank 0 */
  int64_t extent[RUNG_MAX_RANK]; /* each >= 1, outermost (the batch) first, row-major */
} rung_shape;

/* RUNG_SHAPE(64, 784) is the shape [64, 784]; its rank is the number of arguments. */
#define RUNG_SHAPE(...)                                                                                                \
  ((rung_shape){.rank = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .extent = {__VA_ARGS__}})

/* The number of elements; RUNG_ERROR_SHAPE where an extent is < 1, the rank is out of range or the product (or four
 * times it, in bytes) does not fit. */
RUNG_API rung_status rung_shape_count(const rung_shape *shape, int64_t *count);
RUNG_API bool rung_shape_equal(const rung_shape *a, const rung_shape *b);
/* "[64, 784]" in `text`, which is also returned. */
RUNG_API const char *rung_shape_format(const rung_shape *shape, char *text, size_t size);
#define RUNG_SHAPE_TEXT 160 /* bytes that are always enough for rung_shape_format */

/* A tensor carries its representation. Float types: element = value. Integer types: real value = scale * (q -
 * zero_point) (docs/quantization.md, eq. 1). Row-major, dense. Borrows its memory. */
typedef struct rung_tensor {
  rung_dtype type;
  rung_shape shape;
  void *data;
  float scale;        /* integer types: > 0, per tensor */
  int32_t zero_point; /* integer types */
} rung_tensor;

RUNG_API int64_t rung_tensor_count(const rung_tensor *tensor); /* elements; the shape is known to be valid */

#ifdef __cplusplus
}
#endif

#endif
