/* The low-bit methods (src/quant/qat/): values and gradients beside PyTorch's autograd of the papers' formulas
 * (tests/golden/make_qat.py), and the integer layer beside the simulation. Finite differences would be of no use: what
 * a straight-through gradient is of is not what the forward pass computes. */
#include "golden/qat.h"
#include "quant_data.h"

enum { COUNT = QAT_ROWS * QAT_COLUMNS };

/* Within `tolerance` of the largest expected value; at how many places not. */
static int far(const float *have, const float *expected, int count, float tolerance) {
  float most = 0;
  int wrong = 0;
  for (int i = 0; i < count; i++) most = fmaxf(most, fabsf(expected[i]));
  for (int i = 0; i < count; i++) wrong += !(fabsf(have[i] - expected[i]) <= tolerance * most);
  return wrong;
}

static rung_node *parameter(rung_graph *graph, const char *name, rung_shape shape, const float *value) {
  rung_node *node = rung_graph_parameter(graph, name, shape);
  ck_assert_ptr_nonnull(node);
  if (value) memcpy(node->value.data, value, (size_t)rung_tensor_count(&node->value) * sizeof(float));
  return node;
}

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

typedef struct weight_case {
  rung_weight_method method;
  int bits;
  rung_granularity granularity;
  const float *y, *s, *dw, *ds; /* s and ds NULL: nothing is learned */
} weight_case;

#define LSQ(bits, NAME, granularity)                                                                                   \
  {                                                                                                                    \
    RUNG_WEIGHTS_LSQ, bits, granularity, lsq##bits##_##NAME##_y, lsq##bits##_##NAME##_s, lsq##bits##_##NAME##_dw,      \
        lsq##bits##_##NAME##_ds                                                                                        \
  }
static const weight_case weight_cases[] = {
    LSQ(2, channel, RUNG_PER_CHANNEL),
    LSQ(2, tensor, RUNG_PER_TENSOR),
    LSQ(3, channel, RUNG_PER_CHANNEL),
    LSQ(3, tensor, RUNG_PER_TENSOR),
    LSQ(8, channel, RUNG_PER_CHANNEL),
    LSQ(8, tensor, RUNG_PER_TENSOR),
    {RUNG_WEIGHTS_DOREFA, 2, RUNG_PER_CHANNEL, dorefa2_y, NULL, dorefa2_dw, NULL},
    {RUNG_WEIGHTS_DOREFA, 4, RUNG_PER_CHANNEL, dorefa4_y, NULL, dorefa4_dw, NULL},
};

static rung_format format_of(const weight_case *at) {
  const rung_scheme scheme = {.weight_bits = at->bits, .weights = at->method};
  return rung_scheme_weight_format(&scheme);
}

static rung_shape scale_shape(const weight_case *at) {
  return at->granularity == RUNG_PER_TENSOR ? RUNG_SHAPE(1) : RUNG_SHAPE(QAT_ROWS, 1);
}

static void expect_weights(const weight_case *at, const float *dw, const float *scale, const float *ds) {
  const int scales = at->granularity == RUNG_PER_TENSOR ? 1 : QAT_ROWS;
  ck_assert_int_eq(far(dw, at->dw, COUNT, 1e-6f), 0);
  if (!at->s) return;
  ck_assert_int_eq(far(scale, at->s, scales, 1e-6f), 0); /* where it starts */
  ck_assert_int_eq(far(ds, at->ds, scales, 2e-6f), 0);
}

