/* rung verify */
#include "data.h"
#include "files.h"
#include "network.h"

#include <stdio.h>
#include <string.h>

/* "fp32,onnx" out of all executions. */
static rung_status read_without(const session *asked, unsigned *executions) {
  char names[256], *rest = names, *name;
  *executions = (1u << RUNG_EXECUTION_COUNT) - 1;
  if (!TEXT_OF(asked, WITHOUT)) return RUNG_OK;
  if (snprintf(names, sizeof names, "%s", TEXT_OF(asked, WITHOUT)) >= (int)sizeof names)
    return rung_fail(RUNG_ERROR_ARGUMENT, "--without: longer than 255 characters");
  while ((name = strsep(&rest, ","))) {
    rung_execution execution;
    if (rung_execution_parse(name, &execution) != RUNG_OK)
      return rung_fail(RUNG_ERROR_ARGUMENT, "--without: %s", rung_error());
    *executions &= ~(1u << execution);
  }
  return RUNG_OK;
}

static rung_status tell(session *asked, const rung_verification *verification) {
  char *text = rung_verification_text(verification), *object = rung_verification_json(verification);
  bool well = text && object;
  if (well) {
    report_say(&asked->report, "%s", text);
    json_raw(asked->report.object, "verification", object);
    json_truth(asked->report.object, "exact", rung_verification_exact(verification));
    json_truth(asked->report.object, "within_a_step", rung_verification_within_a_step(verification));
  }
  rung_release(text);
  rung_release(object);
  return well ? RUNG_OK : RUNG_ERROR_MEMORY;
}

/* Without Python or its package there is a way out; without ONNX in this build there is none. */
static void hint(session *asked, const rung_verification *verification) {
  const rung_outcome outcome = rung_verification_summary(verification, RUNG_EXECUTION_ONNX).outcome;
  if (outcome == RUNG_OUTCOME_NOT_AVAILABLE && RUNG_CLI_ONNX)
    report_say(&asked->report, "for onnx: --python COMMAND names a Python that has onnxruntime\n");
}

static ending verify(session *asked, rung_model *model, const rung_dataset *test, unsigned executions) {
  const rung_verify_options how = {.executions = executions,
                                   .compiler = TEXT_OF(asked, COMPILER),
                                   .runner = TEXT_OF(asked, RUNNER),
                                   .python = TEXT_OF(asked, PYTHON)};
  rung_verification *verification = rung_verify(model, test, &how);
  if (!verification) return ENDS_BADLY;
  rung_status status = tell(asked, verification);
  if (status == RUNG_OK) hint(asked, verification);
  bool exact = rung_verification_exact(verification);
  rung_verification_free(verification);
  return status != RUNG_OK ? ENDS_BADLY : exact ? ENDS_WELL : FALLS_SHORT;
}

static ending run(session *asked) {
  unsigned executions;
  if (read_without(asked, &executions) != RUNG_OK) return ENDS_BADLY;
  rung_dataset *owner = NULL, *test = data_load_test(asked, &owner);
  rung_model *model = test ? file_open_quantized(asked, asked->positional[0]) : NULL;
  ending end = model ? verify(asked, model, test, executions) : ENDS_BADLY;
  rung_model_free(model);
  rung_dataset_free(test);
  rung_dataset_free(owner);
  return end;
}

const command verify_command = {
    .name = "verify",
    .summary = "proves that a quantized model computes the same in every form",
    .about =
        "Runs the model as f32, as float simulation, as evaluation, as a training step, as the integer program, as "
        "the emitted C (compiled on the spot) and in ONNX Runtime, where there is one, and compares every layer's "
        "integers. Exit status 1 if the evaluation, the training step or the C differ from the program in any "
        "value. The simulation and ONNX Runtime round in float: their differences are counted and explained.",
    .positionals = {{.name = "MODEL",
                     .kind = KIND_INPUT,
                     .help = "a model that rung quantize wrote, trained on or not"}},
    .required = {HAS(DATA)},
    .taken = {DATA_OPTIONS, HAS(EXAMPLES), HAS(WITHOUT), HAS(COMPILER), HAS(RUNNER), HAS(PYTHON), WORK_OPTIONS},
    .examples = {{"verify digits-qat.safetensors --data mnist", NULL},
                 {"verify digits-qat.safetensors --data mnist --examples 100 --without onnx", NULL},
                 {"verify digits-qat.safetensors --data mnist --compiler \"aarch64-linux-gnu-gcc -static\" --runner "
                  "qemu-aarch64-static",
                  "the C on another processor"}},
    .run = run};
