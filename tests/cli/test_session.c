/* A whole session on the sample of MNIST, from training to C; the other kinds of data; what each command leaves. */
#include "cli.h"

#define LAYERS "linear 32, relu, linear 10"
#define FAST   "--threads", "1", "--seed", "7"

/* digits.safetensors, digits-w8a8.safetensors and digits-qat.safetensors in the folder; hashes of the first and last.
 */
static void make_models(const char **float_hash, const char **qat_hash) {
  const run *r = RUN("train", "--data", SAMPLE, "--model", LAYERS, "--epochs", "2", "-o", "digits.safetensors", FAST);
  expect_run(r, 0, "digits.safetensors ");
  expect_in(r->out, "FP32 epoch  2/2  loss ");
  expect_in(r->out, "fp32 test: ");
  expect_in(r->out, "wrote digits.safetensors\n");
  *float_hash = weights_hash(r);
  r = CONTINUE("quantize", "digits.safetensors", "--data", SAMPLE, "--bits", "w8a8", "-o", "digits-w8a8.safetensors",
               "--threads", "1");
  expect_run(r, 0, "digits-w8a8.safetensors digits.safetensors ");
  expect_in(r->out, "w8a8 test: ");
  expect_in(r->out, " bytes of parameters instead of 101800\n");
  ck_assert_str_eq(weights_hash(r), *float_hash);
  r = CONTINUE("train", "--from", "digits-w8a8.safetensors", "--data", SAMPLE, "--epochs", "1", "-o",
               "digits-qat.safetensors", "--threads", "1");
  expect_run(r, 0, "digits-qat.safetensors digits-w8a8.safetensors digits.safetensors ");
  expect_in(r->out, "QAT epoch  1/1  loss ");
  *qat_hash = weights_hash(r);
}

/* The last word of what mnist_mlp prints. */
static void expect_example_hash(const char *qat_epochs, const char *hash) {
#ifdef MNIST_MLP
  char line[2048];
  snprintf(line, sizeof line,
           "[[ $(%s --data %s --hidden 32 --epochs 2 --qat-epochs %s --seed 7 --threads 1) == *\"weights $1\" ]]",
           MNIST_MLP, SAMPLE, qat_epochs);
  expect_shell(line, hash);
#else
  (void)qat_epochs, (void)hash;
#endif
}

START_TEST(the_command_trains_to_the_weights_of_the_example) {
  const char *float_hash, *qat_hash;
  make_models(&float_hash, &qat_hash);
  expect_example_hash("0", float_hash);
  expect_example_hash("1", qat_hash);
}
END_TEST

START_TEST(verify_finds_no_difference) {
  const char *float_hash, *qat_hash;
  make_models(&float_hash, &qat_hash);
  const run *r = CONTINUE("verify", "digits-qat.safetensors", "--data", SAMPLE, "--examples", "100", "--without",
                          "onnx,simulated", "--threads", "1", "--json");
  expect_run(r, 0, r->left);
  expect_json(r->out, "assert r['exact'] is True and r['verification'], r");
  r = CONTINUE("verify", "digits-qat.safetensors", "--data", SAMPLE, "-n", "9", "--without", "emitted,simulated",
               "--python", "no-such-python");
  expect_run(r, 0, r->left);
  expect_in(r->out, "not available: ");
  if (!strstr(r->out, "no ONNX")) expect_in(r->out, "for onnx: --python COMMAND names a Python that has onnxruntime\n");
  r = CONTINUE("verify", "digits.safetensors", "--data", SAMPLE);
  command_refused(r, "digits.safetensors: a model in FP32, expected a quantized one",
                  r->left); /* FP32: nothing to verify */
}
END_TEST

