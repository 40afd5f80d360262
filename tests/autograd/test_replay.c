/* What a replay does and leaves alone: batches, rows, representations, gradients, the update. */
#include "harness.h"
#include "network.h"

#include <stdatomic.h>

static network_data data;

static rung_tensor parameter_copy(const network *net, const char *name) {
  const rung_node *node = rung_graph_find(net->graph, name);
  rung_tensor copy = node->value;
  size_t bytes = (size_t)rung_tensor_count(&copy) * sizeof(float);
  copy.data = memcpy(malloc(bytes), node->value.data, bytes);
  return copy;
}

static network ready(int64_t batch) {
  network_data_make(&data);
  network net = network_new(NULL, batch);
  ck_assert_msg(network_bind(&net, &data) == RUNG_OK, "%s", rung_error());
  return net;
}

static void expect_same_logits(const network *a, const network *b, int64_t count) {
  ck_assert_mem_eq(a->logits->value.data, b->logits->value.data, (size_t)count * network_classes * sizeof(float));
}

START_TEST(a_short_batch_equals_a_smaller_graph) {
  network large = ready(13), small = ready(6);
  for (int step = 0; step < 3; step++) {
    ck_assert_int_eq(network_step(&large, 6 * step, 6), RUNG_OK);
    ck_assert_int_eq(network_step(&small, 6 * step, 6), RUNG_OK);
    ck_assert(network_hash(&large) == network_hash(&small));
  }
  ck_assert_int_eq(large.logits->value.shape.extent[0], 6);
  rung_graph_free(large.graph);
  rung_graph_free(small.graph);
}
END_TEST

START_TEST(without_backward_no_gradient_is_written) {
  network net = ready(13);
  for (int i = 0; i < rung_graph_node_count(net.graph); i++) {
    const rung_tensor *gradient = &rung_graph_node(net.graph, i)->gradient;
    for (int64_t k = 0; gradient->data && k < rung_tensor_count(gradient); k++) ((float *)gradient->data)[k] = -7;
  }
  ck_assert_int_eq(rung_graph_replay(net.graph, &(rung_replay_options){.count = 13, .training = true}), RUNG_OK);
  for (int i = 0; i < rung_graph_node_count(net.graph); i++) {
    const rung_tensor *gradient = &rung_graph_node(net.graph, i)->gradient;
    for (int64_t k = 0; gradient->data && k < rung_tensor_count(gradient); k++)
      ck_assert(((const float *)gradient->data)[k] == -7);
  }
  rung_graph_free(net.graph);
}
END_TEST

START_TEST(evaluation_changes_no_parameter) {
  network net = ready(13);
  ck_assert_int_eq(network_step(&net, 0, 13), RUNG_OK);
  ck_assert_int_eq(rung_graph_replay(net.graph, &(rung_replay_options){.count = 13}), RUNG_OK);
  uint64_t hash = network_hash(&net);
  ck_assert_int_eq(rung_graph_replay(net.graph, &(rung_replay_options){.count = 13}), RUNG_OK);
  ck_assert(network_hash(&net) == hash);
  rung_graph_free(net.graph);
}
END_TEST

START_TEST(rows_gather_what_lies_in_order) {
  static network_data gathered;
  uint32_t rows[network_examples];
  network chosen = ready(13), in_place = ready(13);
  rung_rng rng = rung_rng_seed(1);
  rung_rng_permutation(&rng, rows, network_examples);
  rows[4] = rows[5]; /* twice the same is no trouble */
  for (int i = 0; i < network_examples; i++) {
    memcpy(gathered.x[i], data.x[rows[i]], sizeof gathered.x[i]);
    memcpy(gathered.target[i], data.target[rows[i]], sizeof gathered.target[i]);
    gathered.label[i] = data.label[rows[i]];
  }
  ck_assert_int_eq(network_bind(&in_place, &gathered), RUNG_OK);
  for (int step = 0; step < 3; step++) {
    ck_assert_int_eq(rung_graph_replay(chosen.graph, &(rung_replay_options){.first = 13 * step,
                                                                            .count = 13,
                                                                            .rows = rows,
                                                                            .training = true,
                                                                            .backward = true,
                                                                            .update = network_descend,
                                                                            .context = chosen.graph}),
                     RUNG_OK);
    ck_assert_int_eq(network_step(&in_place, 13 * step, 13), RUNG_OK);
    ck_assert(network_hash(&chosen) == network_hash(&in_place));
  }
  rung_graph_free(chosen.graph);
  rung_graph_free(in_place.graph);
}
END_TEST

