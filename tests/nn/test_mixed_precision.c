/* Bits for each layer: the searches, on tables and on a network, and what a scheme with layers of their own gives. */
#include "io/scratch.h"
#include "problem.h"

#include <math.h>
#include <rung/deploy.h>
#include <rung/nn/mixed_precision.h>

/* ---- The searches ----------------------------------------------------------------------------------------------- */

enum { MOST_LAYERS = 6, CHOICES = 4 };

typedef struct knapsack {
  rung_bit_choice table[MOST_LAYERS * CHOICES];
  int layers;
  int64_t least, most; /* bytes of the smallest and the largest choice */
} knapsack;

/* Losses that mostly fall with the bits, as those of networks do, but not always. */
static knapsack random_knapsack(rung_rng *rng) {
  knapsack k = {.layers = 1 + (int)rung_rng_below(rng, MOST_LAYERS)};
  for (int l = 0; l < k.layers; l++) {
    const int64_t weights = 1 + rung_rng_below(rng, 50);
    double loss = 100 * (double)rung_rng_uniform(rng);
    for (int c = 0; c < CHOICES; c++) {
      k.table[l * CHOICES + c] = (rung_bit_choice){.bytes = weights * (c + 1), .loss = loss};
      loss *= (double)rung_rng_uniform(rng) * 1.2;
    }
    k.least += weights;
    k.most += CHOICES * weights;
  }
  return k;
}

static double loss_of(const knapsack *k, const int *chosen, int64_t *bytes) {
  double loss = 0;
  *bytes = 0;
  for (int l = 0; l < k->layers; l++) {
    ENSURE(chosen[l] >= 0 && chosen[l] < CHOICES);
    loss += k->table[l * CHOICES + chosen[l]].loss;
    *bytes += k->table[l * CHOICES + chosen[l]].bytes;
  }
  return loss;
}

static double least_loss(const knapsack *k, int64_t limit) {
  double least = INFINITY;
  int combinations = 1;
  for (int l = 0; l < k->layers; l++) combinations *= CHOICES;
  for (int i = 0; i < combinations; i++) {
    int chosen[MOST_LAYERS];
    for (int l = 0, rest = i; l < k->layers; l++, rest /= CHOICES) chosen[l] = rest % CHOICES;
    int64_t bytes;
    const double loss = loss_of(k, chosen, &bytes);
    if (bytes <= limit) least = fmin(least, loss);
  }
  return least;
}

START_TEST(exact_is_the_best_of_all_and_greedy_fits) {
  rung_rng rng = rung_rng_seed(1);
  int worse = 0, trials = 400;
  for (int trial = 0; trial < trials; trial++) {
    const knapsack k = random_knapsack(&rng);
    const int64_t limit = k.least + rung_rng_below(&rng, (uint32_t)(k.most - k.least + 2));
    int greedy[MOST_LAYERS], exact[MOST_LAYERS], standard[MOST_LAYERS];
    int64_t greedy_bytes, exact_bytes;
#define CHOOSE(search, chosen)                                                                                         \
  ck_assert_msg(rung_choose_bits(k.table, k.layers, CHOICES, limit, search, chosen) == RUNG_OK, "%s", rung_error())
    CHOOSE(RUNG_BIT_SEARCH_GREEDY, greedy);
    CHOOSE(RUNG_BIT_SEARCH_EXACT, exact);
    CHOOSE(RUNG_BIT_SEARCH_DEFAULT, standard);
    const double greedy_loss = loss_of(&k, greedy, &greedy_bytes), exact_loss = loss_of(&k, exact, &exact_bytes);
    ENSURE(greedy_bytes <= limit && exact_bytes <= limit);
    ENSURE(exact_loss == least_loss(&k, limit));
    ENSURE(exact_loss <= greedy_loss);
    ck_assert_mem_eq(standard, exact, (size_t)k.layers * sizeof *exact);
    worse += greedy_loss > exact_loss;
  }
  ck_assert_int_gt(worse, trials / 20); /* else the two were not told apart */
  ck_assert_int_lt(worse, trials / 2);
}
END_TEST

