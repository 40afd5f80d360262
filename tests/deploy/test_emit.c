/* The C emitter: what it writes, compiled on the spot with every warning an error, computes what the program computes;
 * it is the same text each time, and what cannot be written is refused. */
#include "random_program.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRICT "-std=c99 -Wall -Wextra -Wconversion -Wpedantic -Wshadow -Werror"

/* ---- Compiling -------------------------------------------------------------------------------------------------- */

static const char *const compilers[] = {"cc", "clang"};

/* Skips the test where the compiler is not there. */
static const char *compiler(int index) {
  char command[64];
  snprintf(command, sizeof command, "command -v %s > /dev/null 2>&1", compilers[index]);
  if (system(command) != 0) test_skip("no C compiler cc, or no clang");
  return compilers[index];
}

static int run_command(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int run_command(const char *format, ...) {
  char command[4096];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(command, sizeof command, format, arguments);
  va_end(arguments);
  return system(command);
}

/* A folder of this process's own, in the working folder. */
static const char *folder(void) {
  static char path[64];
  snprintf(path, sizeof path, "emitted-%ld", (long)getpid());
  return path;
}

static void remove_folder(void) {
  ck_assert_int_eq(run_command("rm -rf '%s'", folder()), 0);
}

static char *text_of(const char *file) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder(), file);
  FILE *stream = fopen(path, "rb");
  ck_assert_msg(stream != NULL, "%s", path);
  char *text = calloc(1, 1 << 22);
  ck_assert(fread(text, 1, (1 << 22) - 1, stream) > 0);
  fclose(stream);
  return text;
}

/* ---- The same logits -------------------------------------------------------------------------------------------- */

/* What the compiled library shows of its networks. */
typedef struct network {
  void (*run)(const void *input, int32_t *logits);
  int (*argmax)(const int32_t *logits);
} network;

/* A table of `count` emitted networks net0, net1 ..., whose traces go to *seen. */
static void write_table(int count) {
  char path[96];
  snprintf(path, sizeof path, "%s/table.c", folder());
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  for (int i = 0; i < count; i++) fprintf(file, "#include \"net%d.h\"\n", i);
  fprintf(file, "void (*seen)(int layer, const void *output);\n");
  for (int i = 0; i < count; i++)
    fprintf(file,
            "void net%d_trace(int layer, const void *output) { seen(layer, output); }\n"
            "static void run%d(const void *input, int32_t *logits) { net%d_run(input, logits); }\n",
            i, i, i);
  fprintf(file, "struct network { void (*run)(const void *, int32_t *); int (*argmax)(const int32_t *); };\n"
                "const struct network networks[] = {\n");
  for (int i = 0; i < count; i++) fprintf(file, "  {run%d, net%d_argmax},\n", i, i);
  fprintf(file, "};\n");
  fclose(file);
}

enum { RANDOM = 28, NETWORKS = RANDOM + 2 * LENGTH(low_scheme), INPUTS = 12 };

static recipe network_recipe(int index) {
  return index < RANDOM ? random_recipe(index) : low_recipe(index - RANDOM);
}

/* What a trace must show: the program's own activations, layer by layer. */
static struct {
  char *layer[8];
  int64_t width[8];
  int64_t example, seen, differ;
} expected_trace;

static void keep_layer(void *context, int index, rung_dtype type, const void *output, int64_t count, int64_t out) {
  (void)context;
  if (type == RUNG_I32) return;
  expected_trace.layer[index] = malloc((size_t)(count * out));
  expected_trace.width[index] = out;
  memcpy(expected_trace.layer[index], output, (size_t)(count * out));
}

static void see_layer(int layer, const void *output) {
  const int64_t out = expected_trace.width[layer];
  const char *expected = expected_trace.layer[layer] + expected_trace.example * out;
  for (int64_t i = 0; i < out; i++) expected_trace.differ += expected[i] != ((const char *)output)[i];
  expected_trace.seen += out;
}

