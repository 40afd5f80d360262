/* The calling thread's last message, and size arithmetic that cannot wrap. */
#include "rung/core.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_SIZE 512

static _Thread_local char message[MESSAGE_SIZE];
static _Thread_local rung_status last = RUNG_OK;

const char *rung_error(void) {
  return message;
}

rung_status rung_error_status(void) {
  return last;
}

rung_status rung_fail(rung_status status, const char *format, ...) {
  char text[MESSAGE_SIZE]; /* not `message` itself: rung_error() may be among the arguments */
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  for (char *c = text; *c != '\0'; c++) { /* a file name may hold a line end; the message stays one line */
    if (*c == '\n' || *c == '\r') *c = ' ';
  }
  memcpy(message, text, sizeof message);
  last = status;
  return status;
}

bool rung_size_multiply(size_t a, size_t b, size_t *result) {
  if (b != 0 && a > SIZE_MAX / b) return false;
  *result = a * b;
  return true;
}

bool rung_size_add(size_t a, size_t b, size_t *result) {
  if (a > SIZE_MAX - b) return false;
  *result = a + b;
  return true;
}
