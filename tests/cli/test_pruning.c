/* Pruning and distillation from the command line, on the sample of MNIST. */
#include "cli.h"

#define LAYERS "linear 32, relu, linear 10"
#define ON     "--data", SAMPLE, "--threads", "1"

/* 784 x 32 + 32 x 10 weights, of which 9 of 10 go; and they stay away in integers. */
START_TEST(pruned_weights_stay_pruned) {
  static const char says[] = "pruned: 22867 of 25408 weights (90.00 %)\n";
  const run *r = RUN("train", "--model", LAYERS, "--prune", "0.9", "--epochs", "4", "-o", "p", ON);
  expect_run(r, 0, "p ");
  expect_in(r->out, says);
  r = CONTINUE("quantize", "p", "-o", "q", ON);
  expect_run(r, 0, "p q ");
  expect_in(r->out, says);
  r = CONTINUE("train", "--from", "q", "--epochs", "1", "-o", "qat", ON);
  expect_run(r, 0, "p q qat ");
  expect_in(r->out, says);
  r = CONTINUE("inspect", "qat");
  expect_run(r, 0, r->left);
  expect_in(r->out, says);
  expect_in(r->out, " % pruned\n");
  r = CONTINUE("inspect", "qat", "--json");
  expect_json(r->out, "assert r['pruned'] == 22867 and abs(r['sparsity'] - 0.9) < 1e-4, r\n"
                      "assert sum(t.get('pruned', 0) for t in r['tensors']) == 22867, r");
  r = CONTINUE("quantize", "p", "-o", "one", "--bits", "w1a8", ON);
  command_refused(r, "1-bit max weights have no 0", r->left);
}
END_TEST

START_TEST(two_of_four_go_at_once) {
  const run *r = RUN("train", "--model", LAYERS, "--prune-method", "2:4", "--epochs", "1", "-o", "p", ON);
  expect_run(r, 0, "p ");
  expect_in(r->out, "pruned: 12704 of 25408 weights (50.00 %)\n");
}
END_TEST

START_TEST(neurons_are_removed_from_what_is_written) {
  const run *r = RUN("train", "--model", LAYERS, "--prune", "0.5", "--prune-method", "neurons", "--prune-epochs", "0",
                     "--epochs", "2", "-o", "half", ON);
  expect_run(r, 0, "half ");
  ck_assert_ptr_null(strstr(r->out, "pruned"));
  r = CONTINUE("inspect", "half");
  expect_run(r, 0, r->left);
  expect_in(r->out, "linear 16, relu, linear 10");
  expect_in(r->out, "fp32, 12730 parameters");
  r = CONTINUE("quantize", "half", "-o", "q", ON);
  expect_run(r, 0, r->left);
  expect_in(r->out, "bytes of parameters instead of 50920\n");
}
END_TEST

START_TEST(a_quantized_student_has_its_own_model_as_teacher) {
  expect_run(RUN("train", "--model", LAYERS, "--epochs", "2", "-o", "m", ON), 0, "m ");
  expect_run(CONTINUE("quantize", "m", "--bits", "w4a4", "-o", "q", ON), 0, "m q ");
  const run *r = CONTINUE("train", "--from", "q", "--epochs", "2", "-o", "plain", ON);
  expect_run(r, 0, "m plain q ");
  const char *plain = weights_hash(r);
  r = CONTINUE("train", "--from", "q", "--epochs", "2", "--teacher", "m", "--checkpoint", "c", "-o", "taught", ON);
  expect_run(r, 0, "c m plain q taught ");
  const char *taught = weights_hash(r);
  ck_assert_str_ne(taught, plain);
  r = CONTINUE("train", "--from", "q", "--epochs", "2", "--teacher", "m", "--temperature", "4", "--alpha", "0.9", "-o",
               "taught", "--data", SAMPLE, "--threads", "2");
  ck_assert_str_eq(weights_hash(r), taught);
  r = CONTINUE("train", "--epochs", "2", "--teacher", "plain", "--resume", "c", "-o", "other", ON);
  command_refused(r, "c: the fit had a teacher of hash ", r->left);
  r = CONTINUE("train", "--epochs", "2", "--resume", "c", "-o", "other", ON);
  command_refused(r, "c: the fit had temperature 4, this one has 0", r->left);
  r = CONTINUE("train", "--epochs", "2", "--teacher", "m", "--resume", "c", "-o", "other", ON);
  expect_run(r, 0, r->left);
  ck_assert_str_eq(weights_hash(r), taught);
}
END_TEST

TEST_MAIN(CASE(pruned_weights_stay_pruned), CASE(two_of_four_go_at_once),
          CASE(neurons_are_removed_from_what_is_written), CASE(a_quantized_student_has_its_own_model_as_teacher))
