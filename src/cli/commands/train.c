/* rung train */
#include "data.h"
#include "files.h"
#include "flips.h"
#include "interrupt.h"
#include "network.h"
#include "path.h"
#include "pruning.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct training {
  session *asked;
  data_sets data;
  rung_model *model, *teacher;
  char checkpoint[4096];
  bool stopped; /* by Ctrl-C, before the last step */
  double seconds;
  json *epochs;
} training;

/* ---- What is asked for ------------------------------------------------------------------------------------------ */

static rung_status check_sources(const session *asked) {
  if (!json_available()) /* told now, and not when there is something to lose */
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "this build has no cJSON: no model can be written");
  if (GIVEN(asked, MODEL) && GIVEN(asked, FROM))
    return rung_fail(RUNG_ERROR_ARGUMENT, "--model and --from: expected one of them");
  if (!GIVEN(asked, MODEL) && !GIVEN(asked, FROM) && !GIVEN(asked, RESUME))
    return rung_fail(RUNG_ERROR_ARGUMENT, "no model: expected --model, --from or --resume");
  if (!GIVEN(asked, MODEL) && (GIVEN(asked, WEIGHTS) || GIVEN(asked, LOSS)))
    return rung_fail(RUNG_ERROR_ARGUMENT, "--%s: goes with --model only", GIVEN(asked, LOSS) ? "loss" : "weights");
  return RUNG_OK;
}

static rung_status check_fit_options(const session *asked) {
  rung_status status = network_check_goes_with(asked, OPTION_PERIOD, OPTION_SCHEDULE, "step");
  if (status == RUNG_OK) status = network_check_goes_with(asked, OPTION_FACTOR, OPTION_SCHEDULE, "step");
  if (status == RUNG_OK) status = network_check_goes_with(asked, OPTION_NESTEROV, OPTION_OPTIMIZER, "sgd");
  if (status == RUNG_OK) status = pruning_check(asked);
  if (status == RUNG_OK && !GIVEN(asked, TEACHER) && (GIVEN(asked, TEMPERATURE) || GIVEN(asked, ALPHA)))
    status = rung_fail(RUNG_ERROR_ARGUMENT, "--%s: goes with --teacher only",
                       GIVEN(asked, TEMPERATURE) ? "temperature" : "alpha");
  return status;
}

static rung_status choose_checkpoint(training *train) {
  const char *given = TEXT_OF(train->asked, CHECKPOINT), *out = TEXT_OF(train->asked, OUT);
  int length = given ? snprintf(train->checkpoint, sizeof train->checkpoint, "%s", given)
                     : snprintf(train->checkpoint, sizeof train->checkpoint, "%s.checkpoint", out);
  if (length >= (int)sizeof train->checkpoint)
    return rung_fail(RUNG_ERROR_ARGUMENT, "--out: a path of over 4000 bytes");
  return path_check_output("--checkpoint", train->checkpoint);
}

static bool has_low_bits(const rung_scheme *scheme) {
  bool low = rung_scheme_weight_format(scheme).bits < 8 || rung_scheme_activation_format(scheme).bits < 8;
  for (int i = 0; i < scheme->layer_count; i++) {
    const rung_scheme of_layer = rung_scheme_of_layer(scheme, scheme->layers[i].name);
    low = low || rung_scheme_weight_format(&of_layer).bits < 8 || rung_scheme_activation_format(&of_layer).bits < 8;
  }
  return low;
}

/* Small steps where a trained model only has to settle on 8 bits; below it has to find its way anew. */
static float rate_of(const training *train) {
  if (GIVEN(train->asked, RATE)) return REAL_OF(train->asked, RATE);
  if (!rung_model_quantization(train->model)) return 1e-3f;
  return has_low_bits(rung_model_scheme(train->model)) ? 1e-3f : 2e-4f;
}

static rung_model *make_model(const training *train) {
  const session *asked = train->asked;
  if (GIVEN(asked, MODEL)) return network_record(asked, train->data.train);
  return file_open_model(asked, GIVEN(asked, FROM) ? TEXT_OF(asked, FROM) : TEXT_OF(asked, RESUME));
}

/* The checkpoint must be of the training that --from or --model begins: FP32 does not go on with integers. */
static rung_status check_resumed(const training *train) {
  const session *asked = train->asked;
  if (!GIVEN(asked, RESUME) || (!GIVEN(asked, FROM) && !GIVEN(asked, MODEL))) return RUNG_OK;
  rung_model *resumed = file_open_model(asked, TEXT_OF(asked, RESUME));
  if (!resumed) return rung_error_status();
  char begun[8], goes_on[8];
  network_bits(train->model, begun);
  network_bits(resumed, goes_on);
  rung_model_free(resumed);
  if (strcmp(begun, goes_on) == 0) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "--resume %s: of a training in %s, the model of --%s is %s",
                   TEXT_OF(asked, RESUME), goes_on, GIVEN(asked, FROM) ? "from" : "model", begun);
}

