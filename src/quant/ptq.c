/* What all methods share: a layer's scales and the weights of each, rounding, and the list by name. */
#include "ptq.h"

#include "qparams.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- A layer ---------------------------------------------------------------------------------------------------- */

static int64_t groups_of(const rung_ptq_layer *layer) {
  return layer->granularity == RUNG_PER_GROUP ? (layer->in + layer->group - 1) / layer->group : 1;
}

int64_t rung_ptq_scale_count(const rung_ptq_layer *layer) {
  return layer->granularity == RUNG_PER_TENSOR ? 1 : layer->out * groups_of(layer);
}

float *rung_ptq_scaled_weights(const rung_ptq_layer *layer, int64_t index, int64_t *count) {
  *count = layer->granularity == RUNG_PER_TENSOR ? layer->out * layer->in : layer->in;
  if (layer->granularity != RUNG_PER_GROUP) return layer->weight + index * layer->in;
  const int64_t groups = groups_of(layer), row = index / groups, first = index % groups * layer->group;
  *count = layer->in - first < layer->group ? layer->in - first : layer->group;
  return layer->weight + row * layer->in + first;
}

static rung_status check_finite(const rung_ptq_layer *layer) {
  for (int64_t i = 0; i < layer->out * layer->in; i++)
    if (!isfinite(layer->weight[i]))
      return rung_fail(RUNG_ERROR_NUMERIC, "ptq: %s: weight %lld is %g, expected a finite number", layer->name,
                       (long long)i, (double)layer->weight[i]);
  return RUNG_OK;
}

rung_status rung_ptq_check_layer(const rung_ptq_layer *layer, bool needs_x) {
  int64_t weights, inputs;
  if (layer->in < 1 || layer->out < 1 || __builtin_mul_overflow(layer->in, layer->out, &weights))
    return rung_fail(RUNG_ERROR_SHAPE, "ptq: %s: weight [%lld, %lld], expected extents of 1 or more", layer->name,
                     (long long)layer->out, (long long)layer->in);
  if (!layer->weight || !layer->scale)
    return rung_fail(RUNG_ERROR_ARGUMENT, "ptq: %s: no memory for its %s", layer->name,
                     layer->weight ? "scales" : "weights");
  if (layer->granularity == RUNG_PER_GROUP && layer->group < 1)
    return rung_fail(RUNG_ERROR_ARGUMENT, "ptq: %s: group %lld, expected 1 or more", layer->name,
                     (long long)layer->group);
  rung_status status = rung_format_check(&layer->format, "ptq: weight_bits");
  if (status != RUNG_OK) return status;
  if (!layer->format.symmetric)
    return rung_fail(RUNG_ERROR_ARGUMENT, "ptq: %s: weights with a zero point, expected a symmetric format",
                     layer->name);
  if (needs_x && (layer->n < 1 || !layer->x || __builtin_mul_overflow(layer->n, layer->in, &inputs)))
    return rung_fail(RUNG_ERROR_ARGUMENT, "ptq: %s: %lld calibration examples, expected 1 or more", layer->name,
                     (long long)(layer->x ? layer->n : 0));
  return check_finite(layer);
}

float rung_ptq_max_scale(const rung_format *format, const float *w, int64_t n) {
  return qparams_weight_scale(format, w, n);
}

void rung_ptq_round(const rung_format *format, float *w, int64_t n, float scale) {
  int32_t qmin, qmax;
  rung_format_range(format, &qmin, &qmax);
  if (format->bits > 1) {
    rung_kernels_active()->fake_quantize(w, NULL, w, n, scale, 1 / scale, 0, qmin, qmax);
    return;
  }
  for (int64_t i = 0; i < n; i++) w[i] = w[i] >= 0 ? scale : -scale;
}

/* ---- The list --------------------------------------------------------------------------------------------------- */

#define PTQ_ENTRY(method, structure) [method] = &structure,
static const ptq_method *const methods[RUNG_PTQ_METHOD_COUNT] = {PTQ_LIST(PTQ_ENTRY)};

static bool exists(rung_ptq_method method) {
  return (int)method >= 0 && method < RUNG_PTQ_METHOD_COUNT;
}

const char *rung_ptq_method_name(rung_ptq_method method) {
  return exists(method) ? methods[method]->name : "unknown";
}

rung_ptq_phase rung_ptq_method_phase(rung_ptq_method method) {
  return exists(method) ? methods[method]->phase : RUNG_PTQ_ROUNDING;
}

