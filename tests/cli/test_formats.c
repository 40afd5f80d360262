/* rung formats, and training with weights in such a format. */
#include "cli.h"

#define LAYERS "linear 32, relu, linear 10"

static void make_model(void) {
  const run *r = RUN("train", "--data", SAMPLE, "--model", LAYERS, "--epochs", "3", "--rate", "4e-3", "-o", "m",
                     "--threads", "1", "--seed", "7");
  expect_run(r, 0, "m ");
}

START_TEST(every_format_has_a_row) {
  make_model();
  const run *r = CONTINUE("formats", "m", "--data", SAMPLE, "--threads", "1");
  expect_run(r, 0, "m ");
  expect_in(r->out, "format      scales        bytes    bits  SQNR, dB  largest error   accuracy\n");
  expect_in(r->out, "f32         -            101632  32.000         -              0    ");
  expect_in(r->out, "bf16        -             50816  16.000    ");
  expect_in(r->out, "e4m3        channel       25576   8.053    ");
  expect_in(r->out, "nf4         64            14292   4.500    ");
  expect_in(r->out, "int4        channel       12872   4.053    ");
  expect_in(r->out, "int4        32            15944   5.020    ");
  r = CONTINUE("formats", "m", "--data", SAMPLE, "--json", "--threads", "1");
  expect_run(r, 0, "m ");
  expect_json(r->out, "f = {(x['format'], x['scales']): x for x in r['formats']}\n"
                      "assert len(f) == 14 + 7 and r['examples'] == 1000, r\n"
                      "assert f['f32', '-']['sqnr_db'] is None and f['f32', '-']['largest_error'] == 0, f\n"
                      "assert f['f16', '-']['sqnr_db'] > 70 > f['bf16', '-']['sqnr_db'] > 50, f\n"
                      "assert f['int8', 'channel']['accuracy'] > 0.7 > f['int2', 'channel']['accuracy'], f\n"
                      "assert all(abs(x['bits_per_weight'] - 8 * x['bytes'] / 25408) < 1e-9 for x in r['formats']), f");
}
END_TEST

/* The accuracy of the row is that of the model itself, and of a quantized model the one behind it. */
START_TEST(the_first_row_is_the_model) {
  make_model();
  CONTINUE("quantize", "m", "--data", SAMPLE, "-o", "q", "--threads", "1");
  const run *r = CONTINUE("formats", "q", "--data", SAMPLE, "--granularity", "tensor", "--examples", "200", "--json");
  expect_run(r, 0, "m q ");
  expect_json(r->out, "assert len(r['formats']) == 14 and r['examples'] == 200, r\n"
                      "assert {x['scales'] for x in r['formats']} == {'-', '64', 'tensor'}, r\n"
                      "assert r['formats'][0]['accuracy'] > 0.7, r");
  r = CONTINUE("formats", "q", "--data", SAMPLE, "--granularity", "group", "--group", "16");
  expect_run(r, 0, "m q ");
  expect_in(r->out, "int8        16            31760  10.000    ");
}
END_TEST

START_TEST(a_model_trains_with_weights_in_a_format) {
  make_model();
  const run *r = CONTINUE("quantize", "m", "--data", SAMPLE, "--storage", "e4m3", "-o", "s", "--threads", "1");
  expect_run(r, 0, "m s ");
  expect_in(r->out, "no integer program: the weights are simulated in e4m3, which has no integer form");
  expect_in(r->out, "e4m3 test: ");
  r = CONTINUE("train", "--from", "s", "--data", SAMPLE, "--epochs", "1", "-o", "t", "--threads", "1");
  expect_run(r, 0, "m s t ");
  expect_in(r->out, "e4m3 test: ");
  command_refused(CONTINUE("train", "--from", "s", "--data", SAMPLE, "--damping", "1e-5", "-o", "t"),
                  "--damping: goes with a model of integer weights only; this one's are e4m3", "m s t ");
  command_refused(CONTINUE("report", "s", "--data", SAMPLE), "weights are simulated in e4m3", "m s t ");
  command_refused(CONTINUE("freeze", "t", "-o", "p"), "rung freeze: the weights are simulated in e4m3", "m s t ");
  command_refused(CONTINUE("quantize", "m", "--data", SAMPLE, "--storage", "nf4-double", "-o", "s"),
                  "--storage 'nf4-double': expected f16, bf16, e4m3, e5m2, nf4, int8, int7,", "m s t ");
}
END_TEST

START_TEST(the_optimizer_may_keep_8_bits) {
  const run *r = RUN("train", "--data", SAMPLE, "--model", LAYERS, "--epochs", "1", "--optimizer", "adam8bit",
                     "--checkpoint", "c", "-o", "m", "--threads", "1");
  expect_run(r, 0, "c m ");
  r = CONTINUE("inspect", "c");
  expect_run(r, 0, "c m ");
}
END_TEST

TEST_MAIN(CASE(every_format_has_a_row), CASE(the_first_row_is_the_model), CASE(a_model_trains_with_weights_in_a_format),
          CASE(the_optimizer_may_keep_8_bits))
