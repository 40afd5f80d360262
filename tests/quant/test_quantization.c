/* Quantized graphs: what becomes of each network in integers and in simulation, and that the two agree. */
#include "quant_data.h"

enum { BATCH = 32, IN = 12, HIDDEN = 40, CLASSES = 5, MOST_OPS = 400 };

static float reals[BATCH * IN];
static uint8_t bytes[BATCH * IN];
static int32_t labels[BATCH];

typedef struct net {
  rung_graph *graph;
  rung_node *x, *label;
  int layers;
} net;

static rung_node *parameter(net *at, const char *kind, rung_shape shape, float mean, float deviation) {
  char name[64];
  snprintf(name, sizeof name, "%s%d", kind, ++at->layers);
  rung_node *node = rung_graph_parameter(at->graph, name, shape);
  rung_rng rng = rung_rng_seed((uint64_t)at->layers);
  for (int64_t i = 0; i < rung_tensor_count(&node->value); i++)
    ((float *)node->value.data)[i] = mean + deviation * rung_rng_normal(&rng);
  return node;
}

static rung_node *linear(net *at, rung_node *x, int64_t out) {
  int64_t in = 1;
  for (int i = 1; i < x->value.shape.rank; i++) in *= x->value.shape.extent[i];
  rung_node *w = parameter(at, "w", RUNG_SHAPE(out, in), 0, sqrtf(2 / (float)in));
  return rung_linear_with(x, w, parameter(at, "b", RUNG_SHAPE(out), 0, 0.2f));
}

static rung_node *norm(net *at, rung_node *x, bool frozen) {
  rung_node *scale = parameter(at, "scale", RUNG_SHAPE(HIDDEN), 1, 0.2f);
  rung_node *shift = parameter(at, "shift", RUNG_SHAPE(HIDDEN), 0, 0.5f);
  rung_node *mean = parameter(at, "mean", RUNG_SHAPE(HIDDEN), 0, 0.5f);
  rung_node *variance = parameter(at, "variance", RUNG_SHAPE(HIDDEN), 2, 0.1f);
  rung_node_set_trainable(scale, !frozen);
  rung_node_set_trainable(shift, !frozen);
  return rung_batch_norm_with(x, scale, shift, mean, variance, 0.1f, 1e-5f);
}

/* ---- The networks; each returns its logits ---------------------------------------------------------------------- */

static rung_node *build_plain(net *at) {
  return linear(at, linear(at, at->x, HIDDEN), CLASSES);
}
static rung_node *build_relu(net *at) {
  return linear(at, rung_relu(linear(at, at->x, HIDDEN)), CLASSES);
}
static rung_node *build_relu6(net *at) {
  return linear(at, rung_relu6(linear(at, at->x, HIDDEN)), CLASSES);
}
static rung_node *build_reshape(net *at) {
  return linear(at, rung_reshape(rung_relu(linear(at, at->x, HIDDEN)), RUNG_SHAPE(4, HIDDEN / 4)), CLASSES);
}
static rung_node *build_reshaped_input(net *at) {
  return linear(at, rung_relu(linear(at, rung_reshape(at->x, RUNG_SHAPE(3, IN / 3)), HIDDEN)), CLASSES);
}
static rung_node *build_dropout(net *at) {
  return linear(at, rung_dropout(rung_relu(linear(at, at->x, HIDDEN)), 0.25f), CLASSES);
}
static rung_node *build_dropped_input(net *at) {
  return linear(at, rung_relu(linear(at, rung_dropout(at->x, 0.25f), HIDDEN)), CLASSES);
}
static rung_node *build_tanh(net *at) {
  return linear(at, rung_tanh(linear(at, at->x, HIDDEN)), CLASSES);
}
static rung_node *build_two_readers(net *at) {
  rung_node *h = rung_relu(linear(at, at->x, HIDDEN)), *a = linear(at, h, CLASSES), *b = linear(at, h, CLASSES);
  return rung_add(a, b);
}
static rung_node *build_residual(net *at) {
  rung_node *h = rung_relu(linear(at, at->x, HIDDEN));
  return linear(at, rung_add(h, linear(at, h, HIDDEN)), CLASSES);
}
static rung_node *build_branch_before_relu(net *at) {
  rung_node *a = linear(at, at->x, HIDDEN);
  return linear(at, rung_add(rung_relu(a), a), CLASSES);
}
static rung_node *build_norm(net *at) {
  return linear(at, rung_relu(norm(at, linear(at, at->x, HIDDEN), false)), CLASSES);
}
static rung_node *norm_without_bias(net *at, bool frozen) {
  rung_node *w = parameter(at, "w", RUNG_SHAPE(HIDDEN, IN), 0, 0.5f);
  return linear(at, rung_relu(norm(at, rung_linear_with(at->x, w, NULL), frozen)), CLASSES);
}
static rung_node *build_norm_without_bias(net *at) {
  return norm_without_bias(at, false);
}
static rung_node *build_norm_frozen_without_bias(net *at) {
  return norm_without_bias(at, true);
}
static rung_node *build_norm_without_a_layer(net *at) {
  return linear(at, norm(at, rung_relu(linear(at, at->x, HIDDEN)), true), CLASSES);
}
static rung_node *build_last_relu(net *at) {
  return rung_relu(linear(at, rung_relu(linear(at, at->x, HIDDEN)), CLASSES));
}

