/* A growing text: what every emitted file is made in. */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_free(text *to) {
  rung_release(to->bytes);
  *to = (text){0};
}

static bool grow(text *to, size_t more) {
  size_t need;
  if (!rung_size_add(to->length, more, &need) || need > SIZE_MAX / 2) {
    to->status = rung_fail(RUNG_ERROR_MEMORY, "emit: a text of more than %zu bytes", SIZE_MAX / 2);
    return false;
  }
  if (need <= to->capacity) return true;
  size_t capacity = need < 4096 ? 8192 : 2 * need;
  char *bytes = rung_allocate(capacity);
  if (!bytes) {
    to->status = RUNG_ERROR_MEMORY;
    return false;
  }
  if (to->length) memcpy(bytes, to->bytes, to->length);
  rung_release(to->bytes);
  to->bytes = bytes;
  to->capacity = capacity;
  return true;
}

void text_add(text *to, const char *bytes, size_t length) {
  if (to->status != RUNG_OK || !grow(to, length)) return;
  memcpy(to->bytes + to->length, bytes, length);
  to->length += length;
}

void text_print(text *to, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  if (to->status != RUNG_OK || !grow(to, (size_t)length + 1)) return;
  va_start(arguments, format);
  vsnprintf(to->bytes + to->length, (size_t)length + 1, format, arguments);
  va_end(arguments);
  to->length += (size_t)length;
}

static void add_capitals(text *to, const char *name) {
  for (; *name; name++) {
    char letter = *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
    text_add(to, &letter, 1);
  }
}

void text_fill(text *to, const char *template, const char *name) {
  for (const char *at; (at = strchr(template, '$')) != NULL; template = at + strlen("$name")) {
    text_add(to, template, (size_t)(at - template));
    if (at[1] == 'N')
      add_capitals(to, name);
    else
      text_add(to, name, strlen(name));
  }
  text_add(to, template, strlen(template));
}

void text_real(text *to, float x) {
  char digits[32];
  int length = snprintf(digits, sizeof digits, "%.9g", (double)x);
  for (int i = 0; i < length; i++)
    if (!strchr("0123456789+-e", digits[i])) digits[i] = '.';
  text_add(to, digits, (size_t)length);
}

void text_rows(text *to, int64_t count, int columns, int width, bool hexadecimal, text_value *value,
               const void *context) {
  for (int64_t i = 0; i < count; i++) {
    if (i % columns == 0) text_print(to, "   ");
    if (hexadecimal)
      text_print(to, " 0x%0*llx,", width, (unsigned long long)value(context, i));
    else
      text_print(to, " %*lld,", width, (long long)value(context, i));
    if (i % columns == columns - 1 || i == count - 1) text_print(to, "\n");
  }
}
