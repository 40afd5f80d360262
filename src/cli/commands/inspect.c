/* rung inspect */
#include "files.h"
#include "network.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* ---- A program: its layers, scales and accumulators ------------------------------------------------------------- */

static void range_of(const float *values, int64_t count, float *least, float *most) {
  *least = *most = values[0];
  for (int64_t i = 1; i < count; i++) {
    if (values[i] < *least) *least = values[i];
    if (values[i] > *most) *most = values[i];
  }
}

static void tell_instruction(session *asked, const rung_program *program, int index, json *list) {
  const rung_instruction *it = rung_program_instruction(program, index);
  const rung_integer_layer *layer = &it->integers;
  float least, most;
  range_of(layer->weight_scale, layer->out * layer->groups, &least, &most);
  bool logits = layer->output_type == RUNG_I32;
  char scales[32], range[32] = "int32";
  snprintf(scales, sizeof scales, "%.3g..%.3g", (double)least, (double)most);
  if (!logits) snprintf(range, sizeof range, "%d..%d", layer->qmin, layer->qmax);
  report_say(&asked->report,
             "%-12s %6" PRId64 " %6" PRId64 " %5d  %-20s %-11.4g %5d %-10s %12" PRId64 " %5d %10" PRId64 "\n", it->name,
             layer->in, layer->out, layer->weight_format.bits, scales, (double)layer->output_scale,
             layer->output_zero_point, range, it->bound, it->bits, it->macs);
  json *object = json_list_object(list);
  json_text(object, "name", it->name);
  json_text(object, "kind", rung_instruction_name(it->kind));
  json_whole(object, "in", layer->in);
  json_whole(object, "out", layer->out);
  json_whole(object, "weight_bits", layer->weight_format.bits);
  json_number(object, "weight_scale_least", (double)least);
  json_number(object, "weight_scale_most", (double)most);
  json_number(object, "output_scale", (double)layer->output_scale);
  json_whole(object, "output_zero_point", layer->output_zero_point);
  json_text(object, "output_type", rung_dtype_name(layer->output_type));
  if (!logits) json_whole(object, "output_least", layer->qmin);
  if (!logits) json_whole(object, "output_most", layer->qmax);
  json_whole(object, "accumulator_bound", it->bound);
  json_whole(object, "accumulator_bits", it->bits);
  json_whole(object, "macs", it->macs);
}

static void tell_program(session *asked, const rung_program *program) {
  const rung_program_info info = rung_program_describe(program);
  json *object = json_object(asked->report.object, "program");
  report_say(&asked->report,
             "program: %" PRId64 " inputs (%s, scale %.6g, zero point %d), %" PRId64 " logits (scale %.6g), %" PRId64
             " bytes of parameters, %zu bytes of scratch, %" PRId64 " multiply-accumulates\n",
             info.inputs, rung_dtype_name(info.input_type), (double)info.input_scale, info.input_zero_point,
             info.outputs, (double)info.logit_scale, info.weight_bytes, rung_program_scratch(program, 1), info.macs);
  json_whole(object, "inputs", info.inputs);
  json_whole(object, "outputs", info.outputs);
  json_text(object, "input_type", rung_dtype_name(info.input_type));
  json_number(object, "input_scale", (double)info.input_scale);
  json_whole(object, "input_zero_point", info.input_zero_point);
  json_number(object, "logit_scale", (double)info.logit_scale);
  json_whole(object, "bytes", info.weight_bytes);
  json_whole(object, "scratch_bytes", (int64_t)rung_program_scratch(program, 1));
  json_whole(object, "macs", info.macs);
  json *list = json_list(object, "layers");
  report_say(&asked->report, "%-12s %6s %6s %5s  %-20s %-11s %5s %-10s %12s %5s %10s\n", "layer", "in", "out", "bits",
             "weight scales", "out scale", "zero", "range", "sums up to", "bits", "MACs");
  for (int i = 0; i < rung_program_count(program); i++) tell_instruction(asked, program, i, list);
}

/* ---- Tensors ---------------------------------------------------------------------------------------------------- */

static void tell_shape(json *object, const rung_shape *shape) {
  json *list = json_list(object, "shape");
  for (int i = 0; i < shape->rank; i++) json_list_whole(list, shape->extent[i]);
}

