/* Weights beside their integers. */
#include "analysis.h"

#include <math.h>

double analysis_decibel(double signal, double noise) {
  if (signal == 0) return NAN;
  return noise > 0 ? 10 * log10(signal / noise) : INFINITY;
}

void analysis_settle(const tally *from, rung_values_analysis *to) {
  const double count = (double)from->count;
  to->count = from->count;
  to->sqnr = analysis_decibel(from->signal, from->noise);
  to->clipped = count > 0 ? (double)from->clipped / count : 0;
  to->lowest = count > 0 ? (double)from->lowest / count : 0;
  to->highest = count > 0 ? (double)from->highest / count : 0;
}

/* Bins for `codes` integers, odd in number, so that every bin has as many codes as any other, or every code as many
 * bins: others would show combs that are not there. 7 bits, whose 127 codes are prime, get one bin each. */
static int bins_of(int codes) {
  enum { FEW = 48, MANY = 128 };
  if (codes >= MANY) return codes % 5 == 0 ? codes / 5 : codes % 3 == 0 ? codes / 3 : codes;
  int each = 1;
  while (codes * each < FEW) each += 2;
  return codes * each;
}

/* Symmetric about 0, as wide as the grid of the largest scale, or as the weights where they go beyond it. */
static rung_status make_bins(rung_arena *arena, rung_values_analysis *to, float scale, int32_t qmax) {
  const int bins = bins_of(2 * qmax + 1);
  const float edge = fmaxf(scale * ((float)qmax + 0.5f), fmaxf(-to->least, to->most));
  double *count = rung_arena_array(arena, 2 * (size_t)bins, sizeof *count);
  if (!count) return RUNG_ERROR_MEMORY;
  to->before = (rung_histogram){.bins = bins, .first = -edge, .width = 2 * edge / (float)bins, .count = count};
  to->after = to->before;
  to->after.count = count + bins;
  return RUNG_OK;
}

static void count_in(const rung_histogram *histogram, double *count, float x) {
  const int last = histogram->bins - 1;
  const int bin = (int)((x - histogram->first) / histogram->width);
  count[bin < 0 ? 0 : bin > last ? last : bin]++;
}

static float largest(const float *x, int64_t n) {
  float most = x[0];
  for (int64_t i = 1; i < n; i++) most = fmaxf(most, x[i]);
  return most;
}

rung_status analyze_weights(rung_arena *arena, const rung_integer_layer *layer, const float *x,
                            rung_values_analysis *to) {
  const float scale = largest(layer->weight_scale, layer->out * layer->groups);
  const int64_t group = layer->group ? layer->group : layer->in;
  bool unused;
  tally sums = {0};
  grid on = {0};
  rung_format_range(&layer->weight_format, &on.qmin, &on.qmax);
  rung_kernels_active()->min_max(x, layer->out * layer->in, &to->least, &to->most, &unused);
  to->format = layer->weight_format;
  to->clip_least = scale * (float)on.qmin;
  to->clip_most = scale * (float)on.qmax;
  if (make_bins(arena, to, scale, on.qmax) != RUNG_OK) return RUNG_ERROR_MEMORY;
  double *before = (double *)(uintptr_t)to->before.count, *after = before + to->before.bins;
  for (int64_t j = 0; j < layer->out; j++)
    for (int64_t k = 0; k < layer->in; k++) {
      const int64_t i = j * layer->in + k;
      on.scale = layer->weight_scale[j * layer->groups + k / group];
      tally_add(&sums, &on, x[i], layer->weight[i]);
      count_in(&to->before, before, x[i]);
      count_in(&to->after, after, on.scale * (float)layer->weight[i]);
    }
  analysis_settle(&sums, to);
  return RUNG_OK;
}