/* One name of the list, `length` bytes of it. */
static rung_status parse_one(const char *name, int length, uint32_t *set) {
  char names[256] = "";
  for (int i = 0; i < RUNG_PTQ_METHOD_COUNT; i++) {
    if (strlen(methods[i]->name) == (size_t)length && strncmp(name, methods[i]->name, (size_t)length) == 0) {
      if (*set >> i & 1) return rung_fail(RUNG_ERROR_ARGUMENT, "method '%s': it is there twice", methods[i]->name);
      *set |= UINT32_C(1) << i;
      return RUNG_OK;
    }
    size_t used = strlen(names);
    snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", methods[i]->name);
  }
  return rung_fail(RUNG_ERROR_ARGUMENT, "method '%.*s': expected one of %s", length, name, names);
}

static bool chosen(uint32_t set, int method) {
  return set >> method & 1;
}

/* The first rounding method of the set at `from` or behind; RUNG_PTQ_METHOD_COUNT where there is none. */
static int rounding_method(uint32_t set, int from) {
  while (from < RUNG_PTQ_METHOD_COUNT && !(chosen(set, from) && methods[from]->phase == RUNG_PTQ_ROUNDING)) from++;
  return from;
}

static rung_status check_set(uint32_t set) {
  if (set >> RUNG_PTQ_METHOD_COUNT)
    return rung_fail(RUNG_ERROR_ARGUMENT, "ptq: methods %#x, expected bits 0..%d", (unsigned)set,
                     RUNG_PTQ_METHOD_COUNT - 1);
  const int first = rounding_method(set, 0), second = rounding_method(set, first + 1);
  if (second < RUNG_PTQ_METHOD_COUNT)
    return rung_fail(RUNG_ERROR_ARGUMENT, "method '%s': both it and '%s' round weights, expected one of them",
                     methods[second]->name, methods[first]->name);
  return RUNG_OK;
}

rung_status rung_ptq_parse(const char *text, uint32_t *set) {
  uint32_t parsed = 0;
  for (const char *name = text;; name++) {
    const int length = (int)strcspn(name, ",");
    rung_status status = parse_one(name, length, &parsed);
    if (status != RUNG_OK) return status;
    name += length;
    if (*name == '\0') break;
  }
  rung_status status = check_set(parsed);
  if (status == RUNG_OK) *set = parsed;
  return status;
}

rung_status rung_ptq_check_options(const rung_ptq_options *options) {
  rung_status status = check_set(options->methods);
  for (int i = 0; i < RUNG_PTQ_METHOD_COUNT && status == RUNG_OK; i++)
    if (chosen(options->methods, i) && methods[i]->check) status = methods[i]->check(options);
  return status;
}

/* ---- The phases ------------------------------------------------------------------------------------------------- */

/* What a method cannot do to a layer is told and left. */
static rung_status noted(rung_status status, const ptq_method *method, const rung_ptq_layer *layer,
                         const rung_ptq_options *options) {
  char what[512];
  if (status != RUNG_ERROR_UNSUPPORTED) return status;
  snprintf(what, sizeof what, "%s: %s", method->name, rung_error());
  if (options->note) options->note(options->context, layer->name, what);
  return RUNG_OK;
}

rung_status rung_ptq_transform_network(rung_ptq_layer *layers, int count, const rung_ptq_options *options) {
  for (int i = 0; i < RUNG_PTQ_METHOD_COUNT; i++) {
    if (!chosen(options->methods, i) || !methods[i]->transform_network) continue;
    rung_status status = methods[i]->transform_network(layers, count, options);
    if (status != RUNG_OK) return status;
  }
  return RUNG_OK;
}

bool rung_ptq_transforms_layers(const rung_ptq_options *options, rung_ptq_method method) {
  return exists(method) && chosen(options->methods, (int)method) && methods[method]->transform_layer;
}

rung_status rung_ptq_transform_layer(rung_ptq_layer *layer, rung_ptq_method method, const rung_ptq_options *options) {
  if (!rung_ptq_transforms_layers(options, method)) return RUNG_OK;
  return noted(methods[method]->transform_layer(layer, options), methods[method], layer, options);
}

static rung_status round_by_method(rung_ptq_layer *layer, const rung_ptq_options *options) {
  int method = rounding_method(options->methods, 0);
  if (method < RUNG_PTQ_METHOD_COUNT) return methods[method]->round(layer, options);
  for (method = 0; method < RUNG_PTQ_METHOD_COUNT; method++)
    if (chosen(options->methods, method) && methods[method]->round) return methods[method]->round(layer, options);
  return rung_ptq_nearest(layer);
}

rung_status rung_ptq_round_layer(rung_ptq_layer *layer, const rung_ptq_options *options) {
  rung_status status = round_by_method(layer, options);
  for (int i = 0; i < RUNG_PTQ_METHOD_COUNT && status == RUNG_OK; i++)
    if (chosen(options->methods, i) && methods[i]->correct)
      status = noted(methods[i]->correct(layer, options), methods[i], layer, options);
  return status;
}
