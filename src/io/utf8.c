#include "utf8.h"

/* The bytes of the sequence at `text`, of which `left` are there; 0 if it is none. */
static size_t sequence_length(const unsigned char *text, size_t left) {
  if (text[0] < 0x80) return 1;
  size_t length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
  if (text[0] < 0xc2 || text[0] > 0xf4 || length > left) return 0;
  for (size_t i = 1; i < length; i++)
    if ((text[i] & 0xc0) != 0x80) return 0;
  if (text[0] == 0xe0 && text[1] < 0xa0) return 0;
  if (text[0] == 0xed && text[1] > 0x9f) return 0;
  if (text[0] == 0xf0 && text[1] < 0x90) return 0;
  if (text[0] == 0xf4 && text[1] > 0x8f) return 0;
  return length;
}

bool rung_utf8_valid(const char *bytes, size_t size) {
  const unsigned char *text = (const unsigned char *)bytes;
  for (size_t at = 0, length; at < size; at += length) {
    length = sequence_length(text + at, size - at);
    if (length == 0) return false;
  }
  return true;
}
