/* A constant scale: weights in [-1, 1], where the shadows are held after each step (Courbariaux et al., BinaryConnect,
 * 2015), and activations in [0, 1], of signed ones [-1, 1] (Zhou et al., DoReFa, 2016):
 *
 *   s = 1 / qmax,  q = rne(clamp(v, -1 or 0, 1) / s), of binary weights sign(v)                                (eq. 28)
 *   dv = dy where v was not clamped, else 0 */
#include "../qat.h"
#include "../qparams.h"

static float constant(const rung_format *format) {
  int32_t qmin, qmax;
  rung_format_range(format, &qmin, &qmax);
  return 1 / (float)qmax;
}

static float weight_scale(const rung_format *format, const float *w, int64_t n) {
  (void)w, (void)n;
  return constant(format);
}

static float calibrate(const rung_format *format, double mean_magnitude, float observed) {
  (void)mean_magnitude, (void)observed;
  return constant(format);
}

const weight_method unit_weights = {.name = "unit",
                                    .least_bits = 1,
                                    .most_bits = 8,
                                    .clamps = true,
                                    .scale = weight_scale,
                                    .quantize = qparams_quantize_weights};

const activation_method unit_activations = {.name = "unit", .calibrate = calibrate};
