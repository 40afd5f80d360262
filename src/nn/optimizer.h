/* An optimizer is data: a name, how many f32 of state it keeps a weight, and what it does to a slice of one parameter.
 */
#ifndef RUNG_OPTIMIZER_H
#define RUNG_OPTIMIZER_H

#include <rung/nn.h>

#include "optimizer_list.h"

enum { OPTIMIZER_MAX_SLOTS = 2 };

/* What an update knows: the options of the fit with the defaults filled in, this step's rate, how far it is. */
typedef struct optimizer_step {
  const rung_fit_options *options;
  float rate;
  float gradient_scale;            /* clipping; 1 leaves the gradient */
  double beta1_power, beta2_power; /* beta^t of step t = 1, 2, ..., as running products */
} optimizer_step;

typedef struct optimizer_kind {
  const char *name;
  int slots;                                   /* f32 of state a weight, zero at first */
  const char *slot_names[OPTIMIZER_MAX_SLOTS]; /* in files; PyTorch's */
  void (*update)(const optimizer_step *step, float *weight, const float *gradient, float *const slot[], int64_t n);
} optimizer_kind;

#define OPTIMIZER_DECLARE(kind, structure) extern const optimizer_kind structure;
OPTIMIZER_LIST(OPTIMIZER_DECLARE)

typedef struct optimizer optimizer;

/* For the trainable parameters of the graph, which it borrows. NULL with a message on failure. */
optimizer *optimizer_new(rung_graph *graph, const rung_fit_options *options);
/* The options with the optimizer's defaults filled in. */
rung_fit_options optimizer_with_defaults(const rung_fit_options *options);
void optimizer_free(optimizer *self);
/* Weights of this parameter whose keep [elements] is 0 stay 0, and their gradients do not count. Borrowed; may change
 * between steps. NULL: none. */
void optimizer_set_mask(optimizer *self, const rung_node *parameter, const uint8_t *keep);
/* Before each step, on one thread. */
void optimizer_begin(optimizer *self, float rate);
/* A rung_task with the optimizer as context: clips and updates this member's slices of every parameter that is not
 * taken. */
void optimizer_update(void *context, int ith, int nth);
/* As if `steps` steps were behind it, but for the slots. */
void optimizer_skip(optimizer *self, int64_t steps);

/* A slot of a trained parameter: state [elements of the parameter]. */
typedef struct optimizer_slot {
  const char *name;
  const rung_node *parameter;
  float *state;
} optimizer_slot;

/* Slots 0, 1, ... of all parameters; false beyond the last. */
bool optimizer_slot_at(const optimizer *self, int index, optimizer_slot *slot);
/* What takes gradients as they come; NULL where clipping has to see all of them first. */
rung_gradient_take *optimizer_take(const optimizer *self);

#endif
