/* UTF-8 (RFC 3629): what a JSON text must be in. */
#ifndef IO_UTF8_H
#define IO_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the bytes are UTF-8 throughout: shortest forms, no surrogates, up to U+10FFFF. */
bool rung_utf8_valid(const char *bytes, size_t size);

#endif
