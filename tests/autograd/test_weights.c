/* Gradients of weights: which are taken as they come, that their pieces are the whole, and that it changes no bit. */
#include "harness.h"
#include "network.h"

#include <stdatomic.h>
#include <time.h>

/* What was taken of each node, by its index: the gradient, and how often each element came. */
enum { most_nodes = 64 };
typedef struct taken {
  float *gradient[most_nodes];
  atomic_uchar *times[most_nodes];
  atomic_int calls;
} taken;

static taken taken_new(const rung_graph *graph) {
  taken made = {0};
  ck_assert_int_le(rung_graph_node_count(graph), most_nodes);
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (!rung_node_is_parameter(node)) continue;
    made.gradient[i] = calloc((size_t)rung_tensor_count(&node->value), sizeof(float));
    made.times[i] = calloc((size_t)rung_tensor_count(&node->value), sizeof(atomic_uchar));
  }
  return made;
}

static void taken_free(taken *all) {
  for (int i = 0; i < most_nodes; i++) {
    free(all->gradient[i]);
    free(all->times[i]);
  }
}

static void note(void *context, const rung_node *parameter, const float *gradient, int64_t begin, int64_t end) {
  taken *to = context;
  ENSURE(begin >= 0 && begin <= end && end <= rung_tensor_count(&parameter->value));
  atomic_fetch_add(&to->calls, 1);
  for (int64_t i = begin; i < end; i++) atomic_fetch_add(&to->times[parameter->index][i], 1);
  memcpy(to->gradient[parameter->index] + begin, gradient, (size_t)(end - begin) * sizeof *gradient);
}

/* Each element of a parameter came `times` times. */
static void expect_times(const taken *all, const rung_node *parameter, int times) {
  for (int64_t i = 0; i < rung_tensor_count(&parameter->value); i++)
    ck_assert_msg(all->times[parameter->index][i] == times, "%s: element %d taken %d times, expected %d",
                  parameter->name, (int)i, all->times[parameter->index][i], times);
}

static void replay(rung_graph *graph, int64_t count, rung_gradient_take *take, void *context) {
  const rung_replay_options options = {
      .count = count, .training = true, .backward = true, .take = take, .context = context};
  ck_assert_msg(rung_graph_replay(graph, &options) == RUNG_OK, "%s", rung_error());
}

/* ---- Which are taken -------------------------------------------------------------------------------------------- */

/* x, v and w [4, 4], b [4], all small integers: every sum is exact, in any order. */
enum { width = 4, rows = width };
typedef struct small {
  rung_graph *graph;
  rung_node *x, *w, *v, *b;
} small;

static rung_node *small_integers(rung_graph *graph, const char *name, rung_shape shape, int first) {
  rung_node *node = rung_graph_parameter(graph, name, shape);
  for (int64_t i = 0; i < rung_tensor_count(&node->value); i++)
    ((float *)node->value.data)[i] = (float)((i * i + first) % 7 - 3);
  return node;
}

static small small_new(void) {
  small s = {.graph = rung_graph_new(&(rung_graph_options){.batch = rows})};
  s.x = small_integers(s.graph, "x", RUNG_SHAPE(rows, width), 1);
  s.w = small_integers(s.graph, "w", RUNG_SHAPE(width, width), 2);
  s.v = small_integers(s.graph, "v", RUNG_SHAPE(width, width), 3);
  s.b = small_integers(s.graph, "b", RUNG_SHAPE(width), 4);
  return s;
}

static float at(const rung_node *node, int i, int k) {
  return ((const float *)node->value.data)[i * width + k];
}

static float column(const rung_node *node, int k) {
  float sum = 0;
  for (int i = 0; i < rung_tensor_count(&node->value) / width; i++) sum += at(node, i, k);
  return sum;
}

