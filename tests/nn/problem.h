/* A small problem that a small network can solve: four clusters, and a linear map; and the forms a model can take. */
#ifndef TESTS_NN_PROBLEM_H
#define TESTS_NN_PROBLEM_H

#include "harness.h"

#include <rung/nn.h>

enum { FEATURES = 12, CLASSES = 4, OUTPUTS = 3, MOST = 160, BATCH = 16 };

/* A dataset and the memory that it borrows. */
typedef struct problem {
  float x[MOST][FEATURES];
  uint8_t pixels[MOST][FEATURES];
  int32_t labels[MOST];
  float targets[MOST][OUTPUTS];
  rung_dataset *data;
} problem;

static inline problem *problem_fill(uint64_t seed) {
  problem *p = calloc(1, sizeof *p);
  if (!p) abort();
  rung_rng rng = rung_rng_seed(seed);
  for (int i = 0; i < MOST; i++) {
    p->labels[i] = (int32_t)rung_rng_below(&rng, CLASSES);
    for (int k = 0; k < FEATURES; k++) {
      float pixel = (k % CLASSES == p->labels[i] ? 170.0f : 60.0f) + 25.0f * rung_rng_normal(&rng);
      p->pixels[i][k] = (uint8_t)(pixel < 0 ? 0 : pixel > 255 ? 255 : pixel);
      p->x[i][k] = (float)p->pixels[i][k] / 255.0f - 0.5f;
      for (int j = 0; j < OUTPUTS; j++) p->targets[i][j] += 0.1f * (float)((k + j) % 5 - 2) * p->x[i][k];
    }
  }
  return p;
}

/* `count` examples; inputs f32 or u8. */
static inline problem *problem_new(rung_dtype type, int64_t count, uint64_t seed) {
  problem *p = problem_fill(seed);
  const rung_tensor inputs = {.type = type,
                              .shape = RUNG_SHAPE(count, FEATURES),
                              .data = type == RUNG_F32 ? (void *)p->x : (void *)p->pixels,
                              .scale = 1.0f / 255.0f};
  p->data = rung_dataset_new("clusters", &inputs, p->labels, CLASSES, NULL);
  ck_assert_msg(p->data != NULL, "%s", rung_error());
  return p;
}

static inline problem *problem_regression(int64_t count, uint64_t seed) {
  problem *p = problem_fill(seed);
  const rung_tensor inputs = {.type = RUNG_F32, .shape = RUNG_SHAPE(count, FEATURES), .data = p->x};
  const rung_tensor targets = {.type = RUNG_F32, .shape = RUNG_SHAPE(count, OUTPUTS), .data = p->targets};
  p->data = rung_dataset_new("map", &inputs, NULL, 0, &targets);
  ck_assert_msg(p->data != NULL, "%s", rung_error());
  return p;
}

static inline void problem_free(problem *p) {
  rung_dataset_free(p->data);
  free(p);
}

/* x -> 40 -> 24 -> classes, ReLU between. */
static inline rung_model *perceptron(int threads, uint64_t seed) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = threads, .seed = seed});
  rung_node *x = rung_input(model, "x", RUNG_SHAPE(FEATURES));
  x = rung_relu(rung_linear(x, "fc1", 40));
  x = rung_relu(rung_linear(x, "fc2", 24));
  rung_loss_cross_entropy(rung_linear(x, "fc3", CLASSES));
  ck_assert_msg(model && rung_model_status(model) == RUNG_OK, "%s", rung_error());
  return model;
}

/* A way to compute, and what brings a model there. */
typedef struct problem_form {
  const char *name;
  rung_form form;
  rung_ranges ranges;
} problem_form;

static const problem_form problem_forms[] = {
    {"float", RUNG_FORM_FLOAT, RUNG_RANGES_DELAYED},
    {"integer, delayed ranges", RUNG_FORM_INTEGER, RUNG_RANGES_DELAYED},
    {"integer, current ranges", RUNG_FORM_INTEGER, RUNG_RANGES_CURRENT},
    {"simulated, delayed ranges", RUNG_FORM_SIMULATED, RUNG_RANGES_DELAYED},
    {"simulated, current ranges", RUNG_FORM_SIMULATED, RUNG_RANGES_CURRENT},
};
enum { FORMS = sizeof problem_forms / sizeof problem_forms[0] };

static inline void problem_bring(rung_model *model, const rung_dataset *data, const problem_form *to) {
  if (to->form == RUNG_FORM_FLOAT) return;
  ck_assert_msg(rung_quantize(model, &(rung_scheme){.ranges = to->ranges}) == RUNG_OK, "%s", rung_error());
  ck_assert_msg(rung_calibrate(model, data, 0) == RUNG_OK, "%s", rung_error());
  ck_assert_msg(rung_model_use(model, to->form) == RUNG_OK, "%s", rung_error());
}

static inline float *problem_parameter(const rung_model *model, const char *name) {
  for (int i = 0; i < rung_model_parameter_count(model); i++)
    if (strcmp(rung_model_parameter(model, i).name, name) == 0) return rung_model_parameter(model, i).value;
  ck_abort_msg("no parameter '%s'", name);
}

/* The status, and a message of one line that has `part` in it. */
#define REFUSED(call, expected, part)                                                                                  \
  do {                                                                                                                 \
    ck_assert_int_eq(call, expected);                                                                                  \
    ck_assert_msg(strstr(rung_error(), part) && !strchr(rung_error(), '\n'), "'%s' lacks '%s'", rung_error(), part);   \
  } while (0)

#endif
