#include "quant_data.h"

static const rung_observer_options min_max = {.kind = RUNG_OBSERVER_MIN_MAX};

/* x [n] -> integers -> f32 -> g . y */
typedef struct net {
  rung_graph *graph;
  rung_node *x, *q, *y;
} net;

static net make(rung_team *team, rung_quantizer *quantizer, rung_ranges ranges, const float *x, const float *g,
                int64_t n) {
  net made = {.graph = rung_graph_new(&(rung_graph_options){.team = team})};
  made.x = rung_graph_parameter(made.graph, "x", RUNG_SHAPE(n));
  made.q = rung_quantize_node(made.x, quantizer, ranges);
  made.y = rung_dequantize_node(made.q);
  ck_assert_msg(made.y && weigh(made.y, NULL, g), "%s", rung_error());
  memcpy(made.x->value.data, x, (size_t)n * sizeof *x);
  return made;
}

static int32_t integer_at(const rung_tensor *tensor, int64_t i) {
  return tensor->type == RUNG_I8 ? ((const int8_t *)tensor->data)[i] : ((const uint8_t *)tensor->data)[i];
}

/* Every format and team, delayed and current: integers, reals and gradients by their definitions. */
START_TEST(integers_reals_and_gradients) {
  enum { N = 2777 };
  static float x[N], g[N];
  const rung_format *format = &formats[_i];
  int32_t qmin, qmax;
  rung_format_range(format, &qmin, &qmax);
  fill(x, N, 0, 1);
  fill(g, N, 4, 2);
  for (int threads = 1; threads <= 3; threads++)
    for (int ranges = 0; ranges < 2; ranges++) {
      rung_team *team = rung_team_new(threads);
      rung_quantizer *quantizer = rung_quantizer_new("x", format, &min_max);
      ck_assert_int_eq(rung_quantizer_observe_range(quantizer, -1, 0.7f), RUNG_OK);
      quantizer->state = RUNG_QUANTIZER_TRAIN;
      float scale = quantizer->scale;
      int32_t zero_point = quantizer->zero_point;
      net made = make(team, quantizer, (rung_ranges)ranges, x, g, N);
      replay_once(made.graph, 1, true, true);
      if (ranges == RUNG_RANGES_CURRENT) {
        scale = quantizer->scale;
        zero_point = quantizer->zero_point;
      }
      ck_assert(quantizer->observed == 2 && (ranges == RUNG_RANGES_CURRENT || quantizer->scale > scale));
      ck_assert(made.q->value.type == (format->is_signed ? RUNG_I8 : RUNG_U8));
      ck_assert(made.q->value.scale == scale && made.q->value.zero_point == zero_point);
      const float *y = made.y->value.data, *dx = made.x->gradient.data;
      for (int i = 0; i < N; i++) {
        int32_t q = plain_quantize(x[i], scale, zero_point, qmin, qmax);
        bool inside = rintf(x[i] * (1 / scale)) + (float)zero_point == (float)q;
        ENSURE(integer_at(&made.q->value, i) == q);
        ENSURE(y[i] == scale * (float)(q - zero_point));
        ENSURE(dx[i] == (inside ? g[i] : 0));
      }
      rung_graph_free(made.graph);
      rung_quantizer_free(quantizer);
      rung_team_free(team);
    }
}
END_TEST

/* The same numbers as the float simulation, whatever happens to the quantizer between replays. */
START_TEST(the_simulation_is_equal) {
  enum { N = 300, STEPS = 20 };
  float x[N], g[N];
  fill(g, N, 0, 2);
  rung_quantizer *a = rung_quantizer_new("a", &formats[_i], NULL), *b = rung_quantizer_new("b", &formats[_i], NULL);
  fill(x, N, 0, 1);
  net made = make(NULL, a, RUNG_RANGES_DELAYED, x, g, N);
  rung_graph *graph = rung_graph_new(NULL);
  rung_node *parameter = rung_graph_parameter(graph, "x", RUNG_SHAPE(N));
  rung_node *simulated = rung_fake_quantize(parameter, b, RUNG_RANGES_DELAYED);
  ck_assert_ptr_nonnull(weigh(simulated, NULL, g));
  ck_assert_int_eq(rung_quantizer_observe(a, x, N), RUNG_OK);
  ck_assert_int_eq(rung_quantizer_observe(b, x, N), RUNG_OK);
  a->state = b->state = RUNG_QUANTIZER_TRAIN;
  for (int step = 0; step < STEPS; step++) {
    fill(x, N, step % DISTRIBUTIONS, (uint64_t)step);
    memcpy(made.x->value.data, x, sizeof x);
    memcpy(parameter->value.data, x, sizeof x);
    replay_once(made.graph, 1, true, true);
    replay_once(graph, 1, true, true);
    ck_assert(a->scale == b->scale && a->zero_point == b->zero_point);
    for (int i = 0; i < N; i++) { /* not by bytes: an integer has no -0 */
      ENSURE(((const float *)made.y->value.data)[i] == ((const float *)simulated->value.data)[i]);
      ENSURE(((const float *)made.x->gradient.data)[i] == ((const float *)parameter->gradient.data)[i]);
    }
  }
  rung_graph_free(made.graph);
  rung_graph_free(graph);
  rung_quantizer_free(a);
  rung_quantizer_free(b);
}
END_TEST

