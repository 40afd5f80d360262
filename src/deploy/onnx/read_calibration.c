/* From the ranges and integers of a QDQ file to a calibrated model. Rung keeps shadows, not integers: s q, which, being
 * what is nearest to s qmax in the channel's largest, quantizes to scale s and integer q again where any shadow does.
 * At the end that is looked at, layer by layer. */
#include "import.h"

#include <math.h>
#include <stdlib.h>

/* ---- Weights ----------------------------------------------------------------------------------------------------- */

static int64_t columns_of(const import_weight *weight) {
  return weight->layer->input[1]->value.shape.extent[1];
}

/* Where weight [j, k] lies in the file's tensor. */
static int64_t file_index(const import_weight *weight, int64_t j, int64_t k) {
  const int64_t out = weight->layer->value.shape.extent[1];
  return weight->transposed ? k * out + j : j * columns_of(weight) + k;
}

static int64_t file_integer(const import_weight *weight, int64_t j, int64_t k) {
  return import_integer(&weight->value->tensor, file_index(weight, j, k));
}

static const char *weight_name(const import_weight *weight) {
  return import_text(weight->value->tensor.proto->name);
}

static rung_status check_symmetric(const import *in, const import_weight *weight) {
  const import_tensor *zero_point = &weight->value->grid.zero_point;
  for (int64_t i = 0; zero_point->proto && i < zero_point->count; i++)
    if (import_integer(zero_point, i) != 0)
      return rung_fail(RUNG_ERROR_UNSUPPORTED,
                       "%s: weight '%.120s' is asymmetric: zero point %lld, expected 0, as Rung's weights have",
                       in->path, weight_name(weight), (long long)import_integer(zero_point, i));
  return RUNG_OK;
}

/* ---- Layers ------------------------------------------------------------------------------------------------------ */

/* A row for each weight's layer, [in->weights], which takes what is the layer's own: bits of 0 are the scheme's. */
static rung_layer_scheme *layers_new(const import *in) {
  size_t count = 0;
  for (const import_weight *weight = in->weights; weight; weight = weight->next) count++;
  rung_layer_scheme *layers = rung_arena_array(in->arena, count, sizeof *layers);
  char *name = rung_arena_array(in->arena, count, RUNG_LAYER_NAME);
  if (!layers || !name) return NULL;
  for (const import_weight *weight = in->weights; weight; weight = weight->next, name += RUNG_LAYER_NAME)
    (layers++)->name = rung_layer_name(weight->layer->input[1], name, RUNG_LAYER_NAME);
  return layers - count;
}

/* The row of the layer whose output, behind activations and the like, `node` is. NULL: of none. */
static rung_layer_scheme *layer_of(const import *in, rung_layer_scheme *layers, const rung_node *node) {
  while (node->op != &rung_op_linear && node->op->input_count > 0 && !rung_node_is_parameter(node->input[0]))
    node = node->input[0];
  for (const import_weight *weight = in->weights; weight; weight = weight->next, layers++)
    if (weight->layer == node) return layers;
  return NULL;
}

/* The scheme takes the rows that say something. */
static void keep_own(const import *in, rung_layer_scheme *layers, rung_scheme *scheme) {
  const rung_layer_scheme *row = layers;
  for (const import_weight *weight = in->weights; weight; weight = weight->next, row++)
    if (row->weight_bits || row->activation_bits) layers[scheme->layer_count++] = *row;
  scheme->layers = layers;
}

/* The bits whose largest integer is `most`; 0: none. */
static int bits_reaching(int64_t most) {
  for (int bits = 2; bits <= 8; bits++)
    if (most == (1 << (bits - 1)) - 1) return bits;
  return 0;
}

static int64_t largest(const import_weight *weight, int64_t *least) {
  int64_t most = 0;
  for (int64_t i = 0; i < weight->value->tensor.count; i++) {
    int64_t q = import_integer(&weight->value->tensor, i), magnitude = q < 0 ? q == INT64_MIN ? INT64_MAX : -q : q;
    if (magnitude > most) most = magnitude;
    if (magnitude < *least) *least = magnitude;
  }
  return most;
}

/* The bits whose largest integer a layer's weights reach: the scale of a channel is its largest magnitude over that
 * (eq. 5). The scheme has the most; where no weight of the model is 0 and none larger than 1 they are binary. */