START_TEST(program_and_model_run_alike) {
  const char *float_hash, *qat_hash;
  make_models(&float_hash, &qat_hash);
  const run *r = CONTINUE("freeze", "digits-qat.safetensors", "-o", "program.safetensors");
  expect_run(r, 0, "digits-qat.safetensors digits-w8a8.safetensors digits.safetensors program.safetensors ");
  expect_in(r->out, "2 layers, 784 inputs, 10 outputs, ");
  r = CONTINUE("run", "program.safetensors", "--data", SAMPLE, "--out", "program.npy");
  expect_run(r, 0, r->left);
  expect_in(r->out, " of 1000 examples are right");
  r = CONTINUE("run", "digits-qat.safetensors", "--data", SAMPLE, "--out", "model.npy", "--json");
  expect_run(r, 0, r->left);
  expect_json(r->out, "assert r['examples'] == 1000 and r['right'] == round(1000 * r['accuracy']) > 300, r\n"
                      "assert r['out'] == 'model.npy' and r['us_per_example'] > 0 and r['logit_scale'] > 0, r");
  expect_shell("cd \"$1\" && cmp program.npy model.npy && [[ $(wc -c < model.npy) == 40128 ]]", scratch_path("run"));
  expect_run(CONTINUE("run", "program.safetensors", "--data", SAMPLE, "-n", "3", "-o", "l.csv"), 0, r->left);
  expect_shell("[[ $(grep -cE '^(-?[0-9]+,){9}-?[0-9]+$' \"$1\") == 3 ]]", scratch_path("run/l.csv"));
  expect_run(CONTINUE("run", "program.safetensors", "--data", SAMPLE, "--require-accuracy", "30"), 0, r->left);
  r = CONTINUE("run", "program.safetensors", "--data", SAMPLE, "--require-accuracy", "99.9");
  expect_run(r, 1, r->left);
  expect_in(r->out, "--require-accuracy 99.9: only ");
}
END_TEST

/* A file that is read is not written over by one of another kind, whatever it is called. */
START_TEST(an_output_never_takes_the_place_of_its_source) {
  static const char *const lines[][7] = {{"freeze", "q", "-o", "q"},
                                         {"freeze", "q", "-o", "./q"},
                                         {"freeze", "q", "-o", "soft"},
                                         {"freeze", "soft", "-o", "q"},
                                         {"freeze", "q", "-o", "hard"},
                                         {"export", "onnx", "q", "-o", "q"},
                                         {"export", "onnx", "--float", "q", "-o", "q"},
                                         {"export", "safetensors", "q", "-o", "q"},
                                         {"run", "q", "--data", SAMPLE, "-o", "q.csv"}};
  RUN("train", "--data", SAMPLE, "--model", LAYERS, "--epochs", "1", "-o", "q", FAST);
  const run *r = CONTINUE("quantize", "q", "--data", SAMPLE, "-o", "q", "--threads", "1"); /* a model again */
  expect_run(r, 0, "q ");
  expect_shell("cd \"$1\" && ln -s q soft && ln q hard && ln -s q q.csv && cp q ../before", scratch_path("run"));
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    r = command_continue("run", NULL, lines[i]);
    command_refused(r, lines[i][0][0] == 'r' ? "': is the file of PROGRAM" : "': is the file of MODEL",
                    "hard q q.csv soft ");
  }
  expect_shell("cd \"$1\" && cmp q ../before", scratch_path("run"));
  r = CONTINUE("train", "--from", "q", "--data", SAMPLE, "--epochs", "1", "-o", "q", "--threads", "1");
  expect_run(r, 0, r->left);
}
END_TEST

