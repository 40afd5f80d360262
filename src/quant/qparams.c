/* From real ranges to quantization parameters, from real multipliers to integer ones, and weights to integers. */
#include "qparams.h"
#include "weight_grid.h"

#include <float.h>
#include <math.h>

float qparams_normal_scale(float scale) {
  return scale < FLT_MIN ? FLT_MIN : scale > FLT_MAX ? FLT_MAX : scale;
}

/* eq. 5: scale = max|r| / qmax. */
static float symmetric_scale(float absmax, int32_t qmax) {
  return absmax > 0 ? qparams_normal_scale(absmax / (float)qmax) : 1;
}

/* eq. 4: scale = (rmax - rmin) / (qmax - qmin). A width that overflows is divided before the difference is taken. */
static float affine_scale(float rmin, float rmax, int32_t qmin, int32_t qmax) {
  float width = rmax - rmin, steps = (float)(qmax - qmin);
  if (width == 0) return 1;
  return qparams_normal_scale(width <= FLT_MAX ? width / steps : rmax / steps - rmin / steps);
}

rung_status rung_qparams(const rung_format *format, float rmin, float rmax, float *scale, int32_t *zero_point) {
  if (!isfinite(rmin) || !isfinite(rmax) || rmin > rmax)
    return rung_fail(RUNG_ERROR_NUMERIC, "range [%g, %g], expected finite bounds in ascending order", (double)rmin,
                     (double)rmax);
  int32_t qmin, qmax;
  rung_format_range(format, &qmin, &qmax);
  rmin = fminf(rmin, 0);
  rmax = fmaxf(rmax, 0);
  if (format->symmetric) {
    *scale = symmetric_scale(fmaxf(-rmin, rmax), qmax);
    *zero_point = 0;
    return RUNG_OK;
  }
  *scale = affine_scale(rmin, rmax, qmin, qmax);
  float zero = rintf((float)qmin - rmin / *scale);
  *zero_point = (int32_t)fminf(fmaxf(zero, (float)qmin), (float)qmax);
  return RUNG_OK;
}

/* m = f 2^e with f in [1/2, 1), so v = f 2^31 lies in [2^30, 2^31). The odd number nearest to v is the one between the
 * even numbers on either side of it, which is in that range too: |v - M| <= 1. */
rung_status rung_multiplier_from_real(double m, int32_t *multiplier, int32_t *shift) {
  if (!(m > 0) || m >= 0x1p30)
    return rung_fail(RUNG_ERROR_NUMERIC, "multiplier %g, expected more than 0 and less than 2^30", m);
  if (m < 0x1p-32) {
    *multiplier = 0;
    *shift = 1;
    return RUNG_OK;
  }
  int exponent;
  double fraction = frexp(m, &exponent);
  *multiplier = (int32_t)ldexp(fraction, 31) | 1;
  *shift = 31 - exponent;
  return RUNG_OK;
}

double qparams_mean_magnitude(const float *w, int64_t n) {
  double lane[QAT_LANES] = {0};
  QAT_ADD(lane, n, i, (double)fabsf(w[i]))
  return qat_sum(lane) / (double)n;
}

/* Binary weights have no 0, so zeros take the smallest scale rather than 1. */
float qparams_weight_scale(const rung_format *format, const float *w, int64_t n) {
  if (format->bits == 1) return qparams_normal_scale((float)qparams_mean_magnitude(w, n));
  int32_t qmin, qmax;
  rung_format_range(format, &qmin, &qmax);
  return symmetric_scale(rung_kernels_active()->max_abs(w, n), qmax);
}

void qparams_quantize_weights(const rung_format *format, const float *w, int64_t n, float scale, float threshold,
                              int8_t *q) {
  (void)threshold;
  if (format->bits == 1) {
    for (int64_t i = 0; i < n; i++) q[i] = w[i] >= 0 ? 1 : -1;
    return;
  }
  int32_t qmin, qmax;
  rung_format_range(format, &qmin, &qmax);
  rung_kernels_active()->quantize_i8(q, w, n, 1 / scale, 0, qmin, qmax);
}

void rung_quantize_rows(const rung_format *format, const float *weight, int64_t rows, int64_t columns, int64_t group,
                        int8_t *q, float *scale) {
  const weight_grid grid = {.method = weight_method_of(RUNG_WEIGHTS_MAX, format->bits),
                            .format = *format,
                            .rows = rows,
                            .columns = columns,
                            .group = group};
  weight_grid_scales(&grid, weight, 0, rows, scale, NULL);
  weight_grid_codes(&grid, weight, 0, rows, scale, NULL, q);
}

void binary_quantize(int8_t *q, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) q[i] = x[i] >= 0 ? 1 : -1;
}

void binary_fake_quantize(float *y, uint8_t *mask, const float *x, int64_t n, float scale) {
  for (int64_t i = 0; i < n && mask; i += 8) {
    uint8_t bits = 0;
    for (int64_t k = i; k < i + 8 && k < n; k++) bits |= (uint8_t)((fabsf(x[k]) <= scale) << (k - i));
    mask[i / 8] = bits;
  }
  for (int64_t i = 0; i < n && y; i++) y[i] = x[i] >= 0 ? scale : -scale;
}

void quantizer_codes(const rung_quantizer *quantizer, void *q, const float *x, int64_t n) {
  const rung_kernels *kernels = rung_kernels_active();
  const float inverse = 1 / quantizer->scale;
  if (quantizer->format.bits == 1)
    binary_quantize(q, x, n);
  else if (quantizer->format.is_signed)
    kernels->quantize_i8(q, x, n, inverse, quantizer->zero_point, quantizer->qmin, quantizer->qmax);
  else
    kernels->quantize_u8(q, x, n, inverse, quantizer->zero_point, quantizer->qmin, quantizer->qmax);
}
