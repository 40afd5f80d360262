/* Folding batch norms into the linear layers before them. */
#include "fold.h"
#include "quant_data.h"

enum { BATCH = 16, IN = 9, OUT = 20 };

static float inputs[BATCH * IN], weights[BATCH * OUT];

/* x -> linear -> batch norm -> relu -> weighed, and what a case changes of that. */
typedef enum variant {
  PLAIN,
  FROZEN_BEFORE,    /* by the user, who left it as it was trained */
  NO_BIAS,          /* the shift stays where it is */
  NO_BIAS_FROZEN,   /* ... and, being frozen, is no identity before */
  NO_BIAS_SHIFT,    /* ... though it divides by what it multiplies by */
  FOLD,             /* all those before */
  READ_TWICE,       /* the linear layer's value is wanted as it is, too */
  READ_TWICE_SHIFT, /* ... with a batch norm behind it that only adds its shift */
  SHARED_WEIGHT,    /* another layer has the same weight */
  SHARED_SHIFT,     /* something else adds the same shift */
  BEHIND_RELU,      /* no linear layer before it */
  MADE_WEIGHT,      /* the weight is computed, not a parameter */
  MADE_SCALE,       /* so is the scale */
  VARIANTS
} variant;

typedef struct net {
  rung_graph *graph;
  rung_node *x, *linear, *norm, *last;
} net;

static rung_node *parameter(rung_graph *graph, const char *name, rung_shape shape, float mean, float deviation) {
  rung_node *node = rung_graph_parameter(graph, name, shape);
  rung_rng rng = rung_rng_seed((uint64_t)rung_graph_node_count(graph));
  for (int64_t i = 0; i < rung_tensor_count(&node->value); i++)
    ((float *)node->value.data)[i] = mean + deviation * rung_rng_normal(&rng);
  return node;
}

static bool has_bias(variant kind) {
  return kind != READ_TWICE_SHIFT && (kind < NO_BIAS || kind > NO_BIAS_SHIFT);
}

static net make(variant kind) {
  net made = {.graph = rung_graph_new(&(rung_graph_options){.batch = BATCH})};
  made.x = rung_graph_input(made.graph, "x", RUNG_SHAPE(IN));
  rung_node *w = parameter(made.graph, "w", RUNG_SHAPE(OUT, IN), 0, 0.5f), *made_weight = w;
  rung_node *b = parameter(made.graph, "b", RUNG_SHAPE(OUT), 0, 0.5f);
  if (kind == MADE_WEIGHT) made_weight = rung_relu(w);
  made.linear = rung_linear_with(made.x, made_weight, has_bias(kind) ? b : NULL);
  const bool twice = kind == READ_TWICE || kind == READ_TWICE_SHIFT;
  rung_node *side = twice ? rung_tanh(made.linear) : NULL;
  rung_node *before = kind == BEHIND_RELU ? rung_relu(made.linear) : made.linear;
  rung_node *scale = parameter(made.graph, "scale", RUNG_SHAPE(OUT), 0, 1);
  rung_node *shift = parameter(made.graph, "shift", RUNG_SHAPE(OUT), 0.3f, 1);
  rung_node *mean = parameter(made.graph, "mean", RUNG_SHAPE(OUT), 0.1f, 1);
  rung_node *variance = parameter(made.graph, "variance", RUNG_SHAPE(OUT), 1, 0);
  for (int j = 0; j < OUT; j++) ((float *)variance->value.data)[j] = 0.01f + 0.3f * (float)j;
  made.norm =
      rung_batch_norm_with(before, kind == MADE_SCALE ? rung_relu(scale) : scale, shift, mean, variance, 0.1f, 1e-5f);
  for (int j = 0; j < OUT && (kind == NO_BIAS_SHIFT || kind == READ_TWICE_SHIFT); j++)
    ((float *)scale->value.data)[j] = sqrtf(((float *)variance->value.data)[j] + 1e-5f);
  if (kind == READ_TWICE_SHIFT) memset(mean->value.data, 0, OUT * sizeof(float));
  if (kind == FROZEN_BEFORE || kind == NO_BIAS_FROZEN || kind == NO_BIAS_SHIFT || kind == READ_TWICE_SHIFT) {
    rung_node_set_trainable(scale, false);
    rung_node_set_trainable(shift, false);
  }
  made.last = rung_relu(made.norm);
  if (twice) made.last = rung_add(made.last, side);
  if (kind == SHARED_SHIFT) made.last = rung_add(made.last, shift);
  if (kind == SHARED_WEIGHT) made.last = rung_add(made.last, rung_linear_with(made.x, w, b));
  fill(weights, BATCH * OUT, 0, 2);
  ck_assert_msg(weigh(made.last, NULL, weights) != NULL, "%s", rung_error());
  fill(inputs, BATCH * IN, 0, 1);
  const rung_tensor source = {.shape = RUNG_SHAPE(BATCH, IN), .data = inputs};
  ck_assert_int_eq(rung_graph_bind(made.x, &source), RUNG_OK);
  return made;
}

static const float *value(const net *made, const char *name) {
  return rung_graph_find(made->graph, name)->value.data;
}

static void evaluate(const net *made, float *y) {
  replay_once(made->graph, BATCH, false, false);
  memcpy(y, made->last->value.data, BATCH * OUT * sizeof *y);
}

