/* Programs of any shape for the tests: small networks of random weights, calibrated on random data. */
#ifndef TESTS_DEPLOY_RANDOM_PROGRAM_H
#define TESTS_DEPLOY_RANDOM_PROGRAM_H

#include "harness.h"
#include "program.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof((array)[0])))

static inline void expect_ok(rung_status status) {
  ck_assert_msg(status == RUNG_OK, "%s", rung_error());
}

typedef struct recipe {
  rung_scheme scheme;
  int layers;
  int64_t width[6]; /* inputs, then each layer's outputs */
  bool real_inputs;
  uint64_t seed;
} recipe;

enum { RECIPE_EXAMPLES = 24 };

static inline rung_dataset *random_dataset(const recipe *of, rung_rng *rng, void **memory) {
  static float zeros[RECIPE_EXAMPLES * 80];
  const rung_tensor targets = {.shape = RUNG_SHAPE(RECIPE_EXAMPLES, of->width[of->layers]), .data = zeros};
  const int64_t values = RECIPE_EXAMPLES * of->width[0];
  rung_tensor inputs = {.shape = RUNG_SHAPE(RECIPE_EXAMPLES, of->width[0])};
  inputs.data = *memory = calloc((size_t)values, sizeof(float));
  if (of->real_inputs) {
    for (int64_t i = 0; i < values; i++) ((float *)inputs.data)[i] = rung_rng_normal(rng);
  } else {
    inputs.type = RUNG_U8;
    inputs.scale = 1.0f / 64;
    inputs.zero_point = (int32_t)rung_rng_below(rng, 256);
    for (int64_t i = 0; i < values; i++) ((uint8_t *)inputs.data)[i] = (uint8_t)rung_rng_below(rng, 256);
  }
  rung_dataset *dataset = rung_dataset_new("random", &inputs, NULL, 0, &targets);
  ck_assert_msg(dataset != NULL, "%s", rung_error());
  return dataset;
}

static inline rung_program *random_program(const recipe *of) {
  rung_rng rng = rung_rng_seed(of->seed);
  void *memory;
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 8, .threads = 1, .seed = of->seed});
  rung_node *x = rung_input(model, "x", RUNG_SHAPE(of->width[0]));
  for (int i = 1; i <= of->layers; i++) {
    char name[16];
    snprintf(name, sizeof name, "fc%d", i);
    x = rung_linear(x, name, of->width[i]);
    if (i < of->layers && rung_rng_below(&rng, 3)) x = rung_relu(x);
  }
  ck_assert_msg(rung_loss_squared_error(x) != NULL, "%s", rung_error());
  for (int p = 0; p < rung_model_parameter_count(model); p++) { /* biases start as 0 */
    const rung_parameter parameter = rung_model_parameter(model, p);
    if (strstr(parameter.name, ".bias"))
      for (int64_t i = 0; i < parameter.shape.extent[0]; i++) parameter.value[i] = 0.3f * rung_rng_normal(&rng);
  }
  rung_model_touch(model);
  rung_dataset *dataset = random_dataset(of, &rng, &memory);
  expect_ok(rung_quantize(model, &of->scheme));
  expect_ok(rung_calibrate(model, dataset, 0));
  rung_program *program = rung_freeze(model);
  ck_assert_msg(program != NULL, "%s", rung_error());
  rung_model_free(model);
  rung_dataset_free(dataset);
  free(memory);
  return program;
}

/* Inputs over all that the program's input can be, its ends more often than the rest. */
static inline void random_inputs(const rung_program *program, rung_rng *rng, void *to, int64_t count) {
  const rung_buffer *input = rung_program_buffer(program, 0);
  const uint32_t values = (uint32_t)(input->qmax - input->qmin + 1);
  for (int64_t i = 0; i < count * input->count; i++) {
    int32_t q = input->qmin + (int32_t)rung_rng_below(rng, values);
    if (rung_rng_below(rng, 8) == 0) q = rung_rng_below(rng, 2) ? input->qmin : input->qmax;
    ((char *)to)[i] = (char)q;
  }
}

/* Every kind of scheme that a program can hold. */
static const rung_scheme every_scheme[] = {
    {0},
    {.weight_bits = 4, .activation_bits = 4},
    {.weight_bits = 2, .activation_bits = 2},
    {.weight_bits = 1},
    {.weight_bits = 3, .activation_bits = 7, .weight_granularity = RUNG_PER_TENSOR},
    {.weight_bits = 5, .activation_signed = true},
    {.weight_bits = 6, .activation_bits = 3, .activation_signed = true, .activation_symmetric = true},
    {.weight_bits = 7, .weight_granularity = RUNG_PER_GROUP, .weight_group = 8},
    {.weight_bits = 4, .weight_granularity = RUNG_PER_GROUP, .weight_group = 12, .activation_signed = true},
    {.weight_bits = 3, .weight_granularity = RUNG_PER_GROUP, .weight_group = 4},
    {.weight_bits = 2, .weight_granularity = RUNG_PER_GROUP, .weight_group = 16},
    {.weight_bits = 1, .weight_granularity = RUNG_PER_GROUP, .weight_group = 20, .activation_signed = true},
    {.weight_bits = 1, .activation_bits = 2, .weight_granularity = RUNG_PER_TENSOR, .activation_signed = true},
    {.weight_bits = 2, .activation_signed = true},
};

/* Recipe `index` of an endless list: every scheme in turn, 1 to 4 layers, widths from 1 up. */
static inline recipe random_recipe(int index) {
  rung_rng rng = rung_rng_seed((uint64_t)index + 1000);
  recipe made = {.scheme = every_scheme[index % LENGTH(every_scheme)], .seed = (uint64_t)index + 1};
  made.layers = 1 + (int)rung_rng_below(&rng, 4);
  made.real_inputs = rung_rng_below(&rng, 2);
  for (int i = 0; i <= made.layers; i++)
    made.width[i] = 1 + (int64_t)rung_rng_below(&rng, rung_rng_below(&rng, 3) ? 9 : 70);
  return made;
}

#endif
