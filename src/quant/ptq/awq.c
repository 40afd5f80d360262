/* AWQ (Lin et al., AWQ: activation-aware weight quantization for on-device LLM compression and acceleration, 2024):
 * weights that meet large inputs matter most. For r = 0, 1/steps ...
 *
 *   s[j] = a[j]^r / sqrt(max a^r min a^r),   a[j] = mean|x_j|, a^r at least 1e-4                               (eq. 42)
 *
 * and the r is taken whose E = ||x (Q(W diag s) diag 1/s - W)^T||^2 is least, Q the rounding to nearest. Column j of W
 * is multiplied by s[j], and what the layer before gives divided by it. Then, for the weights of each scale, w within
 * them, x their inputs, the clip c of 1, 1 - 1/clip_steps ... > 1/2 with the least
 *
 *   E(c) = ||x (Q_c(w) - w)^T||^2,   the scale of Q_c: c max|w| / qmax.                                        (eq. 43)
 */
#include "ptq.h"

#include <math.h>
#include <string.h>

static rung_status check(const rung_awq_options *options) {
  if (options->steps < 0 || options->steps > 1000)
    return rung_fail(RUNG_ERROR_ARGUMENT, "ptq: awq steps %d, expected 1..1000", options->steps);
  if (options->clip_steps < 0 || options->clip_steps > 1000)
    return rung_fail(RUNG_ERROR_ARGUMENT, "ptq: awq clip_steps %d, expected 1..1000", options->clip_steps);
  return RUNG_OK;
}

/* ---- The scales ------------------------------------------------------------------------------------------------- */

/* Of one search. All memory is one block. */
typedef struct scale_search {
  rung_ptq_layer *layer;
  float *magnitude;  /* [in]: mean|x_j| */
  float *s, *best_s; /* [in] */
  float *difference; /* [out, in] */
  double *error;     /* [out] */
} scale_search;

static rung_status begin(scale_search *search) {
  const rung_ptq_layer *layer = search->layer;
  const size_t in = (size_t)layer->in, out = (size_t)layer->out;
  search->error = rung_allocate(out * sizeof(double) + (3 * in + in * out) * sizeof(float));
  if (!search->error) return RUNG_ERROR_MEMORY;
  search->magnitude = (float *)(search->error + out);
  search->s = search->magnitude + in;
  search->best_s = search->s + in;
  search->difference = search->best_s + in;
  for (int64_t j = 0; j < layer->in; j++) {
    double sum = 0;
    for (int64_t i = 0; i < layer->n; i++) sum += (double)fabsf(layer->x_float[i * layer->in + j]);
    search->magnitude[j] = (float)(sum / (double)layer->n);
  }
  return RUNG_OK;
}

/* A channel that is always 0 keeps its scale, and has no say in the others'. */
static void make_scales(const scale_search *search, float r) {
  const int64_t in = search->layer->in;
  float least = INFINITY, most = 0;
  for (int64_t j = 0; j < in; j++) {
    if (search->magnitude[j] == 0) continue;
    search->s[j] = r == 0 ? 1 : fmaxf(ptq_power(search->magnitude[j], r), 1e-4f);
    least = fminf(least, search->s[j]);
    most = fmaxf(most, search->s[j]);
  }
  const float middle = most > 0 ? sqrtf(most * least) : 1;
  for (int64_t j = 0; j < in; j++) search->s[j] = search->magnitude[j] == 0 ? 1 : search->s[j] / middle;
}

/* E of the present s: rounds W diag s where the difference will be. */
static rung_status error_of_scales(const scale_search *search, double *sum) {
  const rung_ptq_layer *layer = search->layer;
  rung_ptq_layer scaled = *layer;
  float *d = scaled.weight = search->difference;
  for (int64_t i = 0; i < layer->out * layer->in; i++) d[i] = layer->weight[i] * search->s[i % layer->in];
  rung_status status = rung_ptq_nearest(&scaled);
  if (status != RUNG_OK) return status;
  for (int64_t i = 0; i < layer->out * layer->in; i++) d[i] = d[i] / search->s[i % layer->in] - layer->weight[i];
  status = ptq_output_error(layer, layer->x_float, d, 0, layer->in, search->error);
  *sum = 0;
  for (int64_t j = 0; j < layer->out; j++) *sum += search->error[j];
  return status;
}

static rung_status search_scales(scale_search *search, int steps) {
  const size_t bytes = (size_t)search->layer->in * sizeof(float);
  double error, least = INFINITY;
  for (int step = 0; step < steps; step++) {
    make_scales(search, (float)step / (float)steps);
    rung_status status = error_of_scales(search, &error);
    if (status != RUNG_OK) return status;
    if (error >= least) continue;
    least = error;
    memcpy(search->best_s, search->s, bytes);
  }
  return RUNG_OK;
}

rung_status rung_ptq_awq_scale(rung_ptq_layer *layer, const rung_awq_options *options) {
  const rung_awq_options asked = options ? *options : (rung_awq_options){0};
  rung_status status = check(&asked);
  if (status == RUNG_OK) status = ptq_check_pair(layer);
  if (status == RUNG_OK) status = rung_ptq_check_layer(layer, false);
  if (status != RUNG_OK) return status;
  if (layer->n < 1 || !layer->x_float)
    return rung_fail(RUNG_ERROR_ARGUMENT, "ptq: %s: no calibration examples, expected 1 or more", layer->name);
  scale_search search = {.layer = layer};
  status = begin(&search);
  if (status == RUNG_OK) status = search_scales(&search, asked.steps ? asked.steps : 20);
  for (int64_t j = 0; j < layer->in && status == RUNG_OK; j++)
    if (isnormal(search.best_s[j])) ptq_move_scale(layer, j, search.best_s[j]);
  rung_release(search.error);
  return status;
}

