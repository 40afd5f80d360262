/* rung memory: against numbers worked out by hand, and those that papers print. */
#include "cli.h"
#include "memory_use.h"

static memory_bytes count(const char *dtype, memory_question question) {
  memory_format format;
  memory_bytes bytes;
  ck_assert_msg(memory_parse_format(dtype, &format) == RUNG_OK, "%s", rung_error());
  ck_assert_msg(memory_count(&question, &format, &bytes) == RUNG_OK, "%s", rung_error());
  return bytes;
}

static memory_bytes of_parameters(const char *dtype, int64_t parameters, memory_training training, bool no_master) {
  const memory_tensor tensor = {.count = parameters, .is_weight = true, .is_trained = true};
  return count(dtype, (memory_question){&tensor, 1, training, no_master, {0}});
}

enum { BILLION = 1000000000 };

/* ---- Papers ----------------------------------------------------------------------------------------------------- */

/* Rajbhandari et al., ZeRO, 2020: 2 + 2 + 12 bytes a parameter with Adam in mixed precision: 120 GB of 7.5 billion
 * (figure 1), "at least 24 GB" of GPT-2's 1.5 billion (section 3.1). */
START_TEST(mixed_precision_adam_takes_sixteen_bytes_a_parameter) {
  const memory_bytes bytes = of_parameters("fp16", 7500000000, MEMORY_ADAM, false);
  ck_assert_int_eq(bytes.total, 120 * (int64_t)BILLION);
  ck_assert_int_eq(bytes.weights, 15 * (int64_t)BILLION);
  ck_assert_int_eq(bytes.gradients, 15 * (int64_t)BILLION);
  ck_assert_int_eq(bytes.master + bytes.optimizer, 90 * (int64_t)BILLION);
  ck_assert_int_eq(of_parameters("bf16", 1500000000, MEMORY_ADAM, false).total, 24 * (int64_t)BILLION);
  ck_assert_int_eq(of_parameters("fp32", BILLION, MEMORY_ADAM, false).total, 16 * (int64_t)BILLION); /* 4 + 4 + 8 */
}
END_TEST

/* Dettmers et al., QLoRA, 2023: 16-bit finetuning of 65 billion parameters takes 780 GB (section 1); double
 * quantization brings the constants from 0.5 to 0.127 bits a parameter, about 3 GB of that network (section 3). */
START_TEST(the_numbers_of_qlora_come_out) {
  ck_assert_int_eq(of_parameters("fp16", 65 * (int64_t)BILLION, MEMORY_ADAM, true).total, 780 * (int64_t)BILLION);
  const double all = 65e9,
               once = (double)of_parameters("nf4-g64", 65 * (int64_t)BILLION, MEMORY_INFERENCE, false).total;
  const double twice = (double)of_parameters("nf4", 65 * (int64_t)BILLION, MEMORY_INFERENCE, false).total;
  ck_assert_double_eq(8 * once / all, 4.5);
  ck_assert_double_eq_tol(8 * twice / all, 4 + 8.0 / 64 + 32.0 / (64 * 256), 1e-9); /* 4.127 */
  ck_assert_double_eq_tol((once - twice) / 1e9, 3.03, 0.005);
}
END_TEST

/* Dettmers et al., 8-bit Optimizers via Block-wise Quantization, 2022: 8 bytes of state become 2, and blocks of 256. */
START_TEST(adam_in_8_bits_takes_a_quarter) {
  ck_assert_int_eq(of_parameters("fp32", 256000, MEMORY_ADAM, false).optimizer, 8 * 256000);
  ck_assert_int_eq(of_parameters("fp32", 256000, MEMORY_ADAM8BIT, false).optimizer, 2 * (256000 + 4 * 1000));
  ck_assert_int_eq(of_parameters("fp32", 4097, MEMORY_ADAM8BIT, false).optimizer, 2 * (4097 + 4 * 17));
  ck_assert_int_eq(of_parameters("fp32", 4095, MEMORY_ADAM8BIT, false).optimizer, 8 * 4095); /* small: in 32 bits */
  ck_assert_int_eq(of_parameters("fp32", 256000, MEMORY_SGD, false).optimizer, 4 * 256000);
}
END_TEST

/* Kwon et al., PagedAttention, 2023, section 3: of OPT-13B, 2 (key and value) 5120 (hidden) 40 (layers) 2 (bytes of
 * fp16) = 800 KB a token, and 1.6 GB of 2048 tokens. Llama 2 70B has 80 layers of 8 heads of keys, 128 wide. */
