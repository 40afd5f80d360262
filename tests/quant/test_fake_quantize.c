#include "quant_data.h"

#include "golden/quant.h"

static const rung_format u8 = {8, false, false};
static const rung_observer_options min_max = {.kind = RUNG_OBSERVER_MIN_MAX};

/* y = fake_quantize(x) of a parameter x [n], and the scalar g . y. */
typedef struct net {
  rung_graph *graph;
  rung_node *x, *y;
} net;

static net start(rung_team *team, const float *values, int64_t n) {
  net made = {.graph = rung_graph_new(&(rung_graph_options){.team = team})};
  made.x = rung_graph_parameter(made.graph, "x", RUNG_SHAPE(n));
  ck_assert_ptr_nonnull(made.x);
  memcpy(made.x->value.data, values, (size_t)n * sizeof *values);
  return made;
}

static net finish(net made, const float *g) {
  ck_assert_msg(made.y && weigh(made.y, NULL, g), "%s", rung_error());
  return made;
}

static void set(rung_quantizer *quantizer, float scale, int32_t zero_point, int32_t qmin, int32_t qmax) {
  quantizer->state = RUNG_QUANTIZER_FROZEN;
  quantizer->scale = scale;
  quantizer->zero_point = zero_point;
  quantizer->qmin = qmin;
  quantizer->qmax = qmax;
}

/* ---- Activations ------------------------------------------------------------------------------------------------ */

START_TEST(values_and_gradients_are_those_of_pytorch) {
  float *values = load_floats("quant_values.bin", 512), *golden = load_floats("quant_fake.bin", (_i + 1) * 512);
  rung_quantizer *quantizer = rung_quantizer_new("x", &u8, &min_max);
  set(quantizer, golden_fake[_i].scale, golden_fake[_i].zero_point, golden_fake[_i].qmin, golden_fake[_i].qmax);
  net made = start(NULL, values, 256);
  made.y = rung_fake_quantize(made.x, quantizer, RUNG_RANGES_DELAYED);
  finish(made, values + 256);
  replay_once(made.graph, 1, true, true);
  const float *y = made.y->value.data, *dx = made.x->gradient.data;
  for (int i = 0; i < 256; i++) {
    ENSURE(y[i] == golden[_i * 512 + i]);
    ENSURE(dx[i] == golden[_i * 512 + 256 + i]);
  }
  rung_graph_free(made.graph);
  rung_quantizer_free(quantizer);
  free(values);
  free(golden);
}
END_TEST

/* Every kind of range, size and team: the same bits as one thread, and those of the definition. */
START_TEST(teams_give_the_same_bits) {
  enum { N = 1000 };
  float x[N], g[N];
  rung_ranges ranges = _i % 2 ? RUNG_RANGES_CURRENT : RUNG_RANGES_DELAYED;
  fill(x, N, 0, 1);
  fill(g, N, 4, 2);
  for (int threads = 1; threads <= 3; threads++) {
    rung_team *team = rung_team_new(threads);
    rung_quantizer *quantizer = rung_quantizer_new("x", &(rung_format){4, false, false}, &min_max);
    ck_assert_int_eq(rung_quantizer_observe_range(quantizer, -1, 0.5f), RUNG_OK);
    quantizer->state = RUNG_QUANTIZER_TRAIN;
    float scale = quantizer->scale;
    int32_t zero_point = quantizer->zero_point;
    net made = start(team, x, N);
    made.y = rung_fake_quantize(made.x, quantizer, ranges);
    finish(made, g);
    replay_once(made.graph, 1, true, true);
    if (ranges == RUNG_RANGES_CURRENT) { /* the range that this batch has widened */
      ck_assert(quantizer->scale > scale);
      scale = quantizer->scale;
      zero_point = quantizer->zero_point;
    }
    const float *y = made.y->value.data, *dx = made.x->gradient.data;
    for (int i = 0; i < N; i++) {
      int32_t q = plain_quantize(x[i], scale, zero_point, 0, 15);
      bool inside = rintf(x[i] * (1 / scale)) + (float)zero_point == (float)q;
      ENSURE(y[i] == scale * (float)(q - zero_point));
      ENSURE(dx[i] == (inside ? g[i] : 0));
    }
    ck_assert_uint_eq(quantizer->observed, 2);
    ck_assert(quantizer->scale > 0.2f); /* the batch was observed, before or after */
    rung_graph_free(made.graph);
    rung_quantizer_free(quantizer);
    rung_team_free(team);
  }
}
END_TEST