/* ---- Training --------------------------------------------------------------------------------------------------- */

static const char *what_of(const training *train) {
  return rung_model_quantization(train->model) ? "QAT" : "FP32";
}

static void tell_epoch(training *train, const rung_progress *progress) {
  json *epoch = json_list_object(train->epochs);
  json_whole(epoch, "epoch", progress->epoch);
  json_number(epoch, "loss", progress->train.loss);
  if (train->data.train->labels) json_number(epoch, "accuracy", progress->train.accuracy);
  if (progress->validation.examples) {
    json_number(epoch, "validation_loss", progress->validation.loss);
    if (train->data.train->labels) json_number(epoch, "validation_accuracy", progress->validation.accuracy);
  }
  json_number(epoch, "seconds", progress->seconds);
}

static bool progress(void *context, const rung_progress *at) {
  training *train = context;
  bool epoch_ends = at->step == at->steps;
  report_progress(&train->asked->report, what_of(train), at, train->data.train->labels != NULL);
  if (epoch_ends) {
    tell_epoch(train, at);
    train->seconds += at->seconds;
  }
  if (!interrupt_came() || (epoch_ends && at->epoch == at->epochs)) return false;
  train->stopped = true;
  report_clear(&train->asked->report);
  report_note(&train->asked->report, "stopped in epoch %d of %d, after step %" PRId64 " of %" PRId64 "\n", at->epoch,
              at->epochs, at->step, at->steps);
  return true;
}

static rung_status fit(training *train) {
  const session *asked = train->asked;
  const rung_fit_options how = {.epochs = (int)WHOLE_OF(asked, EPOCHS),
                                .rate = rate_of(train),
                                .optimizer = (rung_optimizer_kind)WHOLE_OF(asked, OPTIMIZER),
                                .momentum = REAL_OF(asked, MOMENTUM),
                                .nesterov = GIVEN(asked, NESTEROV),
                                .weight_decay = REAL_OF(asked, WEIGHT_DECAY),
                                .clip_norm = REAL_OF(asked, CLIP_NORM),
                                .schedule = {.kind = (rung_schedule_kind)WHOLE_OF(asked, SCHEDULE),
                                             .warm_up = WHOLE_OF(asked, WARM_UP),
                                             .period = WHOLE_OF(asked, PERIOD),
                                             .factor = REAL_OF(asked, FACTOR)},
                                .no_shuffle = GIVEN(asked, NO_SHUFFLE),
                                .prune = pruning_schedule(asked, train->model, train->data.train->count),
                                .teacher = train->teacher,
                                .temperature = train->teacher ? REAL_OF(asked, TEMPERATURE) : 0,
                                .alpha = train->teacher ? REAL_OF(asked, ALPHA) : 0,
                                .oscillation = flips_options(asked),
                                .validation = train->data.validation,
                                .checkpoint = train->checkpoint,
                                .checkpoint_steps = WHOLE_OF(asked, CHECKPOINT_STEPS),
                                .resume = TEXT_OF(asked, RESUME),
                                .progress = progress,
                                .context = train};
  train->epochs = json_list(asked->report.object, "epochs");
  interrupt_watch();
  return rung_fit(train->model, train->data.train, &how);
}

static ending tell_how_to_resume(training *train) {
  report_note(&train->asked->report, "wrote %s; to go on: the same command with --resume %s\n", train->checkpoint,
              train->checkpoint);
  json_text(train->asked->report.object, "checkpoint", train->checkpoint);
  return FALLS_SHORT;
}

static ending finish(training *train) {
  session *asked = train->asked;
  const char *out = TEXT_OF(asked, OUT);
  if (pruning_remove(asked, &train->model) != RUNG_OK || rung_model_save(train->model, out) != RUNG_OK) {
    rung_fail(rung_error_status(), "%s; the model is in %s", rung_error(), train->checkpoint);
    return ENDS_BADLY;
  }
  if (!GIVEN(asked, CHECKPOINT)) remove(train->checkpoint);
  double percent = NAN;
  if (train->data.test && network_test(asked, train->model, train->data.test, "test", &percent) != RUNG_OK)
    return ENDS_BADLY;
  network_tell(asked, train->model);
  report_say(&asked->report, "wrote %s\n", out);
  return network_judge(asked, percent);
}

