/* rung run */
#include "data.h"
#include "files.h"
#include "network.h"
#include "path.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct running {
  session *asked;
  const rung_dataset *test;
  const rung_program *program;
  rung_program_info info;
  int32_t *logits; /* [count, outputs] */
  void *block;     /* inputs as the program takes them */
  double seconds;
} running;

enum { BLOCK = 1024 }; /* examples at a time */

/* ---- The program over the data ---------------------------------------------------------------------------------- */

static rung_status check_inputs(const running *at) {
  rung_status status = rung_program_check(at->program, at->test);
  if (status != RUNG_OK) return status;
  if (at->test->labels && at->test->classes > at->info.outputs)
    return rung_fail(RUNG_ERROR_SHAPE, "%s: has %d classes, the program gives %" PRId64 " logits", at->test->name,
                     at->test->classes, at->info.outputs);
  if (!at->test->labels && rung_tensor_count(&at->test->targets) != at->test->count * at->info.outputs)
    return rung_fail(RUNG_ERROR_SHAPE, "%s: %" PRId64 " targets an example, the program gives %" PRId64, at->test->name,
                     rung_tensor_count(&at->test->targets) / at->test->count, at->info.outputs);
  return RUNG_OK;
}

static rung_status run_all(running *at) {
  for (int64_t first = 0; first < at->test->count; first += BLOCK) {
    int64_t left = at->test->count - first, count = left < BLOCK ? left : BLOCK;
    rung_status status = rung_program_take(at->program, at->test, first, count, at->block);
    double started = report_clock();
    if (status == RUNG_OK) status = rung_run(at->program, at->block, at->logits + first * at->info.outputs, count);
    if (status != RUNG_OK) return status;
    at->seconds += report_clock() - started;
  }
  return RUNG_OK;
}

static rung_status allocate(running *at) {
  int64_t logits = at->test->count * at->info.outputs, block = (int64_t)BLOCK * at->info.inputs;
  at->logits = rung_allocate((size_t)logits * sizeof *at->logits);
  at->block = rung_allocate((size_t)block);
  return at->logits && at->block ? RUNG_OK : RUNG_ERROR_MEMORY;
}

/* ---- What came of it -------------------------------------------------------------------------------------------- */

static float real(const running *at, int64_t i) {
  return at->info.logit_scale * (float)at->logits[i];
}

static int64_t count_right(const running *at) {
  int64_t right = 0, outputs = at->info.outputs;
  for (int64_t i = 0; i < at->test->count; i++) {
    const int32_t *logits = at->logits + i * outputs;
    int64_t best = 0;
    for (int64_t j = 1; j < outputs; j++)
      if (logits[j] > logits[best]) best = j;
    right += best == at->test->labels[i];
  }
  return right;
}

static double mean_squared_error(const running *at) {
  double sum = 0;
  int64_t count = at->test->count * at->info.outputs;
  const float *targets = at->test->targets.data;
  for (int64_t i = 0; i < count; i++) {
    double error = (double)real(at, i) - (double)targets[i];
    sum += error * error;
  }
  return sum / (double)count;
}

static double tell(running *at) {
  report *to = &at->asked->report;
  int64_t examples = at->test->count;
  double percent = NAN, us = 1e6 * at->seconds / (double)examples;
  if (at->test->labels) {
    int64_t right = count_right(at);
    percent = 100 * (double)right / (double)examples;
    report_say(to, "%.2f %%: %" PRId64 " of %" PRId64 " examples are right; %.2f us an example\n", percent, right,
               examples, us);
    json_number(to->object, "accuracy", percent / 100);
    json_whole(to->object, "right", right);
  } else {
    double error = mean_squared_error(at);
    report_say(to, "mean squared error %.6g over %" PRId64 " examples; %.2f us an example\n", error, examples, us);
    json_number(to->object, "mean_squared_error", error);
  }
  json_whole(to->object, "examples", examples);
  json_number(to->object, "us_per_example", us);
  json_number(to->object, "logit_scale", (double)at->info.logit_scale);
  return percent;
}

/* ---- The logits as a file --------------------------------------------------------------------------------------- */