typedef struct network {
  rung_node *(*build)(net *);
  bool integers; /* u8 inputs; f32 otherwise */
  int quantizers;
  const char *integer, *simulated; /* the ops of the two graphs, leaves left out */
} network;

/* ql is quantized_linear, fqw fake_quantize_weight. */
static const network networks[] = {
    {build_plain, true, 1, "ql ql dequantize", "fqw linear fqw fake_quantize linear"},
    {build_relu, true, 1, "ql ql dequantize", "fqw linear relu fqw fake_quantize linear"},
    {build_relu, false, 2, "quantize ql ql dequantize", "fqw fake_quantize linear relu fqw fake_quantize linear"},
    {build_relu6, true, 1, "ql ql dequantize", "fqw linear relu6 fqw fake_quantize linear"},
    {build_reshape, true, 1, "ql quantized_reshape ql dequantize", "fqw linear relu fake_quantize reshape fqw linear"},
    {build_reshaped_input, true, 1, "quantized_reshape ql ql dequantize",
     "quantized_reshape fqw linear relu fqw fake_quantize linear"},
    {build_reshaped_input, false, 2, "quantize quantized_reshape ql ql dequantize",
     "fake_quantize reshape fqw linear relu fqw fake_quantize linear"},
    {build_dropout, true, 1, "ql quantized_dropout ql dequantize", "fqw linear relu fake_quantize dropout fqw linear"},
    {build_dropped_input, true, 1, "quantized_dropout ql ql dequantize",
     "quantized_dropout fqw linear relu fqw fake_quantize linear"},
    {build_tanh, true, 1, "ql dequantize tanh quantize ql dequantize", "fqw linear tanh fqw fake_quantize linear"},
    {build_two_readers, true, 1, "ql ql ql dequantize dequantize add",
     "fqw linear relu fqw fake_quantize linear fqw linear add"},
    {build_residual, true, 2, "ql ql dequantize dequantize add quantize ql dequantize",
     "fqw linear relu fqw fake_quantize linear add fqw fake_quantize linear"},
    {build_branch_before_relu, true, 1, "ql dequantize relu add quantize ql dequantize",
     "fqw linear relu add fqw fake_quantize linear"},
    {build_norm, true, 1, "ql ql dequantize", "fqw linear relu fqw fake_quantize linear"},
    {build_norm_without_bias, true, 1, "ql ql dequantize", "fqw linear relu fqw fake_quantize linear"},
    {build_norm_frozen_without_bias, true, 1, "ql ql dequantize", "fqw linear relu fqw fake_quantize linear"},
    {build_norm_without_a_layer, true, 1, "ql dequantize relu batch_norm quantize ql dequantize",
     "fqw linear relu batch_norm fqw fake_quantize linear"},
    {build_last_relu, true, 1, "ql ql dequantize relu", "fqw linear relu fqw fake_quantize linear relu"},
};

