/* The linear layer on integers, computed from the equations of docs/quantization.md one value at a time, in 64 bits and
 * without any of the library's arithmetic: what the layer is held against. */
#ifndef TESTS_PLAIN_LAYER_H
#define TESTS_PLAIN_LAYER_H

#include "quant_data.h"

enum { PLAIN_BATCH = 5, PLAIN_IN = 44, PLAIN_OUT = 70, PLAIN_GROUP = 16, PLAIN_GROUPS = 3 };

/* What a layer is made of. PLAIN_OUT is more than two members' least share of channels; the last group is short. */
typedef struct layer_case {
  rung_format input, weight, output; /* output.bits 0: logits */
  rung_granularity granularity;
  rung_clamp clamp;
  bool no_bias;
  rung_backward backward;
  uint64_t seed; /* of the graph */
} layer_case;

typedef struct layer_data {
  float x[PLAIN_BATCH * PLAIN_IN], w[PLAIN_OUT * PLAIN_IN], b[PLAIN_OUT], g[PLAIN_BATCH * PLAIN_OUT];
} layer_data;

/* Weights are multiples of 2^-12, so that their mean magnitude is exact in any order; some lie beyond [-1, 1]. */
static inline void layer_data_make(layer_data *data, uint64_t seed) {
  fill(data->x, PLAIN_BATCH * PLAIN_IN, 0, seed);
  fill(data->w, PLAIN_OUT * PLAIN_IN, 2, seed + 1);
  for (int i = 0; i < PLAIN_OUT * PLAIN_IN; i++) data->w[i] = rintf(data->w[i] * 2048) / 4096;
  for (int i = 0; i < PLAIN_IN; i++) data->w[3 * PLAIN_IN + i] = 0; /* a dead channel */
  fill(data->b, PLAIN_OUT, 0, seed + 2);
  fill(data->g, PLAIN_BATCH * PLAIN_OUT, 0, seed + 3);
}

typedef struct plain_layer {
  int32_t qx[PLAIN_BATCH * PLAIN_IN], qw[PLAIN_OUT * PLAIN_IN];
  float sw[PLAIN_OUT * PLAIN_IN];       /* the scale of each weight */
  float sx, sy;                         /* sy: the logits' common scale where there is no output format */
  int32_t zx, zy, qmin, qmax;           /* of the output, before ReLU */
  int64_t y[PLAIN_BATCH * PLAIN_OUT];   /* the integers */
  bool passes[PLAIN_BATCH * PLAIN_OUT]; /* the straight-through mask */
  double real[PLAIN_BATCH * PLAIN_OUT]; /* the layer's real values before requantization, after the clamp */
  float dx[PLAIN_BATCH * PLAIN_IN], dw[PLAIN_OUT * PLAIN_IN], db[PLAIN_OUT];
} plain_layer;

/* The scale of weights w [n] (eq. 5; binary: their mean magnitude). */
static inline float plain_weight_scale(const rung_format *format, const float *w, int n) {
  double sum = 0, largest = 0;
  for (int i = 0; i < n; i++) {
    sum += fabs((double)w[i]);
    largest = fmax(largest, fabs((double)w[i]));
  }
  int32_t qmin, qmax;
  rung_format_range(format, &qmin, &qmax);
  if (format->bits == 1) return fmaxf((float)(sum / n), FLT_MIN);
  return largest > 0 ? (float)largest / (float)qmax : 1;
}

static inline void plain_weights(plain_layer *plain, const layer_case *at, const float *w) {
  int32_t qmin, qmax;
  rung_format_range(&at->weight, &qmin, &qmax);
  float scale = plain_weight_scale(&at->weight, w, PLAIN_OUT * PLAIN_IN); /* per tensor */
  for (int i = 0; i < PLAIN_OUT * PLAIN_IN; i++) {
    int column = i % PLAIN_IN, left = PLAIN_IN - column;
    if (at->granularity == RUNG_PER_CHANNEL && column == 0) scale = plain_weight_scale(&at->weight, w + i, PLAIN_IN);
    if (at->granularity == RUNG_PER_GROUP && column % PLAIN_GROUP == 0)
      scale = plain_weight_scale(&at->weight, w + i, left < PLAIN_GROUP ? left : PLAIN_GROUP);
    plain->sw[i] = scale;
    plain->qw[i] = at->weight.bits == 1 ? (w[i] >= 0 ? 1 : -1) : plain_quantize(w[i], scale, 0, -qmax, qmax);
  }
}

