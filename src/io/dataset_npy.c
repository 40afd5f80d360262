/* A dataset from two NPY files. */
#include "dataset.h"

#include <inttypes.h>
#include <math.h>

/* [count] becomes [count, 1]; a scalar is no set of examples. */
static rung_status check_rank(const char *path, rung_tensor *tensor) {
  if (tensor->shape.rank == 0) return rung_fail(RUNG_ERROR_FORMAT, "%s: a scalar, expected [count, ...]", path);
  if (tensor->shape.rank == 1) {
    tensor->shape.rank = 2;
    tensor->shape.extent[1] = 1;
  }
  return RUNG_OK;
}

static rung_status check_finite(const char *path, const rung_tensor *tensor) {
  const float *values = tensor->data;
  int64_t count = rung_tensor_count(tensor), row = count / tensor->shape.extent[0];
  for (int64_t i = 0; i < count; i++)
    if (!isfinite(values[i]))
      return rung_fail(RUNG_ERROR_NUMERIC, "%s: %g in example %" PRId64 " at %" PRId64 ", expected finite numbers",
                       path, (double)values[i], i / row, i % row);
  return RUNG_OK;
}

static int32_t integer_at(const rung_tensor *tensor, int64_t index) {
  if (tensor->type == RUNG_U8) return ((const uint8_t *)tensor->data)[index];
  if (tensor->type == RUNG_I8) return ((const int8_t *)tensor->data)[index];
  return ((const int32_t *)tensor->data)[index];
}

/* i8 and i32 become f32, each in memory of its own. */
static rung_status to_float(rung_tensor *tensor) {
  int64_t count = rung_tensor_count(tensor);
  float *values = rung_allocate((size_t)count * sizeof *values);
  if (values == NULL) return RUNG_ERROR_MEMORY;
  for (int64_t i = 0; i < count; i++) values[i] = (float)integer_at(tensor, i);
  rung_release(tensor->data);
  *tensor = (rung_tensor){.type = RUNG_F32, .shape = tensor->shape, .data = values};
  return RUNG_OK;
}

static rung_status read_inputs(const char *path, float scale, rung_tensor *inputs) {
  rung_status status = rung_npy_read(path, inputs);
  if (status == RUNG_OK) status = check_rank(path, inputs);
  if (status != RUNG_OK) return status;
  if (inputs->type == RUNG_F32) return check_finite(path, inputs);
  inputs->scale = scale != 0.0f ? scale : 1.0f / 255.0f;
  return inputs->type == RUNG_U8 ? RUNG_OK : to_float(inputs);
}

static rung_status widen_labels(const char *path, const rung_tensor *integers, const rung_dataset *like,
                                int32_t **labels) {
  int64_t count = rung_tensor_count(integers);
  int32_t classes = like != NULL ? like->classes : INT32_MAX;
  *labels = rung_allocate((size_t)count * sizeof **labels);
  if (*labels == NULL) return RUNG_ERROR_MEMORY;
  for (int64_t i = 0; i < count; i++) {
    int32_t label = (*labels)[i] = integer_at(integers, i);
    if (label < 0 || label >= classes)
      return rung_fail(RUNG_ERROR_FORMAT, "%s: label %" PRId32 " at %" PRId64 ", expected 0..%" PRId32, path, label, i,
                       classes - 1);
  }
  return RUNG_OK;
}

static rung_status read_targets(const char *path, const rung_dataset *like, rung_dataset_storage *storage) {
  rung_tensor *targets = &storage->targets;
  rung_status status = rung_npy_read(path, targets);
  if (status == RUNG_OK) status = check_rank(path, targets);
  if (status != RUNG_OK) return status;
  if (targets->shape.extent[0] != storage->inputs.shape.extent[0])
    return rung_fail(RUNG_ERROR_FORMAT, "%s: %" PRId64 " examples, expected %" PRId64 " as there are inputs", path,
                     targets->shape.extent[0], storage->inputs.shape.extent[0]);
  if (targets->type == RUNG_F32) return check_finite(path, targets);
  if (rung_tensor_count(targets) != targets->shape.extent[0]) {
    char text[RUNG_SHAPE_TEXT];
    return rung_fail(RUNG_ERROR_FORMAT, "%s: integers %s, expected one label an example, or floats", path,
                     rung_shape_format(&targets->shape, text, sizeof text));
  }
  status = widen_labels(path, targets, like, &storage->labels);
  rung_npy_free(targets);
  return status;
}

rung_dataset *rung_dataset_read_npy(const char *inputs_path, const char *targets_path,
                                    const rung_npy_options *options) {
  const rung_dataset *like = options != NULL ? options->like : NULL;
  if (inputs_path == NULL || targets_path == NULL) {
    rung_fail(RUNG_ERROR_ARGUMENT, "%s, %s: expected two paths", inputs_path != NULL ? inputs_path : "no path",
              targets_path != NULL ? targets_path : "no path");
    return NULL;
  }
  rung_dataset_storage *storage = rung_allocate(sizeof *storage);
  if (storage == NULL) return NULL;
  rung_status status = read_inputs(inputs_path, options != NULL ? options->scale : 0.0f, &storage->inputs);
  if (status == RUNG_OK) status = read_targets(targets_path, like, storage);
  if (status == RUNG_OK) return rung_dataset_own(inputs_path, storage, like != NULL ? like->classes : 0, like);
  rung_dataset_storage_free(storage);
  return NULL;
}