static rung_tensor examples(bool integers) {
  return integers ? (rung_tensor){.type = RUNG_U8,
                                  .shape = RUNG_SHAPE(BATCH, IN),
                                  .data = bytes,
                                  .scale = 1.0f / 100,
                                  .zero_point = 90}
                  : (rung_tensor){.shape = RUNG_SHAPE(BATCH, IN), .data = reals};
}

static net make(const network *kind) {
  rung_rng rng = rung_rng_seed(9);
  for (int i = 0; i < BATCH * IN; i++) bytes[i] = (uint8_t)rung_rng_below(&rng, 256);
  for (int i = 0; i < BATCH; i++) labels[i] = i % CLASSES;
  fill(reals, BATCH * IN, 0, 4);
  net made = {.graph = rung_graph_new(&(rung_graph_options){.batch = BATCH, .seed = 3})};
  made.x = rung_graph_input(made.graph, "x", RUNG_SHAPE(IN));
  made.label = rung_graph_label(made.graph, "label");
  ck_assert_msg(rung_cross_entropy(kind->build(&made), made.label) != NULL, "%s", rung_error());
  const rung_tensor source = examples(kind->integers);
  const rung_tensor answer = {.type = RUNG_I32, .shape = RUNG_SHAPE(BATCH), .data = labels};
  ck_assert_int_eq(rung_graph_bind(made.x, &source), RUNG_OK);
  ck_assert_int_eq(rung_graph_bind(made.label, &answer), RUNG_OK);
  return made;
}

static rung_quantization *quantize(const net *made, const rung_scheme *scheme) {
  rung_quantization *quantization = rung_quantization_new(made->graph, scheme);
  ck_assert_msg(quantization != NULL, "%s", rung_error());
  replay_once(made->graph, BATCH, false, false);
  ck_assert_int_eq(rung_quantization_observe(quantization), RUNG_OK);
  return quantization;
}

/* ---- Structure -------------------------------------------------------------------------------------------------- */

/* The names of the graph's operations but the loss. */
static const char *operations(rung_graph *graph, char *text) {
  text[0] = 0;
  for (int i = 0; i + 1 < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (rung_node_is_input(node) || rung_node_is_parameter(node)) continue;
    const char *name = node->op->name;
    if (strcmp(name, "quantized_linear") == 0) name = "ql";
    if (strcmp(name, "fake_quantize_weight") == 0) name = "fqw";
    size_t length = strlen(text);
    snprintf(text + length, MOST_OPS - length, "%s%s", length ? " " : "", name);
  }
  return text;
}

START_TEST(networks_become) {
  const network *kind = &networks[_i];
  char text[MOST_OPS];
  net made = make(kind);
  rung_quantization *quantization = rung_quantization_new(made.graph, &(rung_scheme){0});
  ck_assert_msg(quantization != NULL, "%s", rung_error());
  ck_assert_str_eq(operations(rung_quantization_graph(quantization, RUNG_ARITHMETIC_INTEGER), text), kind->integer);
  ck_assert_str_eq(operations(rung_quantization_graph(quantization, RUNG_ARITHMETIC_SIMULATED), text), kind->simulated);
  ck_assert_int_eq(rung_quantization_quantizer_count(quantization), kind->quantizers);
  for (int i = 0; i < kind->quantizers; i++) {
    const rung_quantizer *quantizer = rung_quantization_quantizer(quantization, i);
    ck_assert_ptr_nonnull(rung_graph_find(made.graph, quantizer->name)); /* named after the float graph's node */
    ck_assert(quantizer->state == RUNG_QUANTIZER_OFF);
  }
  ck_assert_ptr_null(rung_quantization_quantizer(quantization, kind->quantizers));
  rung_quantization_free(quantization);
  rung_graph_free(made.graph);
}
END_TEST

/* ---- Values ----------------------------------------------------------------------------------------------------- */

