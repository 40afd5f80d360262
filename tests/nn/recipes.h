/* Ways to train: every form, kind of layer, optimizer and observer is in one of them. */
#ifndef TESTS_NN_RECIPES_H
#define TESTS_NN_RECIPES_H

#include "problem.h"

typedef struct recipe {
  const char *name;
  rung_form form;
  rung_scheme scheme;
  bool dropout, batch_norm, no_bias, hinge;
  bool signs; /* rescaled inputs, no activation behind a batch norm, a whole one behind the last layer */
  bool wide;  /* 352 rather than 40 in the first layer: its moments, and the second's, are large enough for 8 bits */
  rung_fit_options fit;
} recipe;

static const recipe recipes[] = {
    {.name = "FP32"},
    {.name = "FP32, hinge, SGD, clipped",
     .hinge = true,
     .fit = {.optimizer = RUNG_OPTIMIZER_SGD, .momentum = 0.9f, .nesterov = true, .clip_norm = 0.1f}},
    {.name = "FP32, dropout and batch norm", .dropout = true, .batch_norm = true, .fit = {.weight_decay = 1e-2f}},
    {.name = "QAT, delayed ranges", .form = RUNG_FORM_INTEGER},
    {.name = "QAT, current ranges", .form = RUNG_FORM_INTEGER, .scheme = {.ranges = RUNG_RANGES_CURRENT}},
    {.name = "QAT, few bits, groups",
     .form = RUNG_FORM_INTEGER,
     .scheme = {.weight_bits = 4, .activation_bits = 4, .weight_granularity = RUNG_PER_GROUP, .weight_group = 8}},
    {.name = "QAT, dropout and batch norm", .form = RUNG_FORM_INTEGER, .dropout = true, .batch_norm = true},
    {.name = "QAT, backward bf16", .form = RUNG_FORM_INTEGER, .scheme = {.backward = RUNG_BACKWARD_BF16}},
    {.name = "QAT, backward int8", .form = RUNG_FORM_INTEGER, .scheme = {.backward = RUNG_BACKWARD_INT8}},
    {.name = "QAT, backward int8, few bits, groups, dropout",
     .form = RUNG_FORM_INTEGER,
     .dropout = true,
     .scheme = {.weight_bits = 4,
                .weight_granularity = RUNG_PER_GROUP,
                .weight_group = 8,
                .activation_signed = true,
                .backward = RUNG_BACKWARD_INT8}},
    {.name = "QAT, backward int8, one bit, per tensor, SGD",
     .form = RUNG_FORM_INTEGER,
     .scheme = {.weight_bits = 1, .weight_granularity = RUNG_PER_TENSOR, .backward = RUNG_BACKWARD_INT8},
     .fit = {.optimizer = RUNG_OPTIMIZER_SGD, .momentum = 0.9f}},
    {.name = "QAT, entropy, dropout",
     .form = RUNG_FORM_INTEGER,
     .dropout = true,
     .scheme = {.observer = {.kind = RUNG_OBSERVER_ENTROPY}}},
    {.name = "QAT, percentile, step schedule, AdamW",
     .form = RUNG_FORM_INTEGER,
     .scheme = {.observer = {.kind = RUNG_OBSERVER_PERCENTILE, .percentile = 0.999f}},
     .fit = {.optimizer = RUNG_OPTIMIZER_ADAMW, .weight_decay = 1e-3f, .schedule = {.kind = RUNG_SCHEDULE_STEP}}},
    {.name = "QAT, min-max, no shuffling, constant rate",
     .form = RUNG_FORM_INTEGER,
     .scheme = {.observer = {.kind = RUNG_OBSERVER_MIN_MAX}, .activation_bits = 6},
     .fit = {.no_shuffle = true, .schedule = {.kind = RUNG_SCHEDULE_CONSTANT, .warm_up = 3}}},
    {.name = "QAT, simulated", .form = RUNG_FORM_SIMULATED},
    {.name = "QAT, simulated, current ranges, one bit",
     .form = RUNG_FORM_SIMULATED,
     .scheme = {.weight_bits = 1, .ranges = RUNG_RANGES_CURRENT}},
    {.name = "FP32, pruned little by little", .fit = {.prune = {.to = {.sparsity = 0.8f}, .begin = 1, .every = 2}}},
    {.name = "FP32, neurons pruned, batch norm, SGD",
     .batch_norm = true,
     .fit = {.optimizer = RUNG_OPTIMIZER_SGD,
             .momentum = 0.9f,
             .prune = {.to = {.method = RUNG_PRUNE_NEURONS, .sparsity = 0.5f}, .every = 3}}},
    {.name = "QAT, each layer pruned, AdamW, few bits",
     .form = RUNG_FORM_INTEGER,
     .scheme = {.weight_bits = 4, .activation_bits = 4},
     .fit = {.optimizer = RUNG_OPTIMIZER_ADAMW,
             .weight_decay = 1e-2f,
             .prune = {.to = {.method = RUNG_PRUNE_PER_LAYER, .sparsity = 0.7f}, .every = 1}}},
    {.name = "QAT, backward int8, 2:4",
     .form = RUNG_FORM_INTEGER,
     .scheme = {.backward = RUNG_BACKWARD_INT8},
     .fit = {.prune = {.to = {.method = RUNG_PRUNE_N_M}, .begin = 3}}},
    {.name = "QAT, batch norm behind layers without a bias",
     .form = RUNG_FORM_INTEGER,
     .batch_norm = true,
     .no_bias = true},
    {.name = "QAT, batch norm merged, dropout, few bits",
     .form = RUNG_FORM_INTEGER,
     .dropout = true,
     .batch_norm = true,
     .scheme = {.weight_bits = 4, .activation_bits = 4, .batch_norm = RUNG_BATCH_NORM_MERGE}},
    {.name = "QAT, batch norm merged, groups, backward int8, current ranges",
     .form = RUNG_FORM_INTEGER,
     .batch_norm = true,
     .scheme = {.weight_granularity = RUNG_PER_GROUP,
                .weight_group = 8,
                .ranges = RUNG_RANGES_CURRENT,
                .backward = RUNG_BACKWARD_INT8,
                .batch_norm = RUNG_BATCH_NORM_MERGE}},
    {.name = "QAT, one bit, batch norm merged, hinge",
     .form = RUNG_FORM_INTEGER,
     .signs = true,
     .dropout = true,
     .batch_norm = true,
     .no_bias = true,
     .hinge = true,
     .scheme = {.weight_bits = 1, .activation_bits = 1, .input_bits = 1, .batch_norm = RUNG_BATCH_NORM_MERGE}},
    {.name = "QAT, simulated, two bits, batch norm live",
     .form = RUNG_FORM_SIMULATED,
     .signs = true,
     .batch_norm = true,
     .scheme = {.weight_bits = 2,
                .activation_bits = 2,
                .input_bits = 2,
                .activation_signed = true,
                .activation_symmetric = true,
                .batch_norm = RUNG_BATCH_NORM_MERGE}},
    {.name = "two bits, oscillations damped and frozen",
     .form = RUNG_FORM_INTEGER,
     .scheme = {.weight_bits = 2, .activation_bits = 4},
     .fit = {.oscillation = {.damping = 1e-3f, .freeze = 0.01f}}},
    {.name = "LSQ, per tensor, oscillations frozen, clipped, batch norm",
     .form = RUNG_FORM_INTEGER,
     .batch_norm = true,
     .scheme = {.weight_bits = 2, .weight_granularity = RUNG_PER_TENSOR, .weights = RUNG_WEIGHTS_LSQ},
     .fit = {.oscillation = {.freeze = 0.005f}, .clip_norm = 0.5f}},
    {.name = "LSQ, two bits, weight decay",
     .form = RUNG_FORM_INTEGER,
     .scheme =
         {.weight_bits = 2, .activation_bits = 2, .weights = RUNG_WEIGHTS_LSQ, .activations = RUNG_ACTIVATIONS_LSQ},
     .fit = {.weight_decay = 1e-2f}},
    {.name = "LSQ per tensor, PACT, clipped, dropout",
     .form = RUNG_FORM_INTEGER,
     .dropout = true,
     .scheme = {.weight_bits = 4,
                .activation_bits = 3,
                .weight_granularity = RUNG_PER_TENSOR,
                .weights = RUNG_WEIGHTS_LSQ,
                .activations = RUNG_ACTIVATIONS_PACT,
                .clip_decay = 1e-2f},
     .fit = {.clip_norm = 0.5f}},
    {.name = "LSQ, groups, backward int8, current ranges, SGD",
     .form = RUNG_FORM_INTEGER,
     .scheme = {.weight_bits = 3,
                .activation_bits = 4,
                .weight_granularity = RUNG_PER_GROUP,
                .weight_group = 8,
                .weights = RUNG_WEIGHTS_LSQ,
                .activations = RUNG_ACTIVATIONS_LSQ,
                .ranges = RUNG_RANGES_CURRENT,
                .backward = RUNG_BACKWARD_INT8},
     .fit = {.optimizer = RUNG_OPTIMIZER_SGD, .rate = 1e-2f, .momentum = 0.9f}},
    {.name = "LSQ, one bit, per tensor, backward bf16",
     .form = RUNG_FORM_INTEGER,
     .scheme = {.weight_bits = 1,
                .activation_bits = 2,
                .weight_granularity = RUNG_PER_TENSOR,
                .weights = RUNG_WEIGHTS_LSQ,
                .activations = RUNG_ACTIVATIONS_LSQ,
                .backward = RUNG_BACKWARD_BF16}},
    {.name = "LSQ, simulated",
     .form = RUNG_FORM_SIMULATED,
     .scheme =
         {.weight_bits = 2, .activation_bits = 2, .weights = RUNG_WEIGHTS_LSQ, .activations = RUNG_ACTIVATIONS_LSQ}},
    {.name = "LSQ per tensor, PACT, simulated",
     .form = RUNG_FORM_SIMULATED,
     .scheme = {.weight_bits = 3,
                .activation_bits = 4,
                .weight_granularity = RUNG_PER_TENSOR,
                .weights = RUNG_WEIGHTS_LSQ,
                .activations = RUNG_ACTIVATIONS_PACT}},
    {.name = "DoReFa, two bits",
     .form = RUNG_FORM_INTEGER,
     .scheme = {.weight_bits = 2,
                .activation_bits = 2,
                .weights = RUNG_WEIGHTS_DOREFA,
                .activations = RUNG_ACTIVATIONS_UNIT}},
    {.name = "DoReFa, seven bits, per tensor, simulated",
     .form = RUNG_FORM_SIMULATED,
     .scheme = {.weight_bits = 7, .weight_granularity = RUNG_PER_TENSOR, .weights = RUNG_WEIGHTS_DOREFA}},
    {.name = "ternary",
     .form = RUNG_FORM_INTEGER,
     .scheme = {.weight_bits = 2,
                .activation_bits = 4,
                .weights = RUNG_WEIGHTS_TERNARY,
                .activations = RUNG_ACTIVATIONS_PACT}},
    {.name = "ternary, per tensor, clipped",
     .form = RUNG_FORM_INTEGER,
     .scheme = {.weight_bits = 2, .weight_granularity = RUNG_PER_TENSOR, .weights = RUNG_WEIGHTS_TERNARY},
     .fit = {.clip_norm = 0.5f}},
    {.name = "unit, one bit",
     .form = RUNG_FORM_INTEGER,
     .scheme =
         {.weight_bits = 1, .activation_bits = 2, .weights = RUNG_WEIGHTS_UNIT, .activations = RUNG_ACTIVATIONS_UNIT},
     .fit = {.rate = 2e-2f}},
    {.name = "unit, two bits, clipped, batch norm",
     .form = RUNG_FORM_INTEGER,
     .batch_norm = true,
     .scheme =
         {.weight_bits = 2, .activation_bits = 2, .weights = RUNG_WEIGHTS_UNIT, .activations = RUNG_ACTIVATIONS_UNIT},
     .fit = {.clip_norm = 10, .rate = 2e-2f}},
    {.name = "unit, simulated",
     .form = RUNG_FORM_SIMULATED,
     .scheme =
         {.weight_bits = 2, .activation_bits = 2, .weights = RUNG_WEIGHTS_UNIT, .activations = RUNG_ACTIVATIONS_UNIT}},
    {.name = "FP32, 8-bit Adam", .wide = true, .fit = {.optimizer = RUNG_OPTIMIZER_ADAM8BIT, .weight_decay = 1e-3f}},
    {.name = "QAT, backward int8, 8-bit Adam",
     .form = RUNG_FORM_INTEGER,
     .wide = true,
     .scheme = {.backward = RUNG_BACKWARD_INT8},
     .fit = {.optimizer = RUNG_OPTIMIZER_ADAM8BIT}},
    {.name = "weights in NF4, batch norm",
     .form = RUNG_FORM_SIMULATED,
     .batch_norm = true,
     .scheme = {.weight_storage = RUNG_STORAGE_NF4}},
    {.name = "weights in E4M3 per tensor, dropout",
     .form = RUNG_FORM_SIMULATED,
     .dropout = true,
     .scheme = {.weight_storage = RUNG_STORAGE_E4M3, .weight_granularity = RUNG_PER_TENSOR}},
    {.name = "two bits, batch norm live, oscillations damped and frozen",
     .form = RUNG_FORM_INTEGER,
     .batch_norm = true,
     .scheme = {.weight_bits = 2, .activation_bits = 4, .batch_norm = RUNG_BATCH_NORM_MERGE},
     .fit = {.oscillation = {.damping = 1e-3f, .freeze = 0.005f}}},
};
enum { RECIPES = sizeof recipes / sizeof recipes[0] };

