/* A storage format is data: a name, the width of a code, what shares a scale, and what it does to the weights of one
 * block. */
#ifndef RUNG_STORAGE_H
#define RUNG_STORAGE_H

#include <rung/quant.h>

#include "storage_list.h"

typedef enum storage_scales {
  SCALES_NONE = 0,
  SCALES_CHOSEN, /* as rung_storage's granularity says */
  SCALES_BLOCKS  /* of `block` weights, in order, across rows */
} storage_scales;

enum { STORAGE_CHUNK = 256 }; /* codes at a time */

typedef struct storage_kind {
  const char *name;
  rung_dtype type; /* floats: which */
  int bits;        /* a code */
  storage_scales scales;
  int64_t block;         /* SCALES_BLOCKS */
  bool first_in_high;    /* 4 bits: the first code is in the high half of its byte */
  bool double_quantized; /* its scales are stored in 8 bits */
  /* The scale of w [n]; NULL: none. */
  float (*scale)(const struct storage_kind *kind, const float *w, int64_t n);
  /* w [n <= STORAGE_CHUNK] -> codes, and back. */
  void (*encode)(const struct storage_kind *kind, const float *w, int64_t n, float scale, uint32_t *code);
  void (*decode)(const struct storage_kind *kind, const uint32_t *code, int64_t n, float scale, float *w);
  /* y = the decoded code of w, without the code, of any number of weights; y may be w. NULL: by the two above. */
  void (*round)(const struct storage_kind *kind, const float *w, int64_t n, float scale, float *y);
} storage_kind;

#define STORAGE_DECLARE(format, structure) extern const storage_kind structure;
STORAGE_LIST(STORAGE_DECLARE)

const storage_kind *storage_kind_of(rung_storage_format format);

/* Weights [begin, begin + count) in order, which share a scale. */
typedef struct storage_block {
  int64_t begin, count;
} storage_block;

/* How many blocks a weight has: 1 without scales. */
int64_t storage_block_count(const rung_storage *storage, int64_t rows, int64_t columns);
storage_block storage_block_at(const rung_storage *storage, int64_t rows, int64_t columns, int64_t index);
/* y = what w stands for once it is stored: [n] weights of one block with this scale. y may be w. */
void storage_round(const storage_kind *kind, const float *w, int64_t n, float scale, float *y);

#endif