/* Each records a scalar on s, and has its derivative by w[j][k] worked out by hand. */
static void one_linear(const small *s) {
  rung_sum(rung_linear_with(s->x, s->w, s->b));
}
static float of_one(const small *s, int j, int k) {
  (void)j;
  return column(s->x, k);
}
static void two_linears(const small *s) {
  rung_sum(rung_add(rung_linear_with(s->x, s->w, s->b), rung_linear_with(s->v, s->w, s->b)));
}
static float of_two(const small *s, int j, int k) {
  (void)j;
  return column(s->x, k) + column(s->v, k);
}
static void a_chain(const small *s) { /* sum of (x w^T + b) w^T + b */
  rung_sum(rung_linear_with(rung_linear_with(s->x, s->w, s->b), s->w, s->b));
}
static float of_chain(const small *s, int j, int k) {
  float sum = column(s->w, j) * column(s->x, k) + rows * ((const float *)s->b->value.data)[k];
  for (int i = 0; i < rows; i++)
    for (int p = 0; p < width; p++) sum += at(s->x, i, p) * at(s->w, k, p);
  return sum;
}
static void linear_and_square(const small *s) {
  rung_node *square = rung_sum(rung_multiply(s->w, s->w));
  rung_add(rung_sum(rung_linear_with(s->x, s->w, s->b)), square);
}
static float of_square(const small *s, int j, int k) {
  return column(s->x, k) + 2 * at(s->w, j, k);
}
static void square_and_linear(const small *s) {
  rung_node *linear = rung_sum(rung_linear_with(s->x, s->w, s->b));
  rung_add(rung_sum(rung_multiply(s->w, s->w)), linear);
}
static void its_own_input(const small *s) { /* w w^T + b */
  rung_sum(rung_linear_with(s->w, s->w, s->b));
}
static float of_its_own(const small *s, int j, int k) {
  (void)j;
  return 2 * column(s->w, k);
}
static void one_that_leads_nowhere(const small *s) {
  rung_linear_with(s->v, s->w, s->b);
  rung_sum(rung_linear_with(s->x, s->w, s->b));
}

static const struct {
  const char *name;
  void (*record)(const small *s);
  float (*gradient)(const small *s, int j, int k);
  bool w_taken, b_taken;
} readers[] = {
    {"one linear", one_linear, of_one, true, true},
    {"two linears", two_linears, of_two, false, false},
    {"a chain", a_chain, of_chain, false, false},
    {"linear, and a square recorded before", linear_and_square, of_square, false, true},
    {"linear, and a square recorded after", square_and_linear, of_square, false, true},
    {"its own input", its_own_input, of_its_own, false, true},
    {"a linear, and one that leads nowhere", one_that_leads_nowhere, of_one, false, false},
};
enum { reader_count = sizeof readers / sizeof readers[0] };

START_TEST(one_reader_is_taken_and_several_are_summed) {
  small s = small_new();
  readers[_i].record(&s);
  ck_assert_msg(rung_graph_status(s.graph) == RUNG_OK, "%s", rung_error());
  ck_assert(!rung_node_is_taken(s.w)); /* not before the first replay */
  taken all = taken_new(s.graph);
  replay(s.graph, rows, note, &all);
  ck_assert_msg(rung_node_is_taken(s.w) == readers[_i].w_taken, "%s", readers[_i].name);
  ck_assert_msg(rung_node_is_taken(s.b) == readers[_i].b_taken, "%s", readers[_i].name);
  ck_assert(!rung_node_is_taken(s.x));
  expect_times(&all, s.w, readers[_i].w_taken);
  expect_times(&all, s.b, readers[_i].b_taken);
  expect_times(&all, s.x, 0);
  const float *dw = readers[_i].w_taken ? all.gradient[s.w->index] : s.w->gradient.data;
  for (int j = 0; j < width; j++)
    for (int k = 0; k < width; k++)
      ck_assert_msg(dw[j * width + k] == readers[_i].gradient(&s, j, k), "%s: dw[%d][%d] is %g, expected %g",
                    readers[_i].name, j, k, (double)dw[j * width + k], (double)readers[_i].gradient(&s, j, k));
  taken_free(&all);
  rung_graph_free(s.graph);
}
END_TEST

