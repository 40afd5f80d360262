/* The linear layer, and how its weight starts.
 *
 * The numbers of a weight are a function of the graph's seed and of how many parameters were recorded before it, so
 * that activations, dropout and the like can be put between layers without changing them. */
#include "layer.h"

#include <math.h>

/* Apart from the streams of the graph's nodes (dropout), whose labels are small. */
#define INIT_STREAM UINT64_C(0x696e697469616c)

static uint64_t parameters_before(const rung_node *parameter) {
  uint64_t count = 0;
  for (int i = 0; i < parameter->index; i++) count += rung_node_is_parameter(rung_graph_node(parameter->graph, i));
  return count;
}

static void initialize(rung_node *weight, rung_init init) {
  const int64_t out = weight->value.shape.extent[0], in = weight->value.shape.extent[1];
  const rung_rng seed = rung_graph_rng(weight->graph), parent = rung_rng_split(&seed, INIT_STREAM);
  rung_rng rng = rung_rng_split(&parent, parameters_before(weight));
  const float deviation = sqrtf(2 / (float)in), bound = sqrtf(6 / ((float)in + (float)out));
  float *w = weight->value.data;
  for (int64_t i = 0; i < out * in; i++)
    w[i] = init == RUNG_INIT_HE ? deviation * rung_rng_normal(&rng) : bound * (2 * rung_rng_uniform(&rng) - 1);
}

static rung_status check(const char *name, int64_t out, rung_init init) {
  if (!name) return rung_fail(RUNG_ERROR_ARGUMENT, "linear: the name is NULL, expected a string");
  if (out < 1)
    return rung_fail(RUNG_ERROR_ARGUMENT, "linear '%s': %lld outputs, expected 1 or more", name, (long long)out);
  if (init != RUNG_INIT_HE && init != RUNG_INIT_XAVIER)
    return rung_fail(RUNG_ERROR_ARGUMENT, "linear '%s': init %d, expected %d (He) or %d (Xavier)", name, (int)init,
                     (int)RUNG_INIT_HE, (int)RUNG_INIT_XAVIER);
  return RUNG_OK;
}

rung_node *rung_linear_init(rung_node *x, const char *name, int64_t out, const rung_linear_options *options) {
  if (!x) return NULL;
  const rung_linear_options defaults = {0};
  if (!options) options = &defaults;
  rung_status status = check(name, out, options->init);
  if (status != RUNG_OK) return rung_graph_fail(x->graph, status);
  rung_node *weight = layer_parameter(x->graph, name, "weight", RUNG_SHAPE(out, layer_columns(x)), 0);
  if (!weight) return NULL;
  initialize(weight, options->init);
  if (options->no_bias) return rung_linear_with(x, weight, NULL);
  rung_node *bias = layer_parameter(x->graph, name, "bias", RUNG_SHAPE(out), 0);
  return bias ? rung_linear_with(x, weight, bias) : NULL;
}

rung_node *rung_linear(rung_node *x, const char *name, int64_t out) {
  return rung_linear_init(x, name, out, NULL);
}
