#include "harness.h"

#include "number.h"

#include <math.h>
#include <rung/core.h>

static const struct {
  float value;
  const char *text;
} pairs[] = {{0, "0"},
             {1, "1"},
             {0.2f, "0.2"},
             {1e-3f, "0.001"},
             {1e-8f, "0.00000001"},
             {0.9999f, "0.9999"},
             {1.0f / 255, "0.003921569"},
             {123456.75f, "123456.75"},
             {16777216, "16777216"},
             {1e-30f, "#0da24260"},
             {1e30f, "#7149f2ca"},
             {-0.5f, "#bf000000"},
             {-0.0f, "#80000000"},
             {INFINITY, "#7f800000"}};
enum { PAIRS = sizeof pairs / sizeof pairs[0] };

START_TEST(numbers_are_short) {
  char text[NUMBER_TEXT];
  float back;
  ck_assert_str_eq(number_format(pairs[_i].value, text), pairs[_i].text);
  ck_assert(number_parse(text, &back) && back == pairs[_i].value);
}
END_TEST

START_TEST(numbers_come_back_to_the_bit) {
  rung_rng rng = rung_rng_seed(5);
  for (int i = 0; i < 50000; i++) {
    uint32_t bits = rung_rng_u32(&rng), same;
    if (i % 2 == 0) bits = (bits & 0x07ffffff) + 0x3b000000; /* 2^-9 .. 2^7 */
    float value, back = 0;
    char text[NUMBER_TEXT];
    memcpy(&value, &bits, sizeof value);
    ENSURE(number_parse(number_format(value, text), &back));
    memcpy(&same, &back, sizeof same);
    ENSURE(same == bits);
  }
}
END_TEST

/* A person may write them so; they are told as decimals, or bits. */
static const struct {
  const char *text;
  float value;
} exponents[] = {{"1e-5", 1e-5f}, {"2.5E-1", 0.25f}, {"1e3", 1000}, {"1.5e+02", 150}, {"0e-22", 0}, {"1e22", 1e22f}};
enum { EXPONENTS = sizeof exponents / sizeof exponents[0] };

START_TEST(exponents_are_read) {
  float value = -1, back = -1;
  char text[NUMBER_TEXT];
  ck_assert(number_parse(exponents[_i].text, &value) && value == exponents[_i].value);
  ck_assert(number_parse(number_format(value, text), &back) && back == value);
}
END_TEST

static const char *const none[] = {"",
                                   "-1",
                                   "+1",
                                   "e3",
                                   "1e",
                                   "1e+",
                                   "1e-23",
                                   "1e100",
                                   "1e1.5",
                                   "1e3 ",
                                   "0x10",
                                   ".",
                                   "1.2.3",
                                   " 1",
                                   "1 ",
                                   "0,5",
                                   "#",
                                   "#3f80000",
                                   "#3f8000000",
                                   "#3f80000g",
                                   "nan",
                                   "12345678901234567",
                                   "0.00000000000000000000001"};
enum { NONE = sizeof none / sizeof none[0] };

START_TEST(what_is_no_number_is_refused) {
  float value;
  ck_assert_msg(!number_parse(none[_i], &value), "%s", none[_i]);
}
END_TEST

TEST_MAIN(CASES(numbers_are_short, PAIRS), CASE(numbers_come_back_to_the_bit), CASES(exponents_are_read, EXPONENTS),
          CASES(what_is_no_number_is_refused, NONE))
