/* What a replay needs to know and recording could not yet: which nodes lead to the loss, who adds to a gradient and who
 * stores it, and where the team has to wait.
 *
 * A barrier stands before a node where it reads what another member may have written since the last one. Neighbours
 * that are both `elementwise` slice alike, so each member reads only what it wrote itself. */
#include "graph.h"

#include <string.h>

static bool same_slices(const rung_node *a, const rung_node *b) {
  return a->op->elementwise && b->op->elementwise && rung_tensor_count(&a->value) == rung_tensor_count(&b->value);
}

static void mark_wanted(rung_graph *graph) {
  rung_node *root = graph->nodes[graph->count - 1];
  graph->plan[root->index].leads_to_root = rung_node_wants_gradient(root);
  for (int i = root->index; i >= 0; i--) {
    const rung_node *node = graph->nodes[i];
    if (!graph->plan[i].leads_to_root || !node->op->backward) continue;
    for (int k = 0; k < node->op->input_count; k++)
      if (rung_node_wants_gradient(node->input[k])) graph->plan[node->input[k]->index].leads_to_root = true;
  }
}

/* A weight that was computed, and is no parameter, has a backward pass of its own, which waits for its gradient. */
static void mark_weights(rung_graph *graph) {
  for (int i = 0; i < graph->count; i++) {
    const rung_node *node = graph->nodes[i];
    for (int k = 0; k < node->op->input_count; k++)
      if (node->op->weights >> k & 1 && rung_node_wants_gradient(node->input[k]))
        graph->plan[i].weights_at_once |= !leaf_is_parameter(node->input[k]);
  }
}

/* Whether input k's gradient comes after the backward pass. */
static bool is_weight(const rung_node *node, int k) {
  return node->op->weights >> k & 1 && !node->graph->plan[node->index].weights_at_once;
}

/* In the order of the backward pass, and of the weights' after it, the first consumer stores into a gradient and every
 * later one adds to it. One that adds waits for the one before. */
static void mark_accumulate(rung_graph *graph, bool weights) {
  bool *written = graph->written;
  for (int i = graph->count - 1; i >= 0; i--) {
    rung_node *node = graph->nodes[i];
    if (!graph->plan[i].leads_to_root || !node->op->backward) continue;
    for (int k = 0; k < node->op->input_count; k++) {
      if (is_weight(node, k) != weights || !rung_node_wants_gradient(node->input[k])) continue;
      node->accumulate[k] = written[node->input[k]->index];
      written[node->input[k]->index] = true;
      if (weights && node->accumulate[k]) graph->plan[i].barrier_weights = true;
    }
  }
}

/* A gradient can be taken as it comes where one node makes all of it, among its weights. */
static void mark_taken(rung_graph *graph) {
  graph->all_taken = true;
  for (int j = 0; j < graph->count; j++) {
    rung_node *parameter = graph->nodes[j];
    if (!leaf_is_parameter(parameter) || !rung_node_wants_gradient(parameter)) continue;
    int makers = 0;
    bool apart = true;
    for (int i = j + 1; i < graph->count; i++)
      for (int k = 0; k < graph->nodes[i]->op->input_count; k++) {
        if (graph->nodes[i]->input[k] != parameter) continue;
        makers++;
        apart &= graph->plan[i].leads_to_root && is_weight(graph->nodes[i], k);
      }
    graph->plan[j].taken = makers == 1 && apart;
    graph->all_taken &= graph->plan[j].taken;
  }
}

static void place_forward_barriers(rung_graph *graph) {
  int last = 0; /* nodes from here on were computed since the last barrier */
  for (int i = 0; i < graph->count; i++) {
    const rung_node *node = graph->nodes[i];
    for (int k = 0; k < node->op->input_count; k++) {
      const rung_node *input = node->input[k];
      if (input && input->index >= last && !leaf_is_parameter(input) && !same_slices(node, input))
        graph->plan[i].barrier_forward = true;
    }
    if (graph->plan[i].barrier_forward) last = i;
  }
}

