/* Recording: a node is an op, its inputs, and memory for its value and its gradient. */
#include "graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

rung_graph *rung_graph_new(const rung_graph_options *options) {
  const rung_graph_options defaults = {0};
  if (!options) options = &defaults;
  if (options->batch < 0) {
    rung_fail(RUNG_ERROR_ARGUMENT, "graph: batch %lld, expected 1 or more", (long long)options->batch);
    return NULL;
  }
  rung_arena *arena = rung_arena_new();
  if (!arena) return NULL;
  rung_graph *graph = rung_arena_allocate(arena, sizeof *graph);
  if (!graph) {
    rung_arena_free(arena);
    return NULL;
  }
  graph->arena = arena;
  graph->batch = options->batch ? options->batch : 64;
  graph->bound_count = graph->batch;
  graph->rng = rung_rng_seed(options->seed);
  graph->team = options->team;
  if (!graph->team) graph->team = graph->own_team = rung_team_new(1);
  if (!graph->team) {
    rung_graph_free(graph);
    return NULL;
  }
  return graph;
}

void rung_graph_free(rung_graph *graph) {
  if (!graph) return;
  rung_team_free(graph->own_team);
  free(graph->nodes);
  rung_release(graph->writer);
  rung_release(graph->scratch);
  rung_arena_free(graph->arena);
}

rung_node *rung_graph_fail(rung_graph *graph, rung_status status) {
  if (graph->status == RUNG_OK) {
    graph->status = status;
    snprintf(graph->message, sizeof graph->message, "%s", rung_error());
  }
  rung_fail(graph->status, "%s", graph->message);
  return NULL;
}

rung_status rung_graph_status(const rung_graph *graph) {
  return graph->status == RUNG_OK ? RUNG_OK : rung_fail(graph->status, "%s", graph->message);
}

void *rung_node_allocate(rung_node *node, size_t count, size_t size) {
  return rung_arena_array(node->graph->arena, count, size);
}

static rung_status append(rung_graph *graph, rung_node *node) {
  if (graph->count == graph->capacity) {
    int capacity = graph->capacity ? 2 * graph->capacity : 32;
    rung_node **nodes = realloc(graph->nodes, (size_t)capacity * sizeof(rung_node *));
    if (!nodes) return rung_fail(RUNG_ERROR_MEMORY, "graph: no memory for %d nodes", capacity);
    graph->nodes = nodes;
    graph->capacity = capacity;
  }
  node->index = graph->count;
  graph->nodes[graph->count++] = node;
  return RUNG_OK;
}