/* Values in which the emitted network i differs from the program: logits, activations, and which logit is largest. */
static int64_t count_differing(const rung_program *program, const network *emitted_network, uint64_t seed) {
  const rung_program_info info = rung_program_describe(program);
  rung_rng rng = rung_rng_seed(seed);
  char *inputs = malloc((size_t)(INPUTS * info.inputs));
  int32_t *logits = malloc((size_t)(INPUTS * info.outputs) * sizeof *logits),
          *emitted = malloc((size_t)info.outputs * 4);
  void *scratch = rung_allocate(rung_program_scratch(program, INPUTS));
  memset(&expected_trace, 0, sizeof expected_trace);
  random_inputs(program, &rng, inputs, INPUTS);
  expect_ok(rung_program_trace(program, inputs, logits, INPUTS, scratch, keep_layer, NULL));
  int64_t differ = 0, hidden = 0;
  for (int64_t e = 0; e < INPUTS; e++) {
    expected_trace.example = e;
    emitted_network->run(inputs + e * info.inputs, emitted);
    int best = 0;
    for (int64_t j = 0; j < info.outputs; j++) {
      differ += emitted[j] != logits[e * info.outputs + j];
      if (logits[e * info.outputs + j] > logits[e * info.outputs + best]) best = (int)j;
    }
    differ += emitted_network->argmax(emitted) != best;
  }
  for (int l = 0; l < 8; l++) {
    hidden += expected_trace.width[l];
    free(expected_trace.layer[l]);
  }
  ck_assert_int_eq(expected_trace.seen, INPUTS * hidden);
  rung_release(scratch);
  free(inputs);
  free(logits);
  free(emitted);
  return differ + expected_trace.differ;
}

/* Each recipe of the list, with weights packed or not, and with the Arm branch in the text or not; undefined behaviour
 * ends one of the four. */
START_TEST(emitted_c_computes_what_the_program_computes) {
  const char *cc = compiler(_i / 2);
  const bool packed = _i % 2;
  rung_program *programs[NETWORKS];
  for (int i = 0; i < NETWORKS; i++) {
    const recipe of = network_recipe(i);
    char name[16];
    snprintf(name, sizeof name, "net%d", i);
    programs[i] = random_program(&of);
    expect_ok(
        rung_emit_c(programs[i], name, folder(), &(rung_emit_options){.bits_packed = packed, .cmsis = i % 3 == 0}));
  }
  write_table(NETWORKS);
  ck_assert_int_eq(run_command("cd '%s' && for i in $(seq 0 %d); do defines=\"$defines -DNET${i}_TRACE\"; done && "
                               "%s " STRICT " -O1 %s $defines -shared -fPIC net*.c table.c -o nets.so",
                               folder(), NETWORKS - 1, cc,
                               _i == 1 ? "-fsanitize=undefined -fsanitize-undefined-trap-on-error" : ""),
                   0);
  char path[128];
  snprintf(path, sizeof path, "./%s/nets.so", folder());
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  ck_assert_msg(library != NULL, "%s", dlerror());
  const network *networks = dlsym(library, "networks");
  void (**seen)(int, const void *) = dlsym(library, "seen");
  ck_assert(networks != NULL && seen != NULL);
  *seen = see_layer;
  for (int i = 0; i < NETWORKS; i++) {
    int64_t differ = count_differing(programs[i], &networks[i], (uint64_t)i);
    ck_assert_msg(differ == 0, "network %d: %lld differ", i, (long long)differ);
    rung_program_free(programs[i]);
  }
  dlclose(library);
  remove_folder();
}
END_TEST

/* The same recipes with Arm's instructions, on an Arm that has them, played by qemu: every emitted test in one program.
 */
