/* How much the network's output suffers where one layer has fewer bits. */
#include "../model.h"

#include <rung/nn/mixed_precision.h>

#include <math.h>
#include <string.h>

typedef struct measuring {
  rung_model *model;
  rung_dataset *calibration, *held_out;
  rung_scheme scheme; /* of the measurements: the model's, but 8 bits */
  const rung_ptq_options *ptq;
  int least_bits, most_bits;
  int64_t examples;
  float *saved;    /* all parameters */
  float *real;     /* [held out, outputs]: of the float network */
  float *outputs;  /* of the present one */
  int64_t count;   /* numbers in each */
  double accuracy; /* of the float network */
} measuring;

/* ---- Parameters ------------------------------------------------------------------------------------------------- */

static size_t parameter_bytes(const rung_parameter *parameter) {
  int64_t count = 0;
  rung_shape_count(&parameter->shape, &count);
  return (size_t)count * sizeof(float);
}

static rung_status save_parameters(measuring *m) {
  size_t bytes = 0;
  for (int p = 0; p < rung_model_parameter_count(m->model); p++) {
    const rung_parameter parameter = rung_model_parameter(m->model, p);
    bytes += parameter_bytes(&parameter);
  }
  m->saved = rung_allocate(bytes);
  if (!m->saved) return RUNG_ERROR_MEMORY;
  char *to = (char *)m->saved;
  for (int p = 0; p < rung_model_parameter_count(m->model); p++) {
    const rung_parameter parameter = rung_model_parameter(m->model, p);
    memcpy(to, parameter.value, parameter_bytes(&parameter));
    to += parameter_bytes(&parameter);
  }
  return RUNG_OK;
}

static void restore_parameters(const measuring *m) {
  const char *from = (const char *)m->saved;
  for (int p = 0; p < rung_model_parameter_count(m->model); p++) {
    const rung_parameter parameter = rung_model_parameter(m->model, p);
    memcpy(parameter.value, from, parameter_bytes(&parameter));
    from += parameter_bytes(&parameter);
  }
  rung_model_touch(m->model);
}

/* ---- One measurement -------------------------------------------------------------------------------------------- */

/* What the network, in its present form, gives before the loss; and its accuracy. */
static rung_status compute_outputs(measuring *m, float *to, double *accuracy) {
  rung_graph *graph;
  rung_status status = model_bind(m->model, m->held_out, &graph);
  if (status != RUNG_OK) return status;
  const int64_t batch = rung_graph_batch(graph), all = m->held_out->count, width = m->count / all;
  int64_t correct = 0;
  for (int64_t first = 0; first < all; first += batch) {
    const int64_t count = all - first < batch ? all - first : batch;
    status = rung_graph_replay(graph, &(rung_replay_options){.count = count, .first = first});
    if (status != RUNG_OK) return status;
    const rung_tensor *scores = &model_loss(m->model)->input[0]->value; /* f32 in every form */
    memcpy(to + first * width, scores->data, (size_t)(count * width) * sizeof(float));
    if (m->held_out->labels) correct += model_count_correct(scores, m->held_out->labels + first);
  }
  *accuracy = (double)correct / (double)all;
  return RUNG_OK;
}

static double noise_of(const measuring *m) {
  double error = 0, all = 0;
  for (int64_t i = 0; i < m->count; i++) {
    const double e = (double)m->outputs[i] - (double)m->real[i];
    error += e * e;
    all += (double)m->real[i] * (double)m->real[i];
  }
  return all > 0 ? error / all : error;
}

static rung_status measure(measuring *m, const rung_layer_sensitivity *layer, rung_bit_sensitivity *at) {
  const rung_layer_scheme one = {.name = layer->name, .weight_bits = at->bits};
  rung_scheme scheme = m->scheme;
  scheme.layers = &one;
  scheme.layer_count = 1;
  rung_status status = rung_quantize(m->model, &scheme);
  if (status == RUNG_OK) status = rung_ptq(m->model, m->calibration, 0, m->ptq);
  if (status == RUNG_OK) status = compute_outputs(m, m->outputs, &at->accuracy);
  restore_parameters(m);
  if (status != RUNG_OK) return status;
  at->noise = noise_of(m);
  at->sqnr = at->noise > 0 ? -10 * log10(at->noise) : INFINITY; /* told, and not decided by */
  at->drop = m->accuracy - at->accuracy;
  return RUNG_OK;
}

/* ---- All of them ------------------------------------------------------------------------------------------------ */

static int64_t bytes_at(const rung_ptq_layer *layer, int bits) {
  const bool grouped = layer->granularity == RUNG_PER_GROUP;
  return rung_integer_layer_bytes(
      &(rung_integer_layer){.in = layer->in,
                            .out = layer->out,
                            .group = layer->group,
                            .groups = grouped ? (layer->in + layer->group - 1) / layer->group : 1,
                            .weight_format = {.bits = bits}});
}

static rung_sensitivity *allocate(const measuring *m) {
  int count;
  rung_ptq_layer *layers = rung_ptq_layers_new(m->model->graph, &m->scheme, &count);
  if (!layers) return NULL;
  rung_sensitivity *s = rung_allocate(sizeof *s + (size_t)count * sizeof *s->layer);
  if (s) *s = (rung_sensitivity){.layers = count, .choices = m->most_bits - m->least_bits + 1};
  if (s) s->layer = (rung_layer_sensitivity *)(s + 1);
  for (int l = 0; s && l < count; l++) {
    rung_layer_sensitivity *to = &s->layer[l];
    memcpy(to->name, layers[l].name, sizeof to->name);
    to->in = layers[l].in;
    to->out = layers[l].out;
    for (int c = 0; c < s->choices; c++) {
      to->at[c].bits = m->least_bits + c;
      to->at[c].bytes = bytes_at(&layers[l], m->least_bits + c);
    }
  }
  rung_release(layers);
  return s;
}

