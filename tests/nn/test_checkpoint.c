/* Checkpoints: what is saved comes back, whole, whenever the saving process dies; and what is damaged is refused. */
#include "io/killed.h"
#include "io/scratch.h"
#include "peers.h"
#include "recipes.h"

#include <math.h>
#include <sys/wait.h>

/* Trained for an epoch in the form of the recipe. */
static rung_model *trained(const recipe *r, const problem *p) {
  rung_model *model = recipe_model(r, 1, 5);
  rung_fit_options options = recipe_float_fit(r);
  ck_assert_msg(rung_fit(model, p->data, &options) == RUNG_OK, "%s", rung_error());
  if (r->form == RUNG_FORM_FLOAT) return model;
  ck_assert_int_eq(rung_quantize(model, &r->scheme), RUNG_OK);
  ck_assert_msg(rung_calibrate(model, p->data, 60) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(rung_model_use(model, r->form), RUNG_OK);
  options.oscillation = r->fit.oscillation;
  ck_assert_msg(rung_fit(model, p->data, &options) == RUNG_OK, "%s", rung_error());
  return model;
}

static void save(const rung_model *model, const char *path) {
  rung_status status = rung_model_save(model, path);
  if (status == RUNG_ERROR_UNSUPPORTED) test_skip(rung_error());
  ck_assert_msg(status == RUNG_OK, "%s", rung_error());
}

static rung_model *load(const char *path) {
  rung_model *model = rung_model_load(path, &(rung_model_options){.threads = 2});
  ck_assert_msg(model != NULL, "%s", rung_error());
  return model;
}

static bool same_files(const char *one, const char *other) {
  size_t a_size, b_size;
  unsigned char *a = scratch_read(one, &a_size), *b = scratch_read(other, &b_size);
  const bool same = a_size == b_size && memcmp(a, b, a_size) == 0;
  free(a), free(b);
  return same;
}

static rung_metrics evaluate(rung_model *model, const problem *p) {
  rung_metrics metrics;
  ck_assert_msg(rung_evaluate(model, p->data, &metrics) == RUNG_OK, "%s", rung_error());
  return metrics;
}

/* ---- There and back --------------------------------------------------------------------------------------------- */

/* Loaded and saved again it is the same file: nothing that a file holds is lost on the way. */
START_TEST(what_is_saved_comes_back) {
  const recipe *r = &recipes[_i];
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = trained(r, p);
  const char *path = scratch_path("one.safetensors"), *again = scratch_path("two.safetensors");
  save(model, path);
  rung_model *loaded = load(path);
  ck_assert_uint_eq(rung_model_hash(loaded), rung_model_hash(model));
  ck_assert_int_eq(rung_model_form(loaded), r->form);
  const rung_metrics a = evaluate(model, p), b = evaluate(loaded, p);
  ck_assert(a.loss == b.loss && a.accuracy == b.accuracy);
  save(loaded, again);
  ck_assert_msg(same_files(path, again), "%s", r->name);
  for (rung_form form = RUNG_FORM_FLOAT; form <= RUNG_FORM_SIMULATED && r->form != RUNG_FORM_FLOAT; form++) {
    if (form == RUNG_FORM_INTEGER && r->scheme.weight_storage != RUNG_STORAGE_F32) {
      REFUSED(rung_model_use(loaded, form), RUNG_ERROR_UNSUPPORTED, "which has no integer form");
      continue;
    }
    ck_assert_int_eq(rung_model_use(model, form), RUNG_OK);
    ck_assert_int_eq(rung_model_use(loaded, form), RUNG_OK);
    ck_assert(evaluate(model, p).loss == evaluate(loaded, p).loss);
  }
  rung_model_free(model);
  rung_model_free(loaded);
  problem_free(p);
}
END_TEST

START_TEST(saving_does_not_disturb) {
  const recipe *r = &recipes[_i];
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *one = trained(r, p), *other = trained(r, p);
  save(one, scratch_path("one.safetensors"));
  const rung_fit_options options = r->fit;
  ck_assert_int_eq(rung_fit(one, p->data, &options), RUNG_OK);
  ck_assert_int_eq(rung_fit(other, p->data, &options), RUNG_OK);
  ck_assert_msg(rung_model_hash(one) == rung_model_hash(other), "%s", r->name);
  rung_model_free(one);
  rung_model_free(other);
  problem_free(p);
}
END_TEST

/* f32 inputs, a regression, a model that is quantized but not yet calibrated, parameters that are not trained. */
START_TEST(every_state_of_a_model_comes_back) {
  problem *p = problem_regression(60, 1);
  rung_model *model = rung_model_from_text("input 12 as x; linear 8, gelu, linear 3; squared-error",
                                           &(rung_model_options){.batch = 9, .threads = 1, .seed = UINT64_MAX});
  const char *path = scratch_path("one.safetensors"), *again = scratch_path("two.safetensors");
  for (int step = 0; step < 4; step++) {
    if (step == 1) rung_node_set_trainable(rung_graph_find(rung_model_graph(model), "fc1.bias"), false);
    if (step == 2) ck_assert_int_eq(rung_quantize(model, &(rung_scheme){.weight_bits = 5}), RUNG_OK);
    if (step == 3) ck_assert_msg(rung_calibrate(model, p->data, 0) == RUNG_OK, "%s", rung_error());
    save(model, path);
    rung_model *loaded = load(path);
    save(loaded, again);
    ck_assert_msg(same_files(path, again), "step %d", step);
    ck_assert_int_eq(rung_graph_batch(rung_model_graph(loaded)), 9);
    for (int i = 0; i < 4; i++)
      ck_assert_int_eq(rung_model_parameter(loaded, i).trainable, rung_model_parameter(model, i).trainable);
    if (step == 2) ck_assert_int_eq(rung_calibrate(loaded, p->data, 0), RUNG_OK); /* the scheme is there */
    if (step >= 2) ck_assert_int_eq(rung_evaluate(loaded, p->data, &(rung_metrics){0}), RUNG_OK);
    rung_model_free(loaded);
  }
  rung_model_free(model);
  problem_free(p);
}
END_TEST

/* A model that no text tells goes back into one recorded alike. */
static rung_model *residual(int64_t width, uint64_t seed) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = 1, .seed = seed});
  rung_node *x = rung_relu(rung_linear(rung_input(model, "x", RUNG_SHAPE(FEATURES)), "fc1", width));
  rung_loss_cross_entropy(rung_linear(rung_add(x, rung_relu(rung_linear(x, "fc2", width))), "fc3", CLASSES));
  ck_assert_int_eq(rung_model_status(model), RUNG_OK);
  return model;
}

