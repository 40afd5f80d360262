/* A training step: FP32 and quantization-aware, in turn, of three multilayer perceptrons; with --threads also on one
 * thread, and the weights must come out the same. */
#include "network.h"

#include <string.h>

/* One model in training. */
typedef struct trainee {
  rung_model *model;
  bench_row *row;
  int steps, warm_up; /* of a chunk; the steps that are not timed at its beginning */
  int step;           /* of this chunk */
  double before;      /* seconds of this chunk up to the last step */
} trainee;

static bool after_step(void *context, const rung_progress *progress) {
  trainee *t = context;
  if (++t->step > t->warm_up) bench_sample(t->row, progress->seconds - t->before);
  t->before = progress->seconds;
  return t->step == t->steps;
}

static void train_chunk(trainee *t, const rung_dataset *data) {
  t->step = 0;
  t->before = 0;
  bench_check(
      rung_fit(t->model, data,
               &(rung_fit_options){
                   .rate = 1e-4f, .schedule.kind = RUNG_SCHEDULE_CONSTANT, .progress = after_step, .context = t}) ==
      RUNG_OK);
}

/* A row and its model; false where the row is not wanted. */
static bool prepare(trainee *t, bench *b, const network *net, const network_settings *s, bool qat, int threads) {
  const double operations = network_training_operations(net) * (double)net->batch;
  bench_row row = {.unit = "step", .peak = BENCH_F32, .work = operations, .threads = threads};
  snprintf(row.name, sizeof row.name, "train/%s/b%lld/%s", net->name, (long long)net->batch, qat ? s->bits : "fp32");
  if (threads > 1) snprintf(row.name + strlen(row.name), sizeof row.name - strlen(row.name), "/t%d", threads);
  *t = (trainee){.row = bench_add(b, &row), .steps = b->quick ? 4 : 28, .warm_up = b->quick ? 1 : 4};
  if (!t->row) return false;
  rung_node *logits;
  t->model = network_record(net, net->batch, threads, &logits);
  if (!qat) return true;
  bench_check(rung_quantize(t->model, &s->scheme) == RUNG_OK);
  bench_check(rung_calibrate(t->model, s->pictures, 1024) == RUNG_OK);
  return true;
}

enum { fp32, qat, fp32_threads, qat_threads, trainee_count };

static void note_results(bench *b, const network *net, trainee trainees[trainee_count]) {
  for (int i = 0; i < trainee_count; i++) {
    bench_row *row = trainees[i].row, *float_row = trainees[i / 2 * 2].row, *single = trainees[i % 2].row;
    if (!row) continue;
    if (row != float_row && float_row) {
      bench_add_note(row, "over_fp32", bench_best(row) / bench_best(float_row));
      bench_add_note(row, "over_fp32_median", bench_median(row) / bench_median(float_row));
    }
    if (row != single && single) {
      bool same = rung_model_hash(trainees[i].model) == rung_model_hash(trainees[i % 2].model);
      bench_add_note(row, "speedup", bench_best(single) / bench_best(row));
      bench_add_note(row, "speedup_median", bench_median(single) / bench_median(row));
      bench_add_note(row, "same_bits", same);
      if (!same) bench_fail("%s: the weights differ from those of one thread", row->name);
    }
    double epoch = 60000.0 / (double)net->batch;
    bench_add_note(row, "epoch_seconds", epoch * bench_best(row));
    bench_add_note(row, "epoch_over_gemm", bench_best(row) * b->peaks[BENCH_F32] * row->threads / row->work);
    bench_add_note(row, "peak_rss_mb", bench_peak_rss_mb());
  }
}

static void run_network(bench *b, const network *net, const network_settings *s) {
  trainee trainees[trainee_count] = {{0}};
  bool any = false;
  for (int i = 0; i < (b->threads > 1 ? trainee_count : fp32_threads); i++)
    any |= prepare(&trainees[i], b, net, s, i % 2 == qat, i < fp32_threads ? 1 : b->threads);
  double end = bench_clock() + b->seconds;
  while (any) {
    for (int i = 0; i < trainee_count; i++) {
      bench_measure_arithmetic(b->peaks);
      if (trainees[i].model) train_chunk(&trainees[i], s->pictures);
    }
    if (bench_clock() >= end) break;
  }
  note_results(b, net, trainees);
  for (int i = 0; i < trainee_count; i++) rung_model_free(trainees[i].model);
}

int main(int argc, char **argv) {
  network_settings settings = {0};
  int threads = 1;
  const char *backward = "f32";
  const bench_option options[] = {
      NETWORK_OPTIONS(&settings),
      {"backward", "f32, bf16 or int8: the gradients of QAT (f32)", BENCH_TEXT, &backward, 0, 0},
      {"threads", "N: one thread beside so many (1)", BENCH_WHOLE, &threads, 1, 256},
  };
  bench b = bench_begin("train", argc, argv, options, sizeof options / sizeof options[0]);
  b.threads = threads;
  if (rung_backward_parse(backward, &settings.scheme.backward) != RUNG_OK) bench_fail("--backward: %s", rung_error());
  network_begin(&settings, b.quick ? 2048 : 60000);
  for (int i = 0; i < NETWORK_COUNT; i++)
    if (network_chosen(i, &settings)) run_network(&b, &networks[i], &settings);
  network_end(&settings);
  return bench_end(&b);
}
