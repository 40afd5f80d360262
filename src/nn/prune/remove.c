/* A model without the neurons that nothing looks at. In f32 an output is one chain of fma, k ascending, and an fma with
 * a weight of 0 leaves it as it is; in integers a product with 0 adds nothing, and no scale is made by a 0. So what is
 * left computes the same bits. */
#include "../copy.h"
#include "prune.h"

typedef struct removal {
  copy_selection selection; /* each [nodes] */
  uint8_t **stays;          /* [nodes]: of each linear layer that loses some, its outputs; owned */
  int nodes;
} removal;

/* Outputs of the layer whose column in the next one is not pruned as a whole; NULL with a message. *left of them. */
static uint8_t *find_read(const rung_model *model, const rung_node *linear, const rung_node *next, int64_t *left) {
  const uint8_t *keep = model_mask(model, next->input[1]);
  const int64_t outputs = linear->value.shape.extent[1], next_out = next->value.shape.extent[1];
  uint8_t *stays = rung_allocate((size_t)outputs);
  *left = 0;
  for (int64_t j = 0; stays && j < outputs; j++) {
    for (int64_t o = 0; o < next_out; o++) stays[j] |= !keep || keep[o * outputs + j];
    *left += stays[j];
  }
  return stays;
}

static void select_parameters(removal *self, const rung_node *node, const uint8_t *stays) {
  for (int k = 1; k < node->op->input_count; k++)
    if (node->input[k]) self->selection.rows[node->input[k]->index] = stays;
}

static rung_status select_layer(removal *self, const rung_model *model, const rung_node *linear) {
  int64_t left;
  const rung_node *next = prune_next(linear);
  if (!next) return RUNG_OK;
  uint8_t *stays = self->stays[linear->index] = find_read(model, linear, next, &left);
  if (!stays) return RUNG_ERROR_MEMORY;
  if (left == 0) stays[0] = 1; /* a layer has at least one */
  select_parameters(self, linear, stays);
  for (const rung_node *at = prune_reader(linear); at != next; at = prune_reader(at))
    select_parameters(self, at, stays);
  self->selection.columns[next->input[1]->index] = stays;
  return RUNG_OK;
}

static rung_status removal_begin(removal *self, const rung_model *model) {
  const size_t nodes = (size_t)(self->nodes = rung_graph_node_count(model->graph));
  self->selection.rows = rung_allocate(nodes * sizeof *self->selection.rows);
  self->selection.columns = rung_allocate(nodes * sizeof *self->selection.columns);
  self->stays = rung_allocate(nodes * sizeof *self->stays);
  if (!self->selection.rows || !self->selection.columns || !self->stays) return RUNG_ERROR_MEMORY;
  for (int i = 0; i < self->nodes; i++) {
    const rung_node *node = rung_graph_node(model->graph, i);
    rung_status status = node->op == &rung_op_linear ? select_layer(self, model, node) : RUNG_OK;
    if (status != RUNG_OK) return status;
  }
  return RUNG_OK;
}

static void removal_end(removal *self) {
  for (int i = 0; self->stays && i < self->nodes; i++) rung_release(self->stays[i]);
  rung_release(self->stays);
  rung_release(self->selection.rows);
  rung_release(self->selection.columns);
}

rung_model *rung_model_without_pruned(const rung_model *model, const rung_model_options *options) {
  if (rung_model_status(model) != RUNG_OK) return NULL;
  removal self = {0};
  rung_model *smaller = NULL;
  if (removal_begin(&self, model) == RUNG_OK) smaller = model_copy(model, options, &self.selection);
  removal_end(&self);
  return smaller;
}
