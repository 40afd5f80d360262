/* The executions of a model that need a compiler or a Python, held against its program: equal, corrupted, absent,
 * failing. */
#include "verify_model.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder in which verifying puts its own, and the tests their compilers. */
static char scratch[64];

static void scratch_open(void) {
  snprintf(scratch, sizeof scratch, "%s/rung-test-XXXXXX", P_tmpdir);
  ck_assert_ptr_nonnull(mkdtemp(scratch));
  setenv("TMPDIR", scratch, 1);
}

/* Nothing may be left behind. */
static void scratch_close(void) {
  DIR *folder = opendir(scratch);
  const struct dirent *entry;
  while ((entry = readdir(folder)))
    ck_assert_msg(strncmp(entry->d_name, "rung-verify", 11) != 0, "%s is left behind", entry->d_name);
  rewinddir(folder);
  while ((entry = readdir(folder)))
    if (entry->d_name[0] != '.') ck_assert_int_eq(unlinkat(dirfd(folder), entry->d_name, 0), 0);
  closedir(folder);
  ck_assert_int_eq(rmdir(scratch), 0);
  unsetenv("TMPDIR");
}

/* A compiler that first edits one of the sources with sed. */
static const char *editing_compiler(const char *file, const char *edit) {
  static char command[128];
  char path[96];
  snprintf(path, sizeof path, "%s/compiler", scratch);
  FILE *script = fopen(path, "w");
  ck_assert_ptr_nonnull(script);
  fprintf(script, "for word; do case $word in */%s) sed -i '%s' \"$word\" ;; esac; done\nexec cc \"$@\"\n", file, edit);
  fclose(script);
  snprintf(command, sizeof command, "sh %s", path);
  return command;
}

/* Whether it ran; what may be absent is said in words. */
static bool ran(const rung_verification *verification, rung_execution execution) {
  const rung_execution_summary summary = rung_verification_summary(verification, execution);
  ck_assert_msg(summary.outcome == RUNG_OUTCOME_RAN || summary.outcome == RUNG_OUTCOME_NOT_AVAILABLE, "%s: %s",
                rung_execution_name(execution), summary.reason);
  if (summary.outcome == RUNG_OUTCOME_NOT_AVAILABLE) ck_assert_str_ne(summary.reason, "");
  return summary.outcome == RUNG_OUTCOME_RAN;
}

static rung_execution_summary emitted_by(rung_model *model, const rung_dataset *data, const char *compiler,
                                         const char *runner) {
  rung_verification *verification =
      verify(model, data,
             &(rung_verify_options){.executions = OF(EMITTED) | OF(TRAINING), .compiler = compiler, .runner = runner});
  static char reason[256];
  rung_execution_summary summary = rung_verification_summary(verification, RUNG_EXECUTION_EMITTED);
  snprintf(reason, sizeof reason, "%s", summary.reason);
  summary.reason = reason;
  expect_exact(verification, RUNG_EXECUTION_TRAINING, rung_verification_examples(verification));
  ck_assert_int_eq(rung_verification_exact(verification), summary.outcome != RUNG_OUTCOME_FAILED);
  rung_verification_free(verification);
  return summary;
}

/* Without a compiler there is nothing to test here. */
static void need_compiler(void) {
  if (system("cc --version >/dev/null 2>&1") != 0) test_skip("no C compiler named cc");
  scratch_open();
}

/* On every network, with every scheme that differs in what is emitted. */
START_TEST(the_emitted_c_is_the_program) {
  need_compiler();
  pictures data = pictures_load(160, 100);
  rung_model *model = calibrated((network)_i, data.train, &schemes[_i % 6]);
  fit(model, data.train, 1, 1e-3f);
  rung_verification *verification = verify_these(model, data.test, OF(EMITTED));
  expect_exact(verification, RUNG_EXECUTION_EMITTED, 100);
  ck_assert(rung_verification_exact(verification));
  rung_verification_free(verification);
  rung_model_free(model);
  pictures_free(&data);
  scratch_close();
}
END_TEST

/* One multiplier in the C is another: the first activation that comes out otherwise is named, with the accumulator that
 * the layer has by hand. */