START_TEST(every_form_is_written_and_inspected) {
  static const struct {
    const char *arguments[8], *file, *says;
  } forms[] = {
      {{"export", "c", "digits-qat.safetensors", "--name", "digits", "-o", "out/"}, "out", NULL},
      {{"export", "onnx", "digits-qat.safetensors", "-o", "qdq.onnx"}, "qdq.onnx", "fc1"},
      {{"export", "onnx", "--float", "digits.safetensors", "-o", "f32.onnx"}, "f32.onnx", "fc1"},
      {{"export", "safetensors", "digits.safetensors", "-o", "weights.safetensors"},
       "weights.safetensors",
       "[32, 784]"},
      {{"freeze", "digits-qat.safetensors", "-o", "p.safetensors"}, "p.safetensors", "integer program, 2 layers"},
      {{"version"}, "digits.safetensors", "fp32, 25450 parameters"},
      {{"version"}, "digits-qat.safetensors", "w8a8, 25450 parameters"},
  };
  const char *float_hash, *qat_hash;
  make_models(&float_hash, &qat_hash);
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    const run *r = command_continue("run", NULL, forms[i].arguments);
    if (strstr(r->error, "no ONNX")) continue;
    expect_run(r, 0, r->left);
    expect_in(r->left, forms[i].file);
    if (!forms[i].says) continue;
    r = CONTINUE("inspect", forms[i].file);
    expect_run(r, 0, r->left);
    expect_in(r->out, forms[i].says);
    r = CONTINUE("inspect", "--json", forms[i].file);
    expect_run(r, 0, r->left);
    expect_json(r->out, "assert r['file'] and r['kind'] in ('model', 'program', 'safetensors', 'onnx'), r");
  }
  expect_shell("cd \"$1\" && ls digits.c digits.h >/dev/null && command -v cc >/dev/null || exit 77; "
               "cc -std=c99 -Wall -Wextra -Werror -c digits.c -o digits.o",
               scratch_path("run/out"));
}
END_TEST

START_TEST(weights_come_back) {
  const char *float_hash, *qat_hash;
  make_models(&float_hash, &qat_hash);
  CONTINUE("export", "safetensors", "digits.safetensors", "-o", "weights.safetensors");
  const run *r =
      CONTINUE("import", "weights.safetensors", "--model", LAYERS, "--input", "28x28", "-o", "back.safetensors");
  expect_run(r, 0, r->left);
  ck_assert_str_eq(weights_hash(r), float_hash);
  r = CONTINUE("import", "weights.safetensors", "--model", "linear 16, relu, linear 10", "--input", "28x28", "-o",
               "no");
  command_refused(r, "weights.safetensors: ", r->left);
  ck_assert_ptr_null(strstr(r->left, "no "));
  r = CONTINUE("export", "onnx", "--float", "digits.safetensors", "-o", "f32.onnx");
  if (strstr(r->error, "no ONNX")) test_skip("no ONNX");
  r = CONTINUE("import", "f32.onnx", "-o", "back.safetensors");
  expect_run(r, 0, r->left);
  ck_assert_str_eq(weights_hash(r), float_hash);
}
END_TEST

/* ---- Other data ------------------------------------------------------------------------------------------------- */

/* Two classes apart, 200 rows; and y = x1 - 2 x2. */
static void write_tables(void) {
  expect_shell("mkdir -p \"$1\" && cd \"$1\" && awk 'BEGIN { for (i = 0; i < 200; i++) { a = i * 37 % 101 / 100; "
               "b = i * 61 % 103 / 100; print a \",\" b \",\" (a > b ? \"more\" : \"less\") > \"classes.csv\"; "
               "print a \",\" b \",\" a - 2 * b > \"curve.csv\" } }'",
               scratch_path("run"));
}

