/* A fit that is stopped, or killed, and resumed gives the bits of one that never was. */
#include "io/killed.h"
#include "io/scratch.h"
#include "recipes.h"

#include <sys/wait.h>

enum { EXAMPLES = 103, STEPS = 7, EPOCHS = 3, ALL_STEPS = EPOCHS * STEPS };

static problem *train_set, *held_out;

static void open_problems(void) {
  if (train_set) return;
  train_set = problem_new(RUNG_U8, EXAMPLES, 1);
  held_out = problem_new(RUNG_U8, 37, 2);
}

/* What progress has seen, and where it stops the fit. */
typedef struct watch {
  int64_t stop_at, steps; /* of the fit; stop_at 0: never */
  rung_progress last;
} watch;

static bool see(void *context, const rung_progress *progress) {
  watch *at = context;
  at->last = *progress;
  at->steps = (progress->epoch - 1) * progress->steps + progress->step;
  return at->steps == at->stop_at;
}

static rung_fit_options options_of(const recipe *r, watch *at) {
  open_problems();
  rung_fit_options options = r->fit;
  options.epochs = EPOCHS;
  options.rate = 1e-2f;
  options.validation = held_out->data;
  options.progress = see;
  options.context = at;
  return options;
}

/* A model at the beginning of the fit that is to be stopped: in f32 new; else trained a little, and calibrated. */
static rung_model *beginning(const recipe *r) {
  open_problems();
  rung_model *model = recipe_model(r, 1, 5);
  if (r->form == RUNG_FORM_FLOAT) return model;
  ck_assert_int_eq(rung_fit(model, train_set->data, &(rung_fit_options){.rate = 1e-2f}), RUNG_OK);
  ck_assert_msg(rung_quantize(model, &r->scheme) == RUNG_OK, "%s", rung_error());
  ck_assert_msg(rung_calibrate(model, train_set->data, 60) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(rung_model_use(model, r->form), RUNG_OK);
  return model;
}

static void fit(rung_model *model, const rung_fit_options *options) {
  ck_assert_msg(rung_fit(model, train_set->data, options) == RUNG_OK, "%s", rung_error());
}

static rung_model *load(const char *path, int threads) {
  rung_model *model = rung_model_load(path, &(rung_model_options){.threads = threads});
  ck_assert_msg(model != NULL, "%s", rung_error());
  return model;
}

static void expect_same(const char *what, const rung_model *model, const watch *at, uint64_t hash, const watch *whole) {
  const rung_metrics *a = &at->last.train, *b = &whole->last.train;
  const rung_metrics *c = &at->last.validation, *d = &whole->last.validation;
  ck_assert_msg(rung_model_hash(model) == hash, "%s: other weights", what);
  ck_assert_msg(a->loss == b->loss && a->accuracy == b->accuracy && a->examples == b->examples, "%s: other progress",
                what);
  ck_assert_msg(c->loss == d->loss && c->accuracy == d->accuracy && at->last.rate == whole->last.rate,
                "%s: another validation", what);
}

/* Stopped once in each epoch, the first recipe after its first step, the second after its second ..., so that all
 * recipes together stop after every step that there is, the last of an epoch too; gone on from the file in a new model.
 */
START_TEST(a_stopped_fit_goes_on_to_the_same_bits) {
  const recipe *r = &recipes[_i];
  watch whole = {0};
  rung_model *model = beginning(r);
  rung_fit_options options = options_of(r, &whole);
  fit(model, &options);
  const uint64_t hash = rung_model_hash(model);
  rung_model_free(model);
  for (int64_t stop = 1 + _i % STEPS; stop < ALL_STEPS; stop += STEPS) {
    char what[128];
    snprintf(what, sizeof what, "%s, stopped after step %lld", r->name, (long long)stop);
    watch before = {.stop_at = stop}, after = {0};
    const char *path = scratch_path("stopped.safetensors");
    model = beginning(r);
    options = options_of(r, &before);
    options.checkpoint = path;
    fit(model, &options);
    ck_assert_int_eq(before.steps, stop);
    rung_model_free(model);
    model = load(path, 1 + (int)(stop % 2)); /* with other threads, too */
    options = options_of(r, &after);
    options.resume = path;
    fit(model, &options);
    expect_same(what, model, &after, hash, &whole);
    rung_model_free(model);
  }
}
END_TEST

/* Again and again, into a model recorded anew, from the one file that each part overwrites. */
START_TEST(a_fit_in_many_parts_gives_the_same_bits) {
  const recipe *r = &recipes[_i];
  watch whole = {0}, at = {0};
  rung_model *model = beginning(r);
  rung_fit_options options = options_of(r, &whole);
  fit(model, &options);
  const uint64_t hash = rung_model_hash(model);
  rung_model_free(model);
  const char *path = scratch_path("parts.safetensors");
  for (int64_t stop = 4; at.steps < ALL_STEPS; stop += 4) {
    model = stop == 4 ? beginning(r) : recipe_model(r, 1, 5);
    at.stop_at = stop;
    options = options_of(r, &at);
    options.checkpoint = path;
    options.resume = stop == 4 ? NULL : path;
    fit(model, &options);
    if (at.steps == ALL_STEPS) expect_same(r->name, model, &at, hash, &whole);
    rung_model_free(model);
  }
}
END_TEST

/* Whether the file was there before each step's progress; takes it away. */
static bool note_and_remove(void *context, const rung_progress *progress) {
  char *written = context;
  const int64_t step = (progress->epoch - 1) * progress->steps + progress->step;
  written[step - 1] = remove(scratch_path("often.safetensors")) == 0;
  return false;
}

START_TEST(checkpoints_are_written_each_so_many_steps_and_at_an_epochs_end) {
  char written[ALL_STEPS + 1] = {0};
  rung_model *model = beginning(&recipes[0]);
  fit(model, &(rung_fit_options){.epochs = EPOCHS,
                                 .checkpoint = scratch_path("often.safetensors"),
                                 .checkpoint_steps = 5,
                                 .progress = note_and_remove,
                                 .context = written});
  for (int step = 1; step < ALL_STEPS; step++)
    ck_assert_msg(written[step] == (step % 5 == 0 || step % STEPS == 0), "after step %d", step);
  ck_assert_int_eq(access(scratch_path("often.safetensors"), F_OK), 0);
  rung_model_free(model);
}
END_TEST

/* ---- Another fit is refused, with the model as it was ----------------------------------------------------------- */

static void refuse_resume(rung_model *model, const problem *p, const rung_fit_options *options, rung_status status,
                          const char *says) {
  const uint64_t hash = rung_model_hash(model);
  REFUSED(rung_fit(model, p->data, options), status, says);
  ck_assert_uint_eq(rung_model_hash(model), hash);
  ck_assert_int_eq(rung_model_form(model), RUNG_FORM_FLOAT);
}

static const struct {
  rung_fit_options change;
  const char *says;
} others[] = {
    {{.epochs = 4}, "had epochs 3, this one has 4; to resume it must be the same"},
    {{.rate = 2e-2f}, "had rate 0.01, this one has 0.02"},
    {{.optimizer = RUNG_OPTIMIZER_SGD}, "had optimizer adam, this one has sgd"},
    {{.momentum = 0.8f}, "had momentum 0.9, this one has 0.8"},
    {{.beta2 = 0.99f}, "had beta2 0.999, this one has 0.99"},
    {{.epsilon = 1e-6f}, "had epsilon 0.00000001, this one has 0.000001"},
    {{.weight_decay = 0.5f}, "had weight_decay 0, this one has 0.5"},
    {{.clip_norm = 1}, "had clip_norm 0, this one has 1"},
    {{.schedule = {.kind = RUNG_SCHEDULE_CONSTANT}}, "had schedule cosine, this one has constant"},
    {{.schedule = {.warm_up = 3}}, "had schedule_warm_up 0, this one has 3"},
    {{.no_shuffle = true}, "had no_shuffle no, this one has yes"},
    {{.prune = {.to = {.sparsity = 0.5f}}}, "had prune_sparsity 0, this one has 0.5"},
    {{.prune = {.to = {.method = RUNG_PRUNE_N_M}}}, "had prune_method magnitude, this one has n:m"},
    {{.prune = {.every = 7}}, "had prune_every 0, this one has 7"},
};
enum { OTHERS = sizeof others / sizeof others[0] };

static const char *stopped_file(void) {
  watch at = {.stop_at = 10};
  rung_model *model = beginning(&recipes[0]);
  rung_fit_options options = options_of(&recipes[0], &at);
  options.checkpoint = scratch_path("one.safetensors");
  fit(model, &options);
  rung_model_free(model);
  return options.checkpoint;
}

START_TEST(other_options_are_refused_by_name) {
  watch at = {0};
  const char *path = stopped_file();
  const rung_fit_options *change = &others[_i].change;
  rung_fit_options options = *change, usual = options_of(&recipes[0], &at);
  if (change->epochs == 0) options.epochs = usual.epochs;
  if (change->rate == 0) options.rate = usual.rate;
  options.resume = path;
  rung_model *model = beginning(&recipes[0]);
  refuse_resume(model, train_set, &options, RUNG_ERROR_ARGUMENT, others[_i].says);
  rung_model_free(model);
}
END_TEST

/* The defaults and what they stand for are the same. */
START_TEST(defaults_are_what_they_stand_for) {
  watch at = {0};
  rung_fit_options options = options_of(&recipes[0], &at);
  options.resume = stopped_file();
  options.momentum = 0.9f;
  options.beta2 = 0.999f;
  rung_model *model = beginning(&recipes[0]);
  fit(model, &options);
  ck_assert_int_eq(at.steps, ALL_STEPS);
  rung_model_free(model);
}
END_TEST

/* The file without the metadata that newer ones have. */
static const char *file_of_before(const char *path) {
  static const char *const later[] = {"fit.prune_", "fit.temperature", "fit.alpha", "fit.teacher"};
  rung_safetensors *file = rung_safetensors_open(path);
  rung_named_tensor tensors[64];
  rung_metadata metadata[128];
  int tensor_count = rung_safetensors_count(file), metadata_count = 0, removed = 0;
  for (int i = 0; i < tensor_count; i++) tensors[i] = rung_safetensors_tensor(file, i);
  for (int i = 0; i < rung_safetensors_metadata_count(file); i++) {
    bool new = false;
    metadata[metadata_count] = rung_safetensors_metadata_at(file, i);
    for (int k = 0; k < 4; k++) new |= strncmp(metadata[metadata_count].key, later[k], strlen(later[k])) == 0;
    metadata_count += !new;
    removed += new;
  }
  ck_assert_int_eq(removed, 11);
  const char *before = scratch_path("before.safetensors");
  ck_assert_int_eq(rung_safetensors_write_with(before, tensors, tensor_count, metadata, metadata_count), RUNG_OK);
  rung_safetensors_free(file);
  return before;
}

START_TEST(files_from_before_there_was_pruning_go_on) {
  watch whole = {0}, at = {0};
  rung_model *model = beginning(&recipes[0]);
  rung_fit_options options = options_of(&recipes[0], &whole);
  fit(model, &options);
  const uint64_t hash = rung_model_hash(model);
  rung_model_free(model);
  const char *path = file_of_before(stopped_file());
  model = load(path, 1);
  options = options_of(&recipes[0], &at);
  options.resume = path;
  fit(model, &options);
  expect_same("a file from before", model, &at, hash, &whole);
  rung_model_free(model);
}
END_TEST

START_TEST(another_dataset_batch_seed_or_model_is_refused) {
  watch at = {0};
  rung_fit_options options = options_of(&recipes[0], &at);
  options.resume = stopped_file();
  problem *smaller = problem_new(RUNG_U8, EXAMPLES - 1, 1);
  rung_model *model = beginning(&recipes[0]);
  refuse_resume(model, smaller, &options, RUNG_ERROR_ARGUMENT, "had 103 examples, this dataset has 102");
  rung_model_free(model);
  problem_free(smaller);
  model = recipe_model(&recipes[0], 1, 6);
  refuse_resume(model, train_set, &options, RUNG_ERROR_ARGUMENT, "holds a model of seed 5, this one has seed 6");
  rung_model_free(model);
  model = recipe_model(&recipes[2], 1, 5);
  refuse_resume(model, train_set, &options, RUNG_ERROR_ARGUMENT, "holds the model 'input 12 as x; linear 40, relu,");
  rung_model_free(model);
  model = rung_model_load(options.resume, &(rung_model_options){.batch = 8});
  refuse_resume(model, train_set, &options, RUNG_ERROR_ARGUMENT, "had batch 16, this model has 8");
  ck_assert_int_eq(rung_model_save(model, scratch_path("none.safetensors")), RUNG_OK);
  options.resume = scratch_path("none.safetensors");
  refuse_resume(model, train_set, &options, RUNG_ERROR_ARGUMENT, "no fit to resume");
  options.resume = scratch_path("missing.safetensors");
  refuse_resume(model, train_set, &options, RUNG_ERROR_IO, "missing.safetensors: cannot be opened");
  options.resume = NULL;
  options.checkpoint_steps = 3;
  refuse_resume(model, train_set, &options, RUNG_ERROR_ARGUMENT, "each 3 steps to ''");
  options.checkpoint = "w";
  options.checkpoint_steps = -1;
  refuse_resume(model, train_set, &options, RUNG_ERROR_ARGUMENT, "each -1 steps to 'w'");
  rung_model_free(model);
}
END_TEST

START_TEST(a_finished_fit_has_nothing_left_to_do) {
  watch at = {0};
  rung_model *model = beginning(&recipes[0]);
  rung_fit_options options = options_of(&recipes[0], &at);
  options.checkpoint = scratch_path("done.safetensors");
  fit(model, &options);
  const uint64_t hash = rung_model_hash(model);
  rung_model_free(model);
  at = (watch){0};
  options.resume = options.checkpoint;
  model = beginning(&recipes[0]);
  fit(model, &options);
  ck_assert_int_eq(at.steps, 0);
  ck_assert_uint_eq(rung_model_hash(model), hash);
  rung_model_free(model);
}
END_TEST

/* The next fit on a loaded model, too, is the next fit of the one that was saved: another order of examples. */
START_TEST(the_fit_after_is_the_same_as_well) {
  const recipe *r = &recipes[_i];
  watch at = {0};
  rung_model *model = beginning(r);
  rung_fit_options options = options_of(r, &at);
  options.checkpoint = scratch_path("after.safetensors");
  fit(model, &options);
  rung_model *loaded = load(options.checkpoint, 1);
  options.checkpoint = NULL;
  fit(model, &options);
  fit(loaded, &options);
  ck_assert_msg(rung_model_hash(model) == rung_model_hash(loaded), "%s", r->name);
  rung_model_free(model);
  rung_model_free(loaded);
}
END_TEST

/* ---- Killed ----------------------------------------------------------------------------------------------------- */

enum { LONG = 20 }; /* epochs, each step of which is saved */

/* Trains, from the file if there is one, and ends the process. */
static void train_in_child(const recipe *r, const char *path, int moment) {
  watch at = {0};
  rung_model *model = access(path, F_OK) == 0 ? rung_model_load(path, &(rung_model_options){.threads = 1}) : NULL;
  rung_fit_options options = options_of(r, &at);
  options.checkpoint = path;
  options.checkpoint_steps = 1;
  options.resume = model ? path : NULL;
  if (!model) model = beginning(r);
  options.epochs = LONG;
  killed_at = moment;
  _exit(rung_fit(model, train_set->data, &options) == RUNG_OK ? 0 : 1);
}

/* Whether a child that is killed at this moment got through before. */
static bool gets_through(const recipe *r, const char *path, int moment) {
  int status;
  pid_t child = fork();
  if (child == 0) train_in_child(r, path, moment);
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_msg(WIFSIGNALED(status) || WEXITSTATUS(status) == 0, "the child failed");
  return WIFEXITED(status);
}

/* After some of its steps, in the middle of writing the file or between, until it gets through. */
START_TEST(a_killed_training_goes_on_to_the_same_bits) {
  const recipe *r = &recipes[_i ? 8 : 0]; /* FP32, and QAT with int8 gradients */
  watch whole = {0};
  rung_model *model = beginning(r);
  rung_fit_options options = options_of(r, &whole);
  options.epochs = LONG;
  fit(model, &options);
  const uint64_t hash = rung_model_hash(model);
  rung_model_free(model);
  const char *path = scratch_path("killed/run.safetensors");
  remove(path);
  const uint32_t farthest = 15 * MOMENTS_OF_A_FILE;
  rung_rng rng = rung_rng_seed(1);
  int killed = 0;
  while (!gets_through(r, path, 1 + (int)rung_rng_below(&rng, farthest))) killed++;
  ck_assert_int_ge(killed, LONG * STEPS / 15 - 1);
  model = load(path, 1);
  ck_assert_uint_eq(rung_model_hash(model), hash);
  rung_model_free(model);
}
END_TEST

TEST_MAIN(CASES(a_stopped_fit_goes_on_to_the_same_bits, RECIPES),
          CASES(a_fit_in_many_parts_gives_the_same_bits, RECIPES),
          CASE(checkpoints_are_written_each_so_many_steps_and_at_an_epochs_end),
          CASES(other_options_are_refused_by_name, OTHERS), CASE(defaults_are_what_they_stand_for),
          CASE(files_from_before_there_was_pruning_go_on), CASE(another_dataset_batch_seed_or_model_is_refused),
          CASE(a_finished_fit_has_nothing_left_to_do), CASES(the_fit_after_is_the_same_as_well, RECIPES),
          CASES(a_killed_training_goes_on_to_the_same_bits, 2))
