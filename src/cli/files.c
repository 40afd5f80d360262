#include "files.h"

#include "network.h"
#include "path.h"

#include <string.h>

rung_status file_kind_of(const char *path, file_kind *kind) {
  *kind = FILE_ONNX;
  if (path_ends_with(path, ".onnx")) return RUNG_OK;
  rung_safetensors *file = rung_safetensors_open(path);
  if (!file) return rung_error_status();
  const char *format = rung_safetensors_metadata(file, "rung");
  *kind = !format ? FILE_WEIGHTS : strcmp(format, "program") == 0 ? FILE_PROGRAM : FILE_MODEL;
  rung_safetensors_free(file);
  return RUNG_OK;
}

static const char *const kind_names[] = {[FILE_MODEL] = "a model",
                                         [FILE_PROGRAM] = "a program",
                                         [FILE_WEIGHTS] = "weights without layers; rung import adds them",
                                         [FILE_ONNX] = "an ONNX file; rung import reads it"};

rung_model *file_open_model(const session *asked, const char *path) {
  const rung_model_options how = network_options(asked);
  file_kind kind;
  if (file_kind_of(path, &kind) != RUNG_OK) return NULL;
  if (kind == FILE_MODEL) return rung_model_load(path, &how);
  rung_fail(RUNG_ERROR_ARGUMENT, "%s: %s, expected a model that rung wrote", path, kind_names[kind]);
  return NULL;
}

rung_model *file_open_quantized(const session *asked, const char *path) {
  rung_model *model = file_open_model(asked, path);
  if (!model || rung_model_quantization(model)) return model;
  rung_model_free(model);
  rung_fail(RUNG_ERROR_STATE, "%s: a model in FP32, expected a quantized one (rung quantize makes it)", path);
  return NULL;
}

rung_program *file_open_program(const session *asked, const char *path, rung_model **model) {
  file_kind kind;
  *model = NULL;
  if (file_kind_of(path, &kind) != RUNG_OK) return NULL;
  if (kind == FILE_PROGRAM) return rung_program_load(path);
  *model = file_open_quantized(asked, path);
  return *model ? rung_freeze(*model) : NULL;
}
