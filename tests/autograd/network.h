/* A network with every op in it, on batched data: what the tests of replaying run. */
#ifndef TESTS_AUTOGRAD_NETWORK_H
#define TESTS_AUTOGRAD_NETWORK_H

#include <rung/autograd.h>

#include <math.h>

enum { network_in = 24, network_width = 70, network_classes = 5, network_examples = 40 };

typedef struct network {
  rung_graph *graph;
  rung_node *x, *label, *target, *logits, *loss;
} network;

typedef struct network_data {
  float x[network_examples][network_in], target[network_examples][network_classes];
  int32_t label[network_examples];
} network_data;

static inline void network_data_make(network_data *data) {
  rung_rng rng = rung_rng_seed(3);
  for (int i = 0; i < network_examples; i++) {
    data->label[i] = (int32_t)rung_rng_below(&rng, network_classes);
    for (int k = 0; k < network_in; k++) data->x[i][k] = rung_rng_normal(&rng) + (float)(data->label[i] == k % 5);
    for (int k = 0; k < network_classes; k++) data->target[i][k] = rung_rng_normal(&rng);
  }
}

static inline rung_tensor network_f32(void *data, int64_t rows, int64_t columns) {
  return (rung_tensor){.type = RUNG_F32, .shape = RUNG_SHAPE(rows, columns), .data = data};
}
static inline rung_tensor network_i32(void *data, int64_t rows) {
  return (rung_tensor){.type = RUNG_I32, .shape = RUNG_SHAPE(rows), .data = data};
}

/* A parameter filled with normal numbers times `spread`, plus `center`. */
static inline rung_node *network_parameter(rung_graph *graph, const char *name, rung_shape shape, float spread,
                                           float center) {
  rung_node *node = rung_graph_parameter(graph, name, shape);
  if (!node) return NULL;
  rung_rng seed = rung_rng_seed(11), rng = rung_rng_split(&seed, (uint64_t)node->index);
  for (int64_t i = 0; i < rung_tensor_count(&node->value); i++)
    ((float *)node->value.data)[i] = center + spread * rung_rng_normal(&rng);
  return node;
}

static inline rung_node *network_hidden(rung_graph *graph, rung_node *x) {
  const rung_shape row = RUNG_SHAPE(network_width);
  rung_node *h =
      rung_linear_with(x, network_parameter(graph, "w1", RUNG_SHAPE(network_width, network_in), 0.2f, 0), NULL);
  h = rung_batch_norm_with(h, network_parameter(graph, "scale", row, 0.1f, 1),
                           network_parameter(graph, "shift", row, 0.1f, 0), network_parameter(graph, "mean", row, 0, 0),
                           network_parameter(graph, "variance", row, 0, 1), 0.1f, 1e-5f);
  rung_node *residual = rung_dropout(rung_relu(h), 0.25f);
  h = rung_linear_with(residual, network_parameter(graph, "w2", RUNG_SHAPE(network_width, network_width), 0.1f, 0),
                       network_parameter(graph, "b2", row, 0.1f, 0));
  h = rung_add(rung_gelu(h), residual);
  h = rung_multiply(h, network_parameter(graph, "gain", row, 0.1f, 1));
  h = rung_add(h, network_parameter(graph, "offset", row, 0.1f, 0));
  h = rung_multiply(h, rung_sigmoid(rung_rescale(rung_tanh(h), 2, 0.5f)));
  return rung_reshape(rung_reshape(rung_relu6(h), RUNG_SHAPE(7, 10)), row);
}

static inline network network_new(rung_team *team, int64_t batch) {
  network net = {.graph = rung_graph_new(&(rung_graph_options){.batch = batch, .team = team, .seed = 9})};
  rung_graph *graph = net.graph;
  net.x = rung_graph_input(graph, "x", RUNG_SHAPE(network_in));
  net.label = rung_graph_label(graph, "label");
  net.target = rung_graph_input(graph, "target", RUNG_SHAPE(network_classes));
  rung_node *h = network_hidden(graph, net.x);
  net.logits = rung_matmul(h, network_parameter(graph, "m", RUNG_SHAPE(network_width, network_classes), 0.1f, 0));
  rung_node *loss = rung_add(rung_cross_entropy(net.logits, net.label), rung_squared_hinge(net.logits, net.label));
  loss = rung_add(loss, rung_squared_error(net.logits, net.target));
  rung_node *little = network_parameter(graph, "little", (rung_shape){0}, 0, 0.001f);
  rung_node_set_trainable(little, false);
  net.loss = rung_add(rung_add(loss, rung_mean(h)), rung_multiply(rung_sum(h), little));
  return net;
}

static inline rung_status network_bind(const network *net, network_data *data) {
  const rung_tensor x = network_f32(data->x, network_examples, network_in),
                    target = network_f32(data->target, network_examples, network_classes),
                    label = network_i32(data->label, network_examples);
  rung_status status = rung_graph_bind(net->x, &x);
  if (status == RUNG_OK) status = rung_graph_bind(net->label, &label);
  if (status == RUNG_OK) status = rung_graph_bind(net->target, &target);
  return status;
}

/* Gradient descent by the members of the team: a rung_replay_options.update. */
static inline void network_descend(void *context, int ith, int nth) {
  rung_graph *graph = context;
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    rung_node *node = rung_graph_node(graph, i);
    if (!rung_node_is_parameter(node) || !rung_node_wants_gradient(node)) continue;
    int64_t begin, end;
    rung_slice(rung_tensor_count(&node->value), RUNG_ALIGNMENT, ith, nth, &begin, &end);
    rung_kernels_active()->scale_add((float *)node->value.data + begin, (const float *)node->gradient.data + begin,
                                     -0.01f, end - begin, true);
  }
}

static inline rung_status network_step(const network *net, int64_t first, int64_t count) {
  return rung_graph_replay(net->graph, &(rung_replay_options){.first = first,
                                                              .count = count,
                                                              .training = true,
                                                              .backward = true,
                                                              .update = network_descend,
                                                              .context = net->graph});
}

static inline uint64_t network_hash_floats(uint64_t hash, const float *x, int64_t n) {
  for (int64_t i = 0; i < n * 4; i++) hash = (hash ^ ((const uint8_t *)x)[i]) * UINT64_C(0x100000001B3);
  return hash;
}

/* Of the loss and every parameter with its gradient. */
static inline uint64_t network_hash(const network *net) {
  uint64_t hash = network_hash_floats(UINT64_C(0xCBF29CE484222325), net->loss->value.data, 1);
  for (int i = 0; i < rung_graph_node_count(net->graph); i++) {
    const rung_node *node = rung_graph_node(net->graph, i);
    if (!rung_node_is_parameter(node)) continue;
    hash = network_hash_floats(hash, node->value.data, rung_tensor_count(&node->value));
    if (rung_node_wants_gradient(node))
      hash = network_hash_floats(hash, node->gradient.data, rung_tensor_count(&node->value));
  }
  return hash;
}

#endif
