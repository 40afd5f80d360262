/* From a float graph to its two quantized ones. The float graph is walked in order; each node becomes a node of the new
 * graph, in f32, in integers, or (when both kinds of consumer want it) in both. */
#include "accumulator.h"
#include "fold.h"
#include "ops/quantized_ops.h"
#include "qat.h"
#include "quantization.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct lowering {
  rung_quantization *quantization;
  rung_arithmetic arithmetic;
  rung_graph *graph;
  image *images;
  rung_status status; /* of what is not in the graph: the quantizers */
} lowering;

/* ---- Questions about the float graph ---------------------------------------------------------------------------- */

static int consumers(const rung_graph *source, const rung_node *node, const rung_node **only) {
  int count = 0;
  for (int i = node->index + 1; i < rung_graph_node_count(source); i++) {
    rung_node *user = rung_graph_node(source, i);
    for (int k = 0; k < user->op->input_count; k++)
      if (user->input[k] == node) {
        *only = user;
        count++;
      }
  }
  return count;
}

static bool passes_integers(const rung_node *node) {
  return node->op == &rung_op_reshape || node->op == &rung_op_dropout;
}

/* Whether a linear layer reads the node, at once or behind operations that pass integers. */
static bool wanted_on_grid(const rung_graph *source, const rung_node *node) {
  for (int i = node->index + 1; i < rung_graph_node_count(source); i++) {
    const rung_node *user = rung_graph_node(source, i);
    if (user->input[0] != node) continue;
    if (user->op == &rung_op_linear || (passes_integers(user) && wanted_on_grid(source, user))) return true;
  }
  return false;
}

/* The batch norm that merges into a linear layer: its only reader, if it is to stay and is no other's. */
static const rung_node *merged_norm(const rung_quantization *quantization, const rung_node *linear) {
  const rung_node *user = NULL;
  if (consumers(quantization->source, linear, &user) != 1 || user->op != &rung_op_batch_norm || fold_is_folded(user))
    return NULL;
  const bool whole = rung_tensor_count(&user->input[1]->value) < linear->value.shape.extent[1];
  return user->input[0] == linear && (whole || quantization->scheme.batch_norm == RUNG_BATCH_NORM_MERGE) ? user : NULL;
}

/* The activation that a linear layer's epilogue can do: the only reader of `at`, the layer or the batch norm that is
 * merged into it, if that is a clamp (behind a folded batch norm, which by now is the identity or the layer's bias). */
static const rung_node *fused_activation(const rung_graph *source, const rung_node *at, rung_clamp *clamp) {
  const rung_node *user = NULL;
  *clamp = RUNG_CLAMP_NONE;
  while (consumers(source, at, &user) == 1 && fold_is_folded(user)) at = user;
  if (consumers(source, at, &user) != 1) return at;
  if (user->op == &rung_op_relu) *clamp = RUNG_CLAMP_RELU;
  if (user->op == &rung_op_relu6) *clamp = RUNG_CLAMP_RELU6;
  return *clamp == RUNG_CLAMP_NONE ? at : user;
}

/* The scheme of the layer whose output `node` is, behind activations and the like; of other values the network's. */
static rung_scheme scheme_of(const rung_quantization *quantization, const rung_node *node) {
  char name[RUNG_LAYER_NAME];
  while (node->op != &rung_op_linear && node->op->input_count > 0 && !rung_node_is_parameter(node->input[0]))
    node = node->input[0];
  if (node->op != &rung_op_linear) return quantization->scheme;
  return rung_scheme_of_layer(&quantization->scheme, rung_layer_name(node->input[1], name, sizeof name));
}

/* Of an input, rescaled or not, that comes as integers and does not stay these, what it is bound to; else NULL. */
static const rung_tensor *requantized_input(const rung_quantization *quantization, const rung_node *node) {
  const rung_node *leaf = node->op == &rung_op_rescale ? node->input[0] : node;
  const rung_tensor *bound = rung_node_is_input(leaf) ? rung_graph_bound(leaf) : NULL;
  const bool integers = bound && (bound->type == RUNG_U8 || bound->type == RUNG_I8);
  return integers && (leaf != node || quantization->scheme.input_bits) ? bound : NULL;
}

