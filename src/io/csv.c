/* Records, fields and numbers of a CSV text. */
#include "csv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 40 /* bytes of a field that a message quotes */

/* ---- Records and fields ----------------------------------------------------------------------------------------- */

static bool is_space(const rung_csv *csv, char c) {
  return c == ' ' || (c == '\t' && csv->separator != '\t');
}

/* The bytes of the line end at `at`: 0 where there is none. */
static int line_end(const char *at) {
  return *at == '\n' ? 1 : at[0] == '\r' && at[1] == '\n' ? 2 : 0;
}

/* The separator that the first record has most of; the comma where it has none. */
static char find_separator(const char *text) {
  static const char separators[] = ",;\t";
  size_t seen[3] = {0};
  bool quoted = false;
  for (; *text != '\0' && (quoted || *text != '\n'); text++) {
    const char *separator = strchr(separators, *text);
    if (*text == '"') quoted = !quoted;
    if (separator != NULL && !quoted) seen[separator - separators]++;
  }
  int most = 0;
  for (int i = 1; i < 3; i++)
    if (seen[i] > seen[most]) most = i;
  return separators[most];
}

rung_status rung_csv_open(rung_csv *csv, const char *path, const char *text, size_t size, char separator) {
  const char *zero = memchr(text, '\0', size);
  if (zero != NULL)
    return rung_fail(RUNG_ERROR_FORMAT, "%s: a zero byte at %td, expected text in UTF-8 or ASCII", path, zero - text);
  if (strncmp(text, "\xef\xbb\xbf", 3) == 0) text += 3, size -= 3;
  *csv = (rung_csv){.path = path, .begin = text, .end = text + size, .next = text, .line = 1, .column = 1};
  csv->separator = separator;
  rung_csv_next_record(csv);
  if (separator == '\0') csv->separator = find_separator(csv->next);
  return RUNG_OK;
}

bool rung_csv_next_record(rung_csv *csv) {
  csv->column = 1;
  for (const char *at = csv->next;; at += line_end(at)) {
    while (is_space(csv, *at)) at++;
    if (at == csv->end) return false;
    if (line_end(at) == 0) return true;
    csv->line++;
    csv->next = at + line_end(at);
  }
}

/* From the opening quote to behind the closing one. */
static rung_status take_quoted(rung_csv *csv, rung_csv_field *field, const char **at) {
  field->quoted = true;
  field->begin = ++*at;
  for (; **at != '"' || (*at)[1] == '"'; ++*at) {
    if (*at == csv->end) {
      field->end = *at;
      return rung_csv_refuse(csv, field, "a quote at its end");
    }
    if (**at == '"') ++*at;
    if (**at == '\n') csv->line++;
  }
  field->end = (*at)++;
  return RUNG_OK;
}

static void take_plain(rung_csv *csv, rung_csv_field *field, const char **at) {
  field->begin = field->end = *at;
  for (; *at < csv->end && **at != csv->separator && line_end(*at) == 0; ++*at)
    if (!is_space(csv, **at)) field->end = *at + 1;
}

rung_status rung_csv_next_field(rung_csv *csv, rung_csv_field *field) {
  const char *at = csv->next;
  *field = (rung_csv_field){.line = csv->line, .column = csv->column};
  while (is_space(csv, *at)) at++;
  if (*at == '"') {
    rung_status status = take_quoted(csv, field, &at);
    if (status != RUNG_OK) return status;
    while (is_space(csv, *at)) at++;
  } else {
    take_plain(csv, field, &at);
    if (memchr(field->begin, '"', (size_t)(field->end - field->begin)) != NULL)
      return rung_csv_refuse(csv, field, "quotes about all of a field that has one");
  }
  field->last = at == csv->end || line_end(at) > 0;
  if (!field->last && *at != csv->separator)
    return rung_csv_refuse(csv, field, "a separator or the line's end behind the quotes");
  csv->column++;
  csv->line += field->last && at < csv->end;
  csv->next = field->last ? at + line_end(at) : at + 1;
  return RUNG_OK;
}

rung_status rung_csv_refuse(const rung_csv *csv, const rung_csv_field *field, const char *expected) {
  ptrdiff_t length = field->end - field->begin;
  return rung_fail(RUNG_ERROR_FORMAT, "%s: line %" PRId64 ", column %" PRId64 ": '%.*s'%s, expected %s", csv->path,
                   field->line, field->column, (int)(length < SHOWN ? length : SHOWN), field->begin,
                   length > SHOWN ? "..." : "", expected);
}

void rung_csv_copy(const rung_csv_field *field, char *text) {
  for (const char *at = field->begin; at < field->end; at++) {
    if (*at == '"') at++; /* the second of two */
    *text++ = *at;
  }
  *text = '\0';
}

bool rung_csv_equal(const rung_csv_field *field, const char *text, size_t length) {
  const char *at = field->begin;
  for (; at < field->end && length > 0; at++, text++, length--) {
    if (*at == '"') at++;
    if (*at != *text) return false;
  }
  return at == field->end && length == 0;
}

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

/* [+-] digits [. digits] [e [+-] digits], with a digit before or behind the point. As the field has it, for the quick
 * way: `digits` of them as an integer, and the power of ten it is to be divided by. */
typedef struct decimal {
  bool negative, has_exponent;
  int digits;         /* significant */
  uint32_t integer;   /* of up to 9 digits */
  int64_t fractional; /* digits behind the point */
} decimal;

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static int64_t take_digits(const char **at, const char *end, decimal *number) {
  const char *begin = *at;
  for (; *at < end && is_digit(**at); ++*at) {
    if (number->digits == 0 && **at == '0') continue;
    if (number->digits < 9) number->integer = 10 * number->integer + (uint32_t)(**at - '0');
    if (number->digits < 10) number->digits++;
  }
  return *at - begin;
}

static bool take_apart(const rung_csv_field *field, decimal *number) {
  const char *at = field->begin, *end = field->end;
  *number = (decimal){0};
  if (at < end && (*at == '+' || *at == '-')) number->negative = *at++ == '-';
  int64_t whole = take_digits(&at, end, number);
  if (at < end && *at == '.') at++, number->fractional = take_digits(&at, end, number);
  if (whole + number->fractional == 0) return false;
  if (at == end) return true;
  number->has_exponent = *at == 'e' || *at == 'E';
  if (!number->has_exponent || ++at == end) return false;
  if (*at == '+' || *at == '-') at++;
  decimal exponent = {0};
  return take_digits(&at, end, &exponent) > 0 && at == end;
}

bool rung_csv_is_number(const rung_csv_field *field) {
  decimal number;
  return take_apart(field, &number);
}

float rung_csv_number(const rung_csv_field *field) {
  /* An integer below 2^24 and a power of ten up to 10^10 are floats, so their quotient is rounded once (Clinger, "How
   * to read floating point numbers accurately", PLDI 1990). */
  static const float powers[] = {1e0f, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f, 1e6f, 1e7f, 1e8f, 1e9f, 1e10f};
  decimal number;
  if (take_apart(field, &number) && !number.has_exponent && number.digits <= 9 && number.integer < 1u << 24 &&
      number.fractional <= 10) {
    float value = (float)number.integer / powers[number.fractional];
    return number.negative ? -value : value;
  }
  return strtof(field->begin, NULL); /* it stops where the field does: at a quote, a space, a separator, a line's end */
}