START_TEST(a_limit_that_nothing_fits_is_refused) {
  const rung_bit_choice table[] = {{10, 3}, {20, 1}, {100, 5}, {200, 2}};
  int chosen[2];
  REFUSED(rung_choose_bits(table, 2, 2, 109, RUNG_BIT_SEARCH_DEFAULT, chosen), RUNG_ERROR_ARGUMENT,
          "a limit of 109 bytes: the fewest bits take 110");
  ck_assert_int_eq(rung_choose_bits(table, 2, 2, 110, RUNG_BIT_SEARCH_DEFAULT, chosen), RUNG_OK);
  ck_assert(chosen[0] == 0 && chosen[1] == 0);
  ck_assert_int_eq(rung_choose_bits(table, 2, 2, 219, RUNG_BIT_SEARCH_EXACT, chosen), RUNG_OK);
  ck_assert(chosen[0] == 0 && chosen[1] == 1); /* 5 rather than 6 */
  REFUSED(rung_choose_bits(table, 0, 2, 219, RUNG_BIT_SEARCH_EXACT, chosen), RUNG_ERROR_ARGUMENT, "0 layers");
  REFUSED(rung_choose_bits(table, 2, 2, 219, RUNG_BIT_SEARCH_COUNT, chosen), RUNG_ERROR_ARGUMENT, "search 3");
  const rung_bit_choice descends[] = {{20, 3}, {10, 1}}, no_number[] = {{10, NAN}, {20, 1}};
  REFUSED(rung_choose_bits(descends, 1, 2, 219, RUNG_BIT_SEARCH_EXACT, chosen), RUNG_ERROR_ARGUMENT, "10 bytes");
  REFUSED(rung_choose_bits(no_number, 1, 2, 219, RUNG_BIT_SEARCH_EXACT, chosen), RUNG_ERROR_ARGUMENT, "loss nan");
}
END_TEST

/* ---- Layers with bits of their own ------------------------------------------------------------------------------ */

static rung_model *trained(const rung_dataset *data) {
  rung_model *model = perceptron(1, 3);
  ck_assert_int_eq(rung_fit(model, data, &(rung_fit_options){.epochs = 8, .rate = 5e-3f}), RUNG_OK);
  return model;
}

static const rung_layer_scheme own_bits[] = {{"fc3", .weight_bits = 8},
                                             {"fc1", .weight_bits = 2, .activation_bits = 3}};

static rung_program *freeze(rung_model *model) {
  rung_program *program = rung_freeze(model);
  ck_assert_msg(program != NULL, "%s", rung_error());
  return program;
}

START_TEST(layers_have_the_bits_that_they_are_given) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = trained(p->data);
  {
    rung_layer_scheme layers[2] = {own_bits[0], own_bits[1]};
    char name[] = "fc1";
    layers[1].name = name;
    ck_assert_int_eq(
        rung_quantize(model,
                      &(rung_scheme){.weight_bits = 4, .activation_bits = 5, .layers = layers, .layer_count = 2}),
        RUNG_OK);
    memset(name, 'x', 3); /* what was passed was copied, names with it */
    memset(layers, 0, sizeof layers);
  }
  ck_assert_int_eq(rung_quantize(model, rung_model_scheme(model)), RUNG_OK); /* its own, again */
  ck_assert_msg(rung_calibrate(model, p->data, 0) == RUNG_OK, "%s", rung_error());
  rung_program *program = freeze(model);
  const int weights[] = {2, 4, 8}, top[] = {7, 31};
  int64_t bytes = 0;
  for (int i = 0; i < 3; i++) {
    const rung_integer_layer *layer = &rung_program_instruction(program, i)->integers;
    ck_assert_int_eq(layer->weight_format.bits, weights[i]);
    if (i < 2) ck_assert_int_eq(layer->qmax, top[i]);
    bytes += rung_integer_layer_bytes(layer);
  }
  ck_assert_int_eq(rung_program_describe(program).weight_bytes, bytes);
  rung_program_free(program);
  ck_assert_msg(rung_fit(model, p->data, &(rung_fit_options){.epochs = 1}) == RUNG_OK, "%s", rung_error());
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* Some of its observers then have histograms, and some do not. */
START_TEST(a_checkpoint_holds_the_bits_of_layers) {
  const char *path = scratch_path("mixed.safetensors");
  problem *p = problem_new(RUNG_F32, 103, 1);
  rung_model *model = trained(p->data);
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){.layers = own_bits, .layer_count = 2}), RUNG_OK);
  ck_assert_int_eq(rung_calibrate(model, p->data, 0), RUNG_OK);
  if (rung_model_save(model, path) == RUNG_ERROR_UNSUPPORTED) test_skip(rung_error());
  rung_model *loaded = rung_model_load(path, NULL);
  ck_assert_msg(loaded != NULL, "%s", rung_error());
  const rung_scheme *scheme = rung_model_scheme(loaded);
  ck_assert_int_eq(scheme->layer_count, 2);
  for (int i = 0; i < 2; i++) {
    ck_assert_str_eq(scheme->layers[i].name, own_bits[i].name);
    ck_assert_int_eq(scheme->layers[i].weight_bits, own_bits[i].weight_bits);
    ck_assert_int_eq(scheme->layers[i].activation_bits, own_bits[i].activation_bits);
  }
  rung_metrics one, other;
  ck_assert_int_eq(rung_evaluate(model, p->data, &one), RUNG_OK);
  ck_assert_int_eq(rung_evaluate(loaded, p->data, &other), RUNG_OK);
  ck_assert(one.loss == other.loss);
  rung_model_free(model), rung_model_free(loaded);
  problem_free(p);
}
END_TEST