START_TEST(keys_and_values_take_what_papers_say) {
  memory_cache cache = {.layers = 40, .width = 5120, .context = 1, .batch = 1};
  ck_assert_int_eq(count("fp16", (memory_question){.cache = cache}).total, 800 * 1024);
  ck_assert_int_eq(count("nf4", (memory_question){.cache = cache}).cache, 800 * 1024); /* weights alone are in 4 bits */
  ck_assert_int_eq(count("fp32", (memory_question){.cache = cache}).cache, 2 * 800 * 1024);
  cache.context = 2048;
  ck_assert_int_eq(count("fp16", (memory_question){.cache = cache}).cache, 1677721600);
  cache = (memory_cache){.layers = 80, .width = 8 * 128, .context = 4096, .batch = 3};
  ck_assert_int_eq(count("bf16", (memory_question){.cache = cache}).cache, 3 * (int64_t)1342177280);
}
END_TEST

/* ---- By hand ---------------------------------------------------------------------------------------------------- */

/* 784-32-10: weights [32, 784] and [10, 32], biases [32] and [10]: 25408 weights, 42 biases. */
START_TEST(a_small_network_takes_what_it_takes) {
  static const struct {
    const char *dtype;
    int64_t bytes;
  } rows[] = {{"fp32", 4 * 25450},
              {"fp16", 2 * 25450},
              {"fp8", 25450},
              {"int8", 25408 + 4 * 42 + 4 * 42}, /* a scale a row; biases of 4 bytes */
              {"int4", 12704 + 4 * 42 + 4 * 42},
              {"int3", 9408 + 120 + 4 * 42 + 4 * 42},
              {"int4-g32", 12704 + 4 * (32 * 25 + 10) + 168}, /* 784 / 32 is 24.5: 25 groups a row */
              {"int1", 3136 + 40 + 4 * 42 + 4 * 42},
              {"nf4-g64", 12704 + 4 * (32 * 13 + 10) + 168},
              {"nf4", 12704 + (392 + 2 * 4) + (5 + 4) + 168}}; /* 25088 / 64 = 392 scales, 2 for them; 5, and 1 */
  const memory_tensor tensors[] = {
      {32 * 784, 32, true, true}, {32, 0, false, true}, {320, 10, true, true}, {10, 0, false, true}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const memory_bytes bytes = count(rows[i].dtype, (memory_question){.tensors = tensors, .count = 4});
    ck_assert_msg(bytes.total == rows[i].bytes, "%s: %lld, expected %lld", rows[i].dtype, (long long)bytes.total,
                  (long long)rows[i].bytes);
  }
}
END_TEST

/* QAT: integers, FP32 behind them, an FP32 gradient, and Adam's two; a running mean has none of those. */
START_TEST(what_is_not_trained_has_no_gradient) {
  const memory_tensor tensors[] = {{1000, 10, true, true}, {100, 0, false, false}};
  const memory_bytes bytes = count("int8", (memory_question){.tensors = tensors, .count = 2, .training = MEMORY_ADAM});
  ck_assert(bytes.weights == 1000 + 40 + 400 && bytes.master == 4000);
  ck_assert(bytes.gradients == 4000 && bytes.optimizer == 8000 && bytes.total == 17440);
  ck_assert_int_eq(of_parameters("fp8", 1000, MEMORY_SGD, false).gradients, 2000); /* at least 16 bits */
  ck_assert_int_eq(of_parameters("int8", 1000, MEMORY_SGD, true).master, 4000); /* integers do not move by themselves */
}
END_TEST

START_TEST(sizes_and_formats_are_read) {
  static const struct {
    const char *text;
    int64_t count;
  } counts[] = {{"7B", 7 * (int64_t)BILLION}, {"6.7B", 6700000000}, {"350M", 350000000}, {"1.5K", 1500}, {"1", 1}};
  static const char *const bad_counts[] = {"", "B", "-7B", "0", "7Q", "7BB", "1.2345K", "2e30", "nan", "1001T"};
  static const char *const bad_formats[] = {"",      "int9",     "fp",          "fp16-g32", "int4-g0", "int4-g",
                                            "int4-", "int4-g3x", "int4-g99999", "nf4x",     "INT8"};
  int64_t found;
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    ck_assert_msg(memory_parse_count(counts[i].text, &found) == RUNG_OK, "%s", rung_error());
    ck_assert_int_eq(found, counts[i].count);
  }
  for (size_t i = 0; i < sizeof bad_counts / sizeof *bad_counts; i++)
    ck_assert_msg(memory_parse_count(bad_counts[i], &found) == RUNG_ERROR_ARGUMENT, "%s", bad_counts[i]);
  memory_format format;
  for (size_t i = 0; i < sizeof bad_formats / sizeof *bad_formats; i++)
    ck_assert_msg(memory_parse_format(bad_formats[i], &format) == RUNG_ERROR_ARGUMENT, "%s", bad_formats[i]);
  ck_assert(memory_parse_bytes("16GB", &found) == RUNG_OK && found == 16 * (int64_t)BILLION);
  ck_assert(memory_parse_bytes("16GiB", &found) == RUNG_OK && found == (int64_t)16 << 30);
  ck_assert(memory_parse_bytes("512kB", &found) == RUNG_OK && found == 512000);
  ck_assert(memory_parse_bytes("16gb", &found) == RUNG_ERROR_ARGUMENT);
}
END_TEST

