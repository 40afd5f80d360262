/* The gradients of the linear layer on integers, in int8 and in bfloat16: against their definitions one value at a
 * time, to the bit; for any team, at every level; and that rounding at random is right on average. */
#include "layer_net.h"

static layer_case case_of(rung_backward backward) {
  return (layer_case){
      .input = {8, false, false}, .weight = {8, true, true}, .output = {8, false, false}, .backward = backward};
}

static rung_quantizer *output_of(const layer_case *at) {
  if (at->output.bits == 0) return NULL;
  return at->output.is_signed ? fixed("y", &at->output, 0.04f, -17) : fixed("y", &at->output, 0.05f, 100);
}

static void expect_equal(const char *what, int number, const void *data, const float *expected, int count) {
  const float *got = data;
  for (int i = 0; i < count; i++)
    if (got[i] != expected[i]) /* -0 and 0 are the same */
      ck_abort_msg("case %d: %s[%d] is %.9g, expected %.9g", number, what, i, (double)got[i], (double)expected[i]);
}

static void expect_gradients(int number, const net *made, const plain_layer *plain) {
  expect_equal("dx", number, made->q->gradient.data, plain->dx, PLAIN_BATCH * PLAIN_IN);
  expect_equal("dw", number, made->w->gradient.data, plain->dw, PLAIN_OUT * PLAIN_IN);
  if (made->b) expect_equal("db", number, made->b->gradient.data, plain->db, PLAIN_OUT);
}

/* ---- int8 by its definition ------------------------------------------------------------------------------------- */

typedef struct plain_codes {
  int32_t g[PLAIN_BATCH * PLAIN_OUT], h[PLAIN_BATCH * PLAIN_OUT];
  float g_scale, h_scale;
} plain_codes;

/* x over the scale, rounded to 2^-15, plus a u of 15 bits, rounded down. */
static int32_t plain_code(float x, float most, uint32_t random) {
  if (!(most > 0x1p-100f)) return 0;
  double v = fmin(fmax((double)(x * (127 / most)), -127), 127);
  return (int32_t)floor(rint(v * 32768) / 32768 + random / 32768.0);
}

/* The codes of g [batch, out] (eq. 13), and of h, g times the scale of its channel. */
static void plain_quantize_gradient(plain_codes *codes, const plain_layer *plain, const float *g, uint64_t key) {
  float h[PLAIN_BATCH * PLAIN_OUT], g_most = 0, h_most = 0;
  for (int i = 0; i < PLAIN_BATCH * PLAIN_OUT; i++) {
    int j = i % PLAIN_OUT;
    bool zeros = true;
    for (int k = 0; k < PLAIN_IN; k++) zeros = zeros && plain->qw[j * PLAIN_IN + k] == 0;
    h[i] = zeros ? 0 : g[i] * plain->sw[j * PLAIN_IN];
    g_most = fmaxf(g_most, fabsf(g[i]));
    h_most = fmaxf(h_most, fabsf(h[i]));
  }
  codes->g_scale = g_most / 127;
  codes->h_scale = h_most / 127;
  for (int i = 0; i < PLAIN_BATCH * PLAIN_OUT; i++) {
    uint32_t random = rung_gradient_bits(rung_gradient_row_key(key, i / PLAIN_OUT), (uint32_t)(i % PLAIN_OUT));
    codes->g[i] = plain_code(g[i], g_most, random >> 17);
    codes->h[i] = plain_code(h[i], h_most, random & 0x7fff);
  }
}

static float add_to(bool accumulate, float c, int64_t sum, float scale) {
  return accumulate ? fmaf((float)sum, scale, c) : (float)sum * scale;
}

