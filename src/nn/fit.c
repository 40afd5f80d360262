/* Fit: epochs of shuffled steps. A step is one replay, forward, backward and update in one run of the team. */
#include "checkpoint/checkpoint.h"
#include "history.h"
#include "prune/prune.h"
#include "teacher.h"

#include <math.h>
#include <string.h>
#include <time.h>

typedef struct fitting {
  rung_model *model;
  const rung_dataset *dataset;
  const rung_fit_options *options; /* the defaults filled in */
  rung_graph *graph;
  optimizer *optimizer;
  pruner *pruner; /* NULL: the fit does not prune */
  teacher teacher;
  uint32_t *order; /* [count]: this epoch's order of examples */
  rung_progress progress;
  int64_t done; /* steps of the first epoch that were done before; 0 unless it was resumed */
  double loss;  /* sum over this epoch's examples so far */
  int64_t correct;
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
  if (options->checkpoint_steps < 0 || (options->checkpoint_steps > 0 && !options->checkpoint))
    return rung_fail(RUNG_ERROR_ARGUMENT, "fit: a checkpoint each %lld steps to '%s', expected 1 or more and a file",
                     (long long)options->checkpoint_steps, options->checkpoint ? options->checkpoint : "");
  if (dataset->count > UINT32_MAX)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: %lld examples, expected at most 2^32 - 1", dataset->name,
                     (long long)dataset->count);
  return RUNG_OK;
}

static bool is_watching(const rung_fit_options *options) {
  const rung_oscillation_options *asked = &options->oscillation;
  return asked->watch || asked->damping != 0 || asked->freeze != 0;
}

/* Oscillations are those of integers; from the fit on they are only watched. */
static rung_status watch_oscillation(rung_model *model, const rung_fit_options *options) {
  if (!is_watching(options)) return RUNG_OK;
  if (model->form != RUNG_FORM_INTEGER)
    return rung_fail(RUNG_ERROR_STATE, "fit: oscillation is seen in integers alone; the model is not in integer form");
  return rung_quantization_set_oscillation(model->quantization, &options->oscillation);
}

static rung_fit_options with_defaults(const rung_fit_options *options) {
  rung_fit_options filled = optimizer_with_defaults(options);
  filled = teacher_with_defaults(&filled);
  if (options->epochs == 0) filled.epochs = 1;
  if (options->rate == 0) filled.rate = 1e-3f;
  return filled;
}