/* A channel of zeros has the scale at which its bias takes 24 bits. */
static inline void plain_zero_channels(plain_layer *plain, const float *b) {
  for (int j = 0; j < PLAIN_OUT; j++) {
    bool zeros = true;
    for (int k = 0; k < PLAIN_IN; k++) zeros = zeros && plain->qw[j * PLAIN_IN + k] == 0;
    float scale = b && b[j] != 0 ? ldexpf(fabsf(b[j]) / plain->sx, -24) : 1;
    for (int k = 0; k < PLAIN_IN && zeros; k++) plain->sw[j * PLAIN_IN + k] = scale;
  }
}

/* eq. 10 */
static inline float plain_logit_scale(const plain_layer *plain, int32_t input_qmin, int32_t input_qmax) {
  int64_t reach = plain->zx - input_qmin > input_qmax - plain->zx ? plain->zx - input_qmin : input_qmax - plain->zx;
  int64_t bound = 0;
  float largest = 0;
  for (int row = 0; row < PLAIN_OUT; row++) {
    int64_t sum = 0;
    for (int k = 0; k < PLAIN_IN; k++) {
      sum += abs(plain->qw[row * PLAIN_IN + k]);
      if (plain->qw[row * PLAIN_IN + k]) largest = fmaxf(largest, plain->sw[row * PLAIN_IN + k]);
    }
    if (sum * reach > bound) bound = sum * reach;
  }
  int e = 8;
  while (e > 0 && bound * (1 << e) >= 1 << 30) e--;
  return plain->sx * (largest > 0 ? largest : 1) / (float)(1 << e);
}

/* eq. 7: m = M 2^-n. Returns M before it is made odd; (0, 1) stands for all that is below 2^-32. */
static inline double plain_multiplier(double m, int *n) {
  *n = 1;
  if (m < 0x1p-32) return 0;
  *n = 0;
  for (; m < 0x1p30; m *= 2) ++*n;
  for (; m >= 0x1p31; m /= 2) --*n;
  return m;
}

/* r of eq. 8 for row i of x and channel j; *real is the sum as a real number. */
static inline int64_t plain_channel(const plain_layer *plain, const float *b, int i, int j, double *real) {
  const float *sw = plain->sw + j * PLAIN_IN;
  double scale = (double)plain->sx * sw[0];
  int64_t acc = b ? (int64_t)fmax(fmin(rint(b[j] / scale), 0x1p30), -0x1p30) : 0; /* eq. 12 */
  for (int k = 0; k < PLAIN_IN; k++) acc += plain->qw[j * PLAIN_IN + k] * (plain->qx[i * PLAIN_IN + k] - plain->zx);
  int n;
  int64_t multiplier = (int64_t)plain_multiplier(scale / plain->sy, &n);
  if (multiplier != 0) multiplier |= 1;
  *real = scale * (double)acc;
  return (acc * multiplier + ((int64_t)1 << (n - 1))) >> n;
}

/* eq. 9. The rounded sum's numerator decides what counts as positive; it has the sign of *real. */
static inline int64_t plain_grouped_channel(const plain_layer *plain, const float *b, int i, int j, double *real) {
  float largest = 0;
  for (int k = 0; k < PLAIN_IN; k++)
    if (plain->qw[j * PLAIN_IN + k]) largest = fmaxf(largest, plain->sw[j * PLAIN_IN + k]);
  if ((double)plain->sx * largest / plain->sy < 0x1p-32) largest = plain->sy / plain->sx; /* nothing comes of it */
  int n;
  plain_multiplier((double)plain->sx * largest / plain->sy, &n);
  int64_t sum = b ? (int64_t)rint(ldexp((double)b[j] / plain->sy, n)) : 0;
  for (int g = 0; g < PLAIN_GROUPS; g++) {
    int64_t acc = 0;
    for (int k = g * PLAIN_GROUP; k < PLAIN_IN && k < (g + 1) * PLAIN_GROUP; k++)
      acc += plain->qw[j * PLAIN_IN + k] * (plain->qx[i * PLAIN_IN + k] - plain->zx);
    double multiplier = rint(ldexp((double)plain->sx * plain->sw[j * PLAIN_IN + g * PLAIN_GROUP] / plain->sy, n));
    sum += acc * (int64_t)fmin(multiplier, INT32_MAX);
  }
  *real = ldexp((double)sum * plain->sy, -n);
  return (sum + ((int64_t)1 << (n - 1))) >> n;
}

