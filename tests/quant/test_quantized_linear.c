/* The linear layer on integers: its integers, gradients and ranges against plain definitions. */
#include "layer_net.h"

static const struct output {
  rung_format format;
  float scale;
  int32_t zero_point;
} outputs[] = {{{0}, 0, 0}, /* logits */
               {{8, false, false}, 0.05f, 100},
               {{8, true, false}, 0.04f, -17},
               {{8, true, true}, 0.06f, 0},
               {{4, false, false}, 0.7f, 6},
               {{2, false, false}, 1.5f, 1},
               {{3, true, true}, 1.1f, 0}};

static rung_quantizer *output_quantizer(const struct output *output) {
  return output->format.bits ? fixed("y", &output->format, output->scale, output->zero_point) : NULL;
}

/* Weights of _i + 1 bits: every granularity, input, output and clamp, with a bias and without. */
START_TEST(integers_mask_and_gradients) {
  static layer_data data;
  static plain_layer plain;
  layer_data_make(&data, (uint64_t)(100 + _i));
  int clamped = 0;
  for (int i = 0; i < 3 * 2 * LENGTH(outputs) * 3; i++) {
    const struct output *output = &outputs[i % LENGTH(outputs)];
    const layer_case at = {.input = {8, i / LENGTH(outputs) % 2 == 1, false},
                           .weight = {_i + 1, true, true},
                           .output = output->format,
                           .granularity = (rung_granularity)(i / LENGTH(outputs) / 2 % 3),
                           .clamp = (rung_clamp)(i / LENGTH(outputs) / 6),
                           .no_bias = i % 5 == 2};
    net made = make(&at, &data, output_quantizer(output), RUNG_RANGES_DELAYED, 1);
    compute(&plain, &at, &data, &made);
    plain_backward(&plain, &at, &data);
    replay_once(made.graph, 1, i % 2, true);
    ck_assert(made.layer->value.scale == plain.sy && made.layer->value.zero_point == plain.zy);
    expect_integers(&plain, &made);
    expect_floats(made.q->gradient.data, plain.dx, PLAIN_BATCH * PLAIN_IN);
    expect_floats(made.w->gradient.data, plain.dw, PLAIN_OUT * PLAIN_IN);
    if (made.b) expect_floats(made.b->gradient.data, plain.db, PLAIN_OUT);
    for (int k = 0; k < PLAIN_BATCH * PLAIN_OUT; k++) clamped += !plain.passes[k];
    release(&made);
  }
  ck_assert_int_gt(clamped, 1000); /* the cases do clamp */
}
END_TEST

static layer_case usual(void) {
  return (layer_case){.input = {8, false, false}, .weight = {8, true, true}, .output = {8, false, false}};
}

/* What a frozen program is made of is what the layer computed with. */
START_TEST(the_view_is_what_was_computed_with) {
  static layer_data data;
  static plain_layer plain;
  layer_data_make(&data, 7);
  layer_case at = usual();
  at.granularity = (rung_granularity)_i;
  at.clamp = RUNG_CLAMP_RELU6;
  net made = make(&at, &data, fixed("y", &at.output, 0.05f, 100), RUNG_RANGES_DELAYED, 2);
  rung_integer_layer layer;
  ck_assert_int_eq(rung_integer_layer_view(made.layer, &layer), RUNG_ERROR_STATE); /* before the first replay */
  ck_assert_int_eq(rung_integer_layer_view(made.q, &layer), RUNG_ERROR_ARGUMENT);
  ck_assert_int_eq(rung_integer_layer_view(NULL, &layer), RUNG_ERROR_ARGUMENT);
  compute(&plain, &at, &data, &made);
  replay_once(made.graph, 1, false, false);
  ck_assert_int_eq(rung_integer_layer_view(made.layer, &layer), RUNG_OK);
  ck_assert(layer.in == PLAIN_IN && layer.out == PLAIN_OUT);
  ck_assert_int_eq(layer.groups, at.granularity == RUNG_PER_GROUP ? PLAIN_GROUPS : 1);
  ck_assert_int_eq(layer.group, at.granularity == RUNG_PER_GROUP ? PLAIN_GROUP : 0);
  ck_assert((layer.bias64 != NULL) == (at.granularity == RUNG_PER_GROUP));
  ck_assert(layer.input_type == RUNG_U8 && layer.input_qmin == 0 && layer.input_qmax == 255);
  ck_assert(layer.input_scale == plain.sx && layer.input_zero_point == plain.zx);
  ck_assert(layer.output_type == RUNG_U8 && layer.output_scale == plain.sy && layer.output_zero_point == plain.zy);
  ck_assert_int_eq(layer.qmin, 100);
  ck_assert_int_eq(layer.qmax, 100 + 120);
  for (int j = 0; j < PLAIN_OUT; j++)
    for (int k = 0; k < PLAIN_IN; k++) {
      int64_t g = layer.group ? k / layer.group : 0;
      ENSURE(layer.weight[j * PLAIN_IN + k] == plain.qw[j * PLAIN_IN + k]);
      ENSURE(layer.weight_scale[j * layer.groups + g] == plain.sw[j * PLAIN_IN + k]);
      ENSURE(layer.group || (layer.multiplier[j] % 2 == 1 && layer.multiplier[j] >= 1 << 30));
    }
  replay_once(made.graph, 1, true, false);
  ck_assert_int_eq(rung_integer_layer_view(made.layer, &layer), RUNG_ERROR_STATE); /* weights are about to move */
  ck_assert_ptr_nonnull(strstr(rung_error(), "stale"));
  release(&made);
}
END_TEST