/* Replaces plain's gradients, or adds to them: of the node with that key. */
static void plain_int8(plain_layer *plain, const layer_case *at, const layer_data *data, uint64_t key,
                       bool accumulate) {
  static plain_codes codes;
  float g[PLAIN_BATCH * PLAIN_OUT];
  for (int i = 0; i < PLAIN_BATCH * PLAIN_OUT; i++) g[i] = plain->passes[i] ? data->g[i] : 0;
  plain_quantize_gradient(&codes, plain, g, key);
  for (int i = 0; i < PLAIN_BATCH * PLAIN_IN && at->granularity != RUNG_PER_GROUP; i++) {
    int64_t sum = 0;
    for (int j = 0; j < PLAIN_OUT; j++)
      sum += codes.h[i / PLAIN_IN * PLAIN_OUT + j] * plain->qw[j * PLAIN_IN + i % PLAIN_IN];
    plain->dx[i] = add_to(accumulate, plain->dx[i], sum, codes.h_scale);
  }
  for (int i = 0; i < PLAIN_OUT * PLAIN_IN; i++) {
    int64_t sum = 0;
    for (int n = 0; n < PLAIN_BATCH; n++)
      sum += codes.g[n * PLAIN_OUT + i / PLAIN_IN] * (plain->qx[n * PLAIN_IN + i % PLAIN_IN] - plain->zx);
    bool stuck = at->weight.bits == 1 && fabsf(data->w[i]) > 1;
    if (at->weight.bits == 1 && accumulate)
      plain->dw[i] += stuck ? 0 : (float)sum * (codes.g_scale * plain->sx);
    else
      plain->dw[i] = stuck ? 0 : add_to(accumulate, plain->dw[i], sum, codes.g_scale * plain->sx);
  }
  for (int j = 0; j < PLAIN_OUT; j++) {
    float sum = 0;
    for (int n = 0; n < PLAIN_BATCH; n++) sum += g[n * PLAIN_OUT + j];
    plain->db[j] = accumulate ? plain->db[j] + sum : sum;
  }
}

/* The key of a layer's codes in the graph's training replay number `step`. */
static uint64_t key_of(const rung_node *layer, uint64_t step) {
  const rung_rng seed = rung_graph_rng(layer->graph), node = rung_rng_split(&seed, (uint64_t)layer->index);
  return rung_rng_split(&node, step).key;
}

static const rung_format outputs[] = {{0}, {8, false, false}, {8, true, false}};

/* Weights of _i + 1 bits: every granularity, input, output and clamp, with a bias and without, a channel of zeros among
 * them; two steps, whose random bits differ. With groups dx stays as f32 has it. */
START_TEST(int8_follows_its_definition) {
  static layer_data data;
  static plain_layer plain;
  layer_data_make(&data, (uint64_t)(300 + _i));
  for (int i = 0; i < 3 * 2 * LENGTH(outputs) * 3; i++) {
    layer_case at = case_of(RUNG_BACKWARD_INT8);
    at.input = (rung_format){8, i / LENGTH(outputs) % 2 == 1, false};
    at.weight.bits = _i + 1;
    at.output = outputs[i % LENGTH(outputs)];
    at.granularity = (rung_granularity)(i / LENGTH(outputs) / 2 % 3);
    at.clamp = (rung_clamp)(i / LENGTH(outputs) / 6);
    at.no_bias = i % 5 == 2;
    at.seed = (uint64_t)i;
    net made = make(&at, &data, output_of(&at), RUNG_RANGES_DELAYED, 1);
    compute(&plain, &at, &data, &made);
    for (uint64_t step = 1; step <= 2; step++) {
      plain_backward(&plain, &at, &data); /* dx of groups */
      plain_int8(&plain, &at, &data, key_of(made.layer, step), false);
      replay_once(made.graph, PLAIN_BATCH, true, true);
      expect_gradients(i, &made, &plain);
    }
    release(&made);
  }
}
END_TEST

