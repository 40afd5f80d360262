#ifndef RUNG_QPARAMS_H
#define RUNG_QPARAMS_H

#include <rung/quant.h>

/* The scale of the weights w [n] that share one: the largest magnitude over qmax (eq. 5), or of binary weights the mean
 * magnitude. */
float qparams_weight_scale(const rung_format *format, const float *w, int64_t n);
/* Their integers (eq. 2): rounded and clamped, or of binary weights the sign, that of 0 being +1. */
void qparams_quantize_weights(const rung_format *format, const float *w, int64_t n, float scale, float threshold,
                              int8_t *q);
/* In double, where no sum of magnitudes overflows. */
double qparams_mean_magnitude(const float *w, int64_t n);
/* The nearest scale that has an f32 reciprocal: 1 / s would overflow below the smallest normal number. */
float qparams_normal_scale(float scale);

/* x [n] to the integers of the quantizer's type (eq. 2 and 33). */
void quantizer_codes(const rung_quantizer *quantizer, void *q, const float *x, int64_t n);
/* An activation to 1 bit: q = x >= 0 ? 1 : -1, x [n] without NaN (eq. 33). */
void binary_quantize(int8_t *q, const float *x, int64_t n);
/* y = scale q, y may be NULL; bit i of `mask`, laid out as that of the kernel fake_quantize, may be NULL, is 1 where
 * |x|
 * <= scale. y may be x. */
void binary_fake_quantize(float *y, uint8_t *mask, const float *x, int64_t n, float scale);

#endif
