/* Makes the seeds that Rung itself writes: program files, checkpoints and ONNX, of networks as small as they can be.
 * usage: make_seeds tests/fuzz/seeds       (target make_seeds; make_seeds.py makes the others) */
#include "fuzz.h"

#include <rung/rung.h>

#include <sys/stat.h>

enum { EXAMPLES = 8, INPUTS = 4, CLASSES = 2 };

static float numbers[EXAMPLES * INPUTS];
static int32_t labels[EXAMPLES];

static const struct {
  const char *name, *text;
  rung_scheme scheme;
} networks[] = {
    {"w8a8", "input 4; linear 3, relu, linear 2; cross-entropy", {0}},
    {"w4a4",
     "input 4; linear 3, relu6, linear 2 no-bias; cross-entropy",
     {.weight_bits = 4, .activation_bits = 4, .observer = {.kind = RUNG_OBSERVER_MOVING_AVERAGE}}},
    {"w2a2_groups",
     "input 4; linear 8, relu, linear 2; cross-entropy",
     {.weight_bits = 2, .activation_bits = 2, .weight_granularity = RUNG_PER_GROUP, .weight_group = 4}},
    {"w1a8_signed", "input 4; linear 2; cross-entropy", {.weight_bits = 1, .activation_signed = true}},
    {"deep", "input 4; linear 3, batch-norm, relu, linear 3, relu, dropout 0.1, linear 2; cross-entropy", {0}},
};

static const char *path_of(const char *root, const char *target, const char *name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", root, target);
  mkdir(path, 0777);
  snprintf(path, sizeof path, "%s/%s/%s", root, target, name);
  return path;
}

static void make(const char *root, size_t index, const rung_dataset *data) {
  char name[64];
  rung_model *model =
      rung_model_from_text(networks[index].text, &(rung_model_options){.batch = 4, .threads = 1, .seed = 1});
  ENSURE(rung_fit(model, data, NULL) == RUNG_OK && rung_quantize(model, &networks[index].scheme) == RUNG_OK);
  ENSURE(rung_calibrate(model, data, 0) == RUNG_OK);
  ENSURE(rung_model_save(model, path_of(root, "model", networks[index].name)) == RUNG_OK);
  rung_program *program = rung_freeze(model);
  ENSURE(program != NULL && rung_program_save(program, path_of(root, "program", networks[index].name)) == RUNG_OK);
  snprintf(name, sizeof name, "rung_%s", networks[index].name);
  ENSURE(rung_program_export_onnx(program, path_of(root, "onnx", name), NULL) == RUNG_OK);
  rung_program_free(program);
  rung_model_free(model);
}

/* Checkpoints within a fit, with the optimizer's state, and weights alone for the model of fuzz_model.c. */
static void make_unfinished(const char *root, const rung_dataset *data) {
  for (int kind = 0; kind < RUNG_OPTIMIZER_KIND_COUNT; kind++) {
    rung_model *model = rung_model_from_text("input 4; linear 3, relu, linear 2; cross-entropy",
                                             &(rung_model_options){.batch = 4, .threads = 1, .seed = 1});
    const char *path = path_of(root, "model", rung_optimizer_name((rung_optimizer_kind)kind));
    const rung_fit_options options = {.optimizer = (rung_optimizer_kind)kind, .momentum = 0.5f, .checkpoint = path};
    ENSURE(rung_fit(model, data, &options) == RUNG_OK);
    ENSURE(rung_model_save_weights(model, path_of(root, "model", "weights")) == RUNG_OK);
    rung_model_free(model);
  }
}

int main(int argc, char **argv) {
  ENSURE(argc == 2);
  for (int i = 0; i < EXAMPLES * INPUTS; i++) numbers[i] = (float)(i * 37 % 64) / 32.0f - 1.0f;
  for (int i = 0; i < EXAMPLES; i++) labels[i] = i % CLASSES;
  const rung_tensor inputs = {.type = RUNG_F32, .shape = RUNG_SHAPE(EXAMPLES, INPUTS), .data = numbers};
  rung_dataset *data = rung_dataset_new("numbers", &inputs, labels, CLASSES, NULL);
  for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) make(argv[1], i, data);
  make_unfinished(argv[1], data);
  rung_dataset_free(data);
  return 0;
}