/* sx, zx, and sy, zy where there is an output format, are set; -> everything but the gradients. */
static inline void plain_forward(plain_layer *plain, const layer_case *at, const layer_data *data) {
  int32_t input_qmin, input_qmax;
  rung_format_range(&at->input, &input_qmin, &input_qmax);
  for (int i = 0; i < PLAIN_BATCH * PLAIN_IN; i++)
    plain->qx[i] = plain_quantize(data->x[i], plain->sx, plain->zx, input_qmin, input_qmax);
  plain_weights(plain, at, data->w);
  if (at->granularity == RUNG_PER_CHANNEL) plain_zero_channels(plain, at->no_bias ? NULL : data->b);
  bool logits = at->output.bits == 0;
  int64_t low = INT32_MIN, high = INT32_MAX;
  if (logits) {
    plain->sy = plain_logit_scale(plain, input_qmin, input_qmax);
    plain->zy = 0;
  } else {
    rung_format_range(&at->output, &plain->qmin, &plain->qmax);
    low = at->clamp == RUNG_CLAMP_NONE ? plain->qmin : plain->zy;
    high = plain->qmax;
    double six = rint(6 / (double)plain->sy) + plain->zy;
    if (at->clamp == RUNG_CLAMP_RELU6 && six < (double)high) high = (int64_t)six;
  }
  for (int i = 0; i < PLAIN_BATCH; i++)
    for (int j = 0; j < PLAIN_OUT; j++) {
      const float *b = at->no_bias ? NULL : data->b;
      double *real = &plain->real[i * PLAIN_OUT + j];
      int64_t k = plain->zy + (at->granularity == RUNG_PER_GROUP ? plain_grouped_channel(plain, b, i, j, real)
                                                                 : plain_channel(plain, b, i, j, real));
      plain->y[i * PLAIN_OUT + j] = k < low ? low : k > high ? high : k;
      plain->passes[i * PLAIN_OUT + j] =
          logits || (k >= low && k <= high && (at->clamp == RUNG_CLAMP_NONE || *real > 0));
      if (!logits && at->clamp != RUNG_CLAMP_NONE) *real = fmax(*real, 0);
      if (!logits && at->clamp == RUNG_CLAMP_RELU6) *real = fmin(*real, 6);
    }
}

/* The gradients, each the one chain of fused multiply-adds that the library's products are. */
static inline void plain_backward(plain_layer *plain, const layer_case *at, const layer_data *data) {
  float g[PLAIN_BATCH * PLAIN_OUT];
  for (int i = 0; i < PLAIN_BATCH * PLAIN_OUT; i++) g[i] = plain->passes[i] ? data->g[i] : 0;
  for (int i = 0; i < PLAIN_BATCH; i++)
    for (int k = 0; k < PLAIN_IN; k++) {
      float sum = 0;
      for (int j = 0; j < PLAIN_OUT; j++)
        sum = fmaf(g[i * PLAIN_OUT + j], plain->sw[j * PLAIN_IN + k] * (float)plain->qw[j * PLAIN_IN + k], sum);
      plain->dx[i * PLAIN_IN + k] = sum;
    }
  for (int j = 0; j < PLAIN_OUT; j++) {
    plain->db[j] = 0;
    for (int i = 0; i < PLAIN_BATCH; i++) plain->db[j] += g[i * PLAIN_OUT + j];
    for (int k = 0; k < PLAIN_IN; k++) {
      float sum = 0;
      for (int i = 0; i < PLAIN_BATCH; i++)
        sum = fmaf(g[i * PLAIN_OUT + j], plain->sx * (float)(plain->qx[i * PLAIN_IN + k] - plain->zx), sum);
      bool stuck = at->weight.bits == 1 && fabsf(data->w[j * PLAIN_IN + k]) > 1;
      plain->dw[j * PLAIN_IN + k] = stuck ? 0 : sum;
    }
  }
}

#endif