/* Memory for what infer has given a type and a shape, unless the op brought its own. */
static rung_status allocate_tensors(rung_node *node) {
  int64_t count;
  rung_status status = rung_shape_count(&node->value.shape, &count);
  if (status != RUNG_OK) return status;
  if (!node->value.data) {
    node->value.data = rung_node_allocate(node, (size_t)count, rung_dtype_size(node->value.type));
    if (!node->value.data) return RUNG_ERROR_MEMORY;
  }
  bool wanted = node->trainable;
  for (int i = 0; i < node->op->input_count && node->op->backward; i++)
    wanted |= rung_node_wants_gradient(node->input[i]);
  if (!wanted || node->gradient.data) return RUNG_OK;
  node->gradient = (rung_tensor){.type = RUNG_F32, .shape = node->value.shape};
  node->gradient.data = rung_node_allocate(node, (size_t)count, sizeof(float));
  return node->gradient.data ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static rung_status construct(rung_node *node, const void *attributes, size_t bytes) {
  if (bytes) {
    void *copy = rung_node_allocate(node, 1, bytes);
    if (!copy) return RUNG_ERROR_MEMORY;
    memcpy(copy, attributes, bytes);
    node->attributes = copy;
    node->attribute_bytes = bytes;
  }
  rung_status status = node->op->infer(node);
  if (status == RUNG_OK) status = allocate_tensors(node);
  if (status == RUNG_OK) status = append(node->graph, node);
  return status;
}

static rung_node *record(rung_graph *graph, const rung_op *op, const char *name, rung_node *const *inputs,
                         const void *attributes, size_t bytes) {
  if (graph->status != RUNG_OK) return rung_graph_fail(graph, graph->status);
  graph_set_count(graph, graph->batch);
  rung_node *node = rung_arena_array(graph->arena, 1, sizeof *node);
  if (!node) return rung_graph_fail(graph, RUNG_ERROR_MEMORY);
  node->op = op;
  node->graph = graph;
  for (int i = 0; i < op->input_count; i++) {
    node->input[i] = inputs[i];
    node->batched |= inputs[i] && inputs[i]->batched;
  }
  char numbered[64];
  if (!name) {
    snprintf(numbered, sizeof numbered, "%s.%d", op->name, graph->count);
    name = numbered;
  }
  node->name = rung_arena_string(graph->arena, name);
  if (!node->name) return rung_graph_fail(graph, RUNG_ERROR_MEMORY);
  rung_status status = construct(node, attributes, bytes);
  return status == RUNG_OK ? node : rung_graph_fail(graph, status);
}

rung_node *rung_record(const rung_op *op, rung_node *const *inputs, const void *attributes, size_t bytes) {
  rung_graph *graph = NULL;
  for (int i = 0; i < op->input_count; i++) {
    if (!inputs[i]) continue;
    if (graph && inputs[i]->graph != graph) {
      rung_fail(RUNG_ERROR_ARGUMENT, "%s: '%s' and '%s' belong to different graphs", op->name, inputs[0]->name,
                inputs[i]->name);
      return rung_graph_fail(graph, RUNG_ERROR_ARGUMENT);
    }
    graph = inputs[i]->graph;
  }
  return graph ? record(graph, op, NULL, inputs, attributes, bytes) : NULL;
}

rung_node *rung_record_leaf(rung_graph *graph, const rung_op *op, const char *name, const void *attributes,
                            size_t bytes) {
  if (!graph) return NULL;
  if (name && rung_graph_find(graph, name)) {
    rung_fail(RUNG_ERROR_ARGUMENT, "graph: the name '%s' is taken", name);
    return rung_graph_fail(graph, RUNG_ERROR_ARGUMENT);
  }
  return record(graph, op, name, NULL, attributes, bytes);
}

bool rung_node_wants_gradient(const rung_node *node) {
  return node && node->gradient.data && (node->trainable || !leaf_is_parameter(node));
}

int rung_graph_node_count(const rung_graph *graph) {
  return graph->count;
}

rung_node *rung_graph_node(const rung_graph *graph, int index) {
  return index >= 0 && index < graph->count ? graph->nodes[index] : NULL;
}

rung_node *rung_graph_find(const rung_graph *graph, const char *name) {
  for (int i = 0; i < graph->count; i++)
    if (strcmp(graph->nodes[i]->name, name) == 0) return graph->nodes[i];
  return NULL;
}

rung_arena *rung_graph_arena(rung_graph *graph) {
  return graph->arena;
}
int64_t rung_graph_batch(const rung_graph *graph) {
  return graph->batch;
}
rung_team *rung_graph_team(const rung_graph *graph) {
  return graph->team;
}
rung_rng rung_graph_rng(const rung_graph *graph) {
  return graph->rng;
}
uint64_t rung_graph_step(const rung_graph *graph) {
  return graph->step;
}
void rung_graph_set_step(rung_graph *graph, uint64_t step) {
  graph->step = step;
}

rung_matrix rung_tensor_matrix(const rung_tensor *tensor, bool transpose) {
  int64_t columns = 1;
  for (int i = 1; i < tensor->shape.rank; i++) columns *= tensor->shape.extent[i];
  return (rung_matrix){.data = tensor->data,
                       .type = tensor->type,
                       .transpose = transpose,
                       .stride = columns,
                       .scale = &tensor->scale,
                       .zero_point = &tensor->zero_point};
}
