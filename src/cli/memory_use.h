/* How many bytes a network takes. docs/memory.md has the formulas and the papers that they are from. */
#ifndef CLI_MEMORY_USE_H
#define CLI_MEMORY_USE_H

#include <rung/core.h>

/* How parameters are stored. */
typedef struct memory_format {
  char name[24];         /* "fp16", "int8", "nf4", "int4-g128" */
  int bits;              /* of one code */
  bool is_float;         /* IEEE and the like: no scale, and biases have this type too */
  int64_t block;         /* so many parameters share an f32 scale; 0: a row does */
  bool double_quantized; /* the scales of blocks are 8 bit themselves, and 256 of them share an f32 one */
} memory_format;

/* RUNG_ERROR_ARGUMENT: "'int9': expected fp32, fp16, ..., or one of these with -gN". */
rung_status memory_parse_format(const char *text, memory_format *format);
/* "7B", "6.7B", "350M", "12000": a positive whole number, at most 1e15. */
rung_status memory_parse_count(const char *text, int64_t *count);
/* "16GB" (10^9), "16GiB" (2^30); likewise M and k; a bare number is in bytes. */
rung_status memory_parse_bytes(const char *text, int64_t *bytes);

/* What one parameter tensor is. */
typedef struct memory_tensor {
  int64_t count;
  int64_t rows;    /* of a weight [rows, ...]: what scales go by; 0: not known, its scales a row are not counted */
  bool is_weight;  /* gets the format; biases and the like stay f32 where that is no float format */
  bool is_trained; /* has a gradient */
} memory_tensor;

typedef enum memory_training {
  MEMORY_INFERENCE = 0,
  MEMORY_ADAM,     /* two f32 a parameter */
  MEMORY_ADAM8BIT, /* two codes of 8 bits, and an f32 scale for each 256; of fewer than 4096 parameters as Adam */
  MEMORY_SGD,      /* with momentum: one f32 */
  MEMORY_TRAINING_COUNT
} memory_training;

const char *memory_training_name(memory_training training); /* "adam", "adam8bit", "sgd"; NULL: inference */

/* Keys and values that attention keeps of `context` tokens of `batch` sequences: 2 layers width context batch numbers.
 * Zeros: none. */
typedef struct memory_cache {
  int64_t layers, width; /* width: heads of keys times the numbers in one */
  int64_t context, batch;
} memory_cache;

typedef struct memory_bytes {
  int64_t weights;   /* codes and scales */
  int64_t master;    /* the f32 copy that the optimizer moves, where the weights are not f32 */
  int64_t gradients; /* as wide as the weights, at least 16 bits; f32 where the weights are integers */
  int64_t optimizer;
  int64_t cache; /* f32 beside f32 weights, else 16 bits a number */
  int64_t total;
} memory_bytes;

typedef struct memory_question {
  const memory_tensor *tensors;
  int count;
  memory_training training;
  bool no_master; /* 16-bit weights are moved themselves */
  memory_cache cache;
} memory_question;

/* RUNG_ERROR_NUMERIC: more than 2^63 - 1 bytes. */
rung_status memory_count(const memory_question *question, const memory_format *format, memory_bytes *bytes);

#endif