/* The options of its fit in f32, where there are no integers to oscillate. */
static inline rung_fit_options recipe_float_fit(const recipe *r) {
  rung_fit_options options = r->fit;
  if (r->form != RUNG_FORM_FLOAT) options.oscillation = (rung_oscillation_options){0};
  return options;
}

static inline rung_model *recipe_model(const recipe *r, int threads, uint64_t seed) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = threads, .seed = seed});
  rung_node *x = rung_input(model, "x", RUNG_SHAPE(FEATURES));
  if (r->signs) x = rung_rescale(x, 2, -1);
  for (int i = 0; i < 2; i++) {
    x = rung_linear_init(x, i ? "fc2" : "fc1",
                         i         ? 24
                         : r->wide ? 350
                                   : 40,
                         &(rung_linear_options){.no_bias = r->no_bias});
    if (r->batch_norm) x = rung_batch_norm(x, i ? "bn2" : "bn1");
    if (!r->signs) x = rung_relu(x);
    if (r->dropout) x = rung_dropout(x, 0.2f);
  }
  x = rung_linear(x, "fc3", CLASSES);
  if (r->signs) x = rung_batch_norm_init(x, "norm", &(rung_batch_norm_options){.whole = true});
  x = r->hinge ? rung_loss_squared_hinge(x) : rung_loss_cross_entropy(x);
  ck_assert_msg(x != NULL, "%s", rung_error());
  return model;
}

#endif