/* `keep`, of its shape, is 1 where it is not pruned; may be NULL. */
static void tell_tensor(session *asked, json *list, const char *name, const rung_tensor *tensor, const uint8_t *keep) {
  char shape[RUNG_SHAPE_TEXT];
  json *object = json_list_object(list);
  report *to = &asked->report;
  json_text(object, "name", name);
  if (!tensor->data) { /* of a type or shape that rung lacks */
    report_say(to, "  %-28s %s\n", name, rung_error());
    json_text(object, "unreadable", rung_error());
    return;
  }
  json_text(object, "type", rung_dtype_name(tensor->type));
  tell_shape(object, &tensor->shape);
  report_say(to, "  %-28s %-4s %-16s", name, rung_dtype_name(tensor->type),
             rung_shape_format(&tensor->shape, shape, sizeof shape));
  if (tensor->type == RUNG_F32) {
    float least, most;
    range_of(tensor->data, rung_tensor_count(tensor), &least, &most);
    report_say(to, " %.4g .. %.4g", (double)least, (double)most);
    json_number(object, "least", (double)least);
    json_number(object, "most", (double)most);
  }
  if (keep) {
    int64_t pruned = 0, count = rung_tensor_count(tensor);
    for (int64_t i = 0; i < count; i++) pruned += !keep[i];
    report_say(to, ", %.2f %% pruned", 100 * (double)pruned / (double)count);
    json_whole(object, "pruned", pruned);
  }
  report_say(to, "\n");
}

static rung_status inspect_weights(session *asked, const char *file) {
  rung_safetensors *weights = rung_safetensors_open(file);
  if (!weights) return rung_error_status();
  report_say(&asked->report, "%s: safetensors, %d tensors\n", file, rung_safetensors_count(weights));
  json *list = json_list(asked->report.object, "tensors");
  for (int i = 0; i < rung_safetensors_count(weights); i++) {
    const rung_named_tensor tensor = rung_safetensors_tensor(weights, i);
    tell_tensor(asked, list, tensor.name, &tensor.tensor, NULL);
  }
  rung_safetensors_free(weights);
  return RUNG_OK;
}

/* ---- Models ----------------------------------------------------------------------------------------------------- */

static void tell_quantized(session *asked, rung_model *model) {
  rung_program *program = rung_freeze(model);
  if (program) {
    tell_program(asked, program);
  } else {
    report_say(&asked->report, "no integer program: %s\n", rung_error());
    json_text(asked->report.object, "not_frozen", rung_error());
  }
  rung_program_free(program);
}

static rung_status inspect_model(session *asked, const char *file, rung_model *model) {
  if (!model) return rung_error_status();
  char bits[8], *text = rung_model_text(model);
  report_say(&asked->report, "%s: model, %s, %" PRId64 " parameters\n", file, network_bits(model, bits),
             network_parameters(model));
  if (text) report_say(&asked->report, "%s\n", text);
  json_text(asked->report.object, "text", text);
  rung_release(text);
  json *list = json_list(asked->report.object, "tensors");
  for (int i = 0; i < rung_model_parameter_count(model); i++) {
    const rung_parameter parameter = rung_model_parameter(model, i);
    const rung_tensor tensor = {.type = RUNG_F32, .shape = parameter.shape, .data = parameter.value};
    tell_tensor(asked, list, parameter.name, &tensor, rung_model_mask(model, i));
  }
  if (rung_model_quantization(model)) tell_quantized(asked, model);
  network_tell(asked, model);
  rung_model_free(model);
  return RUNG_OK;
}

static rung_status inspect_program(session *asked, const char *file) {
  rung_program *program = rung_program_load(file);
  if (!program) return rung_error_status();
  report_say(&asked->report, "%s: integer program, %d layers\n", file, rung_program_count(program));
  tell_program(asked, program);
  rung_program_free(program);
  return RUNG_OK;
}

static ending run(session *asked) {
  static const char *const names[] = {
      [FILE_MODEL] = "model", [FILE_PROGRAM] = "program", [FILE_WEIGHTS] = "safetensors", [FILE_ONNX] = "onnx"};
  const char *file = asked->positional[0];
  const rung_model_options how = network_options(asked);
  file_kind kind;
  rung_status status = file_kind_of(file, &kind);
  if (status != RUNG_OK) return ENDS_BADLY;
  json_text(asked->report.object, "file", file);
  json_text(asked->report.object, "kind", names[kind]);
  switch (kind) {
  case FILE_MODEL: status = inspect_model(asked, file, file_open_model(asked, file)); break;
  case FILE_PROGRAM: status = inspect_program(asked, file); break;
  case FILE_WEIGHTS: status = inspect_weights(asked, file); break;
  case FILE_ONNX: status = inspect_model(asked, file, rung_model_import_onnx(file, &how)); break;
  }
  return status == RUNG_OK ? ENDS_WELL : ENDS_BADLY;
}

const command inspect_command = {
    .name = "inspect",
    .summary = "shows what is in a file: layers, shapes, scales, ranges, accumulators, sizes",
    .about =
        "Of a quantized model and of a program: each layer's scales, the range of its output, the largest magnitude "
        "that its accumulator can reach on any input, and the bits that takes.",
    .positionals = {{.name = "FILE", .kind = KIND_INPUT, .help = "a model or a program of rung, safetensors, or ONNX"}},
    .taken = {WORK_OPTIONS},
    .examples = {{"inspect digits-qat.safetensors", NULL}, {"inspect --json digits.program.safetensors", NULL}},
    .run = run};
