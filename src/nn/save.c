/* A model's parameters as a file. */
#include <rung/nn.h>

rung_status rung_model_save(const rung_model *model, const char *path) {
  rung_status status = rung_model_status(model);
  if (status != RUNG_OK) return status;
  int count = rung_model_parameter_count(model);
  rung_named_tensor *tensors = rung_allocate((size_t)count * sizeof *tensors);
  if (tensors == NULL) return RUNG_ERROR_MEMORY;
  for (int i = 0; i < count; i++) {
    rung_parameter parameter = rung_model_parameter(model, i);
    tensors[i] = (rung_named_tensor){
        .name = parameter.name,
        .tensor = {.type = RUNG_F32, .shape = parameter.shape, .data = parameter.value},
    };
  }
  status = rung_safetensors_write(path, tensors, count);
  rung_release(tensors);
  return status;
}