START_TEST(what_is_no_chain_is_restored) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = residual(20, 1), *other = residual(20, 1);
  ck_assert_int_eq(rung_quantize(model, NULL), RUNG_OK);
  ck_assert_int_eq(rung_calibrate(model, p->data, 0), RUNG_OK);
  ck_assert_msg(rung_fit(model, p->data, NULL) == RUNG_OK, "%s", rung_error());
  const char *path = scratch_path("one.safetensors"), *again = scratch_path("two.safetensors");
  save(model, path);
  ck_assert_ptr_null(rung_model_load(path, NULL));
  ck_assert_ptr_nonnull(strstr(rung_error(), "not a chain of layers"));
  ck_assert_msg(strstr(rung_error(), "restore it. model text: 'add"), "%s", rung_error()); /* what it is that is not */
  ck_assert_msg(rung_model_restore(other, path) == RUNG_OK, "%s", rung_error());
  save(other, again);
  ck_assert(same_files(path, again));
  ck_assert(evaluate(model, p).loss == evaluate(other, p).loss);
  rung_model *wider = residual(21, 1), *seeded = residual(20, 2);
  REFUSED(rung_model_restore(wider, path), RUNG_ERROR_SHAPE, "tensor 'fc1.weight' is [20, 12], expected [21, 12]");
  REFUSED(rung_model_restore(seeded, path), RUNG_ERROR_ARGUMENT, "holds a model of seed 1, this one has seed 2");
  REFUSED(rung_model_restore(NULL, path), RUNG_ERROR_ARGUMENT, "NULL");
  rung_model_free(model);
  rung_model_free(other);
  rung_model_free(wider);
  rung_model_free(seeded);
  problem_free(p);
}
END_TEST

