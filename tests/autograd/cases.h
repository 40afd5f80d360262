/* For every op one or more small graphs around it, whose operands are parameters, so that all of them get gradients.
 * A case is named OP or OP/VARIANT; tests/golden/make_autograd.py computes the same cases. */
#ifndef TESTS_AUTOGRAD_CASES_H
#define TESTS_AUTOGRAD_CASES_H

#include <rung/autograd.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { case_rows = 6, case_classes = 5 };

typedef struct op_case {
  const char *name;
  rung_node *(*record)(rung_graph *graph); /* the parameters and the op, which is returned */
  float (*place)(float x);                 /* moves a random number away from where the derivative jumps; may be NULL */
  bool training;
  bool random; /* the value depends on a random stream */
} op_case;

static inline rung_node *case_parameter(rung_graph *graph, const char *name, rung_shape shape) {
  return rung_graph_parameter(graph, name, shape);
}
#define CASE_PARAMETER(name, ...) case_parameter(graph, name, RUNG_SHAPE(__VA_ARGS__))

static rung_node *case_linear(rung_graph *graph) {
  return rung_linear_with(CASE_PARAMETER("x", 6, 5), CASE_PARAMETER("weight", 4, 5), CASE_PARAMETER("bias", 4));
}
static rung_node *case_linear_no_bias(rung_graph *graph) {
  return rung_linear_with(CASE_PARAMETER("x", 6, 5), CASE_PARAMETER("weight", 4, 5), NULL);
}
static rung_node *case_linear_deep(rung_graph *graph) {
  return rung_linear_with(CASE_PARAMETER("x", 6, 2, 3), CASE_PARAMETER("weight", 4, 6), CASE_PARAMETER("bias", 4));
}
static rung_node *case_matmul(rung_graph *graph) {
  return rung_matmul(CASE_PARAMETER("a", 6, 5), CASE_PARAMETER("b", 5, 4));
}
static rung_node *case_add(rung_graph *graph) {
  return rung_add(CASE_PARAMETER("a", 6, 5), CASE_PARAMETER("b", 6, 5));
}
static rung_node *case_add_row(rung_graph *graph) {
  return rung_add(CASE_PARAMETER("a", 3, 2, 5), CASE_PARAMETER("b", 5));
}
static rung_node *case_multiply(rung_graph *graph) {
  return rung_multiply(CASE_PARAMETER("a", 6, 5), CASE_PARAMETER("b", 6, 5));
}
static rung_node *case_multiply_row(rung_graph *graph) {
  return rung_multiply(CASE_PARAMETER("a", 3, 2, 5), CASE_PARAMETER("b", 5));
}
static rung_node *case_relu(rung_graph *graph) {
  return rung_relu(CASE_PARAMETER("x", 6, 5));
}
static rung_node *case_relu6(rung_graph *graph) {
  return rung_relu6(CASE_PARAMETER("x", 6, 5));
}
static rung_node *case_sigmoid(rung_graph *graph) {
  return rung_sigmoid(CASE_PARAMETER("x", 6, 5));
}
static rung_node *case_tanh(rung_graph *graph) {
  return rung_tanh(CASE_PARAMETER("x", 6, 5));
}
static rung_node *case_gelu(rung_graph *graph) {
  return rung_gelu(CASE_PARAMETER("x", 6, 5));
}
static rung_node *case_rescale(rung_graph *graph) {
  return rung_rescale(CASE_PARAMETER("x", 6, 5), -0.75f, 2.5f);
}
static rung_node *case_reshape(rung_graph *graph) {
  return rung_reshape(CASE_PARAMETER("x", 6, 2, 3), RUNG_SHAPE(3, 1, 2));
}
static rung_node *case_dropout(rung_graph *graph) {
  return rung_dropout(CASE_PARAMETER("x", 6, 5), 0.25f);
}
static rung_node *case_batch_norm(rung_graph *graph) {
  return rung_batch_norm_with(CASE_PARAMETER("x", 6, 5), CASE_PARAMETER("scale", 5), CASE_PARAMETER("shift", 5),
                              CASE_PARAMETER("mean", 5), CASE_PARAMETER("variance", 5), 0.1f, 1e-5f);
}
static rung_node *case_batch_norm_whole(rung_graph *graph) {
  return rung_batch_norm_with(CASE_PARAMETER("x", 6, 5), CASE_PARAMETER("scale", 1), CASE_PARAMETER("shift", 1),
                              CASE_PARAMETER("mean", 1), CASE_PARAMETER("variance", 1), 0.1f, 1e-5f);
}
static rung_node *case_sum(rung_graph *graph) {
  return rung_sum(CASE_PARAMETER("x", 6, 5));
}
static rung_node *case_mean(rung_graph *graph) {
  return rung_mean(CASE_PARAMETER("x", 6, 5));
}
static rung_node *case_squared_error(rung_graph *graph) {
  return rung_squared_error(CASE_PARAMETER("x", 6, 5), CASE_PARAMETER("target", 6, 5));
}

