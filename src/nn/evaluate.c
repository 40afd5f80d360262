#include "model.h"

rung_status rung_evaluate(rung_model *model, const rung_dataset *dataset, rung_metrics *metrics) {
  *metrics = (rung_metrics){0};
  rung_graph *graph;
  rung_status status = model_bind(model, dataset, &graph);
  if (status == RUNG_OK) status = rung_model_check_finite(model);
  if (status != RUNG_OK) return status;
  rung_model_touch(model);
  double loss = 0;
  int64_t correct = 0, batch = rung_graph_batch(graph);
  for (int64_t first = 0; first < dataset->count; first += batch) {
    int64_t count = dataset->count - first < batch ? dataset->count - first : batch;
    status = rung_graph_replay(graph, &(rung_replay_options){.count = count, .first = first});
    if (status != RUNG_OK) return status;
    loss += (double)*(const float *)model_loss(model)->value.data * (double)count;
    if (model_labels(model)) correct += model_count_correct(model_scores(model), dataset->labels + first);
  }
  *metrics = (rung_metrics){.loss = loss / (double)dataset->count,
                            .accuracy = (double)correct / (double)dataset->count,
                            .examples = dataset->count};
  return RUNG_OK;
}