START_TEST(a_table_of_classes_is_trained_quantized_and_run) {
  scratch_remove_tree(scratch_path("run"));
  write_tables();
  const run *r =
      CONTINUE("train", "--data", "classes.csv", "--validation", "0.1", "--model", "linear 16, relu, linear 2",
               "--epochs", "60", "--batch", "20", "--rate", "1e-2", "-o", "m", "--threads", "1");
  expect_run(r, 0, "classes.csv curve.csv m ");
  expect_in(r->out, "  validation ");
  expect_in(r->out, "classes: 0 less, 1 more\n");
  r = CONTINUE("quantize", "m", "--data", "classes.csv", "--test", "classes.csv", "--bits", "w8a8", "-o", "q",
               "--require-accuracy", "90");
  expect_run(r, 0, "classes.csv curve.csv m q ");
  expect_in(r->out, "classes: 0 less, 1 more\n");
  expect_run(CONTINUE("run", "q", "--data", "classes.csv", "--require-accuracy", "90"), 0, r->left);
  r = CONTINUE("run", "q", "--data", "classes.csv", "--json");
  expect_run(r, 0, r->left);
  expect_json(r->out, "assert r['classes'] == ['less', 'more'], r");
}
END_TEST

START_TEST(of_many_classes_the_first_are_told) {
  scratch_remove_tree(scratch_path("run"));
  expect_shell("mkdir -p \"$1\" && cd \"$1\" && awk 'BEGIN { for (i = 0; i < 15; i++) print i \",c\" "
               "substr(\"abcdefghijklmno\", i + 1, 1) }' > many.csv",
               scratch_path("run"));
  const run *r = CONTINUE("train", "--data", "many.csv", "--model", "linear 15", "--epochs", "1", "-o", "m");
  expect_run(r, 0, "m many.csv ");
  expect_in(r->out, "classes: 0 ca, 1 cb, ");
  expect_in(r->out, ", 11 cl, ... (15 in all)\n");
}
END_TEST

/* It trains on; that it ends in no program is told before. */
START_TEST(training_on_without_a_program_says_so) {
  scratch_remove_tree(scratch_path("run"));
  write_tables();
  const run *r = CONTINUE("train", "--data", "classes.csv", "--model", "linear 8, gelu, linear 2", "--epochs", "1",
                          "-o", "m", FAST);
  expect_run(r, 0, r->left);
  r = CONTINUE("quantize", "m", "--data", "classes.csv", "-o", "q");
  expect_run(r, 0, r->left);
  expect_in(r->out, "no integer program: the gelu behind 'fc1' has no integer form");
  r = CONTINUE("train", "--from", "q", "--data", "classes.csv", "--epochs", "1", "-o", "t");
  expect_run(r, 0, r->left);
  const char *told = strstr(r->out, "no integer program: the gelu behind 'fc1' has no integer form");
  ck_assert_msg(told && told < strstr(r->out, "QAT epoch"), "%s", r->out);
  r = CONTINUE("train", "--from", "q", "--data", "classes.csv", "--epochs", "1", "-o", "t", "--json");
  expect_json(r->out, "assert 'gelu' in r['not_frozen'], r");
  r = CONTINUE("freeze", "q", "-o", "p");
  command_refused(r, "rung freeze: the gelu behind 'fc1'", r->left); /* the prefix once */
  r = CONTINUE("train", "--data", "classes.csv", "--model", "linear 8, relu, batch-norm, linear 2", "--epochs", "1",
               "-o", "m", FAST);
  expect_run(r, 0, r->left);
  r = CONTINUE("quantize", "m", "--data", "classes.csv", "-o", "q");
  expect_in(r->out, "no integer program: the batch norm 'bn1' has no integer form where it stands");
}
END_TEST

