/* The command mnist_mlp from outside: what it prints and writes, and that bad input gets one line and exit status 2. */
#define _GNU_SOURCE     /* of posix_openpt */
#define COMMAND_PROGRAM MNIST_MLP
#define COMMAND_NAME    "mnist_mlp"
#include "command.h"

#define SAMPLE TEST_DATA "/data/mnist-sample"

/* The least that a run can do, on the small dataset. */
#define LEAST(data) "--data", data, "--hidden", "4", "--epochs", "0", "--qat-epochs", "0", "--threads", "1"
#define RUN(...)    command_run("run", NULL, (const char *const[]){__VA_ARGS__, NULL})

/* ---- Bad command lines ------------------------------------------------------------------------------------------ */

static const struct {
  const char *arguments[3];
  const char *says;
} bad_lines[] = {
    {{"--bits", "w9a0"}, "bits 'w9a0': expected wNaM with N and M in 1..8"},
    {{"--bits", "w8"}, "'w8'"},
    {{"--bits", "w8a8x"}, "'w8a8x'"},
    {{"--bits", ""}, "''"},
    {{"--hidden", "0"}, "--hidden '0': expected a whole number in 1..65536"},
    {{"--hidden", ""}, "--hidden ''"},
    {{"--hidden", "256,"}, "--hidden ''"},
    {{"--hidden", "256,x"}, "--hidden 'x'"},
    {{"--hidden", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"}, "at most 16 layers"},
    {{"--epochs", "-1"}, "--epochs '-1'"},
    {{"--qat-epochs", "two"}, "--qat-epochs 'two'"},
    {{"--batch", "0"}, "--batch '0'"},
    {{"--batch", "99999999999999999999"}, "--batch '99999999999999999999'"},
    {{"--lr", "0"}, "--lr '0'"},
    {{"--lr", "nan"}, "--lr 'nan'"},
    {{"--lr", "inf"}, "--lr 'inf'"},
    {{"--qat-lr", "-1"}, "--qat-lr '-1'"},
    {{"--observer", "oracle"}, "oracle"},
    {{"--backward", "int9"}, "--backward 'int9': expected f32, bf16 or int8"},
    {{"--backward", ""}, "backward ''"},
    {{"--seed", "-1"}, "--seed '-1'"},
    {{"--threads", "257"}, "--threads '257'"},
    {{"--validation", "12"}, "--validation 12: expected fewer than the 12 training pictures"},
    {{"--validation", "-1"}, "--validation '-1'"},
    {{"--data", "nowhere"}, "nowhere: no such dataset"},
    {{"--data", ""}, ""},
    {{"--no-such-option"}, "'--no-such-option': unknown option"},
    {{"-x"}, "'-x': unknown option"},
    {{"--json"}, "'--json'"}, /* its value missing */
    {{"--help=yes"}, "'--help=yes'"},
    {{"picture.png"}, "'picture.png': expected only options"},
};
enum { BAD_LINES = sizeof bad_lines / sizeof bad_lines[0] };

START_TEST(a_bad_command_line_is_one_line_and_2) {
  const char *data = command_write_data("data");
  const char *const *bad = bad_lines[_i].arguments;
  const run *r = RUN(LEAST(data), bad[0], bad[1]);
  command_refused(r, bad_lines[_i].says, "");
  ck_assert_str_eq(r->out, "");
}
END_TEST

/* ---- Bad files -------------------------------------------------------------------------------------------------- */

/* One file of four, made wrong: cut or lengthened, some of its bytes replaced. */
static const struct {
  const char *file;
  int size_change, offset, count;
  const char *bytes, *says;
} bad_files[] = {
    {"train-images-idx3-ubyte", -1, 0, 0, "", "train-images-idx3-ubyte: "},
    {"train-images-idx3-ubyte", +1, 0, 0, "", "train-images-idx3-ubyte: "},
    {"t10k-images-idx3-ubyte", -PIXELS *TEST_PICTURES, 0, 0, "", "t10k-images-idx3-ubyte: "},
    {"t10k-images-idx3-ubyte", -PIXELS *TEST_PICTURES - 5, 0, 0, "", "t10k-images-idx3-ubyte: "},
    {"train-labels-idx1-ubyte", -TRAIN_PICTURES - LABELS_HEADER, 0, 0, "", "train-labels-idx1-ubyte: "},
    {"train-images-idx3-ubyte", 0, 0, 1, "\1", "train-images-idx3-ubyte: "},   /* magic */
    {"train-images-idx3-ubyte", 0, 2, 1, "\x0b", "train-images-idx3-ubyte: "}, /* type */
    {"train-images-idx3-ubyte", 0, 3, 1, "\xff", "train-images-idx3-ubyte: "}, /* rank */
    {"train-images-idx3-ubyte", 0, 4, 12, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
     "train-images-idx3-ubyte: "}, /* the product of the extents overflows */
    {"train-images-idx3-ubyte", 0, 4, 12, "\0\0\0\0\0\0\0\x1c\0\0\0\x1c", "train-images-idx3-ubyte: "},
    {"train-images-idx3-ubyte", -28 * TRAIN_PICTURES, 11, 1, "\x1b",
     "756 inputs an example, the network takes 784"}, /* other pictures */
    {"train-labels-idx1-ubyte", 0, LABELS_HEADER + 3, 1, "\xc8", "train-labels-idx1-ubyte: label 200 at 3"},
    {"t10k-labels-idx1-ubyte", 0, LABELS_HEADER, 1, "\x0a", "t10k-labels-idx1-ubyte: label 10 at 0"},
    {"train-labels-idx1-ubyte", -1, 7, 1, "\x0b", "11 labels, expected as many as the 12 pictures"},
    {"t10k-labels-idx1-ubyte", +1, 7, 1, "\x07", "7 labels, expected as many as the 6 pictures"},
};
enum { BAD_FILES = sizeof bad_files / sizeof bad_files[0] };

START_TEST(a_bad_file_is_one_line_and_2) {
  const char *data = command_write_data("data");
  char path[2048];
  size_t size;
  snprintf(path, sizeof path, "%s/%s", data, bad_files[_i].file);
  unsigned char *bytes = scratch_read(path, &size); /* with room for one byte more */
  memcpy(bytes + bad_files[_i].offset, bad_files[_i].bytes, (size_t)bad_files[_i].count);
  snprintf(path, sizeof path, "data/%s", bad_files[_i].file);
  bytes[size] = 0;
  scratch_write(path, bytes, (size_t)((int)size + bad_files[_i].size_change));
  free(bytes);
  const run *r = RUN(LEAST(data), "--json", "results.json", "--save", "weights.safetensors");
  command_refused(r, bad_files[_i].says, "");
  ck_assert_str_eq(r->out, "");
}
END_TEST

START_TEST(a_missing_file_is_one_line_and_2) {
  static const char *const files[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                      "t10k-labels-idx1-ubyte"};
  const char *data = command_write_data("data");
  char path[2048];
  snprintf(path, sizeof path, "%s/%s", data, files[_i]);
  ck_assert_int_eq(remove(path), 0);
  command_refused(RUN(LEAST(data), "--json", "results.json"), files[_i], "");
}
END_TEST

/* A folder that is not there, and one that stands where the file should. */
START_TEST(what_cannot_be_written_is_one_line_and_2) {
  static const char *const option[] = {"--json", "--save"};
  const char *data = command_write_data("data");
  command_refused(RUN(LEAST(data), option[_i], "missing/file"), "missing/file", "");
  char inside[1024];
  scratch_path("place/taken/");
  command_refused(RUN(LEAST(data), option[_i], "../place/taken"), "../place/taken", "");
  command_list(scratch_path("place"), inside);
  ck_assert_str_eq(inside, "taken ");
  command_list(scratch_path("place/taken"), inside);
  ck_assert_str_eq(inside, "");
}
END_TEST

/* ---- Good runs -------------------------------------------------------------------------------------------------- */

static void expect_in(const char *text, const char *part) {
  ck_assert_msg(strstr(text, part) != NULL, "no '%s' in:\n%s", part, text);
}

static void expect_good(const run *r, const char *left) {
  if (strstr(r->error, "no zlib")) test_skip("no zlib");
  ck_assert_msg(r->status == 0, "exit status %d: %s", r->status, r->error);
  ck_assert_str_eq(r->error, "");
  ck_assert_msg(!strpbrk(r->out, "\r\033"), "not plain lines:\n%s", r->out);
  ck_assert_str_eq(r->left, left);
}

/* Python's reader of JSON checks FILE: `script` sees it as r, and the further arguments as a. Without Python: skipped.
 */
static void expect_json(const char *file, const char *script, const char *argument) {
  char path[2048], code[4096];
  snprintf(path, sizeof path, "%s", scratch_path(file));
  snprintf(code, sizeof code, "import json, sys\nr = json.load(open(sys.argv[1]))\na = sys.argv[2]\n%s", script);
  pid_t child = fork();
  if (child == 0) {
    execlp("python3", "python3", "-c", code, path, argument, (char *)NULL);
    _exit(77);
  }
  int status = -1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) test_skip("no python3");
  ck_assert_int_eq(status, 0);
}

START_TEST(a_short_run_prints_the_table_and_writes_the_results) {
  const run *r = RUN("--data", SAMPLE, "--hidden", "32", "--epochs", "1", "--qat-epochs", "1", "--validation", "200",
                     "--seed", "7", "--threads", "1", "--json", "results.json", "--save", "weights.safetensors");
  expect_good(r, "results.json weights.safetensors ");
  static const char *const parts[] = {"FP32 epoch  1/1  loss ",
                                      "QAT epoch  1/1  loss ",
                                      "  validation ",
                                      "       float        integer       bytes   s/epoch  us/picture\n",
                                      "\nFP32 ",
                                      "\nPTQ ",
                                      "\nQAT ",
                                      "PTQ: of 32000 activations and 10000 logits, 0 differ between",
                                      "QAT: of 32000 activations and 10000 logits, 0 differ between"};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) expect_in(r->out, parts[i]);
  const char *hash = strstr(r->out, "\nweights ");
  ck_assert_ptr_nonnull(hash);
  ck_assert_uint_eq(strlen(hash), strlen("\nweights 0123456789abcdef\n"));
  char digits[17];
  snprintf(digits, sizeof digits, "%s", hash + strlen("\nweights "));
  expect_json("run/results.json",
              "assert set(r) >= set('data seed threads bits hidden weights_hash fp32 ptq qat'.split()), r\n"
              "fp32 = set('accuracy seconds_per_epoch bytes us_per_picture'.split())\n"
              "ptq = set('accuracy_simulated accuracy_integer bytes us_per_picture activations '\n"
              "          'differ_from_training_forward differ_from_float_simulation'.split())\n"
              "assert set(r['fp32']) >= fp32 and set(r['ptq']) >= ptq, r\n"
              "assert set(r['qat']) >= ptq | {'seconds_per_epoch'}, r\n"
              "assert (r['seed'], r['threads'], r['bits'], r['hidden']) == (7, 1, 'w8a8', [32]), r\n"
              "assert r['weights_hash'] == a, (r, a)\n"
              "assert r['fp32']['bytes'] == 4 * (784 * 32 + 32 + 32 * 10 + 10), r\n"
              "assert 784 * 32 + 320 < r['ptq']['bytes'] == r['qat']['bytes'] < r['fp32']['bytes'] / 3, r\n"
              "for k in 'ptq', 'qat':\n"
              "  assert r[k]['activations'] == 32000 and r[k]['differ_from_training_forward'] == 0, r\n"
              "  assert 0 <= r[k]['differ_from_float_simulation'] <= 32000, r\n"
              "  assert 0.3 < r[k]['accuracy_integer'] <= 1 and 0.3 < r[k]['accuracy_simulated'] <= 1, r\n"
              "  assert r[k]['us_per_picture'] > 0, r\n"
              "assert 0.3 < r['fp32']['accuracy'] <= 1 and r['fp32']['seconds_per_epoch'] > 0, r\n",
              digits);
}
END_TEST