/* `dense` is what the integers of `source` stand for. */
static void check_integers(const rung_tensor *source, float *dense, bool rows) {
  static const uint32_t order[] = {7, 3, 0, 39, 12, 12};
  network integers = ready(6), floats = ready(6);
  const rung_tensor same = network_f32(dense, network_examples, network_in);
  ck_assert_int_eq(rung_graph_bind(integers.x, source), RUNG_OK);
  ck_assert_int_eq(rung_graph_bind(floats.x, &same), RUNG_OK);
  const rung_replay_options options = {.count = 6, .rows = rows ? order : NULL, .training = true, .backward = true};
  ck_assert_int_eq(rung_graph_replay(integers.graph, &options), RUNG_OK);
  ck_assert_int_eq(rung_graph_replay(floats.graph, &options), RUNG_OK);
  ck_assert_int_eq(integers.x->value.type, source->type); /* its only reader takes integers */
  ck_assert_int_eq(floats.x->value.type, RUNG_F32);
  ck_assert(network_hash(&integers) == network_hash(&floats));
  rung_graph_free(integers.graph);
  rung_graph_free(floats.graph);
}

START_TEST(integers_equal_the_floats_they_stand_for) {
  enum { count = network_examples * network_in };
  static uint8_t bytes[count];
  static float dense[count];
  rung_rng rng = rung_rng_seed(4);
  for (int i = 0; i < count; i++) bytes[i] = (uint8_t)rung_rng_below(&rng, 256);
  for (int kind = 0; kind < 2; kind++) {
    rung_tensor source = {.type = kind ? RUNG_I8 : RUNG_U8, .data = bytes, .scale = 1 / 85.0f, .zero_point = 3};
    source.shape = RUNG_SHAPE(network_examples, 4, 6); /* an example of any shape with the right count */
    for (int i = 0; i < count; i++) {
      int q = kind ? ((const int8_t *)bytes)[i] : bytes[i];
      dense[i] = source.scale * (float)(q - source.zero_point);
    }
    check_integers(&source, dense, false);
    check_integers(&source, dense, true);
  }
}
END_TEST

START_TEST(integers_become_floats_where_a_reader_needs_them) {
  static uint8_t bytes[2][3] = {{0, 1, 2}, {3, 4, 255}};
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = 2});
  rung_node *x = rung_graph_input(graph, "x", RUNG_SHAPE(3));
  rung_node *linear = rung_linear_with(x, network_parameter(graph, "w", RUNG_SHAPE(2, 3), 0, 1), NULL);
  rung_node *y = rung_relu(x);
  const rung_tensor source = {
      .type = RUNG_U8, .shape = RUNG_SHAPE(2, 3), .data = bytes, .scale = 0.5f, .zero_point = 1};
  ck_assert_int_eq(rung_graph_bind(x, &source), RUNG_OK);
  ck_assert_int_eq(rung_graph_replay(graph, &(rung_replay_options){.count = 2}), RUNG_OK);
  static const float relu[] = {0, 0, 0.5f, 1, 1.5f, 127}, sums[] = {0, 0, 129.5f, 129.5f};
  ck_assert_int_eq(x->value.type, RUNG_F32);
  ck_assert_mem_eq(y->value.data, relu, sizeof relu);
  ck_assert_mem_eq(linear->value.data, sums, sizeof sums);
  rung_graph_free(graph);
}
END_TEST

/* An op of our own, y = b, that takes integers, but only as its first input. */
static rung_status infer_second(rung_node *node) {
  node->value = (rung_tensor){.type = RUNG_F32, .shape = node->input[1]->value.shape};
  return RUNG_OK;
}
static void forward_second(rung_node *node, const rung_replay *replay) {
  int64_t begin, end;
  rung_node_slice(node, replay, &begin, &end);
  memcpy((float *)node->value.data + begin, (const float *)node->input[1]->value.data + begin,
         (size_t)(end - begin) * sizeof(float));
}

