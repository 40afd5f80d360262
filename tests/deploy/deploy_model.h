/* What the tests of deployment share: small networks, fitted to the sample of MNIST. */
#ifndef TESTS_DEPLOY_MODEL_H
#define TESTS_DEPLOY_MODEL_H

#include "harness.h"
#include "program.h"

#include <math.h>

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Networks 784 - ... - 10. */
typedef enum network {
  NETWORK_RELU, /* one hidden layer */
  NETWORK_RELU6,
  NETWORK_RESHAPE,
  NETWORK_DROPOUT,
  NETWORK_NORM,
  NETWORK_NO_BIAS_NORM, /* the batch norm's shift is the bias */
  NETWORK_NO_BIAS,
  NETWORK_NO_ACTIVATION,
  NETWORK_DEEP,      /* three hidden layers, each its own width and kind */
  NETWORK_ONE_LAYER, /* nothing hidden */
  NETWORK_COUNT,
  NETWORK_TANH, /* these have no integer form */
  NETWORK_RESIDUAL,
  NETWORK_LAST_RELU,
  NETWORK_END
} network;

enum { HIDDEN = 37, BATCH = 64 };

static inline rung_node *network_logits(network kind, rung_node *x) {
  const rung_linear_options no_bias = {.no_bias = true};
  if (kind == NETWORK_ONE_LAYER) return rung_linear(x, "fc2", 10);
  const bool biased = kind != NETWORK_NO_BIAS && kind != NETWORK_NO_BIAS_NORM;
  rung_node *h = rung_linear_init(x, "fc1", HIDDEN, biased ? NULL : &no_bias);
  switch (kind) {
  case NETWORK_RELU6: h = rung_relu6(h); break;
  case NETWORK_RESHAPE: h = rung_reshape(rung_relu(h), RUNG_SHAPE(1, HIDDEN)); break;
  case NETWORK_DROPOUT: h = rung_dropout(rung_relu(h), 0.2f); break;
  case NETWORK_NORM:
  case NETWORK_NO_BIAS_NORM: h = rung_relu(rung_batch_norm(h, "bn1")); break;
  case NETWORK_NO_ACTIVATION: break;
  case NETWORK_DEEP: h = rung_relu6(rung_linear(rung_relu(rung_linear(rung_relu(h), "fc3", 70)), "fc4", 9)); break;
  case NETWORK_TANH: h = rung_tanh(h); break;
  case NETWORK_RESIDUAL: {
    rung_node *skip = rung_linear(x, "skip", HIDDEN); /* recorded here: arguments have no order */
    h = rung_add(rung_relu(h), skip);
    break;
  }
  default: h = rung_relu(h);
  }
  rung_node *logits = rung_linear(h, "fc2", 10);
  return kind == NETWORK_LAST_RELU ? rung_relu(rung_linear(logits, "fc5", 10)) : logits;
}

static inline rung_model *network_new(network kind, int threads) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = threads, .seed = 5});
  ck_assert_msg(rung_loss_cross_entropy(network_logits(kind, rung_input(model, "image", RUNG_SHAPE(28, 28)))) != NULL,
                "%s", rung_error());
  return model;
}

/* Views of the sample's beginnings. */
typedef struct pictures {
  rung_dataset *train, *test;
} pictures;

/* The sample is read once and stays: a test's hundred networks would spend half of their time on unpacking it. */
static inline pictures pictures_load(int64_t train, int64_t test) {
  static rung_dataset *all_train, *all_test;
  if (!all_train) all_train = rung_dataset_load(TEST_DATA "/data/mnist-sample", RUNG_TRAIN);
  if (!all_test) all_test = rung_dataset_load(TEST_DATA "/data/mnist-sample", RUNG_TEST);
  ck_assert_msg(all_train && all_test, "%s", rung_error());
  return (pictures){rung_dataset_view(all_train, 0, train), rung_dataset_view(all_test, 0, test)};
}

static inline void pictures_free(pictures *data) {
  rung_dataset_free(data->train);
  rung_dataset_free(data->test);
}

static inline void expect_ok(rung_status status) {
  ck_assert_msg(status == RUNG_OK, "%s", rung_error());
}

static inline void fit(rung_model *model, const rung_dataset *data, int epochs, float rate) {
  expect_ok(rung_fit(model, data, &(rung_fit_options){.epochs = epochs, .rate = rate}));
}

static inline void calibrate(rung_model *model, const rung_dataset *data, const rung_scheme *scheme) {
  expect_ok(rung_quantize(model, scheme));
  expect_ok(rung_calibrate(model, data, 0));
}

/* A network fitted for an epoch and calibrated. */
static inline rung_model *calibrated(network kind, const rung_dataset *data, const rung_scheme *scheme) {
  rung_model *model = network_new(kind, 1);
  fit(model, data, 1, 2e-3f);
  calibrate(model, data, scheme);
  return model;
}

static inline rung_program *freeze(rung_model *model) {
  rung_program *program = rung_freeze(model);
  ck_assert_msg(program != NULL, "%s", rung_error());
  return program;
}

/* The logits of a dataset's first `count` examples, to be freed. */
static inline int32_t *logits_of(const rung_program *program, const rung_dataset *data, int64_t count) {
  int32_t *logits = calloc((size_t)count * 10, sizeof *logits);
  ck_assert_ptr_nonnull(logits);
  expect_ok(rung_run(program, data->inputs.data, logits, count));
  return logits;
}

#endif