START_TEST(arm_pairs_of_products_give_the_same) {
  if (system("command -v arm-none-eabi-gcc > /dev/null 2>&1 && command -v qemu-arm-static > /dev/null 2>&1") != 0)
    test_skip("no arm-none-eabi-gcc, or no qemu-arm-static");
  for (int i = 0; i < NETWORKS; i++) {
    const recipe of = network_recipe(i);
    const rung_emit_options options = {.with_test = true, .cmsis = true, .bits_packed = i < LENGTH(every_scheme)};
    char name[16];
    snprintf(name, sizeof name, "net%d", i);
    rung_program *program = random_program(&of);
    expect_ok(rung_emit_c(program, name, folder(), &options));
    rung_program_free(program);
  }
  char path[96];
  snprintf(path, sizeof path, "%s/all.c", folder());
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  for (int i = 0; i < NETWORKS; i++) fprintf(file, "int net%d_main(void);\n", i);
  fprintf(file, "int main(void) {\n  return 0");
  for (int i = 0; i < NETWORKS; i++) fprintf(file, " + net%d_main()", i);
  fprintf(file, ";\n}\n");
  fclose(file);
  ck_assert_int_eq(
      run_command("cd '%s' && arm='arm-none-eabi-gcc -mcpu=cortex-a7 -mthumb " STRICT " -O2' && "
                  "for t in *_test.c; do $arm -Dmain=${t%%_test.c}_main -c $t || exit 1; rm $t; done && "
                  "$arm --specs=rdimon.specs *.c *.o -o all && arm-none-eabi-objdump -d all | grep -q smlad",
                  folder()),
      0);
  ck_assert_int_eq(
      run_command("cd '%s' && qemu-arm-static ./all > said && test $(grep -c ': 0 of' said) = %d", folder(), NETWORKS),
      0);
  remove_folder();
}
END_TEST

/* Two inputs, two hidden channels, two logits, every scale a power of two:
 *   x = (200, 100)
 *   acc = (127 * 200 - 64 * 100, 127 * 200 + 3 * 100) = (19000, 25700);  / 256 = (74.2, 100.4) -> (74, 100)
 *   acc = (127 * 74, -127 * 74 + 127 * 100) = (9398, 3302);  * 256 = (2405888, 845312) */
START_TEST(two_by_two_by_hand) {
  static const int32_t labels[1];
  static uint8_t x[2] = {200, 100};
  const float w1[4] = {127, -64, 127, 3}, w2[4] = {127, 0, -127, 127};
  const rung_tensor inputs = {.type = RUNG_U8, .shape = RUNG_SHAPE(1, 2), .data = x, .scale = 1};
  rung_dataset *data = rung_dataset_new("x", &inputs, labels, 2, NULL);
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 1, .threads = 1});
  rung_node *hidden = rung_relu(rung_linear(rung_input(model, "x", RUNG_SHAPE(2)), "one", 2));
  ck_assert_ptr_nonnull(rung_loss_cross_entropy(rung_linear(hidden, "two", 2)));
  memcpy(rung_model_parameter(model, 0).value, w1, sizeof w1);
  memcpy(rung_model_parameter(model, 2).value, w2, sizeof w2);
  rung_model_touch(model);
  expect_ok(rung_quantize(model, &(rung_scheme){0}));
  expect_ok(rung_calibrate(model, data, 0));
  rung_quantization_quantizer(rung_model_quantization(model), 0)->scale = 256;
  rung_program *program = rung_freeze(model);
  ck_assert_msg(program != NULL, "%s", rung_error());
  const rung_emit_options options = {.with_test = true, .examples = x, .example_count = 1};
  expect_ok(rung_emit_c(program, "tiny", folder(), &options));
  char *source = text_of("tiny.c"), *test = text_of("tiny_test.c");
  static const char *const lines[] = {
      "static const int8_t one_weight[16] = {\n"
      "     127,  -64,    0,    0,  127,    3,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,\n"
      "};\n",
      "static const int32_t one_multiplier[2] = {\n     1073741825,  1073741825,\n};\n",
      "static const uint8_t one_shift[2] = {\n     37,  37,\n};\n",
      "static const uint8_t two_shift[2] = {\n     21,  21,\n};\n",
      "  {.weight = one_weight,\n   .bias = one_bias,\n   .multiplier = one_multiplier,\n   .shift = one_shift,\n"
      "   .in = 2,\n   .out = 2,\n   .zero_point = 0,\n   .low = 0,\n   .high = 255},\n",
      "   .shift = two_shift,\n   .in = 2,\n   .out = 2,\n   .low = INT32_MIN,\n   .high = INT32_MAX,\n   .wide = "
      "1},\n",
  };
  for (int i = 0; i < LENGTH(lines); i++) ck_assert_msg(strstr(source, lines[i]) != NULL, "lacks: %s", lines[i]);
  ck_assert_ptr_nonnull(strstr(test, "2405888,      845312,"));
  ck_assert_int_eq(run_command("cd '%s' && %s " STRICT " tiny.c tiny_test.c -o tiny && ./tiny > said && "
                               "test \"$(cat said)\" = 'tiny: 0 of 2 logits differ'",
                               folder(), compiler(0)),
                   0);
  free(source);
  free(test);
  remove_folder();
  rung_program_free(program);
  rung_model_free(model);
  rung_dataset_free(data);
}
END_TEST

