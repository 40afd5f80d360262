/* The quantizers of a checkpoint: all of a model's in one tensor a property, [quantizers, ...], in the order of the
 * network. */
#include "checkpoint.h"

#include <string.h>

#define PREFIX "rung.quantizer"

enum { COUNTED = RUNG_HISTOGRAM_BINS + 1 }; /* the bins, and the zeros */

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

typedef struct quantizer_columns {
  int32_t *state, *zero_point, *place; /* place [count, 2]: the histogram's exponent and first bin */
  float *scale, *range, *counted;      /* range [count, 2]: min, max; counted [count, 2]: low, high */
  uint8_t *batches, *histogram;        /* u64 [count, 2] and f64 [count, COUNTED] as bytes */
} quantizer_columns;

static void encode_double(double value, uint8_t bytes[8]) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  checkpoint_encode(bits, bytes);
}

static void set_row(const quantizer_columns *to, int i, const rung_quantizer *quantizer,
                    const rung_observer_state *seen) {
  to->state[i] = (int32_t)quantizer->state;
  to->scale[i] = quantizer->scale;
  to->zero_point[i] = quantizer->zero_point;
  to->range[2 * i] = seen->min;
  to->range[2 * i + 1] = seen->max;
  checkpoint_encode(quantizer->observed, to->batches + 16 * i);
  checkpoint_encode(seen->observed, to->batches + 16 * i + 8);
  if (!seen->has_histogram) return;
  to->place[2 * i] = seen->exponent;
  to->place[2 * i + 1] = seen->first;
  to->counted[2 * i] = seen->low;
  to->counted[2 * i + 1] = seen->high;
  uint8_t *row = to->histogram + (size_t)i * COUNTED * 8;
  for (int b = 0; b < RUNG_HISTOGRAM_BINS; b++) encode_double(seen->count[b], row + 8 * b);
  encode_double(seen->zeros, row + 8 * RUNG_HISTOGRAM_BINS);
}

static bool allocate_columns(checkpoint_out *out, size_t count, bool histograms, quantizer_columns *columns) {
  columns->state = checkpoint_memory(out, count, sizeof(int32_t));
  columns->scale = checkpoint_memory(out, count, sizeof(float));
  columns->zero_point = checkpoint_memory(out, count, sizeof(int32_t));
  columns->range = checkpoint_memory(out, 2 * count, sizeof(float));
  columns->batches = checkpoint_memory(out, 2 * count, 8);
  if (histograms) {
    columns->place = checkpoint_memory(out, 2 * count, sizeof(int32_t));
    columns->counted = checkpoint_memory(out, 2 * count, sizeof(float));
    columns->histogram = checkpoint_memory(out, COUNTED * count, 8);
  }
  return out->status == RUNG_OK;
}

static void put_columns(checkpoint_out *out, int64_t count, const quantizer_columns *columns) {
  checkpoint_put(out, PREFIX, "state", RUNG_I32, RUNG_SHAPE(count), columns->state);
  checkpoint_put(out, PREFIX, "scale", RUNG_F32, RUNG_SHAPE(count), columns->scale);
  checkpoint_put(out, PREFIX, "zero_point", RUNG_I32, RUNG_SHAPE(count), columns->zero_point);
  checkpoint_put(out, PREFIX, "range", RUNG_F32, RUNG_SHAPE(count, 2), columns->range);
  checkpoint_put(out, PREFIX, "batches", RUNG_U8, RUNG_SHAPE(count, 2, 8), columns->batches);
  if (columns->histogram == NULL) return;
  checkpoint_put(out, PREFIX, "histogram", RUNG_U8, RUNG_SHAPE(count, COUNTED, 8), columns->histogram);
  checkpoint_put(out, PREFIX, "histogram_place", RUNG_I32, RUNG_SHAPE(count, 2), columns->place);
  checkpoint_put(out, PREFIX, "histogram_range", RUNG_F32, RUNG_SHAPE(count, 2), columns->counted);
}

/* "image, relu.4, ...": whose they are, for a reader. */
static void put_names(checkpoint_out *out, const rung_quantization *quantization, int count) {
  const size_t most = sizeof((rung_quantizer *)NULL)->name + 2;
  char *names = checkpoint_memory(out, (size_t)count, most);
  for (int i = 0; i < count && names != NULL; i++) {
    if (i > 0) strcat(names, ", ");
    strcat(names, rung_quantization_quantizer(quantization, i)->name);
  }
  if (names != NULL) checkpoint_put_text(out, "quantizers", names);
}

