/* rung import */
#include "files.h"
#include "network.h"
#include "path.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Weights alone do not say what they are the weights of: --input and --model do. */
static rung_model *import_weights(const session *asked, const char *file) {
  const char *layers = TEXT_OF(asked, MODEL), *input = TEXT_OF(asked, INPUT), *loss = TEXT_OF(asked, LOSS);
  if (!layers || !input) {
    rung_fail(RUNG_ERROR_ARGUMENT, "%s: weights without layers: --%s is missing", file, layers ? "input" : "model");
    return NULL;
  }
  size_t size = strlen(layers) + strlen(input) + 64;
  char *text = malloc(size);
  if (!text) {
    rung_fail(RUNG_ERROR_MEMORY, "import: no memory");
    return NULL;
  }
  snprintf(text, size, "input %s; %s; %s", input, layers, loss ? loss : "cross-entropy");
  const rung_model_options how = network_options(asked);
  rung_model *model = rung_model_from_text(text, &how);
  free(text);
  if (!model || rung_model_load_weights(model, file) == RUNG_OK) return model;
  rung_model_free(model);
  return NULL;
}

static rung_model *import_onnx(const session *asked, const char *file) {
  if (GIVEN(asked, MODEL) || GIVEN(asked, INPUT)) {
    rung_fail(RUNG_ERROR_ARGUMENT, "--%s: %s has its own", GIVEN(asked, MODEL) ? "model" : "input", file);
    return NULL;
  }
  const rung_onnx_import_options how = {.model = network_options(asked), .loss = TEXT_OF(asked, LOSS)};
  return rung_model_import_onnx_with(file, &how);
}

static ending run(session *asked) {
  const char *file = asked->positional[0], *out = TEXT_OF(asked, OUT);
  file_kind kind;
  rung_model *model = NULL;
  if (file_kind_of(file, &kind) != RUNG_OK) return ENDS_BADLY;
  if (kind == FILE_WEIGHTS)
    model = import_weights(asked, file);
  else if (kind == FILE_ONNX)
    model = import_onnx(asked, file);
  else
    rung_fail(RUNG_ERROR_ARGUMENT, "%s: is a file of rung already", file);
  rung_status status = model ? rung_model_save(model, out) : rung_error_status();
  if (status == RUNG_OK) {
    char *text = rung_model_text(model);
    if (text) report_say(&asked->report, "%s\n", text);
    json_text(asked->report.object, "text", text);
    rung_release(text);
    network_tell(asked, model);
    json_text(asked->report.object, "out", out);
    report_say(&asked->report, "wrote %s\n", out);
  }
  rung_model_free(model);
  return status == RUNG_OK ? ENDS_WELL : ENDS_BADLY;
}

const command import_command = {
    .name = "import",
    .summary = "reads an ONNX model, or the weights of PyTorch, into a model of rung",
    .about = "ONNX brings its layers with it, float or quantized (QDQ). A plain safetensors file has weights only, so "
             "--model and --input say what they belong to.",
    .positionals = {{.name = "FILE", .kind = KIND_INPUT, .help = "FILE.onnx, or FILE.safetensors"}},
    .required = {HAS(OUT)},
    .taken = {HAS(MODEL), HAS(INPUT), HAS(LOSS), WORK_OPTIONS},
    .examples = {{"import model.onnx -o model.safetensors", NULL},
                 {"import weights.safetensors --model \"linear 256, relu, linear 128, relu, linear 10\" "
                  "--input 28x28 -o digits.safetensors",
                  "of a PyTorch module with layers fc1, fc2, fc3"}},
    .run = run};
