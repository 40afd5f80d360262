/* Small networks and data for the tests of failing allocations. */
#ifndef TESTS_ROBUST_NETWORK_H
#define TESTS_ROBUST_NETWORK_H

#include "scenario.h"

#include <math.h>

enum { EXAMPLES = 12, INPUTS = 8, CLASSES = 3, BATCH = 4 };

static float network_inputs[EXAMPLES * INPUTS];
static int32_t network_labels[EXAMPLES];

/* A view that owns nothing but itself; its memory is above. */
static inline rung_dataset *network_data(void) {
  for (int i = 0; i < EXAMPLES * INPUTS; i++) network_inputs[i] = (float)(i * 37 % 64) / 32.0f - 1.0f;
  for (int i = 0; i < EXAMPLES; i++) network_labels[i] = i % CLASSES;
  const rung_tensor inputs = {.type = RUNG_F32, .shape = RUNG_SHAPE(EXAMPLES, INPUTS), .data = network_inputs};
  rung_dataset *data = rung_dataset_new("numbers", &inputs, network_labels, CLASSES, NULL);
  ENSURE(data != NULL);
  return data;
}

/* Recorded without a check: failures stick. NULL or a status tells. */
static inline rung_model *network_new(int threads) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = threads, .seed = 3});
  rung_node *x = rung_input(model, "x", RUNG_SHAPE(INPUTS));
  x = rung_relu(rung_batch_norm(rung_linear(x, "fc1", 6), "bn1"));
  x = rung_relu(rung_linear(rung_dropout(x, 0.25f), "fc2", 5));
  rung_loss_cross_entropy(rung_linear(x, "fc3", CLASSES));
  return model;
}

/* What scenarios of a model work on. */
typedef struct network {
  rung_model *model;
  rung_dataset *data;
  rung_program *program;
  int variant;
} network;

static inline network *network_prepare(int variant, int threads) {
  static network made; /* one at a time */
  made = (network){.model = network_new(threads), .data = network_data(), .variant = variant};
  ENSURE(rung_model_status(made.model) == RUNG_OK);
  return &made;
}

static inline void network_finish(void *state) {
  network *net = state;
  rung_program_free(net->program);
  rung_model_free(net->model);
  rung_dataset_free(net->data);
}

static inline network *network_calibrated(int variant, int threads, const rung_scheme *scheme) {
  network *net = network_prepare(variant, threads);
  ENSURE(rung_fit(net->model, net->data, NULL) == RUNG_OK);
  ENSURE(rung_quantize(net->model, scheme) == RUNG_OK);
  ENSURE(rung_calibrate(net->model, net->data, 0) == RUNG_OK);
  return net;
}

/* A hash of the parameters, and of what the present form makes of the data. */
static inline uint64_t network_hash(network *net) {
  rung_metrics metrics = {0};
  ENSURE(rung_evaluate(net->model, net->data, &metrics) == RUNG_OK);
  uint64_t hash = rung_model_hash(net->model);
  hash = hash_bytes(hash, &metrics.loss, sizeof metrics.loss);
  return hash_bytes(hash, &metrics.accuracy, sizeof metrics.accuracy);
}

#endif
