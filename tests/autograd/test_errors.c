/* Every refusal: one line that names the op, what it got and what it expected; and recording that stays failed. */
#include "harness.h"
#include "network.h"

typedef struct refusal {
  rung_node *(*record)(rung_graph *graph, rung_node *x, rung_node *label); /* x [8, 6] of the batch */
  rung_status status;
  const char *message;
} refusal;

#define REFUSAL(name)        static rung_node *name(rung_graph *graph, rung_node *x, rung_node *label)
#define PARAMETER(name, ...) rung_graph_parameter(graph, name, RUNG_SHAPE(__VA_ARGS__))
#define UNUSED               (void)graph, (void)x, (void)label

REFUSAL(linear_weight) {
  UNUSED;
  return rung_linear_with(x, PARAMETER("w", 4, 5), NULL);
}
REFUSAL(linear_bias) {
  UNUSED;
  return rung_linear_with(x, PARAMETER("w", 4, 6), PARAMETER("b", 5));
}
REFUSAL(linear_batched_weight) {
  UNUSED;
  return rung_linear_with(x, x, NULL);
}
REFUSAL(linear_label) {
  UNUSED;
  return rung_linear_with(label, PARAMETER("w", 4, 1), NULL);
}
REFUSAL(linear_scalar) {
  UNUSED;
  return rung_linear_with(rung_sum(x), PARAMETER("w", 4, 1), NULL);
}
REFUSAL(matmul_shapes) {
  UNUSED;
  return rung_matmul(x, PARAMETER("b", 5, 4));
}
REFUSAL(matmul_batched) {
  UNUSED;
  return rung_matmul(PARAMETER("a", 3, 8), x);
}
REFUSAL(add_shapes) {
  UNUSED;
  return rung_add(x, PARAMETER("b", 5));
}
REFUSAL(add_batch) {
  UNUSED;
  return rung_add(x, PARAMETER("b", 8, 6));
}
REFUSAL(multiply_batch) {
  UNUSED;
  return rung_multiply(PARAMETER("a", 8, 6), x);
}
REFUSAL(relu_label) {
  UNUSED;
  return rung_relu(label);
}
REFUSAL(reshape_count) {
  UNUSED;
  return rung_reshape(x, RUNG_SHAPE(2, 4));
}
REFUSAL(reshape_empty) {
  UNUSED;
  return rung_reshape(x, RUNG_SHAPE(6, 0));
}
REFUSAL(reshape_rank) {
  UNUSED;
  return rung_reshape(x, RUNG_SHAPE(6, 1, 1, 1, 1, 1));
}
REFUSAL(dropout_all) {
  UNUSED;
  return rung_dropout(x, 1);
}
REFUSAL(dropout_nan) {
  UNUSED;
  return rung_dropout(x, NAN);
}
static rung_node *norm(rung_graph *graph, rung_node *x, int64_t d, float momentum, float epsilon) {
  return rung_batch_norm_with(x, PARAMETER("scale", 6), PARAMETER("shift", 6), PARAMETER("mean", d),
                              PARAMETER("variance", 6), momentum, epsilon);
}
REFUSAL(batch_norm_shapes) {
  UNUSED;
  return norm(graph, x, 5, 0.1f, 1e-5f);
}
REFUSAL(batch_norm_momentum) {
  UNUSED;
  return norm(graph, x, 6, 1.5f, 1e-5f);
}
REFUSAL(batch_norm_epsilon) {
  UNUSED;
  return norm(graph, x, 6, 0.1f, 0);
}
REFUSAL(batch_norm_running) {
  UNUSED;
  rung_node *row = rung_relu(PARAMETER("row", 6));
  return rung_batch_norm_with(x, row, row, row, row, 0.1f, 1e-5f);
}
REFUSAL(cross_entropy_types) {
  UNUSED;
  return rung_cross_entropy(x, PARAMETER("t", 8));
}
REFUSAL(cross_entropy_shapes) {
  UNUSED;
  return rung_cross_entropy(rung_reshape(x, RUNG_SHAPE(2, 3)), label);
}
REFUSAL(cross_entropy_batch) {
  UNUSED;
  return rung_cross_entropy(PARAMETER("logits", 8, 6), label);
}
REFUSAL(squared_hinge_shapes) {
  UNUSED;
  return rung_squared_hinge(PARAMETER("scores", 7, 6), label);
}
REFUSAL(squared_error_shapes) {
  UNUSED;
  return rung_squared_error(x, PARAMETER("t", 6));
}
REFUSAL(squared_error_batch) {
  UNUSED;
  return rung_squared_error(x, PARAMETER("t", 8, 6));
}
REFUSAL(sum_label) {
  UNUSED;
  return rung_sum(label);
}
REFUSAL(name_taken) {
  UNUSED;
  return PARAMETER("x", 3);
}
REFUSAL(overflowing) {
  UNUSED;
  return PARAMETER("huge", INT64_MAX / 2, 4);
}
REFUSAL(too_deep) {
  UNUSED;
  return rung_graph_input(graph, "deep", RUNG_SHAPE(1, 1, 1, 1, 1, 1));
}