/* One weight in two layers. */
static rung_model *tied(void) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = BATCH, .threads = 1, .seed = 1});
  rung_node *x = rung_relu(rung_linear(rung_input(model, "x", RUNG_SHAPE(FEATURES)), "fc1", 20));
  rung_node *weight = rung_graph_parameter(rung_model_graph(model), "tied", RUNG_SHAPE(20, 20));
  for (int i = 0; i < 400; i++) ((float *)weight->value.data)[i] = (float)(i % 21 == 0);
  x = rung_relu(rung_linear_with(rung_relu(rung_linear_with(x, weight, NULL)), weight, NULL));
  rung_loss_cross_entropy(rung_linear(x, "fc2", CLASSES));
  ck_assert_int_eq(rung_model_status(model), RUNG_OK);
  return model;
}

START_TEST(a_weight_that_two_layers_share_is_restored) {
  problem *p = problem_new(RUNG_U8, 103, 1);
  rung_model *model = tied(), *other = tied();
  ck_assert_int_eq(rung_quantize(model, NULL), RUNG_OK);
  ck_assert_int_eq(rung_calibrate(model, p->data, 0), RUNG_OK);
  ck_assert_msg(rung_fit(model, p->data, NULL) == RUNG_OK, "%s", rung_error());
  const char *path = scratch_path("one.safetensors");
  save(model, path);
  ck_assert_msg(rung_model_restore(other, path) == RUNG_OK, "%s", rung_error());
  ck_assert(evaluate(model, p).loss == evaluate(other, p).loss);
  rung_model_free(model);
  rung_model_free(other);
  problem_free(p);
}
END_TEST

START_TEST(a_model_that_is_not_finite_is_not_saved) {
  rung_model *model = recipe_model(&recipes[0], 1, 5);
  problem_parameter(model, "fc2.bias")[3] = NAN;
  const char *path = scratch_path("none.safetensors");
  REFUSED(rung_model_save(model, path), RUNG_ERROR_NUMERIC, "fc2.bias: value 3 is ");
  ck_assert_int_ne(access(path, F_OK), 0);
  rung_model_free(model);
}
END_TEST

/* ---- Damage ----------------------------------------------------------------------------------------------------- */

/* A good file of everything, and copies of it with one thing changed. */
static const char *good_file(void) {
  static const char *path;
  if (path) return path;
  problem *p = problem_new(RUNG_U8, 103, 1);
  const recipe r = {.form = RUNG_FORM_INTEGER, .batch_norm = true, .scheme = {.weight_bits = 4, .activation_bits = 4}};
  rung_model *model = trained(&r, p);
  ck_assert_int_eq(rung_prune(model, &(rung_prune_options){.sparsity = 0.3f}), RUNG_OK);
  path = strdup(scratch_path("good.safetensors"));
  save(model, path);
  rung_model_free(model);
  problem_free(p);
  return path;
}

/* Writes the good file with metadata `key` as `value` (NULL: without), and with `tensor`'s first `size` bytes as
 * `bytes` (size 0: without it). */
static const char *changed_file(const char *key, const char *value, const char *tensor, const void *bytes,
                                size_t size) {
  rung_safetensors *file = rung_safetensors_open(good_file());
  ck_assert_ptr_nonnull(file);
  rung_named_tensor tensors[128];
  rung_metadata metadata[128];
  int tensor_count = 0, metadata_count = 0;
  bool found = false;
  for (int i = 0; i < rung_safetensors_count(file); i++) {
    tensors[tensor_count] = rung_safetensors_tensor(file, i);
    const bool hit = tensor && strcmp(tensors[tensor_count].name, tensor) == 0;
    if (hit && size > 0) memcpy(tensors[tensor_count].tensor.data, bytes, size);
    found |= hit;
    tensor_count += !(hit && size == 0);
  }
  for (int i = 0; i < rung_safetensors_metadata_count(file); i++) {
    metadata[metadata_count] = rung_safetensors_metadata_at(file, i);
    const bool hit = key && strcmp(metadata[metadata_count].key, key) == 0;
    if (hit) metadata[metadata_count].value = value;
    found |= hit;
    metadata_count += !(hit && !value);
  }
  ck_assert_msg(found, "nothing to change");
  const char *path = scratch_path("changed.safetensors");
  ck_assert_int_eq(rung_safetensors_write_with(path, tensors, tensor_count, metadata, metadata_count), RUNG_OK);
  rung_safetensors_free(file);
  return path;
}

