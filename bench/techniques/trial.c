#include "table.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCH = 64, CALIBRATION = 1000 };

/* ---- Datasets, each with its network ---------------------------------------------------------------------------- */

static const struct recipe {
  const char *data;            /* NULL: any other, taken for pictures like MNIST's */
  const char *network, *quick; /* quick: in place of the network, to see that a technique works */
  int epochs, qat_epochs;
  float rate, qat_rate;
} recipes[] = {{"letters", "linear 256, relu, linear 128, relu, linear 26",
                "linear 32, relu, linear 16, relu, linear 26", 60, 20, 1e-2f, 2e-3f},
               {NULL, "linear 256, relu, linear 128, relu, linear 10", "linear 32, relu, linear 16, relu, linear 10",
                10, 5, 1e-3f, 1e-3f}};

static const struct recipe *recipe_of(const char *data) {
  const struct recipe *recipe = recipes;
  while (recipe->data && strcmp(recipe->data, data) != 0) recipe++;
  return recipe;
}

/* With the folders that it is in. */
static void make_folder(const char *folder) {
  char path[4096];
  if (snprintf(path, sizeof path, "%s/", folder) >= (int)sizeof path) bench_fail("--folder: over 4094 bytes");
  for (char *at = path + 1; (at = strchr(at, '/')); at++) {
    *at = '\0';
    if (mkdir(path, 0777) != 0 && errno != EEXIST) bench_fail("--folder '%s': cannot be made", path);
    *at = '/';
  }
}

trial trial_begin(const trial_options *options) {
  const struct recipe *recipe = recipe_of(options->data);
  make_folder(options->folder);
  trial t = {.data = options->data,
             .train = rung_dataset_load(options->data, RUNG_TRAIN),
             .network = options->quick ? recipe->quick : recipe->network,
             .threads = options->threads,
             .epochs = options->epochs ? options->epochs : recipe->epochs,
             .qat_epochs = options->qat_epochs ? options->qat_epochs : recipe->qat_epochs,
             .rate = recipe->rate,
             .qat_rate = recipe->qat_rate,
             .examples = options->quick ? 100 : CALIBRATION,
             .quick = options->quick};
  bench_check(t.train != NULL);
  t.test = rung_dataset_load(options->data, RUNG_TEST);
  bench_check(t.test != NULL);
  return t;
}

void trial_end(trial *t) {
  rung_dataset_free((rung_dataset *)(uintptr_t)t->train);
  rung_dataset_free((rung_dataset *)(uintptr_t)t->test);
}

/* ---- The FP32 network ------------------------------------------------------------------------------------------- */

static void name_checkpoint(const trial *t, const trial_options *options, char path[4096]) {
  const char *slash = strrchr(t->data, '/');
  if (snprintf(path, 4096, "%s/%s%s-e%d-s%llu.safetensors", options->folder, slash ? slash + 1 : t->data,
               t->quick ? "-quick" : "", t->epochs, (unsigned long long)t->seed) >= 4096)
    bench_fail("--folder: over 4000 bytes");
}

static rung_model *record(const trial *t) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = t->threads, .seed = t->seed});
  rung_shape shape = {.rank = t->train->inputs.shape.rank - 1};
  for (int i = 0; i < shape.rank; i++) shape.extent[i] = t->train->inputs.shape.extent[i + 1];
  rung_loss_cross_entropy(rung_record_text(rung_input(model, "input", shape), t->network));
  bench_check(model && rung_model_status(model) == RUNG_OK);
  return model;
}

static void train(const trial *t, const char *path) {
  rung_model *model = record(t);
  fprintf(stderr, "%s, seed %llu: training %d epochs in FP32\n", t->data, (unsigned long long)t->seed, t->epochs);
  bench_check(rung_fit(model, t->train, &(rung_fit_options){.epochs = t->epochs, .rate = t->rate}) == RUNG_OK);
  bench_check(rung_model_save(model, path) == RUNG_OK);
  rung_model_free(model);
}

void trial_train(trial *t, const trial_options *options, uint64_t seed) {
  static char path[4096];
  t->seed = seed;
  name_checkpoint(t, options, path);
  t->checkpoint = path;
  if (access(path, F_OK) != 0) train(t, path);
  t->outliers = false;
  rung_model *model = trial_load(t);
  rung_metrics metrics;
  bench_check(model && rung_evaluate(model, t->test, &metrics) == RUNG_OK);
  t->accuracy = metrics.accuracy;
  t->hash = rung_model_hash(model);
  rung_model_free(model);
}

