/* Without protobuf-c or onnx.proto at build time. */
#include <rung/deploy.h>

#ifndef RUNG_HAVE_ONNX

static rung_status refuse(const char *path) {
  return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: this build has no ONNX (protobuf-c and onnx.proto were not found)",
                   path ? path : "onnx");
}

rung_status rung_program_export_onnx(const rung_program *program, const char *path, const rung_onnx_options *options) {
  (void)program;
  (void)options;
  return refuse(path);
}

rung_status rung_model_export_onnx(const rung_model *model, const char *path) {
  (void)model;
  return refuse(path);
}

rung_model *rung_model_import_onnx_with(const char *path, const rung_onnx_import_options *options) {
  (void)options;
  refuse(path);
  return NULL;
}

rung_model *rung_model_import_onnx(const char *path, const rung_model_options *options) {
  (void)options;
  refuse(path);
  return NULL;
}

#endif
