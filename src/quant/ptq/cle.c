/* Cross-layer equalization (Nagel et al., Data-free quantization through weight equalization and bias correction, 2019,
 * section 4.1): with r1[j] the largest magnitude of row j of the first layer, r2[j] that of column j of the second,
 *
 *   s[j] = sqrt(r1[j] r2[j]) / r2[j]:   W1[j,.] /= s[j],  b1[j] /= s[j],  W2[.,j] *= s[j]                      (eq. 40)
 *
 * leaves both with sqrt(r1 r2). A pair disturbs its neighbours, so all pairs are gone over until nothing moves. */
#include "ptq.h"

#include <math.h>

/* Returns how far the farthest s was from 1. A channel that is zero on either side has nothing to equalize. */
static float equalize_pair(rung_ptq_layer *layer) {
  float farthest = 0;
  for (int64_t j = 0; j < layer->in; j++) {
    const rung_ptq_layer *before = layer->before;
    const float r1 = rung_kernels_active()->max_abs(before->weight + j * before->in, before->in);
    const float r2 = ptq_column_max(layer, j);
    const float s = sqrtf(r1) / sqrtf(r2); /* each root apart: their product may be out of range */
    if (r1 == 0 || r2 == 0 || !isnormal(s)) continue;
    ptq_move_scale(layer, j, s);
    farthest = fmaxf(farthest, fabsf(s - 1));
  }
  return farthest;
}

static rung_status check(const rung_cle_options *options) {
  if (options->rounds < 0)
    return rung_fail(RUNG_ERROR_ARGUMENT, "ptq: cle rounds %d, expected 1 or more", options->rounds);
  if (!(options->tolerance >= 0 && options->tolerance < 1))
    return rung_fail(RUNG_ERROR_ARGUMENT, "ptq: cle tolerance %g, expected 0 or more and below 1",
                     (double)options->tolerance);
  return RUNG_OK;
}

static rung_status check_pairs(const rung_ptq_layer *layers, int count) {
  int pairs = 0;
  for (int i = 0; i < count; i++) {
    if (!ptq_passes_scale(&layers[i])) continue;
    rung_status status = ptq_check_pair(&layers[i]);
    if (status != RUNG_OK) return status;
    pairs++;
  }
  if (pairs > 0) return RUNG_OK;
  return rung_fail(RUNG_ERROR_UNSUPPORTED,
                   "cle: no two linear layers with nothing or a ReLU alone between them, expected one pair or more");
}

rung_status rung_ptq_equalize(rung_ptq_layer *layers, int count, const rung_cle_options *options) {
  const rung_cle_options asked = options ? *options : (rung_cle_options){0};
  rung_status status = check(&asked);
  if (status == RUNG_OK) status = check_pairs(layers, count);
  if (status != RUNG_OK) return status;
  const int rounds = asked.rounds ? asked.rounds : 100;
  const float tolerance = asked.tolerance > 0 ? asked.tolerance : 1e-3f;
  float farthest = INFINITY;
  for (int round = 0; round < rounds && farthest > tolerance; round++) {
    farthest = 0;
    for (int i = 0; i < count; i++)
      if (ptq_passes_scale(&layers[i])) farthest = fmaxf(farthest, equalize_pair(&layers[i]));
  }
  return RUNG_OK;
}

static rung_status check_options(const rung_ptq_options *options) {
  return check(&options->cle);
}

static void note_left(const rung_ptq_layer *layer, const rung_ptq_options *options) {
  if (options->note && layer->before && !ptq_passes_scale(layer))
    options->note(options->context, layer->name, "cle: reads through a ReLU6, which no scale passes; not equalized");
}

static rung_status transform(rung_ptq_layer *layers, int count, const rung_ptq_options *options) {
  for (int i = 0; i < count; i++) note_left(&layers[i], options);
  return rung_ptq_equalize(layers, count, &options->cle);
}

const ptq_method cle_method = {
    .name = "cle", .phase = RUNG_PTQ_TRANSFORM, .check = check_options, .transform_network = transform};