/* The default observer is one with a histogram below 5 bits, so layers with bits of their own may differ in that. */
static bool any_histogram(const rung_quantization *quantization, int count) {
  for (int i = 0; i < count; i++)
    if (!rung_observer_needs_range_only(rung_quantization_quantizer(quantization, i)->observer)) return true;
  return false;
}

void checkpoint_put_quantizers(checkpoint_out *out, const rung_quantization *quantization) {
  const int count = rung_quantization_quantizer_count(quantization);
  if (count == 0) return;
  const bool histograms = any_histogram(quantization, count);
  quantizer_columns columns = {0};
  rung_observer_state *seen = checkpoint_memory(out, 1, sizeof *seen);
  if (!allocate_columns(out, (size_t)count, histograms, &columns)) return;
  for (int i = 0; i < count; i++) {
    const rung_quantizer *quantizer = rung_quantization_quantizer(quantization, i);
    rung_observer_get_state(quantizer->observer, seen);
    set_row(&columns, i, quantizer, seen);
  }
  put_columns(out, count, &columns);
  put_names(out, quantization, count);
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

static const void *column(const checkpoint_in *in, const char *name, rung_dtype type, rung_shape shape) {
  const rung_tensor *tensor = checkpoint_get(in, PREFIX, name, type, shape);
  return tensor != NULL ? tensor->data : NULL;
}

static double decode_double(const uint8_t bytes[8]) {
  const uint64_t bits = checkpoint_decode(bytes);
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static rung_status get_histograms(const checkpoint_in *in, int64_t count, int64_t i, rung_observer_state *seen) {
  const uint8_t *histogram = column(in, "histogram", RUNG_U8, RUNG_SHAPE(count, COUNTED, 8));
  const int32_t *place = histogram ? column(in, "histogram_place", RUNG_I32, RUNG_SHAPE(count, 2)) : NULL;
  const float *counted = place ? column(in, "histogram_range", RUNG_F32, RUNG_SHAPE(count, 2)) : NULL;
  if (counted == NULL) return rung_error_status();
  seen->has_histogram = true;
  seen->exponent = place[2 * i];
  seen->first = place[2 * i + 1];
  seen->low = counted[2 * i];
  seen->high = counted[2 * i + 1];
  const uint8_t *row = histogram + i * COUNTED * 8;
  for (int b = 0; b < RUNG_HISTOGRAM_BINS; b++) seen->count[b] = decode_double(row + 8 * b);
  seen->zeros = decode_double(row + 8 * RUNG_HISTOGRAM_BINS);
  return RUNG_OK;
}

static rung_status get_quantizer(const checkpoint_in *in, int64_t count, int64_t i, rung_quantizer *quantizer,
                                 rung_observer_state *seen) {
  const int32_t *state = column(in, "state", RUNG_I32, RUNG_SHAPE(count));
  const float *scale = state ? column(in, "scale", RUNG_F32, RUNG_SHAPE(count)) : NULL;
  const int32_t *zero_point = scale ? column(in, "zero_point", RUNG_I32, RUNG_SHAPE(count)) : NULL;
  const float *range = zero_point ? column(in, "range", RUNG_F32, RUNG_SHAPE(count, 2)) : NULL;
  const uint8_t *batches = range ? column(in, "batches", RUNG_U8, RUNG_SHAPE(count, 2, 8)) : NULL;
  if (batches == NULL) return rung_error_status();
  rung_status status = RUNG_OK;
  *seen = (rung_observer_state){
      .observed = checkpoint_decode(batches + 16 * i + 8), .min = range[2 * i], .max = range[2 * i + 1]};
  if (!rung_observer_needs_range_only(quantizer->observer)) status = get_histograms(in, count, i, seen);
  if (status == RUNG_OK) status = rung_observer_set_state(quantizer->observer, seen);
  if (status == RUNG_OK)
    status = rung_quantizer_restore(quantizer, (rung_quantizer_state)state[i], scale[i], zero_point[i],
                                    checkpoint_decode(batches + 16 * i));
  return status == RUNG_OK
             ? status
             : rung_fail(RUNG_ERROR_FORMAT, "%s: quantizer %lld: %s", in->path, (long long)i, rung_error());
}

rung_status checkpoint_get_quantizers(const checkpoint_in *in, rung_quantization *quantization) {
  const int count = rung_quantization_quantizer_count(quantization);
  rung_observer_state *seen = rung_allocate(sizeof *seen);
  rung_status status = seen != NULL ? RUNG_OK : RUNG_ERROR_MEMORY;
  for (int i = 0; i < count && status == RUNG_OK; i++)
    status = get_quantizer(in, count, i, rung_quantization_quantizer(quantization, i), seen);
  rung_release(seen);
  return status;
}
