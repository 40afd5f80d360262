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
  bool no_relu;
  bool norm; /* no biases and no ReLU, but a batch norm behind each layer, merged into it */
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

/* Weights of one sign in the first two channels, batch norms that put their outputs on either side of 0. */
static inline void disturb_norms(rung_model *model, rung_rng *rng) {
  int64_t in = 1;
  for (int p = 0; p < rung_model_parameter_count(model); p++) {
    const rung_parameter at = rung_model_parameter(model, p);
    if (at.shape.rank == 2) in = at.shape.extent[1];
    for (int64_t i = 0; at.shape.rank == 2 && i < 2 * in && i < at.shape.extent[0] * in; i++)
      at.value[i] = i < in ? 0.9f : -0.9f;
    for (int64_t i = 0; at.shape.rank == 1 && i < at.shape.extent[0]; i++) {
      at.value[i] = strstr(at.name, "running_var") ? 0.2f * (float)in : rung_rng_normal(rng);
      if (strstr(at.name, "norm.weight") && rung_rng_below(rng, 16) == 0) at.value[i] = 0;
    }
  }
  rung_model_touch(model);
}

/* The network of a recipe, with its first weights. */
static inline rung_model *recipe_model(const recipe *of, rung_rng *rng) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 8, .threads = 1, .seed = of->seed});
  rung_node *x = rung_input(model, "x", RUNG_SHAPE(of->width[0]));
  for (int i = 1; i <= of->layers; i++) {
    char name[16];
    snprintf(name, sizeof name, "fc%d", i);
    x = of->norm ? rung_linear_init(x, name, of->width[i], &(rung_linear_options){.no_bias = true})
                 : rung_linear(x, name, of->width[i]);
    snprintf(name, sizeof name, "fc%d.norm", i);
    if (of->norm)
      x = rung_batch_norm(x, name);
    else if (i < of->layers && !of->no_relu && rung_rng_below(rng, 3))
      x = rung_relu(x);
  }
  ck_assert_msg(rung_loss_squared_error(x) != NULL, "%s", rung_error());
  return model;
}

static inline rung_program *random_program(const recipe *of) {
  rung_rng rng = rung_rng_seed(of->seed);
  void *memory;
  rung_model *model = recipe_model(of, &rng);
  for (int p = 0; p < rung_model_parameter_count(model); p++) { /* biases start as 0 */
    const rung_parameter parameter = rung_model_parameter(model, p);
    if (strstr(parameter.name, ".bias"))
      for (int64_t i = 0; i < parameter.shape.extent[0]; i++) parameter.value[i] = 0.3f * rung_rng_normal(&rng);
  }
  rung_model_touch(model);
  if (of->norm) disturb_norms(model, &rng);
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

/* Inputs over all that the program's input can be, its ends more often than the rest; the first two are nothing else.
 */
static inline void random_inputs(const rung_program *program, rung_rng *rng, void *to, int64_t count) {
  const rung_buffer *input = rung_program_buffer(program, 0);
  const bool table = rung_program_input_table(program) != NULL; /* bytes of any value */
  const int32_t low = table ? 0 : input->qmin, high = table ? UINT8_MAX : input->qmax;
  for (int64_t i = 0; i < count * input->count; i++) {
    int32_t q = low + (int32_t)rung_rng_below(rng, (uint32_t)(high - low + 1));
    if (rung_rng_below(rng, 8) == 0 || (input->binary && !table)) q = rung_rng_below(rng, 2) ? low : high;
    if (i < 2 * input->count) q = i < input->count ? low : high;
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

/* Schemes whose layers multiply planes of bits, or stand beside such; all with batch norms but the last two. */
#define UNIT(w, a, in)                                                                                                 \
  {                                                                                                                    \
    .weight_bits = w, .activation_bits = a, .input_bits = in, .activation_signed = true, .activation_symmetric = true, \
    .weights = w > 2 ? RUNG_WEIGHTS_MAX : RUNG_WEIGHTS_UNIT, .activations = RUNG_ACTIVATIONS_UNIT,                     \
    .batch_norm = RUNG_BATCH_NORM_MERGE                                                                                \
  }
static const rung_scheme low_scheme[] = {
    UNIT(1, 1, 1),
    UNIT(1, 2, 2),
    UNIT(2, 2, 2),
    UNIT(2, 1, 1),
    UNIT(1, 1, 4),
    UNIT(3, 1, 1),
    UNIT(2, 2, 0),
    {.weight_bits = 1,
     .activation_bits = 1,
     .input_bits = 1,
     .weight_granularity = RUNG_PER_GROUP,
     .weight_group = 16,
     .batch_norm = RUNG_BATCH_NORM_MERGE},
    {.weight_bits = 1, .activation_bits = 1, .input_bits = 1},
    UNIT(2, 2, 2),
};

/* Recipe `index` of an endless list: every low scheme in turn, widths on either side of multiples of 32. */
static inline recipe low_recipe(int index) {
  static const int64_t widths[] = {1, 2, 31, 32, 33, 63, 64, 65};
  rung_rng rng = rung_rng_seed((uint64_t)index + 2000);
  const int scheme = index % LENGTH(low_scheme);
  recipe made = {.scheme = low_scheme[scheme],
                 .seed = (uint64_t)index + 1,
                 .no_relu = true,
                 .norm = scheme < LENGTH(low_scheme) - 2};
  made.layers = 2 + (int)rung_rng_below(&rng, 3);
  made.real_inputs = index / LENGTH(low_scheme) % 2;
  for (int i = 0; i <= made.layers; i++) made.width[i] = widths[rung_rng_below(&rng, LENGTH(widths))];
  if (index % 5 == 0) made.width[0] = 784;
  return made;
}

#endif
