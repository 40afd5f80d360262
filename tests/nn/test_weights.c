#include "harness.h"
#include "io/scratch.h"

#include <rung/nn.h>

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

TEST_MAIN(CASE(saves_every_parameter), CASE(saves_what_was_trained_in_whatever_form),
          CASE(refuses_a_model_that_was_not_recorded), CASE(refuses_a_place_that_is_not_there))
