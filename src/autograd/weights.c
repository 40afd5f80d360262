/* The gradients of weights: handed over as they come, or stored. */
#include "graph.h"

bool rung_node_is_taken(const rung_node *parameter) {
  const rung_graph *graph = parameter->graph;
  return graph->planned == graph->count && graph->plan[parameter->index].taken;
}

bool rung_node_takes(const rung_node *node, int k, const rung_replay *replay) {
  const rung_node *parameter = node->input[k];
  return replay->take && rung_node_is_taken(parameter) && (!replay->takes || replay->takes(replay->context, parameter));
}

void rung_node_take(const rung_node *node, int k, const rung_replay *replay, const float *gradient, int64_t begin,
                    int64_t end) {
  replay->take(replay->context, node->input[k], gradient, begin, end);
}

typedef struct handing_over {
  const rung_node *node;
  int k;
  const rung_replay *replay;
  int64_t columns;
} handing_over;

static void hand_over(void *context, float *c, int64_t row, int64_t rows) {
  const handing_over *to = context;
  rung_node_take(to->node, to->k, to->replay, c, row * to->columns, (row + rows) * to->columns);
}

void rung_node_weight_product(const rung_node *node, int k, const rung_gemm *product, const rung_replay *replay) {
  rung_gemm gemm = *product;
  handing_over to = {node, k, replay, gemm.n};
  if (rung_node_takes(node, k, replay)) {
    gemm.take = hand_over;
    gemm.context = &to;
  }
  rung_gemm_run(&gemm, replay->scratch, replay->ith, replay->nth);
}

size_t rung_node_weight_scratch(const rung_gemm *product) {
  rung_gemm taken = *product;
  taken.take = hand_over;
  size_t stored = rung_gemm_scratch(product), bytes = rung_gemm_scratch(&taken);
  return stored > bytes ? stored : bytes;
}

/* This member's slice of input k, in whole cache lines. */
static void weight_slice(const rung_node *node, int k, const rung_replay *replay, int64_t *begin, int64_t *end) {
  rung_slice(rung_tensor_count(&node->input[k]->value), RUNG_ALIGNMENT / (int64_t)sizeof(float), replay->ith,
             replay->nth, begin, end);
}

void rung_node_weight_row_sum(const rung_node *node, int k, const rung_replay *replay) {
  int64_t begin, end, columns = rung_tensor_count(&node->input[k]->value), rows = node->gradient.shape.extent[0];
  weight_slice(node, k, replay, &begin, &end);
  float *gradient = (float *)node->input[k]->gradient.data + begin;
  rung_kernels_active()->column_sum(gradient, (const float *)node->gradient.data + begin, rows, end - begin, columns,
                                    node->accumulate[k]);
  if (rung_node_takes(node, k, replay)) rung_node_take(node, k, replay, gradient, begin, end);
}

void rung_node_weight_gradient(const rung_node *node, int k, const rung_replay *replay, const float *gradient) {
  int64_t begin, end;
  weight_slice(node, k, replay, &begin, &end);
  if (rung_node_takes(node, k, replay))
    rung_node_take(node, k, replay, gradient + begin, begin, end);
  else
    rung_kernels_active()->scale_add((float *)node->input[k]->gradient.data + begin, gradient + begin, 1, end - begin,
                                     node->accumulate[k]);
}