static void expect_damaged(const char *path, const char *says) {
  rung_model *model = rung_model_load(path, NULL);
  ck_assert_msg(model == NULL, "taken without '%s'", says);
  ck_assert_msg(strstr(rung_error(), says) && !strchr(rung_error(), '\n') && strstr(rung_error(), "changed"),
                "'%s' lacks '%s'", rung_error(), says);
}

static const struct {
  const char *key, *value, *says;
} bad_metadata[] = {
    {"rung", NULL, "no checkpoint of Rung's"},
    {"rung", "2", "a checkpoint of another version than 1"},
    {"model", NULL, "not a chain of layers"},
    {"model", "", "model text: '': expected input SHAPE"},
    {"model", "input 12 as x; linear 4; cross-entropy", "tensor 'fc1.weight' is [40, 12], expected [4, 12]"},
    {"model", "input 12 as x; linear 40, batch-norm, relu, linear 99999999", "'fc2.weight' is [24, 40]"},
    {"model", "input 1000000000 as x; linear 4", "'input 1000000000 as x': expected input SHAPE"},
    {"model", "input 12 as x; linear 40 as other", "no tensor 'other.weight'"},
    {"model", "input 12 as x; linear 40, relu, linear 24; cross-entropy", "tensor 'rung.trainable' is [14]"},
    {"batch", "0", "batch 0, expected 1..65536"},
    {"batch", "-4", "batch -4, expected"},
    {"batch", "99999999999", "batch 99999999999, expected"},
    {"batch", "1e3", "metadata 'batch' is '1e3', which is no value for it"},
    {"batch", "99999999999999999999", "metadata 'batch'"},
    {"seed", "-1", "metadata 'seed' is '-1'"},
    {"epochs", NULL, "metadata 'epochs' is 'missing'"},
    {"form", "intger", "metadata 'form' is 'intger'"},
    {"calibrated", "no", "a quantized form without"},
    {"has_scheme", "no", "a quantized form without"},
    {"scheme.weight_bits", "9", "weight_bits 9"},
    {"scheme.weight_bits", "8", "the integers of 'fc1.weight' are not those of its f32 weights"},
    {"scheme.observer", "best", "metadata 'scheme.observer' is 'best'"},
    {"scheme.observer", "min-max", "a histogram"},
    {"scheme.observer_momentum", "0,5", "metadata 'scheme.observer_momentum'"},
    {"scheme.observer_momentum", "#7fc00000", "observer momentum nan"},
    {"scheme.weight_granularity", "per-group", "weight_group 0"},
    {"inputs.type", "i32", "inputs are i32"},
    {"inputs.scale", "0", "of scale 0"},
    {"inputs.scale", "#7f800000", "of scale inf"},
    {"inputs.zero_point", "256", "zero point 256"},
};
enum { BAD_METADATA = sizeof bad_metadata / sizeof bad_metadata[0] };

START_TEST(bad_metadata_are_named) {
  if (strcmp(bad_metadata[_i].says, "a histogram") == 0) return; /* without one it is left alone */
  expect_damaged(changed_file(bad_metadata[_i].key, bad_metadata[_i].value, NULL, NULL, 0), bad_metadata[_i].says);
}
END_TEST

static const float not_a_number[] = {NAN}, minus_one[] = {-1}, huge[] = {3e38f, 3e38f};
static const int32_t many[] = {1 << 30}, minus_many[] = {-(1 << 30), -(1 << 30)};