START_TEST(a_corrupted_multiplier_is_found) {
  need_compiler();
  pictures data = pictures_load(300, 150);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &schemes[0]);
  rung_program *program = freeze(model);
  const rung_integer_layer *layer = &program->layer[0].instruction.integers;
  enum { CHANNEL = 2 };
  const int32_t multiplier = layer->multiplier[CHANNEL], other = multiplier - (1 << 26);
  int64_t example = -1, differ = 0;
  int32_t good = 0, bad = 0;
  for (int64_t i = 0; i < 150; i++) {
    const uint8_t *pixel = (const uint8_t *)data.test->inputs.data + i * 784;
    int64_t sum = layer->bias[CHANNEL];
    for (int k = 0; k < 784; k++) sum += pixel[k] * layer->weight[CHANNEL * 784 + k];
    int32_t value[2];
    for (int m = 0; m < 2; m++) {
      double real = ldexp((double)sum * (m ? other : multiplier), -layer->shift[CHANNEL]) + layer->output_zero_point;
      value[m] = (int32_t)fmin(fmax(floor(real + 0.5), layer->qmin), layer->qmax);
    }
    if (value[0] == value[1]) continue;
    differ++;
    if (example >= 0) continue;
    example = i;
    good = value[0];
    bad = value[1];
  }
  ck_assert_int_gt(differ, 0);
  char edit[64];
  snprintf(edit, sizeof edit, "s/\\b%d\\b/%d/", multiplier, other);
  rung_verification *verification =
      verify(model, data.test,
             &(rung_verify_options){.executions = ALL & ~OF(ONNX), .compiler = editing_compiler("network.c", edit)});
  ck_assert(!rung_verification_exact(verification));
  expect_exact(verification, RUNG_EXECUTION_TRAINING, 150);
  ck_assert_int_eq(rung_verification_at(verification, RUNG_EXECUTION_EMITTED, 0).differ, differ);
  rung_difference first;
  ck_assert(rung_verification_first(verification, RUNG_EXECUTION_EMITTED, RUNG_EXECUTION_TRAINING, &first));
  ck_assert_int_eq(first.example, example);
  ck_assert_int_eq(first.layer, 0);
  ck_assert_int_eq(first.index, CHANNEL);
  ck_assert_int_eq(first.value[0], bad);
  ck_assert_int_eq(first.value[1], good);
  ck_assert_int_eq(first.expected, good); /* the emitted C is wrong */
  expect_by_hand(program, data.test, &first);
  rung_verification_free(verification);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
  scratch_close();
}
END_TEST

static int32_t clamped(const rung_program *program, int layer, double x) {
  const rung_integer_layer *integers = &program->layer[layer].instruction.integers;
  return (int32_t)fmin(fmax(floor(x), integers->qmin), integers->qmax);
}

/* A bias of the second of three layers, and a rounding that is none: what the layer before hands over is the same. */
START_TEST(a_corruption_deep_inside_is_found) {
  need_compiler();
  pictures data = pictures_load(300, 70);
  rung_model *model = calibrated(NETWORK_DEEP, data.train, &schemes[0]);
  rung_program *program = freeze(model);
  const int32_t bias = program->layer[1].instruction.integers.bias[11];
  char edit[64];
  snprintf(edit, sizeof edit, "/fc3_bias/,/}/s/\\( \\|^\\)%d,/\\1%d,/", bias, bias + 300);
  rung_verification *verification =
      verify(model, data.test,
             &(rung_verify_options){.executions = OF(EMITTED),
                                    .compiler = editing_compiler("network.c", _i ? "s/ + 1) >> 1)/) >> 1)/" : edit)});
  ck_assert(!rung_verification_exact(verification));
  rung_difference first;
  ck_assert(rung_verification_first(verification, RUNG_EXECUTION_PROGRAM, RUNG_EXECUTION_EMITTED, &first));
  ck_assert_int_eq(first.value[0], first.expected);
  ck_assert_int_eq(first.expected, clamped(program, first.layer, first.exact + 0.5));
  if (_i) {
    ck_assert_int_eq(first.value[1], clamped(program, 0, first.exact));
    ck_assert_int_eq(first.layer, 0);
    ck_assert_int_eq(first.example, 0);
  } else {
    const double step = ldexp(first.multiplier, -first.shift);
    ck_assert_int_eq(first.layer, 1);
    ck_assert_int_eq(first.index, 11);
    ck_assert_str_eq(rung_verification_layer(verification, first.layer), "fc3");
    ck_assert_int_eq(first.value[1], clamped(program, 1, first.exact + 300 * step + 0.5));
  }
  rung_verification_free(verification);
  rung_program_free(program);
  rung_model_free(model);
  pictures_free(&data);
  scratch_close();
}
END_TEST