static const refusal refusals[] = {
    {linear_weight, RUNG_ERROR_SHAPE, "linear: x is [8, 6], weight is [4, 5]; expected weight [out, 6]"},
    {linear_bias, RUNG_ERROR_SHAPE, "linear: x is [8, 6], weight is [4, 6], bias is [5]; expected bias [4]"},
    {linear_batched_weight, RUNG_ERROR_SHAPE, "linear: the outermost extent of 'x' is the batch, expected a fixed one"},
    {linear_label, RUNG_ERROR_ARGUMENT, "linear: 'label' is i32, expected f32"},
    {linear_scalar, RUNG_ERROR_SHAPE, "linear: x is [], weight is [4, 1]; expected x [n, in]"},
    {matmul_shapes, RUNG_ERROR_SHAPE, "matmul: a is [8, 6], b is [5, 4]; expected a [n, k] and b [k, m]"},
    {matmul_batched, RUNG_ERROR_SHAPE, "matmul: the outermost extent of 'x' is the batch, expected a fixed one"},
    {add_shapes, RUNG_ERROR_SHAPE, "add: a is [8, 6], b is [5]; expected one shape, or b [d] for a [..., d]"},
    {add_batch, RUNG_ERROR_SHAPE, "add: the outermost extent of 'x' is the batch, expected a fixed one"},
    {multiply_batch, RUNG_ERROR_SHAPE, "multiply: the outermost extent of 'x' is the batch, expected a fixed one"},
    {relu_label, RUNG_ERROR_ARGUMENT, "relu: 'label' is i32, expected f32"},
    {reshape_count, RUNG_ERROR_SHAPE,
     "reshape: x is [8, 6]; expected [n, ...] with the 8 elements of [2, 4] in an example"},
    {reshape_empty, RUNG_ERROR_SHAPE, "shape [6, 0]: extent 1 is 0, wanted at least 1"},
    {reshape_rank, RUNG_ERROR_SHAPE,
     "reshape: x is [8, 6]; expected [n, ...] with at most 5 extents in an example, not [6, 1, 1, 1, 1, 1]"},
    {dropout_all, RUNG_ERROR_ARGUMENT, "dropout: probability 1, expected 0 <= p < 1"},
    {dropout_nan, RUNG_ERROR_ARGUMENT, "dropout: probability nan, expected 0 <= p < 1"},
    {batch_norm_shapes, RUNG_ERROR_SHAPE,
     "batch_norm: x is [8, 6], scale is [6], shift is [6], mean is [5], variance is [6]; "
     "expected x [n, d] and the others [d], or [1]"},
    {batch_norm_momentum, RUNG_ERROR_ARGUMENT, "batch_norm: momentum 1.5, expected 0 .. 1"},
    {batch_norm_epsilon, RUNG_ERROR_ARGUMENT, "batch_norm: epsilon 0, expected more than 0"},
    {batch_norm_running, RUNG_ERROR_ARGUMENT,
     "batch_norm: running mean 'relu.3' and variance 'relu.3', expected parameters"},
    {cross_entropy_types, RUNG_ERROR_ARGUMENT, "cross_entropy: 't' is f32, expected i32 labels"},
    {cross_entropy_shapes, RUNG_ERROR_SHAPE,
     "cross_entropy: logits is [8, 2, 3], label is [8]; expected [n, classes] and [n]"},
    {cross_entropy_batch, RUNG_ERROR_SHAPE,
     "cross_entropy: the outermost extent of 'label' is the batch, expected a fixed one"},
    {squared_hinge_shapes, RUNG_ERROR_SHAPE,
     "squared_hinge: scores is [7, 6], label is [8]; expected [n, classes] and [n]"},
    {squared_error_shapes, RUNG_ERROR_SHAPE, "squared_error: x is [8, 6], target is [6]; expected one shape"},
    {squared_error_batch, RUNG_ERROR_SHAPE,
     "squared_error: the outermost extent of 'x' is the batch, expected a fixed one"},
    {sum_label, RUNG_ERROR_ARGUMENT, "sum: 'label' is i32, expected f32"},
    {name_taken, RUNG_ERROR_ARGUMENT, "graph: the name 'x' is taken"},
    {overflowing, RUNG_ERROR_SHAPE, "shape [4611686018427387903, 4]: the number of elements overflows"},
    {too_deep, RUNG_ERROR_SHAPE, "deep: an example has rank 6, expected at most 5"},
};
enum { refusal_count = (int)(sizeof refusals / sizeof refusals[0]) };

