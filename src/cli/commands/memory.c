/* rung memory */
#include "../memory_use.h"

#include "files.h"
#include "network.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_FORMATS = 16 };

typedef struct asking {
  session *asked;
  memory_question question;
  memory_tensor *tensors;
  memory_format format[MOST_FORMATS];
  int formats;
  int64_t parameters, card, program; /* program: bytes of the quantized model as it is; 0: it is none */
} asking;

/* ---- What is asked ---------------------------------------------------------------------------------------------- */

static rung_status read_formats(asking *of) {
  char names[512], *rest = names, *name;
  if (snprintf(names, sizeof names, "%s", TEXT_OF(of->asked, DTYPE)) >= (int)sizeof names)
    return rung_fail(RUNG_ERROR_ARGUMENT, "--dtype: longer than 511 characters");
  while ((name = strsep(&rest, ","))) {
    if (of->formats == MOST_FORMATS) return rung_fail(RUNG_ERROR_ARGUMENT, "--dtype: more than %d types", MOST_FORMATS);
    if (memory_parse_format(name, &of->format[of->formats++]) != RUNG_OK)
      return rung_fail(RUNG_ERROR_ARGUMENT, "--dtype: %s", rung_error());
  }
  return RUNG_OK;
}

/* --hidden, or --kv-heads and --head-dim: the numbers that a token's keys have in a layer. */
static rung_status read_width(const session *asked, int64_t *width) {
  if (GIVEN(asked, HIDDEN) && GIVEN(asked, KV_HEADS))
    return rung_fail(RUNG_ERROR_ARGUMENT, "--hidden and --kv-heads: expected one of them");
  if (GIVEN(asked, KV_HEADS) != GIVEN(asked, HEAD_DIM))
    return rung_fail(RUNG_ERROR_ARGUMENT, "--%s: goes with --%s", GIVEN(asked, KV_HEADS) ? "kv-heads" : "head-dim",
                     GIVEN(asked, KV_HEADS) ? "head-dim" : "kv-heads");
  *width = GIVEN(asked, KV_HEADS) ? WHOLE_OF(asked, KV_HEADS) * WHOLE_OF(asked, HEAD_DIM) : WHOLE_OF(asked, HIDDEN);
  return RUNG_OK;
}

static rung_status read_cache(const session *asked, memory_cache *cache) {
  const bool wide = GIVEN(asked, HIDDEN) || GIVEN(asked, KV_HEADS) || GIVEN(asked, HEAD_DIM);
  if (!wide && !GIVEN(asked, LAYERS) && !GIVEN(asked, CONTEXT) && !GIVEN(asked, SEQUENCES)) return RUNG_OK;
  if (!wide || !GIVEN(asked, LAYERS) || !GIVEN(asked, CONTEXT))
    return rung_fail(RUNG_ERROR_ARGUMENT,
                     "a cache of keys and values: --layers, --context, and --hidden or --kv-heads and --head-dim "
                     "belong together");
  cache->layers = WHOLE_OF(asked, LAYERS);
  cache->context = WHOLE_OF(asked, CONTEXT);
  cache->batch = WHOLE_OF(asked, SEQUENCES);
  return read_width(asked, &cache->width);
}

/* ---- Parameters ------------------------------------------------------------------------------------------------- */

static rung_status make_tensors(asking *of, int count) {
  of->tensors = rung_allocate((size_t)(count ? count : 1) * sizeof *of->tensors);
  of->question.tensors = of->tensors;
  return of->tensors ? RUNG_OK : RUNG_ERROR_MEMORY;
}

static void add_tensor(asking *of, const rung_shape *shape, bool is_trained) {
  int64_t count = 0;
  if (rung_shape_count(shape, &count) != RUNG_OK) return;
  const bool is_weight = shape->rank >= 2;
  of->tensors[of->question.count++] = (memory_tensor){
      .count = count, .rows = is_weight ? shape->extent[0] : 0, .is_weight = is_weight, .is_trained = is_trained};
  of->parameters += count;
}