static float real_at(const rung_tensor *tensor, int64_t i) {
  switch (tensor->type) {
  case RUNG_F32: return ((const float *)tensor->data)[i];
  case RUNG_I32: return tensor->scale * (float)((const int32_t *)tensor->data)[i];
  case RUNG_I8: return tensor->scale * (float)(((const int8_t *)tensor->data)[i] - tensor->zero_point);
  default: return tensor->scale * (float)(((const uint8_t *)tensor->data)[i] - tensor->zero_point);
  }
}

/* The float graph's logits: what its loss reads. */
static const rung_node *logits_of(rung_graph *graph) {
  return rung_graph_node(graph, rung_graph_node_count(graph) - 1)->input[0];
}

/* The largest difference of two tensors, as a part of the largest value. */
static double difference(const rung_tensor *a, const rung_tensor *b) {
  double most = 0, largest = 0;
  for (int64_t i = 0; i < rung_tensor_count(a); i++) {
    most = fmax(most, fabs((double)real_at(a, i) - (double)real_at(b, i)));
    largest = fmax(largest, fabs((double)real_at(a, i)));
  }
  return most / largest;
}

/* Whether a later node of the float graph is in one layer with this one: then that one is on its grid. */
static bool goes_on(const rung_quantization *quantization, rung_graph *source, const rung_node *node) {
  const rung_node *integer = rung_quantization_node(quantization, RUNG_ARITHMETIC_INTEGER, node);
  for (int i = node->index + 1; i < rung_graph_node_count(source); i++)
    if (rung_quantization_node(quantization, RUNG_ARITHMETIC_INTEGER, rung_graph_node(source, i)) == integer)
      return true;
  return false;
}

/* Values that are integers are, in the simulation, at most a step away. */
static void expect_near(const rung_quantization *quantization, rung_graph *source) {
  for (int i = 0; i < rung_graph_node_count(source); i++) {
    const rung_node *node = rung_graph_node(source, i);
    if (rung_node_is_parameter(node) || rung_node_is_input(node) || goes_on(quantization, source, node)) continue;
    const rung_tensor *integer = &rung_quantization_node(quantization, RUNG_ARITHMETIC_INTEGER, node)->value;
    const rung_tensor *simulated = &rung_quantization_node(quantization, RUNG_ARITHMETIC_SIMULATED, node)->value;
    if (integer->type != RUNG_U8 && integer->type != RUNG_I8) continue;
    for (int64_t k = 0; k < rung_tensor_count(integer); k++)
      ck_assert_msg(fabsf(real_at(integer, k) - real_at(simulated, k)) <= 1.001f * integer->scale,
                    "%s: value %lld is %g and %g in steps of %g", node->name, (long long)k, (double)real_at(integer, k),
                    (double)real_at(simulated, k), (double)integer->scale);
  }
}

static void replay_all(const rung_quantization *quantization) {
  replay_once(rung_quantization_graph(quantization, RUNG_ARITHMETIC_INTEGER), BATCH, false, false);
  replay_once(rung_quantization_graph(quantization, RUNG_ARITHMETIC_SIMULATED), BATCH, false, false);
}

/* Steps of plain gradient descent on the shared parameters. */
static void train(const rung_quantization *quantization, rung_arithmetic arithmetic, int steps) {
  rung_graph *graph = rung_quantization_graph(quantization, arithmetic);
  for (int step = 0; step < steps; step++) {
    replay_once(graph, BATCH, true, true);
    for (int i = 0; i < rung_graph_node_count(graph); i++) {
      const rung_node *node = rung_graph_node(graph, i);
      if (!rung_node_is_parameter(node) || !node->trainable) continue;
      rung_kernels_active()->scale_add(node->value.data, node->gradient.data, -0.05f, rung_tensor_count(&node->value),
                                       true);
    }
  }
}

/* All three forms of a network say the same, after calibration and after training in either arithmetic: at 8 bits the
 * logits are within 3 % of the float ones, and within 1.5 % of each other. */