START_TEST(a_compiler_that_is_not_there) {
  scratch_open();
  pictures data = pictures_load(100, 20);
  rung_model *model = calibrated(NETWORK_ONE_LAYER, data.train, &schemes[0]);
  rung_execution_summary summary = emitted_by(model, data.test, "no-such-compiler -O1", NULL);
  ck_assert_int_eq(summary.outcome, RUNG_OUTCOME_NOT_AVAILABLE);
  expect_says(summary.reason, "no-such-compiler: ");
  setenv("CC", "no-such-cc", 1);
  summary = emitted_by(model, data.test, NULL, NULL);
  unsetenv("CC");
  ck_assert_int_eq(summary.outcome, RUNG_OUTCOME_NOT_AVAILABLE);
  expect_says(summary.reason, "no-such-cc: ");
  summary = emitted_by(model, data.test, " ", NULL);
  ck_assert_int_eq(summary.outcome, RUNG_OUTCOME_NOT_AVAILABLE);
  rung_model_free(model);
  pictures_free(&data);
  scratch_close();
}
END_TEST

START_TEST(emitted_c_that_fails) {
  need_compiler();
  pictures data = pictures_load(100, 100);
  rung_model *model = calibrated(NETWORK_RELU, data.train, &schemes[0]);
  rung_execution_summary summary =
      emitted_by(model, data.test, editing_compiler("network.c", "1i #error broken on purpose"), NULL);
  ck_assert_int_eq(summary.outcome, RUNG_OUTCOME_FAILED);
  expect_says(summary.reason, "sh: exit code 1: network.c:1:");
  expect_says(summary.reason, "broken on purpose");
  summary =
      emitted_by(model, data.test, editing_compiler("main.c", "s/network_run(.*/if (i == 40) return 3; &/"), NULL);
  ck_assert_int_eq(summary.outcome, RUNG_OUTCOME_FAILED);
  expect_says(summary.reason, "exit code 3");
  ck_assert_int_eq(summary.differ + summary.differ_logits + summary.agree, 0);
  summary = emitted_by(model, data.test, "cc", "false");
  ck_assert_int_eq(summary.outcome, RUNG_OUTCOME_FAILED);
  summary = emitted_by(model, data.test, "cc", "no-such-emulator");
  ck_assert_int_eq(summary.outcome, RUNG_OUTCOME_NOT_AVAILABLE);
  expect_says(summary.reason, "no-such-emulator: ");
  summary = emitted_by(model, data.test, "cc -O0", "env LANG=C");
  ck_assert_int_eq(summary.outcome, RUNG_OUTCOME_RAN);
  rung_model_free(model);
  pictures_free(&data);
  scratch_close();
}
END_TEST

START_TEST(a_python_without_onnxruntime) {
  scratch_open();
  pictures data = pictures_load(100, 20);
  rung_model *model = calibrated(NETWORK_ONE_LAYER, data.train, &schemes[0]);
  const char *const pythons[] = {"python3 -I -S", "no-such-python"};
  for (int i = 0; i < LENGTH(pythons); i++) {
    rung_verification *verification =
        verify(model, data.test, &(rung_verify_options){.executions = OF(ONNX), .python = pythons[i]});
    ck_assert(!ran(verification, RUNG_EXECUTION_ONNX));
    ck_assert(rung_verification_exact(verification) && rung_verification_within_a_step(verification));
    rung_verification_free(verification);
  }
  rung_model_free(model);
  pictures_free(&data);
  scratch_close();
}
END_TEST

/* No activation more than a step away, and none without a reason. */
static void expect_near(const rung_verification *verification) {
  for (int i = 0; i + 1 < rung_verification_layers(verification); i++) {
    const rung_layer_agreement at = rung_verification_at(verification, RUNG_EXECUTION_ONNX, i);
    ck_assert_int_eq(at.unexplained, 0);
  }
}

START_TEST(onnx_runtime_is_near) {
  pictures data = pictures_load(160, 100);
  const rung_scheme *scheme = &schemes[_i];
  rung_model *model = calibrated(_i % 2 ? NETWORK_RESHAPE : NETWORK_DEEP, data.train, scheme);
  fit(model, data.train, 1, 1e-3f);
  rung_verification *verification = verify_these(model, data.test, OF(ONNX));
  if (!ran(verification, RUNG_EXECUTION_ONNX))
    test_skip(rung_verification_summary(verification, RUNG_EXECUTION_ONNX).reason);
  const rung_execution_summary summary = rung_verification_summary(verification, RUNG_EXECUTION_ONNX);
  expect_near(verification);
  ck_assert(scheme->weight_bits == 2 || (summary.agree >= 99 && summary.largest <= 1));
  rung_verification_free(verification);
  rung_model_free(model);
  pictures_free(&data);
}
END_TEST