static rung_status find_bits(const import *in, rung_scheme *scheme, rung_layer_scheme *layers) {
  int64_t most = 0, least = INT64_MAX;
  const import_weight *where = NULL;
  rung_layer_scheme *layer = layers;
  for (const import_weight *weight = in->weights; weight; weight = weight->next) {
    const int64_t of_layer = largest(weight, &least);
    if (of_layer > most) most = of_layer, where = weight;
    (layer++)->weight_bits = bits_reaching(of_layer);
  }
  const int bits = bits_reaching(most);
  if (!bits)
    return rung_fail(RUNG_ERROR_UNSUPPORTED,
                     "%s: weight '%.120s' reaches %lld, expected the weights to reach 1, 3, 7, 15, 31, 63 or 127, as "
                     "symmetric ones of 2 to 8 bits do",
                     in->path, where ? weight_name(where) : "", (long long)most);
  while (layer-- != layers)
    if (layer->weight_bits == bits) layer->weight_bits = 0;
  scheme->weight_bits = most == 1 && least == 1 ? 1 : bits;
  return RUNG_OK;
}

/* ---- Ranges ------------------------------------------------------------------------------------------------------ */

/* What is quantized is what stands before operations that pass integers on. */
static const rung_node *root_of(const rung_node *node) {
  while (node->op == &rung_op_reshape || node->op == &rung_op_dropout) node = node->input[0];
  return node;
}

static rung_known_range range_of(const import_range *range) {
  const import_grid *grid = &range->grid;
  return (rung_known_range){.node = root_of(range->node),
                            .scale = import_real(&grid->scale, 0),
                            .zero_point = grid->zero_point.proto ? (int32_t)import_integer(&grid->zero_point, 0) : 0};
}

/* ---- The scheme -------------------------------------------------------------------------------------------------- */

/* One scale for all, though the file may write it once for each output. */
static bool is_per_tensor(const import_grid *grid) {
  for (int64_t i = 1; i < grid->scale.count; i++)
    if (import_real(&grid->scale, i) != import_real(&grid->scale, 0)) return false;
  return true;
}

static rung_status find_granularity(const import *in, rung_scheme *scheme) {
  scheme->weight_granularity = RUNG_PER_TENSOR;
  for (const import_weight *weight = in->weights; weight; weight = weight->next) {
    const import_grid *grid = &weight->value->grid;
    const int outputs = weight->transposed ? 1 : 0;
    bool grouped = grid->axis == 1 - outputs && grid->block > 0;
    if (grid->axis >= 0 && !grouped && (grid->axis != outputs || grid->block > 0))
      return rung_fail(RUNG_ERROR_UNSUPPORTED,
                       "%s: weight '%.120s' has a scale for each of its inputs, expected one a tensor, an output or a "
                       "group of inputs",
                       in->path, weight_name(weight));
    if (grouped) {
      scheme->weight_granularity = RUNG_PER_GROUP;
      scheme->weight_group = grid->block;
    } else if (!is_per_tensor(grid) && scheme->weight_granularity == RUNG_PER_TENSOR) {
      scheme->weight_granularity = RUNG_PER_CHANNEL;
    }
  }
  return RUNG_OK;
}

/* What a range tells of the scheme. */
typedef struct range_format {
  int bits;
  bool is_signed, symmetric, affine; /* neither of the last two: its lower end is a ReLU's, and tells nothing */
} range_format;

static rung_status format_of(const import *in, const import_range *range, range_format *format) {
  *format = (range_format){0};
  int bits;
  if (!import_type_is_integer(range->grid.type, &bits, &format->is_signed) || bits > 8)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: '%.120s' is of element type %d, expected integers of at most 8 bits",
                     in->path, range->by, range->grid.type);
  const int sign = format->is_signed;
  const int64_t low = range->clamped ? range->qmin : -((int64_t)sign << (bits - 1));
  const int64_t high = range->clamped ? range->qmax : ((int64_t)1 << (bits - sign)) - 1;
  for (bits = 2; bits <= 8; bits++)
    if (high == ((int64_t)1 << (bits - sign)) - 1) format->bits = bits;
  const int64_t least = format->bits == 0 ? low + 1 : -((int64_t)sign << (format->bits - 1)); /* 0: no low end fits */
  const int64_t zero = range_of(range).zero_point;
  const bool relu = range->node->op == &rung_op_relu || range->node->op == &rung_op_relu6;
  format->affine = low == least;
  format->symmetric = sign && low == least + 1 && zero == 0;
  if (format->bits == 0 || !(format->affine || format->symmetric || (relu && low == zero)))
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: '%.120s' is clamped to %lld..%lld, expected the range of some bits",
                     in->path, range->by, (long long)low, (long long)high);
  if (relu && low == zero) format->affine = false;
  return RUNG_OK;
}

static bool is_of_input(const import *in, const import_range *range) {
  return root_of(range->node) == in->input;
}