static ending train_model(training *train) {
  session *asked = train->asked;
  if (check_sources(asked) != RUNG_OK || check_fit_options(asked) != RUNG_OK || choose_checkpoint(train) != RUNG_OK)
    return ENDS_BADLY;
  if (data_load(asked, &train->data) != RUNG_OK) return ENDS_BADLY;
  if (network_check_accuracy(asked, train->data.all) != RUNG_OK) return ENDS_BADLY;
  train->model = make_model(train);
  if (!train->model || check_resumed(train) != RUNG_OK || flips_check(asked, train->model) != RUNG_OK)
    return ENDS_BADLY;
  if (GIVEN(asked, TEACHER) && !(train->teacher = file_open_model(asked, TEXT_OF(asked, TEACHER)))) return ENDS_BADLY;
  if (rung_model_bind(train->model, train->data.train) == NULL) return ENDS_BADLY;
  if (train->data.test && rung_model_bind(train->model, train->data.test) == NULL) return ENDS_BADLY;
  data_tell_classes(asked, train->data.all);
  if (rung_model_quantization(train->model)) rung_program_free(network_freeze(asked, train->model));
  json_text(asked->report.object, "data", TEXT_OF(asked, DATA));
  json_text(asked->report.object, "out", TEXT_OF(asked, OUT));
  if (fit(train) != RUNG_OK) return ENDS_BADLY;
  json_truth(asked->report.object, "finished", !train->stopped);
  json_number(asked->report.object, "seconds", train->seconds);
  flips_tell(asked, train->model);
  return train->stopped ? tell_how_to_resume(train) : finish(train);
}

static ending run(session *asked) {
  training train = {.asked = asked};
  ending end = train_model(&train);
  rung_model_free(train.model);
  rung_model_free(train.teacher);
  data_free(&train.data);
  return end;
}

const command train_command = {
    .name = "train",
    .summary = "trains a model, or trains one on: a quantized one with its integers in the loop (QAT)",
    .about =
        "Trains in FP32 from scratch (--model), or on from a model that rung wrote (--from). A model that "
        "rung quantize wrote is trained on as it is: the forward pass is the integer program, the gradients go to the "
        "FP32 weights behind it. The file that is written has everything: the layers, the weights, the scheme and the "
        "ranges.\n"
        "\n"
        "With --prune weights are set to 0 little by little while it trains, and stay 0 in every training after it. "
        "With "
        "--prune-method neurons the model that is written has them no more: it is smaller.\n"
        "\n"
        "The same data, options and seed give the same weights to the last bit, on any number of threads and on any "
        "machine.\n"
        "\n"
        "Ctrl-C finishes the step, writes the checkpoint and says how to go on; a second one ends at once. A training "
        "that was killed goes on from its last checkpoint, and the weights are those of an unbroken one.",
    .required = {HAS(DATA), HAS(OUT)},
    .taken = {TEST_OPTIONS,      MODEL_OPTIONS,
              HAS(VALIDATION),   HAS(FROM),
              HAS(EPOCHS),       HAS(BATCH),
              HAS(RATE),         HAS(SCHEDULE),
              HAS(WARM_UP),      HAS(PERIOD),
              HAS(FACTOR),       HAS(OPTIMIZER),
              HAS(MOMENTUM),     HAS(NESTEROV),
              HAS(WEIGHT_DECAY), HAS(CLIP_NORM),
              HAS(NO_SHUFFLE),   HAS(SEED),
              HAS(CHECKPOINT),   HAS(CHECKPOINT_STEPS),
              HAS(RESUME),       HAS(REQUIRE_ACCURACY),
              HAS(PRUNE),        HAS(PRUNE_METHOD),
              HAS(PRUNE_EPOCHS), HAS(TEACHER),
              HAS(TEMPERATURE),  HAS(ALPHA),
              HAS(WATCH),        HAS(DAMPING),
              HAS(FREEZE),       WORK_OPTIONS},
    .examples = {{"train --data mnist --model \"linear 256, relu, linear 128, relu, linear 10\" -o digits.safetensors",
                  "a classifier of digits, 10 epochs"},
                 {"train --from digits-w8a8.safetensors --data mnist --epochs 5 -o digits-qat.safetensors",
                  "quantization-aware training of what rung quantize wrote"},
                 {"train --data iris.csv --label last --validation 0.2 --model \"linear 16, relu, linear 3\" -o "
                  "iris.safetensors",
                  "a table, the class in its last column, a fifth of it held out"},
                 {"train --data x.npy --targets y.npy --model \"linear 32, relu, linear 1\" -o curve.safetensors",
                  "a regression on two NPY files"},
                 {"train --data mnist --resume digits.safetensors.checkpoint -o digits.safetensors",
                  "go on after Ctrl-C, with the same options as before"},
                 {"train --from digits-w4a4.safetensors --teacher digits.safetensors --data mnist -o "
                  "digits-w4a4-qat.safetensors",
                  "QAT that also learns from the FP32 model"}},
    .run = run};
