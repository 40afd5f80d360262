/* Holding what the executions computed of a block against each other, value by value. */
#include "verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const verify_execution *program_of(const verify_run *run) {
  return &run->execution[RUNG_EXECUTION_PROGRAM];
}

/* What the program's layer read: an example's row of the layer before, or of the input. */
static const int32_t *input_row(const verify_run *run, int layer, int64_t example) {
  const int32_t *rows = layer == 0 ? run->input_q : program_of(run)->layer[layer - 1].q;
  return rows + example * verify_layer(run, layer)->in;
}

/* ---- Differences from the program ------------------------------------------------------------------------------- */

/* How far a computation in f32 may be off, in output steps: of `in` products and their sum, each rounded to 24 bits,
 * and a few roundings of scales, at worst. Where one of the two rounds the bias to the accumulator's step and the other
 * does not, half of one more: the simulation keeps it in f32; the program, where there are groups, keeps it finer, and
 * ONNX Runtime may not. */
static double slack(const execution_kind *kind, const rung_integer_layer *layer, const exact_value *value) {
  double size = 2 * value->magnitude + fabs((double)value->floor) + abs(layer->output_zero_point);
  bool biases_differ = kind->biases_in_f32 || layer->group > 0;
  return (double)(layer->in + 8) * 0x1p-24 * size + (biases_differ ? value->unit / 2 : 0);
}

/* Why value j of an example differs: its input did, or its rounding hung by a thread, or nobody knows. */
static void explain(const verify_execution *execution, int layer, int64_t example, int64_t j) {
  const verify_run *run = execution->in;
  rung_layer_agreement *agreement = &execution->result->layer[layer];
  if (execution->strayed[example]) {
    agreement->inherited++;
    return;
  }
  const rung_integer_layer *integers = verify_layer(run, layer);
  const exact_value value = exact_output(integers, input_row(run, layer, example), j);
  double distance = fabs(value.fraction - 0.5);
  if (distance > agreement->distance) agreement->distance = distance;
  if (distance <= slack(execution->kind, integers, &value))
    agreement->ties++;
  else
    agreement->unexplained++;
}

static void count_differences(const verify_execution *execution, int layer) {
  const verify_run *run = execution->in;
  const int64_t out = verify_layer(run, layer)->out;
  const int32_t *have = execution->layer[layer].q, *want = program_of(run)->layer[layer].q;
  const bool explains = execution->kind->simulates && !verify_is_logits(run, layer);
  rung_layer_agreement *agreement = &execution->result->layer[layer];
  agreement->values += run->count * out;
  for (int64_t i = 0; i < run->count; i++, have += out, want += out) {
    bool strayed = false;
    for (int64_t j = 0; j < out; j++) {
      if (have[j] == want[j]) continue;
      int64_t step = (int64_t)have[j] - want[j];
      if (step < 0) step = -step;
      if (step > agreement->largest) agreement->largest = step;
      agreement->differ++;
      strayed = true;
      if (explains) explain(execution, layer, i, j);
    }
    execution->strayed[i] = strayed;
  }
}

/* ---- Signal and noise ------------------------------------------------------------------------------------------- */

static double real_at(const rung_integer_layer *layer, const layer_values *values, int64_t i) {
  if (values->real) return (double)values->real[i];
  return (double)layer->output_scale *
         ((double)values->q[i] - (layer->output_type == RUNG_I32 ? 0 : layer->output_zero_point));
}

static void add_signal(verify_run *run, int layer) {
  const rung_integer_layer *integers = verify_layer(run, layer);
  const layer_values *real = &run->execution[RUNG_EXECUTION_FLOAT].layer[layer];
  for (int64_t i = 0; i < run->count * integers->out; i++)
    run->result->signal[layer] += real_at(integers, real, i) * real_at(integers, real, i);
}

static void add_noise(const verify_execution *execution, int layer) {
  const verify_run *run = execution->in;
  const rung_integer_layer *integers = verify_layer(run, layer);
  const layer_values *real = &run->execution[RUNG_EXECUTION_FLOAT].layer[layer], *have = &execution->layer[layer];
  double *noise = &execution->result->noise[layer];
  for (int64_t i = 0; i < run->count * integers->out; i++) {
    double off = real_at(integers, have, i) - real_at(integers, real, i);
    *noise += off * off;
  }
}

/* ---- The largest output ----------------------------------------------------------------------------------------- */

