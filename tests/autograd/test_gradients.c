/* Every gradient of every op against the differences of its values. The list of ops drives the test: an op without a
 * case in cases.h fails, and so does a gradient that is zero everywhere. */
#include "cases.h"
#include "harness.h"
#include "op_list.h"

#define ONE_MORE(name) +1
enum { op_count = 0 RUNG_OP_LIST(ONE_MORE) };

static rung_team *team; /* of the gradients; differences are taken by one thread, thousands of them */

static rung_graph *prepare(const op_case *test, rung_team *members, rung_node **op) {
  rung_graph *graph = case_graph(test, members, op);
  ck_assert_msg(rung_graph_status(graph) == RUNG_OK, "%s: %s", test->name, rung_error());
  rung_rng rng = rung_rng_seed(17);
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *node = rung_graph_node(graph, i);
    if (!rung_node_is_parameter(node)) continue;
    float *value = node->value.data;
    for (int64_t k = 0; k < rung_tensor_count(&node->value); k++) {
      float x = rung_rng_normal(&rng);
      value[k] = test->place ? test->place(x) : x;
    }
  }
  return graph;
}

/* sum(coefficient * op) in double, with element k of parameter `name` moved by `step`. A new graph each time, so that
 * random streams stand where they stood. */
static double loss_at(const op_case *test, const char *name, int64_t k, float step) {
  rung_node *op;
  rung_graph *graph = prepare(test, NULL, &op);
  ((float *)rung_graph_find(graph, name)->value.data)[k] += step;
  ck_assert_msg(case_replay(test, graph, false) == RUNG_OK, "%s: %s", test->name, rung_error());
  const float *value = op->value.data, *coefficient = rung_graph_find(graph, "coefficient")->value.data;
  double sum = 0;
  for (int64_t i = 0; i < rung_tensor_count(&op->value); i++) sum += (double)value[i] * (double)coefficient[i];
  rung_graph_free(graph);
  return sum;
}

/* Central differences at h and 2h, extrapolated: the error is of order h^4, and 2^-24 / h of rounding. */
static double derivative(const op_case *test, const char *name, int64_t k) {
  const float h = 0x1p-6f;
  double near = (loss_at(test, name, k, h) - loss_at(test, name, k, -h)) / (2 * (double)h);
  double far = (loss_at(test, name, k, 2 * h) - loss_at(test, name, k, -2 * h)) / (4 * (double)h);
  return (4 * near - far) / 3;
}

static void check_parameter(const op_case *test, const rung_node *parameter) {
  const float *gradient = parameter->gradient.data;
  bool all_zero = true;
  for (int64_t k = 0; k < rung_tensor_count(&parameter->value); k++) {
    double expected = derivative(test, parameter->name, k);
    all_zero &= gradient[k] == 0;
    ck_assert_msg(fabs((double)gradient[k] - expected) <= 1e-4 * (1 + fabs(expected)),
                  "%s: d/d%s[%d] is %.7g, differences say %.7g", test->name, parameter->name, (int)k,
                  (double)gradient[k], expected);
  }
  ck_assert_msg(!all_zero, "%s: the gradient of %s is zero everywhere", test->name, parameter->name);
}

static void check_case(const op_case *test, const rung_op *op) {
  rung_node *node;
  rung_graph *graph = prepare(test, team, &node);
  ck_assert_msg(node->op == op, "%s records %s", test->name, node->op->name);
  ck_assert_msg(case_replay(test, graph, true) == RUNG_OK, "%s: %s", test->name, rung_error());
  int checked = 0;
  for (int i = 0; i < rung_graph_node_count(graph); i++) {
    const rung_node *parameter = rung_graph_node(graph, i);
    if (!rung_node_wants_gradient(parameter) || !rung_node_is_parameter(parameter)) continue;
    check_parameter(test, parameter);
    checked++;
  }
  ck_assert_int_ge(checked, 2); /* an operand and the coefficients */
  rung_graph_free(graph);
}

START_TEST(gradients_equal_differences) {
  const rung_op *op = rung_op_at(_i);
  team = rung_team_new(2);
  int cases = 0;
  for (int i = 0; i < op_case_count; i++)
    if (case_is_of(&op_cases[i], op->name)) {
      check_case(&op_cases[i], op);
      cases++;
    }
  ck_assert_msg(cases > 0, "%s: no case in cases.h", op->name);
  rung_team_free(team);
}
END_TEST

