/* Weights or neurons pruned while the FP32 network trains on, little by little (2:4 at once), then quantization-aware
 * training of what is left. `qat` at the same setting is the dense network. */
#include "technique.h"

#include <rung/rung.h>

static rung_status prune(const trial *t, rung_model *model, const rung_scheme *scheme, const rung_prune_options *to) {
  const rung_fit_options sparse = {.epochs = t->epochs, .rate = t->rate, .prune = {.to = *to}};
  rung_status status = rung_fit(model, t->train, &sparse);
  if (status == RUNG_OK) status = trial_quantize(t, model, scheme);
  return status == RUNG_OK ? trial_fit(t, model) : status;
}

/* The bytes are those of the network without them, which computes the same. */
static rung_status prune_neurons(const trial *t, rung_model *model, const rung_scheme *scheme, rung_prune_method method,
                                 technique_result *result) {
  rung_status status = prune(t, model, scheme, &(rung_prune_options){.method = method, .sparsity = 0.5f});
  rung_model *small = status == RUNG_OK ? rung_model_without_pruned(model, NULL) : NULL;
  rung_program *program = small ? rung_freeze(small) : NULL;
  if (program) result->bytes = rung_program_describe(program).weight_bytes;
  if (status == RUNG_OK && !program) status = rung_error_status();
  rung_program_free(program);
  rung_model_free(small);
  return status;
}

/* ---- Weights: the program stores the zeros, and takes as many bytes --------------------------------------------- */

static rung_status run(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  return prune(t, model, scheme, &(rung_prune_options){.sparsity = 0.9f});
}

static rung_status run_per_layer(const trial *t, rung_model *model, const rung_scheme *scheme,
                                 technique_result *result) {
  (void)result;
  return prune(t, model, scheme, &(rung_prune_options){.method = RUNG_PRUNE_PER_LAYER, .sparsity = 0.9f});
}

static rung_status run_2_4(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  (void)result;
  return prune(t, model, scheme, &(rung_prune_options){.method = RUNG_PRUNE_N_M, .n = 2, .m = 4});
}

const technique technique_prune = {.name = "prune",
                                   .help = "90 % of the weights pruned (Zhu and Gupta, 2017), then qat",
                                   .settings = "w8a8, w4a4",
                                   .run = run};

const technique technique_prune_per_layer = {
    .name = "prune-per-layer", .help = "the same, 90 % of each layer", .settings = "w8a8, w4a4", .run = run_per_layer};

const technique technique_prune_2_4 = {.name = "prune-2-4",
                                       .help = "2 of 4 neighbouring weights pruned (Mishra et al., 2021), then qat",
                                       .settings = "w8a8, w4a4",
                                       .run = run_2_4};

/* ---- Neurons ---------------------------------------------------------------------------------------------------- */

static rung_status run_neurons(const trial *t, rung_model *model, const rung_scheme *scheme, technique_result *result) {
  return prune_neurons(t, model, scheme, RUNG_PRUNE_NEURONS, result);
}

static rung_status run_neurons_per_layer(const trial *t, rung_model *model, const rung_scheme *scheme,
                                         technique_result *result) {
  return prune_neurons(t, model, scheme, RUNG_PRUNE_NEURONS_PER_LAYER, result);
}

const technique technique_prune_neurons = {.name = "prune-neurons",
                                           .help = "half of the neurons removed, by norm and cost, then qat",
                                           .settings = "w8a8, w4a4",
                                           .run = run_neurons};

const technique technique_prune_neurons_per_layer = {
    .name = "prune-neurons-per-layer",
    .help = "half of the neurons of each layer removed (Li et al., 2017), then qat",
    .settings = "w8a8, w4a4",
    .run = run_neurons_per_layer};