static const struct {
  const char *tensor;
  const void *bytes;
  size_t size;
  const char *says;
} bad_tensors[] = {
    {"fc1.weight", NULL, 0, "no tensor 'fc1.weight'"},
    {"fc2.bias", NULL, 0, "no tensor 'fc2.bias'"},
    {"fc2.bias", not_a_number, 4, "tensor 'fc2.bias': value 0 is not finite"},
    {"fc1.weight", huge, 8, "the integers of 'fc1.weight'"},
    {"rung.integer.fc1.weight", "\x09", 1, "the integers of 'fc1.weight'"},
    {"rung.integer.fc3.weight", NULL, 0, "no tensor 'rung.integer.fc3.weight'"},
    {"rung.mask.fc1.weight", "\2", 1, "mask of 'fc1.weight': value 0 is 2"},
    {"rung.mask.fc1.weight", "\0\0\0\0\0\0\0\0", 8, "expected 0 or 1, and 0 where the weight is 0 only"},
    {"rung.trainable", NULL, 0, "no tensor 'rung.trainable'"},
    {"rung.quantizer.state", many, 4, "quantizer state 1073741824"},
    {"rung.quantizer.scale", minus_one, 4, "scale -1"},
    {"rung.quantizer.scale", not_a_number, 4, "scale nan"},
    {"rung.quantizer.zero_point", many, 4, "zero point 1073741824"},
    {"rung.quantizer.range", huge, 4, "range [3e+38, "},
    {"rung.quantizer.batches", NULL, 0, "no tensor 'rung.quantizer.batches'"},
    {"rung.quantizer.histogram", NULL, 0, "no tensor 'rung.quantizer.histogram'"},
    {"rung.quantizer.histogram", "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "a histogram that does not fit"},
    {"rung.quantizer.histogram_place", many, 4, "a histogram that does not fit"},
    {"rung.quantizer.histogram_place", minus_many, 8, "a histogram that does not fit"},
    {"rung.quantizer.histogram_range", huge, 4, "a histogram that does not fit"},
    {"rung.quantizer.histogram_range", huge, 8, "a histogram that does not fit"},
};
enum { BAD_TENSORS = sizeof bad_tensors / sizeof bad_tensors[0] };

START_TEST(bad_tensors_are_named) {
  expect_damaged(changed_file(NULL, NULL, bad_tensors[_i].tensor, bad_tensors[_i].bytes, bad_tensors[_i].size),
                 bad_tensors[_i].says);
}
END_TEST

/* Bits turned anywhere: refused, or a model that works. */
START_TEST(turned_bits_do_no_harm) {
  size_t size;
  unsigned char *bytes = scratch_read(good_file(), &size);
  problem *p = problem_new(RUNG_U8, 40, 1);
  rung_rng rng = rung_rng_seed(7);
  for (int i = 0; i < 400; i++) {
    const size_t at = rung_rng_below(&rng, (uint32_t)(i % 2 ? size : 6000));
    const unsigned char bit = (unsigned char)(1u << rung_rng_below(&rng, 8));
    bytes[at] ^= bit;
    rung_model *model = rung_model_load(scratch_write("changed.safetensors", bytes, size),
                                        &(rung_model_options){.threads = 1, .batch = 16});
    if (model) (void)rung_fit(model, p->data, NULL); /* whatever comes of it */
    rung_model_free(model);
    bytes[at] ^= bit;
  }
  problem_free(p);
  free(bytes);
}
END_TEST

START_TEST(what_is_no_checkpoint_is_refused) {
  ck_assert_ptr_null(rung_model_load(TEST_DATA "/golden/weights.safetensors", NULL));
  if (rung_error_status() == RUNG_ERROR_UNSUPPORTED) test_skip(rung_error());
  ck_assert_ptr_nonnull(strstr(rung_error(), "no checkpoint of Rung's: its metadata have no 'rung'"));
  ck_assert_ptr_null(rung_model_load("missing.safetensors", NULL));
  ck_assert_int_eq(rung_error_status(), RUNG_ERROR_IO);
  ck_assert_ptr_null(rung_model_load(NULL, NULL));
}
END_TEST

/* ---- Killed while it saves -------------------------------------------------------------------------------------- */

/* Files in the folder that begin as saving names its temporary ones; removed. A killed process leaves the one it was
 * at.
 */
static int remove_temporaries(const char *folder) {
  int count = 0;
  DIR *entries = opendir(folder);
  ck_assert_ptr_nonnull(entries);
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    char path[1400];
    if (entry->d_name[0] == '.' || strcmp(entry->d_name, "one.safetensors") == 0) continue;
    ck_assert_ptr_nonnull(strstr(entry->d_name, ".tmp"));
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    ck_assert_int_eq(remove(path), 0);
    count++;
  }
  closedir(entries);
  return count;
}

/* A process that saves one model over the other is killed at each moment of it: one of the two is there, whole, and the
 * next save succeeds. */