static rung_status take_model(asking *of, rung_model *model) {
  if (!model) return rung_error_status();
  const int count = rung_model_parameter_count(model);
  rung_status status = make_tensors(of, count);
  for (int i = 0; i < count && status == RUNG_OK; i++) {
    const rung_parameter parameter = rung_model_parameter(model, i);
    add_tensor(of, &parameter.shape, parameter.trainable);
  }
  rung_program *program = status == RUNG_OK && rung_model_quantization(model) ? rung_freeze(model) : NULL;
  if (program) of->program = rung_program_describe(program).weight_bytes;
  rung_program_free(program);
  rung_model_free(model);
  return status;
}

static rung_status take_weights(asking *of, const char *path) {
  rung_safetensors *file = rung_safetensors_open(path);
  if (!file) return rung_error_status();
  const int count = rung_safetensors_count(file);
  rung_status status = make_tensors(of, count);
  for (int i = 0; i < count && status == RUNG_OK; i++) {
    const rung_tensor tensor = rung_safetensors_tensor(file, i).tensor;
    if (tensor.data) add_tensor(of, &tensor.shape, true);
  }
  rung_safetensors_free(file);
  return status;
}

static rung_status take_file(asking *of, const char *path) {
  const rung_model_options how = network_options(of->asked);
  file_kind kind;
  rung_status status = file_kind_of(path, &kind);
  if (status != RUNG_OK) return status;
  switch (kind) {
  case FILE_MODEL: return take_model(of, rung_model_load(path, &how));
  case FILE_ONNX: return take_model(of, rung_model_import_onnx(path, &how));
  case FILE_WEIGHTS: return take_weights(of, path);
  case FILE_PROGRAM: break;
  }
  return rung_fail(RUNG_ERROR_ARGUMENT, "%s: a program, expected a model (rung inspect tells a program's size)", path);
}

static rung_status take_count(asking *of) {
  if (memory_parse_count(TEXT_OF(of->asked, PARAMS), &of->parameters) != RUNG_OK)
    return rung_fail(RUNG_ERROR_ARGUMENT, "--params: %s", rung_error());
  rung_status status = make_tensors(of, 1);
  if (status == RUNG_OK)
    of->tensors[of->question.count++] = (memory_tensor){.count = of->parameters, .is_weight = true, .is_trained = true};
  return status;
}

/* ---- Telling ---------------------------------------------------------------------------------------------------- */

typedef struct unit {
  const char *name;
  double bytes;
} unit;

static unit unit_for(int64_t largest) {
  static const unit units[] = {{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"bytes", 1}};
  int i = 0;
  while (i < 3 && (double)largest < units[i].bytes) i++;
  return units[i];
}

static void say_bytes(asking *of, const unit *in, int64_t bytes) {
  report_say(&of->asked->report, " %10.*f", in->bytes > 1 ? 3 : 0, (double)bytes / in->bytes);
}

static void tell_row(asking *of, const unit *in, const char *name, const memory_bytes *bytes, json *list) {
  const double bits = 8 * (double)bytes->weights / (double)of->parameters;
  const bool fits = bytes->total <= of->card;
  json *object = json_list_object(list);
  report_say(&of->asked->report, "%-12s %9.3f", name, bits);
  say_bytes(of, in, bytes->weights);
  json_text(object, "dtype", name);
  json_number(object, "bits_per_parameter", bits);
  json_whole(object, "weights", bytes->weights);
  if (of->question.training) {
    const int64_t parts[] = {bytes->master, bytes->gradients, bytes->optimizer};
    static const char *const keys[] = {"master", "gradients", "optimizer"};
    for (int i = 0; i < 3; i++) say_bytes(of, in, parts[i]);
    for (int i = 0; i < 3; i++) json_whole(object, keys[i], parts[i]);
  }
  if (of->question.cache.layers) say_bytes(of, in, bytes->cache);
  json_whole(object, "kv_cache", bytes->cache);
  say_bytes(of, in, bytes->total);
  report_say(&of->asked->report, "  %s\n", fits ? "yes" : "no");
  json_whole(object, "total", bytes->total);
  json_truth(object, "fits", fits);
}

static void tell_head(asking *of, const unit *in) {
  report *to = &of->asked->report;
  const char *training = memory_training_name(of->question.training);
  report_say(to, "%" PRId64 " parameters%s%s, in %s%s\n", of->parameters, training ? ", trained by " : "",
             training ? training : "", in->name, in->bytes == 1e9 ? " (10^9 bytes)" : "");
  report_say(to, "%-12s %9s %10s", "dtype", "bits each", "weights");
  if (training) report_say(to, " %10s %10s %10s", "fp32 copy", "gradients", "optimizer");
  if (of->question.cache.layers) report_say(to, " %10s", "KV cache");
  report_say(to, " %10s  fits %s\n", "total", TEXT_OF(of->asked, CARD));
  json_whole(to->object, "parameters", of->parameters);
  json_whole(to->object, "card", of->card);
  json_text(to->object, "train", training);
}

