/* A program as data: instructions, buffers and their places, and its file: the same back, and what is refused. */
#include "random_program.h"

#include <unistd.h>

/* ---- Instructions and buffers ----------------------------------------------------------------------------------- */

START_TEST(instructions_and_buffers_form_a_chain) {
  const recipe of = random_recipe(_i);
  rung_program *program = random_program(&of);
  const int count = rung_program_count(program);
  ck_assert_int_eq(count, of.layers);
  ck_assert_int_eq(rung_program_buffer_count(program), count + 1);
  ck_assert_int_eq(rung_program_takes_reals(program), of.real_inputs);
  for (int i = 0; i < count; i++) {
    const rung_instruction *at = rung_program_instruction(program, i);
    char name[16];
    snprintf(name, sizeof name, "fc%d", i + 1);
    ck_assert_str_eq(at->name, name);
    ck_assert_str_eq(rung_instruction_name(at->kind), "linear");
    ck_assert(at->input == i && at->output == i + 1);
    ck_assert_int_eq(at->macs, of.width[i] * of.width[i + 1]);
    const rung_buffer *input = rung_program_buffer(program, i), *output = rung_program_buffer(program, i + 1);
    ck_assert(input->count == of.width[i] && output->count == of.width[i + 1]);
    ck_assert(input->type == at->integers.input_type && output->type == at->integers.output_type);
    ck_assert(input->scale == at->integers.input_scale && input->zero_point == at->integers.input_zero_point);
    ck_assert(output->scale == at->integers.output_scale && output->zero_point == at->integers.output_zero_point);
    ck_assert(input->qmin == at->integers.input_qmin && input->qmax == at->integers.input_qmax);
    ck_assert(input->place == (i ? RUNG_PLACE_SCRATCH : RUNG_PLACE_INPUT));
    ck_assert(input->first == i - 1 && input->last == i);
  }
  const rung_buffer *logits = rung_program_buffer(program, count);
  ck_assert(logits->place == RUNG_PLACE_LOGITS && logits->type == RUNG_I32 && logits->last == count);
  ck_assert_ptr_null(rung_program_instruction(program, count));
  ck_assert_ptr_nonnull(strstr(rung_error(), "expected 0.."));
  ck_assert_ptr_null(rung_program_instruction(program, -1));
  ck_assert_ptr_null(rung_program_buffer(program, count + 1));
  rung_program_free(program);
}
END_TEST

/* Widths of hidden layers, and the bytes that they need: those of the largest two neighbours. In the last case greedy
 * takes 4 more. */
START_TEST(buffers_that_are_not_alive_together_share_scratch) {
  static const struct {
    int hidden;
    int64_t width[4], bytes;
  } cases[] = {{0, {0}, 0},
               {1, {7}, 8},
               {2, {8, 12}, 20},
               {3, {100, 8, 60}, 108},
               {3, {8, 60, 8}, 68},
               {4, {4, 40, 36, 4}, 76},
               {4, {64, 64, 64, 64}, 128},
               {4, {40, 4, 4, 40}, 48}};
  recipe of = {.layers = cases[_i].hidden + 1, .seed = 3, .width = {5}};
  for (int i = 0; i < cases[_i].hidden; i++) of.width[i + 1] = cases[_i].width[i];
  of.width[of.layers] = 3;
  rung_program *program = random_program(&of);
  int64_t most = 0;
  for (int i = 0; i <= of.layers; i++) {
    const rung_buffer *a = rung_program_buffer(program, i);
    if (a->place != RUNG_PLACE_SCRATCH) continue;
    ck_assert_int_eq(a->offset % 4, 0);
    if (a->offset + (a->count + 3) / 4 * 4 > most) most = a->offset + (a->count + 3) / 4 * 4;
    for (int j = 0; j < i; j++) {
      const rung_buffer *b = rung_program_buffer(program, j);
      bool together = b->place == RUNG_PLACE_SCRATCH && a->first <= b->last && b->first <= a->last;
      ck_assert(!together || a->offset >= b->offset + b->count || b->offset >= a->offset + a->count);
    }
  }
  ck_assert_int_eq(most, cases[_i].bytes);
  ck_assert_int_eq(program->scratch, cases[_i].bytes);
  rung_program_free(program);
}
END_TEST

/* ---- Files ------------------------------------------------------------------------------------------------------ */