/* Two layers over the same integers and parameters: what the earlier one gives is added to what the later one gave. */
START_TEST(int8_gradients_are_added) {
  static layer_data data;
  static plain_layer plain;
  layer_data_make(&data, 40);
  layer_case at = case_of(RUNG_BACKWARD_INT8);
  at.weight.bits = _i % 2 ? 1 : 8;
  at.clamp = RUNG_CLAMP_RELU;
  rung_quantizer *output = output_of(&at);
  net made = make(&at, &data, output, RUNG_RANGES_DELAYED, 1 + _i / 2);
  rung_graph_free(made.graph); /* recorded anew, with both layers */
  made.graph = rung_graph_new(&(rung_graph_options){.batch = PLAIN_BATCH, .team = made.team});
  made.x = rung_graph_parameter(made.graph, "x", RUNG_SHAPE(PLAIN_BATCH, PLAIN_IN));
  made.w = rung_graph_parameter(made.graph, "w", RUNG_SHAPE(PLAIN_OUT, PLAIN_IN));
  made.b = rung_graph_parameter(made.graph, "b", RUNG_SHAPE(PLAIN_OUT));
  made.q = rung_quantize_node(made.x, made.input, RUNG_RANGES_DELAYED);
  const rung_quantized_linear_options options = {
      .weight_format = at.weight, .clamp = at.clamp, .output = output, .backward = at.backward};
  made.layer = rung_quantized_linear(made.q, made.w, made.b, &options);
  rung_node *second = rung_quantized_linear(made.q, made.w, made.b, &options);
  rung_node *real = rung_dequantize_node(made.layer);
  ck_assert_msg(weigh(real, rung_dequantize_node(second), data.g) != NULL, "%s", rung_error());
  memcpy(made.x->value.data, data.x, sizeof data.x);
  memcpy(made.w->value.data, data.w, sizeof data.w);
  memcpy(made.b->value.data, data.b, sizeof data.b);
  compute(&plain, &at, &data, &made);
  plain_int8(&plain, &at, &data, key_of(second, 1), false);
  plain_int8(&plain, &at, &data, key_of(made.layer, 1), true);
  replay_once(made.graph, PLAIN_BATCH, true, true);
  expect_gradients(_i, &made, &plain);
  release(&made);
}
END_TEST

/* Gradients of 2^e: none at all, too small for a scale, huge. */
START_TEST(int8_gradients_of_any_size) {
  static const int exponents[] = {-140, -120, -105, -97, -60, 0, 60};
  static layer_data data;
  static plain_layer plain;
  layer_case at = case_of(RUNG_BACKWARD_INT8);
  for (int i = 0; i <= LENGTH(exponents); i++) {
    layer_data_make(&data, 50);
    for (int k = 0; k < PLAIN_BATCH * PLAIN_OUT; k++)
      data.g[k] = i < LENGTH(exponents) ? ldexpf(data.g[k], exponents[i]) : 0;
    net made = make(&at, &data, output_of(&at), RUNG_RANGES_DELAYED, 1);
    compute(&plain, &at, &data, &made);
    plain_int8(&plain, &at, &data, key_of(made.layer, 1), false);
    replay_once(made.graph, PLAIN_BATCH, true, true);
    expect_gradients(i, &made, &plain);
    bool some = false;
    for (int k = 0; k < PLAIN_OUT * PLAIN_IN; k++) some |= ((const float *)made.w->gradient.data)[k] != 0;
    ck_assert(some == (i < LENGTH(exponents) && exponents[i] >= -97));
    release(&made);
  }
}
END_TEST

START_TEST(seeds_layers_and_steps_round_differently) {
  static layer_data data;
  static float dw[3][PLAIN_OUT * PLAIN_IN], dx[3][PLAIN_BATCH * PLAIN_IN];
  layer_data_make(&data, 60);
  layer_case at = case_of(RUNG_BACKWARD_INT8);
  for (int seed = 0; seed < 2; seed++) {
    at.seed = (uint64_t)seed;
    net made = make(&at, &data, output_of(&at), RUNG_RANGES_DELAYED, 1);
    for (int step = 0; step <= seed; step++) {
      replay_once(made.graph, PLAIN_BATCH, true, true);
      memcpy(dw[seed + step], made.w->gradient.data, sizeof dw[0]);
      memcpy(dx[seed + step], made.q->gradient.data, sizeof dx[0]);
    }
    release(&made);
  }
  for (int i = 0; i < 3; i++) {
    ck_assert_mem_ne(dw[i], dw[(i + 1) % 3], sizeof dw[0]);
    ck_assert_mem_ne(dx[i], dx[(i + 1) % 3], sizeof dx[0]);
  }
}
END_TEST

