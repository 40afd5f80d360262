/* ONNX in a build without protobuf-c or onnx.proto: src/deploy/onnx/ is not compiled. */
#include <rung/deploy.h>

#ifndef RUNG_HAVE_ONNX

rung_model *rung_model_import_onnx_with(const char *path, const rung_onnx_import_options *options) {
  (void)options;
  rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: this build of Rung has no ONNX: protobuf-c or onnx.proto was not found", path);
  return NULL;
}

rung_model *rung_model_import_onnx(const char *path, const rung_model_options *options) {
  (void)options;
  return rung_model_import_onnx_with(path, NULL);
}

#endif
