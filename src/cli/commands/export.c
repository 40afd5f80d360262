/* rung export */
#include "files.h"
#include "path.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *format_name(int index) {
  static const char *const names[] = {"c", "onnx", "safetensors"};
  return index < 3 ? names[index] : NULL;
}

/* An option that means nothing for this format was meant for another one. */
static rung_status check_options(const session *asked) {
  static const struct {
    option_id option;
    const char *format;
  } rows[] = {{OPTION_NAME, "c"},
              {OPTION_WITH_TEST, "c"},
              {OPTION_BITS_PACKED, "c"},
              {OPTION_CMSIS, "c"},
              {OPTION_FLOAT, "onnx"}};
  const char *format = asked->positional[0];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (asked->option[rows[i].option].given && strcmp(rows[i].format, format) != 0)
      return rung_fail(RUNG_ERROR_ARGUMENT, "--%s: goes with %s, not with %s", options[rows[i].option].name,
                       rows[i].format, format);
  return strcmp(format, "c") == 0 ? path_check_folder("--out", TEXT_OF(asked, PATH))
                                  : path_check_output("--out", TEXT_OF(asked, PATH));
}

/* ---- C ---------------------------------------------------------------------------------------------------------- */

static void tell_size(session *asked, const rung_emit_report *size) {
  json *object = asked->report.object;
  int64_t flash = size->weight_bytes + size->constant_bytes + size->code_bytes;
  report_say(&asked->report,
             "on a Cortex-M4: %" PRId64 " bytes of flash (weights %" PRId64 ", constants %" PRId64
             ", code about %" PRId64 "), %" PRId64 " of RAM and about %" PRId64 " of stack; %" PRId64
             " multiply-accumulates a run\n",
             flash, size->weight_bytes, size->constant_bytes, size->code_bytes, size->ram_bytes, size->stack_bytes,
             size->macs);
  json_whole(object, "weight_bytes", size->weight_bytes);
  json_whole(object, "constant_bytes", size->constant_bytes);
  json_whole(object, "code_bytes", size->code_bytes);
  json_whole(object, "ram_bytes", size->ram_bytes);
  json_whole(object, "stack_bytes", size->stack_bytes);
  json_whole(object, "macs", size->macs);
}

static rung_status export_c(session *asked, const rung_program *program) {
  const char *folder = TEXT_OF(asked, PATH), *name = TEXT_OF(asked, NAME);
  const rung_emit_options how = {
      .with_test = GIVEN(asked, WITH_TEST), .bits_packed = GIVEN(asked, BITS_PACKED), .cmsis = GIVEN(asked, CMSIS)};
  rung_emit_report size;
  rung_status status = rung_emit_describe(program, &how, &size);
  if (status == RUNG_OK) status = rung_emit_c(program, name, folder, &how);
  if (status != RUNG_OK) return status;
  tell_size(asked, &size);
  if (how.with_test)
    report_say(&asked->report, "wrote %s.c, %s.h and %s_test.c in %s\n", name, name, name, folder);
  else
    report_say(&asked->report, "wrote %s.c and %s.h in %s\n", name, name, folder);
  json_text(asked->report.object, "name", name);
  return RUNG_OK;
}

/* ---- ONNX ------------------------------------------------------------------------------------------------------- */

static rung_status export_onnx(session *asked, const rung_program *program, const rung_model *model) {
  const char *path = TEXT_OF(asked, PATH);
  rung_status status =
      GIVEN(asked, FLOAT) ? rung_model_export_onnx(model, path) : rung_program_export_onnx(program, path, NULL);
  if (status == RUNG_OK) report_say(&asked->report, "wrote %s\n", path);
  return status;
}

/* ---- safetensors ------------------------------------------------------------------------------------------------ */

/* The FP32 weights, under PyTorch's names, and nothing else. */
static rung_status export_weights(session *asked, const rung_model *model) {
  const char *path = TEXT_OF(asked, PATH);
  rung_status status = rung_model_save_weights(model, path);
  if (status == RUNG_OK) report_say(&asked->report, "wrote %s\n", path);
  return status;
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

static ending run(session *asked) {
  const char *format = asked->positional[0], *file = asked->positional[1];
  bool wants_model = strcmp(format, "safetensors") == 0 || GIVEN(asked, FLOAT);
  rung_model *model = NULL;
  rung_program *program = NULL;
  rung_status status = check_options(asked);
  if (status == RUNG_OK) {
    if (wants_model)
      model = file_open_model(asked, file);
    else
      program = file_open_program(asked, file, &model);
    if (wants_model ? !model : !program) status = rung_error_status();
  }
  if (status == RUNG_OK)
    status = strcmp(format, "c") == 0      ? export_c(asked, program)
             : strcmp(format, "onnx") == 0 ? export_onnx(asked, program, model)
                                           : export_weights(asked, model);
  json_text(asked->report.object, "format", format);
  json_text(asked->report.object, "out", TEXT_OF(asked, PATH));
  rung_program_free(program);
  rung_model_free(model);
  return status == RUNG_OK ? ENDS_WELL : ENDS_BADLY;
}

const command export_command = {
    .name = "export",
    .summary = "writes a model as C, ONNX or plain safetensors",
    .about =
        "c: one C99 file and its header, integers only, without any dependency; it computes what the program "
        "computes, to the last bit, on any processor. onnx: the program in QDQ form, or with --float the network in "
        "f32. safetensors: the FP32 weights under PyTorch's names.",
    .positionals = {{.name = "FORMAT", .kind = KIND_CHOICE, .choice = format_name, .help = "c, onnx or safetensors"},
                    {.name = "MODEL",
                     .kind = KIND_INPUT,
                     .help = "a quantized model or a program (c, onnx), or any model"}},
    .required = {HAS(PATH)},
    .taken = {HAS(NAME), HAS(WITH_TEST), HAS(BITS_PACKED), HAS(CMSIS), HAS(FLOAT), WORK_OPTIONS},
    .examples = {{"export c digits-qat.safetensors --name digits -o out/", "out/digits.c, out/digits.h"},
                 {"export c digits-w4a4.safetensors --name digits --bits-packed --cmsis --with-test -o out/",
                  "small, for a Cortex-M4, with a self-test"},
                 {"export onnx digits-qat.safetensors -o digits.onnx", NULL},
                 {"export onnx --float digits.safetensors -o digits-f32.onnx", NULL},
                 {"export safetensors digits.safetensors -o weights.safetensors", "for PyTorch's load_state_dict"}},
    .run = run};