START_TEST(bits_of_layers_that_are_not_there_are_refused) {
  rung_model *model = perceptron(1, 1);
  const struct {
    rung_layer_scheme layers[2];
    const char *says;
  } bad[] = {{{{"fc9", 8, 8}, {"fc1", 4, 4}}, "layer 'fc9': expected one of fc1, fc2, fc3"},
             {{{"fc1", 8, 8}, {"fc1", 4, 4}}, "layer 'fc1': it has bits twice, expected once"},
             {{{"fc1", 9, 8}, {"fc2", 4, 4}}, "layer 'fc1': weight_bits 9, expected 1..8"},
             {{{"fc1", 8, 9}, {"fc2", 4, 4}}, "layer 'fc1': activation_bits 9, expected 1..8"},
             {{{"fc1", 0, 0}, {"fc2", 4, 4}}, "layer 'fc1': no bits of its own, expected"},
             {{{"", 8, 8}, {"fc2", 4, 4}}, "layer 0 of the scheme: a name of 0 bytes"},
             {{{NULL, 8, 8}, {"fc2", 4, 4}}, "layer 0 of the scheme: a name of 0 bytes"}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    REFUSED(rung_quantize(model, &(rung_scheme){.layers = bad[i].layers, .layer_count = 2}), RUNG_ERROR_ARGUMENT,
            bad[i].says);
  REFUSED(rung_quantize(model, &(rung_scheme){.layer_count = 1}), RUNG_ERROR_ARGUMENT, "layer_count 1");
  ck_assert_ptr_null(rung_model_scheme(model));
  rung_model_free(model);
}
END_TEST

START_TEST(layers_as_text) {
  char name[RUNG_LAYER_NAME], text[RUNG_LAYER_TEXT];
  const char *good[] = {"fc1=w8a8", "fc1=w1", "a=b=a2", "fc 2=w4a3"};
  for (int i = 0; i < 4; i++) {
    rung_layer_scheme layer;
    ck_assert_msg(rung_layer_scheme_parse(good[i], &layer, name) == RUNG_OK, "%s", rung_error());
    ck_assert_str_eq(rung_layer_scheme_format(&layer, text), good[i]);
  }
  const char *bad[] = {"", "fc1", "=w8a8", "fc1=", "fc1=w9", "fc1=w0a8", "fc1=a0", "fc1=a8w8", "fc1=w8a8x", "fc1=8"};
  for (int i = 0; i < 10; i++) {
    rung_layer_scheme layer;
    REFUSED(rung_layer_scheme_parse(bad[i], &layer, name), RUNG_ERROR_ARGUMENT, "expected NAME=wNaM, NAME=wN or");
  }
}
END_TEST

/* ---- A network under a limit ------------------------------------------------------------------------------------ */

static int64_t program_bytes(rung_model *model) {
  rung_program *program = freeze(model);
  const int64_t bytes = rung_program_describe(program).weight_bytes;
  rung_program_free(program);
  return bytes;
}

START_TEST(fewer_bits_are_noisier_and_the_model_stays) {
  problem *p = problem_new(RUNG_U8, 160, 1);
  rung_model *model = trained(p->data);
  const rung_scheme scheme = {.weight_bits = 5, .activation_bits = 6, .layers = own_bits, .layer_count = 2};
  ck_assert_int_eq(rung_quantize(model, &scheme), RUNG_OK);
  const uint64_t hash = rung_model_hash(model);
  rung_sensitivity *s = rung_sensitivity_new(model, p->data, &(rung_mixed_options){.examples = 80, .least_bits = 1});
  ck_assert_msg(s != NULL, "%s", rung_error());
  ck_assert_uint_eq(rung_model_hash(model), hash);
  ck_assert_int_eq(rung_model_scheme(model)->weight_bits, 5);
  ck_assert_str_eq(rung_model_scheme(model)->layers[1].name, "fc1");
  ck_assert(s->layers == 3 && s->choices == 8 && s->layer[0].in == FEATURES && s->layer[2].out == CLASSES);
  for (int l = 0; l < 3; l++)
    for (int c = 0; c < 8; c++) {
      const rung_bit_sensitivity *at = &s->layer[l].at[c];
      ENSURE(at->bits == c + 1 && at->noise > 0 && isfinite(at->sqnr));
      if (c > 0) ENSURE(at->bytes > at[-1].bytes);
      if (c > 1 && c < 6) ENSURE(at->noise < at[-1].noise); /* near 8 bits the other layers' noise is all there is */
    }
  rung_sensitivity_free(s);
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* Between the sizes of all at 3 and all at 4 bits there is something better than all at 3. */
START_TEST(the_limit_is_kept_and_used) {
  problem *p = problem_new(RUNG_U8, 160, 1), *held_out = problem_new(RUNG_U8, 160, 2);
  int64_t bytes[2];
  double loss[2];
  for (int bits = 3; bits <= 4; bits++) {
    rung_model *model = trained(p->data);
    rung_metrics metrics;
    ck_assert_int_eq(rung_quantize(model, &(rung_scheme){.weight_bits = bits}), RUNG_OK);
    ck_assert_int_eq(rung_calibrate(model, p->data, 0), RUNG_OK);
    ck_assert_int_eq(rung_evaluate(model, held_out->data, &metrics), RUNG_OK);
    bytes[bits - 3] = program_bytes(model);
    loss[bits - 3] = metrics.loss;
    rung_model_free(model);
  }
  const int64_t limit = (bytes[0] + bytes[1]) / 2;
  rung_model *model = trained(p->data);
  rung_metrics metrics;
  ck_assert_int_eq(rung_quantize(model, NULL), RUNG_OK);
  ck_assert_msg(rung_mixed_precision(model, p->data, limit, NULL) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(rung_model_scheme(model)->layer_count, 3);
  ck_assert_int_eq(rung_calibrate(model, p->data, 0), RUNG_OK);
  ck_assert_int_le(program_bytes(model), limit);
  ck_assert_int_gt(program_bytes(model), bytes[0]);
  ck_assert_int_eq(rung_evaluate(model, held_out->data, &metrics), RUNG_OK);
  ck_assert_msg(metrics.loss < loss[0], "loss %g, at 3 bits %g, at 4 bits %g", metrics.loss, loss[0], loss[1]);
  char says[80];
  const int64_t least = rung_mixed_precision_least(model, NULL);
  snprintf(says, sizeof says, "a limit of %lld bytes: the fewest bits take %lld", (long long)least - 1,
           (long long)least);
  REFUSED(rung_mixed_precision(model, p->data, least - 1, NULL), RUNG_ERROR_ARGUMENT, says);
  ck_assert_int_eq(rung_mixed_precision_least(model, &(rung_mixed_options){.least_bits = 9}), 0);
  REFUSED(rung_mixed_precision(model, p->data, limit, &(rung_mixed_options){.least_bits = 9}), RUNG_ERROR_ARGUMENT,
          "9..8 to choose from");
  rung_model_free(model);
  problem_free(p), problem_free(held_out);
}
END_TEST

TEST_MAIN(CASE(exact_is_the_best_of_all_and_greedy_fits), CASE(a_limit_that_nothing_fits_is_refused),
          CASE(layers_have_the_bits_that_they_are_given), CASE(a_checkpoint_holds_the_bits_of_layers),
          CASE(bits_of_layers_that_are_not_there_are_refused), CASE(layers_as_text),
          CASE(fewer_bits_are_noisier_and_the_model_stays), CASE(the_limit_is_kept_and_used))