/* Labels come with the batch, so scores must too: those of example i are column i of parameter "x" [classes, n], taken
 * by a product with the unit matrix. */
static rung_node *case_scores(rung_graph *graph) {
  static float unit[case_rows][case_rows];
  for (int i = 0; i < case_rows; i++) unit[i][i] = 1;
  rung_node *examples = rung_graph_input(graph, "unit", RUNG_SHAPE(case_rows));
  const rung_tensor source = {.type = RUNG_F32, .shape = RUNG_SHAPE(case_rows, case_rows), .data = unit};
  rung_graph_bind(examples, &source);
  return rung_linear_with(examples, CASE_PARAMETER("x", case_classes, case_rows), NULL);
}
static rung_node *case_label(rung_graph *graph) {
  static int32_t label[case_rows];
  for (int i = 0; i < case_rows; i++) label[i] = (3 * i + 1) % case_classes;
  rung_node *node = rung_graph_label(graph, "label");
  const rung_tensor source = {.type = RUNG_I32, .shape = RUNG_SHAPE(case_rows), .data = label};
  rung_graph_bind(node, &source);
  return node;
}
static rung_node *case_cross_entropy(rung_graph *graph) {
  return rung_cross_entropy(case_scores(graph), case_label(graph));
}
static rung_node *case_squared_hinge(rung_graph *graph) {
  return rung_squared_hinge(case_scores(graph), case_label(graph));
}

/* At least 1/8 from 0; from 0 and 6; from -1 and 1. */
static float place_relu(float x) {
  return x < 0 ? x - 0.125f : x + 0.125f;
}
static float place_relu6(float x) {
  x *= 4;
  return fabsf(x) < 0.125f ? 0.25f : fabsf(x - 6) < 0.125f ? 6.25f : x;
}
static float place_hinge(float x) {
  return fabsf(fabsf(x) - 1) < 0.125f ? 0.5f * x : x;
}
/* Variances are positive; and a range in which a second-order error stays small. */
static float place_positive(float x) {
  return 0.5f + fabsf(x);
}

static const op_case op_cases[] = {
    {"linear", case_linear, NULL, true, false},
    {"linear/no_bias", case_linear_no_bias, NULL, true, false},
    {"linear/deep", case_linear_deep, NULL, true, false},
    {"matmul", case_matmul, NULL, true, false},
    {"add", case_add, NULL, true, false},
    {"add/row", case_add_row, NULL, true, false},
    {"multiply", case_multiply, NULL, true, false},
    {"multiply/row", case_multiply_row, NULL, true, false},
    {"relu", case_relu, place_relu, true, false},
    {"relu6", case_relu6, place_relu6, true, false},
    {"sigmoid", case_sigmoid, NULL, true, false},
    {"tanh", case_tanh, NULL, true, false},
    {"gelu", case_gelu, NULL, true, false},
    {"rescale", case_rescale, NULL, true, false},
    {"reshape", case_reshape, NULL, true, false},
    {"dropout", case_dropout, NULL, true, true},
    {"dropout/evaluation", case_dropout, NULL, false, false},
    {"batch_norm", case_batch_norm, NULL, true, false},
    {"batch_norm/evaluation", case_batch_norm, place_positive, false, false},
    {"batch_norm/whole", case_batch_norm_whole, NULL, true, false},
    {"batch_norm/whole_evaluation", case_batch_norm_whole, place_positive, false, false},
    {"sum", case_sum, NULL, true, false},
    {"mean", case_mean, NULL, true, false},
    {"cross_entropy", case_cross_entropy, NULL, true, false},
    {"squared_error", case_squared_error, NULL, true, false},
    {"squared_hinge", case_squared_hinge, place_hinge, true, false},
};
enum { op_case_count = (int)(sizeof op_cases / sizeof op_cases[0]) };

static inline bool case_is_of(const op_case *test, const char *op) {
  size_t length = strlen(op);
  return strncmp(test->name, op, length) == 0 && (test->name[length] == '\0' || test->name[length] == '/');
}

/* A graph of the case that ends in sum(coefficient * op), so that no two elements weigh the same; the op in *op. */
static inline rung_graph *case_graph(const op_case *test, rung_team *team, rung_node **op) {
  rung_graph *graph = rung_graph_new(&(rung_graph_options){.batch = case_rows, .seed = 5, .team = team});
  *op = test->record(graph);
  if (!*op) return graph;
  rung_node *weighted = rung_multiply(*op, rung_graph_parameter(graph, "coefficient", (*op)->value.shape));
  if (weighted && weighted->value.shape.rank > 0) rung_sum(weighted);
  return graph;
}

static inline rung_status case_replay(const op_case *test, rung_graph *graph, bool backward) {
  return rung_graph_replay(
      graph, &(rung_replay_options){.count = case_rows, .training = test->training, .backward = backward});
}

#endif