START_TEST(parameters_from_outside_hold_at_the_next_replay) {
  float x[] = {0.5f, 1}, g[] = {1, 1};
  rung_quantizer *quantizer = rung_quantizer_new("x", &(rung_format){8, false, false}, &min_max);
  net made = make(NULL, quantizer, RUNG_RANGES_DELAYED, x, g, 2);
  for (int i = 1; i <= 4; i++) {
    ck_assert_int_eq(rung_quantizer_observe_range(quantizer, 0, (float)i), RUNG_OK);
    replay_once(made.graph, 1, false, false);
    ck_assert(made.q->value.scale == (float)i / 255);
    ck_assert_int_eq(integer_at(&made.q->value, 1), (int)rintf(1 / ((float)i / 255)));
  }
  rung_graph_free(made.graph);
  rung_quantizer_free(quantizer);
}
END_TEST

/* x feeds two quantizers, each behind a dequantize that reads its integers: the two gradients add up. */
START_TEST(gradients_accumulate) {
  float x[] = {0.5f, 3, -0.2f, -2}, g[] = {1, 10, 100, 1000}, expected[] = {2, 10, 100, 0};
  rung_quantizer *narrow = rung_quantizer_new("narrow", &formats[6], &min_max);
  rung_quantizer *wide = rung_quantizer_new("wide", &formats[6], &min_max);
  ck_assert_int_eq(rung_quantizer_observe_range(narrow, -0.5f, 1), RUNG_OK);
  ck_assert_int_eq(rung_quantizer_observe_range(wide, 0, 4), RUNG_OK);
  rung_graph *graph = rung_graph_new(NULL);
  rung_node *parameter = rung_graph_parameter(graph, "x", RUNG_SHAPE(4));
  rung_node *a = rung_dequantize_node(rung_quantize_node(parameter, narrow, RUNG_RANGES_DELAYED));
  rung_node *b = rung_dequantize_node(rung_quantize_node(parameter, wide, RUNG_RANGES_DELAYED));
  ck_assert_ptr_nonnull(weigh(a, b, g));
  memcpy(parameter->value.data, x, sizeof x);
  replay_once(graph, 1, false, true);
  ck_assert_mem_eq(parameter->gradient.data, expected, sizeof expected);
  rung_graph_free(graph);
  rung_quantizer_free(narrow);
  rung_quantizer_free(wide);
}
END_TEST

/* A constant tensor of integers. */
static rung_status infer_integers(rung_node *node) {
  node->value = *(const rung_tensor *)node->attributes;
  return RUNG_OK;
}
static void forward_integers(rung_node *node, const rung_replay *replay) {
  (void)node;
  (void)replay;
}
static const rung_op integers_op = {.name = "integers", .infer = infer_integers, .forward = forward_integers};

START_TEST(wide_integers_and_reals_are_dequantized) {
  int32_t wide[] = {0, 1, -7, INT32_MAX, INT32_MIN, 16777217};
  float reals[] = {0, 1.5f, -2};
  rung_graph *graph = rung_graph_new(NULL);
  const rung_tensor tensors[] = {
      {.type = RUNG_I32, .shape = RUNG_SHAPE(6), .data = wide, .scale = 0.25f},
      {.type = RUNG_F32, .shape = RUNG_SHAPE(3), .data = reals},
  };
  rung_node *a = rung_record_leaf(graph, &integers_op, "a", &tensors[0], sizeof tensors[0]);
  rung_node *b = rung_record_leaf(graph, &integers_op, "b", &tensors[1], sizeof tensors[1]);
  rung_node *from_wide = rung_dequantize_node(a), *from_reals = rung_dequantize_node(b);
  ck_assert_msg(from_wide && from_reals, "%s", rung_error());
  replay_once(graph, 1, false, false);
  for (int i = 0; i < 6; i++) ck_assert(((const float *)from_wide->value.data)[i] == 0.25f * (float)wide[i]);
  ck_assert_mem_eq(from_reals->value.data, reals, sizeof reals);
  rung_quantizer *quantizer = rung_quantizer_new("x", &formats[0], NULL);
  ck_assert_ptr_null(rung_quantize_node(a, quantizer, RUNG_RANGES_DELAYED));
  ck_assert_str_eq(rung_error(), "quantize.4: 'a' is i32, expected f32");
  rung_graph_free(graph);
  rung_quantizer_free(quantizer);
}
END_TEST

START_TEST(steps_allocate_nothing) {
  enum { N = 3000 };
  static float x[N], g[N];
  fill(x, N, 0, 1);
  fill(g, N, 0, 2);
  rung_quantizer *quantizer = rung_quantizer_new("x", &formats[2], NULL);
  net made = make(NULL, quantizer, RUNG_RANGES_CURRENT, x, g, N);
  replay_once(made.graph, 1, true, true);
  uint64_t before = rung_allocation_count();
  for (int step = 0; step < 3; step++) replay_once(made.graph, 1, true, true);
  ck_assert_uint_eq(rung_allocation_count(), before);
  rung_graph_free(made.graph);
  rung_quantizer_free(quantizer);
}
END_TEST

TEST_MAIN(CASES(integers_reals_and_gradients, LENGTH(formats)), CASES(the_simulation_is_equal, LENGTH(formats)),
          CASE(parameters_from_outside_hold_at_the_next_replay), CASE(gradients_accumulate),
          CASE(wide_integers_and_reals_are_dequantized), CASE(steps_allocate_nothing))
