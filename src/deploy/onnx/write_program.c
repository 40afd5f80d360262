/* A program as an ONNX file in QDQ form: every tensor that is integers in the program is a QuantizeLinear's output, and
 * every operation a float one between a DequantizeLinear and a QuantizeLinear, which a runtime joins into an integer
 * one. docs/onnx.md shows a layer and says what may differ. */
#include <rung/deploy.h>

#ifdef RUNG_HAVE_ONNX
#include "export.h"

#include "program.h"

#include <math.h>

enum {
  FIRST_OPSET = 13,  /* DequantizeLinear with an axis */
  BLOCKS_OPSET = 21, /* DequantizeLinear of INT4, and with a scale a block of an axis */
  HALF_BITS = 4
};

#define LOGITS "logits"

/* A tensor of activations: integers qmin .. qmax of `type`, r = scale (q - zero_point). */
typedef struct activation {
  const char *name; /* of the integers */
  rung_dtype type;
  float scale;
  int32_t zero_point, qmin, qmax;
} activation;

static int32_t type_least(rung_dtype type) {
  return type == RUNG_I8 ? INT8_MIN : 0;
}

static int32_t element_type(rung_dtype type) {
  return type == RUNG_I8 ? EXPORT_INT8 : EXPORT_UINT8;
}

/* Quantizes the float value x; returns the name of what its integers stand for. QuantizeLinear clamps to all of its
 * type; a narrower range is a Clip of integers behind it, so that the product in front still ends in a
 * QuantizeLinear. `from` is the least integer that x gives without it. */
static const char *quantize(export_file *file, const char *x, const activation *to, int32_t from) {
  const bool is_signed = to->type == RUNG_I8;
  const int32_t type = element_type(to->type), last = is_signed ? INT8_MAX : UINT8_MAX;
  const char *scale = export_float(file, export_name(file, "%s.scale", to->name), to->scale);
  const char *zero_point = export_integer(file, export_name(file, "%s.zero_point", to->name), type, to->zero_point);
  if (to->qmin <= from && to->qmax == last) {
    export_node(file, "QuantizeLinear", INPUTS(x, scale, zero_point), to->name);
  } else {
    const char *wide = export_name(file, "%s.wide", to->name);
    const char *qmin = export_integer(file, export_name(file, "%s.min", to->name), type, to->qmin);
    const char *qmax = export_integer(file, export_name(file, "%s.max", to->name), type, to->qmax);
    export_node(file, "QuantizeLinear", INPUTS(x, scale, zero_point), wide);
    export_node(file, "Clip", INPUTS(wide, qmin, qmax), to->name);
  }
  return export_node(file, "DequantizeLinear", INPUTS(to->name, scale, zero_point),
                     export_name(file, "%s.real", to->name));
}

/* ---- The parameters of a layer ---------------------------------------------------------------------------------- */

static const char *write_weight(export_file *file, const rung_integer_layer *layer, const char *name, int opset) {
  const bool blocks = layer->groups > 1;
  const int32_t type = layer->weight_format.bits <= HALF_BITS && opset >= BLOCKS_OPSET ? EXPORT_INT4 : EXPORT_INT8;
  const rung_shape each = blocks ? RUNG_SHAPE(layer->out, layer->groups) : RUNG_SHAPE(layer->out);
  const char *weight = export_name(file, "%s.weight", name), *scale = export_name(file, "%s.scale", weight),
             *zero_point = export_name(file, "%s.zero_point", weight), *real = export_name(file, "%s.real", weight);
  export_integers(file, weight, type, RUNG_SHAPE(layer->out, layer->in), layer->weight);
  export_floats(file, scale, each, layer->weight_scale);
  export_integers(file, zero_point, type, each, NULL);
  export_node(file, "DequantizeLinear", INPUTS(weight, scale, zero_point), real);
  export_attribute_int(file, "axis", blocks);
  if (blocks) export_attribute_int(file, "block_size", layer->group);
  return real;
}

/* Without groups: int32 at scale s_x s_w, the input's zero point taken out again (eq. 11 and 12). It fits: the
 * program's bound counts the zero point as an input. */
static const char *write_bias(export_file *file, const rung_integer_layer *layer, const char *name) {
  const size_t out = (size_t)layer->out;
  int32_t *bias = export_array(file, out, sizeof *bias), *zero = export_array(file, out, sizeof *zero);
  float *scale = export_array(file, out, sizeof *scale);
  const char *integers = export_name(file, "%s.bias", name);
  if (!bias || !zero || !scale) return integers;
  for (int64_t j = 0; j < layer->out; j++) {
    int64_t sum = 0;
    for (int64_t k = 0; k < layer->in; k++) sum += layer->weight[j * layer->in + k];
    bias[j] = (int32_t)(layer->bias[j] + layer->input_zero_point * sum);
    scale[j] = layer->input_scale * layer->weight_scale[j];
  }
  const rung_shape shape = RUNG_SHAPE(layer->out);
  const char *scales = export_floats(file, export_name(file, "%s.scale", integers), shape, scale);
  const char *zeros = export_int32s(file, export_name(file, "%s.zero_point", integers), shape, zero);
  export_int32s(file, integers, shape, bias);
  export_node(file, "DequantizeLinear", INPUTS(integers, scales, zeros), export_name(file, "%s.real", integers));
  export_attribute_int(file, "axis", 0);
  return export_name(file, "%s.real", integers);
}

