/* Weights alone, as they travel between frameworks: parameters under PyTorch's names, in its layouts. */
#include <rung/nn.h>

#include <math.h>
#include <string.h>

rung_status rung_model_save_weights(const rung_model *model, const char *path) {
  rung_status status = rung_model_status(model);
  if (status != RUNG_OK) return status;
  const int count = rung_model_parameter_count(model);
  rung_named_tensor *tensors = rung_allocate((size_t)count * sizeof *tensors);
  if (tensors == NULL) return RUNG_ERROR_MEMORY;
  for (int i = 0; i < count; i++) {
    const rung_parameter parameter = rung_model_parameter(model, i);
    tensors[i] = (rung_named_tensor){
        .name = parameter.name,
        .tensor = {.type = RUNG_F32, .shape = parameter.shape, .data = parameter.value},
    };
  }
  status = rung_safetensors_write(path, tensors, count);
  rung_release(tensors);
  return status;
}

static bool is_float(rung_dtype type) {
  return type == RUNG_F32 || type == RUNG_F16 || type == RUNG_BF16;
}

static float element(const rung_tensor *tensor, int64_t i) {
  if (tensor->type == RUNG_F32) return ((const float *)tensor->data)[i];
  return rung_float_decode(tensor->type, ((const uint16_t *)tensor->data)[i]);
}

/* The file's tensor for this parameter; NULL with a message. */
static const rung_tensor *find(const rung_safetensors *file, const char *path, const rung_parameter *parameter) {
  char have[RUNG_SHAPE_TEXT], want[RUNG_SHAPE_TEXT];
  const char *name = parameter->name;
  const rung_tensor *tensor = rung_safetensors_find(file, name);
  if (tensor == NULL) {
    rung_fail(RUNG_ERROR_FORMAT, "%s: it has no tensor '%s', which the model wants", path, name);
    return NULL;
  }
  if (!is_float(tensor->type) || tensor->data == NULL)
    return rung_safetensors_expect(file, name, RUNG_F32, &parameter->shape);
  if (!rung_shape_equal(&tensor->shape, &parameter->shape)) {
    rung_fail(RUNG_ERROR_SHAPE, "%s: tensor '%s' is %s, model wants %s", path, name,
              rung_shape_format(&tensor->shape, have, sizeof have),
              rung_shape_format(&parameter->shape, want, sizeof want));
    return NULL;
  }
  for (int64_t i = 0; i < rung_tensor_count(tensor); i++)
    if (!isfinite(element(tensor, i))) {
      rung_fail(RUNG_ERROR_NUMERIC, "%s: tensor '%s': value %lld is %g, expected a finite number", path, name,
                (long long)i, (double)element(tensor, i));
      return NULL;
    }
  return tensor;
}

static rung_status set_weights(rung_model *model, const rung_safetensors *file, const char *path) {
  const int count = rung_model_parameter_count(model);
  for (int p = 0; p < count; p++) {
    const rung_parameter parameter = rung_model_parameter(model, p);
    if (find(file, path, &parameter) == NULL) return rung_error_status();
  }
  for (int p = 0; p < count; p++) {
    const rung_parameter parameter = rung_model_parameter(model, p);
    const rung_tensor *tensor = rung_safetensors_find(file, parameter.name);
    for (int64_t i = 0; i < rung_tensor_count(tensor); i++) parameter.value[i] = element(tensor, i);
  }
  rung_model_touch(model);
  return RUNG_OK;
}

rung_status rung_model_load_weights(rung_model *model, const char *path) {
  rung_status status = rung_model_status(model);
  if (status == RUNG_OK && rung_model_quantization(model) != NULL)
    status = rung_fail(RUNG_ERROR_STATE, "%s: the model is calibrated; load weights before, or rung_quantize it anew",
                       path != NULL ? path : "weights");
  if (status != RUNG_OK) return status;
  rung_safetensors *file = rung_safetensors_open(path);
  if (file == NULL) return rung_error_status();
  status = set_weights(model, file, path);
  rung_safetensors_free(file);
  return status;
}