/* ---- Ranges ----------------------------------------------------------------------------------------------------- */

/* Smallest and largest real value. */
static void real_range(const plain_layer *plain, double *low, double *high) {
  *low = *high = plain->real[0];
  for (int i = 1; i < PLAIN_BATCH * PLAIN_OUT; i++) {
    *low = fmin(*low, plain->real[i]);
    *high = fmax(*high, plain->real[i]);
  }
}

/* Whether the quantizer stands where the range [low, high] puts it, but for the rounding of the range to f32, and of
 * groups to a 2^-8 of a step. */
static void expect_range(const rung_quantizer *quantizer, double low, double high) {
  double scale = (fmax(high, 0) - fmin(low, 0)) / (quantizer->qmax - quantizer->qmin);
  ck_assert_msg(fabs(quantizer->scale - scale) <= 1e-4 * scale, "scale %g, expected %g", (double)quantizer->scale,
                scale);
  ck_assert_int_le(abs(quantizer->zero_point - (int)rint(quantizer->qmin - fmin(low, 0) / scale)), 1);
}

/* Ten batches, each its own size: a step quantizes with the range of those before it or, current, of itself too. */
START_TEST(ranges_delayed_and_current) {
  static layer_data data;
  static plain_layer plain;
  const rung_ranges ranges = _i % 2 ? RUNG_RANGES_CURRENT : RUNG_RANGES_DELAYED;
  layer_case at = usual();
  at.clamp = (rung_clamp)(_i / 2 % 3);
  at.granularity = _i / 6 ? RUNG_PER_GROUP : RUNG_PER_CHANNEL;
  layer_data_make(&data, 1);
  rung_quantizer *output = rung_quantizer_new("y", &at.output, &min_max);
  net made = make(&at, &data, output, ranges, 2);
  ck_assert_int_eq(rung_quantizer_observe_range(output, -0.5f, 0.5f), RUNG_OK); /* a calibration */
  output->state = RUNG_QUANTIZER_TRAIN;
  double low = -0.5, high = 0.5;
  for (int step = 0; step < 10; step++) {
    fill(data.x, PLAIN_BATCH * PLAIN_IN, 0, (uint64_t)step);
    for (int i = 0; i < PLAIN_BATCH * PLAIN_IN; i++) data.x[i] *= 0.2f * (float)(1 + step % 7);
    memcpy(made.x->value.data, data.x, sizeof data.x);
    if (ranges == RUNG_RANGES_DELAYED) compute(&plain, &at, &data, &made);
    replay_once(made.graph, 1, true, true);
    if (ranges == RUNG_RANGES_CURRENT) compute(&plain, &at, &data, &made);
    ck_assert(made.layer->value.scale == plain.sy && made.layer->value.zero_point == plain.zy);
    expect_integers(&plain, &made);
    double least, most;
    real_range(&plain, &least, &most);
    low = fmin(low, least);
    high = fmax(high, most);
    expect_range(output, low, high);
    ck_assert_uint_eq(output->observed, (uint64_t)(step + 2));
  }
  ck_assert(high > 2);                      /* the ranges did move */
  replay_once(made.graph, 1, false, false); /* outside training nothing is observed */
  ck_assert_uint_eq(output->observed, 11);
  output->state = RUNG_QUANTIZER_FROZEN;
  replay_once(made.graph, 1, true, true);
  ck_assert_uint_eq(output->observed, 11);
  release(&made);
}
END_TEST