static const char *temporary_file(void) {
  static char path[64];
  snprintf(path, sizeof path, "program-%ld.safetensors", (long)getpid());
  return path;
}

static rung_program *load(const char *path) {
  rung_program *program = rung_program_load(path);
  if (!program && rung_error_status() == RUNG_ERROR_UNSUPPORTED) test_skip("this build has no cJSON");
  ck_assert_msg(program != NULL, "%s", rung_error());
  return program;
}

static void save(const rung_program *program, const char *path) {
  rung_status status = rung_program_save(program, path);
  if (status == RUNG_ERROR_UNSUPPORTED) test_skip("this build has no cJSON");
  expect_ok(status);
}

static char *bytes_of_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  ck_assert_ptr_nonnull(file);
  char *bytes = malloc(1 << 20);
  *size = fread(bytes, 1, 1 << 20, file);
  fclose(file);
  return bytes;
}

static void expect_same_logits(const rung_program *a, const rung_program *b) {
  enum { COUNT = 20 };
  const rung_program_info info = rung_program_describe(a);
  rung_rng rng = rung_rng_seed(9);
  char *inputs = malloc((size_t)(COUNT * info.inputs));
  int32_t *logits[2] = {malloc((size_t)(COUNT * info.outputs) * 4), malloc((size_t)(COUNT * info.outputs) * 4)};
  random_inputs(a, &rng, inputs, COUNT);
  expect_ok(rung_run(a, inputs, logits[0], COUNT));
  expect_ok(rung_run(b, inputs, logits[1], COUNT));
  ck_assert_mem_eq(logits[0], logits[1], (size_t)(COUNT * info.outputs) * 4);
  free(inputs);
  free(logits[0]);
  free(logits[1]);
}

/* Loaded, it is the same: logits, everything that can be asked, and the bytes of its own file. */
START_TEST(a_program_comes_back_as_it_was) {
  const recipe of = random_recipe(_i);
  const char *path = temporary_file();
  rung_program *program = random_program(&of);
  save(program, path);
  rung_program *loaded = load(path);
  expect_same_logits(program, loaded);
  const rung_program_info a = rung_program_describe(program), b = rung_program_describe(loaded);
  ck_assert(a.weight_bytes == b.weight_bytes && a.macs == b.macs && a.input_type == b.input_type);
  ck_assert(a.input_scale == b.input_scale && a.input_zero_point == b.input_zero_point);
  ck_assert(a.logit_scale == b.logit_scale);
  ck_assert_int_eq(rung_program_takes_reals(loaded), of.real_inputs);
  for (int i = 0; i <= of.layers; i++) {
    const rung_buffer *x = rung_program_buffer(program, i), *y = rung_program_buffer(loaded, i);
    ck_assert(x->qmin == y->qmin && x->qmax == y->qmax && x->offset == y->offset && x->type == y->type);
    if (i == of.layers) break;
    ck_assert_str_eq(rung_program_instruction(program, i)->name, rung_program_instruction(loaded, i)->name);
    ck_assert_int_eq(rung_program_instruction(program, i)->bound, rung_program_instruction(loaded, i)->bound);
  }
  size_t size[2];
  char *first = bytes_of_file(path, &size[0]);
  save(loaded, path);
  char *second = bytes_of_file(path, &size[1]);
  ck_assert_uint_eq(size[0], size[1]);
  ck_assert_mem_eq(first, second, size[0]);
  free(first);
  free(second);
  unlink(path);
  rung_program_free(program);
  rung_program_free(loaded);
}
END_TEST

/* A file as it was saved, one thing in it changed. */
typedef struct change {
  const char *tensor; /* an element of it, bytes of its type, ... */
  int index;
  double value;
  const char *key, *text; /* ... or this metadata's text; NULL: dropped */
  const char *says;
} change;

