/* Makes what the other programs here run: for each model below, trained briefly, the folder OUT/NAME with `inputs`, the
 * program's `logits` of them (int32, little-endian), and the emitted C in plain/, packed/, cmsis/
 * and packed_cmsis/.
 * usage: models DATA OUT       (DATA: a dataset's name or folder) */
#include <rung/rung.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PIXELS = 28 * 28, CLASSES = 10 };

typedef struct recipe {
  const char *name;
  int hidden[4]; /* up to the first 0 */
  rung_scheme scheme;
  bool real; /* inputs are reals, -1 .. 1, and the clamp is ReLU6 */
  bool norm; /* a batch norm behind each layer, merged, and no ReLU */
} recipe;

/* As examples/mnist/low_bit has them: -1 and 1, or -1, 0 and 1. */
#define LOW(w, a)                                                                                                      \
  {                                                                                                                    \
    .weight_bits = w, .activation_bits = a, .input_bits = a, .activation_signed = true, .activation_symmetric = true,  \
    .weights = RUNG_WEIGHTS_UNIT, .activations = RUNG_ACTIVATIONS_UNIT, .batch_norm = RUNG_BATCH_NORM_MERGE            \
  }

static const recipe recipes[] = {
    {"w8a8", {32}, {.weight_bits = 8, .activation_bits = 8}, false, false},
    {"w4a4", {64, 64, 64}, {.weight_bits = 4, .activation_bits = 4}, false, false},
    {"w2a2", {32, 24}, {.weight_bits = 2, .activation_bits = 2}, false, false},
    {"grouped",
     {30, 17},
     {.weight_bits = 4,
      .activation_bits = 7,
      .weight_granularity = RUNG_PER_GROUP,
      .weight_group = 28,
      .activation_signed = true},
     true,
     false},
    {.name = "w1a1", .hidden = {64, 64, 64}, .scheme = LOW(1, 1), .norm = true},
    {.name = "w1a2", .hidden = {64, 64, 64}, .scheme = LOW(1, 2), .norm = true},
    {.name = "w2a2_ternary", .hidden = {64, 64, 64}, .scheme = LOW(2, 2), .norm = true},
};

static void check(bool ok) {
  if (ok) return;
  fprintf(stderr, "models: %s\n", rung_error());
  exit(2);
}

static void check_file(bool ok, const char *path) {
  if (ok) return;
  perror(path);
  exit(2);
}

/* The dataset, or its pictures as reals. */
static rung_dataset *prepare(const recipe *made, const rung_dataset *data) {
  if (!made->real) return rung_dataset_view(data, 0, data->count);
  int64_t count = data->count * PIXELS;
  float *reals = malloc((size_t)count * sizeof *reals); /* the dataset borrows it, to the program's end */
  check_file(reals != NULL, data->name);
  for (int64_t i = 0; i < count; i++) reals[i] = (float)((const uint8_t *)data->inputs.data)[i] / 127.5f - 1;
  rung_tensor inputs = {.type = RUNG_F32, .shape = RUNG_SHAPE(data->count, PIXELS), .data = reals};
  return rung_dataset_new(data->name, &inputs, data->labels, CLASSES, NULL);
}

static rung_model *record(const recipe *made) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 64, .threads = 1, .seed = 1});
  rung_node *x = rung_input(model, "image", made->real ? RUNG_SHAPE(PIXELS) : RUNG_SHAPE(28, 28));
  if (made->norm) x = rung_rescale(x, 2, -1);
  for (int i = 0; made->hidden[i]; i++) {
    char name[16];
    snprintf(name, sizeof name, "fc%d", i + 1);
    x = rung_linear(x, name, made->hidden[i]);
    snprintf(name, sizeof name, "norm%d", i + 1);
    x = made->norm ? rung_batch_norm(x, name) : made->real ? rung_relu6(x) : rung_relu(x);
  }
  rung_loss_cross_entropy(rung_linear(x, "logits", CLASSES));
  check(model && rung_model_status(model) == RUNG_OK);
  return model;
}