/* An observer that needs every value costs a pass of its own, which changes no integer, and sees the real values. */
START_TEST(observers_of_every_value) {
  static layer_data data;
  static plain_layer plain;
  layer_case at = usual();
  at.output.bits = 4;
  at.clamp = (rung_clamp)(_i / 3);
  at.granularity = (rung_granularity)(_i % 3);
  layer_data_make(&data, 3);
  const rung_observer_options mse = {.kind = RUNG_OBSERVER_MSE};
  rung_quantizer *output = rung_quantizer_new("y", &at.output, &mse);
  rung_quantizer *plainly = rung_quantizer_new("y", &at.output, &mse);
  output->scale = 0.5f;
  output->zero_point = 4;
  net made = make(&at, &data, output, RUNG_RANGES_DELAYED, 3);
  compute(&plain, &at, &data, &made);
  for (int step = 1; step <= 8; step++) { /* a histogram sees every 8th */
    ck_assert_uint_eq(output->observed, 0);
    replay_once(made.graph, 1, true, true);
    expect_integers(&plain, &made);
  }
  ck_assert_uint_eq(output->observed, 1);
  float real[PLAIN_BATCH * PLAIN_OUT];
  for (int i = 0; i < PLAIN_BATCH * PLAIN_OUT; i++) real[i] = (float)plain.real[i];
  ck_assert_int_eq(rung_quantizer_observe(plainly, real, PLAIN_BATCH * PLAIN_OUT), RUNG_OK);
  ck_assert_msg(fabsf(output->scale - plainly->scale) <= 0.01f * plainly->scale, "%g, expected %g",
                (double)output->scale, (double)plainly->scale);
  ck_assert_int_eq(output->zero_point, plainly->zero_point);
  rung_quantizer_free(plainly);
  release(&made);
}
END_TEST

/* ---- The same bits, no allocation, refusals --------------------------------------------------------------------- */

/* Everything that three training steps leave behind, hashed. */
static uint64_t hash(uint64_t at, const void *data, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) at = (at ^ ((const uint8_t *)data)[i]) * 1099511628211u;
  return at;
}

static uint64_t train(const layer_case *at, const layer_data *data, const rung_observer_options *observer,
                      rung_ranges ranges, int threads) {
  rung_quantizer *output = rung_quantizer_new("y", &at->output, observer);
  net made = make(at, data, output, ranges, threads);
  uint64_t sum = 14695981039346656037u;
  for (int step = 0; step < 3; step++) {
    replay_once(made.graph, 1, true, true);
    sum = hash(sum, made.layer->value.data, PLAIN_BATCH * PLAIN_OUT);
    sum = hash(sum, made.q->gradient.data, sizeof data->x);
    sum = hash(sum, made.w->gradient.data, sizeof data->w);
    sum = hash(sum, made.b->gradient.data, sizeof data->b);
    sum = hash(sum, &output->scale, sizeof output->scale);
  }
  release(&made);
  return sum;
}

START_TEST(same_bits_for_every_level_and_team) {
  static layer_data data;
  layer_data_make(&data, 11);
  layer_case at = usual();
  at.granularity = (rung_granularity)(_i % 3);
  at.clamp = RUNG_CLAMP_RELU;
  const rung_observer_options observer = {.kind = _i / 3 % 2 ? RUNG_OBSERVER_MSE : RUNG_OBSERVER_MOVING_AVERAGE};
  const rung_ranges ranges = _i / 6 ? RUNG_RANGES_CURRENT : RUNG_RANGES_DELAYED;
  const char *active = rung_kernels_active()->level;
  uint64_t first = train(&at, &data, &observer, ranges, 1);
  for (int level = 0; level < rung_kernels_level_count(); level++) {
    if (!rung_kernels_level(level)) continue;
    ck_assert_int_eq(rung_kernels_use(rung_kernels_level(level)->level), RUNG_OK);
    for (int threads = 1; threads <= 3; threads++)
      ck_assert_uint_eq(train(&at, &data, &observer, ranges, threads), first);
  }
  ck_assert_int_eq(rung_kernels_use(active), RUNG_OK);
}
END_TEST