/* With groups a channel has no one scale, and its bias is a real: eq. 9 the other way. */
static const char *write_real_bias(export_file *file, const rung_integer_layer *layer, const char *name) {
  float *bias = export_array(file, (size_t)layer->out, sizeof *bias);
  for (int64_t j = 0; j < layer->out && bias; j++)
    bias[j] = (float)ldexp((double)layer->bias64[j] * layer->output_scale, -layer->shift[j]);
  return export_floats(file, export_name(file, "%s.bias", name), RUNG_SHAPE(layer->out), bias);
}

/* ---- Layers ----------------------------------------------------------------------------------------------------- */

/* x [n, in], the real value of its integers -> that of the layer's output; at the last layer, LOGITS. */
static const char *write_layer(export_file *file, const rung_instruction *layer, const char *x,
                               const rung_onnx_options *options) {
  const rung_integer_layer *integers = &layer->integers;
  const bool last = integers->output_type == RUNG_I32;
  const char *name = layer->name, *weight = write_weight(file, integers, name, options->opset);
  const char *bias = integers->group ? write_real_bias(file, integers, name) : write_bias(file, integers, name);
  const char *y = last ? LOGITS : export_name(file, "%s.sum", name);
  export_node(file, "Gemm", INPUTS(x, weight, bias), y);
  export_attribute_int(file, "transB", 1);
  if (last) return y;
  const activation to = {name,           integers->output_type, integers->output_scale, integers->output_zero_point,
                         integers->qmin, integers->qmax};
  int32_t from = type_least(to.type);
  if (to.qmin == to.zero_point) { /* a ReLU, or a range without negative numbers, which is the same */
    y = export_node(file, "Relu", INPUTS(y), export_name(file, "%s.relu", name));
    from = to.zero_point;
  }
  if (options->trace) export_output(file, name, element_type(to.type), &RUNG_SHAPE(integers->out));
  return quantize(file, y, &to, from);
}

static const char *write_input(export_file *file, const rung_program *program) {
  const rung_buffer *input = rung_program_buffer(program, 0);
  const bool known = program->input_name[0] != '\0';
  const rung_shape shape = known ? program->input_shape : RUNG_SHAPE(input->count);
  const char *x = known ? program->input_name : "input";
  const activation to = {
      export_name(file, "%s.quantized", x), input->type, input->scale, input->zero_point, input->qmin, input->qmax};
  export_input(file, x, EXPORT_FLOAT, &shape);
  if (shape.rank != 1) {
    x = export_node(file, "Flatten", INPUTS(x), export_name(file, "%s.flat", x));
    export_attribute_int(file, "axis", 1);
  }
  return quantize(file, x, &to, type_least(to.type));
}

static const rung_integer_layer *integers_of(const rung_program *program, int index) {
  return &rung_program_instruction(program, index)->integers;
}

static int opset_needed(const rung_program *program) {
  for (int i = 0; i < rung_program_count(program); i++) {
    const rung_integer_layer *layer = integers_of(program, i);
    if (layer->groups > 1 || layer->weight_format.bits <= HALF_BITS) return BLOCKS_OPSET;
  }
  return FIRST_OPSET;
}

/* What is asked for, and whether it can be had. */
static rung_status settle_options(const rung_program *program, rung_onnx_options *options) {
  if (program->table)
    return rung_fail(
        RUNG_ERROR_UNSUPPORTED,
        "onnx: the program's inputs go through a table (input bits or a rescaling), which has no float form");
  if (!options->opset) options->opset = opset_needed(program);
  if (options->opset != FIRST_OPSET && options->opset != BLOCKS_OPSET)
    return rung_fail(RUNG_ERROR_ARGUMENT, "onnx: opset %d, expected %d or %d", options->opset, FIRST_OPSET,
                     BLOCKS_OPSET);
  for (int i = 0; i < rung_program_count(program); i++)
    if (integers_of(program, i)->binary)
      return rung_fail(RUNG_ERROR_UNSUPPORTED,
                       "onnx: %s gives 1-bit activations, which QuantizeLinear cannot, expected 2 bits or more",
                       rung_program_instruction(program, i)->name);
  for (int i = 0; i < rung_program_count(program); i++)
    if (integers_of(program, i)->groups > 1 && options->opset < BLOCKS_OPSET)
      return rung_fail(RUNG_ERROR_UNSUPPORTED, "onnx: %s has a scale a group, which opset %d lacks, expected opset %d",
                       rung_program_instruction(program, i)->name, options->opset, BLOCKS_OPSET);
  return RUNG_OK;
}

rung_status rung_program_export_onnx(const rung_program *program, const char *path, const rung_onnx_options *options) {
  if (!program || !path) return rung_fail(RUNG_ERROR_ARGUMENT, "onnx: the %s is NULL", program ? "path" : "program");
  rung_onnx_options settled = options ? *options : (rung_onnx_options){0};
  rung_status status = settle_options(program, &settled);
  if (status != RUNG_OK) return status;
  export_file file;
  export_begin(&file, "program", settled.opset);
  const char *x = write_input(&file, program);
  export_output(&file, LOGITS, EXPORT_FLOAT, &RUNG_SHAPE(rung_program_describe(program).outputs));
  for (int i = 0; i < rung_program_count(program); i++)
    x = write_layer(&file, rung_program_instruction(program, i), x, &settled);
  return export_end(&file, path);
}

#endif
