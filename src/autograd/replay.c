/* Replaying: one run of the team, in which every member of the team walks the nodes, forward, backward, update. */
#include "graph.h"

static void set_extent(rung_node *node, int64_t count) {
  if (!node->batched || node->value.shape.rank == 0) return;
  node->value.shape.extent[0] = count;
  if (node->gradient.data) node->gradient.shape.extent[0] = count;
}

void graph_set_count(rung_graph *graph, int64_t count) {
  if (graph->bound_count == count) return;
  for (int i = 0; i < graph->count; i++) set_extent(graph->nodes[i], count);
  graph->bound_count = count;
}

typedef struct walk_context {
  rung_graph *graph;
  const rung_replay_options *options;
  int last;
} walk_context;

static void walk_forward(const walk_context *walk, const rung_replay *replay) {
  rung_graph *graph = walk->graph;
  for (int i = 0; i <= walk->last; i++) {
    rung_node *node = graph->nodes[i];
    if (graph->plan[i].barrier_forward) rung_team_barrier(graph->team);
    node->op->forward(node, replay);
  }
}

static void walk_backward(const walk_context *walk, const rung_replay *replay) {
  rung_graph *graph = walk->graph;
  rung_team_barrier(graph->team);
  for (int i = walk->last; i >= 0; i--) {
    rung_node *node = graph->nodes[i];
    if (!graph->plan[i].leads_to_root || !node->op->backward) continue;
    if (graph->plan[i].barrier_backward) rung_team_barrier(graph->team);
    node->op->backward(node, replay);
    if (graph->plan[i].weights_at_once) node->op->backward_weights(node, replay);
  }
  rung_team_barrier(graph->team);
  for (int i = walk->last; i >= 0; i--) {
    rung_node *node = graph->nodes[i];
    if (!graph->plan[i].leads_to_root || !node->op->backward_weights || graph->plan[i].weights_at_once) continue;
    if (graph->plan[i].barrier_weights) rung_team_barrier(graph->team);
    node->op->backward_weights(node, replay);
  }
}

static void walk_task(void *context, int ith, int nth) {
  const walk_context *walk = context;
  rung_graph *graph = walk->graph;
  const rung_replay replay = {.ith = ith,
                              .nth = nth,
                              .training = walk->options->training,
                              .drops = walk->options->training && !walk->options->rehearsal,
                              .backward = walk->options->backward,
                              .step = graph->step,
                              .team = graph->team,
                              .scratch = graph->scratch ? graph->scratch + (size_t)ith * graph->scratch_stride : NULL,
                              .take = walk->options->take,
                              .takes = walk->options->takes,
                              .context = walk->options->context};
  walk_forward(walk, &replay);
  if (replay.backward) walk_backward(walk, &replay);
  if (walk->options->update) {
    if (!replay.backward || !replay.take || replay.takes || !graph->all_taken) rung_team_barrier(graph->team);
    walk->options->update(walk->options->context, ith, nth);
  }
}

static rung_status check_options(const rung_graph *graph, const rung_replay_options *options, int last) {
  if (options->count < 1 || options->count > graph->batch)
    return rung_fail(RUNG_ERROR_ARGUMENT, "replay: %lld examples asked for, expected 1..%lld (the batch)",
                     (long long)options->count, (long long)graph->batch);
  if (!options->backward) return RUNG_OK;
  const rung_node *root = graph->nodes[last];
  if (last != graph->count - 1 || root->value.shape.rank != 0 || !rung_node_wants_gradient(root))
    return rung_fail(RUNG_ERROR_ARGUMENT,
                     "replay: '%s' is no loss: backward starts from the last node, a scalar that "
                     "depends on a parameter",
                     root->name);
  return RUNG_OK;
}

rung_status rung_graph_replay(rung_graph *graph, const rung_replay_options *options) {
  rung_status status = rung_graph_status(graph);
  if (status != RUNG_OK) return status;
  if (graph->count == 0) return rung_fail(RUNG_ERROR_STATE, "replay: the graph is empty");
  int last = options->last ? options->last->index : graph->count - 1;
  status = check_options(graph, options, last);
  if (status == RUNG_OK) status = rung_graph_plan(graph);
  for (int i = 0; i <= last && status == RUNG_OK; i++)
    if (leaf_is_input(graph->nodes[i])) status = leaf_prepare(graph->nodes[i], options);
  if (status != RUNG_OK) return status;

  graph_set_count(graph, options->count);
  if (options->training && !options->rehearsal) graph->step++;
  if (options->backward) *(float *)graph->nodes[last]->gradient.data = 1;
  const rung_replay replay = {.nth = 1,
                              .training = options->training,
                              .drops = options->training && !options->rehearsal,
                              .backward = options->backward,
                              .step = graph->step,
                              .team = graph->team,
                              .scratch = graph->scratch,
                              .take = options->take,
                              .takes = options->takes,
                              .context = options->context};
  for (int i = 0; i <= last; i++)
    if (graph->nodes[i]->op->prepare) graph->nodes[i]->op->prepare(graph->nodes[i], &replay);
  walk_context walk = {.graph = graph, .options = options, .last = last};
  graph->current = options;
  rung_team_run(graph->team, walk_task, &walk);
  graph->current = NULL;
  for (int i = 0; i <= last; i++)
    if (graph->nodes[i]->op->settle) graph->nodes[i]->op->settle(graph->nodes[i], &replay);
  return RUNG_OK;
}

void rung_node_slice(const rung_node *node, const rung_replay *replay, int64_t *begin, int64_t *end) {
  rung_slice(rung_tensor_count(&node->value), RUNG_ALIGNMENT, replay->ith, replay->nth, begin, end);
}
