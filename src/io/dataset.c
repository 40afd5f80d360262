/* Datasets in memory: made, viewed, freed. */
#include "dataset.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Inputs or targets: [count, ...] of a type a dataset may hold, and numbers throughout. */
static rung_status check_tensor(const char *name, const char *what, const rung_tensor *tensor, bool integers) {
  int64_t count = 0;
  if (rung_shape_count(&tensor->shape, &count) != RUNG_OK || tensor->shape.rank < 2) {
    char text[RUNG_SHAPE_TEXT];
    return rung_fail(RUNG_ERROR_SHAPE, "%s: %s are %s, expected [count, ...] with a rank of 2..%d", name, what,
                     rung_shape_format(&tensor->shape, text, sizeof text), RUNG_MAX_RANK);
  }
  if (tensor->data == NULL) return rung_fail(RUNG_ERROR_ARGUMENT, "%s: %s have no data", name, what);
  if (integers && tensor->type == RUNG_U8) {
    if (!(tensor->scale > 0.0f && isfinite(tensor->scale)))
      return rung_fail(RUNG_ERROR_ARGUMENT, "%s: %s have scale %g, expected > 0", name, what, (double)tensor->scale);
    if (tensor->zero_point < 0 || tensor->zero_point > UINT8_MAX)
      return rung_fail(RUNG_ERROR_ARGUMENT, "%s: %s have zero point %" PRId32 ", expected 0..255", name, what,
                       tensor->zero_point);
    return RUNG_OK;
  }
  if (tensor->type != RUNG_F32)
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: %s are %s, expected %s", name, what, rung_dtype_name(tensor->type),
                     integers ? "f32 or u8" : "f32");
  const float *values = tensor->data;
  for (int64_t i = 0; i < count; i++)
    if (isnan(values[i]))
      return rung_fail(RUNG_ERROR_NUMERIC, "%s: %s hold NaN in example %" PRId64 ", expected numbers", name, what,
                       i / (count / tensor->shape.extent[0]));
  return RUNG_OK;
}

static rung_status check_labels(const char *name, const int32_t *labels, int64_t count, int32_t classes) {
  if (classes < 2) return rung_fail(RUNG_ERROR_ARGUMENT, "%s: %" PRId32 " classes, expected >= 2", name, classes);
  for (int64_t i = 0; i < count; i++)
    if (labels[i] < 0 || labels[i] >= classes)
      return rung_fail(RUNG_ERROR_ARGUMENT, "%s: label %" PRId32 " at %" PRId64 ", expected 0..%" PRId32, name,
                       labels[i], i, classes - 1);
  return RUNG_OK;
}

static rung_status check_targets(const char *name, const rung_tensor *targets, int64_t count) {
  rung_status status = check_tensor(name, "targets", targets, false);
  if (status == RUNG_OK && targets->shape.extent[0] != count)
    return rung_fail(RUNG_ERROR_SHAPE, "%s: %" PRId64 " targets, expected as many as the %" PRId64 " inputs", name,
                     targets->shape.extent[0], count);
  return status;
}

static rung_status check_dataset(const char *name, const rung_tensor *inputs, const int32_t *labels, int32_t classes,
                                 const rung_tensor *targets) {
  if (inputs == NULL || (labels == NULL) == (targets == NULL))
    return rung_fail(RUNG_ERROR_ARGUMENT, "%s: expected inputs, and either labels or targets", name);
  rung_status status = check_tensor(name, "inputs", inputs, true);
  if (status != RUNG_OK) return status;
  int64_t count = inputs->shape.extent[0];
  return labels != NULL ? check_labels(name, labels, count, classes) : check_targets(name, targets, count);
}

rung_dataset *rung_dataset_new(const char *name, const rung_tensor *inputs, const int32_t *labels, int32_t classes,
                               const rung_tensor *targets) {
  if (name == NULL) name = "dataset";
  if (check_dataset(name, inputs, labels, classes, targets) != RUNG_OK) return NULL;
  rung_dataset *dataset = rung_allocate(sizeof *dataset);
  if (dataset == NULL) return NULL;
  snprintf(dataset->name, sizeof dataset->name, "%.*s", (int)sizeof dataset->name - 1, name);
  dataset->count = inputs->shape.extent[0];
  dataset->inputs = *inputs;
  dataset->labels = labels;
  if (labels != NULL) dataset->classes = classes;
  if (targets != NULL) dataset->targets = *targets;
  return dataset;
}