START_TEST(simulated_weights_are_pytorchs) {
  const weight_case *at = &weight_cases[_i % LENGTH(weight_cases)];
  rung_team *team = rung_team_new(_i < LENGTH(weight_cases) ? 1 : 3);
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = 1, .team = team});
  rung_node *w = parameter(graph, "w", RUNG_SHAPE(QAT_ROWS, QAT_COLUMNS), qat_v);
  rung_node *scale = at->s ? parameter(graph, "scale", scale_shape(at), NULL) : NULL;
  rung_node *y = rung_fake_quantize_weight_with(
      w, scale, &(rung_weight_options){.format = format_of(at), .granularity = at->granularity, .method = at->method});
  ck_assert_msg(weigh(y, NULL, qat_g) != NULL, "%s", rung_error());
  replay_once(graph, 1, true, true);
  ck_assert_int_eq(far(y->value.data, at->y, COUNT, 1e-6f), 0);
  expect_weights(at, w->gradient.data, scale ? scale->value.data : NULL, scale ? scale->gradient.data : NULL);
  rung_graph_free(graph);
  rung_team_free(team);
}
END_TEST

/* Example k is the k-th unit vector, so that the gradient of W is that of the output. */
typedef struct unit_layer {
  rung_team *team;
  rung_graph *graph;
  rung_node *w, *scale, *layer;
  uint8_t x[QAT_COLUMNS * QAT_COLUMNS];
  float g[COUNT]; /* qat_g, transposed */
} unit_layer;

/* With a scale to learn, of that shape, or NULL. */
static void unit_layer_make(unit_layer *at, int threads, rung_quantized_linear_options options,
                            const rung_shape *scale) {
  at->team = rung_team_new(threads);
  at->graph = rung_graph_new(&(rung_graph_options){.batch = QAT_COLUMNS, .team = at->team});
  for (int k = 0; k < QAT_COLUMNS; k++) {
    at->x[k * QAT_COLUMNS + k] = 1;
    for (int j = 0; j < QAT_ROWS; j++) at->g[k * QAT_ROWS + j] = qat_g[j * QAT_COLUMNS + k];
  }
  const rung_tensor source = {
      .type = RUNG_U8, .shape = RUNG_SHAPE(QAT_COLUMNS, QAT_COLUMNS), .data = at->x, .scale = 1};
  rung_node *x = rung_graph_input(at->graph, "x", RUNG_SHAPE(QAT_COLUMNS));
  ck_assert_int_eq(rung_graph_bind(x, &source), RUNG_OK);
  x->value.type = RUNG_U8;
  x->value.scale = 1;
  at->w = parameter(at->graph, "w", RUNG_SHAPE(QAT_ROWS, QAT_COLUMNS), qat_v);
  if (scale) options.weight_scale = at->scale = parameter(at->graph, "scale", *scale, NULL);
  at->layer = rung_quantized_linear(x, at->w, NULL, &options);
  ck_assert_msg(at->layer != NULL, "%s", rung_error());
}

static void unit_layer_free(unit_layer *at) {
  rung_graph_free(at->graph);
  rung_team_free(at->team);
}

START_TEST(integer_weights_have_the_same_gradients) {
  const weight_case *at = &weight_cases[_i % LENGTH(weight_cases)];
  const rung_shape shape = scale_shape(at);
  unit_layer made = {0};
  unit_layer_make(&made, _i < LENGTH(weight_cases) ? 1 : 3,
                  (rung_quantized_linear_options){
                      .weight_format = format_of(at), .granularity = at->granularity, .weights = at->method},
                  at->s ? &shape : NULL);
  ck_assert_msg(weigh(rung_dequantize_node(made.layer), NULL, made.g) != NULL, "%s", rung_error());
  replay_once(made.graph, QAT_COLUMNS, true, true);
  expect_weights(at, made.w->gradient.data, made.scale ? made.scale->value.data : NULL,
                 made.scale ? made.scale->gradient.data : NULL);
  unit_layer_free(&made);
}
END_TEST