/* ---- On average ------------------------------------------------------------------------------------------------- */

/* A channel of zeros with a bias of 0 has the scale 1, some hundred times the others': dx must be as fine as without
 * that channel. Its deviation is at most half a step of h a channel. */
START_TEST(a_channel_of_zeros_does_not_coarsen_the_others) {
  static layer_data data;
  static plain_layer plain;
  layer_data_make(&data, 70);
  layer_case at = case_of(RUNG_BACKWARD_INT8);
  at.no_bias = true;
  at.output.bits = 0;
  net made = make(&at, &data, NULL, RUNG_RANGES_DELAYED, 1);
  compute(&plain, &at, &data, &made);
  plain_backward(&plain, &at, &data);
  replay_once(made.graph, PLAIN_BATCH, true, true);
  double largest = 0, squares = 0, difference = 0;
  for (int i = 0; i < PLAIN_BATCH * PLAIN_OUT; i++)
    if (i % PLAIN_OUT != 3) largest = fmax(largest, fabs((double)data.g[i] * plain.sw[i % PLAIN_OUT * PLAIN_IN]));
  for (int i = 0; i < PLAIN_OUT * PLAIN_IN; i++) squares += pow(plain.qw[i], 2) / PLAIN_IN;
  for (int i = 0; i < PLAIN_BATCH * PLAIN_IN; i++)
    difference += pow((double)((const float *)made.q->gradient.data)[i] - plain.dx[i], 2) / (PLAIN_BATCH * PLAIN_IN);
  ck_assert_double_le(sqrt(difference), 1.2 * 0.5 * largest / 127 * sqrt(squares));
  release(&made);
}
END_TEST

/* Mean of `steps` gradients against the f32 one, in standard deviations of that mean as they are at most: half a code
 * a term. Returns the mean square; each is below 6. */
static double check_mean(const double *sum, const float *expected, const double *terms, int count, double scale,
                         int steps) {
  double squares = 0;
  for (int i = 0; i < count; i++) {
    double deviation = 0.5 * scale * terms[i] / sqrt(steps) + 1e-30;
    double z = fabs(sum[i] / steps - expected[i]) / deviation;
    ENSURE(z < 6);
    squares += z * z / count;
  }
  return squares;
}

START_TEST(int8_is_right_on_average) {
  enum { steps = 1000 };
  static layer_data data;
  static plain_layer plain;
  static double dx[PLAIN_BATCH * PLAIN_IN], dw[PLAIN_OUT * PLAIN_IN];
  static double x_terms[PLAIN_BATCH * PLAIN_IN], w_terms[PLAIN_OUT * PLAIN_IN];
  layer_data_make(&data, 80);
  layer_case at = case_of(RUNG_BACKWARD_INT8);
  at.clamp = RUNG_CLAMP_RELU;
  net made = make(&at, &data, output_of(&at), RUNG_RANGES_DELAYED, 1);
  compute(&plain, &at, &data, &made);
  plain_backward(&plain, &at, &data);
  for (int step = 0; step < steps; step++) {
    replay_once(made.graph, PLAIN_BATCH, true, true);
    for (int i = 0; i < PLAIN_BATCH * PLAIN_IN; i++) dx[i] += (double)((const float *)made.q->gradient.data)[i];
    for (int i = 0; i < PLAIN_OUT * PLAIN_IN; i++) dw[i] += (double)((const float *)made.w->gradient.data)[i];
  }
  double g_most = 0, h_most = 0;
  for (int i = 0; i < PLAIN_BATCH * PLAIN_OUT; i++) {
    if (!plain.passes[i]) continue;
    g_most = fmax(g_most, fabs((double)data.g[i]));
    if (i % PLAIN_OUT != 3) h_most = fmax(h_most, fabs((double)data.g[i] * plain.sw[i % PLAIN_OUT * PLAIN_IN]));
    for (int k = 0; k < PLAIN_IN; k++) {
      int at_x = i / PLAIN_OUT * PLAIN_IN + k, at_w = i % PLAIN_OUT * PLAIN_IN + k;
      x_terms[at_x] = hypot(x_terms[at_x], plain.qw[at_w]);
      w_terms[at_w] = hypot(w_terms[at_w], plain.qx[at_x] - plain.zx);
    }
  }
  double of_x = check_mean(dx, plain.dx, x_terms, PLAIN_BATCH * PLAIN_IN, h_most / 127, steps);
  double of_w = check_mean(dw, plain.dw, w_terms, PLAIN_OUT * PLAIN_IN, (double)plain.sx * g_most / 127, steps);
  ck_assert_msg(of_x < 1.1 && of_w < 1.1, "mean squares %g and %g, expected at most 1", of_x, of_w);
  ck_assert_msg(of_x > 0.3 && of_w > 0.3, "mean squares %g and %g: nothing was rounded at random", of_x, of_w);
  release(&made);
}
END_TEST