/* The op once more, on the same inputs: every gradient doubles, the second part being added to the first. */
static void check_twice(const op_case *test) {
  rung_node *once, *twice;
  rung_graph *single = prepare(test, team, &once), *pair = prepare(test, team, &twice);
  rung_node *loss = rung_graph_node(pair, rung_graph_node_count(pair) - 1);
  rung_node *again = rung_record(twice->op, twice->input, twice->attributes, twice->attribute_bytes);
  rung_node *weighted = rung_multiply(again, rung_graph_find(pair, "coefficient"));
  rung_add(loss, weighted && weighted->value.shape.rank > 0 ? rung_sum(weighted) : weighted);
  ck_assert_int_eq(case_replay(test, single, true), RUNG_OK);
  ck_assert_msg(case_replay(test, pair, true) == RUNG_OK, "%s: %s", test->name, rung_error());
  for (int i = 0; i < rung_graph_node_count(single); i++) {
    const rung_node *parameter = rung_graph_node(single, i);
    if (!rung_node_wants_gradient(parameter) || !rung_node_is_parameter(parameter)) continue;
    const float *gradient = parameter->gradient.data;
    const float *doubled = rung_graph_find(pair, parameter->name)->gradient.data;
    for (int64_t k = 0; k < rung_tensor_count(&parameter->value); k++)
      ck_assert_msg(fabsf(doubled[k] - 2 * gradient[k]) <= 1e-5f * (1 + fabsf(gradient[k])),
                    "%s: d/d%s[%d] is %.7g, with two consumers %.7g", test->name, parameter->name, (int)k,
                    (double)gradient[k], (double)doubled[k]);
  }
  rung_graph_free(single);
  rung_graph_free(pair);
}

START_TEST(two_consumers_add_their_gradients) {
  team = rung_team_new(2);
  if (!op_cases[_i].random) check_twice(&op_cases[_i]);
  rung_team_free(team);
}
END_TEST

/* x [3, 3] as both inputs of one op: the gradient of sum(coefficient op(x, x)) against differences. */
static rung_node *record_add(rung_node *x) {
  return rung_add(x, x);
}
static rung_node *record_multiply(rung_node *x) {
  return rung_multiply(x, x);
}
static rung_node *record_matmul(rung_node *x) {
  return rung_matmul(x, x);
}
static rung_node *record_linear(rung_node *x) {
  return rung_linear_with(x, x, NULL);
}
static rung_node *(*record_square)(rung_node *x);
static rung_node *case_square(rung_graph *graph) {
  return record_square(CASE_PARAMETER("x", 3, 3));
}

START_TEST(one_node_may_be_both_inputs) {
  static rung_node *(*const records[])(rung_node *) = {record_add, record_multiply, record_matmul, record_linear};
  record_square = records[_i];
  const op_case test = {"square", case_square, NULL, true, false};
  team = rung_team_new(2);
  rung_node *op;
  rung_graph *graph = prepare(&test, team, &op);
  ck_assert_int_eq(case_replay(&test, graph, true), RUNG_OK);
  check_parameter(&test, rung_graph_find(graph, "x"));
  rung_graph_free(graph);
  rung_team_free(team);
}
END_TEST

/* y = x relu(w)^T, loss = sum y: with w > 0, dw[j,k] = sum_i x[i,k], of this replay and not of the one before. */
START_TEST(a_computed_weight_gets_this_replays_gradient) {
  float x[8][3];
  for (int i = 0; i < 8; i++)
    for (int k = 0; k < 3; k++) x[i][k] = (float)(i * 3 + k);
  const rung_tensor source = {.type = RUNG_F32, .shape = RUNG_SHAPE(8, 3), .data = x};
  for (int threads = 1; threads <= 3; threads++) {
    rung_team *members = rung_team_new(threads);
    rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = 4, .team = members});
    rung_node *input = rung_graph_input(graph, "x", RUNG_SHAPE(3));
    rung_node *w = rung_graph_parameter(graph, "w", RUNG_SHAPE(2, 3));
    rung_node *b = rung_graph_parameter(graph, "b", RUNG_SHAPE(2));
    ck_assert_ptr_nonnull(rung_sum(rung_linear_with(input, rung_relu(w), rung_relu(b))));
    for (int i = 0; i < 6; i++) ((float *)w->value.data)[i] = 1;
    for (int i = 0; i < 2; i++) ((float *)b->value.data)[i] = 1;
    ck_assert_int_eq(rung_graph_bind(input, &source), RUNG_OK);
    for (int64_t first = 0; first <= 4; first += 4) {
      ck_assert_int_eq(rung_graph_replay(graph, &(rung_replay_options){.count = 4, .first = first, .backward = true}),
                       RUNG_OK);
      for (int j = 0; j < 2; j++) {
        ck_assert(((float *)b->gradient.data)[j] == 4);
        for (int k = 0; k < 3; k++)
          ck_assert(((float *)w->gradient.data)[j * 3 + k] ==
                    x[first][k] + x[first + 1][k] + x[first + 2][k] + x[first + 3][k]);
      }
    }
    rung_graph_free(graph);
    rung_team_free(members);
  }
}
END_TEST

START_TEST(the_list_names_every_op_once) {
  ck_assert_int_eq(rung_op_count(), op_count);
  ck_assert_ptr_null(rung_op_at(-1));
  ck_assert_ptr_null(rung_op_at(op_count));
  for (int i = 0; i < op_count; i++)
    for (int k = 0; k < i; k++) ck_assert_str_ne(rung_op_at(i)->name, rung_op_at(k)->name);
}
END_TEST

TEST_MAIN(CASES(gradients_equal_differences, op_count), CASES(two_consumers_add_their_gradients, op_case_count),
          CASES(one_node_may_be_both_inputs, 4), CASE(a_computed_weight_gets_this_replays_gradient),
          CASE(the_list_names_every_op_once))