/* An epoch of MNIST, or as many of a smaller set as make 10,000 examples, in FP32, then with integers in the loop. */
static void train(rung_model *model, const rung_dataset *data, const rung_scheme *scheme) {
  int epochs = data->count < 10000 ? (int)(10000 / data->count) : 1;
  check(rung_fit(model, data, &(rung_fit_options){.epochs = epochs, .rate = 2e-3f}) == RUNG_OK);
  check(rung_quantize(model, scheme) == RUNG_OK);
  check(rung_calibrate(model, data, 1000) == RUNG_OK);
  check(rung_fit(model, data, &(rung_fit_options){.epochs = epochs, .rate = 5e-4f}) == RUNG_OK);
}

static void report(const recipe *made, const rung_program *program, rung_model *model, const rung_dataset *test) {
  rung_metrics metrics;
  rung_agreement agreement;
  check(rung_program_evaluate(program, test, &metrics) == RUNG_OK);
  check(rung_program_compare(program, model, test, &agreement) == RUNG_OK);
  printf("%s: %.2f %%; model and program: %lld of %lld activations and %lld logits differ\n", made->name,
         100 * metrics.accuracy, (long long)agreement.differ_evaluation, (long long)agreement.activations,
         (long long)agreement.logits);
  if (agreement.differ_evaluation != 0 || agreement.logits != test->count * CLASSES) exit(1);
}

static const char *path_of(const char *folder, const recipe *made, const char *name) {
  static char path[1024];
  snprintf(path, sizeof path, "%s/%s/%s", folder, made->name, name);
  return path;
}

static void write_file(const char *path, const void *data, size_t size) {
  FILE *file = fopen(path, "wb");
  check_file(file != NULL, path);
  bool written = fwrite(data, 1, size, file) == size;
  check_file(fclose(file) == 0 && written, path);
}

static void write_little_endian(const char *path, const int32_t *values, size_t count) {
  unsigned char *bytes = malloc(count * 4);
  check_file(bytes != NULL, path);
  for (size_t i = 0; i < count * 4; i++) bytes[i] = (unsigned char)((uint32_t)values[i / 4] >> 8 * (i % 4));
  write_file(path, bytes, count * 4);
  free(bytes);
}

static void write_examples(const char *folder, const recipe *made, const rung_program *program,
                           const rung_dataset *test) {
  size_t count = (size_t)test->count;
  void *quantized = malloc(count * PIXELS);
  int32_t *logits = malloc(count * CLASSES * sizeof *logits);
  check_file(quantized && logits, made->name);
  if (made->real) check(rung_program_quantize(program, test->inputs.data, quantized, test->count) == RUNG_OK);
  const void *inputs = made->real ? quantized : test->inputs.data;
  check(rung_run(program, inputs, logits, test->count) == RUNG_OK);
  write_file(path_of(folder, made, "inputs"), inputs, count * PIXELS);
  write_little_endian(path_of(folder, made, "logits"), logits, count * CLASSES);
  free(logits);
  free(quantized);
}

static void emit(const char *folder, const recipe *made, const rung_program *program, const char *name,
                 const rung_emit_options *options) {
  const char *path = path_of(folder, made, name);
  mkdir(path, 0777);
  check(rung_emit_c(program, "digits", path, options) == RUNG_OK);
}

static void make(const recipe *made, const char *folder, const rung_dataset *train_data,
                 const rung_dataset *test_data) {
  rung_dataset *data = prepare(made, train_data), *test = prepare(made, test_data);
  check(data && test);
  rung_model *model = record(made);
  train(model, data, &made->scheme);
  rung_program *program = rung_freeze(model);
  check(program != NULL);
  report(made, program, model, test);
  mkdir(path_of(folder, made, ""), 0777);
  write_examples(folder, made, program, test);
  emit(folder, made, program, "plain", &(rung_emit_options){.with_test = true});
  emit(folder, made, program, "packed", &(rung_emit_options){.bits_packed = true});
  emit(folder, made, program, "cmsis", &(rung_emit_options){.cmsis = true});
  emit(folder, made, program, "packed_cmsis", &(rung_emit_options){.bits_packed = true, .cmsis = true});
  rung_program_free(program);
  rung_model_free(model);
  rung_dataset_free(test);
  rung_dataset_free(data);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  rung_dataset *data = rung_dataset_load(argv[1], RUNG_TRAIN), *test = rung_dataset_load(argv[1], RUNG_TEST);
  check(data && test);
  mkdir(argv[2], 0777);
  for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) make(&recipes[i], argv[2], data, test);
  rung_dataset_free(test);
  rung_dataset_free(data);
  return 0;
}