static void set_parameter(rung_model *model, const char *name, const float *values) {
  for (int p = 0; p < rung_model_parameter_count(model); p++) {
    const rung_parameter at = rung_model_parameter(model, p);
    if (strcmp(at.name, name) != 0) continue;
    int64_t count;
    expect_ok(rung_shape_count(&at.shape, &count));
    memcpy(at.value, values, (size_t)count * sizeof *values);
    return;
  }
  ck_abort_msg("no parameter %s", name);
}

/* Three inputs, two hidden signs. The bits of weights (1, -1, 1) are 1 0 1, those of (-1, -1, -1), which the batch norm
 * turns around, 1 1 1; acc - 0.5 >= 0 from acc = 1 on, 0.5 - acc >= 0, where acc' = -acc, from acc' = 0 on. */
START_TEST(signs_by_hand) {
  static float x[3] = {1, -1, 1}, targets[2];
  const rung_tensor inputs = {.shape = RUNG_SHAPE(1, 3), .data = x};
  const rung_tensor wanted = {.shape = RUNG_SHAPE(1, 2), .data = targets};
  rung_dataset *data = rung_dataset_new("x", &inputs, NULL, 0, &wanted);
  const recipe of = {.scheme = low_scheme[0], .layers = 2, .width = {3, 2, 2}, .norm = true};
  rung_model *model = recipe_model(&of, &(rung_rng){0});
  set_parameter(model, "fc1.weight", (const float[]){0.9f, -0.9f, 0.9f, -0.9f, -0.9f, -0.9f});
  set_parameter(model, "fc1.norm.weight", (const float[]){1, -1});
  set_parameter(model, "fc1.norm.bias", (const float[]){0, 0});
  set_parameter(model, "fc1.norm.running_mean", (const float[]){0.5f, 0.5f});
  rung_model_touch(model);
  expect_ok(rung_quantize(model, &of.scheme));
  expect_ok(rung_calibrate(model, data, 0));
  rung_program *program = rung_freeze(model);
  ck_assert_msg(program != NULL, "%s", rung_error());
  expect_ok(rung_emit_c(program, "net", folder(), NULL));
  char *source = text_of("net.c"), *header = text_of("net.h");
  static const char *const lines[] = {
      " * product  x1_w1: in - 2 popcount(w ^ x) (eq. 70)\n",
      "static const uint32_t fc1_weight[4] = {\n    0x00000005, 0x00000007, 0x00000000, 0x00000000,\n};\n",
      "static const int32_t fc1_threshold[2] = {\n              1,           0,\n};\n",
      "static uint32_t scratch[2];\n",
  };
  for (int i = 0; i < LENGTH(lines); i++) ck_assert_msg(strstr(source, lines[i]) != NULL, "lacks: %s", lines[i]);
  ck_assert_ptr_nonnull(strstr(header, "An input q of -1 or 1 stands"));
  free(source);
  free(header);
  remove_folder();
  rung_program_free(program);
  rung_model_free(model);
  rung_dataset_free(data);
}
END_TEST