/* Rows begin .. begin+count-1 of a tensor. */
static rung_tensor rows(const rung_tensor *tensor, int64_t begin, int64_t count) {
  rung_tensor part = *tensor;
  int64_t row = rung_tensor_count(tensor) / tensor->shape.extent[0];
  part.data = (char *)tensor->data + (size_t)(begin * row) * rung_dtype_size(tensor->type);
  part.shape.extent[0] = count;
  return part;
}

rung_dataset *rung_dataset_view(const rung_dataset *parent, int64_t begin, int64_t count) {
  if (begin < 0 || count < 1 || begin >= parent->count || count > parent->count - begin) {
    rung_fail(RUNG_ERROR_ARGUMENT,
              "%s: a view of %" PRId64 " examples from %" PRId64 ", expected 1 or more within 0..%" PRId64,
              parent->name, count, begin, parent->count - 1);
    return NULL;
  }
  rung_dataset *view = rung_allocate(sizeof *view);
  if (view == NULL) return NULL;
  *view = *parent;
  view->owned = NULL;
  view->count = count;
  view->inputs = rows(&parent->inputs, begin, count);
  if (parent->labels != NULL) view->labels = parent->labels + begin;
  if (parent->targets.data != NULL) view->targets = rows(&parent->targets, begin, count);
  return view;
}

void rung_dataset_storage_free(rung_dataset_storage *storage) {
  if (storage == NULL) return;
  rung_release(storage->inputs.data);
  rung_release(storage->labels);
  rung_release(storage->targets.data);
  rung_release(storage->class_names);
  rung_release(storage);
}

/* Two at least: a set that happens to hold one class is still one of a classifier. */
static int32_t count_classes(const int32_t *labels, int64_t count) {
  int32_t classes = 2;
  for (int64_t i = 0; i < count; i++)
    if (labels[i] >= classes && labels[i] < INT32_MAX) classes = labels[i] + 1;
  return classes;
}

/* Is `tensor`, but for its count, what `like` is? Both may have no data. */
static rung_status check_like(const char *name, const char *what, const rung_tensor *tensor, const rung_tensor *like,
                              const char *like_name) {
  char has[RUNG_SHAPE_TEXT], expected[RUNG_SHAPE_TEXT];
  rung_shape wanted = like->shape;
  if (wanted.rank > 0) wanted.extent[0] = tensor->shape.extent[0];
  if (rung_shape_equal(&tensor->shape, &wanted)) return RUNG_OK;
  return rung_fail(RUNG_ERROR_SHAPE, "%s: %s are %s, expected %s as in %s", name, what,
                   rung_shape_format(&tensor->shape, has, sizeof has),
                   rung_shape_format(&wanted, expected, sizeof expected), like_name);
}

static rung_status check_dataset_like(const rung_dataset *dataset, const rung_dataset *like) {
  if (like == NULL) return RUNG_OK;
  rung_status status = check_like(dataset->name, "inputs", &dataset->inputs, &like->inputs, like->name);
  if (status == RUNG_OK) status = check_like(dataset->name, "targets", &dataset->targets, &like->targets, like->name);
  return status;
}

rung_dataset *rung_dataset_own(const char *path, rung_dataset_storage *storage, int32_t classes,
                               const rung_dataset *like) {
  const char *slash = strrchr(path, '/'), *name = slash != NULL && slash[1] != '\0' ? slash + 1 : path;
  const rung_tensor *targets = storage->targets.data != NULL ? &storage->targets : NULL;
  if (classes == 0 && storage->labels != NULL)
    classes = count_classes(storage->labels, storage->inputs.shape.extent[0]);
  rung_dataset *dataset = rung_dataset_new(name, &storage->inputs, storage->labels, classes, targets);
  if (dataset == NULL || check_dataset_like(dataset, like) != RUNG_OK) {
    rung_dataset_free(dataset);
    rung_dataset_storage_free(storage);
    return NULL;
  }
  dataset->class_names = storage->class_names;
  dataset->owned = storage;
  return dataset;
}

void rung_dataset_free(rung_dataset *dataset) {
  if (dataset == NULL) return;
  rung_dataset_storage_free(dataset->owned);
  rung_release(dataset);
}