/* A scale from outside clamps weights, and those get no gradient (eq. 6); without it none is clamped. */
START_TEST(a_given_scale_masks) {
  const float given = _i ? 0.2f : 0;
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = 1});
  rung_node *w = parameter(graph, "w", RUNG_SHAPE(QAT_ROWS, QAT_COLUMNS), qat_v);
  rung_node *scale = parameter(graph, "scale", RUNG_SHAPE(1), &given);
  rung_node_set_trainable(scale, false);
  rung_node *y = rung_fake_quantize_weight_with(
      w, scale, &(rung_weight_options){.format = {3, true, true}, .granularity = RUNG_PER_TENSOR});
  ck_assert_msg(weigh(y, NULL, qat_g) != NULL, "%s", rung_error());
  replay_once(graph, 1, true, true);
  int masked = 0;
  for (int i = 0; i < COUNT; i++) {
    const bool clamped = given > 0 && fabsf(rintf(qat_v[i] * (1 / given))) > 3;
    ck_assert(((float *)w->gradient.data)[i] == (clamped ? 0 : qat_g[i]));
    masked += clamped;
  }
  ck_assert_int_eq(masked > 10, _i);
  rung_graph_free(graph);
}
END_TEST

/* y = s sign(v): by plain sums. */
START_TEST(binary_steps_are_learned) {
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = 1});
  rung_node *w = parameter(graph, "w", RUNG_SHAPE(QAT_ROWS, QAT_COLUMNS), qat_v);
  rung_node *scale = parameter(graph, "scale", RUNG_SHAPE(QAT_ROWS, 1), NULL);
  rung_node *y = rung_fake_quantize_weight_with(
      w, scale, &(rung_weight_options){.format = {1, true, true}, .method = RUNG_WEIGHTS_LSQ});
  ck_assert_msg(weigh(y, NULL, qat_g) != NULL, "%s", rung_error());
  replay_once(graph, 1, true, true);
  for (int j = 0; j < QAT_ROWS; j++) {
    double magnitude = 0, sum = 0;
    for (int i = j * QAT_COLUMNS; i < (j + 1) * QAT_COLUMNS; i++) {
      magnitude += fabs((double)qat_v[i]) / QAT_COLUMNS;
      sum += (double)(qat_v[i] >= 0 ? qat_g[i] : -qat_g[i]) / sqrt(QAT_COLUMNS);
      ck_assert(((float *)w->gradient.data)[i] == (fabsf(qat_v[i]) <= 1 ? qat_g[i] : 0));
    }
    ck_assert_double_eq_tol((double)((float *)scale->value.data)[j], magnitude, 1e-6);
    ck_assert_double_eq_tol((double)((float *)scale->gradient.data)[j], sum, 1e-6);
  }
  rung_graph_free(graph);
}
END_TEST

/* ---- Activations ------------------------------------------------------------------------------------------------ */

typedef struct activation_case {
  rung_activation_method method;
  int bits;
  float parameter; /* what was learned so far */
  const float *y, *dx, *dp;
} activation_case;

static const activation_case activation_cases[] = {
    {RUNG_ACTIVATIONS_LSQ, 2, 0.31f, lsq_a2_y, lsq_a2_dx, lsq_a2_ds},
    {RUNG_ACTIVATIONS_LSQ, 4, 0.31f, lsq_a4_y, lsq_a4_dx, lsq_a4_ds},
    {RUNG_ACTIVATIONS_PACT, 2, 0.9f, pact2_y, pact2_dx, pact2_dalpha},
    {RUNG_ACTIVATIONS_PACT, 4, 0.9f, pact4_y, pact4_dx, pact4_dalpha},
};

static const float decay = 1e-3f;

static rung_quantizer *quantizer_of(const activation_case *at) {
  const rung_format format = {.bits = at->bits};
  rung_quantizer *quantizer = rung_quantizer_new_with("x", &format, NULL, at->method, decay);
  ck_assert_msg(quantizer != NULL, "%s", rung_error());
  ck_assert_int_eq(rung_quantizer_observe(quantizer, qat_v, COUNT), RUNG_OK);
  quantizer->state = RUNG_QUANTIZER_TRAIN;
  return quantizer;
}