/* In a network with every operation: the weights and biases of linear layers. */
START_TEST(linear_layers_are_taken_and_nothing_else) {
  static network_data data;
  network_data_make(&data);
  network net = network_new(NULL, 13);
  ck_assert_int_eq(network_bind(&net, &data), RUNG_OK);
  taken all = taken_new(net.graph);
  replay(net.graph, 13, note, &all);
  for (int i = 0; i < rung_graph_node_count(net.graph); i++) {
    const rung_node *node = rung_graph_node(net.graph, i);
    if (!rung_node_is_parameter(node)) continue;
    bool expected = !strcmp(node->name, "w1") || !strcmp(node->name, "w2") || !strcmp(node->name, "b2");
    ck_assert_msg(rung_node_is_taken(node) == expected, "%s", node->name);
    expect_times(&all, node, expected);
  }
  taken_free(&all);
  rung_graph_free(net.graph);
}
END_TEST

START_TEST(a_parameter_that_is_not_trained_is_not_taken) {
  small s = small_new();
  one_linear(&s);
  taken all = taken_new(s.graph);
  for (int trainable = 0; trainable < 2; trainable++) {
    rung_node_set_trainable(s.w, trainable);
    replay(s.graph, rows, note, &all);
    ck_assert(rung_node_is_taken(s.w) == trainable);
    expect_times(&all, s.w, trainable);
    expect_times(&all, s.b, 1 + trainable);
  }
  taken_free(&all);
  rung_graph_free(s.graph);
}
END_TEST

/* What is recorded after a replay may read the parameter too. */
START_TEST(a_second_reader_ends_the_taking) {
  small s = small_new();
  one_linear(&s);
  taken all = taken_new(s.graph);
  replay(s.graph, rows, note, &all);
  ck_assert(rung_node_is_taken(s.w));
  rung_node *linear = rung_graph_node(s.graph, rung_graph_node_count(s.graph) - 1);
  rung_add(linear, rung_sum(rung_multiply(s.w, s.w)));
  ck_assert(!rung_node_is_taken(s.w));
  replay(s.graph, rows, note, &all);
  ck_assert(!rung_node_is_taken(s.w) && rung_node_is_taken(s.b));
  expect_times(&all, s.w, 1);
  for (int i = 0; i < width * width; i++)
    ck_assert_float_eq(((const float *)s.w->gradient.data)[i], of_square(&s, i / width, i % width));
  taken_free(&all);
  rung_graph_free(s.graph);
}
END_TEST

START_TEST(nothing_is_taken_without_a_backward_pass) {
  small s = small_new();
  one_linear(&s);
  taken all = taken_new(s.graph);
  const rung_replay_options options = {.count = rows, .training = true, .take = note, .context = &all};
  ck_assert_int_eq(rung_graph_replay(s.graph, &options), RUNG_OK);
  ck_assert_int_eq(all.calls, 0);
  taken_free(&all);
  rung_graph_free(s.graph);
}
END_TEST

/* Another graph's parameter is taken in this one, by this one's readers; there it stays what it was. */
START_TEST(a_shared_parameter_is_taken_where_it_has_one_reader) {
  small s = small_new(), other = small_new();
  two_linears(&(small){.graph = s.graph, .x = s.w, .w = s.w, .v = s.v, .b = s.b});
  ck_assert_msg(rung_graph_status(s.graph) == RUNG_OK, "%s", rung_error());
  rung_graph_free(other.graph);
  other.graph = rung_graph_new(&(rung_graph_options){.batch = rows});
  other.x = small_integers(other.graph, "x", RUNG_SHAPE(rows, width), 1);
  other.w = rung_graph_share(other.graph, s.w);
  other.b = rung_graph_share(other.graph, s.b);
  one_linear(&other);
  taken all = taken_new(other.graph);
  replay(other.graph, rows, note, &all);
  ck_assert(rung_node_is_taken(other.w) && !rung_node_is_taken(s.w));
  expect_times(&all, other.w, 1);
  for (int i = 0; i < width * width; i++)
    ck_assert_float_eq(all.gradient[other.w->index][i], column(other.x, i % width));
  taken_free(&all);
  rung_graph_free(other.graph);
  rung_graph_free(s.graph);
}
END_TEST