static rung_status tell(asking *of) {
  memory_bytes bytes[MOST_FORMATS];
  int64_t largest = 0;
  for (int i = 0; i < of->formats; i++) {
    rung_status status = memory_count(&of->question, &of->format[i], &bytes[i]);
    if (status != RUNG_OK) return status;
    if (bytes[i].total > largest) largest = bytes[i].total;
  }
  const unit in = unit_for(largest);
  tell_head(of, &in);
  json *list = json_list(of->asked->report.object, "dtypes");
  for (int i = 0; i < of->formats; i++) tell_row(of, &in, of->format[i].name, &bytes[i], list);
  if (!of->program) return RUNG_OK;
  report_say(&of->asked->report, "as it is, the integer program's parameters: %" PRId64 " bytes\n", of->program);
  json_whole(of->asked->report.object, "program", of->program);
  return RUNG_OK;
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

static rung_status read(asking *of) {
  session *asked = of->asked;
  const char *file = asked->positional[0];
  if (!file == !GIVEN(asked, PARAMS))
    return rung_fail(RUNG_ERROR_ARGUMENT, "expected --params or a MODEL%s", file ? ", not both" : "");
  if (GIVEN(asked, TRAIN)) of->question.training = (memory_training)(WHOLE_OF(asked, TRAIN) + 1);
  of->question.no_master = GIVEN(asked, NO_MASTER);
  if (of->question.no_master && !of->question.training)
    return rung_fail(RUNG_ERROR_ARGUMENT, "--no-master: goes with --train only");
  if (memory_parse_bytes(TEXT_OF(asked, CARD), &of->card) != RUNG_OK)
    return rung_fail(RUNG_ERROR_ARGUMENT, "--card: %s", rung_error());
  rung_status status = read_formats(of);
  if (status == RUNG_OK) status = read_cache(asked, &of->question.cache);
  if (status != RUNG_OK) return status;
  status = file ? take_file(of, file) : take_count(of);
  if (status == RUNG_OK && of->parameters == 0)
    status = rung_fail(RUNG_ERROR_ARGUMENT, "%s: it has no parameters", file);
  return status;
}

static ending run(session *asked) {
  asking of = {.asked = asked};
  rung_status status = read(&of);
  if (status == RUNG_OK) status = tell(&of);
  rung_release(of.tensors);
  return status == RUNG_OK ? ENDS_WELL : ENDS_BADLY;
}

const command memory_command = {
    .name = "memory",
    .summary = "counts the bytes that a network takes in each number format, and whether they fit a card",
    .about =
        "Bytes of the weights with their scales; with --train of gradients, the optimizer's state and the FP32 copy "
        "that it moves; with --layers, --hidden and --context of the keys and values that attention keeps. Of so many "
        "parameters, or of those in a file. Activations, buffers and the framework itself come on top: "
        "docs/memory.md has the formulas and where they are from.",
    .positionals = {{.name = "MODEL",
                     .kind = KIND_INPUT,
                     .optional = true,
                     .help = "a model, safetensors or ONNX, in place of --params"}},
    .taken = {HAS(PARAMS), HAS(DTYPE), HAS(TRAIN), HAS(NO_MASTER), HAS(LAYERS), HAS(HIDDEN), HAS(KV_HEADS),
              HAS(HEAD_DIM), HAS(CONTEXT), HAS(SEQUENCES), HAS(CARD), HAS(QUIET), HAS(JSON)},
    .examples = {{"memory --params 7B", "fp32, fp16, int8 and nf4 beside a card of 16 GB"},
                 {"memory --params 7B --dtype fp16,nf4 --train adam --card 80GB",
                  "gradients, the optimizer's state and the FP32 copy too"},
                 {"memory --params 7B --layers 32 --kv-heads 8 --head-dim 128 --context 8192", "and the KV cache"},
                 {"memory digits.safetensors --dtype fp32,int8,int4-g32", "a network of one's own"}},
    .run = run};