/* A rescaled input has a table where it comes in 8 bits; of reals there is none. */
static rung_status check_rescale(const rung_quantization *quantization, const rung_node *node) {
  const rung_tensor *bound = rung_node_is_input(node->input[0]) ? rung_graph_bound(node->input[0]) : NULL;
  if (!bound || bound->type != RUNG_F32 || !wanted_on_grid(quantization->source, node)) return RUNG_OK;
  return rung_fail(RUNG_ERROR_UNSUPPORTED,
                   "quantize: '%s' has an integer form for 8-bit data alone, '%s' is f32; give it u8 or i8, or rescale "
                   "the data beforehand and leave the layer out",
                   node->name, node->input[0]->name);
}

/* ---- Images ----------------------------------------------------------------------------------------------------- */

static bool is_integers(const rung_node *node) {
  return node->value.type == RUNG_U8 || node->value.type == RUNG_I8 || rung_integer_layer_weight(node) != NULL;
}

/* An input that comes as reals. */
static bool is_input(const rung_node *node) {
  return rung_node_is_input(node->op == &rung_op_rescale ? node->input[0] : node);
}

/* Whether a value cannot be negative, whatever the network computes. */
static bool is_nonnegative(const rung_node *node) {
  if (passes_integers(node)) return is_nonnegative(node->input[0]);
  return node->op == &rung_op_relu || node->op == &rung_op_relu6 || node->op == &rung_op_sigmoid;
}

/* Methods other than observing have zero point 0: what can be negative is signed. */
static rung_format activation_format(const rung_scheme *scheme, const rung_node *source) {
  rung_scheme of_value = *scheme;
  if (scheme->input_bits && is_input(source)) of_value.activation_bits = scheme->input_bits;
  rung_format format = rung_scheme_activation_format(&of_value);
  if (scheme->activations == RUNG_ACTIVATIONS_OBSERVED) return format;
  format.is_signed |= !is_nonnegative(source);
  format.symmetric |= format.is_signed && scheme->activations != RUNG_ACTIVATIONS_LSQ;
  return format;
}

static rung_quantizer *quantizer_of(lowering *lower, const rung_node *source) {
  rung_quantizer **slot = &lower->quantization->quantizer[source->index];
  if (!*slot) {
    const rung_scheme scheme = scheme_of(lower->quantization, source);
    const rung_format format = activation_format(&scheme, source);
    *slot = rung_quantizer_new_with(source->name, &format, &scheme.observer, scheme.activations, scheme.clip_decay);
    if (!*slot) lower->status = rung_error_status();
  }
  return *slot;
}

static rung_node *share(lowering *lower, rung_node *parameter) {
  return parameter ? rung_graph_share(lower->graph, parameter) : NULL;
}

/* A scale of what `node` of the source computes, all 0 at first. Weight decay is none of its business. */
static rung_node *new_scale(rung_graph *graph, const rung_node *node, rung_shape shape, bool trains) {
  char name[256];
  snprintf(name, sizeof name, "%s.scale", node->name);
  rung_node *scale = rung_graph_parameter(graph, name, shape);
  rung_node_set_trainable(scale, trains);
  rung_node_set_decays(scale, false);
  return scale;
}

/* The parameter that the method of an activation trains; NULL where it trains none. */
static rung_node *activation_scale(lowering *lower, const rung_node *source) {
  rung_quantization *quantization = lower->quantization;
  rung_node **slot = &quantization->activation_scale[source->index];
  if (!activation_method_of(quantization->scheme.activations)->parameter) return NULL;
  if (!*slot) *slot = new_scale(quantization->learned, source, RUNG_SHAPE(1), true);
  if (!*slot) lower->status = rung_error_status();
  return share(lower, *slot);
}

