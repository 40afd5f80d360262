#include "teacher.h"

#include <math.h>
#include <string.h>

rung_fit_options teacher_with_defaults(const rung_fit_options *options) {
  rung_fit_options filled = *options;
  if (options->teacher && options->temperature == 0) filled.temperature = 4;
  if (options->teacher && options->alpha == 0) filled.alpha = 0.9f;
  return filled;
}

/* ---- Whether the two go together -------------------------------------------------------------------------------- */

static rung_status check_options(const rung_fit_options *options) {
  if (!options->teacher && (options->temperature != 0 || options->alpha != 0))
    return rung_fail(RUNG_ERROR_ARGUMENT, "fit: temperature %g, alpha %g without a teacher, expected 0 and 0",
                     (double)options->temperature, (double)options->alpha);
  if (!options->teacher) return RUNG_OK;
  if (!(options->temperature > 0) || isinf(options->temperature))
    return rung_fail(RUNG_ERROR_ARGUMENT, "fit: temperature %g, expected a positive number",
                     (double)options->temperature);
  if (!(options->alpha > 0 && options->alpha <= 1))
    return rung_fail(RUNG_ERROR_ARGUMENT, "fit: alpha %g, expected more than 0 and at most 1", (double)options->alpha);
  return RUNG_OK;
}

static int64_t classes_of(const rung_model *model) {
  return model_scores(model)->shape.extent[1];
}

static rung_status check_pair(const rung_model *student, const rung_model *taught_by) {
  if (taught_by == student)
    return rung_fail(RUNG_ERROR_ARGUMENT, "fit: the teacher is the model that is trained; rung_model_copy makes one");
  rung_status status = model_check_loss(student);
  if (status == RUNG_OK && model_loss(student)->op != &rung_op_cross_entropy)
    status = rung_fail(RUNG_ERROR_ARGUMENT, "fit: a teacher, but the loss is %s, expected cross_entropy",
                       model_loss(student)->op->name);
  if (status == RUNG_OK) status = model_check_loss(taught_by);
  if (status == RUNG_OK && model_labels(taught_by) == NULL)
    status = rung_fail(RUNG_ERROR_ARGUMENT, "fit: the teacher is a regression, expected a classifier");
  if (status == RUNG_OK && classes_of(taught_by) != classes_of(student))
    status = rung_fail(RUNG_ERROR_SHAPE, "fit: the teacher gives %lld scores, the model %lld",
                       (long long)classes_of(taught_by), (long long)classes_of(student));
  return status;
}

/* ---- Asking ----------------------------------------------------------------------------------------------------- */

/* The logits as numbers, also of a model in integers: what its loss reads. */
static rung_status ask_batch(rung_graph *graph, rung_node *logits, int64_t first, int64_t count, float *to) {
  rung_status status = rung_graph_replay(graph, &(rung_replay_options){.count = count, .first = first, .last = logits});
  if (status == RUNG_OK) memcpy(to, logits->value.data, (size_t)rung_tensor_count(&logits->value) * sizeof(float));
  return status;
}

static rung_status ask_all(teacher *self, rung_model *of, const rung_dataset *dataset) {
  rung_graph *graph;
  rung_status status = model_bind(of, dataset, &graph);
  if (status == RUNG_OK) status = rung_model_check_finite(of);
  if (status != RUNG_OK) return status;
  rung_model_touch(of);
  rung_node *logits = model_loss(of)->input[0];
  const int64_t batch = rung_graph_batch(graph), classes = classes_of(of);
  for (int64_t first = 0; first < dataset->count && status == RUNG_OK; first += batch) {
    const int64_t left = dataset->count - first;
    status = ask_batch(graph, logits, first, left < batch ? left : batch, self->logits + first * classes);
  }
  return status;
}

static uint64_t hash_of(const float *logits, int64_t count) {
  uint64_t hash = 14695981039346656037u;
  for (int64_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, &logits[i], sizeof bits);
    for (int shift = 0; shift < 32; shift += 8) hash = (hash ^ (bits >> shift & 0xff)) * 1099511628211u;
  }
  return hash;
}

rung_status teacher_ask(teacher *self, const rung_model *student, const rung_dataset *dataset,
                        const rung_fit_options *options) {
  size_t count, bytes;
  rung_model *of = options->teacher;
  rung_status status = check_options(options);
  if (status == RUNG_OK && of) status = check_pair(student, of);
  if (status != RUNG_OK || !of || !dataset) return status; /* that there is no data is found by the fit */
  if (!rung_size_multiply((size_t)dataset->count, (size_t)classes_of(of), &count) ||
      !rung_size_multiply(count, sizeof(float), &bytes))
    return rung_fail(RUNG_ERROR_MEMORY, "fit: the size of the teacher's logits overflows");
  self->logits = rung_allocate(bytes);
  if (!self->logits) return RUNG_ERROR_MEMORY;
  status = ask_all(self, of, dataset);
  if (status != RUNG_OK) return rung_fail(status, "fit: teacher: %s", rung_error());
  self->hash = hash_of(self->logits, (int64_t)count);
  return RUNG_OK;
}

/* ---- Listening -------------------------------------------------------------------------------------------------- */

rung_status teacher_begin(const teacher *self, const rung_model *student, const rung_dataset *dataset,
                          const rung_fit_options *options) {
  if (!self->logits) return RUNG_OK;
  return rung_cross_entropy_distill(model_loss(student), &(rung_distillation){.logits = self->logits,
                                                                              .examples = dataset->count,
                                                                              .temperature = options->temperature,
                                                                              .alpha = options->alpha});
}

void teacher_end(teacher *self, const rung_model *student) {
  if (self->logits && model_check_loss(student) == RUNG_OK) rung_cross_entropy_distill(model_loss(student), NULL);
  rung_release(self->logits);
}
