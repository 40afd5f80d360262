/* DoReFa weights (Zhou et al., 2016): tanh, then 2^bits levels of equal distance from -1 to 1, none of them 0. With
 * L = 2^bits - 1 and M = max|tanh w| over the weights that share a scale:
 *
 *   k = rne(L (tanh(w) / (2 M) + 1/2)),  q = 2 k - L in {-L, 2 - L, .. L},  s = M / L                          (eq. 25)
 *   dw = dy (1 - tanh(w)^2)                                                                                  (eq. 26)
 *
 * The paper leaves out M from s, and lets a batch norm find the layer's scale. With it, a trained network keeps that of
 * its layers, and in the gradient, which is straight through k, M cancels. Binary weights are those of max.c. */
#include "../qat.h"
#include "../qparams.h"

enum { BLOCK = 256 };

static int32_t last_level(const rung_format *format) {
  return (1 << format->bits) - 1;
}

static float scale_of(const rung_format *format, const float *w, int64_t n) {
  const float most = rung_kernels_active()->max_abs(w, n);
  float squashed;
  rung_kernels_active()->tanh(&squashed, &most, 1);
  return squashed > 0 ? qparams_normal_scale(squashed / (float)last_level(format)) : 1;
}

/* q = 2 j - 1 with j = rne((tanh(w) / s + 1) / 2), so the kernel can round. */
static void quantize(const rung_format *format, const float *w, int64_t n, float scale, float threshold, int8_t *q) {
  const rung_kernels *kernels = rung_kernels_active();
  const int32_t half = 1 << (format->bits - 1);
  (void)threshold;
  for (int64_t at = 0; at < n; at += BLOCK) {
    const int64_t count = n - at < BLOCK ? n - at : BLOCK;
    float t[BLOCK];
    kernels->tanh(t, w + at, count);
    for (int64_t i = 0; i < count; i++) t[i] += scale;
    kernels->quantize_i8(q + at, t, count, 0.5f / scale, 0, 1 - half, half);
    for (int64_t i = 0; i < count; i++) q[at + i] = (int8_t)(2 * q[at + i] - 1);
  }
}

static double backward(const rung_format *format, float *g, const float *w, const int8_t *q, int64_t n, float scale) {
  (void)format, (void)q, (void)scale;
  for (int64_t at = 0; at < n; at += BLOCK) {
    const int64_t count = n - at < BLOCK ? n - at : BLOCK;
    float t[BLOCK];
    rung_kernels_active()->tanh(t, w + at, count);
    rung_kernels_active()->tanh_backward(g + at, g + at, t, count, false);
  }
  return 0;
}

const weight_method dorefa_weights = {.name = "dorefa",
                                      .least_bits = 1,
                                      .most_bits = 7,
                                      .odd = true,
                                      .scale = scale_of,
                                      .quantize = quantize,
                                      .backward = backward};