static rung_node *real_image(lowering *lower, const rung_node *source) {
  image *im = &lower->images[source->index];
  if (!im->real && im->exact) im->real = is_integers(im->exact) ? rung_dequantize_node(im->exact) : im->exact;
  return im->real;
}

/* Of a requantized input: integers by a table, which is made from the input as it comes; the simulation rounds to the
 * same grid. */
static rung_node *requantized_image(lowering *lower, const rung_node *source, const rung_tensor *bound) {
  rung_quantizer **slot = &lower->quantization->grid[source->index];
  const int bits = lower->quantization->scheme.input_bits ? lower->quantization->scheme.input_bits : 8;
  const rung_node *rescale = source->op == &rung_op_rescale ? source : NULL;
  if (!*slot) *slot = requantize_input_grid(bound, rescale, bits, source->name);
  if (!*slot) {
    lower->status = rung_error_status();
    return NULL;
  }
  if (lower->arithmetic == RUNG_ARITHMETIC_SIMULATED)
    return rung_fake_quantize(real_image(lower, source), *slot, RUNG_RANGES_DELAYED);
  return rung_requantize_input(lower->images[(rescale ? rescale->input[0] : source)->index].exact, rescale, *slot);
}

static rung_node *grid_image(lowering *lower, const rung_node *source) {
  image *im = &lower->images[source->index];
  if (im->grid) return im->grid;
  const rung_tensor *requantized = requantized_input(lower->quantization, source);
  if (requantized) return im->grid = requantized_image(lower, source, requantized);
  if (!im->exact) return NULL;
  if (im->exact->value.type == RUNG_U8 || im->exact->value.type == RUNG_I8) return im->grid = im->exact;
  rung_quantizer *quantizer = quantizer_of(lower, source);
  rung_node *real = real_image(lower, source);
  if (!quantizer || !real) return NULL;
  rung_ranges ranges = lower->quantization->scheme.ranges;
  rung_node *scale = activation_scale(lower, source);
  im->grid = lower->arithmetic == RUNG_ARITHMETIC_INTEGER ? rung_quantize_node_with(real, scale, quantizer, ranges)
                                                          : rung_fake_quantize_with(real, scale, quantizer, ranges);
  return im->grid;
}

/* ---- One rule a kind of node ------------------------------------------------------------------------------------ */

static rung_node *lower_leaf(lowering *lower, const rung_node *node) {
  rung_node *leaf = rung_record_leaf(lower->graph, node->op, node->name, node->attributes, node->attribute_bytes);
  const rung_tensor *bound = rung_graph_bound(node);
  if (!leaf || !bound || rung_graph_bind(leaf, bound) != RUNG_OK) return leaf;
  if (leaf->value.type == RUNG_F32 && bound->type != RUNG_F32) {
    leaf->value.type = bound->type; /* the layers behind it are recorded for integers */
    leaf->value.scale = bound->scale;
    leaf->value.zero_point = bound->zero_point;
  }
  return leaf;
}

/* Every image from `linear` to `last`, what its epilogue does of the nodes behind it, is the quantized layer. */
static void spread_image(lowering *lower, const rung_node *linear, const rung_node *last, image im) {
  const rung_node *user = linear;
  lower->images[linear->index] = im;
  while (user != last && consumers(lower->quantization->source, user, &user) == 1) lower->images[user->index] = im;
}

/* Where the weight's scales from outside are, or those that train; both graphs and all layers of the weight share it.
 */