static rung_status write_npy(const running *at, const char *path) {
  rung_tensor tensor = {.type = RUNG_I32, .shape = RUNG_SHAPE(at->test->count, at->info.outputs), .data = at->logits};
  if (!GIVEN(at->asked, REAL)) return rung_npy_write(path, &tensor);
  int64_t count = rung_tensor_count(&tensor);
  float *reals = rung_allocate((size_t)count * sizeof *reals);
  if (!reals) return RUNG_ERROR_MEMORY;
  for (int64_t i = 0; i < count; i++) reals[i] = real(at, i);
  tensor.type = RUNG_F32;
  tensor.data = reals;
  rung_status status = rung_npy_write(path, &tensor);
  rung_release(reals);
  return status;
}

static rung_status write_csv(const running *at, const char *path) {
  char *text = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&text, &size);
  if (!file) return rung_fail(RUNG_ERROR_MEMORY, "%s: no memory", path);
  int64_t outputs = at->info.outputs;
  for (int64_t i = 0; i < at->test->count * outputs; i++) {
    const char *after = (i + 1) % outputs ? "," : "\n";
    if (GIVEN(at->asked, REAL))
      fprintf(file, "%.9g%s", (double)real(at, i), after);
    else
      fprintf(file, "%" PRId32 "%s", at->logits[i], after);
  }
  rung_status status = fclose(file) == 0 && text ? rung_file_write(path, text, size)
                                                 : rung_fail(RUNG_ERROR_MEMORY, "%s: no memory", path);
  free(text);
  return status;
}

static rung_status write_logits(const running *at) {
  const char *path = TEXT_OF(at->asked, LOGITS);
  if (!path) return RUNG_OK;
  rung_status status = path_ends_with(path, ".npy") ? write_npy(at, path) : write_csv(at, path);
  if (status != RUNG_OK) return status;
  report_say(&at->asked->report, "wrote %s\n", path);
  json_text(at->asked->report.object, "out", path);
  return RUNG_OK;
}

static rung_status check_out(const session *asked) {
  const char *path = TEXT_OF(asked, LOGITS);
  if (!path && GIVEN(asked, REAL)) return rung_fail(RUNG_ERROR_ARGUMENT, "--real: goes with --out only");
  if (!path || path_ends_with(path, ".npy") || path_ends_with(path, ".csv")) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "--out '%s': expected a name that ends in .npy or .csv", path);
}

static ending run(session *asked) {
  rung_dataset *owner = NULL;
  rung_model *model = NULL;
  running at = {.asked = asked};
  rung_dataset *test = NULL;
  rung_program *program = NULL;
  rung_status status = check_out(asked);
  if (status == RUNG_OK && !(program = file_open_program(asked, asked->positional[0], &model)))
    status = rung_error_status();
  if (status == RUNG_OK && !(test = data_load_test(asked, &owner))) status = rung_error_status();
  if (status == RUNG_OK) status = network_check_accuracy(asked, test);
  double percent = NAN;
  if (status == RUNG_OK) {
    at.test = test;
    at.program = program;
    at.info = rung_program_describe(program);
    status = check_inputs(&at);
    if (status == RUNG_OK) data_tell_classes(asked, test);
    if (status == RUNG_OK) status = allocate(&at);
    if (status == RUNG_OK) status = run_all(&at);
    if (status == RUNG_OK) percent = tell(&at);
    if (status == RUNG_OK) status = write_logits(&at);
  }
  rung_release(at.block);
  rung_release(at.logits);
  rung_program_free(program);
  rung_model_free(model);
  rung_dataset_free(test);
  rung_dataset_free(owner);
  return status == RUNG_OK ? network_judge(asked, percent) : ENDS_BADLY;
}

const command run_command = {
    .name = "run",
    .summary = "runs an integer program on data: accuracy, logits, time",
    .about = "On one thread, as a device would. Of mnist, fashion-mnist, letters and IDX folders the test part is run, "
             "of other "
             "data all of it. Inputs that are not 8-bit integers are quantized first.",
    .positionals = {{.name = "PROGRAM", .kind = KIND_INPUT, .help = "what rung freeze wrote, or a quantized model"}},
    .required = {HAS(DATA)},
    .taken = {DATA_OPTIONS, HAS(EXAMPLES), HAS(LOGITS), HAS(REAL), HAS(REQUIRE_ACCURACY), WORK_OPTIONS},
    .examples = {{"run digits.program.safetensors --data mnist", NULL},
                 {"run digits-qat.safetensors --data mnist --out logits.npy", "int32 [10000, 10]"},
                 {"run curve.safetensors --data x.npy --targets y.npy --out curve.csv --real", NULL}},
    .run = run};