START_TEST(a_cache_that_overflows_is_refused) {
  const memory_question question = {.cache = {1000000, 1000000000, INT64_MAX / 2, 1}};
  memory_format format;
  memory_bytes bytes;
  ck_assert_int_eq(memory_parse_format("fp16", &format), RUNG_OK);
  ck_assert_int_eq(memory_count(&question, &format, &bytes), RUNG_ERROR_NUMERIC);
}
END_TEST

/* ---- The command ------------------------------------------------------------------------------------------------ */

START_TEST(the_command_prints_a_row_a_type) {
  const run *r = RUN("memory", "--params", "7B", "--train", "adam");
  expect_run(r, 0, "");
  expect_in(r->out, "7000000000 parameters, trained by adam, in GB (10^9 bytes)\n");
  expect_in(r->out, "fp16            16.000     14.000     28.000     14.000     56.000    112.000  no\n");
  r = RUN("memory", "--params", "7B", "--layers", "32", "--kv-heads", "8", "--head-dim", "128", "--context", "8192",
          "--dtype", "fp16,nf4-g64", "--card", "15GB", "--json");
  expect_run(r, 0, "");
  expect_json(r->out,
              "a, b = r['dtypes']\n"
              "assert r['parameters'] == 7e9 and r['card'] == 15e9 and r['train'] is None\n"
              "assert (a['dtype'], a['weights'], a['kv_cache']) == ('fp16', 14e9, 2 * 32 * 8 * 128 * 8192 * 2)\n"
              "assert a['total'] == a['weights'] + a['kv_cache'] and not a['fits']\n"
              "assert (b['dtype'], b['bits_per_parameter'], b['fits']) == ('nf4-g64', 4.5, True)");
}
END_TEST

START_TEST(a_file_brings_its_own_numbers) {
  expect_run(RUN("train", "--data", SAMPLE, "--model", "linear 32, relu, linear 10", "--epochs", "1", "-o", "m", "-q"),
             0, "m ");
  const run *r = CONTINUE("memory", "m", "--dtype", "fp32,int8", "--card", "100kB");
  expect_run(r, 0, "m ");
  expect_in(r->out, "25450 parameters, in kB\n");
  expect_in(r->out, "fp32            32.000    101.800    101.800  no\n");
  expect_in(r->out, "int8             8.092     25.744     25.744  yes\n");
  expect_run(CONTINUE("quantize", "m", "--data", SAMPLE, "-o", "q", "-q"), 0, "m q ");
  r = CONTINUE("memory", "q", "--dtype", "int8");
  expect_in(r->out,
            "as it is, the integer program's parameters: 25786 bytes\n"); /* multipliers and shifts, no scales */
  expect_run(CONTINUE("export", "safetensors", "m", "-o", "w", "-q"), 0, "m q w ");
  expect_in(CONTINUE("memory", "w", "--dtype", "int8")->out, "25.744  yes\n");
  expect_run(CONTINUE("freeze", "q", "-o", "p", "-q"), 0, "m p q w ");
  command_refused(CONTINUE("memory", "p"), "p: a program, expected a model", "m p q w ");
}
END_TEST

TEST_MAIN(CASE(mixed_precision_adam_takes_sixteen_bytes_a_parameter), CASE(the_numbers_of_qlora_come_out),
          CASE(adam_in_8_bits_takes_a_quarter), CASE(keys_and_values_take_what_papers_say),
          CASE(a_small_network_takes_what_it_takes), CASE(what_is_not_trained_has_no_gradient),
          CASE(sizes_and_formats_are_read), CASE(a_cache_that_overflows_is_refused),
          CASE(the_command_prints_a_row_a_type), CASE(a_file_brings_its_own_numbers))
