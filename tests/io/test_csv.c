#include "harness.h"

#include "csv.h"

#include <math.h>

static rung_csv open_text(const char *text, char separator) {
  rung_csv csv;
  ck_assert_msg(rung_csv_open(&csv, "text", text, strlen(text), separator) == RUNG_OK, "%s", rung_error());
  return csv;
}

static float number(const char *text, bool *is_number) {
  rung_csv_field field = {.begin = text, .end = text + strlen(text)};
  *is_number = rung_csv_is_number(&field);
  return *is_number ? rung_csv_number(&field) : 0.0f;
}

/* Every field of every record as "FIELD@LINE:COLUMN", records ended by "/". */
static const char *read_all(const char *text, char separator) {
  static char all[1024];
  rung_csv csv = open_text(text, separator);
  size_t length = 0;
  all[0] = '\0';
  while (rung_csv_next_record(&csv)) {
    rung_csv_field field;
    do {
      char copy[256];
      if (rung_csv_next_field(&csv, &field) != RUNG_OK) return rung_error();
      rung_csv_copy(&field, copy);
      ck_assert(rung_csv_equal(&field, copy, strlen(copy)));
      ck_assert(!rung_csv_equal(&field, copy, strlen(copy) + 1) && !rung_csv_equal(&field, "\x01", 1));
      length += (size_t)snprintf(all + length, sizeof all - length, "%s@%d:%d%s", copy, (int)field.line,
                                 (int)field.column, field.last ? "/" : " ");
    } while (!field.last);
  }
  return all;
}

START_TEST(splits_records_into_fields) {
  static const char *const cases[][2] = {
      {"", ""},
      {"\n \r\n\n", ""},
      {"a", "a@1:1/"},
      {"a,b\nc,d\n", "a@1:1 b@1:2/c@2:1 d@2:2/"},
      {"a,b\r\nc,d\r\n", "a@1:1 b@1:2/c@2:1 d@2:2/"},
      {"\n\na,b\n\n\r\nc,d", "a@3:1 b@3:2/c@6:1 d@6:2/"},
      {" a , b c ,\n", "a@1:1 b c@1:2 @1:3/"},
      {",,\n", "@1:1 @1:2 @1:3/"},
      {"\xef\xbb\xbf"
       "a,b\n",
       "a@1:1 b@1:2/"},
      {"\"a,b\",\"c\"\"d\" , \"\"\n", "a,b@1:1 c\"d@1:2 @1:3/"},
      {"\"a\nb\",c\nd,e", "a\nb@1:1 c@2:2/d@3:1 e@3:2/"},
      {"\"\"\"\"\n", "\"@1:1/"},
      {"a\rb,c\n", "a\rb@1:1 c@1:2/"},
      {"a;b,c;d\n", "a@1:1 b,c@1:2 d@1:3/"},
      {"a\tb\tc,d;e\n", "a@1:1 b@1:2 c,d;e@1:3/"},
      {"\";;;;\",a,b\n", ";;;;@1:1 a@1:2 b@1:3/"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) ck_assert_str_eq(read_all(cases[i][0], '\0'), cases[i][1]);
  ck_assert_str_eq(read_all("a;b,c\n", ','), "a;b@1:1 c@1:2/");
  ck_assert_str_eq(read_all("\t\n", ','), "");
  ck_assert_str_eq(read_all("\t\n", '\t'), "@1:1 @1:2/");
}
END_TEST

START_TEST(refuses_quotes_out_of_place) {
  ck_assert_str_eq(read_all("a,\"b\n", ','), "text: line 1, column 2: 'b ', expected a quote at its end");
  ck_assert_str_eq(read_all("a\n\"b\"c,d\n", ','),
                   "text: line 2, column 1: 'b', expected a separator or the line's end behind the quotes");
  ck_assert_str_eq(read_all("a,b\"c\"\n", ','),
                   "text: line 1, column 2: 'b\"c\"', expected quotes about all of a field that has one");
  rung_csv csv;
  ck_assert_int_eq(rung_csv_open(&csv, "text", "a\0b", 3, ','), RUNG_ERROR_FORMAT);
  ck_assert_str_eq(rung_error(), "text: a zero byte at 1, expected text in UTF-8 or ASCII");
}
END_TEST

START_TEST(tells_numbers_from_text) {
  static const char *const numbers[] = {"0", "-0", "+1", "1.", ".5", "-.5e3", "1E+5", "1e-5", "007", "1e99999999999"};
  static const char *const others[] = {"",    "-",   "+-1", ".",   "e5",  "1e", "1e+",  "1.2.3", "1 2",  "0x10",
                                       "1,5", "1_0", "nan", "inf", "NaN", "1f", "1e5.", "--1",   "1e 5", "infinity"};
  bool is_number;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    number(numbers[i], &is_number);
    ck_assert_msg(is_number, "%s", numbers[i]);
  }
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    number(others[i], &is_number);
    ck_assert_msg(!is_number, "%s", others[i]);
  }
}
END_TEST

/* The quick way and strtof give the same bits, wherever the digits and the point are. */
START_TEST(reads_numbers_as_strtof_does) {
  uint64_t state = 88172645463325252u;
  bool is_number;
  for (int i = 0; i < 200000; i++) {
    char text[64];
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    unsigned digits = (unsigned)(state >> 8) >> (state & 31), point = (unsigned)(state >> 40) % 14;
    double scaled = (double)digits / pow(10.0, point);
    snprintf(text, sizeof text, i % 2 ? "%.*f" : "-%.*f", (int)point, scaled);
    float expected = strtof(text, NULL), value = number(text, &is_number);
    ck_assert_msg(is_number && memcmp(&value, &expected, sizeof value) == 0, "%s: %a, expected %a", text, (double)value,
                  (double)expected);
  }
  ck_assert(isinf(number("1e39", &is_number)) && number("1e-60", &is_number) == 0.0f &&
            signbit(number("-0", &is_number)));
}
END_TEST

TEST_MAIN(CASE(splits_records_into_fields), CASE(refuses_quotes_out_of_place), CASE(tells_numbers_from_text),
          CASE(reads_numbers_as_strtof_does))