START_TEST(a_regression_is_trained_quantized_and_run) {
  scratch_remove_tree(scratch_path("run"));
  write_tables();
  const run *r =
      CONTINUE("train", "--data", "curve.csv", "--task", "regression", "--model", "linear 16, relu, linear 1",
               "--epochs", "60", "--batch", "20", "--rate", "1e-2", "-o", "m", "--threads", "1");
  expect_run(r, 0, "classes.csv curve.csv m ");
  r = CONTINUE("quantize", "m", "--data", "curve.csv", "--task", "regression", "-o", "q");
  expect_run(r, 0, "classes.csv curve.csv m q ");
  r = CONTINUE("run", "q", "--data", "curve.csv", "--task", "regression", "--real", "-o", "y.csv", "--json");
  expect_run(r, 0, r->left);
  expect_json(r->out, "assert r['mean_squared_error'] < 0.01 and 'accuracy' not in r, r");
  static const char wants[] = "--require-accuracy: curve.csv is a regression, which has no accuracy";
  r = CONTINUE("run", "q", "--data", "curve.csv", "--task", "regression", "--require-accuracy", "9");
  command_refused(r, wants, r->left);
  r = CONTINUE("quantize", "m", "--data", "curve.csv", "--task", "regression", "-o", "n", "--require-accuracy", "9");
  command_refused(r, wants, r->left);
  r = CONTINUE("train", "--data", "curve.csv", "--task", "regression", "--targets", "last 2", "--from", "m", "-o", "n");
  command_refused(r, "curve.csv: 1 input an example, the network takes 2", r->left);
  r = CONTINUE("train", "--data", "curve.csv", "--task", "regression", "--model", "linear 2", "-o", "n");
  command_refused(r, "curve.csv: 1 target an example, the network gives 2", r->left);
  r = CONTINUE("run", "q", "--data", "classes.csv");
  command_refused(r, "classes.csv: has 2 classes, the program gives 1 logits", r->left);
}
END_TEST

/* ---- Reports ---------------------------------------------------------------------------------------------------- */

START_TEST(json_is_one_object_and_progress_goes_to_standard_error) {
  const run *r = RUN("train", "--data", SAMPLE, "--model", LAYERS, "--epochs", "2", "-o", "m", "--json", FAST);
  if (strstr(r->error, "no cJSON")) test_skip("no cJSON");
  ck_assert_int_eq(r->status, 0);
  expect_in(r->error, "FP32 epoch  2/2  loss ");
  expect_json(r->out, "assert [e['epoch'] for e in r['epochs']] == [1, 2] and r['finished'] is True, r\n"
                      "assert r['bits'] == 'fp32' and r['parameters'] == 25450 and len(r['weights_hash']) == 16, r\n"
                      "assert r['test']['examples'] == 1000 and 0.3 < r['test']['accuracy'] <= 1, r");
  r = RUN("train", "--data", SAMPLE, "--model", LAYERS, "--epochs", "1", "-o", "m", "--json", "--quiet", FAST);
  ck_assert_str_eq(r->error, "");
  expect_json(r->out, "assert r['finished'], r");
  r = RUN("train", "--data", SAMPLE, "--model", LAYERS, "--epochs", "1", "-o", "m", "--quiet", FAST);
  expect_run(r, 0, "m ");
  ck_assert_str_eq(r->out, "");
}
END_TEST

/* A training that diverges leaves no model, and says so in one line. */
START_TEST(a_training_that_diverges_is_one_line_and_2) {
  scratch_remove_tree(scratch_path("run"));
  write_tables();
  const run *r =
      CONTINUE("train", "--data", "curve.csv", "--task", "regression", "--model", "linear 64, relu, linear 1",
               "--epochs", "9", "--rate", "10", "--optimizer", "sgd", "-o", "m", "--quiet", FAST);
  command_refused(r, "the training diverged", "classes.csv curve.csv m.checkpoint "); /* of the epoch before */
}
END_TEST

TEST_MAIN(CASE(the_command_trains_to_the_weights_of_the_example), CASE(verify_finds_no_difference),
          CASE(program_and_model_run_alike), CASE(an_output_never_takes_the_place_of_its_source),
          CASE(every_form_is_written_and_inspected), CASE(weights_come_back),
          CASE(a_table_of_classes_is_trained_quantized_and_run), CASE(of_many_classes_the_first_are_told),
          CASE(training_on_without_a_program_says_so), CASE(a_regression_is_trained_quantized_and_run),
          CASE(json_is_one_object_and_progress_goes_to_standard_error),
          CASE(a_training_that_diverges_is_one_line_and_2))