/* ---- The pieces ------------------------------------------------------------------------------------------------- */

/* One layer of any size, for a team: every element comes once, and is what would have been stored. */
static void check_pieces(int64_t in, int64_t out, int64_t batch, int threads) {
  rung_team *team = rung_team_new(threads);
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = batch, .team = team});
  rung_node *x = network_parameter(graph, "x", RUNG_SHAPE(batch, in), 1, 0);
  rung_node *w = network_parameter(graph, "w", RUNG_SHAPE(out, in), 1, 0);
  rung_node *b = network_parameter(graph, "b", RUNG_SHAPE(out), 1, 0);
  rung_mean(rung_tanh(rung_linear_with(x, w, b)));
  taken all = taken_new(graph);
  replay(graph, batch, note, &all);
  expect_times(&all, w, 1);
  expect_times(&all, b, 1);
  replay(graph, batch, NULL, NULL);
  ck_assert_mem_eq(all.gradient[w->index], w->gradient.data, (size_t)(in * out) * sizeof(float));
  ck_assert_mem_eq(all.gradient[b->index], b->gradient.data, (size_t)out * sizeof(float));
  taken_free(&all);
  rung_graph_free(graph);
  rung_team_free(team);
}

START_TEST(pieces_are_the_whole) {
  static const int64_t outs[] = {1, 5, 12, 31, 32, 33, 63, 64, 65, 97, 130}, ins[] = {1, 3, 16, 17, 50};
  for (int o = 0; o < 11; o++)
    for (int i = 0; i < 5; i++) check_pieces(ins[i], outs[o], 1 + (o + 3 * i) % 9, _i + 1);
}
END_TEST

/* ---- The same bits ---------------------------------------------------------------------------------------------- */

/* network_descend, in two parts: what is taken moves at once, ... */
static void descend_taken(void *context, const rung_node *parameter, const float *gradient, int64_t begin,
                          int64_t end) {
  (void)context;
  rung_kernels_active()->scale_add((float *)parameter->value.data + begin, gradient, -0.01f, end - begin, true);
}

/* ... and the rest afterwards. */
static void descend_stored(void *context, int ith, int nth) {
  rung_graph *graph = context;
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    rung_node *node = rung_graph_node(graph, i);
    if (!rung_node_is_parameter(node) || !rung_node_wants_gradient(node) || rung_node_is_taken(node)) continue;
    int64_t begin, end;
    rung_slice(rung_tensor_count(&node->value), RUNG_ALIGNMENT, ith, nth, &begin, &end);
    rung_kernels_active()->scale_add((float *)node->value.data + begin, (const float *)node->gradient.data + begin,
                                     -0.01f, end - begin, true);
  }
}

static void step(const network *net, int number, bool takes) {
  const int64_t count = number % 3 == 2 ? 5 : 13;
  const rung_replay_options options = {.first = 13 * (number % 2),
                                       .count = count,
                                       .training = true,
                                       .backward = true,
                                       .update = takes ? descend_stored : network_descend,
                                       .take = takes ? descend_taken : NULL,
                                       .context = net->graph};
  ck_assert_msg(rung_graph_replay(net->graph, &options) == RUNG_OK, "%s", rung_error());
}

static uint64_t hash_values(const network *net) {
  uint64_t hash = network_hash_floats(UINT64_C(0xCBF29CE484222325), net->loss->value.data, 1);
  for (int i = 0; i < rung_graph_node_count(net->graph); i++) {
    const rung_node *node = rung_graph_node(net->graph, i);
    if (rung_node_is_parameter(node))
      hash = network_hash_floats(hash, node->value.data, rung_tensor_count(&node->value));
  }
  return hash;
}