/* fake_quantize, or quantize and dequantize, behind a ReLU. */
START_TEST(activations_are_pytorchs) {
  const activation_case *at = &activation_cases[_i % LENGTH(activation_cases)];
  const bool simulated = _i / LENGTH(activation_cases) % 2 == 0;
  rung_team *team = rung_team_new(_i < 2 * LENGTH(activation_cases) ? 1 : 2);
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = 1, .team = team});
  rung_quantizer *quantizer = quantizer_of(at);
  rung_node *x = parameter(graph, "x", RUNG_SHAPE(QAT_ROWS, QAT_COLUMNS), qat_v);
  rung_node *p = parameter(graph, "p", RUNG_SHAPE(1), &at->parameter);
  rung_node *real = rung_relu(x);
  rung_node *y = simulated ? rung_fake_quantize_with(real, p, quantizer, RUNG_RANGES_DELAYED)
                           : rung_dequantize_node(rung_quantize_node_with(real, p, quantizer, RUNG_RANGES_DELAYED));
  ck_assert_msg(weigh(y, NULL, qat_g) != NULL, "%s", rung_error());
  replay_once(graph, 1, true, true);
  ck_assert_int_eq(far(y->value.data, at->y, COUNT, 1e-6f), 0);
  ck_assert_int_eq(far(x->gradient.data, at->dx, COUNT, 1e-6f), 0);
  const float expected = *at->dp + (at->method == RUNG_ACTIVATIONS_PACT ? decay * at->parameter : 0);
  ck_assert_double_eq_tol((double)*(float *)p->gradient.data, (double)expected, 2e-6 * fabs((double)expected));
  rung_graph_free(graph);
  rung_quantizer_free(quantizer);
  rung_team_free(team);
}
END_TEST

/* The output of the integer layer, whose real values are those of its weights, beside fake_quantize of these. */
START_TEST(integer_outputs_have_the_same_gradients) {
  const activation_case *at = &activation_cases[_i % LENGTH(activation_cases)];
  const int threads = _i < LENGTH(activation_cases) ? 1 : 3;
  const rung_format eight = {8, true, true};
  float weight[COUNT], scale[QAT_ROWS], g[COUNT];
  int8_t q[COUNT];
  rung_quantize_rows(&eight, qat_v, QAT_ROWS, QAT_COLUMNS, 0, q, scale);
  uint8_t x[QAT_COLUMNS * QAT_COLUMNS] = {0};
  float real[COUNT]; /* [examples, outputs] */
  for (int k = 0; k < QAT_COLUMNS; k++) {
    x[k * QAT_COLUMNS + k] = 1;
    for (int j = 0; j < QAT_ROWS; j++) {
      weight[j * QAT_COLUMNS + k] = (float)q[j * QAT_COLUMNS + k] * scale[j];
      real[k * QAT_ROWS + j] = weight[j * QAT_COLUMNS + k];
      g[k * QAT_ROWS + j] = qat_g[j * QAT_COLUMNS + k];
    }
  }
  rung_team *team = rung_team_new(threads);
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = QAT_COLUMNS, .team = team});
  rung_graph *simulated = rung_graph_new(&(rung_graph_options){.batch = 1});
  rung_quantizer *quantizer = quantizer_of(at), *other = quantizer_of(at);

  rung_node *to = parameter(simulated, "x", RUNG_SHAPE(QAT_COLUMNS, QAT_ROWS), real);
  rung_node *expected = parameter(simulated, "p", RUNG_SHAPE(1), &at->parameter);
  rung_node *y = rung_fake_quantize_with(rung_relu(to), expected, other, RUNG_RANGES_DELAYED);
  ck_assert_ptr_nonnull(weigh(y, NULL, g));
  replay_once(simulated, 1, true, true);

  const rung_tensor source = {.type = RUNG_U8, .shape = RUNG_SHAPE(QAT_COLUMNS, QAT_COLUMNS), .data = x, .scale = 1};
  rung_node *input = rung_graph_input(graph, "x", RUNG_SHAPE(QAT_COLUMNS));
  ck_assert_int_eq(rung_graph_bind(input, &source), RUNG_OK);
  input->value.type = RUNG_U8;
  rung_node *w = parameter(graph, "w", RUNG_SHAPE(QAT_ROWS, QAT_COLUMNS), weight);
  rung_node *p = parameter(graph, "p", RUNG_SHAPE(1), &at->parameter);
  rung_node *layer = rung_quantized_linear(
      input, w, NULL,
      &(rung_quantized_linear_options){
          .weight_format = eight, .clamp = RUNG_CLAMP_RELU, .output = quantizer, .output_scale = p});
  ck_assert_msg(weigh(rung_dequantize_node(layer), NULL, g) != NULL, "%s", rung_error());
  replay_once(graph, QAT_COLUMNS, true, true);

  const float *dw = w->gradient.data, *dx = to->gradient.data;
  for (int j = 0; j < QAT_ROWS; j++)
    for (int k = 0; k < QAT_COLUMNS; k++) ck_assert(dw[j * QAT_COLUMNS + k] == dx[k * QAT_ROWS + j]);
  /* LSQ's gradient scale is of an example's features: 6 here, 120 there */
  const double ratio = at->method == RUNG_ACTIVATIONS_LSQ ? sqrt(COUNT / QAT_ROWS) : 1;
  const double have = (double)*(float *)p->gradient.data, want = ratio * (double)*(float *)expected->gradient.data;
  ck_assert_double_eq_tol(have, want, 2e-6 * fabs(want));
  rung_graph_free(graph);
  rung_graph_free(simulated);
  rung_quantizer_free(quantizer);
  rung_quantizer_free(other);
  rung_team_free(team);
}
END_TEST