static const change changes[] = {
    {.tensor = "fc1.weight", .index = 5, .value = -128, .says = "fc1.weight: a weight is -128, expected -127..127"},
    {.tensor = "fc2.shift", .index = 0, .value = 0, .says = "a shift is 0, expected 1..62"},
    {.tensor = "fc2.shift", .index = 0, .value = 63, .says = "a shift is 63, expected 1..62"},
    {.tensor = "fc1.shift", .index = 1, .value = 30, .says = "output channel 1 has multiplier"},
    {.tensor = "fc1.multiplier", .index = 2, .value = 12345, .says = "output channel 2 has multiplier 12345"},
    {.tensor = "fc1.multiplier", .index = 2, .value = -5, .says = "output channel 2 has multiplier -5"},
    {.tensor = "fc1.bias", .index = 0, .value = 2147483647, .says = "more than an int32 holds"},
    {.tensor = "fc2.bias", .index = 0, .value = 1 << 30, .says = "the bias of output channel 0 is too large"},
    {.tensor = "fc1.weight_scale", .index = 0, .value = 0, .says = "a scale is not a positive number"},
    {.tensor = "fc1.weight_scale", .index = 0, .value = -1, .says = "a scale is not a positive number"},
    {.tensor = "fc1.weight_scale", .index = 0, .value = 1e38, .says = "out of range"},
    {.tensor = "fc1.clamp", .index = 0, .value = -1, .says = "qmin is -1, expected 0..255"},
    {.tensor = "fc1.clamp", .index = 1, .value = 256, .says = "qmax is 256"},
    {.tensor = "buffers.zero_point", .index = 0, .value = 256, .says = "a zero point is 256, expected 0..255"},
    {.tensor = "buffers.zero_point", .index = 1, .value = -1, .says = "a zero point is -1, expected 0..255"},
    {.tensor = "buffers.range", .index = 0, .value = 1000, .says = "qmin is 1000"},
    {.tensor = "buffers.scale", .index = 1, .value = 0, .says = "a scale is not a positive number"},
    {.tensor = "buffers.scale", .index = 1, .value = 17, .says = "its scales give"},
    {.key = "rung", .text = "model", .says = "not a program: metadata 'rung' is 'model'"},
    {.key = "rung", .says = "not a program"},
    {.key = "version", .text = "2", .says = "a program of version '2', expected '1'"},
    {.key = "takes", .says = "lacks metadata 'takes'"},
    {.key = "input", .text = "2 3 2 ", .says = "'input', line 1"},
    {.key = "input", .text = "2 3 3 image", .says = "'input', line 1"},
    {.key = "input", .text = "7 1 1 1 1 1 1 6 image", .says = "'input', line 1"},
    {.key = "input", .text = "2 0 6 image", .says = "'input', line 1"},
    {.key = "input", .text = "1 6 im\nage", .says = "'input', line 1"},
    {.key = "input", .text = "99999999999999999999 6 image", .says = "'input', line 1"},
    {.key = "buffers", .text = "u8 6\nu8 9\ni32 3", .says = "2 instructions and 2 buffers"},
    {.key = "buffers", .text = "u8 6\nu8 8\ni32 3\n", .says = "fc1.weight"},
    {.key = "buffers", .text = "u8 6\ni32 9\ni32 3\n", .says = "'buffers', line 2: expected u8, i8 or sign COUNT"},
    {.key = "buffers", .text = "u8 6\nu8 9\nu8 3\n", .says = "'buffers', line 3: expected i32 COUNT"},
    {.key = "buffers", .text = "u8 6\nu8 0\ni32 3\n", .says = "'buffers', line 2"},
    {.key = "buffers", .text = "u8 99999999999999999999\nu8 9\ni32 3\n", .says = "'buffers', line 1"},
    {.key = "buffers", .text = "f32 6\nu8 9\ni32 3\n", .says = "'buffers', line 1"},
    {.key = "instructions", .text = "", .says = "0 instructions"},
    {.key = "instructions", .text = "conv 0 1 8 0 1 fc1\nlinear 1 2 8 0 fc2\n", .says = "'instructions', line 1"},
    {.key = "instructions", .text = "linear 0 1 9 0 fc1\nlinear 1 2 8 0 fc2\n", .says = "'instructions', line 1"},
    {.key = "instructions", .text = "linear 0 1 8 3 fc1\nlinear 1 2 8 0 fc2\n", .says = "'instructions', line 1"},
    {.key = "instructions", .text = "linear 0 1 8 0 fc1\nlinear 0 2 8 0 fc2\n", .says = "'instructions', line 2"},
    {.key = "instructions", .text = "linear 0 1 8 0 fc1\nlinear 1 2 8 0 fc1\n", .says = "a name of its own"},
    {.key = "instructions", .text = "linear 0 1 8 0 \nlinear 1 2 8 0 fc2\n", .says = "'instructions', line 1"},
    {.key = "instructions", .text = "linear 0 1 8 0 a\tb\nlinear 1 2 8 0 fc2\n", .says = "a name of its own"},
    {.key = "instructions", .text = "linear 0 1 8 0 fc1\nlinear 1 2 8 0 fc3\n", .says = "fc3.weight"},
    {.key = "instructions", .text = "linear 0 1 8 4 fc1\nlinear 1 2 8 0 fc2\n", .says = "fc1.weight_scale"},
    {.key = "instructions", .text = "linear 0 1 1 0 fc1\nlinear 1 2 8 0 fc2\n", .says = "expected -1..1"},
    {.key = "instructions", .text = "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", .says = "15 instructions, expected at most"},
};

