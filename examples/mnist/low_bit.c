/* Networks of one and two bits on MNIST: the fully connected ones of Brevitas' example bnn_pynq, with its recipe or a
 * better one, frozen to integers.
 *
 *   low_bit --network tfc --bits 1w1a
 *
 * docs/low-bit-networks.md has what comes out. Read main first. */
#include "low_bit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const network networks[NETWORKS] = {{"tfc", 64}, {"sfc", 256}, {"lfc", 1024}};

const bits bit_widths[BIT_WIDTHS] = {{"1w1a", 1, 1, 1, 1000}, {"1w2a", 1, 2, 2, 500}, {"2w2a", 2, 2, 2, 500}};

const recipe recipes[RECIPES] = {
    {.name = "brevitas",
     .dropout = 0.2f,
     .rate = 0.02f,
     .schedule = {.kind = RUNG_SCHEDULE_STEP, .period = 40, .factor = 0.5f},
     .unit_weights = true},
    {.name = "better",
     .cross_entropy = true,
     .rate = 5e-3f,
     .schedule = {.kind = RUNG_SCHEDULE_COSINE},
     .move = 1,
     .epochs = 200},
};

enum { BATCH = 100, PICTURE = 28 * 28, CLASSES = 10 };

/* Bad input, and anything else that fails: one line, and 2. */
static void check(bool ok) {
  if (ok) return;
  fprintf(stderr, "low_bit: %s\n", rung_error());
  exit(2);
}

/* ---- 1. Record the network --------------------------------------------------------------------------------------- */

/* Quantizers come with the scheme: behind the input, and behind each batch norm, where their range -1 .. 1 is also the
 * network's only nonlinearity. */
static rung_model *record(const settings *options) {
  const recipe *how = options->recipe;
  rung_model *model =
      rung_model_new(&(rung_model_options){.batch = BATCH, .threads = options->threads, .seed = options->seed});
  const rung_linear_options layer = {.no_bias = true};
  rung_node *x = rung_input(model, "image", RUNG_SHAPE(28, 28));
  x = rung_dropout(rung_rescale(x, 2, -1), how->dropout);
  for (int i = 1; i <= 3; i++) {
    char linear[16], norm[16];
    snprintf(linear, sizeof linear, "fc%d", i);
    snprintf(norm, sizeof norm, "bn%d", i);
    x = rung_batch_norm(rung_linear_init(x, linear, options->network->width, &layer), norm);
    x = rung_dropout(x, how->dropout);
  }
  x = rung_linear_init(x, "fc4", CLASSES, &layer);
  x = rung_batch_norm_init(x, "norm", &(rung_batch_norm_options){.epsilon = 1e-4f, .whole = true});
  if (how->cross_entropy)
    rung_loss_cross_entropy(x);
  else
    rung_loss_squared_hinge(x);
  check(model && rung_model_status(model) == RUNG_OK);
  return model;
}

static bool is_weight(const rung_parameter *parameter) {
  return parameter->shape.rank == 2;
}

static void start_uniform(rung_model *model, uint64_t seed) {
  const rung_rng root = rung_rng_seed(seed);
  for (int i = 0; i < rung_model_parameter_count(model); i++) {
    rung_parameter weight = rung_model_parameter(model, i);
    if (!is_weight(&weight)) continue;
    rung_rng rng = rung_rng_split(&root, (uint64_t)i);
    for (int64_t k = 0; k < weight.shape.extent[0] * weight.shape.extent[1]; k++)
      weight.value[k] = 2 * rung_rng_uniform(&rng) - 1;
  }
  rung_model_touch(model);
}

/* ---- 2. Quantize it, before it is trained ------------------------------------------------------------------------ */

static void quantize(rung_model *model, const settings *options, const rung_dataset *data) {
  const bool unit = options->recipe->unit_weights;
  const rung_scheme scheme = {.weight_bits = options->bits->weight,
                              .activation_bits = options->bits->activation,
                              .input_bits = options->bits->input,
                              .activation_signed = true,
                              .activation_symmetric = true,
                              .weights = unit ? RUNG_WEIGHTS_UNIT : RUNG_WEIGHTS_LSQ,
                              .activations = RUNG_ACTIVATIONS_UNIT,
                              .batch_norm = RUNG_BATCH_NORM_MERGE};
  check(rung_quantize(model, &scheme) == RUNG_OK);
  check(rung_calibrate(model, data, 1000) == RUNG_OK);
}

/* ---- 3. Train it ------------------------------------------------------------------------------------------------- */

typedef struct training {
  rung_model *model;
  const settings *options;
  const rung_dataset *data, *validation, *test;
  double last;                            /* test accuracy after the last epoch */
  double selected, selected_by;           /* test accuracy at the epoch of the best validation accuracy, and that */
  double best;                            /* on the test set itself: what is published, and no estimate of anything */
  int selected_epoch, best_epoch, epochs; /* epochs: so far */
  double seconds;
  rung_dataset *moved; /* what it trains on: the pictures of `data`, moved anew every epoch */
  rung_rng rng;        /* of where they go */
} training;

