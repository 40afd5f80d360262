/* A multilayer perceptron on MNIST, three ways: FP32, post-training quantization (PTQ), quantization-aware training
 * (QAT); the last two frozen to integers and run as integers.
 *
 *   mnist_mlp --data mnist --hidden 256,128 --bits w8a8
 *
 * This file is the tutorial: read main first. */
#include "mnist_mlp.h"

#include <stdio.h>
#include <stdlib.h>

/* Bad input, and anything else that fails: one line, and 2. */
static void check(bool ok) {
  if (ok) return;
  fprintf(stderr, "mnist_mlp: %s\n", rung_error());
  exit(2);
}

/* 1. Record the network. Nothing is computed yet. */
static rung_model *record(const settings *options) {
  rung_model *model = rung_model_new(
      &(rung_model_options){.batch = options->batch, .threads = options->threads, .seed = options->seed});
  rung_node *x = rung_input(model, "image", RUNG_SHAPE(28, 28));
  for (int i = 0; i < options->layers; i++) {
    char name[16];
    snprintf(name, sizeof name, "fc%d", i + 1);
    x = rung_relu(rung_linear(x, name, options->hidden[i]));
  }
  rung_loss_cross_entropy(rung_linear(x, "logits", 10));
  check(model && rung_model_status(model) == RUNG_OK);
  return model;
}

/* 2. Train it: in FP32 before it is quantized, with its integers afterwards. The same verb. */
static double train(rung_model *model, const rung_dataset *data, const rung_dataset *validation, const char *name,
                    int epochs, float rate) {
  watcher watch = {.name = name};
  if (epochs == 0) return 0;
  check(rung_fit(model, data,
                 &(rung_fit_options){.epochs = epochs,
                                     .rate = rate,
                                     .validation = validation,
                                     .progress = report_progress,
                                     .context = &watch}) == RUNG_OK);
  return watch.seconds / watch.epochs;
}

/* 3. Test the float network. */
static outcome test_float(rung_model *model, const rung_dataset *test, const char *name) {
  outcome result = {.name = name};
  rung_metrics metrics;
  check(rung_evaluate(model, test, &metrics) == RUNG_OK); /* the first pass warms the caches */
  double started = report_clock();
  check(rung_evaluate(model, test, &metrics) == RUNG_OK);
  result.us_per_picture = 1e6 * (report_clock() - started) / (double)test->count;
  result.accuracy_float = metrics.accuracy;
  for (int i = 0; i < rung_model_parameter_count(model); i++) {
    rung_parameter parameter = rung_model_parameter(model, i);
    int64_t count;
    check(rung_shape_count(&parameter.shape, &count) == RUNG_OK);
    result.bytes += count * (int64_t)sizeof(float);
  }
  return result;
}

/* 4. Freeze the quantized model, run its integers, and hold them against the model and against the float simulation. */
static outcome test_integers(rung_model *model, const rung_dataset *test, const char *name) {
  outcome result = {.name = name};
  rung_program *program = rung_freeze(model);
  check(program != NULL);
  result.bytes = rung_program_describe(program).weight_bytes;

  rung_metrics metrics;
  double started = report_clock();
  check(rung_program_evaluate(program, test, &metrics) == RUNG_OK);
  result.us_per_picture = 1e6 * (report_clock() - started) / (double)test->count;
  result.accuracy_integer = metrics.accuracy;

  check(rung_model_use(model, RUNG_FORM_SIMULATED) == RUNG_OK);
  check(rung_evaluate(model, test, &metrics) == RUNG_OK);
  check(rung_model_use(model, RUNG_FORM_INTEGER) == RUNG_OK);
  result.accuracy_float = metrics.accuracy;

  check(rung_program_compare(program, model, test, &result.agreement) == RUNG_OK);
  rung_program_free(program);
  return result;
}

int main(int argc, char **argv) {
  const settings options = options_read(argc, argv);
  rung_dataset *all = rung_dataset_load(options.data, RUNG_TRAIN);
  rung_dataset *test = all ? rung_dataset_load(options.data, RUNG_TEST) : NULL;
  check(all && test);
  check(options.validation < all->count ||
        rung_fail(RUNG_ERROR_ARGUMENT, "--validation %lld: expected fewer than the %lld training pictures",
                  (long long)options.validation, (long long)all->count) == RUNG_OK);
  rung_dataset *data = rung_dataset_view(all, 0, all->count - options.validation);
  rung_dataset *validation =
      options.validation ? rung_dataset_view(all, all->count - options.validation, options.validation) : NULL;
  check(data && (validation || !options.validation));

  rung_model *model = record(&options);
  outcome results[3];
  double seconds = train(model, data, validation, "FP32", options.epochs, options.rate);
  results[0] = test_float(model, test, "FP32");
  results[0].seconds_per_epoch = seconds;

  /* PTQ: choose a scheme, observe 1,000 training pictures. From here on the model computes with integers. */
  check(rung_quantize(model, &options.scheme) == RUNG_OK);
  check(rung_calibrate(model, data, 1000) == RUNG_OK);
  results[1] = test_integers(model, test, "PTQ");

  /* QAT: train on, with the integers in the loop. */
  seconds = train(model, data, validation, "QAT", options.qat_epochs, options.qat_rate);
  results[2] = test_integers(model, test, "QAT");
  results[2].seconds_per_epoch = seconds;

  uint64_t hash = rung_model_hash(model);
  report_table(&options, results, hash);
  bool written = !options.json || report_json(&options, results, hash);
  if (options.save) check(rung_model_save(model, options.save) == RUNG_OK);

  rung_model_free(model);
  rung_dataset_free(validation);
  rung_dataset_free(data);
  rung_dataset_free(test);
  rung_dataset_free(all);
  return written ? 0 : 2;
}