/* The low recipes are worth their name: each form, and each way into planes, is in one of their sources at least. */
START_TEST(the_low_recipes_have_every_form) {
  static const char *const lines[] = {"product  x1_w1:",
                                      "product  x2_w1:",
                                      "product  x1_w2:",
                                      "product  x2_w2:",
                                      "const int q = input_table[",
                                      "const int q = input[k];",
                                      "nonzero |=",
                                      "linear_steps(&layers[1]",
                                      "linear_groups(&layers[0]",
                                      "linear(&layers[0]",
                                      "store_low(y, j, sum",
                                      "store_low(y, j + c",
                                      "put(y, l->planes, j, (int)r)"};
  int found[LENGTH(lines)] = {0};
  for (int i = 0; i < 2 * LENGTH(low_scheme); i++) {
    const recipe of = low_recipe(i);
    rung_program *program = random_program(&of);
    expect_ok(rung_emit_c(program, "net", folder(), NULL));
    char *source = text_of("net.c");
    for (int l = 0; l < LENGTH(lines); l++) found[l] += strstr(source, lines[l]) != NULL;
    free(source);
    rung_program_free(program);
  }
  for (int l = 0; l < LENGTH(lines); l++) ck_assert_msg(found[l] > 0, "none has: %s", lines[l]);
  remove_folder();
}
END_TEST

/* The emitted test passes; with one weight changed it fails. */
START_TEST(the_emitted_test_sees_a_wrong_weight) {
  const recipe of = {.layers = 2, .width = {20, 12, 5}, .seed = 7, .real_inputs = true, .scheme = every_scheme[5 * _i]};
  rung_program *program = random_program(&of);
  expect_ok(rung_emit_c(program, "net", folder(), &(rung_emit_options){.with_test = true}));
  const char *cc = compiler(0);
  ck_assert_int_eq(run_command("cd '%s' && %s " STRICT " net.c net_test.c -o net && ./net > /dev/null", folder(), cc),
                   0);
  ck_assert_int_eq(run_command("cd '%s' && awk '/fc1_weight\\[/ {n = NR + 1} NR == n {sub(/[0-9]+/, \"99\")} {print}' "
                               "net.c > wrong.c && ! cmp -s net.c wrong.c && %s " STRICT " wrong.c net_test.c -o wrong",
                               folder(), cc),
                   0);
  ck_assert_int_ne(run_command("cd '%s' && ./wrong > /dev/null", folder()), 0);
  struct stat about;
  char path[96];
  snprintf(path, sizeof path, "%s/net_test.c", folder());
  ck_assert_int_eq(stat(path, &about), 0);
  ck_assert_int_lt(about.st_size, 4096);
  remove_folder();
  rung_program_free(program);
}
END_TEST

/* ---- The text --------------------------------------------------------------------------------------------------- */

START_TEST(the_same_program_gives_the_same_bytes) {
  const recipe of = network_recipe(2 * _i);
  const rung_emit_options options = {.with_test = true, .bits_packed = true, .cmsis = true};
  static const char *const files[] = {"net.c", "net.h", "net_test.c"};
  char *before[3];
  for (int round = 0; round < 2; round++) {
    rung_program *program = random_program(&of);
    expect_ok(rung_emit_c(program, "net", folder(), &options));
    for (int f = 0; f < 3; f++) {
      char *text = text_of(files[f]);
      if (round == 0) {
        before[f] = text;
        continue;
      }
      ck_assert_str_eq(before[f], text);
      free(text);
      free(before[f]);
    }
    rung_program_free(program);
    remove_folder();
  }
}
END_TEST

static bool has_word(const char *text, const char *word) {
  for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
    bool starts = at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
    char after = at[strlen(word)];
    if (starts && !(isalnum((unsigned char)after) || after == '_')) return true;
  }
  return false;
}

/* No float, no memory of its own, nothing of a library but fixed-width integers and limits. */
START_TEST(the_text_keeps_to_integers) {
  static const char *const absent[] = {"float", "double", "malloc", "free", "printf", "math", "stdlib", "$", "goto"};
  const recipe of = network_recipe(2 * _i);
  rung_program *program = random_program(&of);
  expect_ok(rung_emit_c(program, "net", folder(), NULL));
  char *source = text_of("net.c"), *header = text_of("net.h");
  for (int i = 0; i < LENGTH(absent); i++) ck_assert_msg(!has_word(source, absent[i]), "%s", absent[i]);
  for (int i = 0; i < LENGTH(absent); i++) ck_assert_msg(!has_word(header, absent[i]), "%s", absent[i]);
  int includes = 0;
  for (const char *at = source; (at = strstr(at, "#include")) != NULL; at++) includes++;
  ck_assert_int_eq(includes, 2);
  ck_assert_ptr_nonnull(strstr(source, "#include \"net.h\"\n\n#include <limits.h>\n"));
  for (const char *line = source; *line; line = strchr(line, '\n') + 1)
    ck_assert_msg(strcspn(line, "\n") <= 130, "%.*s", (int)strcspn(line, "\n"), line);
  free(source);
  free(header);
  remove_folder();
  rung_program_free(program);
}
END_TEST

