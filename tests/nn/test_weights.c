#include "harness.h"
#include "io/scratch.h"

#include <rung/nn.h>

#include <math.h>

static rung_model *small_model(bool normalized) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 4, .threads = 1, .seed = 7});
  rung_node *x = rung_input(model, "image", RUNG_SHAPE(2, 3));
  x = rung_linear(x, "fc1", 5);
  x = rung_relu(normalized ? rung_batch_norm(x, "bn") : x);
  rung_loss_cross_entropy(rung_linear_init(x, "fc2", 4, &(rung_linear_options){.no_bias = true}));
  ck_assert_msg(rung_model_status(model) == RUNG_OK, "%s", rung_error());
  return model;
}

static const char expected_header[] =
    "{\"fc1.weight\":{\"dtype\":\"F32\",\"shape\":[5,6],\"data_offsets\":[0,120]},"
    "\"fc1.bias\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[120,140]},"
    "\"bn.weight\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[140,160]},"
    "\"bn.bias\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[160,180]},"
    "\"bn.running_mean\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[180,200]},"
    "\"bn.running_var\":{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[200,220]},"
    "\"fc2.weight\":{\"dtype\":\"F32\",\"shape\":[4,5],\"data_offsets\":[220,300]}}";
#define DATA_SIZE 300

/* The file's data are all parameters in order of recording, so that their hash is the model's. */
START_TEST(saves_every_parameter) {
  rung_model *model = small_model(true);
  const char *path = scratch_path("m.safetensors");
  ck_assert_msg(rung_model_save_weights(model, path) == RUNG_OK, "%s", rung_error());
  size_t size;
  unsigned char *bytes = scratch_read(path, &size);
  ck_assert_uint_gt(size, 8 + sizeof expected_header + DATA_SIZE - 1);
  ck_assert_mem_eq(bytes + 8, expected_header, sizeof expected_header - 1);
  uint64_t hash = 14695981039346656037u; /* FNV-1a */
  for (size_t i = size - DATA_SIZE; i < size; i++) hash = (hash ^ bytes[i]) * 1099511628211u;
  ck_assert_uint_eq(hash, rung_model_hash(model));
  free(bytes);
  rung_model_free(model);
}
END_TEST