START_TEST(all_forms_agree) {
  const network *kind = &networks[_i];
  net made = make(kind);
  replay_once(made.graph, BATCH, false, false);
  const rung_node *logits = logits_of(made.graph);
  float before[BATCH * CLASSES];
  memcpy(before, logits->value.data, sizeof before);
  rung_quantization *quantization = quantize(&made, &(rung_scheme){.activation_signed = _i % 2});
  const rung_node *integer = logits_of(rung_quantization_graph(quantization, RUNG_ARITHMETIC_INTEGER));
  const rung_node *simulated = logits_of(rung_quantization_graph(quantization, RUNG_ARITHMETIC_SIMULATED));
  const rung_tensor float_before = {.shape = logits->value.shape, .data = before};
  ck_assert_double_le(difference(&float_before, &logits->value), 1e-4); /* a folded batch norm changes nothing */
  replay_all(quantization);
  expect_near(quantization, made.graph);
  ck_assert_double_le(difference(&logits->value, &integer->value), 0.03);
  ck_assert_double_le(difference(&logits->value, &simulated->value), 0.03);
  ck_assert_double_le(difference(&simulated->value, &integer->value), 0.015);
  rung_quantization_set_state(quantization, RUNG_QUANTIZER_TRAIN);
  train(quantization, RUNG_ARITHMETIC_INTEGER, 20);
  replay_all(quantization);
  expect_near(quantization, made.graph);
  ck_assert_double_le(difference(&simulated->value, &integer->value), 0.015);
  train(quantization, RUNG_ARITHMETIC_SIMULATED, 20);
  rung_quantization_refresh(quantization);
  replay_all(quantization);
  expect_near(quantization, made.graph);
  ck_assert_double_le(difference(&simulated->value, &integer->value), 0.015);
  rung_quantization_free(quantization);
  rung_graph_free(made.graph);
}
END_TEST

START_TEST(both_graphs_train) {
  net made = make(&networks[_i / 2]);
  rung_quantization *quantization = quantize(&made, &(rung_scheme){.weight_bits = 4, .activation_bits = 4});
  rung_quantization_set_state(quantization, RUNG_QUANTIZER_TRAIN);
  rung_graph *graph = rung_quantization_graph(quantization, (rung_arithmetic)(_i % 2));
  const rung_node *loss = rung_graph_node(graph, rung_graph_node_count(graph) - 1);
  replay_once(graph, BATCH, false, false);
  float before = *(const float *)loss->value.data;
  train(quantization, (rung_arithmetic)(_i % 2), 60);
  rung_quantization_refresh(quantization);
  replay_once(graph, BATCH, false, false);
  ck_assert_msg(*(const float *)loss->value.data < 0.8f * before, "loss %g, then %g", (double)before,
                (double)*(const float *)loss->value.data);
  rung_quantization_free(quantization);
  rung_graph_free(made.graph);
}
END_TEST

/* Every quantizer is one object in both graphs: when one trains, the other is quantized with the ranges it left. */
START_TEST(quantizers_are_shared) {
  net made = make(&networks[7]); /* with dropout between a layer and its reader */
  rung_quantization *quantization = quantize(&made, &(rung_scheme){0});
  rung_quantization_set_state(quantization, RUNG_QUANTIZER_TRAIN);
  const rung_quantizer *quantizer = rung_quantization_quantizer(quantization, 0);
  float scale = quantizer->scale;
  for (int a = 0; a < 2; a++) {
    uint64_t observed = quantizer->observed;
    train(quantization, (rung_arithmetic)a, 3);
    ck_assert_uint_eq(quantizer->observed, observed + 3);
    ck_assert(quantizer->scale != scale);
    scale = quantizer->scale;
  }
  rung_quantization_free(quantization);
  rung_graph_free(made.graph);
}
END_TEST

/* What f32 reads of a layer in integers is on its grid in the simulation as well. */
START_TEST(f32_readers_see_the_grid) {
  net made = make(&networks[11]); /* h + linear(h) */
  rung_quantization *quantization = quantize(&made, &(rung_scheme){.activation_bits = 3});
  replay_all(quantization);
  const rung_node *h[2];
  for (int a = 0; a < 2; a++) {
    rung_graph *graph = rung_quantization_graph(quantization, (rung_arithmetic)a);
    for (int i = 0; i < rung_graph_node_count(graph); i++)
      if (strcmp(rung_graph_node(graph, i)->op->name, "add") == 0) h[a] = rung_graph_node(graph, i)->input[0];
  }
  const float step = rung_quantization_quantizer(quantization, 0)->scale, *integer = h[0]->value.data;
  const float *simulated = h[1]->value.data;
  for (int i = 0; i < BATCH * HIDDEN; i++) {
    float steps = (integer[i] - simulated[i]) / step;
    ENSURE(fabsf(steps) < 1e-4f || fabsf(fabsf(steps) - 1) < 1e-4f);
  }
  rung_quantization_free(quantization);
  rung_graph_free(made.graph);
}
END_TEST