START_TEST(refuses_with_one_line_and_stays_failed) {
  const refusal *r = &refusals[_i];
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = 8});
  rung_node *x = rung_graph_input(graph, "x", RUNG_SHAPE(6)), *label = rung_graph_label(graph, "label");
  rung_node *refused = r->record(graph, x, label);
  ck_assert_ptr_null(refused);
  ck_assert_str_eq(rung_error(), r->message);
  ck_assert_int_eq(rung_graph_status(graph), r->status);
  /* what comes later fails with the same message, whatever it is given */
  ck_assert_ptr_null(rung_relu(refused));
  ck_assert_ptr_null(rung_add(x, rung_tanh(refused)));
  rung_fail(RUNG_ERROR_IO, "something else");
  ck_assert_ptr_null(rung_sigmoid(x));
  ck_assert_str_eq(rung_error(), r->message);
  rung_fail(RUNG_ERROR_IO, "something else");
  ck_assert_int_eq(rung_graph_replay(graph, &(rung_replay_options){.count = 8}), r->status);
  ck_assert_str_eq(rung_error(), r->message);
  rung_graph_free(graph);
}
END_TEST

START_TEST(nodes_of_two_graphs_do_not_meet) {
  rung_graph *one = rung_graph_new(NULL), *two = rung_graph_new(NULL);
  rung_node *a = rung_graph_parameter(one, "a", RUNG_SHAPE(3)), *b = rung_graph_parameter(two, "b", RUNG_SHAPE(3));
  ck_assert_ptr_null(rung_add(a, b));
  ck_assert_str_eq(rung_error(), "add: 'a' and 'b' belong to different graphs");
  rung_graph_free(one);
  rung_graph_free(two);
}
END_TEST

START_TEST(a_graph_has_a_batch) {
  ck_assert_ptr_null(rung_graph_new(&(rung_graph_options){.batch = -1}));
  ck_assert_str_eq(rung_error(), "graph: batch -1, expected 1 or more");
  rung_graph *graph = rung_graph_new(NULL);
  ck_assert_int_eq(rung_graph_batch(graph), 64);
  ck_assert_int_eq(rung_graph_replay(graph, &(rung_replay_options){.count = 1}), RUNG_ERROR_STATE);
  rung_graph_free(graph);
  rung_graph_free(NULL);
}
END_TEST

/* ---- Binding and replaying -------------------------------------------------------------------------------------- */

static network_data data;