/* ---- Grids ------------------------------------------------------------------------------------------------------ */

/* By hand: mean|w| of the row is 0.5, so the threshold is 0.35; above it are 0.5, 0.9, 1.1, whose mean is 0.8333. */
START_TEST(ternary_by_hand) {
  const float w[] = {0.2f, -0.5f, 0.9f, -0.3f, -1.1f, 0}, expected[] = {0, -1, 1, 0, -1, 0};
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = 1});
  rung_node *node = parameter(graph, "w", RUNG_SHAPE(1, 6), w);
  rung_node *y = rung_fake_quantize_weight_with(
      node, NULL, &(rung_weight_options){.format = {2, true, true}, .method = RUNG_WEIGHTS_TERNARY});
  ck_assert_msg(weigh(y, NULL, qat_g) != NULL, "%s", rung_error());
  replay_once(graph, 1, true, true);
  for (int i = 0; i < 6; i++) {
    const float value = ((float *)y->value.data)[i];
    ck_assert_double_eq_tol((double)value, (double)expected[i] * 2.5 / 3, 1e-6);
    ck_assert(((float *)node->gradient.data)[i] == qat_g[i]);
  }
  rung_graph_free(graph);
}
END_TEST

START_TEST(unit_holds_the_shadows) {
  const float w[] = {1.7f, -3, 0.6f, -0.4f}, held[] = {1, -1, 0.6f, -0.4f};
  const float two[] = {1, -1, 1, 0}, one[] = {1, -1, 1, -1}, *expected = _i ? two : one;
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = 1});
  rung_node *node = parameter(graph, "w", RUNG_SHAPE(1, 4), w);
  rung_node *y = rung_fake_quantize_weight_with(
      node, NULL, &(rung_weight_options){.format = {1 + _i, true, true}, .method = RUNG_WEIGHTS_UNIT});
  ck_assert_msg(weigh(y, NULL, qat_g) != NULL, "%s", rung_error());
  replay_once(graph, 1, false, false);
  for (int i = 0; i < 4; i++) ck_assert(((float *)node->value.data)[i] == w[i]);
  replay_once(graph, 1, true, true);
  for (int i = 0; i < 4; i++) {
    ck_assert(((float *)y->value.data)[i] == expected[i]);
    ck_assert(((float *)node->value.data)[i] == held[i]);
  }
  rung_graph_free(graph);
}
END_TEST

