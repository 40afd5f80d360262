/* A linear layer with a batch norm merged into it: what training computes against the operations of FP32 on quantized
 * operands, what evaluation computes against the definition in double (eq. 30, 33 and 34). */
#include "quant_data.h"

enum { N = 9, IN = 45, OUT = 37 };

static const rung_observer_options min_max = {.kind = RUNG_OBSERVER_MIN_MAX};

/* What becomes of the sums: bits of activations, of weights, who shares a scale. */
typedef struct merged_case {
  rung_format input, weight, output; /* output.bits 0: logits */
  rung_granularity granularity;
  rung_clamp clamp;
  bool bias, whole, no_norm;
  float scale; /* of the output */
} merged_case;

static const merged_case merged_cases[] = {
    {{8, false, false},
     {8, true, true},
     {8, false, false},
     RUNG_PER_CHANNEL,
     RUNG_CLAMP_RELU,
     true,
     false,
     false,
     .02f},
    {{4, false, false},
     {4, true, true},
     {4, false, false},
     RUNG_PER_TENSOR,
     RUNG_CLAMP_RELU6,
     false,
     false,
     false,
     .3f},
    {{2, true, true}, {2, true, true}, {2, true, true}, RUNG_PER_CHANNEL, RUNG_CLAMP_NONE, false, false, false, 1},
    {{1, true, true}, {1, true, true}, {2, true, true}, RUNG_PER_TENSOR, RUNG_CLAMP_NONE, true, false, false, 1},
    {{1, true, true}, {1, true, true}, {1, true, true}, RUNG_PER_CHANNEL, RUNG_CLAMP_NONE, false, false, false, 1},
    {{8, false, false}, {1, true, true}, {1, true, true}, RUNG_PER_CHANNEL, RUNG_CLAMP_NONE, true, false, true, 1},
    {{8, true, false}, {4, true, true}, {1, true, true}, RUNG_PER_GROUP, RUNG_CLAMP_NONE, true, false, false, .5f},
    {{4, true, false}, {3, true, true}, {8, true, false}, RUNG_PER_GROUP, RUNG_CLAMP_NONE, true, false, false, .05f},
    {{1, true, true}, {1, true, true}, {0}, RUNG_PER_CHANNEL, RUNG_CLAMP_NONE, false, true, false, 0},
    {{8, false, false}, {8, true, true}, {0}, RUNG_PER_TENSOR, RUNG_CLAMP_NONE, true, true, false, 0},
    {{8, false, false}, {2, true, true}, {0}, RUNG_PER_GROUP, RUNG_CLAMP_NONE, true, false, false, 0},
};
enum { MERGED = sizeof merged_cases / sizeof merged_cases[0] };

/* The layer as it trains and evaluates in integers, or (`simulated`) the operations of FP32 on fake-quantized operands.
 */
typedef struct net {
  rung_team *team;
  rung_graph *graph;
  rung_quantizer *input, *output;
  rung_node *x, *w, *c, *norm[5], *linear, *y;
} net;

static float coefficient[N * OUT];

static rung_quantizer *fixed(const char *name, const rung_format *format, float scale) {
  rung_quantizer *quantizer = rung_quantizer_new(name, format, &min_max);
  ck_assert_msg(quantizer != NULL, "%s", rung_error());
  quantizer->scale = scale;
  quantizer->zero_point = format->symmetric ? 0 : (quantizer->qmin + quantizer->qmax + 1) / 2;
  quantizer->state = RUNG_QUANTIZER_FROZEN;
  return quantizer;
}

static rung_node *clamped(rung_node *x, rung_clamp clamp) {
  return clamp == RUNG_CLAMP_NONE ? x : clamp == RUNG_CLAMP_RELU ? rung_relu(x) : rung_relu6(x);
}

static void record_norm(net *made, int64_t columns) {
  static const char *const names[] = {NULL, "gamma", "beta", "mean", "variance"};
  for (int i = 1; i < 5; i++) made->norm[i] = rung_graph_parameter(made->graph, names[i], RUNG_SHAPE(columns));
}