static rung_node *weight_scale(lowering *lower, const rung_node *weight) {
  rung_quantization *quantization = lower->quantization;
  const rung_scheme *scheme = &quantization->scheme;
  rung_node **slot = &quantization->weight_scale[weight->index];
  const bool learns = scheme->weights == RUNG_WEIGHTS_LSQ;
  if (!*slot) {
    const int64_t out = weight->value.shape.extent[0], in = rung_tensor_count(&weight->value) / out;
    const int64_t group = scheme->weight_granularity == RUNG_PER_GROUP ? scheme->weight_group : in;
    const rung_shape shape =
        scheme->weight_granularity == RUNG_PER_TENSOR ? RUNG_SHAPE(1) : RUNG_SHAPE(out, (in + group - 1) / group);
    *slot = new_scale(learns ? quantization->learned : quantization->given, weight, shape, learns);
    if (!*slot) lower->status = rung_error_status();
  }
  return share(lower, *slot);
}

/* What the magnitudes of a channel's integers may sum to (eq. 68); 0: no limit. */
static int32_t weight_limit(lowering *lower, const rung_node *linear) {
  const rung_scheme scheme = scheme_of(lower->quantization, linear);
  if (!scheme.accumulator_bits) return 0;
  const rung_node *x = lower->arithmetic == RUNG_ARITHMETIC_INTEGER
                           ? grid_image(lower, linear->input[0])
                           : lower->quantization->images[RUNG_ARITHMETIC_INTEGER][linear->input[0]->index].grid;
  if (!x || lower->status != RUNG_OK) return 0;
  int32_t qmin, qmax;
  quantized_range(x, &qmin, &qmax);
  const int32_t limit = accumulator_limit(scheme.accumulator_bits, -qmin > qmax ? -qmin : qmax);
  const int64_t in = linear->input[1]->value.shape.extent[1];
  const int bits = rung_scheme_weight_format(&scheme).bits;
  const bool no_zero = bits == 1 || weight_method_of(scheme.weights, bits)->odd;
  if (limit < 1 || (no_zero && in > limit))
    lower->status = rung_fail(RUNG_ERROR_ARGUMENT,
                              "quantize: accumulator_bits %d: '%s' has %lld inputs of magnitude up to %d, of which "
                              "its weights%s can sum %d",
                              scheme.accumulator_bits, linear->input[1]->name, (long long)in,
                              -qmin > qmax ? -qmin : qmax, no_zero ? ", which have no 0," : "", limit);
  return no_zero ? 0 : limit;
}

/* Of a layer as it trains by itself, or as a part. */
static rung_quantized_linear_options layer_options(lowering *lower, const rung_node *node) {
  const rung_scheme scheme = scheme_of(lower->quantization, node);
  return (rung_quantized_linear_options){.weight_format = rung_scheme_weight_format(&scheme),
                                         .granularity = scheme.weight_granularity,
                                         .group = scheme.weight_granularity == RUNG_PER_GROUP ? scheme.weight_group : 0,
                                         .ranges = scheme.ranges,
                                         .backward = scheme.backward,
                                         .weights = scheme.weights,
                                         .weight_limit = weight_limit(lower, node),
                                         .weight_scale = weight_scale(lower, node->input[1])};
}

static rung_node *record_layer(lowering *lower, const rung_node *node, const rung_quantized_linear_options *options) {
  return rung_quantized_linear(grid_image(lower, node->input[0]), share(lower, node->input[1]),
                               share(lower, fold_bias(node)), options);
}

/* `node` in f32, on x in place of its first input. */
static rung_node *record_behind(lowering *lower, const rung_node *node, rung_node *x) {
  rung_node *inputs[RUNG_MAX_INPUTS] = {x};
  for (int k = 1; k < node->op->input_count; k++) inputs[k] = share(lower, node->input[k]);
  return x ? rung_record(node->op, inputs, node->attributes, node->attribute_bytes) : NULL;
}

/* The layer's accumulators in f32, through what stands behind them to the quantizer: so it trains. */
static rung_node *record_merged(lowering *lower, const rung_node *node, const rung_node *norm, rung_clamp clamp,
                                rung_quantizer *output, rung_node *scale) {
  rung_quantized_linear_options options = layer_options(lower, node);
  options.accumulators = true;
  rung_node *linear = record_layer(lower, node, &options), *x = linear, *live = NULL;
  if (norm) x = live = record_behind(lower, norm, x);
  if (clamp != RUNG_CLAMP_NONE) x = clamp == RUNG_CLAMP_RELU ? rung_relu(x) : rung_relu6(x);
  if (output) x = rung_quantize_node_with(x, scale, output, options.ranges);
  return rung_merged_linear(x, linear, live, clamp);
}