/* The test set is looked at after every epoch only to report what choosing by it would give. */
static void end_epoch(training *t, const rung_progress *progress) {
  rung_metrics metrics;
  check(rung_evaluate(t->model, t->test, &metrics) == RUNG_OK);
  check(rung_model_bind(t->model, t->moved) != NULL); /* the fit goes on */
  t->last = metrics.accuracy;
  t->seconds += progress->seconds;
  t->epochs = progress->epoch;
  if (t->last > t->best) {
    t->best = t->last;
    t->best_epoch = progress->epoch;
  }
  if (t->validation && progress->validation.accuracy > t->selected_by) {
    t->selected = t->last;
    t->selected_by = progress->validation.accuracy;
    t->selected_epoch = progress->epoch;
  }
  printf("epoch %4d/%d  loss %.4f  train %.2f %%", progress->epoch, progress->epochs, progress->train.loss,
         100 * progress->train.accuracy);
  if (t->validation) printf("  validation %.2f %%", 100 * progress->validation.accuracy);
  printf("  test %.2f %%  best on test %.2f %%  %.2f s\n", 100 * t->last, 100 * t->best, progress->seconds);
  fflush(stdout);
}

/* By none, if that is the setting. */
static void move_pictures(training *t) {
  check(rung_dataset_move(t->moved, t->data, t->options->move, &t->rng) == RUNG_OK);
}

static bool after_step(void *context, const rung_progress *progress) {
  training *t = context;
  if (progress->step < progress->steps) return false;
  end_epoch(t, progress);
  move_pictures(t);
  return false;
}

static void train(training *t) {
  const settings *options = t->options;
  const recipe *how = options->recipe;
  rung_fit_options fit = {.epochs = options->epochs,
                          .rate = how->rate,
                          .schedule = how->schedule,
                          .validation = t->validation,
                          .progress = after_step,
                          .context = t};
  fit.schedule.period *= (t->data->count + BATCH - 1) / BATCH;
  check((t->moved = rung_dataset_movable(t->data)) != NULL);
  move_pictures(t);
  check(rung_fit(t->model, t->moved, &fit) == RUNG_OK);
  rung_dataset_free(t->moved);
}

/* ---- 4. Freeze it to integers, and hold these against the model -------------------------------------------------- */

static void report(const training *t) {
  const settings *options = t->options;
  printf("\n%s %s, recipe %s, seed %llu, %d epochs of %.2f s, %s kernels\n", options->network->name,
         options->bits->name, options->recipe->name, (unsigned long long)options->seed, t->epochs,
         t->seconds / t->epochs, rung_kernels_active()->level);
  printf("last epoch           %.2f %%\n", 100 * t->last);
  if (t->validation)
    printf("validation-selected  %.2f %%  (epoch %d: %.2f %% of %lld training pictures held out)\n", 100 * t->selected,
           t->selected_epoch, 100 * t->selected_by, (long long)t->validation->count);
  printf("best on test         %.2f %%  (epoch %d: chosen by the test set, as published figures are)\n", 100 * t->best,
         t->best_epoch);
}

static void freeze(const training *t) {
  rung_program *program = rung_freeze(t->model);
  rung_metrics metrics;
  rung_agreement agreement;
  rung_emit_report emitted;
  check(program && rung_program_evaluate(program, t->test, &metrics) == RUNG_OK);
  check(rung_program_compare(program, t->model, t->test, &agreement) == RUNG_OK);
  check(rung_emit_describe(program, &(rung_emit_options){.bits_packed = true}, &emitted) == RUNG_OK);
  printf("integer program      %.2f %%: of %lld activations and %lld logits, %lld differ from the model's evaluation\n",
         100 * metrics.accuracy, (long long)agreement.activations, (long long)agreement.logits,
         (long long)agreement.differ_evaluation);
  printf("size                 %lld bytes; as C: %lld of weights, %lld of constants, %lld of RAM\n",
         (long long)rung_program_describe(program).weight_bytes, (long long)emitted.weight_bytes,
         (long long)emitted.constant_bytes, (long long)emitted.ram_bytes);
  printf("weights %016llx\n", (unsigned long long)rung_model_hash(t->model));
  rung_program_free(program);
}

int main(int argc, char **argv) {
  const settings options = options_read(argc, argv);
  rung_dataset *all = rung_dataset_load(options.data, RUNG_TRAIN);
  rung_dataset *test = all ? rung_dataset_load(options.data, RUNG_TEST) : NULL;
  check(all && test);
  check(options.validation < all->count ||
        rung_fail(RUNG_ERROR_ARGUMENT, "--validation %lld: expected fewer than the %lld training pictures",
                  (long long)options.validation, (long long)all->count) == RUNG_OK);
  const int64_t count = all->count - options.validation;
  rung_dataset *data = rung_dataset_view(all, 0, count);
  rung_dataset *validation = options.validation ? rung_dataset_view(all, count, options.validation) : NULL;
  check(data && (validation || !options.validation));

  rung_model *model = record(&options);
  if (options.recipe->unit_weights) start_uniform(model, options.seed);
  quantize(model, &options, data);
  training t = {.model = model, .options = &options, .data = data, .validation = validation, .test = test};
  t.rng = rung_rng_seed(options.seed);
  train(&t);
  report(&t);
  freeze(&t);
  if (options.save) check(rung_model_save(model, options.save) == RUNG_OK);

  rung_model_free(model);
  rung_dataset_free(validation);
  rung_dataset_free(data);
  rung_dataset_free(test);
  rung_dataset_free(all);
  return 0;
}