/* Channels with everything that a batch norm can have: both signs, gammas of 0 and near it, no variance, far means. */
static void fill_norm(net *made, int64_t columns) {
  float *gamma = made->norm[1]->value.data, *beta = made->norm[2]->value.data;
  float *mean = made->norm[3]->value.data, *variance = made->norm[4]->value.data;
  fill(gamma, columns, 0, 11);
  fill(beta, columns, 0, 12);
  fill(mean, columns, 0, 13);
  fill(variance, columns, 0, 14);
  for (int64_t j = 0; j < columns; j++) variance[j] = fabsf(variance[j]) + 0.1f;
  if (columns == 1) {
    gamma[0] = -0.7f;
    return;
  }
  gamma[3] = 0;
  gamma[4] = beta[4] = 0;
  gamma[5] = -0.0f;
  gamma[6] = 1e-20f;
  gamma[7] = -1e-35f;
  gamma[8] = -2;
  beta[9] = 1e4f;
  variance[10] = 0;
  mean[11] = -1e3f;
}

static net make(const merged_case *at, bool simulated, int threads) {
  net made = {.team = rung_team_new(threads)};
  made.graph = rung_graph_new(&(rung_graph_options){.batch = N, .team = made.team, .seed = 1});
  made.input = fixed("x", &at->input, at->input.bits == 1 ? 1 : 0.02f * (float)(256 >> at->input.bits));
  if (at->output.bits) made.output = fixed("y", &at->output, at->scale);
  made.x = rung_graph_parameter(made.graph, "x", RUNG_SHAPE(N, IN));
  made.w = rung_graph_parameter(made.graph, "w", RUNG_SHAPE(OUT, IN));
  made.c = at->bias ? rung_graph_parameter(made.graph, "c", RUNG_SHAPE(OUT)) : NULL;
  const int64_t columns = at->whole ? 1 : OUT, group = at->granularity == RUNG_PER_GROUP ? 16 : 0;
  record_norm(&made, columns);
  if (simulated) {
    rung_node *w = rung_fake_quantize_weight(made.w, &at->weight, at->granularity, group);
    made.linear = rung_linear_with(rung_fake_quantize(made.x, made.input, RUNG_RANGES_DELAYED), w, made.c);
  } else {
    made.linear = rung_quantized_linear(
        rung_quantize_node(made.x, made.input, RUNG_RANGES_DELAYED), made.w, made.c,
        &(rung_quantized_linear_options){
            .weight_format = at->weight, .granularity = at->granularity, .group = group, .accumulators = true});
  }
  rung_node *y = made.linear, *norm = NULL;
  if (!at->no_norm)
    y = norm = rung_batch_norm_with(y, made.norm[1], made.norm[2], made.norm[3], made.norm[4], 0.1f, 1e-5f);
  y = clamped(y, at->clamp);
  if (made.output)
    y = simulated ? rung_fake_quantize(y, made.output, RUNG_RANGES_DELAYED)
                  : rung_quantize_node(y, made.output, RUNG_RANGES_DELAYED);
  made.y = simulated ? y : rung_merged_linear(y, made.linear, norm, at->clamp);
  ck_assert_msg(weigh(simulated ? y : rung_dequantize_node(made.y), NULL, coefficient) != NULL, "%s", rung_error());
  fill(made.x->value.data, N * IN, 0, 2);
  fill(made.w->value.data, OUT * IN, 0, 3);
  if (made.c) fill(made.c->value.data, OUT, 0, 4);
  fill(coefficient, N * OUT, 0, 5);
  fill_norm(&made, columns);
  return made;
}

static void release(net *made) {
  rung_graph_free(made->graph);
  rung_quantizer_free(made->input);
  rung_quantizer_free(made->output);
  rung_team_free(made->team);
}

static double integer_at(const rung_tensor *tensor, int64_t i) {
  return tensor->type == RUNG_I32  ? ((const int32_t *)tensor->data)[i]
         : tensor->type == RUNG_I8 ? ((const int8_t *)tensor->data)[i]
                                   : ((const uint8_t *)tensor->data)[i];
}

/* ---- Training --------------------------------------------------------------------------------------------------- */

static void expect_near(const rung_tensor *a, const rung_tensor *b, const char *what) {
  if (!a->data || !b->data) return;
  double most = 0;
  for (int64_t i = 0; i < rung_tensor_count(b); i++) most = fmax(most, fabs(((const float *)b->data)[i]));
  for (int64_t i = 0; i < rung_tensor_count(b); i++)
    ck_assert_msg(fabs((double)((const float *)a->data)[i] - ((const float *)b->data)[i]) <= 2e-5 * most + 1e-30,
                  "%s [%lld]: %.9g, expected %.9g", what, (long long)i, (double)((const float *)a->data)[i],
                  (double)((const float *)b->data)[i]);
}