START_TEST(integers_stay_only_as_the_first_input) {
  static const rung_op second = {
      .name = "second", .input_count = 2, .infer = infer_second, .forward = forward_second, .reads_integers = true};
  static uint8_t bytes[2][2] = {{1, 2}, {3, 4}};
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = 2});
  rung_node *x = rung_graph_input(graph, "x", RUNG_SHAPE(2)), *z = rung_graph_input(graph, "z", RUNG_SHAPE(2));
  rung_node *y = rung_record(&second, (rung_node *[]){x, z}, NULL, 0);
  const rung_tensor source = {.type = RUNG_U8, .shape = RUNG_SHAPE(2, 2), .data = bytes, .scale = 2};
  ck_assert_int_eq(rung_graph_bind(x, &source), RUNG_OK);
  ck_assert_int_eq(rung_graph_bind(z, &source), RUNG_OK);
  ck_assert_int_eq(rung_graph_replay(graph, &(rung_replay_options){.count = 2}), RUNG_OK);
  static const float doubled[] = {2, 4, 6, 8};
  ck_assert_int_eq(x->value.type, RUNG_U8);
  ck_assert_int_eq(z->value.type, RUNG_F32);
  ck_assert_mem_eq(y->value.data, doubled, sizeof doubled);
  rung_graph_free(graph);
}
END_TEST

/* An input in f32 is read where it lies, which is elsewhere in each replay. */
START_TEST(reshape_follows_an_input_read_in_place) {
  static float source[6][4];
  for (int i = 0; i < 24; i++) source[i / 4][i % 4] = (float)i;
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = 2});
  rung_node *x = rung_graph_input(graph, "x", RUNG_SHAPE(4)), *y = rung_reshape(x, RUNG_SHAPE(2, 2));
  rung_node *z = rung_relu(y);
  const rung_tensor tensor = network_f32(source, 6, 4);
  ck_assert_int_eq(rung_graph_bind(x, &tensor), RUNG_OK);
  for (int first = 0; first < 6; first += 2) {
    ck_assert_int_eq(rung_graph_replay(graph, &(rung_replay_options){.first = first, .count = 2}), RUNG_OK);
    ck_assert_mem_eq(y->value.data, source[first], 8 * sizeof(float));
    ck_assert_mem_eq(z->value.data, source[first], 8 * sizeof(float));
  }
  rung_graph_free(graph);
}
END_TEST

START_TEST(a_parameter_that_is_not_trained_keeps_value_and_gradient) {
  network net = ready(13);
  rung_node *frozen = rung_graph_find(net.graph, "w2");
  rung_node_set_trainable(frozen, false);
  ck_assert(!rung_node_wants_gradient(frozen));
  rung_tensor before = parameter_copy(&net, "w2"), other = parameter_copy(&net, "w1");
  ((float *)frozen->gradient.data)[3] = 42;
  ck_assert_int_eq(network_step(&net, 0, 13), RUNG_OK);
  ck_assert_mem_eq(frozen->value.data, before.data, (size_t)rung_tensor_count(&before) * sizeof(float));
  ck_assert(((const float *)frozen->gradient.data)[3] == 42);
  ck_assert_mem_ne(rung_graph_find(net.graph, "w1")->value.data, other.data,
                   (size_t)rung_tensor_count(&other) * sizeof(float));
  rung_node_set_trainable(frozen, true);
  ck_assert_int_eq(network_step(&net, 0, 13), RUNG_OK);
  ck_assert_mem_ne(frozen->value.data, before.data, (size_t)rung_tensor_count(&before) * sizeof(float));
  free(before.data);
  free(other.data);
  rung_graph_free(net.graph);
}
END_TEST

START_TEST(replay_stops_after_the_last_node_asked_for) {
  network net = ready(13), whole = ready(13);
  ck_assert_int_eq(rung_graph_replay(whole.graph, &(rung_replay_options){.count = 13}), RUNG_OK);
  *(float *)net.loss->value.data = -3;
  ck_assert_int_eq(rung_graph_replay(net.graph, &(rung_replay_options){.count = 13, .last = net.logits}), RUNG_OK);
  expect_same_logits(&net, &whole, 13);
  ck_assert(*(const float *)net.loss->value.data == -3);
  rung_graph_free(net.graph);
  rung_graph_free(whole.graph);
}
END_TEST

