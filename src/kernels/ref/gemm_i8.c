/* The integer product and its epilogues as rung/kernels.h defines them (eq. 8 and 9). */
#include "level.h"

#include <string.h>

/* `packed` is the weight [n, k] as it came. */
void RUNG_AT_LEVEL(gemm_i8_pack)(const rung_qgemm *gemm, const int8_t *weight, int64_t begin, int64_t end) {
  memcpy((int8_t *)gemm->packed + begin * gemm->k, weight + begin * gemm->k, (size_t)((end - begin) * gemm->k));
}

static int64_t clamp(int64_t x, int64_t low, int64_t high) {
  return x < low ? low : x > high ? high : x;
}

static int32_t products(const rung_qgemm *gemm, int64_t i, int64_t j, int64_t from, int64_t to, int32_t sum) {
  const int8_t *w = (const int8_t *)gemm->packed + j * gemm->k;
  const void *a = (const char *)gemm->a + i * gemm->a_stride;
  for (int64_t p = from; p < to; p++)
    sum += (gemm->a_type == RUNG_U8 ? ((const uint8_t *)a)[p] : ((const int8_t *)a)[p]) * w[p];
  return sum;
}

/* The numerator of r before rounding where there are groups (eq. 9). */
static int64_t grouped(const rung_qgemm *gemm, int64_t i, int64_t j) {
  int64_t groups = (gemm->k + gemm->group - 1) / gemm->group, sum = gemm->bias64[j];
  for (int64_t g = 0; g < groups; g++) {
    int64_t from = g * gemm->group, to = from + gemm->group < gemm->k ? from + gemm->group : gemm->k;
    sum += (int64_t)products(gemm, i, j, from, to, gemm->bias[j * groups + g]) * gemm->multiplier[j * groups + g];
  }
  return sum;
}

/* `sum` is what r was rounded from: its sign. */
static void store(const rung_qgemm *gemm, int64_t i, int64_t j, int64_t r, int64_t sum) {
  int64_t at = i * gemm->y_stride + j;
  if (gemm->epilogue == RUNG_EPILOGUE_REQUANTIZE_32) {
    ((int32_t *)gemm->y)[at] = (int32_t)clamp(r, INT32_MIN, INT32_MAX);
    return;
  }
  if (gemm->binary) {
    ((int8_t *)gemm->y)[at] = sum >= 0 ? 1 : -1;
    return;
  }
  int64_t y = gemm->zero_point + clamp(r, gemm->qmin - gemm->zero_point, gemm->qmax - gemm->zero_point);
  if (gemm->y_type == RUNG_U8)
    ((uint8_t *)gemm->y)[at] = (uint8_t)y;
  else
    ((int8_t *)gemm->y)[at] = (int8_t)y;
  if (!gemm->mask) return;
  bool inside = y == gemm->zero_point + r && (sum > 0 || !gemm->mask_positive);
  uint8_t *byte = &gemm->mask[i * gemm->mask_stride + j / 8];
  *byte = (uint8_t)((j % 8 ? *byte : 0) | inside << j % 8);
}

static void element(const rung_qgemm *gemm, int64_t i, int64_t j) {
  if (gemm->group) {
    int64_t sum = grouped(gemm, i, j), half = (int64_t)1 << (gemm->shift[j] - 1);
    store(gemm, i, j, (sum + half) >> gemm->shift[j], sum);
    return;
  }
  int32_t acc = products(gemm, i, j, 0, gemm->k, gemm->bias[j]);
  if (gemm->acc_min) {
    if (i == 0 || acc < gemm->acc_min[j]) gemm->acc_min[j] = acc;
    if (i == 0 || acc > gemm->acc_max[j]) gemm->acc_max[j] = acc;
  }
  if (gemm->epilogue == RUNG_EPILOGUE_ACCUMULATOR)
    ((int32_t *)gemm->y)[i * gemm->y_stride + j] = acc;
  else
    store(gemm, i, j, rung_requantize(acc, gemm->multiplier[j], gemm->shift[j]), acc);
}

void RUNG_AT_LEVEL(gemm_i8)(const rung_qgemm *gemm, void *scratch, int ith, int nth) {
  (void)scratch;
  int64_t begin, end;
  rung_slice(gemm->n, RUNG_QGEMM_GRAIN, ith, nth, &begin, &end);
  for (int64_t i = 0; i < gemm->m; i++)
    for (int64_t j = begin; j < end; j++) element(gemm, i, j);
}