/* All activations are of one format, but that layers may have bits of their own; so may the input. */
static rung_status find_activations(const import *in, rung_scheme *scheme, rung_layer_scheme *layers) {
  const import_range *first = NULL;
  range_format all = {0}, format;
  for (int inputs = 0; inputs < 2; inputs++)
    for (const import_range *range = in->ranges; range; range = range->next) {
      rung_status status = format_of(in, range, &format);
      if (status != RUNG_OK) return status;
      if (is_of_input(in, range) != inputs || (inputs && first)) continue;
      if (!first) first = range, all = format;
      rung_layer_scheme *layer = format.bits == all.bits ? NULL : layer_of(in, layers, range->node);
      if ((format.bits != all.bits && !layer) || format.is_signed != all.is_signed)
        return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: '%.120s' and '%.120s' are of different bits or signs", in->path,
                         range->by, first->by);
      if (layer) layer->activation_bits = format.bits;
      all.symmetric |= format.symmetric;
      all.affine |= format.affine;
    }
  if (all.symmetric && all.affine)
    return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: some activations are symmetric and some are not", in->path);
  scheme->activation_bits = all.bits;
  scheme->activation_signed = all.is_signed;
  scheme->activation_symmetric = all.symmetric;
  return RUNG_OK;
}

/* ---- Calibrating ------------------------------------------------------------------------------------------------- */

/* A file may quantize a value again behind a reshape: the same range, once. */
static rung_status gather_ranges(const import *in, rung_known_range *ranges, int *count) {
  for (const import_range *from = in->ranges; from; from = from->next) {
    const rung_known_range range = range_of(from);
    int i = 0;
    while (i < *count && ranges[i].node != range.node) i++;
    if (i == *count)
      ranges[(*count)++] = range;
    else if (ranges[i].scale != range.scale || ranges[i].zero_point != range.zero_point)
      return rung_fail(RUNG_ERROR_UNSUPPORTED, "%s: '%.120s' quantizes with another scale what is quantized already",
                       in->path, from->by);
  }
  return RUNG_OK;
}

/* Inputs come as integers where the file says so, or where their format is not that of the rest. */
static rung_tensor input_type(const import *in, const rung_scheme *scheme) {
  for (const import_range *range = in->ranges; range; range = range->next) {
    range_format format;
    if (!is_of_input(in, range) || format_of(in, range, &format) != RUNG_OK || format.bits != 8) continue;
    bool alike = scheme->activation_bits == 8 && format.is_signed == scheme->activation_signed;
    if (alike && !in->integer_input) continue;
    const rung_known_range its = range_of(range);
    return (rung_tensor){
        .type = format.is_signed ? RUNG_I8 : RUNG_U8, .scale = its.scale, .zero_point = its.zero_point};
  }
  return (rung_tensor){.type = RUNG_F32};
}

/* Of an input in f32; 0: those of activations. */
static int input_bits(const import *in) {
  range_format format;
  for (const import_range *range = in->ranges; range; range = range->next)
    if (is_of_input(in, range) && format_of(in, range, &format) == RUNG_OK) return format.bits;
  return 0;
}

/* ---- Looking at the result --------------------------------------------------------------------------------------- */

static rung_status view_layer(const import *in, const import_weight *weight, rung_integer_layer *layer) {
  const rung_quantization *quantization = rung_model_quantization(in->model);
  return rung_integer_layer_view(rung_quantization_node(quantization, RUNG_ARITHMETIC_INTEGER, weight->layer), layer);
}

static int64_t file_bias(const import_weight *weight, int64_t j) {
  const import_tensor *q = &weight->bias->tensor, *zero = &weight->bias->grid.zero_point;
  return import_integer(q, q->count == 1 ? 0 : j) - (zero->proto ? import_integer(zero, zero->count == 1 ? 0 : j) : 0);
}

/* Whether the file's bias is at the scale s_x s_w (eq. 12); one on another grid is a real bias like any. */
static bool shares_scale(const import_weight *weight, const rung_integer_layer *layer, int64_t j) {
  double scale = (double)layer->input_scale * layer->weight_scale[j];
  double given = (double)import_scale(weight->bias, weight->bias->tensor.count == 1 ? 0 : j);
  return fabs(given - scale) <= 1e-5 * scale;
}

/* That scale is known now to more digits than the file has. */
static rung_status set_biases(const import *in) {
  for (const import_weight *weight = in->weights; weight; weight = weight->next) {
    rung_integer_layer layer;
    rung_status status = view_layer(in, weight, &layer);
    if (status != RUNG_OK) return status;
    float *b = weight->bias ? weight->layer->input[2]->value.data : NULL;
    for (int64_t j = 0; b && !layer.group && j < layer.out; j++)
      if (shares_scale(weight, &layer, j))
        b[j] = (float)((double)file_bias(weight, j) * layer.input_scale * layer.weight_scale[j]);
  }
  return RUNG_OK;
}