static rung_status measure_all(measuring *m, rung_sensitivity *s) {
  for (int l = 0; l < s->layers; l++)
    for (int c = 0; c < s->choices; c++) {
      rung_status status = measure(m, &s->layer[l], &s->layer[l].at[c]);
      if (status != RUNG_OK) return status;
    }
  return RUNG_OK;
}

static rung_status split(measuring *m, const rung_dataset *dataset) {
  const int64_t half = dataset->count / 2;
  const int64_t first = m->examples < half ? m->examples : half, left = dataset->count - first;
  if (half < 1)
    return rung_fail(RUNG_ERROR_ARGUMENT,
                     "%s: %lld examples, expected 2 or more: some to calibrate, some to measure on", dataset->name,
                     (long long)dataset->count);
  m->calibration = rung_dataset_view(dataset, 0, first);
  m->held_out = rung_dataset_view(dataset, first, left < m->examples ? left : m->examples);
  return m->calibration && m->held_out ? RUNG_OK : rung_error_status();
}

/* Folds batch norms, then takes what the float network computes. */
static rung_status begin(measuring *m) {
  rung_status status = rung_quantize(m->model, &m->scheme);
  if (status == RUNG_OK) status = rung_calibrate(m->model, m->calibration, 1);
  if (status == RUNG_OK) status = save_parameters(m);
  if (status == RUNG_OK) status = rung_model_use(m->model, RUNG_FORM_FLOAT);
  if (status != RUNG_OK) return status;
  const rung_shape *shape = &model_scores(m->model)->shape;
  m->count = m->held_out->count;
  for (int i = 1; i < shape->rank; i++) m->count *= shape->extent[i];
  m->real = rung_allocate((size_t)m->count * sizeof(float));
  m->outputs = rung_allocate((size_t)m->count * sizeof(float));
  return m->real && m->outputs ? compute_outputs(m, m->real, &m->accuracy) : RUNG_ERROR_MEMORY;
}

static rung_status check(const rung_model *model, const measuring *m) {
  rung_status status = rung_model_status(model);
  if (status != RUNG_OK) return status;
  if (!model->has_scheme) return rung_fail(RUNG_ERROR_STATE, "bits: the model has no scheme; call rung_quantize");
  if (m->least_bits < 1 || m->most_bits > 8 || m->least_bits > m->most_bits)
    return rung_fail(RUNG_ERROR_ARGUMENT, "bits: %d..%d to choose from, expected a range within 1..8", m->least_bits,
                     m->most_bits);
  if (m->examples < 1)
    return rung_fail(RUNG_ERROR_ARGUMENT, "bits: %lld examples, expected 0 (1000) or more", (long long)m->examples);
  return model_check_loss(model);
}

static measuring measuring_of(rung_model *model, const rung_mixed_options *options) {
  const rung_mixed_options defaults = {0};
  if (!options) options = &defaults;
  return (measuring){.model = model,
                     .ptq = options->ptq,
                     .least_bits = options->least_bits ? options->least_bits : 2,
                     .most_bits = options->most_bits ? options->most_bits : 8,
                     .examples = options->examples ? options->examples : 1000};
}

int64_t rung_mixed_precision_least(rung_model *model, const rung_mixed_options *options) {
  measuring m = measuring_of(model, options);
  int64_t bytes = 0;
  if (check(model, &m) != RUNG_OK) return 0;
  m.scheme = model->scheme;
  rung_sensitivity *sizes = allocate(&m);
  for (int l = 0; sizes && l < sizes->layers; l++) bytes += sizes->layer[l].at[0].bytes;
  rung_sensitivity_free(sizes);
  return bytes;
}

rung_sensitivity *rung_sensitivity_new(rung_model *model, const rung_dataset *dataset,
                                       const rung_mixed_options *options) {
  measuring m = measuring_of(model, options);
  if (check(model, &m) != RUNG_OK) return NULL;
  rung_scheme kept = model->scheme;
  rung_layer_scheme *kept_layers = rung_scheme_copy_layers(&kept);
  kept.layers = kept_layers;
  m.scheme = model->scheme;
  m.scheme.weight_bits = m.scheme.activation_bits = 8;
  m.scheme.layer_count = 0;
  if (kept.layer_count > 0 && !kept_layers) return NULL;
  rung_status status = split(&m, dataset);
  if (status == RUNG_OK) status = begin(&m);
  rung_sensitivity *sensitivity = status == RUNG_OK ? allocate(&m) : NULL;
  if (sensitivity) status = measure_all(&m, sensitivity);
  const rung_status restored = rung_quantize(model, &kept);
  if (status == RUNG_OK) status = restored;
  rung_release(kept_layers);
  rung_release(m.saved);
  rung_release(m.real);
  rung_release(m.outputs);
  rung_dataset_free(m.calibration);
  rung_dataset_free(m.held_out);
  if (status == RUNG_OK) return sensitivity;
  rung_sensitivity_free(sensitivity);
  return NULL;
}

void rung_sensitivity_free(rung_sensitivity *sensitivity) {
  rung_release(sensitivity);
}
