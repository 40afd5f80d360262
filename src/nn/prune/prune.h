/* Pruning from the inside. A method is data: a name, and what it marks in the masks of a model's linear layers. */
#ifndef RUNG_PRUNE_H
#define RUNG_PRUNE_H

#include "../model.h"
#include "prune_list.h"

#include <string.h>

enum { PRUNE_MAX_M = 64 };

/* A neuron of a hidden layer. */
typedef struct prune_neuron {
  const struct prune_layer *layer;
  int64_t index;
  double score; /* -1: pruned already */
} prune_neuron;

/* The weight of a linear layer, and its mask. */
typedef struct prune_layer {
  rung_node *linear;
  float *weight; /* [out, in] */
  uint8_t *keep; /* [out, in] */
  int64_t out, in;
  const prune_neuron *worst; /* while neurons of all layers are pruned: of those that are left the one of the lowest */
  int64_t left;              /* score, before the others; how many they are; */
  double sum;                /* and the sum of their scores */
} prune_layer;

/* What a pruning works on, all of it allocated. */
typedef struct pruner {
  rung_model *model;
  rung_prune_schedule schedule; /* of a fit, with `steps` and `every` filled in; else `to` alone */
  int count;
  prune_layer *layer;   /* [count]: each weight once, in order of recording */
  prune_neuron *neuron; /* [of all hidden layers], if neurons are pruned */
} pruner;

typedef struct prune_kind {
  const char *name;
  bool at_once; /* has no sparsity that it could approach */
  /* What it will mark beside the weights gets a mask (prune_mask). May be NULL. */
  rung_status (*prepare)(pruner *self);
  /* Marks as pruned (keep 0) what `sparsity` asks for; never unmarks. */
  void (*mark)(pruner *self, double sparsity);
} prune_kind;

#define PRUNE_DECLARE(method, structure) extern const prune_kind structure;
PRUNE_LIST(PRUNE_DECLARE)

/* Everything checked, and masks for all that may be pruned; NULL with a message. */
pruner *pruner_new(rung_model *model, const rung_prune_schedule *schedule);
/* The same for a fit of so many steps. */
pruner *pruner_of_fit(rung_model *model, const rung_prune_schedule *schedule, int64_t total);
void pruner_free(pruner *self);
/* Prunes to this sparsity: marks, and sets what is marked to 0. */
void pruner_run(pruner *self, double sparsity);
/* Before step `step` of the fit: prunes if it is due. */
void pruner_step(pruner *self, int64_t step);
/* Whether a fit with this schedule prunes. */
bool prune_is_wanted(const rung_prune_schedule *schedule);

/* The parameter's mask, made (all 1) if there is none. NULL with a message. */
uint8_t *prune_mask(rung_model *model, const rung_node *parameter);
/* RUNG_OK if what the scheme makes of a weight can be 0. */
rung_status prune_check_scheme(const rung_scheme *scheme);

/* `sparsity` of `count`, the nearest whole number. */
int64_t prune_count(double sparsity, int64_t count);
/* Orders weights by magnitude; what is pruned already comes first. */
static inline uint32_t prune_key(float weight, uint8_t keep) {
  uint32_t bits;
  memcpy(&bits, &weight, sizeof bits);
  return keep ? (bits & 0x7fffffff) + 1 : 0;
}
/* Marks the `count` smallest weights of these layers together; of equals the first ones. */
void prune_smallest(const prune_layer *layers, int layer_count, int64_t count);

/* ---- Hidden layers ---------------------------------------------------------------------------------------------- */

/* The only node that reads this one, as its first input; NULL if there is another reader or none. */
rung_node *prune_reader(const rung_node *node);
/* The linear layer that alone reads this one's neurons, each as what it is, behind nodes that keep them apart (on the
 * way: prune_reader, one by one); NULL if there is none. No parameter of all these is shared. */
rung_node *prune_next(const rung_node *linear);
/* Memory for all neurons of such layers, and masks for all that belongs to them; refused if there are none. */
rung_status prune_prepare_hidden(pruner *self);
/* The neurons of the layer, each with the L1 norm of its weights, times |scale| / deviation of a batch norm directly
 * behind it (eq. 62). Returns how many: 0 of what is no hidden layer. */
int64_t prune_neurons_of(const prune_layer *layer, prune_neuron *neurons);
/* The lowest scores first; of equals the first ones. */
void prune_sort(prune_neuron *neurons, int64_t count);
/* Marks all that makes the neuron, and all that the next layer reads of it. */
void prune_neuron_away(pruner *self, const prune_neuron *neuron);

#endif
