/* Round to nearest: the scale from the largest magnitude of the weights that share it (eq. 5), each weight to the
 * nearest multiple of it (eq. 2). */
#include "ptq.h"

rung_status rung_ptq_nearest(rung_ptq_layer *layer) {
  rung_status status = rung_ptq_check_layer(layer, false);
  if (status != RUNG_OK) return status;
  for (int64_t s = 0; s < rung_ptq_scale_count(layer); s++) {
    int64_t n;
    float *w = rung_ptq_scaled_weights(layer, s, &n);
    layer->scale[s] = rung_ptq_max_scale(&layer->format, w, n);
    rung_ptq_round(&layer->format, w, n, layer->scale[s]);
  }
  return RUNG_OK;
}

static rung_status round_layer(rung_ptq_layer *layer, const rung_ptq_options *options) {
  (void)options;
  return rung_ptq_nearest(layer);
}

const ptq_method nearest_method = {.name = "nearest", .phase = RUNG_PTQ_ROUNDING, .round = round_layer};