static void expect(rung_status status, rung_status expected, const char *message) {
  ck_assert_int_eq(status, expected);
  ck_assert_str_eq(rung_error(), message);
}

START_TEST(bind_refuses_what_does_not_fit) {
  network net = network_new(NULL, 8);
  const rung_tensor narrow = network_f32(data.x, network_examples, 23), ints = network_i32(data.label, 24);
  const rung_tensor floats = network_f32(data.x, network_examples, 1), empty = network_f32(data.x, 0, network_in);
  expect(rung_graph_bind(net.x, &narrow), RUNG_ERROR_SHAPE,
         "x: the data is f32 [40, 23], the network wants f32 [8, 24] (the first extent is free)");
  expect(rung_graph_bind(net.x, &ints), RUNG_ERROR_SHAPE,
         "x: the data is i32 [24], the network wants f32 [8, 24] (the first extent is free)");
  expect(rung_graph_bind(net.label, &floats), RUNG_ERROR_SHAPE,
         "label: the data is f32 [40, 1], the network wants i32 [8] (the first extent is free)");
  expect(rung_graph_bind(net.x, &empty), RUNG_ERROR_SHAPE, "shape [0, 24]: extent 0 is 0, wanted at least 1");
  expect(rung_graph_bind(net.logits, &floats), RUNG_ERROR_ARGUMENT, "matmul.29: not an input, label or target");
  ck_assert_int_eq(rung_graph_bind(NULL, &floats), RUNG_ERROR_ARGUMENT);
  ck_assert_ptr_null(rung_graph_bound(net.x));
  rung_graph_free(net.graph);
}
END_TEST

START_TEST(replay_refuses_what_it_cannot_do) {
  network net = network_new(NULL, 8);
  rung_replay_options options = {.count = 8};
  expect(rung_graph_replay(net.graph, &options), RUNG_ERROR_STATE, "x: no data is bound to it");
  network_data_make(&data);
  ck_assert_int_eq(network_bind(&net, &data), RUNG_OK);
  options.count = 0;
  expect(rung_graph_replay(net.graph, &options), RUNG_ERROR_ARGUMENT,
         "replay: 0 examples asked for, expected 1..8 (the batch)");
  options.count = 9;
  expect(rung_graph_replay(net.graph, &options), RUNG_ERROR_ARGUMENT,
         "replay: 9 examples asked for, expected 1..8 (the batch)");
  options = (rung_replay_options){.count = 8, .first = 33};
  expect(rung_graph_replay(net.graph, &options), RUNG_ERROR_ARGUMENT, "x: examples 33..40 asked for, the data has 40");
  options.first = -1;
  expect(rung_graph_replay(net.graph, &options), RUNG_ERROR_ARGUMENT, "x: examples -1..6 asked for, the data has 40");
  static const uint32_t rows[] = {0, 1, 2, 40};
  options = (rung_replay_options){.count = 4, .rows = rows};
  expect(rung_graph_replay(net.graph, &options), RUNG_ERROR_ARGUMENT, "x: example 40 asked for, the data has 40");
  options = (rung_replay_options){.count = 8, .backward = true, .last = net.logits};
  ck_assert_int_eq(rung_graph_replay(net.graph, &options), RUNG_ERROR_ARGUMENT);
  options = (rung_replay_options){.count = 8, .first = 32}; /* the last that there are */
  ck_assert_int_eq(rung_graph_replay(net.graph, &options), RUNG_OK);
  rung_relu(net.logits);
  options.backward = true;
  ck_assert_int_eq(rung_graph_replay(net.graph, &options), RUNG_ERROR_ARGUMENT);
  ck_assert_ptr_nonnull(strstr(rung_error(), "is no loss: backward starts from the last node, a scalar"));
  rung_graph_free(net.graph);
}
END_TEST

TEST_MAIN(CASES(refuses_with_one_line_and_stays_failed, refusal_count), CASE(nodes_of_two_graphs_do_not_meet),
          CASE(a_graph_has_a_batch), CASE(bind_refuses_what_does_not_fit), CASE(replay_refuses_what_it_cannot_do))