/* Nothing trained: no rate to show. The other options of the command go with it. */
/* Trained with gradients in int8: other weights, and the program still computes what was trained. */
START_TEST(gradients_in_int8_are_a_run_too) {
  const run *r = RUN("--data", SAMPLE, "--hidden", "32", "--epochs", "1", "--qat-epochs", "1", "--backward", "int8",
                     "--threads", "1", "--json", "results.json");
  expect_good(r, "results.json ");
  expect_in(r->out, ", backward int8, ");
  expect_in(r->out, "QAT: of 32000 activations and 10000 logits, 0 differ between");
  expect_json("run/results.json", "assert r['backward'] == a", "int8");
}
END_TEST

START_TEST(no_epochs_are_a_run_too) {
  const char *data = command_write_data("data");
  const run *r = RUN(LEAST(data), "--batch", "5", "--validation", "0", "--bits", "w4a4", "--observer", "min-max",
                     "--lr", "1e-2", "--qat-lr", "1e-3", "--json", "results.json");
  expect_good(r, "results.json ");
  ck_assert_ptr_null(strstr(r->out, " epoch "));
  expect_in(r->out, "w4a4");
  expect_json("run/results.json", "assert r['fp32']['seconds_per_epoch'] == r['qat']['seconds_per_epoch'] == 0, r", "");
}
END_TEST

