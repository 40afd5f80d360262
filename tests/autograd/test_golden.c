/* Values, gradients and running statistics of every op against PyTorch's, computed in float64. */
#include "cases.h"
#include "harness.h"

typedef struct golden_tensor {
  const char *test, *name; /* the case of cases.h, and its parameter, or "=" for the op's value */
  int count;
  const float *value;    /* before the step */
  const float *gradient; /* NULL where there is none */
  const float *after;    /* the value after the step, where it changes */
} golden_tensor;

#include "golden/autograd.h"

enum { golden_count = (int)(sizeof golden_tensors / sizeof golden_tensors[0]) };

static void expect_near(const golden_tensor *golden, const char *what, const float *have, const float *want) {
  double largest = 0;
  for (int k = 0; k < golden->count; k++) largest = fmax(largest, fabs((double)want[k]));
  for (int k = 0; k < golden->count; k++)
    ck_assert_msg(fabs((double)have[k] - (double)want[k]) <= 1e-6 * (1 + largest),
                  "%s: %s of %s [%d] is %.9g, PyTorch says %.9g", golden->test, what, golden->name, k, (double)have[k],
                  (double)want[k]);
}

static int load(const op_case *test, rung_graph *graph) {
  int loaded = 0;
  for (int g = 0; g < golden_count; g++) {
    const golden_tensor *golden = &golden_tensors[g];
    if (strcmp(golden->test, test->name) != 0 || strcmp(golden->name, "=") == 0) continue;
    const rung_node *parameter = rung_graph_find(graph, golden->name);
    ck_assert_msg(parameter && rung_tensor_count(&parameter->value) == golden->count, "%s: %s", test->name,
                  golden->name);
    memcpy(parameter->value.data, golden->value, (size_t)golden->count * sizeof(float));
    loaded++;
  }
  return loaded;
}

static void compare(const op_case *test, const rung_graph *graph, const rung_node *op) {
  for (int g = 0; g < golden_count; g++) {
    const golden_tensor *golden = &golden_tensors[g];
    if (strcmp(golden->test, test->name) != 0) continue;
    if (strcmp(golden->name, "=") == 0) {
      ck_assert_int_eq(rung_tensor_count(&op->value), golden->count);
      expect_near(golden, "value", op->value.data, golden->value);
      continue;
    }
    const rung_node *parameter = rung_graph_find(graph, golden->name);
    ck_assert_msg(rung_node_wants_gradient(parameter) == (golden->gradient != NULL), "%s: gradient of %s", test->name,
                  golden->name);
    if (golden->gradient) expect_near(golden, "gradient", parameter->gradient.data, golden->gradient);
    if (golden->after) expect_near(golden, "new value", parameter->value.data, golden->after);
  }
}

START_TEST(equals_pytorch) {
  const op_case *test = &op_cases[_i];
  if (test->random) return; /* its own test: test_dropout.c */
  rung_team *team = rung_team_new(2);
  rung_node *op;
  rung_graph *graph = case_graph(test, team, &op);
  ck_assert_msg(rung_graph_status(graph) == RUNG_OK, "%s: %s", test->name, rung_error());
  ck_assert_msg(load(test, graph) >= 2, "%s: no golden numbers", test->name);
  ck_assert_int_eq(case_replay(test, graph, true), RUNG_OK);
  compare(test, graph, op);
  rung_graph_free(graph);
  rung_team_free(team);
}
END_TEST

TEST_MAIN(CASES(equals_pytorch, op_case_count))