START_TEST(only_training_observes) {
  float x[] = {-1, 0, 3}, g[] = {1, 1, 1};
  for (int ranges = 0; ranges < 2; ranges++) {
    rung_quantizer *quantizer = rung_quantizer_new("x", &u8, &min_max);
    ck_assert_int_eq(rung_quantizer_observe_range(quantizer, 0, 1), RUNG_OK);
    net made = start(NULL, x, 3);
    made.y = rung_fake_quantize(made.x, quantizer, (rung_ranges)ranges);
    finish(made, g);
    replay_once(made.graph, 1, false, true);
    ck_assert_uint_eq(quantizer->observed, 1);
    ck_assert(((const float *)made.y->value.data)[2] == 1);
    replay_once(made.graph, 1, true, false);
    ck_assert_uint_eq(quantizer->observed, 2);
    ck_assert((((const float *)made.y->value.data)[2] == 1) == (ranges == RUNG_RANGES_DELAYED));
    replay_once(made.graph, 1, false, false);
    ck_assert(fabsf(((const float *)made.y->value.data)[2] - 3) < 0.01f);
    quantizer->state = RUNG_QUANTIZER_FROZEN;
    replay_once(made.graph, 1, true, false);
    ck_assert_uint_eq(quantizer->observed, 2);
    rung_graph_free(made.graph);
    rung_quantizer_free(quantizer);
  }
}
END_TEST

START_TEST(a_quantizer_that_is_off_lets_everything_through) {
  enum { N = 77 };
  float x[N], g[N];
  fill(x, N, 2, 1);
  fill(g, N, 0, 2);
  rung_quantizer *quantizer = rung_quantizer_new("x", &u8, &min_max);
  net made = start(NULL, x, N);
  made.y = rung_fake_quantize(made.x, quantizer, RUNG_RANGES_DELAYED);
  finish(made, g);
  replay_once(made.graph, 1, false, true);
  ck_assert_mem_eq(made.y->value.data, x, sizeof x);
  ck_assert_mem_eq(made.x->gradient.data, g, sizeof g);
  ck_assert_int_eq(quantizer->state, RUNG_QUANTIZER_OFF);
  replay_once(made.graph, 1, true, false); /* the first step gives it a range */
  ck_assert_int_eq(quantizer->state, RUNG_QUANTIZER_CALIBRATE);
  replay_once(made.graph, 1, false, false);
  ck_assert_mem_ne(made.y->value.data, x, sizeof x);
  rung_graph_free(made.graph);
  rung_quantizer_free(quantizer);
}
END_TEST

/* x feeds two quantizers and a weight's simulation feeds two as well: the gradients add up. */
START_TEST(gradients_accumulate) {
  float x[] = {0.5f, 3, -0.2f, -2}, g[] = {1, 10, 100, 1000}, expected[] = {2, 10, 100, 0};
  rung_quantizer *narrow = rung_quantizer_new("narrow", &u8, &min_max);
  rung_quantizer *wide = rung_quantizer_new("wide", &u8, &min_max);
  ck_assert_int_eq(rung_quantizer_observe_range(narrow, -0.5f, 1), RUNG_OK);
  ck_assert_int_eq(rung_quantizer_observe_range(wide, 0, 4), RUNG_OK);
  net made = start(NULL, x, 4);
  ck_assert_ptr_nonnull(weigh(rung_fake_quantize(made.x, narrow, RUNG_RANGES_DELAYED),
                              rung_fake_quantize(made.x, wide, RUNG_RANGES_DELAYED), g));
  replay_once(made.graph, 1, false, true);
  ck_assert_mem_eq(made.x->gradient.data, expected, sizeof expected);
  rung_graph_free(made.graph);
  for (int bits = 1; bits <= 2; bits++) { /* binary: none passes beyond 1 */
    const rung_format format = {bits, true, true};
    float both[] = {2, bits > 1 ? 20 : 0, 200, bits > 1 ? 2000 : 0};
    made = start(NULL, x, 4);
    ck_assert_ptr_nonnull(weigh(rung_fake_quantize_weight(made.x, &format, RUNG_PER_TENSOR, 0),
                                rung_fake_quantize_weight(made.x, &format, RUNG_PER_CHANNEL, 0), g));
    replay_once(made.graph, 1, false, true);
    ck_assert_mem_eq(made.x->gradient.data, both, sizeof both);
    rung_graph_free(made.graph);
  }
  rung_quantizer_free(narrow);
  rung_quantizer_free(wide);
}
END_TEST

