/* The command low_bit from outside: what it prints, that its programs compute what was trained, and that bad input gets
 * one line and exit status 2. */
#define COMMAND_PROGRAM LOW_BIT
#define COMMAND_NAME    "low_bit"
#include "command.h"

#define SAMPLE   TEST_DATA "/data/mnist-sample"
#define RUN(...) command_run("run", NULL, (const char *const[]){__VA_ARGS__, NULL})
#define SHORT    "--data", SAMPLE, "--epochs", "1", "--validation", "1500"

static const struct {
  const char *arguments[3];
  const char *says;
} bad_lines[] = {
    {{"--network", "mfc"}, "--network 'mfc': expected tfc, sfc or lfc"},
    {{"--bits", "3w3a"}, "--bits '3w3a': expected 1w1a, 1w2a or 2w2a"},
    {{"--bits", ""}, "--bits ''"},
    {{"--recipe", "best"}, "--recipe 'best': expected brevitas or better"},
    {{"--epochs", "-1"}, "--epochs '-1'"},
    {{"--epochs", "many"}, "--epochs 'many'"},
    {{"--move", "28"}, "--move '28'"},
    {{"--validation", "2000"}, "--validation 2000: expected fewer than the 2000 training pictures"},
    {{"--validation", "-1"}, "--validation '-1'"},
    {{"--seed", "-1"}, "--seed '-1'"},
    {{"--threads", "257"}, "--threads '257'"},
    {{"--data", "nowhere"}, "nowhere: no such dataset"},
    {{"--save", "missing/file"}, "--save 'missing/file': cannot be written"},
    {{"--no-such-option"}, "'--no-such-option': unknown option"},
    {{"--save"}, "'--save'"}, /* its value missing */
    {{"picture.png"}, "'picture.png': expected only options"},
};
enum { BAD_LINES = sizeof bad_lines / sizeof bad_lines[0] };

START_TEST(a_bad_command_line_is_one_line_and_2) {
  const char *const *bad = bad_lines[_i].arguments;
  const run *r = RUN("--data", SAMPLE, "--epochs", "1", bad[0], bad[1]);
  if (strstr(r->error, "no zlib")) test_skip("no zlib");
  command_refused(r, bad_lines[_i].says, "");
  ck_assert_str_eq(r->out, "");
}
END_TEST

static void expect_in(const char *text, const char *part) {
  ck_assert_msg(strstr(text, part) != NULL, "no '%s' in:\n%s", part, text);
}

static const run *expect_good(const run *r) {
  if (strstr(r->error, "no zlib")) test_skip("no zlib");
  ck_assert_msg(r->status == 0, "exit status %d: %s", r->status, r->error);
  ck_assert_str_eq(r->error, "");
  return r;
}

/* Every network of one and two bits, by both recipes: 500 pictures, one epoch, and 0 of all outputs differ. */
START_TEST(programs_compute_what_was_trained) {
  static const char *const widths[] = {"1w1a", "1w2a", "2w2a"}, *const recipes[] = {"brevitas", "better"};
  const run *r = expect_good(RUN(SHORT, "--bits", widths[_i / 2], "--recipe", recipes[_i % 2], "--threads", "1"));
  static const char *const parts[] = {
      "epoch    1/1  loss ",     "  best on test ",
      "\nlast epoch           ", "\nvalidation-selected  ",
      "\nbest on test         ", ": of 192000 activations and 10000 logits, 0 differ from the model's evaluation\n",
      "\nsize                 ", "\nweights "};
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) expect_in(r->out, parts[i]);
  expect_in(r->out, recipes[_i % 2]);
  /* The program's accuracy is the last epoch's. */
  double last, program;
  ck_assert_int_eq(sscanf(strstr(r->out, "\nlast epoch "), " last epoch %lf", &last), 1);
  ck_assert_int_eq(sscanf(strstr(r->out, "\ninteger program "), " integer program %lf", &program), 1);
  ck_assert(last == program && last > 15);
}
END_TEST

START_TEST(without_validation_nothing_is_selected) {
  const run *r = expect_good(RUN("--data", SAMPLE, "--epochs", "1", "--validation", "0", "--save", "m.safetensors"));
  ck_assert_ptr_null(strstr(r->out, "validation"));
  ck_assert_str_eq(r->left, "m.safetensors ");
}
END_TEST

START_TEST(threads_change_no_bit) {
  char hash[2][64];
  for (int i = 0; i < 2; i++) {
    const run *r = expect_good(RUN(SHORT, "--bits", "1w2a", "--threads", i ? "2" : "1"));
    snprintf(hash[i], sizeof hash[i], "%s", strstr(r->out, "\nweights "));
  }
  ck_assert_str_eq(hash[0], hash[1]);
}
END_TEST

START_TEST(help_names_every_option) {
  static const char *const options[] = {"--network", "--move",       "--bits", "--recipe",  "--epochs",
                                        "--data",    "--validation", "--seed", "--threads", "--save"};
  const run *r = expect_good(RUN("--help"));
  ck_assert_int_eq(strncmp(r->out, "usage: low_bit", 14), 0);
  for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) expect_in(r->out, options[i]);
}
END_TEST

TEST_MAIN(CASES(a_bad_command_line_is_one_line_and_2, BAD_LINES), CASES(programs_compute_what_was_trained, 6),
          CASE(without_validation_nothing_is_selected), CASE(threads_change_no_bit), CASE(help_names_every_option))