START_TEST(recording_goes_on_after_a_replay) {
  network net = ready(13), again = ready(13);
  ck_assert_int_eq(rung_graph_replay(net.graph, &(rung_replay_options){.count = 4}), RUNG_OK);
  rung_node *more = rung_mean(rung_multiply(rung_linear_with(net.x, rung_graph_find(net.graph, "w1"), NULL),
                                            rung_graph_find(net.graph, "gain")));
  ck_assert_msg(more, "%s", rung_error());
  const rung_replay_options options = {.count = 13, .backward = true};
  ck_assert_int_eq(rung_graph_replay(net.graph, &options), RUNG_OK);
  ck_assert_int_eq(rung_graph_replay(again.graph, &(rung_replay_options){.count = 13}), RUNG_OK);
  expect_same_logits(&net, &again, 13);
  rung_graph_free(net.graph);
  rung_graph_free(again.graph);
}
END_TEST

START_TEST(graphs_share_parameters) {
  network net = ready(13);
  rung_node *w1 = rung_graph_find(net.graph, "w1");
  rung_graph *other = rung_graph_new(&(rung_graph_options){.batch = 13});
  rung_node *x = rung_graph_input(other, "x", RUNG_SHAPE(network_in));
  rung_node *shared = rung_graph_share(other, w1);
  ck_assert(shared && rung_node_is_parameter(shared) && rung_graph_share(other, w1) == shared);
  ck_assert_ptr_eq(shared->value.data, w1->value.data);
  rung_sum(rung_linear_with(x, shared, NULL));
  const rung_tensor source = network_f32(data.x, network_examples, network_in);
  ck_assert_int_eq(rung_graph_bind(x, &source), RUNG_OK);
  ck_assert_int_eq(rung_graph_replay(other, &(rung_replay_options){.count = 13, .backward = true}), RUNG_OK);
  for (int k = 0; k < network_in; k++) { /* d sum / d w[j][k] = sum_i x[i][k] for every j */
    float sum = 0;
    for (int i = 0; i < 13; i++) sum += data.x[i][k];
    ck_assert_float_eq_tol(((const float *)w1->gradient.data)[5 * network_in + k], sum, 1e-4f);
  }
  rung_graph_free(other);
  rung_graph_free(net.graph);
}
END_TEST

static atomic_int calls, members;
static void count_call(void *context, int ith, int nth) {
  (void)context;
  atomic_fetch_add(&calls, 1);
  atomic_fetch_add(&members, ith);
  ck_assert_int_eq(nth, 3);
}

START_TEST(every_member_updates_once) {
  network_data_make(&data);
  rung_team *team = rung_team_new(3);
  network net = network_new(team, 13);
  ck_assert_int_eq(network_bind(&net, &data), RUNG_OK);
  const rung_replay_options options = {.count = 13, .training = true, .backward = true, .update = count_call};
  ck_assert_int_eq(rung_graph_replay(net.graph, &options), RUNG_OK);
  ck_assert_int_eq(calls, 3);
  ck_assert_int_eq(members, 0 + 1 + 2);
  rung_graph_free(net.graph);
  rung_team_free(team);
}
END_TEST

START_TEST(training_lowers_the_loss) {
  network net = ready(network_examples);
  float first = 0, loss = 0;
  for (int step = 0; step < 100; step++) {
    ck_assert_int_eq(network_step(&net, 0, network_examples), RUNG_OK);
    loss = *(const float *)net.loss->value.data;
    if (step == 0) first = loss;
  }
  ck_assert_msg(loss < 0.75f * first, "the loss went from %g to %g", (double)first, (double)loss);
  rung_graph_free(net.graph);
}
END_TEST

TEST_MAIN(CASE(a_short_batch_equals_a_smaller_graph), CASE(without_backward_no_gradient_is_written),
          CASE(evaluation_changes_no_parameter), CASE(rows_gather_what_lies_in_order),
          CASE(integers_equal_the_floats_they_stand_for), CASE(integers_become_floats_where_a_reader_needs_them),
          CASE(integers_stay_only_as_the_first_input), CASE(reshape_follows_an_input_read_in_place),
          CASE(a_parameter_that_is_not_trained_keeps_value_and_gradient),
          CASE(replay_stops_after_the_last_node_asked_for), CASE(recording_goes_on_after_a_replay),
          CASE(graphs_share_parameters), CASE(every_member_updates_once), CASE(training_lowers_the_loss))