/* Layers of any name: what is no part of an identifier never gets into the text. */
START_TEST(names_of_layers_become_identifiers) {
  static const int32_t labels[1];
  static uint8_t x[4] = {9, 8, 7, 6};
  const rung_tensor inputs = {.type = RUNG_U8, .shape = RUNG_SHAPE(1, 4), .data = x, .scale = 1};
  rung_dataset *data = rung_dataset_new("x", &inputs, labels, 2, NULL);
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 1, .threads = 1});
  rung_node *node = rung_input(model, "x", RUNG_SHAPE(4));
  static const char *const names[] = {"a b", "a_b", "a-b", "*/ int y; /*", "1st", "int", "$name", "a_b_2"};
  for (int i = 0; i < LENGTH(names); i++) node = rung_relu(rung_linear(node, names[i], 3));
  ck_assert_msg(rung_loss_cross_entropy(rung_linear(node, "a?b", 2)) != NULL, "%s", rung_error());
  expect_ok(rung_quantize(model, &(rung_scheme){0}));
  expect_ok(rung_calibrate(model, data, 0));
  rung_program *program = rung_freeze(model);
  ck_assert_msg(program != NULL, "%s", rung_error());
  expect_ok(rung_emit_c(program, "net", folder(), &(rung_emit_options){.with_test = true}));
  char *source = text_of("net.c");
  ck_assert_ptr_null(strstr(source, "*/ int y"));
  ck_assert_ptr_null(strchr(source, '$'));
  free(source);
  ck_assert_int_eq(
      run_command("cd '%s' && %s " STRICT " net.c net_test.c -o net && ./net > /dev/null", folder(), compiler(0)), 0);
  remove_folder();
  rung_program_free(program);
  rung_model_free(model);
  rung_dataset_free(data);
}
END_TEST

/* ---- The report ------------------------------------------------------------------------------------------------- */

/* 10 -> 6 -> 3 by hand: units of 4 by 4, so 8 x 12 and 4 x 8 weights. */
START_TEST(the_report_counts_bytes) {
  static const struct {
    rung_scheme scheme;
    bool packed;
    int64_t weights, constants;
  } cases[] = {{{0}, false, 96 + 32, 2 * 40 + 9 * 9},
               {{.weight_bits = 4}, false, 96 + 32, 2 * 40 + 9 * 9},
               {{.weight_bits = 4}, true, 48 + 16, 2 * 40 + 9 * 9},
               {{.weight_bits = 3}, true, 48 + 16, 2 * 40 + 9 * 9},
               {{.weight_bits = 2}, true, 24 + 8, 2 * 40 + 9 * 9},
               {{.weight_bits = 1}, true, 12 + 4, 2 * 40 + 9 * 9},
               {{.weight_granularity = RUNG_PER_GROUP, .weight_group = 4},
                false,
                96 + 32,
                2 * 48 + 6 * (3 * 4 + 9) + 3 * (2 * 4 + 9)}};
  const recipe of = {.layers = 2, .width = {10, 6, 3}, .seed = 2, .scheme = cases[_i].scheme};
  rung_program *program = random_program(&of);
  rung_emit_report report;
  expect_ok(rung_emit_describe(program, &(rung_emit_options){.bits_packed = cases[_i].packed}, &report));
  ck_assert_int_eq(report.macs, 10 * 6 + 6 * 3);
  ck_assert_int_eq(report.weight_bytes, cases[_i].weights);
  ck_assert_int_eq(report.constant_bytes, cases[_i].constants);
  ck_assert_int_eq(report.ram_bytes, 6);
  ck_assert(report.code_bytes > 300 && report.code_bytes < 1024);
  ck_assert(report.stack_bytes > 50 && report.stack_bytes < 500);
  rung_program_free(program);
}
END_TEST

/* ---- What is refused -------------------------------------------------------------------------------------------- */