/* Channel j's integers, scales and bias, as the file has them; the scale of zeros may be any. */
static bool is_same_channel(const import_weight *weight, const rung_integer_layer *layer, int64_t j) {
  int64_t length = layer->group ? layer->group : layer->in, sum = 0, magnitude = 0;
  for (int64_t k = 0; k < layer->in; k++) {
    int64_t q = file_integer(weight, j, k), group = j * layer->groups + k / length;
    if (layer->weight[j * layer->in + k] != q) return false;
    if (q != 0 && layer->weight_scale[group] != import_scale(weight->value, file_index(weight, j, k))) return false;
    sum += q;
    magnitude += llabs(q);
  }
  if (!weight->bias || layer->group || magnitude == 0) return true;
  if (!shares_scale(weight, layer, j)) return true;
  return layer->bias[j] == file_bias(weight, j) - (int64_t)layer->input_zero_point * sum;
}

static rung_status check_integers(const import *in) {
  for (const import_weight *weight = in->weights; weight; weight = weight->next) {
    rung_integer_layer layer;
    rung_status status = view_layer(in, weight, &layer);
    if (status != RUNG_OK) return status;
    for (int64_t j = 0; j < layer.out; j++)
      if (!is_same_channel(weight, &layer, j))
        return rung_fail(RUNG_ERROR_UNSUPPORTED,
                         "%s: weight '%.120s', output %lld: Rung cannot hold its integers; the scale of weights is the "
                         "largest magnitude over %d, a bias fits an int32",
                         in->path, weight_name(weight), (long long)j, (1 << (layer.weight_format.bits - 1)) - 1);
  }
  return RUNG_OK;
}

/* ---- All of it --------------------------------------------------------------------------------------------------- */

static rung_status calibrate(import *in, rung_scheme *scheme) {
  int count = 0;
  for (const import_range *range = in->ranges; range; range = range->next) count++;
  rung_known_range *ranges = rung_arena_array(in->arena, (size_t)count, sizeof *ranges);
  if (!ranges) return RUNG_ERROR_MEMORY;
  count = 0;
  rung_status status = gather_ranges(in, ranges, &count);
  if (status != RUNG_OK) return status;
  const rung_tensor inputs = input_type(in, scheme);
  if (inputs.type == RUNG_F32 && input_bits(in) != scheme->activation_bits) scheme->input_bits = input_bits(in);
  for (int i = 0; i < count && inputs.type != RUNG_F32; i++)
    if (ranges[i].node == in->input) ranges[i] = ranges[--count]; /* said by `inputs` */
  status = rung_quantize(in->model, scheme);
  if (status == RUNG_OK) status = rung_calibrate_known(in->model, &inputs, ranges, count);
  return status == RUNG_OK ? RUNG_OK : rung_fail(status, "%s: %s", in->path, rung_error());
}

/* Folding one (src/quant/fold.h) would change the weights that the file has integers for. */
static rung_status refuse_batch_norms(const import *in) {
  rung_graph *graph = rung_model_graph(in->model);
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (node->op == &rung_op_batch_norm)
      return rung_fail(RUNG_ERROR_UNSUPPORTED,
                       "%s: BatchNormalization with '%.120s' in a quantized file, expected it folded into the layer "
                       "before",
                       in->path, node->input[1]->name);
  }
  return RUNG_OK;
}

rung_status import_calibrate(import *in) {
  if (!in->weights && !in->ranges) return RUNG_OK;
  if (!in->weights || !in->ranges || in->float_layers > 0)
    return rung_fail(RUNG_ERROR_UNSUPPORTED,
                     "%s: only some of its weights and activations are quantized, expected all of them or none",
                     in->path);
  rung_scheme scheme = {0};
  rung_layer_scheme *layers = layers_new(in);
  if (!layers) return RUNG_ERROR_MEMORY;
  rung_status status = refuse_batch_norms(in);
  for (const import_weight *weight = in->weights; weight && status == RUNG_OK; weight = weight->next)
    status = check_symmetric(in, weight);
  if (status == RUNG_OK) status = find_bits(in, &scheme, layers);
  if (status == RUNG_OK) status = find_granularity(in, &scheme);
  if (status == RUNG_OK) status = find_activations(in, &scheme, layers);
  if (status != RUNG_OK) return status;
  keep_own(in, layers, &scheme);
  status = calibrate(in, &scheme);
  if (status != RUNG_OK) return status;
  rung_quantization *quantization = rung_model_quantization(in->model);
  rung_quantization_make_integers(quantization);
  status = set_biases(in);
  if (status != RUNG_OK) return status;
  rung_model_touch(in->model);
  rung_quantization_make_integers(quantization);
  return check_integers(in);
}