START_TEST(steps_allocate_nothing) {
  enum { N = 500 };
  float x[N], g[N];
  fill(x, N, 0, 1);
  fill(g, N, 0, 2);
  for (int ranges = 0; ranges < 2; ranges++) {
    const rung_observer_options mse = {.kind = RUNG_OBSERVER_MSE};
    rung_quantizer *quantizer = rung_quantizer_new("x", &u8, &mse);
    net made = start(NULL, x, N);
    rung_node *weight = rung_fake_quantize_weight(made.x, &(rung_format){4, true, true}, RUNG_PER_TENSOR, 0);
    made.y = rung_fake_quantize(weight, quantizer, (rung_ranges)ranges);
    finish(made, g);
    replay_once(made.graph, 1, true, true);
    uint64_t before = rung_allocation_count();
    for (int step = 0; step < 5; step++) replay_once(made.graph, 1, true, true);
    ck_assert_uint_eq(rung_allocation_count(), before);
    rung_graph_free(made.graph);
    rung_quantizer_free(quantizer);
  }
}
END_TEST

START_TEST(impossible_operands_are_refused) {
  rung_graph *graph = rung_graph_new(NULL);
  rung_node *x = rung_graph_parameter(graph, "x", RUNG_SHAPE(3, 4));
  ck_assert_ptr_null(rung_fake_quantize(x, NULL, RUNG_RANGES_DELAYED));
  ck_assert_str_eq(rung_error(), "fake_quantize.1: no quantizer");
  ck_assert_ptr_null(rung_fake_quantize(NULL, NULL, RUNG_RANGES_DELAYED));
  rung_graph_free(graph);
  static const struct {
    rung_format format;
    rung_granularity granularity;
    const char *message;
  } wrong[] = {
      {{9, true, true}, RUNG_PER_TENSOR, "weight_bits 9, expected 1..8"},
      {{8, true, false}, RUNG_PER_TENSOR, "fake_quantize_weight.1: the format is affine, expected symmetric"},
      {{8, true, true}, RUNG_PER_GROUP, "fake_quantize_weight.1: group 0, expected 1 or more"},
  };
  for (int i = 0; i < LENGTH(wrong); i++) {
    graph = rung_graph_new(NULL);
    x = rung_graph_parameter(graph, "x", RUNG_SHAPE(3, 4));
    ck_assert_ptr_null(rung_fake_quantize_weight(x, &wrong[i].format, wrong[i].granularity, 0));
    ck_assert_str_eq(rung_error(), wrong[i].message);
    rung_graph_free(graph);
  }
}
END_TEST

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

enum { ROWS = 16, COLUMNS = 64, WEIGHTS = ROWS * COLUMNS };

static net start_weight(rung_team *team, const float *values, const rung_format *format, rung_granularity granularity,
                        int64_t group) {
  net made = {.graph = rung_graph_new(&(rung_graph_options){.team = team})};
  made.x = rung_graph_parameter(made.graph, "w", RUNG_SHAPE(ROWS, 4, COLUMNS / 4));
  memcpy(made.x->value.data, values, WEIGHTS * sizeof *values);
  made.y = rung_fake_quantize_weight(made.x, format, granularity, group);
  return made;
}