START_TEST(a_killed_save_leaves_the_old_or_the_new_file) {
  const char *path = scratch_path("killed/one.safetensors"), *folder = scratch_path("killed");
  const bool renamed = _i + 1 == MOMENTS_OF_A_FILE;
  rung_model *models[2];
  for (int i = 0; i < 2; i++)
    models[i] = rung_model_from_text("input 784; linear 64, relu, linear 10; cross-entropy",
                                     &(rung_model_options){.threads = 1, .seed = (uint64_t)i});
  save(models[0], path);
  pid_t child = fork();
  if (child == 0) {
    killed_at = 1 + _i;
    _exit(rung_model_save(models[1], path) == RUNG_OK ? 0 : 1);
  }
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_msg(WIFSIGNALED(status), "the child was not killed");
  rung_model *loaded = load(path);
  ck_assert_uint_eq(rung_model_hash(loaded), rung_model_hash(models[renamed]));
  ck_assert_int_eq(remove_temporaries(folder), renamed ? 0 : 1);
  save(models[1], path);
  rung_model_free(loaded);
  for (int i = 0; i < 2; i++) rung_model_free(models[i]);
}
END_TEST

/* ---- Other readers ---------------------------------------------------------------------------------------------- */

#define PYTHON_READER                                                                                                  \
  "import sys, numpy; from safetensors import safe_open\n"                                                             \
  "f = safe_open(sys.argv[1], 'numpy'); m = f.metadata(); t = {k: f.get_tensor(k) for k in f.keys()}\n"                \
  "assert m['rung'] == '1' and m['model'].startswith('input 12 as x; linear 40, batch-norm, relu'), m\n"               \
  "assert t['fc1.weight'].shape == (40, 12) and t['fc1.weight'].dtype == numpy.float32\n"                              \
  "q, s = t['rung.integer.fc1.weight'], t['rung.scale.fc1.weight']\n"                                                  \
  "assert q.dtype == numpy.int8 and abs(q).max() == 7 and abs(q * s - t['fc1.weight']).max() <= s.max() * 0.5001\n"    \
  "h = t['rung.quantizer.histogram'].view('<f8')\n"                                                                    \
  "assert h.shape == (len(m['quantizers'].split(', ')), 2049, 1) and (h >= 0).all() and h.sum() > 1000, h.sum()\n"     \
  "print(len(t))"

START_TEST(the_python_package_reads_a_checkpoint) {
  const char *python = peers_python("safetensors.numpy");
  ck_assert_int_gt(atoi(peers_run(python, PYTHON_READER, good_file())), 20);
}
END_TEST

#define TORCH_READER                                                                                                   \
  "import sys, torch; from safetensors.torch import load_file; from collections import OrderedDict as D\n"             \
  "t = load_file(sys.argv[1]); L = torch.nn.Linear; B = torch.nn.BatchNorm1d\n"                                        \
  "n = torch.nn.Sequential(D(fc1=L(12, 40), bn1=B(40), fc2=L(40, 24), bn2=B(24), fc3=L(24, 4)))\n"                     \
  "r = n.load_state_dict(t, strict=False)\n"                                                                           \
  "assert all(k.endswith('num_batches_tracked') for k in r.missing_keys), r\n"                                         \
  "assert all(k.startswith('rung.') for k in r.unexpected_keys), r\n"                                                  \
  "assert (n.fc2.weight == t['fc2.weight']).all()"

START_TEST(pytorch_takes_a_checkpoint) {
  const char *python = peers_python("torch, safetensors.torch");
  peers_run(python, TORCH_READER, good_file());
}
END_TEST

TEST_MAIN(CASES(what_is_saved_comes_back, RECIPES), CASES(saving_does_not_disturb, RECIPES),
          CASE(every_state_of_a_model_comes_back), CASE(what_is_no_chain_is_restored),
          CASE(a_weight_that_two_layers_share_is_restored), CASE(a_model_that_is_not_finite_is_not_saved),
          CASES(bad_metadata_are_named, BAD_METADATA), CASES(bad_tensors_are_named, BAD_TENSORS),
          CASE(turned_bits_do_no_harm), CASE(what_is_no_checkpoint_is_refused),
          CASES(a_killed_save_leaves_the_old_or_the_new_file, MOMENTS_OF_A_FILE),
          CASE(the_python_package_reads_a_checkpoint), CASE(pytorch_takes_a_checkpoint))