/* An epoch is counted, and has its order for good, once its first step is done. */
static void order_examples(fitting *fit) {
  const uint32_t count = (uint32_t)fit->dataset->count;
  if (fit->options->no_shuffle) {
    for (uint32_t i = 0; i < count; i++) fit->order[i] = i;
  } else {
    rung_rng rng = rung_rng_split(&fit->model->rng, fit->model->epochs - (fit->done > 0));
    rung_rng_permutation(&rng, fit->order, count);
  }
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

/* Steps of the whole fit before this one. */
static int64_t steps_before(const fitting *fit) {
  return (fit->progress.epoch - 1) * fit->progress.steps + fit->progress.step - 1;
}

/* What is done about oscillating weights in this step. */
static void anneal_oscillation(fitting *fit) {
  static const rung_schedule cosine = {.kind = RUNG_SCHEDULE_COSINE};
  rung_oscillation_options now = fit->options->oscillation;
  const int64_t all = fit->progress.steps * fit->progress.epochs;
  const float left = rung_schedule_rate(&cosine, 1, steps_before(fit), all);
  now.damping *= 1 - left;
  now.freeze *= 1 + 3 * left;
  if (now.freeze > 1) now.freeze = 1;
  (void)rung_quantization_set_oscillation(fit->model->quantization, &now); /* watched by now */
}

static rung_status train_step(fitting *fit, int64_t first) {
  int64_t left = fit->dataset->count - first, batch = rung_graph_batch(fit->graph);
  int64_t count = left < batch ? left : batch;
  fit->progress.rate = rung_schedule_rate(&fit->options->schedule, fit->options->rate, steps_before(fit),
                                          fit->progress.steps * fit->progress.epochs);
  if (fit->pruner) pruner_step(fit->pruner, steps_before(fit));
  if (is_watching(fit->options)) anneal_oscillation(fit);
  optimizer_begin(fit->optimizer, fit->progress.rate);
  rung_status status = rung_graph_replay(fit->graph, &(rung_replay_options){.count = count,
                                                                            .first = first,
                                                                            .rows = fit->order,
                                                                            .training = true,
                                                                            .backward = true,
                                                                            .update = optimizer_update,
                                                                            .take = optimizer_take(fit->optimizer),
                                                                            .takes = optimizer_takes(fit->optimizer),
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

static fit_state state_of(const fitting *fit) {
  fit_state state = {.options = fit->options,
                     .optimizer = fit->optimizer,
                     .place = {.examples = fit->dataset->count,
                               .epoch = fit->progress.epoch,
                               .step = fit->progress.step,
                               .correct = fit->correct,
                               .teacher = fit->teacher.hash}};
  memcpy(&state.place.loss_bits, &fit->loss, sizeof fit->loss);
  return state;
}

/* After the step's progress was told, so that what that changed is in it. */
static rung_status checkpoint(fitting *fit, bool stop) {
  const rung_fit_options *options = fit->options;
  const bool due = stop || fit->progress.step == fit->progress.steps ||
                   (options->checkpoint_steps > 0 && (steps_before(fit) + 1) % options->checkpoint_steps == 0);
  const fit_state state = state_of(fit);
  return options->checkpoint && due ? checkpoint_save(fit->model, &state, options->checkpoint) : RUNG_OK;
}

static rung_status train_epoch(fitting *fit, bool *stop) {
  rung_progress *progress = &fit->progress;
  int64_t batch = rung_graph_batch(fit->graph);
  double seconds = 0, started = seconds_now();
  if (fit->done == 0) {
    fit->loss = 0;
    fit->correct = 0;
  }
  progress->validation = (rung_metrics){0};
  order_examples(fit);
  for (progress->step = fit->done + 1; progress->step <= progress->steps && !*stop; progress->step++) {
    rung_status status = train_step(fit, (progress->step - 1) * batch);
    seconds += seconds_now() - started;
    if (status == RUNG_OK && progress->step == 1) fit->model->epochs++;
    if (status == RUNG_OK && progress->step == progress->steps) status = validate(fit);
    if (status != RUNG_OK) return status;
    if (progress->step == progress->steps) history_add(fit->model, progress);
    progress->seconds = seconds;
    *stop = fit->options->progress && fit->options->progress(fit->options->context, progress);
    status = checkpoint(fit, *stop);
    if (status != RUNG_OK) return status;
    started = seconds_now();
  }
  fit->done = 0;
  return RUNG_OK;
}

static rung_status run(fitting *fit) {
  rung_progress *progress = &fit->progress;
  bool stop = false;
  rung_status status = RUNG_OK;
  for (; progress->epoch <= progress->epochs && status == RUNG_OK && !stop; progress->epoch++)
    status = train_epoch(fit, &stop);
  return status;
}

/* The optimizer leaves alone what is pruned, by now or by this fit. */
static rung_status set_masks(fitting *fit, const rung_fit_options *given) {
  if (prune_is_wanted(&given->prune)) {
    fit->pruner = pruner_of_fit(fit->model, &given->prune, fit->progress.steps * fit->progress.epochs);
    if (!fit->pruner) return rung_error_status();
  }
  for (int i = 0; i < rung_graph_node_count(fit->graph); i++) {
    const rung_node *node = rung_graph_node(fit->graph, i);
    if (rung_node_is_parameter(node)) optimizer_set_mask(fit->optimizer, node, model_mask(fit->model, node));
  }
  return RUNG_OK;
}

/* Everything a fit works with, for the model's present form. */
static rung_status prepare(fitting *fit, const rung_fit_options *given) {
  rung_status status = RUNG_OK;
  if (given->validation) status = model_bind(fit->model, given->validation, &fit->graph); /* not after an epoch */
  if (status == RUNG_OK) status = model_bind(fit->model, fit->dataset, &fit->graph);
  if (status == RUNG_OK) status = check_options(given, fit->dataset);
  if (status == RUNG_OK) status = rung_model_check_finite(fit->model);
  if (status != RUNG_OK) return status;
  int64_t batch = rung_graph_batch(fit->graph);
  fit->progress.epoch = 1;
  fit->progress.epochs = fit->options->epochs;
  fit->progress.steps = (fit->dataset->count + batch - 1) / batch;
  fit->optimizer = optimizer_new(fit->graph, given);
  fit->order = rung_allocate((size_t)fit->dataset->count * sizeof *fit->order);
  if (!fit->optimizer || !fit->order) return rung_error_status();
  status = history_reserve(fit->model, fit->progress.epochs);
  if (status == RUNG_OK) status = watch_oscillation(fit->model, given);
  if (status == RUNG_OK) status = set_masks(fit, given);
  if (status == RUNG_OK) status = teacher_begin(&fit->teacher, fit->model, fit->dataset, fit->options);
  return status == RUNG_OK ? rung_graph_plan(fit->graph) : status;
}

/* Brings the model and the fit to where the file was written. What the file is not of is found before anything changes.
 */
static rung_status resume(fitting *fit, const rung_fit_options *given) {
  checkpoint_in in;
  rung_safetensors *file;
  rung_status status = checkpoint_open(given->resume, &in, &file);
  if (status != RUNG_OK) return status;
  fit_state state = state_of(fit);
  status = checkpoint_get_place(&in, fit->model, &state);
  if (status == RUNG_OK) status = checkpoint_restore(&in, fit->model);
  if (status == RUNG_OK) status = prepare(fit, given);
  state.optimizer = fit->optimizer;
  if (status == RUNG_OK) status = checkpoint_get_optimizer(&in, fit->model, &state);
  rung_safetensors_free(file);
  if (status != RUNG_OK) return status;
  const bool whole = state.place.step == fit->progress.steps;
  fit->progress.epoch = state.place.epoch + whole;
  fit->done = whole ? 0 : state.place.step;
  fit->correct = state.place.correct;
  memcpy(&fit->loss, &state.place.loss_bits, sizeof fit->loss);
  return RUNG_OK;
}

rung_status rung_fit(rung_model *model, const rung_dataset *dataset, const rung_fit_options *options) {
  const rung_fit_options defaults = {0};
  if (!options) options = &defaults;
  const rung_fit_options filled = with_defaults(options);
  fitting fit = {.model = model, .dataset = dataset, .options = &filled};
  rung_status status = rung_model_status(model);
  if (status == RUNG_OK) status = teacher_ask(&fit.teacher, model, dataset, &filled);
  if (status == RUNG_OK) status = options->resume && dataset ? resume(&fit, options) : prepare(&fit, options);
  if (status == RUNG_OK) {
    if (model->quantization) rung_quantization_set_state(model->quantization, RUNG_QUANTIZER_TRAIN);
    status = run(&fit);
    if (is_watching(&filled))
      rung_quantization_set_oscillation(
          model->quantization, &(rung_oscillation_options){.watch = true, .momentum = filled.oscillation.momentum});
    rung_model_touch(model);
  }
  rung_release(fit.order);
  optimizer_free(fit.optimizer);
  pruner_free(fit.pruner);
  teacher_end(&fit.teacher, model);
  return status;
}