/* ---- bfloat16 --------------------------------------------------------------------------------------------------- */

/* With 7 bits of fraction, half to even. */
static float bf16(float x) {
  if (x == 0) return 0;
  int exponent;
  float fraction = frexpf(x, &exponent);
  return ldexpf(rintf(ldexpf(fraction, 8)), exponent - 8);
}

/* plain_backward's products of rounded operands, and the sums of their magnitudes before rounding. */
static void plain_bf16(plain_layer *plain, const layer_case *at, const layer_data *data, double *x_sum, double *w_sum) {
  memset(plain->dx, 0, sizeof plain->dx);
  memset(plain->dw, 0, sizeof plain->dw);
  for (int i = 0; i < PLAIN_BATCH; i++)
    for (int j = 0; j < PLAIN_OUT; j++) {
      float g = plain->passes[i * PLAIN_OUT + j] ? data->g[i * PLAIN_OUT + j] : 0;
      for (int k = 0; k < PLAIN_IN; k++) {
        int at_x = i * PLAIN_IN + k, at_w = j * PLAIN_IN + k;
        float w = plain->sw[at_w] * (float)plain->qw[at_w], x = plain->sx * (float)(plain->qx[at_x] - plain->zx);
        plain->dx[at_x] = fmaf(bf16(g), bf16(w), plain->dx[at_x]);
        plain->dw[at_w] = fmaf(bf16(g), bf16(x), plain->dw[at_w]);
        x_sum[at_x] += fabs((double)g * w);
        w_sum[at_w] += fabs((double)g * x);
      }
    }
  for (int i = 0; i < PLAIN_OUT * PLAIN_IN; i++)
    if (at->weight.bits == 1 && fabsf(data->w[i]) > 1) plain->dw[i] = 0;
}

static void expect_near(const void *got, const float *expected, const double *sum, int count) {
  for (int i = 0; i < count; i++)
    ENSURE(fabs((double)((const float *)got)[i] - expected[i]) <= (0x1p-7 + 0x1p-14) * sum[i]);
}

/* Each operand is off by 2^-8 of itself at most. The level that has an instruction for it sums in an order of its own;
 * every other one is held to the bit. */
START_TEST(bf16_is_near_f32_and_rounds_its_operands) {
  static layer_data data;
  static plain_layer plain, real;
  static double x_sum[PLAIN_BATCH * PLAIN_IN], w_sum[PLAIN_OUT * PLAIN_IN];
  layer_data_make(&data, 90);
  layer_case at = case_of(RUNG_BACKWARD_BF16);
  at.granularity = (rung_granularity)(_i % 3);
  at.clamp = RUNG_CLAMP_RELU;
  if (_i / 3) at.weight.bits = 1, at.output.bits = 0;
  const char *active = rung_kernels_active()->level;
  for (int level = 0; level < rung_kernels_level_count(); level++) {
    if (!rung_kernels_level(level)) continue;
    ck_assert_int_eq(rung_kernels_use(rung_kernels_level(level)->level), RUNG_OK);
    net made = make(&at, &data, output_of(&at), RUNG_RANGES_DELAYED, 2);
    compute(&plain, &at, &data, &made);
    plain_backward(&plain, &at, &data);
    real = plain;
    memset(x_sum, 0, sizeof x_sum);
    memset(w_sum, 0, sizeof w_sum);
    plain_bf16(&plain, &at, &data, x_sum, w_sum);
    replay_once(made.graph, PLAIN_BATCH, true, true);
    expect_near(made.q->gradient.data, real.dx, x_sum, PLAIN_BATCH * PLAIN_IN);
    expect_near(made.w->gradient.data, real.dw, w_sum, PLAIN_OUT * PLAIN_IN);
    if (strcmp(rung_kernels_active()->level, "v4bf16")) expect_gradients(level, &made, &plain);
    ck_assert_mem_ne(made.w->gradient.data, real.dw, sizeof real.dw);
    release(&made);
  }
  ck_assert_int_eq(rung_kernels_use(active), RUNG_OK);
}
END_TEST

