/* What a file is, and opening it as what a command needs. */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include "session.h"

typedef enum file_kind {
  FILE_MODEL,   /* of train, quantize, import, or a checkpoint */
  FILE_PROGRAM, /* of freeze */
  FILE_WEIGHTS, /* any other safetensors */
  FILE_ONNX
} file_kind;

rung_status file_kind_of(const char *path, file_kind *kind);

/* A model that rung wrote; NULL with a message for anything else. */
rung_model *file_open_model(const session *asked, const char *path);

/* The same, quantized: what `freeze` and `verify` start from. */
rung_model *file_open_quantized(const session *asked, const char *path);

/* A program, or a quantized model frozen now. If `model` is not NULL, *model is that model, else NULL. */
rung_program *file_open_program(const session *asked, const char *path, rung_model **model);

#endif