/* ---- Outlier channels ------------------------------------------------------------------------------------------- */

static bool find_parameter(const rung_model *model, const char *layer, const char *kind, rung_parameter *found) {
  char name[96];
  snprintf(name, sizeof name, "%s.%s", layer, kind);
  for (int i = 0; i < rung_model_parameter_count(model); i++) {
    *found = rung_model_parameter(model, i);
    if (!strcmp(found->name, name)) return true;
  }
  return false;
}

/* Neuron `channel` of `layer` gives 2^exponent times what it gave, and `next` takes it for what it was. */
static void scale_channel(const rung_model *model, const char *layer, const char *next, int64_t channel, int exponent) {
  rung_parameter weight, bias, reader;
  if (!find_parameter(model, layer, "weight", &weight) || !find_parameter(model, layer, "bias", &bias) ||
      !find_parameter(model, next, "weight", &reader))
    bench_fail("outliers: '%s' and '%s' are no linear layers with a bias", layer, next);
  const int64_t in = weight.shape.extent[1], width = reader.shape.extent[1];
  for (int64_t k = 0; k < in; k++) weight.value[channel * in + k] = ldexpf(weight.value[channel * in + k], exponent);
  bias.value[channel] = ldexpf(bias.value[channel], exponent);
  for (int64_t j = 0; j < reader.shape.extent[0]; j++) {
    float *w = &reader.value[j * width + channel];
    *w = ldexpf(*w, -exponent);
  }
}

static void put_outliers(rung_model *model, uint64_t seed) {
  enum { ONE_IN = 64, LEAST = 2, EXPONENT = 5 };
  const uint64_t stream = UINT64_C(0x6f75746c69657273); /* "outliers" */
  rung_rng root = rung_rng_seed(seed), rng = rung_rng_split(&root, stream);
  char layer[16], next[16];
  rung_parameter weight;
  for (int i = 1;; i++) {
    snprintf(layer, sizeof layer, "fc%d", i);
    snprintf(next, sizeof next, "fc%d", i + 1);
    if (!find_parameter(model, next, "weight", &weight)) break;
    const uint32_t width = (uint32_t)weight.shape.extent[1];
    const uint32_t count = width / ONE_IN > LEAST ? width / ONE_IN : LEAST;
    uint32_t *order = malloc(width * sizeof *order);
    if (!order) bench_fail("out of memory");
    rung_rng_permutation(&rng, order, width);
    for (uint32_t c = 0; c < count && c < width; c++) scale_channel(model, layer, next, order[c], EXPONENT);
    free(order);
  }
  rung_model_touch(model);
}

/* ---- What techniques call --------------------------------------------------------------------------------------- */

rung_model *trial_load(const trial *t) {
  rung_model *model = rung_model_load(t->checkpoint, &(rung_model_options){.threads = t->threads});
  if (model && t->outliers) put_outliers(model, t->seed);
  return model;
}

rung_status trial_quantize(const trial *t, rung_model *model, const rung_scheme *scheme) {
  rung_status status = rung_quantize(model, scheme);
  return status == RUNG_OK ? rung_calibrate(model, t->train, t->examples) : status;
}

rung_status trial_ptq(const trial *t, rung_model *model, const rung_scheme *scheme, uint32_t methods) {
  rung_status status = rung_quantize(model, scheme);
  return status == RUNG_OK ? rung_ptq(model, t->train, t->examples, &(rung_ptq_options){.methods = methods}) : status;
}

rung_status trial_fit(const trial *t, rung_model *model) {
  return rung_fit(model, t->train, &(rung_fit_options){.epochs = t->qat_epochs, .rate = t->qat_rate});
}

void trial_read(const rung_tensor *x, int64_t first, int64_t count, float *to) {
  const float *real = x->data;
  const uint8_t *codes = x->data;
  for (int64_t i = 0; i < count; i++)
    to[i] = x->type == RUNG_F32 ? real[first + i] : x->scale * (float)(codes[first + i] - x->zero_point);
}