START_TEST(steps_allocate_nothing) {
  static layer_data data;
  layer_data_make(&data, 11);
  layer_case at = usual();
  at.granularity = (rung_granularity)(_i % 3);
  const rung_observer_options observer = {.kind = _i / 3 % 2 ? RUNG_OBSERVER_MSE : RUNG_OBSERVER_MOVING_AVERAGE};
  net made = make(&at, &data, rung_quantizer_new("y", &at.output, &observer),
                  _i / 6 ? RUNG_RANGES_CURRENT : RUNG_RANGES_DELAYED, 2);
  replay_once(made.graph, 1, true, true);
  uint64_t before = rung_allocation_count();
  for (int step = 0; step < 20; step++) replay_once(made.graph, 1, step % 4 != 0, step % 2);
  ck_assert_uint_eq(rung_allocation_count(), before);
  release(&made);
}
END_TEST

/* A shadow changes; so do the integers, in training at once and otherwise when told. */
START_TEST(weights_are_followed_in_training) {
  static layer_data data;
  static plain_layer plain;
  layer_data_make(&data, 5);
  layer_case at = usual();
  net made = make(&at, &data, fixed("y", &at.output, 0.05f, 100), RUNG_RANGES_DELAYED, 1);
  for (int step = 0; step < 3; step++) {
    for (int i = 0; i < PLAIN_OUT * PLAIN_IN; i++) data.w[i] = -data.w[(i + 7) % (PLAIN_OUT * PLAIN_IN)];
    memcpy(made.w->value.data, data.w, sizeof data.w);
    compute(&plain, &at, &data, &made);
    replay_once(made.graph, 1, true, false);
    expect_integers(&plain, &made);
    replay_once(made.graph, 1, false, false);
    expect_integers(&plain, &made);
  }
  release(&made);
}
END_TEST

START_TEST(what_does_not_fit_is_refused) {
  static const struct {
    const char *says;
    int64_t in, bias;
    bool reals;
  } cases[] = {{"'x' is f32, expected u8 or i8", 44, 70, true},
               {"x is [5, 44], weight [70, 45]; expected [n, in] and [out, in]", 45, 70, false},
               {"bias is [71], expected [70]", 44, 71, false}};
  const rung_format u8 = {8, false, false};
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = PLAIN_BATCH});
  rung_quantizer *input = fixed("x", &u8, 0.02f, 119);
  rung_node *x = rung_graph_parameter(graph, "x", RUNG_SHAPE(PLAIN_BATCH, PLAIN_IN));
  rung_node *q = cases[_i].reals ? x : rung_quantize_node(x, input, RUNG_RANGES_DELAYED);
  rung_node *w = rung_graph_parameter(graph, "w", RUNG_SHAPE(PLAIN_OUT, cases[_i].in));
  rung_node *b = rung_graph_parameter(graph, "b", RUNG_SHAPE(cases[_i].bias));
  const rung_quantized_linear_options options = {.weight_format = {8, true, true}};
  ck_assert_ptr_null(rung_quantized_linear(q, w, b, &options));
  ck_assert_msg(strstr(rung_error(), cases[_i].says) != NULL, "%s", rung_error());
  ck_assert_ptr_null(rung_quantized_linear(NULL, w, b, &options));
  rung_graph_free(graph);
  rung_quantizer_free(input);
}
END_TEST

TEST_MAIN(CASES(integers_mask_and_gradients, 8), CASES(the_view_is_what_was_computed_with, 3),
          CASES(ranges_delayed_and_current, 12), CASES(observers_of_every_value, 9),
          CASES(same_bits_for_every_level_and_team, 12), CASES(steps_allocate_nothing, 12),
          CASE(weights_are_followed_in_training), CASES(what_does_not_fit_is_refused, 3))