/* The sign of what is not negative says nothing. */
static rung_status check_clamp(const rung_quantizer *output, const rung_node *last, rung_clamp clamp) {
  if (clamp == RUNG_CLAMP_NONE || output->format.bits != 1) return RUNG_OK;
  return rung_fail(RUNG_ERROR_ARGUMENT, "quantize: '%s' has no negative values, whose sign 1 bit is; leave it out",
                   last->name);
}

static void lower_linear_to_integers(lowering *lower, const rung_node *node) {
  const rung_node *norm = merged_norm(lower->quantization, node), *core = norm ? norm : node;
  rung_clamp clamp;
  const rung_node *last = fused_activation(lower->quantization->source, core, &clamp);
  bool grid = wanted_on_grid(lower->quantization->source, last);
  if (!grid && clamp != RUNG_CLAMP_NONE) { /* an activation that only f32 reads: on the logits, as f32 */
    clamp = RUNG_CLAMP_NONE;
    last = core;
  }
  rung_quantizer *output = grid ? quantizer_of(lower, last) : NULL;
  if (grid && !output) return;
  if (grid && lower->status == RUNG_OK) lower->status = check_clamp(output, last, clamp);
  rung_node *layer;
  if (norm || (output && output->format.bits == 1)) {
    layer = record_merged(lower, node, norm, clamp, output, output ? activation_scale(lower, last) : NULL);
  } else {
    rung_quantized_linear_options options = layer_options(lower, node);
    options.clamp = clamp;
    options.output = output;
    options.output_scale = output ? activation_scale(lower, last) : NULL;
    layer = record_layer(lower, node, &options);
  }
  spread_image(lower, node, last, (image){.exact = layer, .grid = grid ? layer : NULL});
}

static void lower_linear_to_simulation(lowering *lower, const rung_node *node) {
  const rung_scheme of_layer = scheme_of(lower->quantization, node), *scheme = &of_layer;
  const rung_weight_options options = {.format = rung_scheme_weight_format(scheme),
                                       .granularity = scheme->weight_granularity,
                                       .group = scheme->weight_granularity == RUNG_PER_GROUP ? scheme->weight_group : 0,
                                       .method = scheme->weights,
                                       .limit = weight_limit(lower, node)};
  rung_node *weight =
      rung_fake_quantize_weight_with(share(lower, node->input[1]), weight_scale(lower, node->input[1]), &options);
  lower->images[node->index].exact =
      rung_linear_with(grid_image(lower, node->input[0]), weight, share(lower, fold_bias(node)));
}

/* Weights in a format that has no integer form: all else stays in f32, in both graphs. */
static void lower_linear_to_storage(lowering *lower, const rung_node *node) {
  const rung_scheme *scheme = &lower->quantization->scheme;
  const rung_storage storage = {
      .format = scheme->weight_storage, .granularity = scheme->weight_granularity, .group = scheme->weight_group};
  rung_node *weight = rung_store_weight(share(lower, node->input[1]), &storage);
  lower->images[node->index].exact =
      rung_linear_with(real_image(lower, node->input[0]), weight, share(lower, fold_bias(node)));
}

/* A pass keeps to the grid where a linear layer behind it wants it so, in both graphs: one quantizer stands before it.
 */