START_TEST(names_are_escaped_in_the_results) {
  const char *data = command_write_data("a \"b\\c\t");
  expect_good(RUN(LEAST(data), "--json", "results.json"), "results.json ");
  expect_json("run/results.json", "assert r['data'] == a, (r, a)", data);
}
END_TEST

START_TEST(help_names_every_option) {
  static const char *const options[] = {"--data", "--hidden", "--epochs",   "--qat-epochs", "--batch",
                                        "--lr",   "--qat-lr", "--bits",     "--observer",   "--backward",
                                        "--seed", "--json ",  "--threads ", "--validation", "--save"};
  const run *r = RUN(_i ? "-h" : "--help");
  expect_good(r, "");
  ck_assert_int_eq(strncmp(r->out, "usage: mnist_mlp", 16), 0);
  for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) expect_in(r->out, options[i]);
}
END_TEST

/* With a terminal as standard error it draws a bar there, and leaves standard output alone. */
START_TEST(a_terminal_gets_a_bar) {
  int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) test_skip("no terminal");
  const char *data = command_write_data("data");
  const run *r = command_run("run", ptsname(terminal),
                             (const char *const[]){"--data", data, "--hidden", "4", "--epochs", "1", "--qat-epochs",
                                                   "0", "--batch", "4", "--threads", "1", NULL});
  char drawn[4096] = "";
  fcntl(terminal, F_SETFL, O_NONBLOCK);
  ssize_t size = read(terminal, drawn, sizeof drawn - 1);
  close(terminal);
  ck_assert_int_gt(size, 0);
  expect_in(drawn, "\rFP32  1/1 [########################] loss ");
  expect_in(drawn, "\033[K"); /* and wiped off */
  expect_good(r, "");
}
END_TEST

TEST_MAIN(CASES(a_bad_command_line_is_one_line_and_2, BAD_LINES), CASES(a_bad_file_is_one_line_and_2, BAD_FILES),
          CASES(a_missing_file_is_one_line_and_2, 4), CASES(what_cannot_be_written_is_one_line_and_2, 2),
          CASE(a_short_run_prints_the_table_and_writes_the_results), CASE(gradients_in_int8_are_a_run_too),
          CASE(no_epochs_are_a_run_too), CASE(names_are_escaped_in_the_results), CASES(help_names_every_option, 2),
          CASE(a_terminal_gets_a_bar))