static void put(rung_tensor *tensor, int index, double value) {
  if (tensor->type == RUNG_I8)
    ((int8_t *)tensor->data)[index] = (int8_t)value;
  else if (tensor->type == RUNG_I32)
    ((int32_t *)tensor->data)[index] = (int32_t)value;
  else
    ((float *)tensor->data)[index] = (float)value;
}

static void rewrite(const char *path, const change *with) {
  enum { KEYS = 6 };
  static const char *const keys[KEYS] = {"rung", "version", "takes", "input", "buffers", "instructions"};
  rung_safetensors *file = rung_safetensors_open(path);
  ck_assert_msg(file != NULL, "%s", rung_error());
  rung_named_tensor tensor[32];
  rung_metadata metadata[KEYS];
  int count = rung_safetensors_count(file), kept = 0;
  for (int i = 0; i < count; i++) {
    tensor[i] = rung_safetensors_tensor(file, i);
    if (with->tensor && strcmp(tensor[i].name, with->tensor) == 0) put(&tensor[i].tensor, with->index, with->value);
  }
  for (int i = 0; i < KEYS; i++) {
    bool changed = with->key && strcmp(keys[i], with->key) == 0;
    const char *text = changed ? with->text : rung_safetensors_metadata(file, keys[i]);
    if (text) metadata[kept++] = (rung_metadata){keys[i], text};
  }
  expect_ok(rung_safetensors_write_with(path, tensor, count, metadata, kept));
  rung_safetensors_free(file);
}

START_TEST(a_file_that_was_tampered_with_is_refused) {
  const recipe of = {.layers = 2, .width = {6, 9, 3}, .seed = 4};
  const char *path = temporary_file();
  rung_program *program = random_program(&of);
  save(program, path);
  rewrite(path, &(change){0});
  rung_program_free(load(path)); /* unchanged it is good */
  rewrite(path, &changes[_i]);
  ck_assert_ptr_null(rung_program_load(path));
  ck_assert_msg(strstr(rung_error(), path) != NULL && strstr(rung_error(), changes[_i].says) != NULL, "'%s' lacks '%s'",
                rung_error(), changes[_i].says);
  unlink(path);
  rung_program_free(program);
}
END_TEST

/* A wide layer of the largest weights, whose sum just fits, with one more bias: the bound is computed, not believed. */
START_TEST(a_file_whose_groups_could_overflow_is_refused) {
  const recipe of = {
      .layers = 1, .width = {8, 2}, .seed = 4, .scheme = {.weight_granularity = RUNG_PER_GROUP, .weight_group = 4}};
  const char *path = temporary_file();
  rung_program *program = random_program(&of);
  save(program, path);
  rewrite(path, &(change){.tensor = "fc1.bias64", .index = 1, .value = 0x7fffffff}); /* the high word */
  ck_assert_ptr_null(rung_program_load(path));
  ck_assert_msg(strstr(rung_error(), "the sum over groups could exceed an int64") != NULL, "%s", rung_error());
  unlink(path);
  ck_assert_ptr_null(rung_program_load(path));
  ck_assert_int_eq(rung_error_status(), RUNG_ERROR_IO);
  ck_assert_int_eq(rung_program_save(program, "no-such-folder/program"), RUNG_ERROR_IO);
  rung_program_free(program);
}
END_TEST

TEST_MAIN(CASES(instructions_and_buffers_form_a_chain, 28), CASES(buffers_that_are_not_alive_together_share_scratch, 8),
          CASES(a_program_comes_back_as_it_was, 28), CASES(a_file_that_was_tampered_with_is_refused, LENGTH(changes)),
          CASE(a_file_whose_groups_could_overflow_is_refused))
