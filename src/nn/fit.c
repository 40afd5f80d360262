/* Fit: epochs of shuffled steps. A step is one replay, forward, backward and update in one run of the team. */
#include "model.h"
#include "optimizer.h"

#include <math.h>
#include <time.h>

typedef struct fitting {
  rung_model *model;
  const rung_dataset *dataset;
  const rung_fit_options *options;
  rung_graph *graph;
  optimizer *optimizer;
  uint32_t *order; /* [count]: this epoch's order of examples */
  rung_progress progress;
  double loss; /* sum over this epoch's examples so far */
  int64_t correct;
  int64_t step; /* of the whole fit */
} fitting;

static double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static rung_status check_options(const rung_fit_options *options, const rung_dataset *dataset) {
  if (options->epochs < 0) return rung_fail(RUNG_ERROR_ARGUMENT, "fit: epochs %d, expected 1 or more", options->epochs);
  if (!(options->rate >= 0) || isinf(options->rate))
    return rung_fail(RUNG_ERROR_ARGUMENT, "fit: rate %g, expected a positive number", (double)options->rate);
  if (dataset->count > UINT32_MAX)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: %lld examples, expected at most 2^32 - 1", dataset->name,
                     (long long)dataset->count);
  return RUNG_OK;
}

static void order_examples(fitting *fit) {
  const uint32_t count = (uint32_t)fit->dataset->count;
  if (fit->options->no_shuffle) {
    for (uint32_t i = 0; i < count; i++) fit->order[i] = i;
  } else {
    rung_rng rng = rung_rng_split(&fit->model->rng, fit->model->epochs);
    rung_rng_permutation(&rng, fit->order, count);
  }
  fit->model->epochs++;
}

/* The loss of a step that went wrong is not a number, or the weights behind it are not. */
static rung_status account(fitting *fit, int64_t first, int64_t count) {
  rung_model *model = fit->model;
  float loss = *(const float *)model_loss(model)->value.data;
  if (!isfinite(loss))
    return rung_fail(RUNG_ERROR_NUMERIC, "fit: the loss is %g at epoch %d, step %lld (rate %g): the training diverged",
                     (double)loss, fit->progress.epoch, (long long)(first / rung_graph_batch(fit->graph)) + 1,
                     (double)fit->progress.rate);
  fit->loss += (double)loss * (double)count;
  const rung_tensor *labels = model_labels(model);
  if (labels) fit->correct += model_count_correct(model_scores(model), labels->data);
  int64_t seen = first + count;
  fit->progress.train = (rung_metrics){
      .loss = fit->loss / (double)seen, .accuracy = (double)fit->correct / (double)seen, .examples = seen};
  return RUNG_OK;
}

static rung_status train_step(fitting *fit, int64_t first) {
  int64_t left = fit->dataset->count - first, batch = rung_graph_batch(fit->graph);
  int64_t count = left < batch ? left : batch;
  float rate = fit->options->rate > 0 ? fit->options->rate : 1e-3f;
  fit->progress.rate =
      rung_schedule_rate(&fit->options->schedule, rate, fit->step, fit->progress.steps * fit->progress.epochs);
  fit->step++;
  optimizer_begin(fit->optimizer, fit->progress.rate);
  rung_status status = rung_graph_replay(fit->graph, &(rung_replay_options){.count = count,
                                                                            .first = first,
                                                                            .rows = fit->order,
                                                                            .training = true,
                                                                            .backward = true,
                                                                            .update = optimizer_update,
                                                                            .take = optimizer_take(fit->optimizer),
                                                                            .context = fit->optimizer});
  return status == RUNG_OK ? account(fit, first, count) : status;
}

/* At an epoch's end; the graph then goes back to the training set. */
static rung_status validate(fitting *fit) {
  fit->progress.validation = (rung_metrics){0};
  if (!fit->options->validation) return rung_model_check_finite(fit->model);
  rung_status status = rung_evaluate(fit->model, fit->options->validation, &fit->progress.validation);
  if (status != RUNG_OK) return status;
  return model_bind(fit->model, fit->dataset, &fit->graph);
}

static rung_status train_epoch(fitting *fit, bool *stop) {
  rung_progress *progress = &fit->progress;
  int64_t batch = rung_graph_batch(fit->graph);
  double seconds = 0, started = seconds_now();
  fit->loss = 0;
  fit->correct = 0;
  progress->validation = (rung_metrics){0};
  order_examples(fit);
  for (progress->step = 1; progress->step <= progress->steps && !*stop; progress->step++) {
    rung_status status = train_step(fit, (progress->step - 1) * batch);
    seconds += seconds_now() - started;
    if (status == RUNG_OK && progress->step == progress->steps) status = validate(fit);
    if (status != RUNG_OK) return status;
    progress->seconds = seconds;
    *stop = fit->options->progress && fit->options->progress(fit->options->context, progress);
    started = seconds_now();
  }
  return RUNG_OK;
}

static rung_status run(fitting *fit) {
  rung_progress *progress = &fit->progress;
  int64_t batch = rung_graph_batch(fit->graph);
  progress->epochs = fit->options->epochs ? fit->options->epochs : 1;
  progress->steps = (fit->dataset->count + batch - 1) / batch;
  bool stop = false;
  rung_status status = RUNG_OK;
  for (progress->epoch = 1; progress->epoch <= progress->epochs && status == RUNG_OK && !stop; progress->epoch++)
    status = train_epoch(fit, &stop);
  return status;
}

rung_status rung_fit(rung_model *model, const rung_dataset *dataset, const rung_fit_options *options) {
  const rung_fit_options defaults = {0};
  if (!options) options = &defaults;
  fitting fit = {.model = model, .dataset = dataset, .options = options};
  rung_status status = RUNG_OK;
  if (options->validation) status = model_bind(model, options->validation, &fit.graph); /* not after an epoch */
  if (status == RUNG_OK) status = model_bind(model, dataset, &fit.graph);
  if (status == RUNG_OK) status = check_options(options, dataset);
  if (status == RUNG_OK) status = rung_model_check_finite(model);
  if (status != RUNG_OK) return status;
  fit.optimizer = optimizer_new(fit.graph, options);
  fit.order = rung_allocate((size_t)dataset->count * sizeof *fit.order);
  if (fit.optimizer && fit.order) {
    if (model->quantization) rung_quantization_set_state(model->quantization, RUNG_QUANTIZER_TRAIN);
    status = run(&fit);
    rung_model_touch(model);
  } else {
    status = rung_error_status();
  }
  rung_release(fit.order);
  optimizer_free(fit.optimizer);
  return status;
}
