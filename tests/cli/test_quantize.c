/* Methods, bits of single layers, and a limit in bytes. */
#include "cli.h"

#define FAST "--threads", "1"

static void train(void) {
  expect_run(RUN("train", "--data", SAMPLE, "--model", "linear 32, relu, linear 16, relu, linear 10", "--epochs", "2",
                 "-o", "m", FAST),
             0, "m ");
}

#define QUANTIZE(...) CONTINUE("quantize", "m", "--data", SAMPLE, "-o", "q", FAST, __VA_ARGS__)

START_TEST(methods_change_weights_and_what_is_written_runs) {
  train();
  const run *r = QUANTIZE("--bits", "w3a8", "--method", "cle,gptq,bias-correction");
  expect_run(r, 0, "m q ");
  expect_in(r->out, "w3a8 test: ");
  char hash[17];
  snprintf(hash, sizeof hash, "%s", weights_hash(r));
  r = QUANTIZE("--bits", "w3a8", "--method", "awq", "--json");
  ck_assert_int_eq(r->status, 0);
  ck_assert_str_eq(r->error, "fc1: awq: no layer before fc1 takes the inverse of its scales\n");
  char script[256];
  snprintf(script, sizeof script, "assert r['bits'] == 'w3a8' and r['weights_hash'] != '%s', r", hash);
  expect_json(r->out, script);
  r = CONTINUE("verify", "q", "--data", SAMPLE, "-n", "50", "--without", "onnx,simulated,emitted", FAST);
  expect_run(r, 0, "m q ");
}
END_TEST

START_TEST(layers_have_their_bits) {
  train();
  expect_run(QUANTIZE("--bits", "w2a4", "--layer", "fc1=w8a5,fc3=w6"), 0, "m q ");
  const run *r = CONTINUE("inspect", "q", "--json");
  expect_json(r->out, "layers = r['program']['layers']\n"
                      "assert [l['weight_bits'] for l in layers] == [8, 2, 6], layers\n"
                      "assert [l['output_most'] for l in layers[:2]] == [31, 15], layers\n"
                      "assert r['bits'] == 'mixed'");
  command_refused(QUANTIZE("--bits", "w4a1"), "rung quantize: 'relu.4' has no negative values", "m q ");
  command_refused(QUANTIZE("--layer", "fc9=w8"), "--layer 'fc9': expected one of fc1, fc2, fc3", "m q ");
  command_refused(QUANTIZE("--layer", "fc1=a5,fc3=w4a8"),
                  "--layer fc3=w4a8: it puts out the logits, which stay int32; expected fc3=wN", "m q ");
  command_refused(QUANTIZE("--layer", "fc1=w8,fc1=w2"), "--layer 'fc1': it has bits twice", "m q ");
}
END_TEST

/* Before the FP32 network is tested. */
START_TEST(an_accumulator_that_is_too_small_is_named) {
  train();
  const run *r = QUANTIZE("--accumulator-bits", "8");
  command_refused(r, "rung quantize: --accumulator-bits 8: 'fc1.weight' has 784 inputs of magnitude up to 255", "m ");
  ck_assert_str_eq(r->out, "");
  r = QUANTIZE("--accumulator-bits", "12", "--bits", "w1a8");
  command_refused(r, "--accumulator-bits 12: 'fc1.weight' has 784 inputs", "m ");
  ck_assert_str_eq(r->out, "");
}
END_TEST

START_TEST(a_size_limit_is_kept) {
  train();
  const run *r = QUANTIZE("--size-limit", "14k", "--json");
  expect_run(r, 0, "m q ");
  expect_json(r->out, "assert 10000 < r['bytes'] <= 14000, r\n"
                      "assert [l['name'] for l in r['layers']] == ['fc1', 'fc2', 'fc3'], r\n"
                      "assert sum(l['bytes'] for l in r['layers']) == r['bytes'], r\n"
                      "assert len(set(l['weight_bits'] for l in r['layers'])) > 1, r\n"
                      "assert all(l['sqnr'] > 0 for l in r['layers']), r");
  r = QUANTIZE("--size-limit", "14000", "--method", "mse");
  expect_run(r, 0, "m q ");
  expect_in(r->out, "SQNR");
  r = CONTINUE("quantize", "m", "--data", "nowhere", "-o", "q", "--size-limit", "1k"); /* no data is read */
  command_refused(r, "--size-limit 1k: the fewest bits take 6962 bytes", "m q ");
  expect_run(QUANTIZE("--size-limit", "6962"), 0, "m q ");
}
END_TEST

TEST_MAIN(CASE(methods_change_weights_and_what_is_written_runs), CASE(layers_have_their_bits),
          CASE(an_accumulator_that_is_too_small_is_named), CASE(a_size_limit_is_kept))
