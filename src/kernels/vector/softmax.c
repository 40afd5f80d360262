#include "level.h"
#include "vector/functions.h"
#include "vector/lanes.h"

/* NaN is passed over, as in ref; exp then brings it into every element. */
static float row_max(const float *x, int64_t columns) {
  lanes max = lanes_set(-INFINITY);
  for (int64_t j = 0; j < columns; j += LANES) {
    lanes v = columns - j >= LANES ? lanes_load(x + j) : lanes_load_part(x + j, columns - j, -INFINITY);
    for (int p = 0; p < PARTS; p++) max.part[p] = vf_max(v.part[p], max.part[p]);
  }
  return lanes_max(max);
}

static inline lanes lanes_exp_from(lanes x, float max) {
  for (int p = 0; p < PARTS; p++) x.part[p] = vf_exp(x.part[p] - vf_set(max));
  return x;
}

static inline lanes lanes_divide(lanes x, float divisor) {
  for (int p = 0; p < PARTS; p++) x.part[p] /= vf_set(divisor);
  return x;
}

/* y = exp(x - max) / sum of the same; returns the sum. A row's last lanes are filled up with -inf, whose exp is 0;
 * where max itself is -inf everything is NaN. */
static float row_softmax(float *y, const float *x, float max, int64_t columns) {
  lanes sum = lanes_set(0.0f);
  int64_t j = 0;
  for (; j + LANES <= columns; j += LANES) {
    lanes e = lanes_exp_from(lanes_load(x + j), max);
    sum = lanes_add(sum, e);
    lanes_store(y + j, e);
  }
  lanes last = lanes_set(0.0f);
  if (j < columns) {
    last = lanes_exp_from(lanes_load_part(x + j, columns - j, -INFINITY), max);
    sum = lanes_add(sum, last);
  }
  float total = lanes_tree(sum);
  if (j < columns) lanes_store_part(y + j, lanes_divide(last, total), columns - j);
  for (j -= LANES; j >= 0; j -= LANES) lanes_store(y + j, lanes_divide(lanes_load(y + j), total));
  return total;
}

void RUNG_AT_LEVEL(softmax)(float *y, const float *x, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; i++, x += columns, y += columns) row_softmax(y, x, row_max(x, columns), columns);
}

void RUNG_AT_LEVEL(cross_entropy)(float *loss, float *probability, const float *x, const int32_t *label, int64_t rows,
                                  int64_t columns) {
  for (int64_t i = 0; i < rows; i++, x += columns, probability += columns) {
    float max = row_max(x, columns);
    float of_label = x[label[i]] - max; /* read before `probability`, which may be x, is written */
    float sum = row_softmax(probability, x, max, columns);
    loss[i] = vf_log(vf_set(sum))[0] - of_label;
  }
}
