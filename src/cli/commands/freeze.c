/* rung freeze */
#include "files.h"
#include "network.h"

#include <inttypes.h>

static ending run(session *asked) {
  const char *out = TEXT_OF(asked, OUT);
  rung_model *model = file_open_quantized(asked, asked->positional[0]);
  rung_program *program = model ? rung_freeze(model) : NULL;
  rung_status status = program ? rung_program_save(program, out) : rung_error_status();
  if (status == RUNG_OK) {
    const rung_program_info info = rung_program_describe(program);
    json *object = asked->report.object;
    json_whole(object, "layers", info.layers);
    json_whole(object, "inputs", info.inputs);
    json_whole(object, "outputs", info.outputs);
    json_whole(object, "bytes", info.weight_bytes);
    json_whole(object, "macs", info.macs);
    json_text(object, "out", out);
    report_say(&asked->report,
               "%d layers, %" PRId64 " inputs, %" PRId64 " outputs, %" PRId64 " bytes of parameters, %" PRId64
               " multiply-accumulates an example\nwrote %s\n",
               info.layers, info.inputs, info.outputs, info.weight_bytes, info.macs, out);
  }
  rung_program_free(program);
  rung_model_free(model);
  return status == RUNG_OK ? ENDS_WELL : ENDS_BADLY;
}

const command freeze_command = {
    .name = "freeze",
    .summary = "makes the integer program of a quantized model: what a device runs",
    .about = "There is no float and no division between the program's input and its logits. It computes what the "
             "model computed in training, to the last bit. Accumulators are proven to fit 32 bits.",
    .positionals = {{.name = "MODEL",
                     .kind = KIND_INPUT,
                     .help = "a model that rung quantize wrote, trained on or not"}},
    .required = {HAS(OUT)},
    .taken = {WORK_OPTIONS},
    .examples = {{"freeze digits-qat.safetensors -o digits.program.safetensors", NULL}},
    .run = run};