/* The same function before and after; the parameters as the equations have them; once is enough. */
START_TEST(a_batch_norm_folds) {
  float before[BATCH * OUT], after[BATCH * OUT];
  const variant kind = (variant)_i;
  net made = make(kind), unfolded = make(kind);
  evaluate(&made, before);
  ck_assert(!fold_is_folded(made.norm) && !fold_is_folded(made.linear));
  fold_batch_norms(made.graph);
  ck_assert(fold_is_folded(made.norm));
  evaluate(&made, after);
  for (int i = 0; i < BATCH * OUT; i++) ENSURE(fabsf(after[i] - before[i]) <= 1e-4f * fmaxf(1, fabsf(before[i])));
  for (int j = 0; j < OUT; j++) {
    double deviation = sqrt((double)value(&unfolded, "variance")[j] + 1e-5);
    double gain = value(&unfolded, "scale")[j] / deviation;
    double b = has_bias(kind) ? value(&unfolded, "b")[j] : 0;
    double bias = (b - (double)value(&unfolded, "mean")[j]) * gain + value(&unfolded, "shift")[j];
    ENSURE(fabs(value(&made, has_bias(kind) ? "b" : "shift")[j] - bias) <= 1e-5 * fmax(1, fabs(bias)));
    for (int k = 0; k < IN; k++) {
      double w = value(&unfolded, "w")[j * IN + k] * gain;
      ENSURE(fabs(value(&made, "w")[j * IN + k] - w) <= 1e-6 * fabs(w));
    }
    ENSURE(fabs(value(&made, "scale")[j] - deviation) <= 1e-6 * deviation);
    ENSURE((value(&made, "shift")[j] == 0) == has_bias(kind) && value(&made, "mean")[j] == 0);
    ENSURE(value(&made, "variance")[j] == value(&unfolded, "variance")[j]);
  }
  ck_assert_ptr_eq(fold_bias(made.linear), rung_graph_find(made.graph, has_bias(kind) ? "b" : "shift"));
  ck_assert_int_eq(rung_graph_find(made.graph, "shift")->trainable, kind == NO_BIAS);
  fold_batch_norms(made.graph);
  float again[BATCH * OUT];
  evaluate(&made, again);
  ck_assert_mem_eq(again, after, sizeof after);
  rung_graph_free(made.graph);
  rung_graph_free(unfolded.graph);
}
END_TEST

/* Training goes on behind the fold: the identity stays one, or a shift; the linear layer learns, and that shift. */
START_TEST(what_is_folded_stays_so_in_training) {
  const bool shifts = _i == 1;
  net made = make(shifts ? NO_BIAS : PLAIN);
  fold_batch_norms(made.graph);
  const rung_node *shift = rung_graph_find(made.graph, "shift");
  for (int step = 0; step < 3; step++) replay_once(made.graph, BATCH, true, true);
  ck_assert(fold_is_folded(made.norm));
  const float *x = made.linear->value.data, *y = made.norm->value.data;
  for (int i = 0; i < BATCH * OUT; i++) {
    float b = shifts ? ((const float *)shift->value.data)[i % OUT] : 0;
    ENSURE(fabsf(y[i] - (x[i] + b)) <= 1e-6f * (fabsf(x[i]) + fabsf(b)));
  }
  for (int j = 0; j < OUT && shifts; j++) {
    float sum = 0; /* the shift's gradient: what reaches y where the ReLU is open */
    for (int i = 0; i < BATCH; i++) sum += y[i * OUT + j] > 0 ? weights[i * OUT + j] : 0;
    ENSURE(fabsf(((const float *)shift->gradient.data)[j] - sum) <= 1e-4f * fmaxf(1, fabsf(sum)));
  }
  const float *gradient = rung_graph_find(made.graph, "w")->gradient.data;
  float most = 0;
  for (int i = 0; i < OUT * IN; i++) most = fmaxf(most, fabsf(gradient[i]));
  ck_assert(most > 0);
  rung_graph_free(made.graph);
}
END_TEST

/* What cannot fold is left alone to the bit, and is not taken for folded. */
START_TEST(what_cannot_fold_is_left_alone) {
  static const char *const names[] = {"w", "b", "scale", "shift", "mean", "variance"};
  const variant kind = (variant)(READ_TWICE + _i);
  net made = make(kind), other = make(kind);
  float before[BATCH * OUT], after[BATCH * OUT];
  evaluate(&made, before);
  fold_batch_norms(made.graph);
  ck_assert(!fold_is_folded(made.norm));
  ck_assert_ptr_eq(fold_bias(made.linear), has_bias(kind) ? rung_graph_find(made.graph, "b") : NULL);
  for (int k = 0; k < LENGTH(names); k++) {
    const rung_tensor *tensor = &rung_graph_find(made.graph, names[k])->value;
    ck_assert_mem_eq(tensor->data, value(&other, names[k]), (size_t)rung_tensor_count(tensor) * sizeof(float));
  }
  evaluate(&made, after);
  ck_assert_mem_eq(after, before, sizeof after);
  rung_graph_free(made.graph);
  rung_graph_free(other.graph);
}
END_TEST

TEST_MAIN(CASES(a_batch_norm_folds, FOLD), CASES(what_is_folded_stays_so_in_training, 2),
          CASES(what_cannot_fold_is_left_alone, VARIANTS - READ_TWICE))