/* ---- Dropout on integers ---------------------------------------------------------------------------------------- */

/* In training a share p of the integers is the zero point, the others are as they were, and the scale holds 1/(1-p).
 * Otherwise nothing happens. The gradient goes where the integers did. */
START_TEST(dropout_keeps_or_zeroes_integers) {
  net made = make(&networks[7]);
  rung_quantization *quantization = quantize(&made, &(rung_scheme){.activation_signed = true});
  rung_graph *graph = rung_quantization_graph(quantization, RUNG_ARITHMETIC_INTEGER);
  const rung_node *dropout = NULL;
  for (int i = 0; i < rung_graph_node_count(graph); i++)
    if (strcmp(rung_graph_node(graph, i)->op->name, "quantized_dropout") == 0) dropout = rung_graph_node(graph, i);
  const rung_tensor *x = &dropout->input[0]->value, *y = &dropout->value;
  replay_once(graph, BATCH, false, false);
  ck_assert(y->scale == x->scale && y->zero_point == x->zero_point);
  ck_assert_mem_eq(y->data, x->data, BATCH * HIDDEN);
  int dropped = 0, steps = 40;
  for (int step = 0; step < steps; step++) {
    replay_once(graph, BATCH, true, true);
    ck_assert(y->scale == x->scale / 0.75f && y->zero_point == x->zero_point && y->type == RUNG_I8);
    const int8_t *qx = x->data, *qy = y->data;
    const float *dx = dropout->input[0]->gradient.data;
    for (int i = 0; i < BATCH * HIDDEN; i++) {
      ENSURE(qy[i] == qx[i] || (qy[i] == x->zero_point && dx[i] == 0));
      dropped += qy[i] != qx[i];
    }
  }
  int candidates = 0;
  for (int i = 0; i < BATCH * HIDDEN; i++) candidates += ((const int8_t *)x->data)[i] != x->zero_point;
  double share = (double)dropped / (double)steps / candidates;
  ck_assert_double_ge(share, 0.23);
  ck_assert_double_le(share, 0.27);
  rung_quantization_free(quantization);
  rung_graph_free(made.graph);
}
END_TEST

/* ---- Refusals --------------------------------------------------------------------------------------------------- */

START_TEST(what_cannot_be_quantized_is_refused) {
  net made = make(&networks[1]);
  ck_assert_ptr_null(rung_quantization_new(made.graph, &(rung_scheme){.weight_bits = 9}));
  ck_assert_ptr_nonnull(strstr(rung_error(), "9"));
  rung_quantization_free(NULL);
  rung_graph_free(made.graph);

  rung_graph *graph = rung_graph_new(NULL);
  rung_node *x = rung_graph_input(graph, "picture", RUNG_SHAPE(IN));
  rung_node *w = rung_graph_parameter(graph, "w", RUNG_SHAPE(HIDDEN, IN));
  ck_assert_ptr_nonnull(rung_linear_with(x, w, NULL));
  ck_assert_ptr_null(rung_quantization_new(graph, &(rung_scheme){0}));
  ck_assert_ptr_nonnull(strstr(rung_error(), "no data is bound to 'picture'"));
  rung_graph_free(graph);
}
END_TEST

TEST_MAIN(CASES(networks_become, LENGTH(networks)), CASES(all_forms_agree, LENGTH(networks)),
          CASES(both_graphs_train, 2 * LENGTH(networks)), CASE(quantizers_are_shared), CASE(f32_readers_see_the_grid),
          CASE(dropout_keeps_or_zeroes_integers), CASE(what_cannot_be_quantized_is_refused))
