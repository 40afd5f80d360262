/* The graph from the inside. graph.c records, plan.c decides what a replay needs, replay.c runs it, leaf.c is where
 * data and parameters enter. */
#ifndef RUNG_GRAPH_H
#define RUNG_GRAPH_H

#include <rung/autograd.h>

/* What plan.c decides for each node. */
typedef struct node_plan {
  bool leads_to_root;    /* the last node depends on it and its gradient is wanted */
  bool barrier_forward;  /* wait for the team before the forward pass of this node */
  bool barrier_backward; /* ... before its backward pass */
  bool barrier_weights;  /* ... before its weights' gradients */
  bool weights_at_once;  /* its weights' gradients come with its backward pass, not after the whole of it */
  bool taken;            /* a parameter whose gradient can be taken as it comes */
} node_plan;

struct rung_graph {
  rung_arena *arena;
  rung_team *team, *own_team;
  int64_t batch;
  rung_rng rng;
  rung_node **nodes;
  int count, capacity;
  rung_status status; /* of recording; sticky */
  char message[512];

  int planned; /* nodes that the plan covers; other than `count`: out of date */
  int plan_capacity;
  int *writer; /* [plan_capacity], one block with the two below. While a plan is made: for each node the consumer
                  that last wrote its gradient since the last barrier, or -1 */
  node_plan *plan;
  bool *written;  /* while a plan is made: whether any consumer has */
  bool all_taken; /* no other parameter is trained */
  char *scratch;  /* team size times scratch_stride bytes */
  size_t scratch_stride;

  int64_t bound_count; /* the batched extents as they stand now */
  uint64_t step;
  const rung_replay_options *current; /* during a replay */
};

/* Sets every batched node's outermost extent. */
void graph_set_count(rung_graph *graph, int64_t count);

bool leaf_is_input(const rung_node *node);
bool leaf_is_parameter(const rung_node *node);
/* Before a replay: checks that the rows asked for exist, and borrows them in place where they need no gathering. */
rung_status leaf_prepare(rung_node *node, const rung_replay_options *options);
/* Settles, once all readers are known, whether a bound input may stay in integers. */
rung_status leaf_settle_type(rung_node *node, bool integers_welcome);

#endif