START_TEST(names_that_are_none_are_refused) {
  static const struct {
    const char *name, *says;
  } cases[] = {{"", "expected a C identifier"},
               {"7th", "name '7th', expected a C identifier"},
               {"_net", "expected a C identifier that starts with a letter"},
               {"a b", "name 'a b'"},
               {"a/b", "name 'a/b'"},
               {"../x", "name '../x'"},
               {"n\xc3\xa9t", "expected a C identifier"},
               {"a234567890123456789012345678901234567890123456789", "of 1..48 characters"},
               {NULL, "expected a C identifier"},
               {"int", "name 'int' is a keyword"},
               {"namespace", "is a keyword of C or C++"},
               {"math", "name 'math' is that of a header"},
               {"stdint", "is that of a header"}};
  const recipe of = {.layers = 1, .width = {4, 2}, .seed = 2};
  rung_program *program = random_program(&of);
  for (int i = 0; i < LENGTH(cases); i++) {
    ck_assert_int_eq(rung_emit_c(program, cases[i].name, folder(), NULL), RUNG_ERROR_ARGUMENT);
    ck_assert_msg(strstr(rung_error(), cases[i].says) != NULL, "'%s' lacks '%s'", rung_error(), cases[i].says);
  }
  ck_assert_int_eq(access(folder(), F_OK), -1);
  ck_assert_int_eq(rung_emit_c(NULL, "net", folder(), NULL), RUNG_ERROR_ARGUMENT);
  ck_assert_int_eq(rung_emit_c(program, "net", "", NULL), RUNG_ERROR_ARGUMENT);
  const rung_emit_options none = {.with_test = true, .examples = &of};
  ck_assert_int_eq(rung_emit_c(program, "net", folder(), &none), RUNG_ERROR_ARGUMENT);
  rung_program_free(program);
}
END_TEST

/* A folder is made, with those above it; where that cannot be, nothing is left behind. */
START_TEST(folders_are_made_or_named) {
  const recipe of = {.layers = 1, .width = {4, 2}, .seed = 2};
  rung_program *program = random_program(&of);
  char path[128];
  snprintf(path, sizeof path, "%s/above/below/", folder());
  expect_ok(rung_emit_c(program, "net", path, NULL));
  expect_ok(rung_emit_c(program, "net", path, NULL)); /* over what is there */
  ck_assert_int_eq(run_command("test \"$(ls '%s/above/below')\" = \"$(printf 'net.c\\nnet.h')\"", folder()), 0);
  snprintf(path, sizeof path, "%s/above/below/net.c", folder());
  ck_assert_int_eq(rung_emit_c(program, "net", path, NULL), RUNG_ERROR_IO);
  ck_assert_msg(strstr(rung_error(), path) && strstr(rung_error(), "cannot be made a folder"), "%s", rung_error());
  snprintf(path, sizeof path, "%s/above/below/net.c/deeper", folder());
  ck_assert_int_eq(rung_emit_c(program, "net", path, NULL), RUNG_ERROR_IO);
  snprintf(path, sizeof path, "%s/above", folder());
  ck_assert_int_eq(run_command("mkdir '%s/above/other.h'", folder()), 0);
  ck_assert_int_eq(rung_emit_c(program, "other", path, NULL), RUNG_ERROR_IO); /* a folder stands in its place */
  ck_assert_int_eq(run_command("ls '%s/above' | grep -q tmp", folder()) != 0, 1);
  remove_folder();
  rung_program_free(program);
}
END_TEST

TEST_MAIN(CASES(emitted_c_computes_what_the_program_computes, 4), CASE(arm_pairs_of_products_give_the_same),
          CASE(two_by_two_by_hand), CASE(signs_by_hand), CASE(the_low_recipes_have_every_form),
          CASES(the_emitted_test_sees_a_wrong_weight, 2), CASES(the_same_program_gives_the_same_bytes, NETWORKS / 2),
          CASES(the_text_keeps_to_integers, NETWORKS / 2), CASE(names_of_layers_become_identifiers),
          CASES(the_report_counts_bytes, 7), CASE(names_that_are_none_are_refused), CASE(folders_are_made_or_named))