/* Steps that take, steps that store, and both in turn, on 1 to 4 members. */
START_TEST(taking_changes_no_bit) {
  static network_data data;
  network_data_make(&data);
  rung_team *team = rung_team_new(_i + 1);
  network stores = network_new(NULL, 13), takes = network_new(team, 13), both = network_new(team, 13);
  ck_assert_int_eq(network_bind(&stores, &data), RUNG_OK);
  ck_assert_int_eq(network_bind(&takes, &data), RUNG_OK);
  ck_assert_int_eq(network_bind(&both, &data), RUNG_OK);
  for (int number = 0; number < 9; number++) {
    step(&stores, number, false);
    step(&takes, number, true);
    step(&both, number, number % 4 < 2);
    ck_assert_msg(hash_values(&stores) == hash_values(&takes), "step %d", number);
    ck_assert_msg(hash_values(&stores) == hash_values(&both), "step %d, in turn", number);
  }
  step(&takes, 0, false); /* a gradient that is stored again is stored whole */
  step(&stores, 0, false);
  ck_assert(network_hash(&stores) == network_hash(&takes));
  rung_graph_free(stores.graph);
  rung_graph_free(takes.graph);
  rung_graph_free(both.graph);
  rung_team_free(team);
}
END_TEST

/* ---- Several readers -------------------------------------------------------------------------------------------- */

/* sum of x, whose gradient one member alone writes, and takes its time where the attribute says so. Members may slice a
 * gradient as they like, each operation in its own way. */
typedef struct slow_sum {
  bool last; /* the last member writes, else the first */
  long nanoseconds;
} slow_sum;

static rung_status infer_slow_sum(rung_node *node) {
  node->value.type = RUNG_F32;
  node->value.shape = (rung_shape){.rank = 0};
  return RUNG_OK;
}

static void forward_slow_sum(rung_node *node, const rung_replay *replay) {
  if (replay->ith == 0) *(float *)node->value.data = 0; /* nobody asks */
}

static void no_backward(rung_node *node, const rung_replay *replay) {
  (void)node, (void)replay;
}

static void backward_slow_sum(rung_node *node, const rung_replay *replay) {
  const slow_sum *by = node->attributes;
  if (replay->ith != (by->last ? replay->nth - 1 : 0)) return;
  nanosleep(&(struct timespec){.tv_nsec = by->nanoseconds}, NULL);
  rung_node *x = node->input[0];
  float *dx = x->gradient.data;
  for (int64_t i = 0; i < rung_tensor_count(&x->value); i++)
    dx[i] = *(const float *)node->gradient.data + (node->accumulate[0] ? dx[i] : 0);
}

/* The one that adds to a weight's gradient waits for the one that stores it. */
START_TEST(one_reader_waits_for_the_other) {
  static const rung_op op = {.name = "slow_sum",
                             .input_count = 1,
                             .infer = infer_slow_sum,
                             .forward = forward_slow_sum,
                             .backward = no_backward,
                             .backward_weights = backward_slow_sum,
                             .weights = 1};
  rung_team *team = rung_team_new(2);
  if (rung_team_size(team) < 2) test_skip("one thread");
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = 1, .team = team});
  rung_node *w = small_integers(graph, "w", RUNG_SHAPE(width), 1);
  rung_node *adds = rung_record(&op, &w, &(slow_sum){.last = true}, sizeof(slow_sum));
  rung_node *stores = rung_record(&op, &w, &(slow_sum){.nanoseconds = 20000000}, sizeof(slow_sum));
  rung_add(adds, stores);
  ck_assert_msg(rung_graph_status(graph) == RUNG_OK, "%s", rung_error());
  replay(graph, 1, NULL, NULL);
  for (int i = 0; i < width; i++) ck_assert_float_eq(((const float *)w->gradient.data)[i], 2);
  rung_graph_free(graph);
  rung_team_free(team);
}
END_TEST

TEST_MAIN(CASES(one_reader_is_taken_and_several_are_summed, reader_count),
          CASE(linear_layers_are_taken_and_nothing_else), CASE(a_parameter_that_is_not_trained_is_not_taken),
          CASE(a_second_reader_ends_the_taking), CASE(nothing_is_taken_without_a_backward_pass),
          CASE(a_shared_parameter_is_taken_where_it_has_one_reader), CASES(pieces_are_the_whole, 4),
          CASES(taking_changes_no_bit, 4), CASE(one_reader_waits_for_the_other))