START_TEST(weights_are_those_of_pytorch) {
  float *values = load_floats("quant_values.bin", 4096);
  float *golden = load_floats("quant_fake.bin", LENGTH(golden_fake) * 512 + LENGTH(golden_weight_bits) * 2064);
  const float *expected = golden + LENGTH(golden_fake) * 512 + _i * 2064 + 16;
  const rung_format format = {golden_weight_bits[_i], true, true};
  net made = finish(start_weight(NULL, values + 1024, &format, RUNG_PER_CHANNEL, 0), values + 2048);
  replay_once(made.graph, 1, true, true);
  const float *y = made.y->value.data, *dx = made.x->gradient.data;
  for (int i = 0; i < WEIGHTS; i++) {
    ENSURE(y[i] == expected[i]);
    ENSURE(dx[i] == expected[WEIGHTS + i]);
  }
  rung_graph_free(made.graph);
  free(values);
  free(golden);
}
END_TEST

/* At every width, granularity and team size the simulated weight is scale * q of the integer copy, to the bit. */
START_TEST(simulated_weights_are_the_integer_copy) {
  static const struct {
    rung_granularity granularity;
    int64_t rows, columns, group;
  } ways[] = {
      {RUNG_PER_CHANNEL, ROWS, COLUMNS, 0}, {RUNG_PER_TENSOR, 1, WEIGHTS, 0}, {RUNG_PER_GROUP, ROWS, COLUMNS, 20}};
  const rung_format format = {_i + 1, true, true};
  float w[WEIGHTS], scale[WEIGHTS];
  int8_t q[WEIGHTS];
  fill(w, WEIGHTS, 0, 9);
  memset(w + COLUMNS, 0, COLUMNS * sizeof *w);
  for (int way = 0; way < LENGTH(ways); way++)
    for (int threads = 1; threads <= 3; threads++) {
      int64_t columns = ways[way].columns, width = ways[way].group ? ways[way].group : columns;
      rung_team *team = rung_team_new(threads);
      net made = finish(start_weight(team, w, &format, ways[way].granularity, ways[way].group), w);
      replay_once(made.graph, 1, true, true);
      rung_quantize_rows(&format, w, ways[way].rows, columns, ways[way].group, q, scale);
      const float *y = made.y->value.data, *dw = made.x->gradient.data;
      for (int64_t i = 0; i < WEIGHTS; i++) {
        int64_t groups = (columns + width - 1) / width;
        ENSURE(y[i] == scale[i / columns * groups + i % columns / width] * (float)q[i]);
        ENSURE(dw[i] == (format.bits > 1 || fabsf(w[i]) <= 1 ? w[i] : 0));
      }
      rung_graph_free(made.graph);
      rung_team_free(team);
    }
}
END_TEST

START_TEST(weight_scales_follow_present_values) {
  float w[WEIGHTS], g[WEIGHTS];
  fill(w, WEIGHTS, 4, 3); /* all below 1 */
  fill(g, WEIGHTS, 0, 4);
  w[0] = 1;
  net made = finish(start_weight(NULL, w, &(rung_format){3, true, true}, RUNG_PER_CHANNEL, 0), g);
  const float *y = made.y->value.data;
  replay_once(made.graph, 1, true, true);
  ck_assert(fabsf(y[0] - 1) < 1e-6f);
  float other_row = y[COLUMNS];
  ((float *)made.x->value.data)[5] = 99;
  replay_once(made.graph, 1, true, true);
  ck_assert(y[5] == 99 && y[0] == 0 && y[COLUMNS] == other_row);
  rung_graph_free(made.graph);
}
END_TEST

TEST_MAIN(CASES(values_and_gradients_are_those_of_pytorch, LENGTH(golden_fake)), CASES(teams_give_the_same_bits, 2),
          CASE(only_training_observes), CASE(a_quantizer_that_is_off_lets_everything_through),
          CASE(gradients_accumulate), CASE(steps_allocate_nothing), CASE(impossible_operands_are_refused),
          CASES(weights_are_those_of_pytorch, LENGTH(golden_weight_bits)),
          CASES(simulated_weights_are_the_integer_copy, 8), CASE(weight_scales_follow_present_values))
