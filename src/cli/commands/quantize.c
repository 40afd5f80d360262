/* rung quantize */
#include "data.h"
#include "files.h"
#include "network.h"
#include "ptq.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What the integers take on a device. */
static void tell_size(session *asked, rung_model *model) {
  rung_program *program = network_freeze(asked, model);
  if (!program) return;
  int64_t integers = rung_program_describe(program).weight_bytes;
  int64_t floats = network_parameters(model) * (int64_t)sizeof(float);
  report_say(&asked->report, "%" PRId64 " bytes of parameters instead of %" PRId64 "\n", integers, floats);
  json_whole(asked->report.object, "bytes", integers);
  json_whole(asked->report.object, "float_bytes", floats);
  rung_program_free(program);
}

/* The scheme and --layer are the command line's, and so are named. */
static rung_status name_option(rung_status status) {
  static const char *const names[][2] = {{"accumulator_bits ", "--accumulator-bits "}, {"layer ", "--layer "}};
  char reason[512];
  snprintf(reason, sizeof reason, "%s", report_reason());
  for (size_t i = 0; status != RUNG_OK && i < sizeof names / sizeof *names; i++)
    if (strncmp(reason, names[i][0], strlen(names[i][0])) == 0)
      return rung_fail(status, "%s%s", names[i][1], reason + strlen(names[i][0]));
  return status;
}

/* What the network and the data rule out of a scheme, told by another copy of the model before the work begins. */
static rung_status rehearse(session *asked, const rung_dataset *train, const rung_scheme *scheme) {
  rung_model *model = file_open_model(asked, asked->positional[0]);
  rung_status status = model ? rung_quantize(model, scheme) : rung_error_status();
  if (status == RUNG_OK) status = rung_calibrate(model, train, 1);
  rung_model_free(model);
  return name_option(status);
}

static ending quantize(session *asked, data_sets *data, rung_model **model, ptq_asked *how) {
  rung_scheme scheme;
  double percent = NAN, before;
  const char *out = TEXT_OF(asked, OUT);
  if (network_scheme(asked, &scheme) != RUNG_OK || ptq_read(asked, &scheme, how) != RUNG_OK) return ENDS_BADLY;
  *model = file_open_model(asked, asked->positional[0]);
  if (!*model || rung_model_use(*model, RUNG_FORM_FLOAT) != RUNG_OK) return ENDS_BADLY;
  rung_status status = name_option(rung_quantize(*model, &scheme));
  if (status == RUNG_OK) status = ptq_check(asked, *model, how);
  if (status != RUNG_OK || data_load(asked, data) != RUNG_OK) return ENDS_BADLY;
  if (network_check_accuracy(asked, data->all) != RUNG_OK) return ENDS_BADLY;
  data_tell_classes(asked, data->all);
  status = rehearse(asked, data->train, &scheme);
  if (status == RUNG_OK && data->test) status = network_test(asked, *model, data->test, "float_test", &before);
  if (status == RUNG_OK) status = ptq_run(asked, *model, data->train, how);
  if (status == RUNG_OK) status = rung_model_save(*model, out);
  if (status == RUNG_OK && data->test) status = network_test(asked, *model, data->test, "test", &percent);
  if (status != RUNG_OK) return ENDS_BADLY;
  tell_size(asked, *model);
  network_tell(asked, *model);
  json_text(asked->report.object, "out", out);
  report_say(&asked->report, "wrote %s\n", out);
  return network_judge(asked, percent);
}

static ending run(session *asked) {
  data_sets data = {0};
  rung_model *model = NULL;
  ptq_asked how = {0};
  ending end = quantize(asked, &data, &model, &how);
  rung_model_free(model);
  ptq_free(&how);
  data_free(&data);
  return end;
}

const command quantize_command = {
    .name = "quantize",
    .summary = "quantizes a trained model (post-training quantization)",
    .about =
        "Takes the ranges of the activations from some training examples and makes the weights integers. What is "
        "written computes with integers; rung train --from trains it on, with them, to win back what low bits "
        "have cost. A model that is quantized already is quantized anew. --method names what is done to the weights on "
        "the way, from the same examples.",
    .positionals = {{.name = "MODEL", .kind = KIND_INPUT, .help = "a model that rung train or rung import wrote"}},
    .rewrites = true,
    .required = {HAS(DATA), HAS(OUT)},
    .taken = {TEST_OPTIONS,    HAS(VALIDATION),       HAS(CALIBRATE),
              HAS(BITS),       HAS(GRANULARITY),      HAS(GROUP),
              HAS(STORAGE),    HAS(WEIGHT_METHOD),    HAS(ACTIVATION_METHOD),
              HAS(CLIP_DECAY), HAS(OBSERVER),         HAS(PERCENTILE),
              HAS(RANGES),     HAS(SIGNED),           HAS(SYMMETRIC),
              HAS(BACKWARD),   HAS(INPUT_BITS),       HAS(ACCUMULATOR_BITS),
              HAS(BATCH_NORM), HAS(METHOD),           HAS(LAYER),
              HAS(SIZE_LIMIT), HAS(REQUIRE_ACCURACY), WORK_OPTIONS},
    .examples = {{"quantize digits.safetensors --data mnist --bits w8a8 -o digits-w8a8.safetensors", NULL},
                 {"quantize digits.safetensors --data mnist --bits w4a4 -o digits-w4a4.safetensors",
                  "half the size; to be trained on"},
                 {"quantize digits.safetensors --data mnist --bits w4a8 --granularity group --group 32 "
                  "-o digits-w4a8.safetensors",
                  "a scale for every 32 weights"},
                 {"quantize digits.safetensors --data mnist --bits w3a8 --method gptq,bias-correction "
                  "-o digits-w3a8.safetensors",
                  "weights rounded so that their errors make good for each other"},
                 {"quantize digits.safetensors --data mnist --size-limit 100k -o digits-100k.safetensors",
                  "the bits of each layer chosen, for at most 100,000 bytes of parameters"}},
    .run = run};
