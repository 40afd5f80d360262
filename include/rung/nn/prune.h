/* rung/nn/prune.h: pruning. Weights are set to 0 for good, by a mask that the model holds: every later fit, in f32 and
 * in the quantized forms, by any optimizer, leaves them 0, checkpoints keep it, and the integers of a pruned weight are
 * 0 too. docs/pruning.md.
 *
 *   rung_prune(mlp, &(rung_prune_options){.sparsity = 0.9f});
 *   rung_fit(mlp, train, &(rung_fit_options){.epochs = 5});
 *
 * prunes 9 of 10 weights at once;
 *
 *   rung_fit(mlp, train, &(rung_fit_options){.epochs = 10, .prune = {.to = {.sparsity = 0.9f}}});
 *
 * does so little by little, and
 *
 *   rung_prune(mlp, &(rung_prune_options){.method = RUNG_PRUNE_NEURONS, .sparsity = 0.5f});
 *   rung_fit(mlp, train, &(rung_fit_options){.epochs = 5});
 *   rung_model *small = rung_model_without_pruned(mlp, NULL);
 *
 * leaves a model with half of the hidden neurons.
 */
#ifndef RUNG_NN_PRUNE_H
#define RUNG_NN_PRUNE_H

#include <rung/core.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rung_model;
struct rung_model_options;

/* What is pruned of the weights of linear layers [out, in]; their biases are left alone but for those of neurons. Of
 * equals the one that was recorded first goes first, by its index. */
typedef enum rung_prune_method {
  RUNG_PRUNE_MAGNITUDE = 0, /* the smallest |w| of all layers together (Han et al., 2015) */
  RUNG_PRUNE_PER_LAYER,     /* the smallest |w| of each layer, of each the same share */
  RUNG_PRUNE_N_M,           /* of every m neighbouring inputs of an output all but the n largest |w| (Mishra et al.,
                               2021); of a row's last ones, where they are fewer than m, likewise all but n */
  RUNG_PRUNE_NEURONS, /* whole neurons, of all hidden layers together: those of the smallest L1 norm of their weights
                         (Li et al., 2017), as a batch norm behind them scales them, beside others of their layer, for
                         the weights that they take along (eq. 62, 62b) */
  RUNG_PRUNE_NEURONS_PER_LAYER, /* ... of each hidden layer, of each the same share */
  RUNG_PRUNE_METHOD_COUNT
} rung_prune_method;

RUNG_API const char *
rung_prune_method_name(rung_prune_method method); /* "magnitude", "per-layer", "n:m", "neurons", ... */

typedef struct rung_prune_options {
  rung_prune_method method;
  float sparsity; /* share that is pruned when it is done, 0 .. 1: of the weights, or of the neurons (of which in each
                     layer one stays); the nearest whole number. RUNG_PRUNE_N_M: not read */
  const char *layer; /* rung_prune: of this layer alone, "fc1" of the one with the weight "fc1.weight"; NULL: of all */
  int n, m;          /* RUNG_PRUNE_N_M: 1 <= n < m <= 64; 0 and 0: 2 and 4 */
} rung_prune_options;

/* A method by its name, or N:M as in "2:4" (then n and m too). RUNG_ERROR_ARGUMENT: "prune method 'small': expected
 * magnitude, per-layer, neurons, neurons-per-layer or N:M (2:4), M to 64". */
RUNG_API rung_status rung_prune_parse(const char *text, rung_prune_options *options);

/* Prunes, in whatever form the model is. What was pruned before stays pruned, and counts. NEURONS: the layers whose
 * outputs reach one other linear layer alone, through operations that keep neurons apart (activations, dropout, batch
 * norm); of a neuron that goes, its row, its bias, its batch norm's shift and running mean, and the next layer's
 * column. RUNG_ERROR_UNSUPPORTED: the scheme's weights have no 0 (1 bit, or RUNG_WEIGHTS_DOREFA); NEURONS: there is no
 * such layer. RUNG_ERROR_STATE: there is no linear layer, or none of that name. */
RUNG_API rung_status rung_prune(struct rung_model *model, const rung_prune_options *options);
/* Forgets all masks: what was pruned is 0 as before, and trains again. */
RUNG_API void rung_unprune(struct rung_model *model);

/* Of parameter `index` (rung_model_parameter), of its shape: 1 where it stays and 0 where it is pruned; borrowed. NULL
 * where nothing of it is. */
RUNG_API const uint8_t *rung_model_mask(const struct rung_model *model, int index);
/* The pruned ones among the weights of linear layers, and (may be NULL) how many weights there are. */
RUNG_API int64_t rung_model_pruned(const struct rung_model *model, int64_t *weights);

/* A model without the neurons that the next layer does not look at any more (its column is pruned): a new one, of the
 * same names, that computes the same: in f32 to the bit, and in integers to the bit where scales are per channel or per
 * tensor, since a sum without its zeros is the same sum; with weight groups, whose members move, and with ternary
 * weights, whose mean magnitude counts zeros, within the rounding of the scheme. It keeps form, scheme, ranges and the
 * remaining masks; of each layer at least one neuron stays. `options`: as for rung_model_copy. */
RUNG_API struct rung_model *rung_model_without_pruned(const struct rung_model *model,
                                                      const struct rung_model_options *options);

/* Pruning in a fit (rung_fit_options), little by little, so that the others can take over (Zhu and Gupta, 2017). Before
 * step t = begin, begin + every, ... and begin + steps of the fit the model is pruned to (eq. 61)
 *   s_t = s_f + (s_i - s_f) (1 - (t - begin) / steps)^3,   s_i = initial, s_f = to.sparsity.
 * RUNG_PRUNE_N_M has nothing between: it prunes at `begin`. */
typedef struct rung_prune_schedule {
  rung_prune_options to; /* sparsity 0 (and not RUNG_PRUNE_N_M): nothing is pruned */
  float initial;         /* s_i; that of `to`: all at once, at `begin` */
  int64_t begin;         /* the fit's first step is 0 */
  int64_t steps;         /* 0: half of the fit's */
  int64_t every;         /* 0: 100 */
} rung_prune_schedule;

/* The sparsity before step `step`, with `steps` filled in; that of `to` from begin + steps on, 0 before `begin`. */
RUNG_API float rung_prune_sparsity(const rung_prune_schedule *schedule, int64_t step);

#ifdef __cplusplus
}
#endif

#endif
