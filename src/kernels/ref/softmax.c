#include "level.h"
#include "ref/functions.h"
#include "ref/lanes.h"

static float row_max(const float *x, int64_t columns) {
  float max = -INFINITY;
  for (int64_t j = 0; j < columns; j++)
    if (x[j] > max) max = x[j];
  return max;
}

/* y = exp(x - max) / sum of the same; returns the sum. */
static float row_softmax(float *y, const float *x, float max, int64_t columns) {
  float lane[LANES] = {0};
  for (int64_t j = 0; j < columns; j++) {
    y[j] = ref_exp(x[j] - max);
    lane[j % LANES] += y[j];
  }
  float sum = ref_tree(lane);
  for (int64_t j = 0; j < columns; j++) y[j] /= sum;
  return sum;
}

void RUNG_AT_LEVEL(softmax)(float *y, const float *x, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; i++, x += columns, y += columns) row_softmax(y, x, row_max(x, columns), columns);
}

void RUNG_AT_LEVEL(cross_entropy)(float *loss, float *probability, const float *x, const int32_t *label, int64_t rows,
                                  int64_t columns) {
  for (int64_t i = 0; i < rows; i++, x += columns, probability += columns) {
    float max = row_max(x, columns);
    float of_label = x[label[i]] - max; /* read before `probability`, which may be x, is written */
    loss[i] = ref_log(row_softmax(probability, x, max, columns)) - of_label;
  }
}
