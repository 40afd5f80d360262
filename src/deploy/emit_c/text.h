/* A growing text. Failure is sticky: after the first one nothing is added, and text.status tells. */
#ifndef EMIT_TEXT_H
#define EMIT_TEXT_H

#include <rung/core.h>

typedef struct text {
  char *bytes;
  size_t length, capacity;
  rung_status status;
} text;

void text_free(text *to);
void text_add(text *to, const char *bytes, size_t length);
void text_print(text *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `template`, in which $name stands for `name` and $NAME for the same in capitals. */
void text_fill(text *to, const char *template, const char *name);
/* x as C writes it, digits enough to have it back, whatever the locale: "0.00392156886". */
void text_real(text *to, float x);

/* The rows of an initializer: `columns` integers a row, each `width` wide, from value(context, i), i < count. In
 * hexadecimal they are of `width` digits, and none is negative. */
typedef int64_t text_value(const void *context, int64_t index);
void text_rows(text *to, int64_t count, int columns, int width, bool hexadecimal, text_value *value,
               const void *context);

#endif