/* ---- The clip --------------------------------------------------------------------------------------------------- */

/* Of one search; [out] and [scales] are of the layer. */
typedef struct clip_search {
  rung_ptq_layer *layer;
  double *error;           /* [out]: of one group's part */
  double *sum, *least_sum; /* [scales]: of this clip, and the least so far */
  float *scale;            /* [scales]: of the largest magnitude; layer->scale is the best so far */
  float *difference;       /* [out, in] */
  int64_t scales;
} clip_search;

static rung_status begin_clip(clip_search *search) {
  const rung_ptq_layer *layer = search->layer;
  const size_t out = (size_t)layer->out, scales = (size_t)(search->scales = rung_ptq_scale_count(layer));
  search->error =
      rung_allocate((out + 2 * scales) * sizeof(double) + (scales + out * (size_t)layer->in) * sizeof(float));
  if (!search->error) return RUNG_ERROR_MEMORY;
  search->sum = search->error + out;
  search->least_sum = search->sum + scales;
  search->scale = (float *)(search->least_sum + scales);
  search->difference = search->scale + scales;
  for (int64_t s = 0; s < search->scales; s++) {
    int64_t n;
    const float *w = rung_ptq_scaled_weights(layer, s, &n);
    layer->scale[s] = search->scale[s] = rung_ptq_max_scale(&layer->format, w, n);
    search->least_sum[s] = INFINITY;
  }
  return RUNG_OK;
}

/* Q_c(w) - w of all weights. */
static void make_difference(const clip_search *search, float part) {
  rung_ptq_layer clipped = *search->layer;
  clipped.weight = search->difference;
  memcpy(clipped.weight, search->layer->weight, (size_t)(clipped.out * clipped.in) * sizeof(float));
  for (int64_t s = 0; s < search->scales; s++) {
    int64_t n;
    float *w = rung_ptq_scaled_weights(&clipped, s, &n);
    rung_ptq_round(&clipped.format, w, n, part * search->scale[s]);
  }
  for (int64_t i = 0; i < clipped.out * clipped.in; i++) clipped.weight[i] -= search->layer->weight[i];
}

/* Adds each channel's error, group by group, to that of its scale. */
static rung_status sum_errors(clip_search *search) {
  const rung_ptq_layer *layer = search->layer;
  const int64_t width = layer->granularity == RUNG_PER_GROUP ? layer->group : layer->in;
  const int64_t groups = (layer->in + width - 1) / width;
  for (int64_t s = 0; s < search->scales; s++) search->sum[s] = 0;
  for (int64_t g = 0; g < groups; g++) {
    const int64_t first = g * width, count = layer->in - first < width ? layer->in - first : width;
    rung_status status = ptq_output_error(layer, layer->x, search->difference, first, count, search->error);
    if (status != RUNG_OK) return status;
    for (int64_t j = 0; j < layer->out; j++)
      search->sum[layer->granularity == RUNG_PER_TENSOR ? 0 : j * groups + g] += search->error[j];
  }
  return RUNG_OK;
}

static rung_status search_clips(clip_search *search, int steps) {
  for (int step = 0; 2 * step < steps; step++) {
    const float part = 1 - (float)step / (float)steps;
    make_difference(search, part);
    rung_status status = sum_errors(search);
    if (status != RUNG_OK) return status;
    for (int64_t s = 0; s < search->scales; s++) {
      const float scale = part * search->scale[s];
      if (search->sum[s] >= search->least_sum[s] || !isnormal(scale)) continue;
      search->least_sum[s] = search->sum[s];
      search->layer->scale[s] = scale;
    }
  }
  return RUNG_OK;
}

rung_status rung_ptq_awq_clip(rung_ptq_layer *layer, const rung_awq_options *options) {
  const rung_awq_options asked = options ? *options : (rung_awq_options){0};
  rung_status status = check(&asked);
  if (status == RUNG_OK) status = rung_ptq_check_layer(layer, true);
  if (status != RUNG_OK) return status;
  if (layer->format.bits == 1) return rung_ptq_nearest(layer); /* a sign has nothing to clip */
  clip_search search = {.layer = layer};
  status = begin_clip(&search);
  if (status == RUNG_OK) status = search_clips(&search, asked.clip_steps ? asked.clip_steps : 20);
  for (int64_t s = 0; s < search.scales && status == RUNG_OK; s++) {
    int64_t n;
    float *w = rung_ptq_scaled_weights(layer, s, &n);
    rung_ptq_round(&layer->format, w, n, layer->scale[s]);
  }
  rung_release(search.error);
  return status;
}

/* ---- The method ------------------------------------------------------------------------------------------------- */

static rung_status check_options(const rung_ptq_options *options) {
  return check(&options->awq);
}

static rung_status transform(rung_ptq_layer *layer, const rung_ptq_options *options) {
  return rung_ptq_awq_scale(layer, &options->awq);
}

static rung_status round_layer(rung_ptq_layer *layer, const rung_ptq_options *options) {
  return rung_ptq_awq_clip(layer, &options->awq);
}

const ptq_method awq_method = {.name = "awq",
                               .phase = RUNG_PTQ_TRANSFORM,
                               .check = check_options,
                               .transform_layer = transform,
                               .round = round_layer};