/* Accumulators are exact and the simulation's sums rounded, so that reals agree to 2e-5 of the largest; integers to the
 * last, as no value of these lies that near to a step's border. Logits of a layer with groups are rounded to 2^-9 of a
 * step of their sum. */
START_TEST(training_is_that_of_the_float_operations) {
  const merged_case *at = &merged_cases[_i];
  net made = make(at, false, 2), expected = make(at, true, 1);
  replay_once(made.graph, N, true, true);
  replay_once(expected.graph, N, true, true);
  for (int64_t i = 0; i < N * OUT && made.output; i++) {
    const double real = made.output->scale * (integer_at(&made.y->value, i) - made.output->zero_point);
    ck_assert_float_eq_tol(((const float *)expected.y->value.data)[i], (float)real, 1e-6f);
  }
  if (at->granularity != RUNG_PER_GROUP) {
    expect_near(&made.w->gradient, &expected.w->gradient, "dw");
    expect_near(&made.x->gradient, &expected.x->gradient, "dx");
    if (made.c && at->no_norm) expect_near(&made.c->gradient, &expected.c->gradient, "dc");
    for (int i = 1; i < 5; i++) {
      expect_near(&made.norm[i]->gradient, &expected.norm[i]->gradient, made.norm[i]->name);
      expect_near(&made.norm[i]->value, &expected.norm[i]->value, made.norm[i]->name);
    }
  }
  release(&made);
  release(&expected);
}
END_TEST

/* ---- Evaluation ------------------------------------------------------------------------------------------------- */

/* y of eq. 30 before it is rounded, from the integers that the layer multiplies. */
static double real_output(const net *made, const rung_integer_layer *layer, const merged_case *at, int64_t i,
                          int64_t j) {
  float scale[OUT * 3];
  int8_t q[OUT * IN];
  const float *w = made->w->value.data;
  const int64_t group = at->granularity == RUNG_PER_GROUP ? 16 : 0, groups = group ? 3 : 1;
  const bool per_tensor = at->granularity == RUNG_PER_TENSOR;
  rung_quantize_rows(&at->weight, w, per_tensor ? 1 : OUT, per_tensor ? OUT * IN : IN, group, q, scale);
  const uint8_t *u = made->linear->input[0]->value.data;
  double sum = made->c ? (double)((const float *)made->c->value.data)[j] : 0;
  for (int64_t k = 0; k < IN; k++) {
    const int32_t x = layer->input_type == RUNG_I8 ? (int8_t)u[i * IN + k] : u[i * IN + k];
    const float s = scale[per_tensor ? 0 : j * groups + (group ? k / group : 0)];
    sum += (double)made->input->scale * (x - made->input->zero_point) * s * q[j * IN + k];
  }
  if (at->no_norm) return sum;
  const float *of[5] = {0};
  for (int n = 1; n < 5; n++) of[n] = (const float *)made->norm[n]->value.data + (at->whole ? 0 : j);
  return *of[1] * (sum - *of[3]) / sqrt((double)*of[4] + 1e-5f) + *of[2];
}

/* The clamped integer that it rounds to; *tie tells how near it lies to a border, in steps. */
static double rounded(const net *made, const merged_case *at, double y, double *tie) {
  const rung_quantizer *output = made->output;
  if (at->clamp != RUNG_CLAMP_NONE) y = fmax(y, 0);
  if (at->clamp == RUNG_CLAMP_RELU6) y = fmin(y, 6);
  const double k = y / output->scale;
  if (at->output.bits == 1) {
    *tie = fabs(k);
    return k >= 0 ? 1 : -1;
  }
  *tie = fabs(k - floor(k) - 0.5);
  return fmin(fmax(floor(k + 0.5) + output->zero_point, output->qmin), output->qmax);
}

/* 1e-5 of a step: what f32 leaves of gamma / sqrt(variance + epsilon) and of the bias, of 1e4 steps at the most. */
START_TEST(evaluation_is_the_definition) {
  const merged_case *at = &merged_cases[_i];
  for (int threads = 1; threads <= 2; threads++) {
    net made = make(at, false, threads);
    rung_integer_layer layer;
    ck_assert_int_eq(rung_integer_layer_view(made.y, &layer), RUNG_ERROR_STATE);
    replay_once(made.graph, N, false, false);
    ck_assert_int_eq(rung_integer_layer_view(made.y, &layer), RUNG_OK);
    ck_assert(layer.binary == (at->output.bits == 1) && layer.input_binary == (at->input.bits == 1));
    int near = 0;
    for (int64_t i = 0; i < N; i++)
      for (int64_t j = 0; j < OUT; j++) {
        const double y = real_output(&made, &layer, at, i, j), q = integer_at(&made.y->value, i * OUT + j);
        double tie;
        if (made.output) {
          const double expected = rounded(&made, at, y, &tie);
          near += tie < 1e-4 && q != expected;
          ck_assert_msg(q == expected || tie < 1e-4 || fabs(y) > 1e3, "[%d, %d]: %g, expected %g of %.9g", (int)i,
                        (int)j, q, expected, y / made.output->scale);
        } else {
          ck_assert_double_eq_tol(q * made.y->value.scale, y, 0.51 * made.y->value.scale + 1e-5 * fabs(y) + 1e-5);
        }
      }
    ck_assert_int_le(near, 2);
    release(&made);
  }
}
END_TEST

