/* Text in records of fields (RFC 4180), in memory, read once from front to back and not changed. */
#ifndef IO_CSV_H
#define IO_CSV_H

#include <rung/core.h>

typedef struct rung_csv {
  const char *path;        /* borrowed, for messages */
  const char *begin, *end; /* *end is a zero byte */
  const char *next;        /* the first byte not yet read */
  char separator;
  int64_t line, column; /* of the next field, from 1 on */
} rung_csv;

/* A field without the spaces about it, and without its quotes; a quote in a quoted one is still written twice. */
typedef struct rung_csv_field {
  const char *begin, *end;
  bool quoted;
  bool last; /* of its record */
  int64_t line, column;
} rung_csv_field;

/* At the front of the text, behind a byte order mark if there is one. `separator` 0: the one of , ; and tab that the
 * first record has most of. RUNG_ERROR_FORMAT where the text holds a zero byte. */
rung_status rung_csv_open(rung_csv *csv, const char *path, const char *text, size_t size, char separator);

/* Passes blank lines; false at the end of the text. To be called at the beginning of a record. */
bool rung_csv_next_record(rung_csv *csv);

/* The next field of the record. RUNG_ERROR_FORMAT for quotes out of place. */
rung_status rung_csv_next_field(rung_csv *csv, rung_csv_field *field);

/* "PATH: line L, column C: 'FIELD', expected ..." with RUNG_ERROR_FORMAT. */
rung_status rung_csv_refuse(const rung_csv *csv, const rung_csv_field *field, const char *expected);

/* The field as it was meant, quotes written once, in `text`, which holds its length and one byte more. */
void rung_csv_copy(const rung_csv_field *field, char *text);
bool rung_csv_equal(const rung_csv_field *field, const char *text, size_t length);

/* Is it a decimal number: digits, perhaps a sign, a point, an exponent? */
bool rung_csv_is_number(const rung_csv_field *field);
/* The f32 nearest to the number, ties to even; infinite where it is larger than any f32. The locale's numbers are those
 * of "C" (c_locale.h). */
float rung_csv_number(const rung_csv_field *field);

#endif
