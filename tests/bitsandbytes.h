/* What bitsandbytes makes of given numbers: golden/bitsandbytes.bin, made by golden/make_bitsandbytes.py. */
#ifndef TESTS_BITSANDBYTES_H
#define TESTS_BITSANDBYTES_H

#include "harness.h"

#include <stdint.h>

enum {
  BNB_NF4 = 64 * 300 + 17, /* weights, and blocks of 64 and of 256 of those */
  BNB_BLOCKS = 301,
  BNB_OUTER = 2,
  BNB_DECODED = 385, /* every 50th */
  BNB_ADAM = 4096 + 133,
  BNB_ADAM_BLOCKS = 17,
  BNB_ADAM_SEEN = 529, /* every 8th */
  BNB_SMALL = 40,
  BNB_STEPS = 6,
  BNB_N = 5,
  BNB_IN = 96,
  BNB_OUT = 7,
  BNB_OUTLIERS = 2,
  BNB_NATIVE = 1000
};

typedef struct bitsandbytes {
  float map[2][256]; /* unsigned, signed last */
  float nf4_absmax[BNB_BLOCKS], nf4_outer[BNB_OUTER], nf4_mean, nf4_decoded[BNB_DECODED];
  uint8_t nf4[BNB_NF4 / 2 + 1], nf4_scale[BNB_BLOCKS];
  float adam_absmax[2][BNB_ADAM_BLOCKS], adam_weight[BNB_ADAM_SEEN], small_weight[BNB_SMALL];
  uint8_t adam[2][BNB_ADAM];
  float x_absmax[BNB_N], weight_absmax[BNB_OUT], y[BNB_N * BNB_OUT];
  int32_t outlier[BNB_OUTLIERS];
  int8_t x[BNB_N * BNB_IN], weight[BNB_OUT * BNB_IN];
  uint8_t native[BNB_NATIVE];
} bitsandbytes;

/* The fields in the file's order. */
static inline void bitsandbytes_read(bitsandbytes *data) {
  const struct {
    void *to;
    size_t size;
  } parts[] = {{data->map[1], sizeof data->map[1]},
               {data->map[0], sizeof data->map[0]},
               {data->nf4_absmax, sizeof data->nf4_absmax},
               {data->nf4_outer, sizeof data->nf4_outer},
               {&data->nf4_mean, sizeof data->nf4_mean},
               {data->nf4_decoded, sizeof data->nf4_decoded},
               {data->nf4, sizeof data->nf4},
               {data->nf4_scale, sizeof data->nf4_scale},
               {data->adam_absmax, sizeof data->adam_absmax},
               {data->adam_weight, sizeof data->adam_weight},
               {data->small_weight, sizeof data->small_weight},
               {data->adam, sizeof data->adam},
               {data->x_absmax, sizeof data->x_absmax},
               {data->weight_absmax, sizeof data->weight_absmax},
               {data->y, sizeof data->y},
               {data->outlier, sizeof data->outlier},
               {data->x, sizeof data->x},
               {data->weight, sizeof data->weight},
               {data->native, sizeof data->native}};
  FILE *file = fopen(TEST_DATA "/golden/bitsandbytes.bin", "rb");
  ck_assert_ptr_nonnull(file);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    ck_assert_uint_eq(fread(parts[i].to, parts[i].size, 1, file), 1);
  ck_assert_int_eq(fgetc(file), EOF);
  fclose(file);
}

static inline uint32_t bnb_mix(uint32_t x) {
  x = (x ^ x >> 16) * 0x85ebca6bu;
  x = (x ^ x >> 13) * 0xc2b2ae35u;
  return x ^ x >> 16;
}

/* The numbers that went in. */
static inline void bnb_numbers(float *x, int count, uint32_t seed) {
  for (int i = 0; i < count; i++) {
    uint32_t h = bnb_mix((uint32_t)i + seed * 0x9e3779b9u);
    x[i] = (float)((int32_t)(h & 0xffff) + (int32_t)(h >> 16) - 65535) / 65536;
  }
}

#endif