static void place_backward_barriers(rung_graph *graph) {
  int *writer = graph->writer;
  for (int i = 0; i < graph->count; i++) writer[i] = -1;
  for (int i = graph->count - 1; i >= 0; i--) {
    const rung_node *node = graph->nodes[i];
    if (!graph->plan[i].leads_to_root || !node->op->backward) continue;
    bool wait = writer[i] >= 0 && !same_slices(node, graph->nodes[writer[i]]);
    for (int k = 0; k < node->op->input_count; k++) {
      const rung_node *input = node->input[k];
      int other = !is_weight(node, k) && rung_node_wants_gradient(input) ? writer[input->index] : -1;
      wait |= other >= 0 && !same_slices(node, graph->nodes[other]);
    }
    graph->plan[i].barrier_backward = wait;
    for (int j = 0; j < graph->count && wait; j++) writer[j] = -1;
    for (int k = 0; k < node->op->input_count; k++)
      if (!is_weight(node, k) && rung_node_wants_gradient(node->input[k])) writer[node->input[k]->index] = i;
  }
}

/* An input stays in integers if every reader takes it so, as its first operand. */
static rung_status settle_inputs(rung_graph *graph) {
  for (int i = 0; i < graph->count; i++) {
    rung_node *leaf = graph->nodes[i];
    if (!leaf_is_input(leaf)) continue;
    bool welcome = true;
    for (int j = i + 1; j < graph->count; j++)
      for (int k = 0; k < graph->nodes[j]->op->input_count; k++)
        if (graph->nodes[j]->input[k] == leaf) welcome &= k == 0 && graph->nodes[j]->op->reads_integers;
    rung_status status = leaf_settle_type(leaf, welcome);
    if (status != RUNG_OK) return status;
  }
  return RUNG_OK;
}

static rung_status provide_scratch(rung_graph *graph) {
  size_t most = 0, total;
  for (int i = 0; i < graph->count; i++)
    if (graph->nodes[i]->scratch_bytes > most) most = graph->nodes[i]->scratch_bytes;
  if (most <= graph->scratch_stride) return RUNG_OK;
  if (!rung_size_add(most, 4095, &most)) return rung_fail(RUNG_ERROR_MEMORY, "graph: scratch size overflows");
  most &= ~(size_t)4095;
  if (!rung_size_multiply(most, (size_t)rung_team_size(graph->team), &total))
    return rung_fail(RUNG_ERROR_MEMORY, "graph: scratch size overflows");
  char *scratch = rung_allocate(total);
  if (!scratch) return RUNG_ERROR_MEMORY;
  rung_release(graph->scratch);
  graph->scratch = scratch;
  graph->scratch_stride = most;
  return RUNG_OK;
}

/* The plan, and what making it needs, in one block that serves every plan of so many nodes. */
static rung_status provide_plan(rung_graph *graph) {
  if (graph->plan_capacity >= graph->count) return RUNG_OK;
  size_t count = (size_t)graph->count;
  int *block = rung_allocate(count * (sizeof *graph->writer + sizeof *graph->plan + sizeof *graph->written));
  if (!block) return rung_fail(RUNG_ERROR_MEMORY, "graph: no memory to plan %d nodes", graph->count);
  rung_release(graph->writer);
  graph->writer = block;
  graph->plan = (node_plan *)(block + count);
  graph->written = (bool *)(graph->plan + count);
  graph->plan_capacity = graph->count;
  return RUNG_OK;
}

rung_status rung_graph_plan(rung_graph *graph) {
  if (graph->planned == graph->count) return RUNG_OK;
  graph->planned = -1;
  rung_status status = provide_plan(graph);
  if (status != RUNG_OK) return status;
  memset(graph->plan, 0, (size_t)graph->count * sizeof *graph->plan);
  memset(graph->written, 0, (size_t)graph->count * sizeof *graph->written);
  mark_wanted(graph);
  mark_weights(graph);
  mark_accumulate(graph, false);
  mark_accumulate(graph, true);
  mark_taken(graph);
  place_forward_barriers(graph);
  place_backward_barriers(graph);
  status = settle_inputs(graph);
  if (status == RUNG_OK) status = provide_scratch(graph);
  if (status == RUNG_OK) graph->planned = graph->count;
  return status;
}