START_TEST(saves_what_was_trained_in_whatever_form) {
  float pixels[8][6];
  int32_t labels[8];
  for (int i = 0; i < 8; i++) {
    labels[i] = i % 4;
    for (int j = 0; j < 6; j++) pixels[i][j] = (float)((i * 7 + j * 5) % 11) / 11.0f;
  }
  rung_tensor inputs = {.type = RUNG_F32, .shape = RUNG_SHAPE(8, 2, 3), .data = pixels};
  rung_dataset *data = rung_dataset_new("small", &inputs, labels, 4, NULL);
  rung_model *model = small_model(false);
  ck_assert_msg(rung_fit(model, data, NULL) == RUNG_OK, "%s", rung_error());
  const char *before = scratch_path("float"), *after = scratch_path("integer");
  ck_assert_int_eq(rung_model_save_weights(model, before), RUNG_OK);
  ck_assert_int_eq(rung_quantize(model, &(rung_scheme){.weight_bits = 8, .activation_bits = 8}), RUNG_OK);
  ck_assert_msg(rung_calibrate(model, data, 0) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(rung_model_save_weights(model, after), RUNG_OK);
  size_t size, same_size;
  unsigned char *bytes = scratch_read(before, &size), *same = scratch_read(after, &same_size);
  ck_assert_uint_eq(size, same_size);
  ck_assert_mem_eq(bytes, same, size);
  free(bytes), free(same);
  rung_model_free(model);
  rung_dataset_free(data);
}
END_TEST

START_TEST(refuses_a_model_that_was_not_recorded) {
  rung_model *model = rung_model_new(NULL);
  rung_linear(rung_input(model, "image", RUNG_SHAPE(3)), "fc1", 0);
  rung_status status = rung_model_status(model);
  ck_assert_int_ne(status, RUNG_OK);
  const char *path = scratch_path("none.safetensors");
  ck_assert_int_eq(rung_model_save_weights(model, path), status);
  ck_assert_int_ne(access(path, F_OK), 0);
  rung_model_free(model);
}
END_TEST

START_TEST(refuses_a_place_that_is_not_there) {
  rung_model *model = small_model(true);
  char path[1100];
  snprintf(path, sizeof path, "%s/missing/m.safetensors", scratch_path("folder/"));
  ck_assert_int_eq(rung_model_save_weights(model, path), RUNG_ERROR_IO);
  ck_assert_msg(strncmp(rung_error(), path, strlen(path)) == 0, "%s", rung_error());
  ck_assert_int_eq(rung_model_save_weights(model, NULL), RUNG_ERROR_ARGUMENT);
  rung_model_free(model);
}
END_TEST

/* ---- Loading ---------------------------------------------------------------------------------------------------- */

#define GOLDEN TEST_DATA "/golden/weights.safetensors" /* of tests/golden/make_weights.py */

static rung_model *network(const char *text) {
  rung_model *model = rung_model_from_text(text, &(rung_model_options){.batch = 8, .threads = 1});
  ck_assert_msg(model != NULL, "%s", rung_error());
  return model;
}

static rung_safetensors *open_golden(void) {
  rung_safetensors *file = rung_safetensors_open(GOLDEN);
  if (file == NULL && rung_error_status() == RUNG_ERROR_UNSUPPORTED) test_skip(rung_error());
  ck_assert_msg(file != NULL, "%s", rung_error());
  return file;
}

/* f32, f16 and bf16 tensors of a state_dict; and the logits are those that PyTorch computed. */
START_TEST(pytorchs_weights_give_pytorchs_logits) {
  rung_safetensors *file = open_golden();
  rung_model *model = network("input 6 as x; linear 5, batch-norm, relu, linear 4 no-bias");
  ck_assert_msg(rung_model_load_weights(model, GOLDEN) == RUNG_OK, "%s", rung_error());
  rung_graph *graph = rung_model_graph(model);
  const rung_tensor *x = rung_safetensors_find(file, "x"), *logits = rung_safetensors_find(file, "logits");
  ck_assert_int_eq(rung_graph_bind(rung_graph_find(graph, "x"), x), RUNG_OK);
  ck_assert_int_eq(rung_graph_replay(graph, &(rung_replay_options){.count = 8}), RUNG_OK);
  const float *have = rung_graph_node(graph, rung_graph_node_count(graph) - 1)->value.data, *want = logits->data;
  float largest = 0;
  for (int i = 0; i < 32; i++) largest = fmaxf(largest, fabsf(want[i]));
  for (int i = 0; i < 32; i++)
    ck_assert_msg(fabsf(have[i] - want[i]) <= 1e-6f * largest, "%d: %g, %g", i, (double)have[i], (double)want[i]);
  rung_model_free(model);
  rung_safetensors_free(file);
}
END_TEST

static const struct {
  const char *text, *says;
  rung_status status;
} misfits[] = {
    {"input 6; linear 7, batch-norm, relu, linear 4 no-bias",
     "weights.safetensors: tensor 'fc1.weight' is [5, 6], model wants [7, 6]", RUNG_ERROR_SHAPE},
    {"input 6; linear 5, batch-norm, relu, linear 4 no-bias, linear 3",
     "weights.safetensors: it has no tensor 'fc3.weight', which the model wants", RUNG_ERROR_FORMAT},
    {"input 6; linear 5, batch-norm, relu, linear 4", "no tensor 'fc2.bias'", RUNG_ERROR_FORMAT},
    {"input 6; linear 5 as fc, relu, linear 4 no-bias", "no tensor 'fc.weight'", RUNG_ERROR_FORMAT},
};
enum { MISFITS = sizeof misfits / sizeof misfits[0] };

START_TEST(weights_that_do_not_fit_change_nothing) {
  rung_safetensors_free(open_golden());
  rung_model *model = network(misfits[_i].text);
  const uint64_t hash = rung_model_hash(model);
  ck_assert_int_eq(rung_model_load_weights(model, GOLDEN), misfits[_i].status);
  ck_assert_msg(strstr(rung_error(), misfits[_i].says) != NULL, "%s", rung_error());
  ck_assert_uint_eq(rung_model_hash(model), hash);
  rung_model_free(model);
}
END_TEST

/* fc1.weight as something else, all else good. */
static const struct {
  rung_dtype type;
  const char *says;
} bad_tensors[] = {{RUNG_I32, "'w.weight' is i32, expected f32"},
                   {RUNG_E4M3, "'w.weight' is e4m3, expected f32"},
                   {RUNG_F32, "tensor 'w.weight': value 1 is inf, expected a finite number"},
                   {RUNG_BF16, "tensor 'w.weight': value 1 is nan, expected a finite number"}};

START_TEST(weights_that_are_no_numbers_change_nothing) {
  static const float infinite[2] = {1, INFINITY};
  static const uint16_t nan[2] = {0x3f80, 0x7fc0};
  rung_model *model = network("input 2; linear 1 as w");
  const uint64_t hash = rung_model_hash(model);
  const rung_dtype type = bad_tensors[_i].type;
  const void *data = type == RUNG_BF16 ? (const void *)nan : (const void *)infinite;
  const rung_named_tensor tensors[] = {
      {"w.bias", {.type = RUNG_F32, .shape = RUNG_SHAPE(1), .data = (void *)(uintptr_t)infinite}},
      {"w.weight", {.type = type, .shape = RUNG_SHAPE(1, 2), .data = (void *)(uintptr_t)data}}};
  const char *path = scratch_path("bad.safetensors");
  rung_status status = rung_safetensors_write(path, tensors, 2);
  if (status == RUNG_ERROR_UNSUPPORTED) test_skip(rung_error());
  ck_assert_int_eq(status, RUNG_OK);
  ck_assert_int_ne(rung_model_load_weights(model, path), RUNG_OK);
  ck_assert_msg(strstr(rung_error(), bad_tensors[_i].says) != NULL, "%s", rung_error());
  ck_assert_uint_eq(rung_model_hash(model), hash);
  rung_model_free(model);
}
END_TEST

START_TEST(a_calibrated_model_takes_no_weights) {
  float x[4][6] = {{1}};
  int32_t labels[4] = {0, 1, 2, 3};
  rung_tensor inputs = {.type = RUNG_F32, .shape = RUNG_SHAPE(4, 6), .data = x};
  rung_dataset *data = rung_dataset_new("few", &inputs, labels, 4, NULL);
  rung_model *model = network("input 6; linear 5, batch-norm, relu, linear 4 no-bias; cross-entropy");
  ck_assert_int_eq(rung_quantize(model, NULL), RUNG_OK);
  ck_assert_msg(rung_calibrate(model, data, 0) == RUNG_OK, "%s", rung_error());
  ck_assert_int_eq(rung_model_load_weights(model, GOLDEN), RUNG_ERROR_STATE);
  ck_assert_int_eq(rung_model_load_weights(NULL, GOLDEN), RUNG_ERROR_ARGUMENT);
  rung_model_free(model);
  rung_dataset_free(data);
}
END_TEST

START_TEST(weights_that_were_saved_come_back) {
  rung_model *one = small_model(true);
  rung_model *other = rung_model_from_text(
      "input 2x3 as image; linear 5, batch-norm as bn, relu, linear 4 no-bias; cross-entropy", NULL);
  const char *path = scratch_path("back.safetensors");
  rung_status status = rung_model_save_weights(one, path);
  if (status == RUNG_ERROR_UNSUPPORTED) test_skip(rung_error());
  ck_assert_uint_ne(rung_model_hash(one), rung_model_hash(other));
  ck_assert_msg(rung_model_load_weights(other, path) == RUNG_OK, "%s", rung_error());
  ck_assert_uint_eq(rung_model_hash(one), rung_model_hash(other));
  rung_model_free(one);
  rung_model_free(other);
}
END_TEST

TEST_MAIN(CASE(saves_every_parameter), CASE(saves_what_was_trained_in_whatever_form),
          CASE(refuses_a_model_that_was_not_recorded), CASE(refuses_a_place_that_is_not_there),
          CASE(pytorchs_weights_give_pytorchs_logits), CASES(weights_that_do_not_fit_change_nothing, MISFITS),
          CASES(weights_that_are_no_numbers_change_nothing, 4), CASE(a_calibrated_model_takes_no_weights),
          CASE(weights_that_were_saved_come_back))
