/* Distillation (Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015): what a teacher says to
 * an example, softened by a temperature T, is a target beside the label. With logits x of the network and u of the
 * teacher, C[i] the cross entropy of the label:
 *
 * forward   q[i] = softmax(x[i] / T),  p[i] = softmax(u[i] / T)
 *           y = (sum_i (1 - alpha) C[i] + alpha T^2 sum_j p[i][j] (log p[i][j] - log q[i][j])) / n       (eq. 63)
 * backward  dx[i][j] += ((1 - alpha) dC[i]/dx[i][j] + alpha T (q[i][j] - p[i][j])) dy / n                (eq. 64)
 *
 * The logarithms come from the logits, log q[j] = log q[t] + (x[j] - x[t]) / T, so that a probability of 0 does no
 * harm. An example that the teacher has said nothing to makes its row's loss NaN, and so the value. */
#include "distillation.h"

#include "graph.h"

#include <math.h>

struct distillation {
  rung_distillation with;
  float *student, *teacher;             /* [batch, classes]: logits / T, then q and p */
  float *student_label, *teacher_label; /* [batch]: -log q and -log p of the label */
};

static rung_status check(const rung_node *node, const rung_distillation *with) {
  if (!node || node->op != &rung_op_cross_entropy)
    return rung_fail(RUNG_ERROR_ARGUMENT, "distillation: '%s' is no cross entropy", node ? node->name : "NULL");
  if (!with) return RUNG_OK;
  if (!with->logits || with->examples < 1)
    return rung_fail(RUNG_ERROR_ARGUMENT, "distillation: logits of %lld examples, expected 1 or more",
                     (long long)with->examples);
  if (!(with->temperature > 0) || isinf(with->temperature))
    return rung_fail(RUNG_ERROR_ARGUMENT, "distillation: temperature %g, expected a positive number",
                     (double)with->temperature);
  if (!(with->alpha > 0 && with->alpha <= 1))
    return rung_fail(RUNG_ERROR_ARGUMENT, "distillation: alpha %g, expected more than 0 and at most 1",
                     (double)with->alpha);
  return RUNG_OK;
}

/* Memory for a batch, once: it stays with the graph. */
static rung_status provide(rung_node *node) {
  loss_state *state = node->state;
  if (state->soft) return RUNG_OK;
  const size_t batch = (size_t)rung_graph_batch(node->graph), classes = (size_t)op_row_size(node->input[0]);
  const size_t all = batch * classes; /* fits: the slopes are in memory */
  struct distillation *soft = rung_node_allocate(node, 1, sizeof *soft);
  if (!soft) return RUNG_ERROR_MEMORY;
  soft->student = rung_node_allocate(node, all, sizeof(float));
  soft->teacher = rung_node_allocate(node, all, sizeof(float));
  soft->student_label = rung_node_allocate(node, batch, sizeof(float));
  soft->teacher_label = rung_node_allocate(node, batch, sizeof(float));
  if (!soft->student || !soft->teacher || !soft->student_label || !soft->teacher_label) return RUNG_ERROR_MEMORY;
  state->soft = soft;
  return RUNG_OK;
}

rung_status rung_cross_entropy_distill(rung_node *cross_entropy, const rung_distillation *with) {
  rung_status status = check(cross_entropy, with);
  if (status != RUNG_OK) return status;
  loss_state *state = cross_entropy->state;
  state->distills = false;
  if (!with) return RUNG_OK;
  status = provide(cross_entropy);
  if (status != RUNG_OK) return status;
  state->soft->with = *with;
  state->distills = true;
  return RUNG_OK;
}

/* The place of row i of this replay in the teacher's logits; -1 if it has none there. */
static int64_t example_of(const rung_node *node, int64_t i) {
  const rung_replay_options *options = node->graph->current;
  const int64_t at = options->rows ? options->rows[options->first + i] : options->first + i;
  return at < ((const loss_state *)node->state)->soft->with.examples ? at : -1;
}

/* Both distributions of the rows, and -log of what they give the label. */
static void soften(const rung_node *node, int64_t begin, int64_t end, int64_t classes) {
  const rung_kernels *kernels = rung_kernels_active();
  const struct distillation *soft = ((const loss_state *)node->state)->soft;
  const int32_t *label = (const int32_t *)node->input[1]->value.data + begin;
  float *student = soft->student + begin * classes, *teacher = soft->teacher + begin * classes;
  const float by = 1 / soft->with.temperature;
  kernels->scale_add(student, op_value(node->input[0]) + begin * classes, by, (end - begin) * classes, false);
  for (int64_t i = begin; i < end; i++) {
    const int64_t example = example_of(node, i) < 0 ? 0 : example_of(node, i);
    kernels->scale_add(soft->teacher + i * classes, soft->with.logits + example * classes, by, classes, false);
  }
  kernels->cross_entropy(soft->student_label + begin, student, student, label, end - begin, classes);
  kernels->cross_entropy(soft->teacher_label + begin, teacher, teacher, label, end - begin, classes);
}

/* sum_j p (log p - log q) of row i. */
static float divergence(const rung_node *node, int64_t i, int64_t classes) {
  const struct distillation *soft = ((const loss_state *)node->state)->soft;
  const int32_t label = ((const int32_t *)node->input[1]->value.data)[i];
  const float *x = op_value(node->input[0]) + i * classes, *u = soft->with.logits + example_of(node, i) * classes;
  const float *p = soft->teacher + i * classes;
  const float by = 1 / soft->with.temperature, labels = soft->student_label[i] - soft->teacher_label[i];
  float sum = 0;
  for (int64_t j = 0; j < classes; j++) sum += p[j] * (labels + ((u[j] - u[label]) - (x[j] - x[label])) * by);
  return sum;
}

void distillation_rows(const rung_node *node, int64_t begin, int64_t end) {
  const loss_state *state = node->state;
  const struct distillation *soft = state->soft;
  const int64_t classes = op_row_size(node->input[0]);
  const float t = soft->with.temperature, alpha = soft->with.alpha;
  soften(node, begin, end, classes);
  for (int64_t i = begin; i < end; i++) {
    const bool taught = example_of(node, i) >= 0;
    state->row[i] = taught ? (1 - alpha) * state->row[i] + alpha * t * t * divergence(node, i, classes) : NAN;
    for (int64_t k = i * classes; k < (i + 1) * classes; k++)
      state->slope[k] = taught ? (1 - alpha) * state->slope[k] + alpha * t * (soft->student[k] - soft->teacher[k]) : 0;
  }
}