static rung_node *lower_pass(lowering *lower, const rung_node *node) {
  rung_node *x = wanted_on_grid(lower->quantization->source, node) ? grid_image(lower, node->input[0]) : NULL;
  if (!x) return NULL;
  if (!is_integers(x)) return rung_record(node->op, &x, node->attributes, node->attribute_bytes);
  if (node->op == &rung_op_dropout) return quantized_dropout(x, rung_dropout_probability(node));
  rung_shape example = {.rank = node->value.shape.rank - 1};
  for (int i = 0; i < example.rank; i++) example.extent[i] = node->value.shape.extent[i + 1];
  return quantized_reshape(x, example);
}

/* What `reader`, in f32, reads: of a value that the integer graph has as integers, those, in both graphs; not so within
 * what is one layer there. */
static rung_node *f32_operand(lowering *lower, const rung_node *reader, const rung_node *input) {
  const image *im = &lower->images[input->index], *integers = lower->quantization->images[RUNG_ARITHMETIC_INTEGER];
  const image *there = &integers[input->index];
  bool on_grid = there->grid && there->grid == there->exact && there->exact != integers[reader->index].exact;
  return on_grid && im->exact && !is_integers(im->exact) ? grid_image(lower, input) : real_image(lower, input);
}

static rung_node *lower_in_f32(lowering *lower, const rung_node *node) {
  rung_node *inputs[RUNG_MAX_INPUTS] = {0};
  for (int k = 0; k < node->op->input_count; k++) {
    rung_node *input = node->input[k];
    if (!input) continue;
    inputs[k] = rung_node_is_parameter(input) ? share(lower, input) : f32_operand(lower, node, input);
    if (!inputs[k]) return NULL;
  }
  return rung_record(node->op, inputs, node->attributes, node->attribute_bytes);
}

static void lower_node(lowering *lower, const rung_node *node) {
  image *im = &lower->images[node->index];
  const bool stored = lower->quantization->scheme.weight_storage != RUNG_STORAGE_F32;
  if (im->exact || rung_node_is_parameter(node)) return; /* parameters come with those that use them */
  if (rung_node_is_input(node)) {
    im->exact = lower_leaf(lower, node);
  } else if (fold_is_folded(node)) {
    *im = lower->images[node->input[0]->index];
  } else if (node->op == &rung_op_linear) {
    if (stored)
      lower_linear_to_storage(lower, node);
    else if (lower->arithmetic == RUNG_ARITHMETIC_INTEGER)
      lower_linear_to_integers(lower, node);
    else
      lower_linear_to_simulation(lower, node);
  } else {
    if (node->op == &rung_op_rescale && !stored) lower->status = check_rescale(lower->quantization, node);
    if (lower->status != RUNG_OK) return;
    if (lower->arithmetic == RUNG_ARITHMETIC_INTEGER && !stored && node->op == &rung_op_rescale &&
        requantized_input(lower->quantization, node) && wanted_on_grid(lower->quantization->source, node))
      im->exact = grid_image(lower, node);
    if (passes_integers(node) && !stored) im->exact = im->grid = lower_pass(lower, node);
    if (!im->exact) im->exact = lower_in_f32(lower, node);
  }
}

rung_status quantization_lower(rung_quantization *quantization, rung_arithmetic arithmetic) {
  rung_graph *source = quantization->source;
  const rung_rng rng = rung_graph_rng(source);
  rung_graph *graph = rung_graph_new(
      &(rung_graph_options){.batch = rung_graph_batch(source), .team = rung_graph_team(source), .seed = rng.key});
  quantization->graph[arithmetic] = graph;
  quantization->images[arithmetic] = calloc((size_t)rung_graph_node_count(source), sizeof(image));
  if (!graph) return RUNG_ERROR_MEMORY;
  if (!quantization->images[arithmetic]) return rung_fail(RUNG_ERROR_MEMORY, "quantize: no memory");
  lowering lower = {quantization, arithmetic, graph, quantization->images[arithmetic], RUNG_OK};
  for (int i = 0; i < rung_graph_node_count(source) && lower.status == RUNG_OK; i++)
    lower_node(&lower, rung_graph_node(source, i));
  return lower.status == RUNG_OK ? rung_graph_status(graph) : lower.status;
}