/* ---- Training ---------------------------------------------------------------------------------------------------- */

static void descend(void *context, const rung_node *parameter, const float *gradient, int64_t begin, int64_t end) {
  (void)context;
  rung_kernels_active()->scale_add((float *)parameter->value.data + begin, gradient, -0.001f, end - begin, true);
}

static void descend_both(const net *made) {
  for (int i = 0; i < 2; i++) {
    const rung_node *node = i ? made->b : made->w;
    descend(NULL, node, node->gradient.data, 0, rung_tensor_count(&node->value));
  }
}

/* Four steps of gradient descent on w and b, and the layer's integers after each: a hash. The ranges move. */
static uint64_t train(const layer_case *at, const layer_data *data, int threads, bool takes) {
  net made = make(at, data, rung_quantizer_new("y", &at->output, &min_max), RUNG_RANGES_DELAYED, threads);
  uint64_t hash = 14695981039346656037u;
  for (int step = 0; step < 4; step++) {
    const rung_replay_options options = {
        .count = PLAIN_BATCH, .training = true, .backward = true, .take = takes ? descend : NULL};
    ck_assert_msg(rung_graph_replay(made.graph, &options) == RUNG_OK, "%s", rung_error());
    ck_assert(rung_node_is_taken(made.w) && rung_node_is_taken(made.b) && !rung_node_is_taken(made.x));
    if (!takes) descend_both(&made);
    const rung_node *seen[] = {made.layer, made.w, made.b};
    for (int i = 0; i < 3; i++)
      for (size_t k = 0; k < (size_t)rung_tensor_count(&seen[i]->value) * rung_dtype_size(seen[i]->value.type); k++)
        hash = (hash ^ ((const uint8_t *)seen[i]->value.data)[k]) * 1099511628211u;
  }
  release(&made);
  return hash;
}

/* Of every way to compute gradients and granularity, with 1 bit and 8: a layer whose gradients are taken (by teams of 1
 * and 3), and whose weights are then quantized at once, trains to the bits of one whose gradients are stored; at every
 * level. */
START_TEST(taking_changes_no_bit_at_any_level_on_any_team) {
  static layer_data data;
  layer_data_make(&data, 100);
  layer_case at = case_of((rung_backward)(_i % RUNG_BACKWARD_COUNT));
  at.granularity = (rung_granularity)(_i / RUNG_BACKWARD_COUNT % 3);
  at.weight.bits = _i / RUNG_BACKWARD_COUNT / 3 ? 1 : 8;
  at.clamp = RUNG_CLAMP_RELU;
  const char *active = rung_kernels_active()->level;
  ck_assert_int_eq(rung_kernels_use("ref"), RUNG_OK);
  uint64_t first = train(&at, &data, 1, false);
  for (int level = 0; level < rung_kernels_level_count(); level++) {
    if (!rung_kernels_level(level)) continue;
    const char *name = rung_kernels_level(level)->level;
    ck_assert_int_eq(rung_kernels_use(name), RUNG_OK);
    if (at.backward == RUNG_BACKWARD_BF16 && !strcmp(name, "v4bf16")) first = train(&at, &data, 1, false);
    for (int threads = 1; threads <= 3; threads++)
      ck_assert_msg(train(&at, &data, threads, threads != 2) == first, "level %s, threads: %d", name, threads);
  }
  ck_assert_int_eq(rung_kernels_use(active), RUNG_OK);
}
END_TEST