/* The first of the largest logits of an example. */
static int64_t winner(const verify_execution *execution, int64_t example) {
  const verify_run *run = execution->in;
  const int last = run->program->count - 1;
  const int64_t out = verify_layer(run, last)->out;
  const layer_values *logits = &execution->layer[last];
  int64_t best = example * out;
  for (int64_t i = best; i < (example + 1) * out; i++)
    if (logits->real ? logits->real[i] > logits->real[best] : logits->q[i] > logits->q[best]) best = i;
  return best - example * out;
}

static void count_winners(const verify_execution *execution) {
  const verify_run *run = execution->in;
  const int32_t *labels = run->dataset->labels;
  for (int64_t i = 0; i < run->count; i++) {
    int64_t won = winner(execution, i);
    execution->result->agree += won == winner(program_of(run), i);
    execution->result->correct += labels && won == labels[run->first + i];
  }
}

void verify_count(verify_run *run) {
  const bool with_float = execution_ran(&run->execution[RUNG_EXECUTION_FLOAT]);
  for (int i = 0; i < run->program->count && with_float; i++) add_signal(run, i);
  for (int e = 0; e < RUNG_EXECUTION_COUNT; e++) {
    verify_execution *execution = &run->execution[e];
    if (!execution_ran(execution)) continue;
    memset(execution->strayed, 0, (size_t)run->count * sizeof *execution->strayed); /* all read the same input */
    for (int i = 0; i < run->program->count; i++) {
      count_differences(execution, i);
      if (with_float) add_noise(execution, i);
    }
    count_winners(execution);
  }
}

/* ---- The first difference of two -------------------------------------------------------------------------------- */

/* Value `at` before it was rounded, in steps of its layer. */
static double before_rounding(const rung_integer_layer *layer, const layer_values *values, int64_t at) {
  if (!values->before) return NAN;
  return (double)values->before[at] / (double)layer->output_scale +
         (layer->output_type == RUNG_I32 ? 0 : layer->output_zero_point);
}

static rung_difference describe_difference(const verify_execution *a, const verify_execution *b, int layer,
                                           int64_t at) {
  const verify_run *run = a->in;
  const rung_integer_layer *integers = verify_layer(run, layer);
  const int64_t example = at / integers->out, j = at % integers->out;
  const int32_t *input = layer == 0 ? run->input_q : a->layer[layer - 1].q; /* b's is the same */
  const exact_value value = exact_output(integers, input + example * integers->in, j);
  const int32_t zero_point = integers->output_type == RUNG_I32 ? 0 : integers->output_zero_point;
  return (rung_difference){
      .example = run->first + example,
      .layer = layer,
      .index = j,
      .value = {a->layer[layer].q[at], b->layer[layer].q[at]},
      .before = {before_rounding(integers, &a->layer[layer], at), before_rounding(integers, &b->layer[layer], at)},
      .accumulator = value.accumulator,
      .multiplier = value.multiplier,
      .shift = value.shift,
      .exact = (double)(value.floor + zero_point) + value.fraction,
      .expected = value.expected};
}

/* Logits in f32 are rounded nowhere and have no integers to differ. An earlier layer of the same example comes first,
 * so later layers are searched in earlier examples alone. */
static bool find_in_block(const verify_execution *a, const verify_execution *b, rung_difference *first) {
  const verify_run *run = a->in;
  int64_t examples = run->count, at = 0;
  int layer = -1;
  for (int i = 0; i < run->program->count; i++) {
    const int64_t out = verify_layer(run, i)->out;
    const int32_t *x = a->layer[i].q, *y = b->layer[i].q;
    int64_t k = 0;
    if (verify_is_logits(run, i) && (a->layer[i].real || b->layer[i].real)) continue;
    if (memcmp(x, y, (size_t)(examples * out) * sizeof *x) == 0) continue;
    while (x[k] == y[k]) k++;
    layer = i;
    at = k;
    examples = k / out;
  }
  if (layer >= 0) *first = describe_difference(a, b, layer, at);
  return layer >= 0;
}

void verify_find_first(verify_run *run) {
  for (int a = 0; a < RUNG_EXECUTION_COUNT; a++)
    for (int b = a + 1; b < RUNG_EXECUTION_COUNT; b++) {
      const verify_execution *one = &run->execution[a], *other = &run->execution[b];
      bool *found = &run->result->found[a][b];
      if (!*found && execution_ran(one) && execution_ran(other))
        *found = find_in_block(one, other, &run->result->first[a][b]);
    }
}