/* ---- Random networks -------------------------------------------------------------------------------------------- */

static int between(rung_rng *rng, int low, int high) {
  return low + (int)rung_rng_below(rng, (uint32_t)(high - low + 1));
}

/* Random inputs of `width` numbers, real or u8, with labels. */
static rung_dataset *random_data(rung_rng *rng, int count, int width, bool real, void *memory, int32_t *labels) {
  for (int i = 0; i < count; i++) labels[i] = between(rng, 0, 2);
  for (int i = 0; i < count * width; i++) {
    if (real)
      ((float *)memory)[i] = rung_rng_normal(rng);
    else
      ((uint8_t *)memory)[i] = (uint8_t)between(rng, 0, 255);
  }
  const rung_tensor inputs = {.type = real ? RUNG_F32 : RUNG_U8,
                              .shape = RUNG_SHAPE(count, width),
                              .data = memory,
                              .scale = 0.01f,
                              .zero_point = real ? 0 : between(rng, 0, 255)};
  return rung_dataset_new("random", &inputs, labels, 3, NULL);
}

static rung_scheme random_scheme(rung_rng *rng) {
  rung_scheme scheme = {.weight_bits = between(rng, 1, 8),
                        .activation_bits = between(rng, 2, 8),
                        .weight_granularity = (rung_granularity)between(rng, 0, 2),
                        .activation_signed = between(rng, 0, 1)};
  if (scheme.weight_granularity == RUNG_PER_GROUP) scheme.weight_group = 4 * between(rng, 1, 4);
  return scheme;
}

static rung_model *random_model(rung_rng *rng, int width) {
  rung_model *model = rung_model_new(&(rung_model_options){.batch = 32, .threads = 1, .seed = rung_rng_u32(rng)});
  rung_node *x = rung_input(model, "x", RUNG_SHAPE(width));
  for (int layer = between(rng, 0, 4); layer > 0; layer--) {
    char name[32];
    snprintf(name, sizeof name, "hidden%d", layer);
    x = rung_linear(x, name, between(rng, 1, 40));
    if (between(rng, 0, 3) > 0) x = between(rng, 0, 1) ? rung_relu(x) : rung_relu6(x);
  }
  rung_loss_cross_entropy(rung_linear(x, "last", 3));
  return model;
}

START_TEST(random_networks_in_every_way) {
  enum { COUNT = 70, WIDEST = 50 };
  static float memory[COUNT * WIDEST];
  int32_t labels[COUNT];
  const rung_rng seed = rung_rng_seed(8);
  rung_rng rng = rung_rng_split(&seed, (uint64_t)_i);
  const int width = between(&rng, 1, WIDEST);
  need_compiler();
  rung_dataset *data = random_data(&rng, COUNT, width, _i % 2, memory, labels);
  rung_model *model = random_model(&rng, width);
  const rung_scheme scheme = random_scheme(&rng);
  fit(model, data, 3, 5e-2f);
  calibrate(model, data, &scheme);
  const rung_emit_options emit = {.bits_packed = _i % 3 == 1, .cmsis = _i % 3 == 2};
  rung_verification *verification = verify(model, data, &(rung_verify_options){.emit = &emit});
  for (rung_execution e = RUNG_EXECUTION_EVALUATION; e <= RUNG_EXECUTION_EMITTED; e++)
    expect_exact(verification, e, COUNT);
  if (ran(verification, RUNG_EXECUTION_ONNX)) expect_near(verification);
  ck_assert(rung_verification_exact(verification));
  rung_verification_free(verification);
  rung_model_free(model);
  rung_dataset_free(data);
  scratch_close();
}
END_TEST

TEST_MAIN(CASES(the_emitted_c_is_the_program, NETWORK_COUNT), CASE(a_corrupted_multiplier_is_found),
          CASES(a_corruption_deep_inside_is_found, 2), CASE(a_compiler_that_is_not_there), CASE(emitted_c_that_fails),
          CASE(a_python_without_onnxruntime), CASES(onnx_runtime_is_near, LENGTH(schemes)),
          CASES(random_networks_in_every_way, 12))
