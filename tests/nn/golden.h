/* PyTorch's optimizers and schedules: golden/nn.bin, made by golden/make_nn.py. */
#ifndef TESTS_NN_GOLDEN_H
#define TESTS_NN_GOLDEN_H

#include "harness.h"
#include "rung/nn.h"

#include "golden/nn.h"

#include <stdio.h>

enum {
  GOLDEN_CASES = sizeof golden_options / sizeof golden_options[0],
  GOLDEN_SCHEDULES = sizeof golden_schedules / sizeof golden_schedules[0]
};

typedef struct golden {
  float start[GOLDEN_WEIGHTS];
  float gradient[GOLDEN_STEPS][GOLDEN_WEIGHTS];
  double weight[GOLDEN_CASES][GOLDEN_STEPS][GOLDEN_WEIGHTS]; /* after the step */
  double rate[GOLDEN_SCHEDULES][GOLDEN_TOTAL];
} golden;

static inline void golden_read(golden *data) {
  FILE *file = fopen(TEST_DATA "/golden/nn.bin", "rb");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fread(data->start, sizeof data->start, 1, file), 1);
  ck_assert_uint_eq(fread(data->gradient, sizeof data->gradient, 1, file), 1);
  ck_assert_uint_eq(fread(data->weight, sizeof data->weight, 1, file), 1);
  ck_assert_uint_eq(fread(data->rate, sizeof data->rate, 1, file), 1);
  ck_assert_int_eq(fgetc(file), EOF);
  fclose(file);
}

#endif