/* DoReFa's levels: even steps, none of them 0. */
START_TEST(dorefa_has_no_zero) {
  const int bits = 2 + _i, last = (1 << bits) - 1;
  unit_layer made = {0};
  rung_integer_layer view;
  unit_layer_make(&made, 1,
                  (rung_quantized_linear_options){.weight_format = {bits, true, true}, .weights = RUNG_WEIGHTS_DOREFA},
                  NULL);
  replay_once(made.graph, QAT_COLUMNS, false, false);
  ck_assert_msg(rung_integer_layer_view(made.layer, &view) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(view.weight_format.bits, bits + 1);
  int most = 0;
  for (int i = 0; i < COUNT; i++) {
    ck_assert(view.weight[i] % 2 != 0 && abs(view.weight[i]) <= last);
    most = abs(view.weight[i]) > most ? abs(view.weight[i]) : most;
  }
  ck_assert_int_eq(most, last);
  unit_layer_free(&made);
}
END_TEST

/* ---- Lists ------------------------------------------------------------------------------------------------------ */

START_TEST(names_are_parsed) {
  for (int i = 0; i < RUNG_WEIGHTS_COUNT; i++) {
    rung_weight_method method;
    ck_assert_int_eq(rung_weight_method_parse(rung_weight_method_name((rung_weight_method)i), &method), RUNG_OK);
    ck_assert_int_eq((int)method, i);
  }
  for (int i = 0; i < RUNG_ACTIVATIONS_COUNT; i++) {
    rung_activation_method method;
    ck_assert_int_eq(rung_activation_method_parse(rung_activation_method_name((rung_activation_method)i), &method),
                     RUNG_OK);
    ck_assert_int_eq((int)method, i);
  }
  rung_weight_method weights;
  rung_activation_method activations;
  ck_assert_int_eq(rung_weight_method_parse("lsk", &weights), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), "weights 'lsk', expected one of max, lsq, dorefa, ternary, unit");
  ck_assert_int_eq(rung_activation_method_parse("max", &activations), RUNG_ERROR_ARGUMENT);
  ck_assert_str_eq(rung_error(), "activations 'max', expected one of observed, lsq, pact, unit");
  ck_assert_str_eq(rung_weight_method_name(RUNG_WEIGHTS_COUNT), "unknown");
}
END_TEST

START_TEST(schemes_that_no_method_has_are_refused) {
  const struct {
    rung_scheme scheme;
    const char *message;
  } wrong[] = {
      {{.weight_bits = 3, .weights = RUNG_WEIGHTS_TERNARY}, "weight_bits 3 with weights ternary, expected 2..2"},
      {{.weights = RUNG_WEIGHTS_DOREFA}, "weight_bits 8 with weights dorefa, expected 1..7"},
      {{.weights = RUNG_WEIGHTS_COUNT}, "weights 5, expected 0..4"},
      {{.activations = RUNG_ACTIVATIONS_COUNT}, "activations 4, expected 0..3"},
      {{.activation_bits = 1, .activations = RUNG_ACTIVATIONS_LSQ},
       "activation_bits 1 with activations lsq, expected 2..8"},
      {{.activations = RUNG_ACTIVATIONS_PACT, .clip_decay = -1}, "clip_decay -1, expected 0 or more"},
  };
  for (int i = 0; i < LENGTH(wrong); i++) {
    ck_assert_int_eq(rung_scheme_check(&wrong[i].scheme), RUNG_ERROR_ARGUMENT);
    ck_assert_str_eq(rung_error(), wrong[i].message);
  }
}
END_TEST

TEST_MAIN(CASES(simulated_weights_are_pytorchs, 2 * LENGTH(weight_cases)),
          CASES(integer_weights_have_the_same_gradients, 2 * LENGTH(weight_cases)), CASES(a_given_scale_masks, 2),
          CASE(binary_steps_are_learned), CASES(activations_are_pytorchs, 4 * LENGTH(activation_cases)),
          CASES(integer_outputs_have_the_same_gradients, 2 * LENGTH(activation_cases)), CASE(ternary_by_hand),
          CASES(unit_holds_the_shadows, 2), CASES(dorefa_has_no_zero, 6), CASE(names_are_parsed),
          CASE(schemes_that_no_method_has_are_refused))