/* After steps that took, an evaluation computes with the integers of the shadows as they are. */
START_TEST(an_evaluation_after_taking_sees_the_new_weights) {
  static layer_data data;
  static plain_layer plain;
  layer_data_make(&data, 110);
  layer_case at = case_of((rung_backward)(_i % RUNG_BACKWARD_COUNT));
  at.granularity = (rung_granularity)(_i / RUNG_BACKWARD_COUNT);
  net made = make(&at, &data, output_of(&at), RUNG_RANGES_DELAYED, 2);
  for (int step = 0; step < 3; step++) {
    const rung_replay_options options = {.count = PLAIN_BATCH, .training = true, .backward = true, .take = descend};
    ck_assert_int_eq(rung_graph_replay(made.graph, &options), RUNG_OK);
    ck_assert_mem_ne(made.w->value.data, data.w, sizeof data.w);
    memcpy(data.w, made.w->value.data, sizeof data.w);
    memcpy(data.b, made.b->value.data, sizeof data.b);
    compute(&plain, &at, &data, &made);
    replay_once(made.graph, PLAIN_BATCH, false, false);
    expect_integers(&plain, &made);
  }
  for (int i = 0; i < PLAIN_OUT * PLAIN_IN; i++) data.w[i] = -data.w[i]; /* changed from outside: told by not taking */
  memcpy(made.w->value.data, data.w, sizeof data.w);
  compute(&plain, &at, &data, &made);
  replay_once(made.graph, PLAIN_BATCH, true, true);
  expect_integers(&plain, &made);
  release(&made);
}
END_TEST

/* ---- Refusals ---------------------------------------------------------------------------------------------------- */

/* More products in a sum than an int32 is sure to hold: along the batch for dw, along the outputs for dx. */
START_TEST(sums_that_an_int32_may_not_hold_are_refused) {
  const int64_t most = RUNG_IGEMM_K_MAX, batch = _i ? 2 : most + 1, out = _i ? most + 1 : 2;
  const rung_format u8 = {8, false, false};
  for (int over = 0; over < 2; over++) {
    const int64_t less = 1 - over;
    rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = batch - (_i ? 0 : less)});
    rung_quantizer *input = fixed("x", &u8, 0.02f, 119);
    rung_node *x = rung_graph_parameter(graph, "x", RUNG_SHAPE(rung_graph_batch(graph), 1));
    rung_node *w = rung_graph_parameter(graph, "w", RUNG_SHAPE(out - (_i ? less : 0), 1));
    rung_node *y = rung_quantized_linear(
        rung_quantize_node(x, input, RUNG_RANGES_DELAYED), w, NULL,
        &(rung_quantized_linear_options){.weight_format = {8, true, true}, .backward = RUNG_BACKWARD_INT8});
    if (!over) ck_assert_msg(y != NULL, "%s", rung_error());
    if (over) {
      ck_assert_ptr_null(y);
      ck_assert_int_eq(rung_graph_status(graph), RUNG_ERROR_UNSUPPORTED);
      ck_assert_str_eq(rung_error(), "quantized_linear: backward int8 sums 65794 products, expected at most 65793");
    }
    rung_graph_free(graph);
    rung_quantizer_free(input);
  }
}
END_TEST

TEST_MAIN(CASES(int8_follows_its_definition, 8), CASES(int8_gradients_are_added, 6), CASE(int8_gradients_of_any_size),
          CASE(seeds_layers_and_steps_round_differently), CASE(a_channel_of_zeros_does_not_coarsen_the_others),
          CASE(int8_is_right_on_average), CASES(bf16_is_near_f32_and_rounds_its_operands, 6),
          CASES(taking_changes_no_bit_at_any_level_on_any_team, 6 * RUNG_BACKWARD_COUNT),
          CASES(an_evaluation_after_taking_sees_the_new_weights, 3 * RUNG_BACKWARD_COUNT),
          CASES(sums_that_an_int32_may_not_hold_are_refused, 2))