/* With a whole norm behind them logits stand in the order of the sums, the other way around where gamma is below 0, and
 * equal sums are equal logits: however small gamma, however large beta. */
START_TEST(a_whole_norm_keeps_the_order) {
  static const float gammas[] = {1, -1, 1e-6f, -1e6f, 1e-30f}, betas[] = {0, 1e6f, -3, 0.1f, 5};
  net made = make(&merged_cases[8], false, 1), plain = make(&merged_cases[8], false, 1);
  ((float *)plain.norm[1]->value.data)[0] = 1;
  ((float *)plain.norm[2]->value.data)[0] = ((float *)plain.norm[3]->value.data)[0] = 0;
  ((float *)made.norm[1]->value.data)[0] = gammas[_i];
  ((float *)made.norm[2]->value.data)[0] = betas[_i];
  for (int64_t j = 0; j < OUT * IN; j++) ((float *)made.w->value.data)[j] = ((float *)plain.w->value.data)[j];
  replay_once(made.graph, N, false, false);
  replay_once(plain.graph, N, false, false);
  const bool readable = fabsf(gammas[_i]) > 1e-9f; /* below, beta is all there is in 32 bits */
  for (int64_t i = 0; i < N; i++)
    for (int64_t j = 1; j < OUT; j++) {
      const double a = integer_at(&made.y->value, i * OUT + j) - integer_at(&made.y->value, i * OUT + j - 1);
      const double b = integer_at(&plain.y->value, i * OUT + j) - integer_at(&plain.y->value, i * OUT + j - 1);
      ck_assert(gammas[_i] > 0 ? a * b >= 0 : a * b <= 0);
      if (readable && fabs(b) > 4096) ck_assert(a != 0);
    }
  release(&made);
  release(&plain);
}
END_TEST

/* Between training steps, evaluation sees what they left. */
START_TEST(evaluation_follows_training) {
  net made = make(&merged_cases[2], false, 1), fresh = make(&merged_cases[2], false, 1);
  replay_once(made.graph, N, false, false);
  for (int step = 0; step < 3; step++) replay_once(made.graph, N, true, true);
  replay_once(made.graph, N, false, false);
  for (int i = 1; i < 5; i++) memcpy(fresh.norm[i]->value.data, made.norm[i]->value.data, OUT * sizeof(float));
  replay_once(fresh.graph, N, false, false);
  ck_assert_mem_eq(made.y->value.data, fresh.y->value.data, N * OUT);
  const float *mean = made.norm[3]->value.data;
  net untouched = make(&merged_cases[2], false, 1);
  ck_assert_float_ne(mean[0], ((const float *)untouched.norm[3]->value.data)[0]); /* it moved */
  release(&untouched);
  release(&made);
  release(&fresh);
}
END_TEST

START_TEST(what_does_not_belong_together_is_refused) {
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = N});
  rung_node *x = rung_graph_parameter(graph, "x", RUNG_SHAPE(N, 4)),
            *w = rung_graph_parameter(graph, "w", RUNG_SHAPE(3, 4));
  rung_node *linear = rung_linear_with(x, w, NULL);
  ck_assert_ptr_null(rung_merged_linear(linear, linear, NULL, RUNG_CLAMP_NONE));
  ck_assert_msg(strstr(rung_error(), "gives no accumulators") != NULL, "%s", rung_error());
  rung_graph_free(graph);
}
END_TEST

TEST_MAIN(CASES(training_is_that_of_the_float_operations, MERGED), CASES(evaluation_is_the_definition, MERGED),
          CASES(a_whole_norm_keeps_the_order, 5), CASE(evaluation_follows_training),
          CASE(what_does_not_belong_together_is_refused))
