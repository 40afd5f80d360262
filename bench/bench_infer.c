/* Inference: the integer program and the float network, the same pictures, batches of 1 to 256, one thread. A batch
 * begins where the last one ended, so that pictures come from where they lie and not from the L1 cache. */
#include "network.h"

static const int64_t batches[] = {1, 64, 256};
enum { batch_count = sizeof batches / sizeof batches[0], batch_most = 256, picture_count = 2048 };

typedef enum form { form_fp32, form_integers, form_count } form;

typedef struct subject subject;

typedef struct turn { /* a row's place in the pictures */
  const subject *of;
  bench_row *row;
  int64_t batch, first;
} turn;

/* One network in both forms. */
struct subject {
  rung_model *model;
  rung_graph *graph;
  rung_node *logits;
  rung_program *program;
  const uint8_t *pixels; /* [picture_count, 784] */
  int32_t *scores;
  void *scratch;
  turn turns[batch_count][form_count];
};

static int64_t next(turn *t) {
  int64_t first = t->first;
  t->first = first + 2 * t->batch <= picture_count ? first + t->batch : 0;
  return first;
}

static void run_float(void *context) {
  turn *t = context;
  const rung_replay_options options = {.count = t->batch, .first = next(t), .last = t->of->logits};
  bench_check(rung_graph_replay(t->of->graph, &options) == RUNG_OK);
}

static void run_integers(void *context) {
  turn *t = context;
  const subject *s = t->of;
  const uint8_t *pixels = s->pixels + next(t) * NETWORK_INPUTS;
  bench_check(rung_program_run(s->program, pixels, s->scores, t->batch, s->scratch) == RUNG_OK);
}

static void make_subject(subject *s, const network *net, const network_settings *settings) {
  const rung_dataset *data = settings->pictures;
  *s = (subject){.pixels = data->inputs.data};
  s->model = network_record(net, batch_most, 1, &s->logits);
  bench_check(rung_quantize(s->model, &settings->scheme) == RUNG_OK);
  bench_check(rung_calibrate(s->model, data, 1024) == RUNG_OK);
  s->program = rung_freeze(s->model);
  bench_check(s->program && rung_model_use(s->model, RUNG_FORM_FLOAT) == RUNG_OK);
  s->graph = rung_model_bind(s->model, data);
  s->scores = rung_allocate(batch_most * NETWORK_CLASSES * sizeof *s->scores);
  s->scratch = rung_allocate(rung_program_scratch(s->program, batch_most));
  bench_check(s->graph && s->scores && s->scratch);
}

static void free_subject(subject *s) {
  rung_release(s->scratch);
  rung_release(s->scores);
  rung_program_free(s->program);
  rung_model_free(s->model);
}

static void add_rows(bench *b, const network *net, const char *bits, subject *s) {
  for (int i = 0; i < batch_count; i++) {
    for (int f = 0; f < form_count; f++) {
      turn *t = &s->turns[i][f];
      *t = (turn){.of = s, .batch = batches[i]};
      bench_row row = {.unit = "picture",
                       .peak = f == form_fp32 ? BENCH_F32 : BENCH_INT8,
                       .work = network_forward_operations(net),
                       .run = f == form_fp32 ? run_float : run_integers,
                       .context = t,
                       .units = t->batch};
      snprintf(row.name, sizeof row.name, "infer/%s/b%lld/%s", net->name, (long long)t->batch,
               f == form_fp32 ? "fp32" : bits);
      t->row = bench_add(b, &row);
    }
  }
}

static void note_ratios(subject *s) {
  for (int i = 0; i < batch_count; i++) {
    bench_row *integers = s->turns[i][form_integers].row, *fp32 = s->turns[i][form_fp32].row;
    if (integers && fp32) bench_add_note(integers, "over_fp32", bench_best(integers) / bench_best(fp32));
  }
}

int main(int argc, char **argv) {
  network_settings settings = {0};
  const bench_option options[] = {NETWORK_OPTIONS(&settings)};
  bench b = bench_begin("infer", argc, argv, options, sizeof options / sizeof options[0]);
  network_begin(&settings, picture_count);
  subject subjects[NETWORK_COUNT] = {{0}};
  for (int i = 0; i < NETWORK_COUNT; i++) {
    if (!network_chosen(i, &settings)) continue;
    make_subject(&subjects[i], &networks[i], &settings);
    add_rows(&b, &networks[i], settings.bits, &subjects[i]);
  }
  bench_run(&b);
  for (int i = 0; i < NETWORK_COUNT; i++) note_ratios(&subjects[i]);
  int status = bench_end(&b);
  for (int i = 0; i < NETWORK_COUNT; i++) free_subject(&subjects[i]);
  network_end(&settings);
  return status;
}
